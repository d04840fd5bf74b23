"""Files that are replaced or deleted while a backup is made, kept until it has them.

A backup first fixes what the log says, and then copies the files that this log names. Whoever changes a file or deletes
a conversation meanwhile leaves here what was there before. Nothing is kept while no backup is made.
"""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import logging
import os
import shutil
import time
from collections.abc import Iterator
from pathlib import Path
from uuid import uuid4

from agentchat.protocol.errors import SettingsError

RETAINED = "retained"  # folder in the data folder
LOCK = "backup.lock"  # file in it that is locked while a backup is made
LOG_IS_FIXED = "log-is-fixed"  # file in the folder; from then on, of each file the first version is kept and no other
VERSIONS = "versions"
EARLY = ".early"  # behind the name of a folder that was kept before the log was fixed, or at the same moment
LOCK_WAIT = 2.0  # seconds that a backup waits for the lock, which a server holds for a moment when it looks
LOCK_RETRY = 0.05

log = logging.getLogger(__name__)


class Retention:
    """Keeps what a backup may still need of one conversation. Never raises: no change fails because of a backup."""

    def __init__(self, data: Path, session_id: str) -> None:
        self._data = data
        self._folder = data / RETAINED / session_id

    def keep(self, path: str, content: bytes | None) -> None:
        """Keep the content of a file that is about to be replaced or deleted; None if there is none."""
        if content is None or not is_wanted(self._data):
            return
        number = "" if self._is_log_fixed else f".{uuid4().hex}"
        target = self._folder / VERSIONS / f"{_name(path)}{number}"
        try:
            if not target.exists():
                self._make_folder(target.parent)
                part = target.with_name(f"{uuid4().hex}.part")
                part.write_bytes(content)
                part.rename(target)
        except FileNotFoundError:
            log.debug("A backup was completed just now, and needs the version of a file no more")
        except OSError:
            log.exception("A backup that is being made lacks the version of a file that has been replaced")

    def keep_folder(self, folder: Path, name: str) -> bool:
        """Move a folder here that is about to be deleted. Returns False if it has to be deleted instead."""
        if not folder.exists() or not is_wanted(self._data):
            return False
        target = self._folder / (name if self._is_log_fixed else f"{name}{EARLY}")
        try:
            self._make_folder(target.parent)
            if not self._is_log_fixed:
                shutil.rmtree(target, ignore_errors=True)
            folder.rename(target)
        except OSError:
            return False  # it is there already, from before
        return True

    def _make_folder(self, folder: Path) -> None:
        """Make a folder for the conversation, or one in that. Raises FileNotFoundError once the backup is complete."""
        for each in {self._folder: None, folder: None}:
            each.mkdir(exist_ok=True)

    @property
    def _is_log_fixed(self) -> bool:
        return (self._data / RETAINED / LOG_IS_FIXED).exists()


def is_wanted(data: Path) -> bool:
    """Return True while a backup is made."""
    if not (data / RETAINED).exists():
        return False
    try:
        with open(data / LOCK, "rb") as file:
            fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    except OSError:
        return False
    return False


def sweep(data: Path) -> None:
    """Delete what a backup has left behind that was killed."""
    if not is_wanted(data):
        _remove(data)


@contextlib.contextmanager
def retaining(data: Path) -> Iterator[Path]:
    """Have servers keep what is replaced or deleted, until the context ends. Yields the folder in which it is.

    Raises SettingsError if another backup of the data folder is being made.
    """
    with open(data / LOCK, "ab", opener=_for_owner) as file:
        _lock(file.fileno(), data)
        folder = data / RETAINED
        _remove(data)
        folder.mkdir(0o700)
        for path in (data / LOCK, folder):
            give_to_owner(path, data)
        try:
            yield folder
        finally:
            _remove(data)


def _remove(data: Path) -> None:
    """Delete the folder and what is in it. It goes at once, so that nothing more is put into it meanwhile."""
    with contextlib.suppress(FileNotFoundError):
        (data / RETAINED).rename(data / f"{RETAINED}-{uuid4().hex}")
    for left in data.glob(f"{RETAINED}-*"):
        shutil.rmtree(left, ignore_errors=True)


def fix_log(data: Path) -> None:
    """Note that the log is fixed: of each file the version that is there now is needed, and none that comes later."""
    (data / RETAINED / LOG_IS_FIXED).touch()


def versions(retained: Path, session_id: str, path: str) -> list[Path]:
    """Return the versions of a file that were kept."""
    return sorted((retained / session_id / VERSIONS).glob(f"{_name(path)}*"))


def give_to_owner(path: Path, data: Path) -> None:
    """Let whoever owns the data folder own this, too, if the administrator has made it."""
    if os.geteuid() == 0:
        owner = data.stat()
        os.chown(path, owner.st_uid, owner.st_gid, follow_symlinks=False)


def _for_owner(path: str, flags: int) -> int:
    return os.open(path, flags, 0o600)


def _lock(descriptor: int, data: Path) -> None:
    deadline = time.monotonic() + LOCK_WAIT
    while True:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            return
        except BlockingIOError as error:
            if time.monotonic() >= deadline:
                raise SettingsError(f"Another backup of {data} is being made. Wait until it is done.") from error
        time.sleep(LOCK_RETRY)


def _name(path: str) -> str:
    return hashlib.sha256(path.encode()).hexdigest()
