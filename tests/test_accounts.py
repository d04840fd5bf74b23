"""Accounts, logins and tokens, over a real SQLite file that several processes use."""

from __future__ import annotations

import contextlib
import sqlite3
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from agentchat.auth import accounts as module
from agentchat.auth.accounts import DATABASE, LOGINS_PER_USER, TOKENS_PER_USER, Accounts
from agentchat.auth.passwords import Passwords
from agentchat.protocol.errors import ChatError, SettingsError, StoreError
from agentchat.protocol.validation import NAME_CHARS
from tests.accounts import PASSWORD, Clock, CountingHasher, cheap
from tests.processes import ROOT

Open = Callable[..., Accounts]


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def open_accounts(tmp_path: Path, clock: Clock) -> Iterator[Open]:
    """Open the accounts of the test's folder, more than once if need be."""
    opened: list[Accounts] = []

    def begin(passwords: Passwords | None = None, login_days: float = 30.0) -> Accounts:
        opened.append(Accounts(tmp_path, login_days, passwords or cheap(), clock))
        return opened[-1]

    yield begin
    for each in opened:
        each.close()


@pytest.fixture
def accounts(open_accounts: Open) -> Accounts:
    return open_accounts()


def problem(function: Callable[..., object], *arguments: object, **options: object) -> str:
    """Return the sentence with which something is refused."""
    with pytest.raises(ChatError) as error:
        function(*arguments, **options)
    return error.value.message


def on_disk(folder: Path) -> bytes:
    """Return all that the files of the accounts hold."""
    return b"".join(path.read_bytes() for path in sorted(folder.glob(f"{DATABASE}*")))


# Users


def test_a_user_is_found_by_id_and_by_login(accounts: Accounts) -> None:
    """A user has the login name, name and roles that were given."""
    ada = accounts.add("Ada", PASSWORD, "Ada Lovelace", ["admin"])
    bob = accounts.add("bob", None)

    assert (ada.login, ada.name, ada.colour, ada.language) == ("Ada", "Ada Lovelace", "", "")
    assert ada.roles == {"admin"}
    assert ada.created == "2030-01-01T00:00:00.000Z"
    assert ada.id.startswith("u-")
    assert (bob.name, bob.roles) == ("bob", frozenset())
    assert accounts.user(ada.id) == ada
    assert accounts.by_login(" aDA ") == ada
    assert accounts.users() == [ada, bob]
    assert accounts.user("u-unknown") is None
    assert accounts.by_login("carol") is None


@pytest.mark.parametrize(
    ("taken", "other"),
    [
        ("ada", "ADA"),
        ("ada", "ａｄａ"),  # full width
        ("file", "ﬁle"),  # a ligature
        ("strasse", "Straße"),
        ("café", "cafe\u0301"),
        ("ada", "  ada\n"),
        ("μ", "µ"),  # Greek, and the sign for a millionth
    ],
)
def test_a_login_name_is_taken_in_every_form(accounts: Accounts, taken: str, other: str) -> None:
    """Case and the encoding of letters make no difference."""
    user = accounts.add(taken, PASSWORD)

    assert "is taken. Choose another one." in problem(accounts.add, other, PASSWORD)
    assert accounts.by_login(other) == user
    assert accounts.check_password(other, PASSWORD) == user
    assert accounts.users() == [user]


