"""Opening a data folder: its lock, the connections, and the way from an older version's database to this one's."""

from __future__ import annotations

import contextlib
import os
import sqlite3
from collections.abc import Sequence
from pathlib import Path

from agentchat.protocol.errors import SettingsError, StoreError

DATABASE = "agentchat.db"
LOCK = "agentchat.lock"
WAL_PAGES = 250  # after which the WAL goes into the database: 1 MB, so that it fills no small disk


def claim(path: Path) -> sqlite3.Connection:
    """Lock `path` until the connection is closed or the process dies, against a second server on the same log."""
    guard = sqlite3.connect(path, timeout=0, isolation_level=None, check_same_thread=False)
    try:
        guard.execute("BEGIN EXCLUSIVE")
    except sqlite3.OperationalError as error:
        guard.close()
        if "locked" in str(error):
            raise SettingsError(
                f"Another server uses the data folder {path.parent}. Stop it, or choose another folder with --data-dir."
            ) from error
        raise
    return guard


def connect(path: Path, patience: int) -> sqlite3.Connection:
    """Connect to the database. Statements wait `patience` ms for another process that uses it."""
    db = sqlite3.connect(path, isolation_level=None, check_same_thread=False)
    db.execute(f"PRAGMA busy_timeout = {patience}")
    db.execute("PRAGMA journal_mode = WAL")
    db.execute(f"PRAGMA wal_autocheckpoint = {WAL_PAGES}")
    db.execute("PRAGMA synchronous = FULL")
    return db


def migrate(db: sqlite3.Connection, folder: Path, migrations: Sequence[str], may_be_new: bool) -> None:
    """Bring the database up to this version, all the way or not at all; a copy is made before anything is changed.

    Raises SettingsError for one that is newer, or that would be new and may not.
    """
    (version,) = db.execute("PRAGMA user_version").fetchone()
    if version > len(migrations):
        raise SettingsError(f"The data folder {folder} was written by a newer version of this server. Use that one.")
    if version == 0 and not may_be_new:
        raise SettingsError(
            f"The data folder {folder} has the files of conversations, but {DATABASE} in it is missing or empty. "
            "Put it back, restore a backup, or move `workspaces` away to start with an empty database."
        )
    if version == len(migrations):
        return
    if version > 0:
        _copy(db, folder / f"agentchat-v{version}.db")
    db.executescript(f"BEGIN; {' '.join(migrations[version:])} PRAGMA user_version = {len(migrations)}; COMMIT;")


def _copy(db: sqlite3.Connection, path: Path) -> None:
    """Copy the database into a file that only its owner can read.

    Raises SettingsError if there is no room, and leaves no file behind.
    """
    part = path.with_suffix(".part")
    part.unlink(missing_ok=True)
    try:
        os.close(os.open(part, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600))
        with contextlib.closing(sqlite3.connect(part, isolation_level=None)) as copy:
            db.backup(copy)
        part.replace(path)
    except (OSError, sqlite3.Error) as error:
        part.unlink(missing_ok=True)
        raise SettingsError(
            f"The data folder {path.parent} has to be brought up to date, and there is no copy of it yet: {path.name} "
            f"cannot be written ({error}). Make room on the disk and start again; nothing was changed."
        ) from error


class OpenFiles:
    """Files that are open, and that nobody may remove or replace meanwhile."""

    def __init__(self, *paths: Path) -> None:
        self._known = {path: _identity(path) for path in paths}

    def check(self) -> None:
        """Raise StoreError if one of them is no longer the file that was opened."""
        for path, known in self._known.items():
            if _identity(path) != known:
                raise StoreError("store_removed")


def _identity(path: Path) -> tuple[int, int] | None:
    try:
        about = os.stat(path)
    except OSError:
        return None
    return about.st_dev, about.st_ino
