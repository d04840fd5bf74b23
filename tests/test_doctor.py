"""`agentchat doctor` says how a server is, what is wrong, and how to mend it; the start of a server says the same."""

from __future__ import annotations

import contextlib
import json
import logging
import os
import re
import resource
import sqlite3
import ssl
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta, timezone
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import trustme

from agentchat import settings
from agentchat.cli import main
from agentchat.doctor import addresses, clock, data_folder, finding, packages, proxies, tls
from agentchat.doctor.finding import Finding, Setup
from agentchat.protocol import events
from tests.clients import ChatClient
from tests.conftest import KEY, Serve, config_list
from tests.model_server import ModelServer, Reply
from tests.processes import ENDS_WITHIN, ROOT

PORTS = ("--port", "0", "--ws-port", "0")


@dataclass(frozen=True)
class Told:
    """The output of the command, and its exit status."""

    status: int
    text: str

    @property
    def settings(self) -> dict[str, tuple[Any, str]]:
        """The value and the origin of each setting."""
        return {each["name"]: (each["value"], each["origin"]) for each in json.loads(self.text)["settings"]}

    def of(self, *names: str) -> list[tuple[str, str]]:
        """Return the names and statuses of the findings with these names."""
        return [(each["name"], each["status"]) for each in self.findings if each["name"] in names]

    @property
    def findings(self) -> list[dict[str, str]]:
        return list(json.loads(self.text)["findings"])

    def one(self, name: str, status: str) -> dict[str, str]:
        """Return the one finding with that name and status."""
        [found] = [each for each in self.findings if (each["name"], each["status"]) == (name, status)]
        return found

    @property
    def bad(self) -> list[str]:
        return [each["name"] for each in self.findings if each["status"] in {"problem", "warning"}]


Doctor = Callable[..., Told]


@pytest.fixture
def doctor(tmp_path: Path, two_agents: Path, capsys: pytest.CaptureFixture[str]) -> Doctor:
    """Run the command in this process."""

    def doctor(*arguments: str) -> Told:
        given = [*PORTS, *arguments]
        given += [] if "--data-dir" in arguments else ["--data-dir", str(tmp_path / "data")]
        given += [] if "--agents" in arguments else ["--agents", str(two_agents)]
        status = main(["doctor", "--json", *given])
        told = Told(status, capsys.readouterr().out)
        for each in told.findings:
            assert each.keys() == {"name", "status", "message", "mend"}
            assert each["message"].endswith(".")
            if each["status"] in {"problem", "warning"}:
                assert each["mend"]
        return told

    return doctor


@pytest.fixture
def configured(model: ModelServer, monkeypatch: pytest.MonkeyPatch) -> ModelServer:
    """Return a model server that is configured, and asked once when it fails."""
    set_model(monkeypatch, model)
    return model


def set_model(monkeypatch: pytest.MonkeyPatch, model: ModelServer, **entry: object) -> None:
    for name, value in config_list(model, max_retries=0, **entry).items():
        monkeypatch.setenv(name, value)


# The model


MODEL = ("model", "model-key", "model-streams", "model-tools")


def statuses(told: Told) -> list[str]:
    return [status for _, status in told.of(*MODEL)]


def test_a_model_that_is_well(configured: ModelServer, doctor: Doctor) -> None:
    """Two calls show all of it, and nothing is wrong."""
    told = doctor()
    assert told.of(*MODEL) == [(name, "ok") for name in MODEL]
    assert (told.status, told.bad) == (0, [])
    assert configured.counts.requests == 2
    assert KEY not in told.text


