"""Checking a backup, and putting it into a data folder that no server uses."""

from __future__ import annotations

import contextlib
import os
import shutil
import sqlite3
import tempfile
from collections.abc import Callable, Iterator
from datetime import datetime, timezone
from pathlib import Path
from typing import BinaryIO

from agentchat import audit
from agentchat.auth import accounts
from agentchat.backup.archive import DATABASES, BackupFailed, Manifest, Member, Reader
from agentchat.backup.snapshot import checked
from agentchat.store.opening import DATABASE, LOCK, claim
from agentchat.workspace.folders import ORIGINALS, VERSIONS, WORKSPACES
from agentchat.workspace.retention import give_to_owner

CHUNK = 2**16
LEFT_FREE = 64 * 2**20  # bytes of the disk that a backup must not take
# Those of agentchat.db come last: a server does not start on files without it.
_SIDE_FILES = ("", "-wal", "-shm")
DATA = (
    WORKSPACES,
    ORIGINALS,
    VERSIONS,
    audit.FILE,
    *(f"{audit.FILE}.{number}" for number in range(1, audit.KEPT)),
    *(f"{accounts.DATABASE}{side}" for side in _SIDE_FILES),
    *(f"{DATABASE}{side}" for side in _SIDE_FILES),
)
"""The names of everything in a data folder that a backup replaces."""


def check(archive: BinaryIO) -> Manifest:
    """Return what a backup says about itself, if all of it is whole. Raises BackupFailed."""
    with tempfile.TemporaryDirectory(prefix="agentchat-check-") as folder:
        return _unpack(archive, Path(folder), lambda member: member.name in DATABASES)


def restore(archive: BinaryIO, data: Path, may_replace: bool) -> tuple[Manifest, Path | None]:
    """Put a backup into a data folder, once all of it has been checked.

    Returns what it says about itself, and the folder into which the data were moved that it replaces, if there were
    any. Raises BackupFailed, and SettingsError if a server uses the folder.
    """
    try:
        data.mkdir(parents=True, exist_ok=True)
        with contextlib.closing(claim(data / LOCK)), _room(data) as room:
            give_to_owner(data / LOCK, data)
            if has_data(data) and not may_replace:
                raise BackupFailed(f"There are data in {data}. To move them aside, say --replace.")
            manifest = _unpack(archive, room, lambda member: True)
            for path in room.rglob("*"):
                give_to_owner(path, data)
            os.sync()  # before anything is moved: then it is whole, wherever that ends
            old = _move_aside(data)
            for name in DATA:
                if (room / name).exists():
                    (room / name).rename(data / name)
            os.sync()
    except (OSError, sqlite3.Error) as error:
        raise BackupFailed(
            f"The backup cannot be put into {data}: {getattr(error, 'strerror', '') or error}."
        ) from error
    return manifest, old


def has_data(data: Path) -> bool:
    """Return True if a data folder holds something that a backup would replace."""
    found = [data / name for name in DATA if (data / name).exists()]
    return any(not path.is_dir() or any(path.iterdir()) for path in found)


@contextlib.contextmanager
def _room(data: Path) -> Iterator[Path]:
    """Lend a folder on the disk of the data folder."""
    with tempfile.TemporaryDirectory(prefix=".restoring-", dir=data, ignore_cleanup_errors=True) as name:
        yield Path(name)


def _move_aside(data: Path) -> Path | None:
    """Move the data that are there into a folder of their own, and return that."""
    found = [name for name in DATA if (data / name).exists()]
    if not found:
        return None
    old = Path(tempfile.mkdtemp(prefix=f"replaced-{datetime.now(timezone.utc):%Y%m%dT%H%M%SZ}-", dir=data))
    give_to_owner(old, data)
    for name in reversed(found):  # agentchat.db first
        (data / name).rename(old / name)
    return old


def _unpack(archive: BinaryIO, folder: Path, is_kept: Callable[[Member], bool]) -> Manifest:
    """Read a backup to its end, and write what is to be kept into the folder. Raises BackupFailed."""
    reader = Reader(archive)
    for member in reader.members():
        if is_kept(member):
            _write(member, folder)
    manifest = reader.manifest
    assert manifest is not None  # or the reader would have complained
    if DATABASE not in manifest.members:
        raise BackupFailed(f"This is not a backup: there is no {DATABASE} in it.")
    for name in DATABASES:
        if name in manifest.members:
            checked(folder / name)
    return manifest


def _write(member: Member, folder: Path) -> None:
    if member.size > shutil.disk_usage(folder).free - LEFT_FREE:
        raise BackupFailed(f"There is no room for the backup: {member.name} has {member.size:,} bytes.")
    path = folder / member.name
    path.parent.mkdir(parents=True, exist_ok=True)
    is_file_of_session = len(path.relative_to(folder).parts) > 1
    mode = (0o777 if member.is_executable else 0o666) if is_file_of_session else 0o600
    with open(path, "xb", opener=lambda name, flags: os.open(name, flags | os.O_NOFOLLOW, mode)) as file:
        shutil.copyfileobj(member.content, file, CHUNK)
    os.utime(path, (member.mtime, member.mtime))
