"""The databases as they were at one moment, and the files as this log names them."""

from __future__ import annotations

import contextlib
import io
import json
import os
import sqlite3
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from agentchat.auth import accounts
from agentchat.backup.archive import DATABASES, BackupFailed, copied, measured
from agentchat.protocol.events import in_order
from agentchat.store.opening import DATABASE
from agentchat.store.schema import MIGRATIONS
from agentchat.store.sqlite import TURN_BOUND
from agentchat.workspace import retention, safe_fs
from agentchat.workspace.changes import original_of
from agentchat.workspace.folders import ORIGINALS, WORKSPACES
from agentchat.workspace.paths import DRAFT, MAX_DEPTH, is_usable, split
from agentchat.workspace.prepared import DELETED, digest_of

BUSY_TIMEOUT = 10.0  # seconds that a database may be locked
NEWEST = {DATABASE: len(MIGRATIONS), accounts.DATABASE: len(accounts.MIGRATIONS)}
"""The version of each database's schema that this version of the server writes."""

Told = Mapping[str, str | None]
"""The newest version of each file that a log names: its digest, None if it has none, or DELETED."""


def fixed(data: Path, folder: Path) -> dict[str, int]:
    """Copy the databases into the folder, as they are at one moment. Returns the version of each one's schema.

    From that moment on, servers keep what the log names (retention.py). Raises BackupFailed.
    """
    with contextlib.ExitStack() as stack:
        opened: dict[str, sqlite3.Connection] = {}
        for name in DATABASES:
            if (data / name).exists():
                opened[name] = stack.enter_context(contextlib.closing(connect(data / name)))
        for db in opened.values():
            db.execute("BEGIN")
            db.execute("SELECT count(*) FROM sqlite_master").fetchone()  # from now on it reads this very state
        retention.fix_log(data)
        for name, db in opened.items():
            with contextlib.closing(sqlite3.connect(folder / name, isolation_level=None)) as copy:
                db.backup(copy)
    return {name: checked(folder / name) for name in opened}


def connect(path: Path) -> sqlite3.Connection:
    """Connect to a database that exists. Raises BackupFailed."""
    try:
        return sqlite3.connect(f"{path.absolute().as_uri()}?mode=rw", BUSY_TIMEOUT, isolation_level=None, uri=True)
    except sqlite3.Error as error:
        raise BackupFailed(f"{path} cannot be opened: {error}.") from error


def checked(path: Path) -> int:
    """Return the version of the schema of a database that is whole, and no newer than known. Raises BackupFailed.

    The database may come from an untrusted place.
    """
    with contextlib.closing(connect(path)) as db:
        try:
            db.execute("PRAGMA trusted_schema = OFF")
            db.execute("PRAGMA cell_size_check = ON")
            [version] = db.execute("PRAGMA user_version").fetchone()
            if version > NEWEST[path.name]:
                raise BackupFailed(f"{path.name} was written by a newer version of this server. Use that one.")
            foreign = db.execute("SELECT name FROM sqlite_master WHERE type IN ('trigger', 'view')").fetchall()
            if version < 1 or foreign:
                raise BackupFailed(f"{path.name} is no database of this server.")
            [problem] = db.execute("PRAGMA integrity_check(1)").fetchone()
        except sqlite3.Error as error:
            problem = str(error)
    if problem != "ok":
        raise BackupFailed(f"{path.name} is damaged: {' '.join(problem.split())[:200]}.")
    return int(version)


@dataclass(frozen=True)
class Version:
    """One version of a file. The caller closes its content."""

    content: BinaryIO
    mtime: float
    mode: int