@pytest.mark.parametrize(
    ("login", "sentence"),
    [
        ("", "does not have 1 to 100 characters"),
        (" ", "does not have 1 to 100 characters"),
        ("a" * (NAME_CHARS + 1), "does not have 1 to 100 characters"),
        ("\ufdfa" * NAME_CHARS, "does not have 1 to 100 characters"),  # one character that NFKC makes eighteen
        ("a\x00b", "begins with a letter or a digit"),
        ("a\nb", "begins with a letter or a digit"),
        ("a b", "begins with a letter or a digit"),
        ("a\u200bb", "begins with a letter or a digit"),  # nothing, of no width
        ("a\u202eb", "begins with a letter or a digit"),  # what follows is shown backwards
        ("a\u034fb", "begins with a letter or a digit"),
        ("\u3164", "begins with a letter or a digit"),  # a letter that is drawn as nothing
        ("a\ufe0f", "begins with a letter or a digit"),
        ("a\ud800", "begins with a letter or a digit"),
        ("<b>", "begins with a letter or a digit"),
        ("-rf", "begins with a letter or a digit"),
        ("../x", "begins with a letter or a digit"),
        ("\u0301a", "begins with a letter or a digit"),
        ("\u0430da", "mixes letters of several alphabets"),  # the first letter is Cyrillic
        ("\u03bfperator", "mixes letters of several alphabets"),  # Greek
    ],
)
def test_login_names_that_cannot_be_used(accounts: Accounts, login: str, sentence: str) -> None:
    """A login name is of letters, digits and a few signs, which look like what they are."""
    assert sentence in problem(accounts.add, login, PASSWORD)
    assert accounts.users() == []


@pytest.mark.parametrize("login", ["ada@example.com", "a", "7", "o.k_-+", "Андрей", "王伟", "हिन्दी", "a" * NAME_CHARS])
def test_login_names_that_can_be_used(accounts: Accounts, login: str) -> None:
    """Letters of any language will do."""
    assert accounts.add(login, PASSWORD).login == login


@pytest.mark.parametrize(
    ("name", "sentence"),
    [
        ("\u200b", "has nothing that can be seen"),
        ("\u3164\u0301", "has nothing that can be seen"),
        ("a" * (NAME_CHARS + 1), "has more than 100 characters"),
        ("Ada\nadmin", "do not belong into one line"),
        ("Ada\x1b[31m", "do not belong into one line"),
        ("\u202eadA", "do not belong into one line"),
    ],
)
def test_names_that_cannot_be_shown(accounts: Accounts, name: str, sentence: str) -> None:
    """A name can be seen and stands on one line, from the start and after a change."""
    assert sentence in problem(accounts.add, "ada", PASSWORD, name)
    ada = accounts.add("ada", PASSWORD, "  Ada 👩‍💻 ")
    assert ada.name == "Ada 👩‍💻"
    assert sentence in problem(accounts.set_profile, ada.id, name=name)
    assert accounts.user(ada.id) == ada


def test_the_profile(accounts: Accounts) -> None:
    """Only the given fields change, and invalid values change nothing."""
    ada = accounts.add("ada", PASSWORD)

    changed = accounts.set_profile(ada.id, name="Countess", colour="#AABBCC", language="pt-BR")
    assert (changed.name, changed.colour, changed.language) == ("Countess", "#aabbcc", "pt-BR")
    assert accounts.set_profile(ada.id, colour="").colour == ""
    assert accounts.set_profile(ada.id) == accounts.user(ada.id)
    for wrong in ({"colour": "red;x"}, {"language": "de<script>"}, {"name": "x", "colour": "#12"}):
        assert "cannot be made or changed" in problem(accounts.set_profile, ada.id, **wrong)
    assert accounts.user(ada.id) == accounts.set_profile(ada.id, colour="")
    assert problem(accounts.set_profile, "u-unknown", name="x") == "There is no user 'u-unknown'."


def test_roles(accounts: Accounts) -> None:
    """Roles are replaced; one that does not exist is refused."""
    ada = accounts.add("ada", PASSWORD, roles=["operator"])

    assert accounts.set_roles(ada.id, ["admin", "operator"]).roles == {"admin", "operator"}
    assert "roles are operator and admin" in problem(accounts.set_roles, ada.id, ["owner"])
    assert "roles are operator and admin" in problem(accounts.add, "bob", PASSWORD, roles=["operator admin"])
    assert accounts.user(ada.id) == accounts.set_roles(ada.id, ["operator", "admin"])
    assert accounts.set_roles(ada.id, []).roles == frozenset()