@pytest.mark.parametrize(
    ("replies", "expected", "name", "said"),
    [
        ([Reply(status=401, error={"error": {"message": f"Incorrect API key provided: {KEY}"}})],
         ["ok", "problem", "skipped", "skipped"], "model-key", "refused the API key"),
        ([Reply(status=429, error={"error": {"message": "Too much", "code": "insufficient_quota"}})],
         ["ok", "problem", "skipped", "skipped"], "model-key", "has nothing left"),
        ([Reply(status=404, error={"error": {"message": "The model does not exist"}})] * 2,
         ["problem", "skipped", "skipped", "skipped"], "model", "The model does not exist"),
        ([Reply(status=500)] * 2, ["problem", "skipped", "skipped", "skipped"], "model", "failed"),
        ([Reply(html=True)] * 2, ["problem", "skipped", "skipped", "skipped"], "model", "makes no sense"),
        ([Reply(raw=b'{"choices": [{"message": {"role": "assistant", "content": "Hello"}, "finish_reason": "stop"}]}')],
         ["ok", "ok", "problem", "ok"], "model-streams", "in one piece"),
        ([Reply(status=400, error={"error": {"message": "stream is not supported"}})],
         ["ok", "ok", "problem", "ok"], "model-streams", "stream is not supported"),
        ([Reply("Hello"), Reply("I would rather not")],
         ["ok", "ok", "ok", "problem"], "model-tools", "in words"),
        ([Reply("Hello"), Reply(status=400, error={"error": {"message": "scripted does not support tools"}})],
         ["ok", "ok", "ok", "problem"], "model-tools", "does not support tools"),
    ],
    ids=["key", "quota", "name", "broken", "page", "whole", "refuses-stream", "words", "refuses-tools"],
)  # fmt: skip
def test_a_model_with_a_fault(
    configured: ModelServer, doctor: Doctor, replies: list[Reply], expected: list[str], name: str, said: str
) -> None:
    """Each fault is a problem of its own, with what the server says about it, and without the key."""
    configured.script(*replies)
    told = doctor()
    assert statuses(told) == expected
    assert told.status == 1
    found = told.one(name, "problem")
    assert said in found["message"]
    assert "scripted" in found["message"] or name == "model-key"
    assert KEY not in told.text


def test_a_model_that_is_down(doctor: Doctor, monkeypatch: pytest.MonkeyPatch) -> None:
    """A server that is not there is named."""
    with ModelServer() as gone:
        set_model(monkeypatch, gone)
    told = doctor()
    assert statuses(told) == ["problem", "skipped", "skipped", "skipped"]
    assert gone.base_url.split("/")[2] in told.one("model", "problem")["message"]


def test_why_a_model_cannot_be_reached(authority: trustme.CA, doctor: Doctor, monkeypatch: pytest.MonkeyPatch) -> None:
    """A name that nobody knows and a certificate that nobody trusts are told, each with its own mend."""
    told = doctor("--base-url", "https://no.such.host.invalid/v1", "--model", "m")
    assert "its name is not known here" in told.one("model", "problem")["message"]
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("127.0.0.1").configure_cert(context)
    with ModelServer(tls=context) as stranger:
        set_model(monkeypatch, stranger)
        found = doctor().one("model", "problem")
    assert "its certificate is not accepted" in found["message"]
    assert "SSL_CERT_FILE" in found["mend"]


def test_a_model_that_is_slow(configured: ModelServer, doctor: Doctor) -> None:
    """No call takes longer than its deadline, even if something comes again and again."""
    configured.script(Reply(n=1000, delay=0.05))
    told = doctor("--model-timeout", "0.3")
    assert statuses(told) == ["problem", "skipped", "skipped", "skipped"]
    assert "within 0.3 seconds" in told.one("model", "problem")["message"]


def test_a_model_that_is_not_to_stream(model: ModelServer, doctor: Doctor, monkeypatch: pytest.MonkeyPatch) -> None:
    """One that is configured not to stream has no problem with that."""
    set_model(monkeypatch, model, stream=False)
    told = doctor()
    assert statuses(told) == ["ok", "ok", "skipped", "ok"]
    assert not any(request["body"].get("stream") for request in model.requests)


def test_a_model_in_reserve(model: ModelServer, doctor: Doctor, monkeypatch: pytest.MonkeyPatch) -> None:
    """A model that only steps in when others fail is tried as well; that it is down is a warning."""
    entries = json.loads(config_list(model)["OAI_CONFIG_LIST"])
    with ModelServer() as gone:
        entries.append({**entries[0], "base_url": gone.base_url, "model": "spare", "max_retries": 0})
    monkeypatch.setenv("OAI_CONFIG_LIST", json.dumps(entries))
    told = doctor()
    assert [each["status"] for each in told.findings if each["name"] == "model"] == ["ok", "warning"]
    assert "spare" in told.one("model", "warning")["message"]
    assert told.status == 0


