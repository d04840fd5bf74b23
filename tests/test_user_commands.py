"""`python main.py user …` and `python main.py token …`, on the data folder that a server may be using."""

from __future__ import annotations

import io
import json
import os
import re
import subprocess
import sys
from collections.abc import Callable, Iterator
from datetime import datetime, timedelta, timezone
from pathlib import Path

import pytest

from agentchat.audit import FILE
from agentchat.auth.accounts import Accounts
from agentchat.cli import main
from agentchat.protocol.events import moment
from tests.accounts import PASSWORD
from tests.processes import ROOT

Run = Callable[..., str]


@pytest.fixture
def data(tmp_path: Path) -> Path:
    return tmp_path / "data"


@pytest.fixture
def accounts(data: Path) -> Iterator[Accounts]:
    """Open the accounts as a running server does."""
    accounts = Accounts(data)
    yield accounts
    accounts.close()


@pytest.fixture
def run(data: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Run:
    """Carry out a command, and return what it prints; of one that is refused, the sentence."""

    def carry_out(*arguments: str, stdin: bytes = b"", status: int = 0) -> str:
        monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(stdin)))
        assert main([*arguments, "--data-dir", str(data)]) == status
        shown = capsys.readouterr()
        if status:
            assert shown.out == ""
            assert shown.err.startswith("agentchat: ")
            assert shown.err.count("\n") == 1
            return shown.err
        return shown.out

    return carry_out


def add(run: Run, login: str, *arguments: str, password: str = PASSWORD) -> str:
    return run("user", "add", login, "--password-stdin", *arguments, stdin=f"{password}\n".encode())


def audit(data: Path) -> list[dict[str, object]]:
    return [json.loads(line) for line in (data / FILE).read_text().splitlines()]


def test_users_are_added_changed_and_removed(run: Run, accounts: Accounts, data: Path) -> None:
    """A running server sees each change, and the audit log has it without the passwords."""
    assert add(run, "Ada", "--name", "Ada Lovelace", "--role", "operator,admin") == "Ada is added.\n"
    ada = accounts.check_password("ada", PASSWORD)
    assert ada
    assert (ada.name, sorted(ada.roles)) == ("Ada Lovelace", ["admin", "operator"])
    secret, _ = accounts.begin_login(ada.id, "192.0.2.1", "Firefox")

    assert run("user", "role", "ADA", "operator") == "Ada is now operator.\n"
    assert run("user", "role", "ada") == "Ada is now a user without roles.\n"
    assert run("user", "role", "ada", "admin", "operator") == "Ada is now admin and operator.\n"
    lines = run("user", "list").splitlines()
    assert lines[0].split() == ["LOGIN", "NAME", "ROLES", "LAST", "SEEN", "ID"]
    assert re.split("  +", lines[1])[:3] == ["Ada", "Ada Lovelace", "admin, operator"]
    assert lines[1].endswith(ada.id)
    assert accounts.login(secret)
    changed = run("user", "passwd", "ada", "--password-stdin", stdin=b"another password\r\n")
    assert changed == "The password of Ada is changed, and their logins have ended.\n"
    assert accounts.login(secret) is None
    assert accounts.check_password("ada", "another password")
    assert run("user", "remove", "ada") == "Ada is removed; their logins and tokens have ended.\n"
    assert accounts.users() == []

    entries = audit(data)
    roles = "roles_changed"
    assert [e["event"] for e in entries] == ["user_added", *[roles] * 3, "password_changed", "user_removed"]
    assert {(e["user"], e["login"], e["way"], e["who"]) for e in entries} == {(ada.id, "Ada", "command line", None)}
    assert all(e["system_user"] for e in entries)
    assert entries[0]["roles"] == ["admin", "operator"]
    written = (data / FILE).read_text()
    assert PASSWORD not in written
    assert "another password" not in written