def test_it_is_empty_until_somebody_can_log_in(accounts: Accounts) -> None:
    """A user who has only tokens cannot."""
    assert accounts.is_empty
    program = accounts.add("ci", None)
    assert (accounts.is_empty, accounts.can_log_in(program.id)) == (True, False)
    accounts.set_password(program.id, PASSWORD)
    assert (accounts.is_empty, accounts.can_log_in(program.id)) == (False, True)
    accounts.remove(program.id)
    assert accounts.is_empty
    assert accounts.can_log_in(accounts.external("header", "ada", "ada").id)
    assert not accounts.is_empty


# Passwords


def test_the_password_decides(accounts: Accounts) -> None:
    """Only the right password of an account that has one is accepted."""
    ada = accounts.add("ada", PASSWORD)
    accounts.add("ci", None)

    assert accounts.check_password("ada", PASSWORD) == ada
    assert accounts.check_password("ada", "wrong password") is None
    assert accounts.check_password("ada", "") is None
    assert accounts.check_password("bob", PASSWORD) is None
    assert accounts.check_password("ci", "") is None
    assert accounts.check_password("a" * 100_000 + "\ud800", PASSWORD) is None


def test_an_unknown_login_is_as_much_work(open_accounts: Open) -> None:
    """One hash is computed for a wrong password, for an unknown login, and for an account without a password."""
    hasher = CountingHasher()
    accounts = open_accounts(Passwords(hasher))
    accounts.add("ada", PASSWORD)
    accounts.add("ci", None)

    for login, password in (("ada", "wrong password"), ("bob", PASSWORD), ("ci", PASSWORD), ("\x00", PASSWORD)):
        hasher.computed = 0
        assert accounts.check_password(login, password) is None
        assert hasher.computed == 1, login


def test_a_new_password_ends_the_logins(accounts: Accounts) -> None:
    """The old password and what was begun with it end; tokens and others' logins stay."""
    ada, bob = accounts.add("ada", PASSWORD), accounts.add("bob", PASSWORD)
    secrets = [accounts.begin_login(user.id, "127.0.0.1", "Firefox")[0] for user in (ada, ada, bob)]
    token, _ = accounts.add_token(ada.id, "ci", "read")

    accounts.set_password(ada.id, "another password")

    assert accounts.check_password("ada", PASSWORD) is None
    assert accounts.check_password("ada", "another password") == ada
    assert [bool(accounts.login(secret)) for secret in secrets] == [False, False, True]
    assert accounts.token(token)
    assert problem(accounts.set_password, "u-unknown", PASSWORD) == "There is no user 'u-unknown'."
    assert "it has fewer than 10 characters" in problem(accounts.set_password, ada.id, "short")
    assert accounts.check_password("ada", "another password") == ada


def test_a_password_that_is_changed_meanwhile_is_wrong(open_accounts: Open) -> None:
    """A comparison that began before the password was changed lets nobody in."""
    accounts = open_accounts()

    class SlowPasswords(Passwords):
        def is_right(self, password: str, hash: str) -> bool:
            is_right = super().is_right(password, hash)
            accounts.set_password(ada.id, "another password")
            return is_right

    slow = open_accounts(SlowPasswords(CountingHasher()))
    ada = accounts.add("ada", PASSWORD)
    assert slow.check_password("ada", PASSWORD) is None


def test_outdated_hashes_are_renewed(open_accounts: Open, tmp_path: Path) -> None:
    """Logging in renews a hash with the parameters in use, and keeps the person's logins."""
    ada = open_accounts().add("ada", PASSWORD)
    secret, _ = open_accounts().begin_login(ada.id, "", "")
    renewed = open_accounts(Passwords(CountingHasher(time_cost=2)))

    assert renewed.check_password("ada", "wrong password") is None
    assert b"t=2" not in on_disk(tmp_path)
    assert renewed.check_password("ada", PASSWORD) == ada
    assert b"t=2" in on_disk(tmp_path)
    assert renewed.check_password("ada", PASSWORD) == ada
    assert renewed.login(secret)


# People whom others know