def test_no_model_is_asked(configured: ModelServer, doctor: Doctor) -> None:
    """With `--offline` and with `demo` nothing is sent, and this is said."""
    told = doctor("--offline")
    assert statuses(told) == ["skipped"] * 4
    assert "--offline" in told.one("model", "skipped")["message"]
    told = doctor("demo")
    assert statuses(told) == ["ok", "skipped", "skipped", "skipped"]
    assert "demo model" in told.one("model", "ok")["message"]
    assert told.status == 0
    assert configured.counts.requests == 0


def test_the_clock_of_the_model_server(configured: ModelServer, doctor: Doctor) -> None:
    """The `Date` of its answers shows a clock that is wrong."""
    there = datetime.now(timezone.utc) + timedelta(hours=2)
    date = there.strftime("%a, %d %b %Y %H:%M:%S GMT")
    configured.script(Reply(status=401, headers={"date": date}))
    told = doctor()
    found = told.one("clock", "problem")
    assert re.search(r"is 7,[12]\d\d seconds behind that of 127\.0\.0\.1", found["message"])


@pytest.mark.parametrize("date", ["", "yesterday", "Fri, 99 Foo 2026 99:99:99 GMT"])
def test_dates_that_are_none(date: str) -> None:
    """A date that makes no sense says nothing."""
    assert clock.beside(date, 0.0, "x") is None


# The settings