class Files:
    """The files of all conversations in a copy of the log."""

    def __init__(self, data: Path, retained: Path, folder: Path) -> None:
        """`retained` is what servers keep meanwhile; `folder` has the copy, and room for a file."""
        self._data = data
        self._retained = retained
        self._folder = folder
        self._log = connect(folder / DATABASE)
        self.unlike_log: list[str] = []
        """The names of files that are not as the log says, or gone."""

    def close(self) -> None:
        self._log.close()

    def sessions(self) -> int:
        """Return the number of all conversations."""
        return int(self._log.execute("SELECT count(*) FROM sessions").fetchone()[0])

    def all(self) -> Iterator[tuple[str, Version]]:
        """Yield each file, with its name in the data folder, as the log says it is."""
        for name, sessions in self._folders().items():
            yield from self._of(name, sessions)

    def _folders(self) -> dict[str, list[str]]:
        """Return the sessions by the name of the folder that has their files: their id, or that of their project."""
        has_projects = any(row[1] == "folder" for row in self._log.execute("PRAGMA table_info(sessions)"))
        column = "folder" if has_projects else "''"
        folders: dict[str, list[str]] = {}
        for id, folder in self._log.execute(f"SELECT id, {column} FROM sessions ORDER BY id"):
            folders.setdefault(folder or id, []).append(id)
        return folders

    def _of(self, folder: str, sessions: Sequence[str]) -> Iterator[tuple[str, Version]]:
        told = _told(self._log, sessions)
        live, moved = self._data / WORKSPACES / folder, self._retained / folder / WORKSPACES
        roots = (live, moved, moved.with_name(f"{WORKSPACES}{retention.EARLY}"))
        originals = [each for session in sessions for each in self._originals_of(folder, session)]
        for path, digest in sorted(told.items()):
            name = f"{WORKSPACES}/{folder}/{path}"
            if digest == DELETED or not is_usable(path):
                continue
            version, is_right = self._version(folder, path, digest, roots, originals)
            if not is_right:
                self.unlike_log.append(name)
            if version is not None:
                yield name, version
        for path in self._untold(sessions, live, told):
            if (version := self._read(live, split(path))) is not None:
                yield f"{WORKSPACES}/{folder}/{path}", version
        for session in sessions:
            yield from self._originals(folder, session)

    def _originals_of(self, folder: str, session: str) -> list[Path]:
        """Return the folders in which the originals of a session's turn may be, the likeliest first."""
        kept, live = self._retained / folder, self._data / ORIGINALS / folder
        own = f"{ORIGINALS}-{session}"
        if folder == session:
            return [kept / own, live, kept / ORIGINALS, kept / f"{own}{retention.EARLY}"]
        return [kept / own, live / session, kept / ORIGINALS / session, kept / f"{own}{retention.EARLY}"]

    def _version(
        self, folder: str, path: str, digest: str | None, roots: Sequence[Path], originals: Sequence[Path]
    ) -> tuple[Version | None, bool]:
        """Return the version of a file with that digest and True; if there is none, what is there now and False."""
        now = None
        for version in self._versions(folder, path, digest, roots, originals):
            if digest is None or measured(version.content)[1] == digest:
                if now is not None:
                    now.content.close()
                return version, True
            if now is None:
                now = version
            else:
                version.content.close()
        return now, False

    def _versions(
        self, folder: str, path: str, digest: str | None, roots: Sequence[Path], originals: Sequence[Path]
    ) -> Iterator[Version]:
        """Yield the versions of a file that can be found, in the order in which they come and go: none is missed."""
        prepared = [DRAFT, f"{digest_of(path.encode())}.{digest}"]
        for root in roots:
            for place in (prepared, split(path)):
                if (version := self._read(root, place)) is not None:
                    yield version
        for file in retention.versions(self._retained, folder, path):
            if (version := self._read(file.parent, [file.name])) is not None:
                yield version
        for place_of_originals in originals:
            if (content := original_of(place_of_originals, path)) is not None:
                yield Version(io.BytesIO(content), time.time(), 0o600)

    def _read(self, root: Path, names: Sequence[str]) -> Version | None:
        """Return a file as it is now; None if there is none."""
        try:
            with safe_fs.opened(root, names[:-1]) as folder, os.fdopen(folder.open(names[-1]), "rb") as file:
                about = os.fstat(file.fileno())
                return Version(copied(file, str(self._folder)), about.st_mtime, about.st_mode)
        except (FileNotFoundError, PermissionError, safe_fs.WrongKind):
            return None

    def _untold(self, sessions: Sequence[str], live: Path, told: Told) -> list[str]:
        """Return the files that exist although the log doesn't name them, nor does a log that goes on."""
        try:
            with safe_fs.opened(live, ()) as folder:
                found = [path for path, _ in folder.walk(MAX_DEPTH) if is_usable(path)]
        except (FileNotFoundError, safe_fs.WrongKind):
            return []
        unknown = [path for path in found if told.get(path, DELETED) == DELETED]
        if not unknown:
            return []
        last = {session: _last(self._log, session) for session in sessions}
        with contextlib.closing(connect(self._data / DATABASE)) as db:
            later = _told(db, sessions, last)
            is_gone = not any(_last(db, session) for session in sessions)
        drafts = live / DRAFT
        return [
            path
            for path in unknown
            if not is_gone and path not in later and not (drafts / f"{digest_of(path.encode())}.{DELETED}").exists()
        ]

    def _has_open_turn(self, session: str) -> bool:
        query = f"SELECT type FROM events INDEXED BY event_turns WHERE session = ? AND {TURN_BOUND}"
        kinds = [kind for (kind,) in self._log.execute(query, (session,))]
        return kinds.count("turn_started") > kinds.count("turn_completed")

    def _originals(self, folder: str, session: str) -> Iterator[tuple[str, Version]]:
        """Yield the originals of what the running turn has changed, which it needs if it goes on."""
        name = f"{ORIGINALS}/{folder}" if folder == session else f"{ORIGINALS}/{folder}/{session}"
        if not self._has_open_turn(session):
            return
        places = self._originals_of(folder, session)
        # When the turn ends meanwhile, they are moved from the second place to the first.
        listed = ((place, _names(place)) for place in (*places[:2], *places))
        place, names = next((each for each in listed if each[1]), (places[0], []))
        for file in names:
            version = self._read(place, [file]) or self._read(places[0], [file])
            if not Path(file).suffix and version is not None:
                yield f"{name}/{file}", version


def _names(folder: Path) -> list[str]:
    """Return the names of the files in a folder, which need not exist."""
    try:
        return sorted(os.listdir(folder))
    except (FileNotFoundError, NotADirectoryError):
        return []


def _last(log: sqlite3.Connection, session: str) -> int:
    """Return the newest `seq` of a session; 0 if there is none."""
    query = "SELECT coalesce(max(seq), 0) FROM events WHERE session = ?"
    return int(log.execute(query, (session,)).fetchone()[0])


def _told(log: sqlite3.Connection, sessions: Sequence[str], after: Mapping[str, int] = {}) -> Told:
    """Return the newest version of each file that sessions with the same folder name, behind some events of each."""
    query = "SELECT ts, body FROM events WHERE session = ? AND seq > ? AND type = 'file_changed' ORDER BY seq"
    logs = [log.execute(query, (session, after.get(session, 0))).fetchall() for session in sessions]
    told: dict[str, str | None] = {}
    for body in in_order(*logs):
        content = json.loads(body)
        told[content["path"]] = DELETED if content["kind"] == DELETED else content.get("sha256")
    return told