def test_a_subject_is_the_same_user_for_ever(accounts: Accounts) -> None:
    """A provider may change all else that it says about people; what they set themselves stays."""
    ada = accounts.external("https://id.example", "42", "ada", "Ada")
    accounts.set_profile(ada.id, name="Countess")

    again = accounts.external("https://id.example", "42", "lovelace", "Lady Lovelace")
    assert (again.id, again.login, again.name) == (ada.id, "ada", "Countess")
    assert accounts.external("https://other.example", "42", "eve").id != ada.id
    assert accounts.check_password("ada", "") is None


def test_nobody_takes_over_an_account_by_its_name(accounts: Accounts) -> None:
    """A login name that is taken gets a suffix; one that cannot be used becomes one that can."""
    ada = accounts.add("ada", PASSWORD, roles=["admin"])

    others = [accounts.external("header", subject, "ADA") for subject in ("1", "2")]
    assert [other.login for other in others] == ["ADA-2", "ADA-3"]
    assert [other.roles for other in others] == [frozenset(), frozenset()]
    assert accounts.user(ada.id) == ada
    assert accounts.external("header", "3", "Grace B. <hopper>\n").login == "GraceB.hopper"
    assert [accounts.external("header", f"4{login}", login).login for login in ("", "\u200b", "\u0430da")] == [
        "user",
        "user-2",
        "user-3",
    ]
    assert len(accounts.external("header", "5", "x" * 1000, "y" * 1000).name) == NAME_CHARS
    assert accounts.external("header", "6", "x" * 1000).login == "x" * 90 + "-2"
    assert "does not have 1 to 255 characters" in problem(accounts.external, "header", "", "x")
    assert "does not have 1 to 255 characters" in problem(accounts.external, "header", "x" * 256, "x")


def test_the_roles_of_a_provider_are_those_of_now(accounts: Accounts) -> None:
    """They come and go with what the provider says, and don't touch those that were given here."""
    ada = accounts.external("https://id.example", "42", "ada", roles=["admin"])
    assert ada.roles == {"admin"}
    assert accounts.set_roles(ada.id, ["operator"]).roles == {"admin", "operator"}
    version = accounts.version
    assert accounts.external("https://id.example", "42", "ada", roles=["admin"]).roles == {"admin", "operator"}
    assert accounts.version == version
    assert accounts.external("https://id.example", "42", "ada").roles == {"operator"}
    assert accounts.version > version
    assert accounts.by_login("ada") == accounts.user(ada.id)


# Logins


def test_a_login_is_known_by_its_secret(accounts: Accounts, tmp_path: Path) -> None:
    """The secret is not on the disk, nor is a login's id one."""
    ada = accounts.add("ada", PASSWORD)
    secret, login = accounts.begin_login(ada.id, "192.0.2.1", "Fire\nfox" * 100)

    assert accounts.login(secret) == (ada, login)
    assert accounts.login_by_id(login.id) == (ada, login)
    assert (login.user, login.address, len(login.browser)) == (ada.id, "192.0.2.1", 300)
    assert "\n" not in login.browser
    for wrong in ("", secret[:-1], secret + "x", login.id, "\ud800", secret.swapcase()):
        assert accounts.login(wrong) is None
    assert secret.encode() not in on_disk(tmp_path)
    assert problem(accounts.begin_login, "u-unknown", "", "") == "There is no user 'u-unknown'."


def test_a_login_ends_when_it_is_not_used(open_accounts: Open, clock: Clock) -> None:
    """Each use restarts the time after which a login ends."""
    accounts = open_accounts(login_days=2)
    ada = accounts.add("ada", PASSWORD)
    secret, login = accounts.begin_login(ada.id, "", "")

    for _ in range(3):
        clock.move(days=1, hours=23)
        assert accounts.login(secret)
    clock.move(days=2, seconds=1)
    assert accounts.login(secret) is None
    assert accounts.login_by_id(login.id) is None
    assert accounts.logins(ada.id) == []


def test_a_login_for_ever(open_accounts: Open, clock: Clock) -> None:
    """Any number of days will do."""
    accounts = open_accounts(login_days=1e300)
    secret, _ = accounts.begin_login(accounts.add("ada", PASSWORD).id, "", "")
    clock.move(days=10_000)
    assert accounts.login(secret)


