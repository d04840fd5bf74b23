"""The databases as they were at one moment, and the files as this log names them."""

from __future__ import annotations

import contextlib
import io
import itertools
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
        """Those that are not as the log says, or gone."""

    def close(self) -> None:
        self._log.close()

    def sessions(self) -> list[str]:
        """Return the ids of all conversations."""
        return [id for (id,) in self._log.execute("SELECT id FROM sessions ORDER BY id")]

    def all(self) -> Iterator[tuple[str, Version]]:
        """Yield each file, with its name in the data folder, as the log says it is."""
        told = self._told()
        named, paths = next(told, ("", {}))
        for place, sessions in self._places():
            while named and named < place:
                named, paths = next(told, ("", {}))
            yield from self._of(place, sessions, paths if named == place else {})

    @property
    def _place(self) -> str:
        """The name of a session's folder, in SQL: its own id, unless it shares one (sessions/projects.py)."""
        columns = [row[1] for row in self._log.execute("PRAGMA table_info(sessions)")]
        return "coalesce(nullif(sessions.folder, ''), sessions.id)" if "folder" in columns else "sessions.id"

    def _places(self) -> Iterator[tuple[str, list[str]]]:
        """Yield the names of folders, in order, with the sessions in each."""
        rows = self._log.execute(f"SELECT {self._place} AS place, id FROM sessions ORDER BY place, id").fetchall()
        for place, group in itertools.groupby(rows, lambda row: row[0]):
            yield place, [id for _, id in group]

    def _told(self) -> Iterator[tuple[str, Told]]:
        """Yield the folders that have files, in order, with the files that the logs name."""
        query = (
            f"SELECT {self._place} AS place, body FROM events JOIN sessions ON sessions.id = session"
            " WHERE type = 'file_changed' ORDER BY place, ts, session, seq"
        )
        for place, rows in itertools.groupby(self._log.execute(query), lambda row: row[0]):
            yield place, _newest(body for _, body in rows)

    def _of(self, place: str, sessions: Sequence[str], told: Told) -> Iterator[tuple[str, Version]]:
        live, moved = self._data / WORKSPACES / place, self._retained / place / WORKSPACES
        roots = (live, moved, moved.with_name(f"{WORKSPACES}{retention.EARLY}"))
        for path, digest in sorted(told.items()):
            name = f"{WORKSPACES}/{place}/{path}"
            if digest == DELETED or not is_usable(path):
                continue
            version, is_right = self._version(place, sessions, path, digest, roots)
            if not is_right:
                self.unlike_log.append(name)
            if version is not None:
                yield name, version
        for path in self._untold(sessions, live, told):
            if (version := self._read(live, split(path))) is not None:
                yield f"{WORKSPACES}/{place}/{path}", version
        for session in sessions:
            yield from self._originals(place, session)

    def _version(
        self, place: str, sessions: Sequence[str], path: str, digest: str | None, roots: Sequence[Path]
    ) -> tuple[Version | None, bool]:
        """Return the version of a file with that digest and True; if there is none, what is there now and False."""
        names, now = split(path), None
        for version in self._versions(place, sessions, path, names, digest, roots):
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
        self,
        place: str,
        sessions: Sequence[str],
        path: str,
        names: Sequence[str],
        digest: str | None,
        roots: Sequence[Path],
    ) -> Iterator[Version]:
        """Yield the versions of a file that can be found, in the order in which they come and go: none is missed."""
        prepared = [DRAFT, f"{digest_of(path.encode())}.{digest}"]
        kept = self._retained / place
        for root in roots:
            for parts in (prepared, names):
                if (version := self._read(root, parts)) is not None:
                    yield version
        for file in retention.versions(self._retained, place, path):
            if (version := self._read(kept / retention.VERSIONS, [file.name])) is not None:
                yield version
        for session in sessions:
            for folder in self._originals_of(place, session):
                if (content := original_of(folder, path)) is not None:
                    yield Version(io.BytesIO(content), time.time(), 0o600)

    def _originals_of(self, place: str, session: str) -> list[Path]:
        """Return the folders in which the originals of a session may be, the first that exists before the others."""
        within = [] if place == session else [session]
        kept = self._retained / place
        early = f"{ORIGINALS}{retention.EARLY}"
        folders = [kept.joinpath(ORIGINALS, *within), self._data.joinpath(ORIGINALS, place, *within)]
        alone = [self._retained / session / name for name in (ORIGINALS, early)] if within else []
        return [*alone[:1], *folders, kept.joinpath(early, *within), *alone[1:]]

    def _read(self, root: Path, names: Sequence[str]) -> Version | None:
        """Return a file as it is now; None if there is none."""
        try:
            with safe_fs.opened(root, names[:-1]) as folder, os.fdopen(folder.open(names[-1]), "rb") as file:
                about = os.fstat(file.fileno())
                return Version(copied(file, str(self._folder)), about.st_mtime, about.st_mode)
        except (FileNotFoundError, PermissionError, safe_fs.WrongKind):
            return None

    def _untold(self, sessions: Sequence[str], live: Path, told: Told) -> list[str]:
        """Return the files that exist although no log names them, nor does one that goes on."""
        try:
            with safe_fs.opened(live, ()) as folder:
                found = [path for path, _ in folder.walk(MAX_DEPTH) if is_usable(path)]
        except (FileNotFoundError, safe_fs.WrongKind):
            return []
        unknown = [path for path in found if told.get(path, DELETED) == DELETED]
        if not unknown:
            return []
        later: set[str] = set()
        is_gone = True
        with contextlib.closing(connect(self._data / DATABASE)) as db:
            for session in sessions:
                newest = "SELECT coalesce(max(seq), 0) FROM events WHERE session = ?"
                [last] = self._log.execute(newest, (session,)).fetchone()
                query = "SELECT body FROM events WHERE session = ? AND seq > ? AND type = 'file_changed'"
                later |= _newest(body for (body,) in db.execute(query, (session, last))).keys()
                is_gone &= db.execute("SELECT 1 FROM sessions WHERE id = ?", (session,)).fetchone() is None
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

    def _originals(self, place: str, session: str) -> Iterator[tuple[str, Version]]:
        """Yield the originals of what the running turn has changed, which it needs if it goes on."""
        name = ORIGINALS if place == session else f"{ORIGINALS}/{place}"
        for folder in self._originals_of(place, session):
            if folder.is_dir():
                for file in sorted(folder.iterdir()) if self._has_open_turn(session) else ():
                    if not file.suffix and (version := self._read(folder, [file.name])) is not None:
                        yield f"{name}/{session}/{file.name}", version
                return


def _newest(bodies: Iterator[str]) -> Told:
    """Return the newest version of each file that these events name."""
    told: dict[str, str | None] = {}
    for body in bodies:
        content = json.loads(body)
        told[content["path"]] = DELETED if content["kind"] == DELETED else content.get("sha256")
    return told
