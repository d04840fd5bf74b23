"""Making a backup of a data folder, which a server may be using."""

from __future__ import annotations

import contextlib
import fcntl
import os
import re
import shutil
import sqlite3
import tempfile
from collections.abc import Iterator
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import BinaryIO

from agentchat import audit
from agentchat.backup.archive import BackupFailed, Manifest, Writer
from agentchat.backup.snapshot import Files, fixed
from agentchat.store.opening import DATABASE
from agentchat.workspace import retention

_DATED = re.compile(r"agentchat-\d{8}T\d{6}Z\.tar\.gz")


def make(data: Path, target: Path) -> Manifest:
    """Write a backup to a file, which is complete as soon as it has its name; only its owner can read it.

    Raises BackupFailed and SettingsError.
    """
    part = target.with_name(f".{target.name}.{os.getpid()}.part")
    try:
        with open(os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as output:
            manifest = write(data, output, target.parent)
            output.flush()
            os.fsync(output.fileno())
        part.replace(target)
        _sync_folder(target.parent)
    except OSError as error:
        raise BackupFailed(f"The backup {target} cannot be written: {error.strerror or error}.") from error
    finally:
        part.unlink(missing_ok=True)
    return manifest


def write(data: Path, output: BinaryIO, room: Path | None = None) -> Manifest:
    """Write a backup. The databases are copied into `room` meanwhile, or where the system keeps temporary files.

    Raises BackupFailed and SettingsError.
    """
    if not (data / DATABASE).exists():
        raise BackupFailed(f"There is nothing to back up: {data} has no {DATABASE}. Name another with --data-dir.")
    with tempfile.TemporaryDirectory(prefix=".agentchat-backup-", dir=room) as name, retention.retaining(data) as kept:
        folder = Path(name)
        writer = Writer(output)
        try:
            writer.manifest.schemas = fixed(data, folder)
        except sqlite3.Error as error:
            raise BackupFailed(f"The databases in {data} cannot be copied: {error}.") from error
        for database in writer.manifest.schemas:
            with (folder / database).open("rb") as file:
                writer.add(database, file)
        for path in _audit_files(data, folder):
            with path.open("rb") as file:
                writer.add(path.name, file)
        with contextlib.closing(Files(data, kept, folder)) as files:
            writer.manifest.sessions = files.sessions()
            for member, version in files.all():
                with contextlib.closing(version.content):
                    writer.add(member, version.content, version.mtime, version.mode & 0o700)
            writer.manifest.unlike_log = files.unlike_log
        return writer.close()


def dated(folder: Path) -> Path:
    """Return the path of a backup that is made now, by whose name it can be found and put in order."""
    moment = datetime.now(timezone.utc)
    while (path := folder / f"agentchat-{moment:%Y%m%dT%H%M%SZ}.tar.gz").exists():
        moment += timedelta(seconds=1)  # another one was made in the same second
    return path


def drop_all_but(kept: int, folder: Path) -> list[Path]:
    """Delete the backups in a folder that were named by `dated`, but for the newest. Returns those that are gone."""
    backups = sorted(path for path in folder.iterdir() if _DATED.fullmatch(path.name))
    gone = backups[:-kept]
    for path in gone:
        path.unlink()
    return gone


def _sync_folder(folder: Path) -> None:
    """Have the names in a folder on disk."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _audit_files(data: Path, folder: Path) -> Iterator[Path]:
    """Yield copies of the files of the audit log, with whole lines."""
    first = data / audit.FILE
    if not first.exists():
        return
    with first.open("rb") as current:
        fcntl.flock(current, fcntl.LOCK_SH)  # nobody writes or begins a new file until they are copied
        for path in (first, *(first.with_name(f"{audit.FILE}.{number}") for number in range(1, audit.KEPT))):
            with contextlib.suppress(FileNotFoundError):
                shutil.copyfile(path, folder / path.name)
    yield from sorted(path for path in folder.iterdir() if path.name.startswith(audit.FILE))