def test_the_last_use_is_noted_once_a_minute(accounts: Accounts, clock: Clock) -> None:
    """It is no change of the accounts."""
    ada = accounts.add("ada", PASSWORD)
    secret, login = accounts.begin_login(ada.id, "", "")
    version = accounts.version

    clock.move(seconds=59)
    accounts.login(secret)
    assert accounts.logins(ada.id) == [login]
    clock.move(seconds=1)
    found = accounts.login(secret)
    assert found
    assert found[1].last_seen == "2030-01-01T00:01:00.000Z"
    assert accounts.logins(ada.id) == [found[1]]
    assert accounts.version == version


def test_ending_logins(accounts: Accounts) -> None:
    """One login, or all of a user, and nobody else's."""
    ada, bob = accounts.add("ada", PASSWORD), accounts.add("bob", PASSWORD)
    begun = [accounts.begin_login(user.id, "", "") for user in (ada, ada, bob)]
    secrets, logins = zip(*begun, strict=True)

    assert accounts.end_login(logins[0].id)
    assert not accounts.end_login(logins[0].id)
    assert [bool(accounts.login(secret)) for secret in secrets] == [False, True, True]
    assert accounts.end_logins(ada.id) == 1
    assert [bool(accounts.login(secret)) for secret in secrets] == [False, False, True]


def test_only_the_newest_logins_are_kept(accounts: Accounts, clock: Clock) -> None:
    """A user has a limited number; the one that has rested longest ends."""
    ada = accounts.add("ada", PASSWORD)
    secrets = []
    for _ in range(LOGINS_PER_USER + 2):
        secrets.append(accounts.begin_login(ada.id, "", "")[0])
        clock.move(seconds=1)

    assert [bool(accounts.login(secret)) for secret in secrets[:3]] == [False, False, True]
    assert len(accounts.logins(ada.id)) == LOGINS_PER_USER


# Tokens


def test_a_token_is_known_by_itself(accounts: Accounts, tmp_path: Path, clock: Clock) -> None:
    """Only its hash is on the disk; its use is noted."""
    ada = accounts.add("ada", PASSWORD)
    secret, token = accounts.add_token(ada.id, "ci", "write")

    assert secret.startswith("act_")
    assert len(secret) == 47
    assert secret.encode() not in on_disk(tmp_path)
    assert secret[4:].encode() not in on_disk(tmp_path)
    assert (token.user, token.name, token.scope, token.expires, token.last_used) == (ada.id, "ci", "write", "", "")
    clock.move(hours=1)
    found = accounts.token(secret)
    assert found
    assert (found[0], found[1].id, found[1].last_used) == (ada, token.id, "2030-01-01T01:00:00.000Z")
    assert accounts.tokens(ada.id) == [found[1]]
    assert accounts.token_by_id(token.id) == found
    for wrong in ("", "act_", secret[4:], secret + "x", token.id, "act_\ud800"):
        assert accounts.token(wrong) is None


def test_a_token_expires(accounts: Accounts, clock: Clock) -> None:
    """It is known until its end, and listed afterwards."""
    ada = accounts.add("ada", PASSWORD)
    secret, token = accounts.add_token(ada.id, "ci", "read", "2030-01-02T01:00:00+01:00")
    assert token.expires == "2030-01-02T00:00:00.000Z"
    clock.move(hours=23, minutes=59)
    assert accounts.token(secret)
    clock.move(minutes=1)
    assert accounts.token(secret) is None
    assert accounts.token_by_id(token.id) is None
    assert [each.id for each in accounts.tokens(ada.id)] == [token.id]
    assert "its end is past" in problem(accounts.add_token, ada.id, "x", "read", "2030-01-02T00:00:00.000Z")
    assert "its end is not a time" in problem(accounts.add_token, ada.id, "x", "read", "soon")


def test_a_token_is_revoked(accounts: Accounts) -> None:
    """It is gone at once, and nothing else is."""
    ada = accounts.add("ada", PASSWORD)
    (secret, token), (other, _) = (accounts.add_token(ada.id, name, "read") for name in ("a", "b"))

    assert accounts.revoke(token.id)
    assert not accounts.revoke(token.id)
    assert accounts.token(secret) is None
    assert accounts.token(other)