@pytest.mark.parametrize(
    ("arguments", "stdin", "sentence"),
    [
        ("user add ADA --password-stdin", PASSWORD, "The login name 'ADA' is taken. Choose another one."),
        ("user add b\x1bb --password-stdin", PASSWORD, "a login name begins with a letter or a digit"),
        ("user add bob --password-stdin", "short", "it has fewer than 10 characters"),
        ("user add bob --password-stdin", "", "it has fewer than 10 characters"),
        ("user add bob --password-stdin --role owner", PASSWORD, "roles are operator and admin"),
        ("user passwd bob --password-stdin", PASSWORD, "There is no user 'bob'."),
        ("user passwd ada --password-stdin", "short", "it has fewer than 10 characters"),
        ("user remove bob", "", "There is no user 'bob'."),
        ("user role bob admin", "", "There is no user 'bob'."),
        ("user role ada admin,boss", "", "roles are operator and admin"),
        ("token add --name ci --scope read --user bob", "", "There is no user 'bob'."),
        ("token add --name ci --scope operator --user ada", "", "its user is neither operator nor admin"),
        ("token add --name Ada --scope read", "", "ada is a person. Take another --name"),
        ("token add --name ci --scope read --expires soon", "", "--expires is a number of hours, days or weeks"),
        ("token add --name ci --scope read --expires 0d", "", "--expires is a number of hours, days or weeks"),
        ("token add --name ci --scope read --expires 999999w", "", "--expires is a number of hours, days or weeks"),
        ("token add --name <ci> --scope read", "", "Without --user, a token belongs to an account that has its name."),
        ("token revoke t-unknown", "", "There is no such token."),
    ],
)
def test_what_is_refused(run: Run, accounts: Accounts, data: Path, arguments: str, stdin: str, sentence: str) -> None:
    """A sentence, exit status 2, and nothing has changed."""
    add(run, "ada")
    version = accounts.version

    assert sentence in run(*arguments.split(), stdin=stdin.encode(), status=2)
    assert accounts.version == version
    assert len(audit(data)) == 1


def test_a_password_that_is_no_text(run: Run) -> None:
    """Bytes that are not UTF-8 are refused."""
    assert "not text in UTF-8" in run("user", "add", "ada", "--password-stdin", stdin=b"\xff" * 20, status=2)


@pytest.mark.parametrize("command", ["user list", "user remove ada", "user role ada", "token list", "token revoke x"])
def test_a_folder_without_accounts(run: Run, data: Path, command: str) -> None:
    """The folder is named, and not made."""
    assert f"There are no accounts in {data}." in run(*command.split(), status=2)
    assert not data.exists()