def test_where_settings_come_from(tmp_path: Path, doctor: Doctor, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each setting has its value and its origin; secrets are only set or not set."""
    (tmp_path / ".env").write_text("AGENTCHAT_TURNS=7\nAGENTCHAT_BUSY=reject\nAGENTCHAT_OIDC_CLIENT_SECRET=hush-hush\n")
    for name in ("AGENTCHAT_TURNS", "AGENTCHAT_OIDC_CLIENT_SECRET"):
        monkeypatch.setenv(name, "x")  # so that it is removed afterwards
        monkeypatch.delenv(name)
    monkeypatch.setenv("AGENTCHAT_BUSY", "interrupt")
    monkeypatch.setenv("AGENTCHAT_INPUT_TIMEOUT", "5")
    monkeypatch.setenv("AGENTCHAT_TURN_TIMEOUT", "overruled")
    monkeypatch.setenv("OPENAI_API_KEY", KEY)
    monkeypatch.setenv("HTTPS_PROXY", "http://ada:t0psecret@proxy.example:3128")
    told = doctor("--offline", "--input-timeout", "6", "--turn-timeout", "9", "--base-url", "http://ada:t0psecret@models.example/v1",
                  "--model", "m", "--oidc-issuer", "https://login.example")  # fmt: skip
    shown = told.settings
    assert shown["--turns"] == (7, ".env")
    assert shown["--busy"] == ("interrupt", "environment")
    assert shown["--input-timeout"] == (6.0, "command line")
    assert shown["--live-questions"] == (4, "default")
    assert shown["--open"] == (False, "default")
    assert shown["--turn-timeout"] == (9.0, "command line")
    assert shown["--oidc-client-secret"] == ("set", ".env")
    assert shown["OPENAI_API_KEY"] == ("set", "environment")
    assert shown["--base-url"] == ("http://…@models.example/v1", "command line")
    assert shown["HTTPS_PROXY"] == ("http://…@proxy.example:3128", "environment")
    assert {settings.option(name) for name in settings.names()} < shown.keys()
    for secret in (KEY, "hush-hush", "t0psecret"):
        assert secret not in told.text


def test_a_key_in_the_place_of_its_name(doctor: Doctor) -> None:
    """A key that somebody gave instead of the name of its variable is not shown."""
    told = doctor("--api-key-env", "sk-0123456789abcdef")
    assert told.settings["--api-key-env"] == ("set", "command line")
    assert "sk-0123456789abcdef" not in told.text
    assert told.status == 2


def test_secrets_among_the_settings() -> None:
    """Settings that hold secrets are marked; names of files and variables, and numbers, are none."""
    named = [name for name in settings.names() if re.search(r"secret|password|_token$", name)]
    assert [name for name in named if not settings.is_secret(name)] == []


@pytest.mark.parametrize(
    ("arguments", "name", "said"),
    [
        (("--log-level", "LOUD"), "settings", "must be one of DEBUG"),
        (("--host", "0.0.0.0"), "login", "nobody has to log in"),
        (("--oidc-client-id", "x"), "oidc", "needs --oidc-issuer"),
        (("--agents", "nowhere"), "agents-folder", "does not exist"),
        (("--knowledge", "nowhere"), "knowledge", "There are no documents at nowhere"),
        (("--model", "unknown"), "model-configuration", "No server is known"),
        (("--api-key-env", "NOT_SET"), "model-configuration", "NOT_SET, which is not set"),
        (("--local-servers", "x"), "model-configuration", "--local-servers takes"),
        (("--trusted-proxies", "10.0.0.0/33"), "trusted-proxies", "must be addresses and networks"),
        (("--auth-header", "X-User"), "trusted-proxies", "must not be believed from everybody"),
        (("--public-url", "chat.example.com"), "public-url", "must be the address of the page"),
        (("--public-url", "https://ada:t0p@chat.example.com"), "public-url", "not 'https://…@chat.example.com'"),
        (("--port", "9", "--ws-port", "9"), "ws-port", "cannot both have the port 9"),
        (("--port", "70000"), "port", "is not a port"),
    ],
)  # fmt: skip
def test_settings_that_cannot_be_used(doctor: Doctor, arguments: tuple[str, ...], name: str, said: str) -> None:
    """Settings with which the server would not start end the command with status 2, and are findings in JSON, too."""
    told = doctor(*arguments)
    assert told.status == 2
    assert said in told.one(name, "problem")["message"]


def test_a_broken_list_of_mcp_servers(tmp_path: Path, doctor: Doctor) -> None:
    """A file that a setting names is read."""
    (tmp_path / "mcp.json").write_text("{")
    told = doctor()
    assert "not valid JSON" in told.one("mcp", "problem")["message"]
    assert told.status == 2


# The data folder


def test_a_folder_that_is_a_file(tmp_path: Path, doctor: Doctor) -> None:
    """A file in the folder's place, or in that of one above it, is named."""
    (tmp_path / "file").write_text("")
    for place in ("file", "file/below"):
        told = doctor("--data-dir", str(tmp_path / place))
        assert f"{tmp_path / 'file'} is not a folder" in told.one("data-folder", "problem")["message"]
        assert told.status == 1


def test_a_folder_that_does_not_exist(tmp_path: Path, doctor: Doctor) -> None:
    """It is said that it will be made; looking doesn't make it."""
    told = doctor("--data-dir", str(tmp_path / "far" / "below"))
    assert "will be made" in told.one("data-folder", "ok")["message"]
    assert not (tmp_path / "far").exists()


@pytest.fixture
def mounted(tmp_path: Path) -> Iterator[Callable[[str], Path]]:
    """Mount file systems in memory with these options."""
    with contextlib.ExitStack() as stack:

        def mount(options: str) -> Path:
            folder = tmp_path / "disk"
            folder.mkdir()
            command = ["mount", "-t", "tmpfs", "-o", options, "tmpfs", str(folder)]
            if subprocess.run(command, capture_output=True).returncode != 0:
                pytest.skip("this user may not mount anything")
            stack.callback(subprocess.run, ["umount", str(folder)], check=True)
            return folder

        yield mount


@pytest.mark.parametrize(
    ("options", "name", "status", "said"),
    [
        ("ro,size=300m", "data-folder", "problem", "read-only"),
        ("size=4m", "disk-room", "problem", "4 MiB left, which is too little"),
        ("size=100m", "disk-room", "warning", "only 100 MiB left"),
        ("size=300m,nr_inodes=500", "disk-room", "warning", "more files only"),
        ("size=300m", "data-folder", "warning", "in memory (tmpfs)"),
    ],
)
def test_odd_disks(
    doctor: Doctor, mounted: Callable[[str], Path], options: str, name: str, status: str, said: str
) -> None:
    """A disk that is read-only, small, out of names, or no disk at all is noticed."""
    told = doctor("--data-dir", str(mounted(options)))
    assert said in told.one(name, status)["message"]
    assert told.status == (1 if status == "problem" else 0)


def test_the_kind_of_a_disk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The innermost mount counts, whatever is in its name."""
    mounts = tmp_path / "mounts"
    mounts.write_text(f"/dev/a / ext4 rw 0 0\nserver:/x {tmp_path}/with\\040space nfs4 rw 0 0\nodd\n")
    monkeypatch.setattr(data_folder, "MOUNTS", mounts)
    folder = tmp_path / "with space" / "data"
    folder.mkdir(parents=True)
    chosen = replace(settings.load([], {}), data_dir=folder)
    found = [each for each in data_folder.look(Setup(chosen, {})) if each.status == "warning"]
    assert ["(nfs4)" in each.message for each in found] == [True]


@pytest.fixture
def written(tmp_path: Path, serve: Serve, model: ModelServer, doctor: Doctor) -> Path:
    """Return a data folder with a conversation, which no server uses."""
    served = serve("--data-dir", str(tmp_path / "kept"), model=model)
    with ChatClient(served.websocket) as client:
        client.ask("hello " * 2000)
    served.close()
    return tmp_path / "kept"


def test_databases_that_are_well(written: Path, doctor: Doctor) -> None:
    """They are looked at without a change to the folder."""
    before = {path.name: path.read_bytes() for path in written.iterdir() if path.is_file()}
    told = doctor("demo", "--data-dir", str(written))
    assert told.of("database", "accounts") == [("database", "ok"), ("accounts", "ok")]
    assert told.status == 0
    assert {path.name: path.read_bytes() for path in written.iterdir() if path.is_file()} == before


def test_a_damaged_database(written: Path, doctor: Doctor) -> None:
    """Damage in the middle, at the beginning, or in the index of the documents is found, each with its own mend."""
    file = written / "agentchat.db"
    whole = file.read_bytes()
    (written / "knowledge.db").write_bytes(b"no database " * 1000)
    file.write_bytes(whole[:8192] + os.urandom(16384) + whole[24576:])
    told = doctor("demo", "--data-dir", str(written))
    assert "damaged" in told.one("database", "problem")["message"]
    assert "made again" in told.one("knowledge-index", "problem")["mend"]
    assert told.status == 1
    file.write_bytes(b"nonsense" + whole[8:])
    assert "backup" in doctor("demo", "--data-dir", str(written)).one("database", "problem")["mend"]


def test_versions_of_the_database(written: Path, doctor: Doctor) -> None:
    """A database of an older version is brought up to date; one of a newer version cannot be used."""
    for version, status, said in ((1, "ok", "of version 1, which the next start brings up"), (999, "problem", "newer")):
        with contextlib.closing(sqlite3.connect(written / "agentchat.db")) as db:
            db.execute(f"PRAGMA user_version = {version}")
        assert said in doctor("demo", "--data-dir", str(written)).one("database", status)["message"]


def test_files_without_their_database(written: Path, doctor: Doctor) -> None:
    """A folder that lost its database is told from a new one."""
    (written / "workspaces" / "s").mkdir(parents=True, exist_ok=True)
    for file in written.glob("agentchat.db*"):
        file.unlink()
    told = doctor("demo", "--data-dir", str(written))
    assert "is missing" in told.one("database", "problem")["message"]


def test_a_clock_that_was_set_back(written: Path, doctor: Doctor, caplog: pytest.LogCaptureFixture) -> None:
    """Conversations from the future show it."""
    later = events.time(datetime.now(timezone.utc) + timedelta(days=3))
    with contextlib.closing(sqlite3.connect(written / "agentchat.db")) as db:
        db.execute("UPDATE sessions SET updated = ?", [later])
        db.commit()
    told = doctor("demo", "--data-dir", str(written))
    assert later in told.one("clock", "warning")["message"]


# Ports, and a server that runs


def test_a_server_that_runs(tmp_path: Path, two_agents: Path, serve: Serve, model: ModelServer, doctor: Doctor) -> None:
    """Beside a server that is well nothing is wrong: its ports and its folder are known to be its own."""
    served = serve("--data-dir", str(tmp_path / "own"), model=model)
    page, websocket = (address.rstrip("/").rpartition(":")[2] for address in (served.page, served.websocket))
    told = doctor("demo", "--port", page, "--ws-port", websocket, "--data-dir", str(tmp_path / "own"))
    assert "running, and well" in told.one("port", "ok")["message"]
    assert "the same server" in told.one("ws-port", "ok")["message"]
    assert any("running server uses" in each["message"] for each in told.findings)
    assert (told.status, told.bad) == (0, [])


def test_a_port_that_is_taken(doctor: Doctor, model: ModelServer) -> None:
    """A port that something else has is a problem, with the name of the program that has it."""
    port = model.base_url.split("/")[2].partition(":")[2]
    for option, name in (("--port", "port"), ("--ws-port", "ws-port")):
        told = doctor("demo", option, port)
        found = told.one(name, "problem")
        assert found["message"].startswith(f"Port {port} is taken by ")
        assert f"(process {os.getpid()})" in found["message"]
        assert option in found["mend"]
        assert told.status == 1


def test_an_address_of_another_machine(doctor: Doctor) -> None:
    """A port cannot be had at an address that this machine doesn't have."""
    told = doctor("demo", "--host", "192.0.2.1", "--no-auth", "--port", "8001")
    assert "Cannot listen on 192.0.2.1:8001" in told.one("port", "problem")["message"]


# Proxies and addresses


def looked(look: Callable[[Setup], Iterator[Finding]], *arguments: str, **others: object) -> list[tuple[str, str]]:
    """Return the status and the message of each finding that is not well."""
    setup = Setup(settings.load(arguments, {}), {}, **others)  # type: ignore[arg-type]
    return [(each.status, each.message) for each in look(setup) if each.status != "ok"]


@pytest.mark.parametrize(
    ("variables", "status", "said"),
    [
        ({"HTTP_PROXY": "http://a:t0psecret@proxy.example:3128"}, "warning", "10.1.2.3, which is near"),
        ({"HTTP_PROXY": "nonsense://a:t0psecret@x y"}, "problem", "HTTP_PROXY is not the address of a proxy"),
        ({"HTTP_PROXY": "http://proxy.example", "NO_PROXY": "10.0.0.0/8"}, "ok", "without a proxy"),
        ({}, "ok", "without a proxy"),
    ],
)
def test_proxies_on_the_way_to_the_model(
    doctor: Doctor, monkeypatch: pytest.MonkeyPatch, variables: Mapping[str, str], status: str, said: str
) -> None:
    """The proxy that the environment chooses for the model is named, and one that surprises."""
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    told = doctor("--offline", "--base-url", "http://10.1.2.3:8000/v1", "--model", "m")
    assert said in told.one("proxies", status)["message"]
    assert "t0psecret" not in told.text


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("--trusted-proxies", "10.0.0.5"), "No connection to 127.0.0.1 (--host) can come from 10.0.0.5"),
        (("--trusted-proxies", "::1"), "can come from ::1"),
        (("--trusted-proxies", "11.0.0.0/8,127.0.0.1"), "11.0.0.0/8 is 16,777,216 addresses"),
        (("--trusted-proxies", "127.0.0.1"), ""),
        (("--trusted-proxies", "10.0.0.0/8", "--host", "0.0.0.0"), ""),
        (("--trusted-proxies", "10.0.0.5,127.0.0.1", "--host", "localhost"), ""),
        (("--trusted-proxies", "fd00::/8", "--host", "::"), ""),
    ],
)  # fmt: skip
def test_odd_trusted_proxies(arguments: tuple[str, ...], said: str) -> None:
    """Proxies from which nobody can come, and those that are half the world, are odd."""
    found = looked(proxies.look, *arguments)
    assert [status for status, _ in found] == (["warning"] if said else [])
    assert said in "".join(message for _, message in found)


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("--public-url", "https://chat.example.com/?x=1"), "is not the address of a page"),
        (("--public-url", "http://chat.example.com"), "is not https"),
        (("--public-url", "https://chat.example.com"), "a proxy has to be in front"),
        (("--public-url", "https://chat.example.com/chat/", "--trusted-proxies", "127.0.0.1"), ""),
        (("--public-url", "http://localhost:8001"), ""),
        (("--origins", "*"), "no wildcards"),
        (("--origins", "https://a.example/app"), "no path"),
        (("--origins", "https://A.example"), "lower case"),
        (("--origins", "https://a.example:443"), "leave out the port 443"),
        (("--origins", "http://a.example,a.example"), "no http or https address"),
        (("--origins", "https://[::1"), "no http or https address"),
        (("--origins", "https://a.example, http://b.example:8080/"), ""),
        (("--host", "0.0.0.0", "--accounts"), "without TLS"),
        (("--host", "0.0.0.0", "--no-auth", "--trusted-proxies", "10.0.0.1"), "may do everything"),
        (("--host", "::1"), ""),
    ],
)  # fmt: skip
def test_addresses_that_do_not_fit(arguments: tuple[str, ...], said: str) -> None:
    """Addresses that nobody can use, or that let others listen in, are told."""
    found = looked(addresses.look, *arguments)
    assert len(found) == bool(said)
    assert said in "".join(message for _, message in found)
    assert "t0psecret" not in str(found)


