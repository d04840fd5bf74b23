"""The audit log, in real files that threads and processes write at once."""

from __future__ import annotations

import contextlib
import fcntl
import json
import logging
import os
import secrets
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from agentchat.audit import FIELD_CHARS, KEPT, Audit
from agentchat.protocol.events import moment
from tests.clients import wait_until
from tests.processes import ROOT


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "data" / "audit.jsonl"


def test_an_entry_is_one_line(path: Path) -> None:
    """It says when, what, who, from where, and what else belongs to it."""
    audit = Audit(path)
    audit.write("login", ("u-1", "ada"), "192.0.2.1", way="password", roles=frozenset({"operator", "admin"}), count=2)
    audit.write("login_failed", address="192.0.2.2")

    first, second = map(json.loads, path.read_text().splitlines())
    assert moment(first.pop("ts"))
    assert first == {
        "event": "login",
        "who": {"id": "u-1", "login": "ada"},
        "address": "192.0.2.1",
        "way": "password",
        "roles": ["admin", "operator"],
        "count": 2,
    }
    assert (second["event"], second["who"]) == ("login_failed", None)
    assert path.stat().st_mode & 0o777 == 0o600


def test_what_comes_from_outside_is_bounded(path: Path) -> None:
    """Line breaks, broken text and long texts make no other lines and no long ones."""
    audit = Audit(path)
    audit.write("x", ("u-1", 'a"\n{"event":"forged"}'), "\u2028\x1b[31m\ud800", text="long " * 1000, many=["y"] * 1000)

    assert len(path.read_bytes().splitlines()) == 1
    [entry] = audit.last(10)
    assert entry["event"] == "x"
    assert len(entry["text"]) == FIELD_CHARS
    assert len(entry["many"]) == 50


def test_another_process_that_keeps_the_file(path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """A line waits for another process for a moment only; the next one is written when that has let go."""
    audit = Audit(path)
    audit.write("first")
    with path.open("rb") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        with caplog.at_level(logging.WARNING):
            audit.write("lost")
    assert "cannot be written" in caplog.text
    audit.write("second")
    assert [entry["event"] for entry in audit.last(10)] == ["second", "first"]


def test_no_secret_is_written(path: Path) -> None:
    """Secrets that look like ours are left out, wherever they stand."""
    audit = Audit(path)
    token, cookie = f"act_{secrets.token_urlsafe(32)}", secrets.token_urlsafe(32)
    audit.write("x", ("u-1", token), f"?ticket={cookie}", text=f"Bearer {token}", many=[cookie], half=token[:30])

    written = path.read_text()
    for secret in (token, token[4:], cookie, token[:30]):
        assert secret not in written
    assert '"address":"?ticket=…"' in written
    assert '"text":"Bearer …"' in written


def test_a_full_file_makes_room(path: Path) -> None:
    """Only the newest few files are kept, none is larger than it may be, and all of them can be read by their owner."""
    audit = Audit(path, size=1000)
    for number in range(200):
        audit.write("x", number=number)

    files = sorted(path.parent.iterdir())
    assert [file.name for file in files] == ["audit.jsonl", *(f"audit.jsonl.{n}" for n in range(1, KEPT))]
    assert all(0 < file.stat().st_size <= 1000 for file in files)
    assert {file.stat().st_mode & 0o777 for file in files} == {0o600}
    found = [entry["number"] for entry in audit.last(1000)]
    assert found == list(range(199, 199 - len(found), -1))
    assert len(found) > 2 * len(path.read_text().splitlines())


def test_the_newest_come_first(path: Path) -> None:
    """As many as are asked for, or fewer if there are no more."""
    audit = Audit(path)
    assert audit.last(5) == []
    for number in range(3):
        audit.write("x", number=number)
    assert [entry["number"] for entry in audit.last(2)] == [2, 1]
    assert [entry["number"] for entry in audit.last(9)] == [2, 1, 0]
    assert audit.last(0) == []


def test_a_damaged_line_damages_no_other(path: Path) -> None:
    """An entry that was being written when the machine went down is left out; the next one has its own line."""
    audit = Audit(path)
    audit.write("before")
    with path.open("ab") as file:
        file.write(b'[]\n\xff\xfe\n{"event":"cut o')
    audit.write("after")
    assert [entry["event"] for entry in audit.last(10)] == ["after", "before"]


def test_a_log_that_cannot_be_written_stops_nothing(path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """The server's log says so."""
    path.mkdir(parents=True)
    with caplog.at_level(logging.WARNING):
        Audit(path).write("x")
    assert f"The audit log {path} cannot be written" in caplog.text


def test_an_entry_is_in_the_file_of_now(path: Path) -> None:
    """A writer who waited while another process began a new file writes into that one."""
    audit = Audit(path)
    audit.write("before")
    thread = threading.Thread(target=audit.write, args=("after",))
    with path.open("rb") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        thread.start()
        wait_until(lambda: open_files().count(path) == 2)
        path.rename(path.with_name("audit.jsonl.1"))
    thread.join(60)
    assert [entry["event"] for entry in audit.last(1)] == ["after"]
    assert len(path.read_text().splitlines()) == 1


def open_files() -> list[Path]:
    """Return the files that this process has open."""
    found = []
    for name in os.listdir("/proc/self/fd"):
        with contextlib.suppress(FileNotFoundError):
            found.append(Path(os.readlink(f"/proc/self/fd/{name}")))
    return found


WRITER = """
import sys
from pathlib import Path
from agentchat.audit import Audit
audit = Audit(Path(sys.argv[1]), int(sys.argv[2]))
for number in range(300):
    audit.write("x", writer=sys.argv[3], number=number)
"""


@pytest.mark.parametrize("size", [10**6, 20_000])
def test_processes_and_threads_write_at_once(path: Path, size: int) -> None:
    """No entry is lost or torn, also while files are replaced."""
    command = [sys.executable, "-c", WRITER, str(path), str(size)]
    others = [subprocess.Popen([*command, name], cwd=ROOT) for name in ("a", "b")]
    audit = Audit(path, size)

    def write(name: str) -> None:
        for number in range(100):
            audit.write("x", writer=name, number=number)

    threads = [threading.Thread(target=write, args=(name,)) for name in ("c", "d")]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert [other.wait(60) for other in others] == [0, 0]
    entries = audit.last(10_000)
    assert len(entries) == sum(len(file.read_bytes().splitlines()) for file in path.parent.iterdir())
    if size == 10**6:
        assert len({(entry["writer"], entry["number"]) for entry in entries}) == len(entries) == 800
    for name in "abcd":
        numbers = [entry["number"] for entry in entries if entry["writer"] == name]
        last = 299 if name in "ab" else 99
        assert numbers == list(range(last, last - len(numbers), -1))