def test_tokens_that_cannot_be_made(accounts: Accounts) -> None:
    """Each has a scope, a name and a user, who has a limited number of them."""
    ada = accounts.add("ada", PASSWORD)
    assert "scope is not one of read, write, operator" in problem(accounts.add_token, ada.id, "ci", "admin")
    assert "nothing that can be seen" in problem(accounts.add_token, ada.id, "", "read")
    assert "its user is neither operator nor admin" in problem(accounts.add_token, ada.id, "ci", "operator")
    accounts.add_token(accounts.set_roles(ada.id, ["operator"]).id, "desk", "operator")
    assert problem(accounts.add_token, "u-unknown", "ci", "read") == "There is no user 'u-unknown'."
    for _ in range(TOKENS_PER_USER - 1):
        accounts.add_token(ada.id, "ci", "read")
    assert "there are 100 already. Revoke some first" in problem(accounts.add_token, ada.id, "ci", "read")


def test_all_of_a_removed_user_is_gone(accounts: Accounts, tmp_path: Path) -> None:
    """Logins and tokens end, the provider's mark is gone, and others notice nothing."""
    ada, bob = accounts.external("header", "1", "ada", "Remarkable Name"), accounts.add("bob", PASSWORD)
    login, _ = accounts.begin_login(ada.id, "", "")
    token, _ = accounts.add_token(ada.id, "ci", "read")
    bobs, _ = accounts.begin_login(bob.id, "", "")

    assert accounts.remove(ada.id)
    assert not accounts.remove(ada.id)
    assert (accounts.login(login), accounts.token(token), accounts.users()) == (None, None, [bob])
    assert accounts.login(bobs)
    assert accounts.external("header", "1", "ada").id != ada.id
    assert b"Remarkable" not in on_disk(tmp_path)


# The file


def test_only_its_owner_reads_the_file(open_accounts: Open, tmp_path: Path) -> None:
    """All of SQLite's files are private, and so is a file that was copied here with other rights."""
    open_accounts().add("ada", PASSWORD)
    files = list(tmp_path.glob(f"{DATABASE}*"))
    assert len(files) == 3
    assert {path.stat().st_mode & 0o777 for path in files} == {0o600}
    (tmp_path / DATABASE).chmod(0o644)
    open_accounts()
    assert (tmp_path / DATABASE).stat().st_mode & 0o777 == 0o600


def test_accounts_outlive_the_process(open_accounts: Open) -> None:
    """Accounts, logins and tokens are there when the file is opened again."""
    first = open_accounts()
    ada = first.add("ada", PASSWORD, roles=["admin"])
    secret, _ = first.begin_login(ada.id, "", "")
    first.close()
    found = open_accounts().login(secret)
    assert found
    assert found[0] == ada


def test_a_file_that_cannot_be_used(open_accounts: Open, tmp_path: Path) -> None:
    """One that is newer, or no database, is refused in words that name it."""
    open_accounts().close()
    with sqlite3.connect(tmp_path / DATABASE) as db:
        db.execute("PRAGMA user_version = 99")
    with pytest.raises(SettingsError, match="were written by a newer version"):
        open_accounts()
    for path in tmp_path.glob(f"{DATABASE}*"):
        path.unlink()
    (tmp_path / DATABASE).write_text("not a database at all " * 100)
    with pytest.raises(SettingsError, match=r"accounts\.db is damaged, or something else"):
        open_accounts()