@pytest.fixture(scope="module")
def authority() -> trustme.CA:
    return trustme.CA()


def files(authority: trustme.CA, folder: Path, days: float = 90.0, ago: float = 1.0, name: str = "pair") -> list[Path]:
    """Write a certificate that is valid for so many days from now on, and its key."""
    now = datetime.now(timezone.utc)
    pair = authority.issue_cert(
        "chat.example.com", not_before=now - timedelta(days=ago), not_after=now + timedelta(days=days)
    )
    paths = [folder / f"{name}.pem", folder / f"{name}.key"]
    for path, blobs in zip(paths, (pair.cert_chain_pems, [pair.private_key_pem]), strict=True):
        path.write_bytes(b"".join(blob.bytes() for blob in blobs))
        path.chmod(0o600)
    return paths


def told_of_tls(certificate: Path, key: Path, host: str = "") -> list[tuple[str, str]]:
    return [(each.status, each.message) for each in tls.of(certificate, key, host)]


def test_certificates(authority: trustme.CA, tmp_path: Path) -> None:
    """A certificate that does not exist, fit, or count any more is told apart from one that is well, or ends soon."""
    certificate, key = files(authority, tmp_path)
    _, other = files(authority, tmp_path, name="other")
    assert [status for status, _ in told_of_tls(certificate, key, "chat.example.com")] == ["ok"]
    [_, (status, said)] = told_of_tls(certificate, key, "elsewhere.example.com")
    assert (status, "is not for elsewhere.example.com" in said) == ("problem", True)
    cases = [
        ((tmp_path / "none.pem", key), "problem", "does not exist"),
        ((certificate, other), "problem", "is not the key of"),
        ((key, key), "problem", "are no certificate and key"),
        (files(authority, tmp_path, days=-1, ago=9, name="old"), "problem", "has expired"),
        (files(authority, tmp_path, ago=-1, name="new"), "problem", "is not valid yet"),
        (files(authority, tmp_path, days=3, name="soon"), "warning", "ends on"),
    ]
    for pair, status, said in cases:
        [found] = told_of_tls(pair[0], pair[1])
        assert (found[0], said in found[1]) == (status, True), found
    key.chmod(0o644)
    assert ("warning", f"Everybody on this machine can read {key} (--tls-key).") in told_of_tls(certificate, key)