@pytest.mark.parametrize("arguments", [["user"], ["token"], ["user", "add"], ["token", "add"], ["user", "list", "x"]])
def test_arguments_that_are_missing(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    """The usage is shown, and the exit status is 2."""
    with pytest.raises(SystemExit) as error:
        main(arguments)
    assert error.value.code == 2
    assert f"usage: main.py {arguments[0]}" in capsys.readouterr().err


def test_a_password_is_no_argument(capsys: pytest.CaptureFixture[str]) -> None:
    """Arguments are in the list of processes and in the shell's history."""
    with pytest.raises(SystemExit):
        main(["user", "add", "ada", "--password", PASSWORD])
    assert "unrecognized arguments" in capsys.readouterr().err


def test_the_folder_may_stand_before_the_command_or_in_the_environment(
    run: Run, data: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """The option counts in either place; without it the variable, as for the server."""
    add(run, "ada")
    assert main(["user", "--data-dir", str(data), "list"]) == 0
    assert "ada" in capsys.readouterr().out
    monkeypatch.setenv("AGENTCHAT_DATA_DIR", str(data))
    assert main(["token", "list"]) == 0
    assert capsys.readouterr().out.split() == ["ID", "NAME", "USER", "SCOPE", "CREATED", "LAST", "USED", "EXPIRES"]


def test_a_token_is_shown_once(run: Run, accounts: Accounts, data: Path) -> None:
    """It is printed alone, and stands nowhere on the disk; its use and its end are listed."""
    secret = run("token", "add", "--name", "ci", "--scope", "write", "--expires", "30d").strip()
    found = accounts.token(secret)
    assert found
    user, token = found
    assert (user.login, user.roles, token.name, token.scope) == ("ci", frozenset(), "ci", "write")
    lasts = moment(token.expires) - datetime.now(timezone.utc)
    assert timedelta(days=29, hours=23) < lasts <= timedelta(days=30)
    assert accounts.is_empty

    line = run("token", "list").splitlines()[1].split()
    assert line == [token.id, "ci", "ci", "write", token.created, token.last_used, token.expires]
    assert run("token", "revoke", token.id) == f"The token {token.id} (ci) of ci is revoked.\n"
    assert accounts.token(secret) is None
    assert [entry["event"] for entry in audit(data)] == ["user_added", "token_added", "token_revoked"]
    for path in data.iterdir():
        assert secret[4:].encode() not in path.read_bytes(), path.name


def test_whose_token_it_is(run: Run, accounts: Accounts) -> None:
    """A token is that of a person who is named, else of a user for the program, who has as many as are added."""
    add(run, "ada", "--role", "operator")
    tokens = [
        run("token", "add", "--name", "desk", "--scope", "operator", "--user", "ADA"),
        run("token", "add", "--name", "ci", "--scope", "read"),
        run("token", "add", "--name", "CI", "--scope", "operator", "--expires", "12h"),
    ]
    found = [accounts.token(token.strip()) for token in tokens]
    assert [each and (each[0].login, list(each[0].roles)) for each in found] == [
        ("ada", ["operator"]),
        ("ci", ["operator"]),
        ("ci", ["operator"]),
    ]
    assert run("token", "revoke", "desk").endswith("(desk) of ada is revoked.\n")
    run("token", "add", "--name", "ci", "--scope", "read")
    sentence = run("token", "revoke", "ci", status=2)
    assert "Several tokens have the name ci. Name one by its id: t-" in sentence
    assert len(accounts.tokens(found[1][0].id if found[1] else "")) == 3


TERMINAL = "import os, pty, sys; sys.exit(os.waitstatus_to_exitcode(pty.spawn(sys.argv[1:])))"


class Terminal:
    """`python main.py …` on a terminal of its own, on which somebody types."""

    def __init__(self, *arguments: str) -> None:
        command = [sys.executable, "-c", TERMINAL, sys.executable, str(ROOT / "main.py"), *arguments]
        self.process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        self.shown = b""

    def type(self, after: str, text: str) -> None:
        """Type a line as soon as that is shown."""
        assert self.process.stdin
        assert self.process.stdout
        while after.encode() not in self.shown:
            new = os.read(self.process.stdout.fileno(), 1000)
            assert new, self.shown
            self.shown += new
        self.process.stdin.write(f"{text}\n".encode())
        self.process.stdin.flush()

    def end(self) -> int:
        output, _ = self.process.communicate(timeout=60)
        self.shown += output
        return self.process.returncode


def test_the_password_is_asked_for_twice_without_an_echo(data: Path, accounts: Accounts) -> None:
    """On a terminal; what is typed appears nowhere."""
    terminal = Terminal("user", "add", "ada", "--data-dir", str(data))
    terminal.type("Password of ada: ", PASSWORD)
    terminal.type("The same again: ", PASSWORD)
    assert terminal.end() == 0
    assert b"ada is added." in terminal.shown
    assert PASSWORD.encode() not in terminal.shown
    assert accounts.check_password("ada", PASSWORD)


def test_a_slip_changes_nothing(data: Path, accounts: Accounts) -> None:
    """Two different passwords are refused."""
    terminal = Terminal("user", "add", "ada", "--data-dir", str(data))
    terminal.type("Password of ada: ", PASSWORD)
    terminal.type("The same again: ", "correct hose")
    assert terminal.end() == 2
    assert b"The two passwords differ, so nothing has changed. Try again." in terminal.shown
    assert accounts.users() == []


def test_without_a_terminal(data: Path) -> None:
    """A script is told of --password-stdin, and stdin is not read."""
    command = [sys.executable, str(ROOT / "main.py"), "user", "add", "ada", "--data-dir", str(data)]
    ended = subprocess.run(command, input=f"{PASSWORD}\n", capture_output=True, text=True, start_new_session=True)
    assert (ended.returncode, ended.stdout) == (2, "")
    assert ended.stderr.startswith("agentchat: There is no terminal")


def test_nothing_slow_is_imported(data: Path) -> None:
    """The commands need neither AG2 nor the servers."""
    arguments = ["token", "add", "--name", "ci", "--scope", "read", "--data-dir", str(data)]
    program = (
        f"import sys; from agentchat.cli import main; assert main({arguments}) == 0;"
        "print(sorted({name.partition('.')[0] for name in sys.modules}"
        " & {'autogen', 'openai', 'websockets', 'pydantic', 'httpx'}))"
    )
    ended = subprocess.run([sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True)
    assert ended.stdout.splitlines()[1:] == ["[]"], ended.stderr
