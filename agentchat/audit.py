"""The audit log: what was done by whom, one JSON object a line; never words of conversations, never secrets.

The server and the command line write it at once, each line in one piece, while they hold the lock of the file.
"""

from __future__ import annotations

import fcntl
import json
import logging
import os
import re
import threading
import time
from collections import deque
from collections.abc import Collection, Iterator, Mapping
from pathlib import Path
from typing import Any, BinaryIO

from agentchat.protocol.events import clean, now

FILE = "audit.jsonl"
SIZE = 10 * 2**20  # bytes after which a new file is begun
KEPT = 5  # files, of which one is being written
FIELD_CHARS = 300  # of a text, after which it is cut off
LIST_LENGTH = 50
LOCK_WAIT = 1.0  # seconds that a line waits for another process that hangs, or holds the file for another reason
LOCK_RETRY = 0.01  # seconds
SEARCHED = 10_000  # newest entries, for those of a person or an event

# Tokens, and whatever else is as long and as random as a secret of ours: nobody should put one here, but addresses and
# names come from outside.
_SECRET = re.compile(r"act_[\w-]+|(?<![\w-])[\w-]{43}(?![\w-])")

log = logging.getLogger(__name__)

Field = str | int | float | bool | None | Collection[str]


class Audit:
    """The audit log in a folder. It can be used from any thread."""

    def __init__(self, path: Path, size: int = SIZE) -> None:
        """`path` is the file that is written; older ones stand beside it with a number, the newest as `.1`."""
        self._path = path
        self._size = size
        self._lock = threading.Lock()  # guards the file against other threads, as its own lock does against processes

    def write(self, event: str, who: tuple[str, str] | None = None, address: str = "", **fields: Field) -> None:
        """Write that something happened: who did it, as (user id, login name), from where, and what else belongs to it.

        `who` is None for somebody who is not known. A failure is logged, and stops nothing.
        """
        person = None if who is None else {"id": who[0], "login": who[1]}
        entry = {"ts": now(), "event": event, "who": person, "address": address, **fields}
        line = json.dumps(_bounded(entry), ensure_ascii=False, separators=(",", ":")) + "\n"
        try:
            with self._lock:
                self._append(line.encode())
        except OSError as error:
            log.warning("The audit log %s cannot be written: %s", self._path, error)

    def last(self, count: int, event: str = "", person: str = "") -> list[dict[str, Any]]:
        """Return as many entries, or all if there are fewer, the newest first. Lines that are damaged are left out.

        With an `event` or a `person`, the id or login name of whoever did it or to whom it was done, only these, out of
        the newest SEARCHED entries.
        """
        found: list[dict[str, Any]] = []
        for line in self._newest(max(count, SEARCHED)):
            if len(found) >= count:
                break
            entry = _entry(line)
            if entry is not None and event in {"", entry.get("event")} and (not person or _is_about(entry, person)):
                found.append(entry)
        return found

    def _newest(self, count: int) -> Iterator[bytes]:
        """Yield the last lines, the newest first."""
        for path in self._files():
            try:
                with path.open("rb") as file:
                    lines = deque(file, maxlen=count)
            except FileNotFoundError:
                continue
            except OSError as error:
                log.warning("The audit log %s cannot be read: %s", path, error)
                return
            yield from reversed(lines)
            count -= len(lines)
            if not count:
                return

    def _append(self, line: bytes) -> None:
        """Write a line, into a new file if this one is full. The lock must be held."""
        assert self._lock.locked()
        self._path.parent.mkdir(parents=True, exist_ok=True)
        while True:
            with open(self._path, "ab+", buffering=0, opener=_for_owner) as file:
                _lock(file)
                if not _is_at(file, self._path):
                    continue  # another process has just begun a new one
                os.fchmod(file.fileno(), 0o600)  # also if it was copied here with other rights
                length = file.seek(0, os.SEEK_END)
                if length and length + len(line) > self._size:
                    self._rotate()
                    continue
                file.write(_ending(file, length) + line)
                return

    def _rotate(self) -> None:
        """Give each file the next number; the last one goes. The lock of the file that is written must be held."""
        assert self._lock.locked()
        files = self._files()
        for older, newer in zip(reversed(files), reversed(files[:-1]), strict=False):
            if newer.exists():
                newer.replace(older)

    def _files(self) -> list[Path]:
        """Return the paths of all files, the newest first."""
        return [self._path, *(self._path.with_name(f"{self._path.name}.{number}") for number in range(1, KEPT))]


def _for_owner(path: str, flags: int) -> int:
    return os.open(path, flags, 0o600)


def _lock(file: BinaryIO) -> None:
    """Keep other processes out until the file is closed. Raises OSError if one keeps us out for too long."""
    deadline = time.monotonic() + LOCK_WAIT
    while True:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            return
        except BlockingIOError:
            if time.monotonic() >= deadline:
                raise
        time.sleep(LOCK_RETRY)


def _is_at(file: BinaryIO, path: Path) -> bool:
    try:
        return os.path.samestat(os.fstat(file.fileno()), path.stat())
    except FileNotFoundError:
        return False


def _ending(file: BinaryIO, length: int) -> bytes:
    """Return the end that the last line lacks, which was being written when the machine went down."""
    if not length:
        return b""
    file.seek(length - 1)
    return b"" if file.read(1) == b"\n" else b"\n"


def _bounded(value: Any) -> Any:
    """Return a value as it may be written: texts and lists not too long, and without what looks like a secret."""
    if isinstance(value, str):
        return _SECRET.sub("…", clean(value))[:FIELD_CHARS]
    if isinstance(value, Mapping):
        return {key: _bounded(each) for key, each in value.items()}
    if isinstance(value, Collection):
        return [_bounded(each) for each in sorted(value)[:LIST_LENGTH]]
    return value


def _is_about(entry: Mapping[str, Any], person: str) -> bool:
    who = entry.get("who") or {}
    names = (who.get("id"), who.get("login"), entry.get("user"), entry.get("login"))
    return person.casefold() in {str(name).casefold() for name in names if name}


def _entry(line: bytes) -> dict[str, Any] | None:
    try:
        entry = json.loads(line)
    except ValueError:
        return None
    return entry if isinstance(entry, dict) else None