def test_one_of_two_files() -> None:
    """A certificate without a key is of no use, and the other way round."""
    for name in ("tls_cert", "tls_key"):
        chosen: Any = SimpleNamespace(**{name: "x", "public_url": ""})
        [found] = tls.look(Setup(chosen, {}))
        assert (found.status, found.is_refusal) == ("problem", True)


def test_packages_that_are_missing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A package is missing only if something that is configured needs it."""
    (tmp_path / "mcp.json").write_text('{"mcpServers": {}}')
    (tmp_path / "a.pdf").write_bytes(b"")
    monkeypatch.setattr(packages, "_is_there", lambda module: False)
    assert looked(packages.look) == [("problem", "The package mcp is missing, which mcp.json (--mcp) needs.")]
    monkeypatch.setenv("ALL_PROXY", "socks5://proxy.example")
    found = looked(packages.look, "--oidc-issuer", "https://x.example", "--knowledge", ".")
    assert [said.split()[2] for _, said in found] == ["joserfc", "mcp", "socksio", "pypdf"]


# Agents


def test_agents_that_cannot_be_built(tmp_path: Path, doctor: Doctor) -> None:
    """Each is named with its error, as `check` names it; those that work are counted."""
    folder = tmp_path / "agents"
    folder.mkdir()
    (folder / "broken.py").write_text("def build(llm_config): return 1 / 0")
    (folder / "fine.py").write_text(
        "from autogen import ConversableAgent\n"
        "print('printed')\n"
        "def build(llm_config): return ConversableAgent('fine', llm_config=llm_config, human_input_mode='NEVER')\n"
    )
    told = doctor("demo", "--agents", str(folder))
    found = told.one("agents", "problem")
    assert found["message"].startswith("The agent broken cannot be used: ZeroDivisionError")
    assert told.one("agents", "ok")["message"] == "1 agent can be built."
    assert told.status == 1


def test_no_agents(tmp_path: Path, doctor: Doctor) -> None:
    """A folder without any is worth a warning."""
    (tmp_path / "empty").mkdir()
    assert (
        "There is no agent" in doctor("demo", "--agents", str(tmp_path / "empty")).one("agents", "warning")["message"]
    )


# The command, and the start of a server


def test_the_command(tmp_path: Path, two_agents: Path, model: ModelServer) -> None:
    """A person reads tables: the settings, then each finding with its mend, then how many are bad."""
    model.script(Reply(status=401, error={"error": {"message": "No\x1b[2J\nkey"}}))
    limits = (64, 64)
    ended = subprocess.run(
        [sys.executable, str(ROOT / "main.py"), "doctor", *PORTS, "--agents", str(two_agents)],
        cwd=tmp_path,
        env={**os.environ, **config_list(model)},
        capture_output=True,
        text=True,
        timeout=ENDS_WITHIN,
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_NOFILE, limits),
    )
    assert ended.returncode == 1, ended.stderr
    assert re.search(r"^  --port +command line +0$", ended.stdout, re.MULTILINE)
    assert re.search(r"^problem +model-key +.* refused the API key", ended.stdout, re.MULTILINE)
    assert re.search(r"^problem +limits +This process can only have \d+ file descriptors", ended.stdout, re.MULTILINE)
    assert "-> Raise the limits: ulimit -n" in ended.stdout
    assert ended.stdout.endswith("2 problems, 0 warnings\n")
    assert "\x1b" not in ended.stdout
    assert KEY not in ended.stdout + ended.stderr
    assert ended.stderr == ""


def test_what_the_start_says(
    doctor: Doctor, serve: Serve, configured: ModelServer, caplog: pytest.LogCaptureFixture
) -> None:
    """The log of a server that starts has all that is found without asking anybody, in the same words."""
    arguments = ("--trusted-proxies", "10.9.8.7", "--no-auth", "--origins", "*")
    told = doctor("--offline", *arguments)
    assert sorted(told.bad) == ["origins", "trusted-proxies"]
    serve(*arguments, model=configured)
    said = [record.getMessage() for record in caplog.records if record.name == "agentchat.doctor"]
    bad = [each for each in told.findings if each["status"] in {"warning", "problem"}]
    assert sorted(said) == sorted(f"{each['message']} {each['mend']}" for each in bad)


def test_a_start_with_nothing_to_say(serve: Serve, model: ModelServer, caplog: pytest.LogCaptureFixture) -> None:
    """A server with which nothing is wrong starts in silence."""
    with caplog.at_level(logging.WARNING):
        serve("--no-auth", model=model, max_retries=1)
    assert [record.message for record in caplog.records if record.name == "agentchat.doctor"] == []


def test_sentences() -> None:
    """A sentence ends where the next one begins, not at each point."""
    assert finding.sentences("See v1. or x. Then do it.\nNow!") == ["See v1. or x.", "Then do it.", "Now!"]
    assert finding.without_credentials("http://a:b@c/d,e@f g") == "http://…@c/d,e@f g"
    assert finding.without_credentials("a:b@proxy:3128") == "…@proxy:3128"