def test_a_locked_file_keeps_nobody_out(
    open_accounts: Open, tmp_path: Path, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    """While another process writes, people are known at once, though it is not noted; changes are refused in words."""
    monkeypatch.setattr(module, "BUSY_TIMEOUT", 50)
    impatient = open_accounts()
    monkeypatch.setattr(module, "BUSY_TIMEOUT", 300_000)
    accounts = open_accounts()
    ada = accounts.add("ada", PASSWORD)
    secret, login = accounts.begin_login(ada.id, "", "")
    clock.move(minutes=5)
    found: list[object] = []
    thread = threading.Thread(target=lambda: found.append(accounts.login(secret)))
    with contextlib.closing(sqlite3.connect(tmp_path / DATABASE, isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        thread.start()
        thread.join(30)
        assert found
        assert found[0]
        assert accounts.check_password("ada", PASSWORD) == ada
        with pytest.raises(StoreError, match="keeps the database locked"):
            impatient.end_login(login.id)
    assert accounts.logins(ada.id) == [login]
    assert accounts.end_login(login.id)


OTHER_PROCESS = """
import sys
from pathlib import Path
from agentchat.auth.accounts import Accounts
from tests.accounts import cheap
accounts = Accounts(Path(sys.argv[1]), passwords=cheap())
print("ready", flush=True)
for line in sys.stdin:
    print(eval(line), flush=True)
"""


class OtherProcess:
    """A process that has the same accounts open, and does what it is told."""

    def __init__(self, folder: Path) -> None:
        command = [sys.executable, "-c", OTHER_PROCESS, str(folder)]
        self.process = subprocess.Popen(
            command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, bufsize=1
        )

    def begin(self, expression: str) -> None:
        assert self.process.stdin
        self.process.stdin.write(f"{expression}\n")

    def result(self) -> str:
        assert self.process.stdout
        return self.process.stdout.readline().strip()

    def does(self, expression: str) -> str:
        self.begin(expression)
        return self.result()

    def end(self) -> None:
        self.process.communicate(timeout=60)
        assert self.process.returncode == 0


def test_two_processes_change_the_same_accounts(accounts: Accounts, tmp_path: Path) -> None:
    """Each sees at once what the other has changed, and `version` says that something was."""
    ada = accounts.add("ada", PASSWORD)
    secret, _ = accounts.begin_login(ada.id, "", "")
    token, row = accounts.add_token(ada.id, "ci", "read")
    other = OtherProcess(tmp_path)
    assert other.result() == "ready"

    versions = [accounts.version]
    for expression in (f"accounts.revoke({row.id!r})", f"accounts.set_roles({ada.id!r}, ['admin']).login"):
        assert accounts.token(token) or len(versions) > 1
        assert other.does(expression) in {"True", "ada"}
        versions.append(accounts.version)
    assert accounts.token(token) is None
    found = accounts.login(secret)
    assert found
    assert found[0].roles == {"admin"}
    assert other.does(f"accounts.remove({ada.id!r})") == "True"
    versions.append(accounts.version)
    assert accounts.login(secret) is None
    assert versions == sorted(set(versions))
    assert other.does(f"accounts.version - {versions[-1]}") == "0"
    other.end()


def test_processes_that_begin_and_write_at_once(tmp_path: Path) -> None:
    """They make one database, of one name only one of them gets, and nothing that they write is lost."""
    others = [OtherProcess(tmp_path) for _ in range(3)]
    assert [other.result() for other in others] == ["ready"] * 3
    expression = "[accounts.external('header', str(n), 'ada').id for n in range(20)]"
    for other in others:
        other.begin(expression)
    assert len({other.result() for other in others}) == 1
    for number, other in enumerate(others):
        other.begin(f"len([accounts.add(f'user{number}-{{n}}', None) for n in range(20)])")
    assert [other.result() for other in others] == ["20"] * 3
    assert others[0].does("len(accounts.users())") == "80"
    for other in others:
        other.end()


def test_threads_that_write_at_once(accounts: Accounts) -> None:
    """Every thread's logins are there afterwards, and each is its own."""
    ada = accounts.add("ada", PASSWORD)
    secrets: list[str] = []

    def begin() -> None:
        for _ in range(5):
            secret, login = accounts.begin_login(ada.id, "", "")
            assert accounts.login(secret) == (ada, login)
            secrets.append(secret)

    threads = [threading.Thread(target=begin) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert len({login.id for login in accounts.logins(ada.id)}) == len(set(secrets)) == 40
