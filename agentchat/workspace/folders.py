"""The folders of conversations in the data folder: their files, old versions, and originals of what a turn changes."""

from __future__ import annotations

import contextlib
import logging
import shutil
import time
from collections.abc import Callable
from pathlib import Path

from agentchat.workspace import retention
from agentchat.workspace.locks import FolderLock, lock_of
from agentchat.workspace.retention import Retention
from agentchat.workspace.storage import DEFAULT_LIMITS, Storage, StorageLimits
from agentchat.workspace.versions import Versions

log = logging.getLogger(__name__)

REMOVALS = 10  # tries to remove a folder in which a file may just be written

WORKSPACES, ORIGINALS, VERSIONS = "workspaces", "originals", "versions"


class Folders:
    """The folders of all conversations. `storage` counts what they take on disk."""

    def __init__(self, data: Path, limits: StorageLimits = DEFAULT_LIMITS) -> None:
        self._data = data
        self._parents = [data / WORKSPACES, data / ORIGINALS, data / VERSIONS]
        self.storage = Storage(self._parents, limits)

    @property
    def has_files(self) -> bool:
        """True if there are files of conversations."""
        return self._parents[0].is_dir() and any(self._parents[0].iterdir())

    def retention(self, name: str) -> Retention:
        """Return what keeps the files in a conversation's folder, or a shared one, for a backup."""
        return Retention(self._data, name)

    def versions(self, name: str) -> Versions:
        """Return the old versions of the files in a conversation's folder, or a shared one."""
        return versions_of(self._data, name, self.storage)

    def clear(self, name: str) -> None:
        """Delete the files of a deleted conversation, or those that deleted conversations have shared."""
        retention.sweep(self._data)  # they may be there as well
        with self._lock(name):  # a change that is being made ends first, and none begins after that
            for parent in self._parents:
                is_in_backups = parent.name != VERSIONS
                if not (is_in_backups and self.retention(name).keep_folder(parent / name, parent.name)):
                    _remove(parent / name)
        self.storage.measure(name)

    def clear_originals(self, name: str, session_id: str) -> None:
        """Delete the originals of a deleted conversation whose files others share."""
        folder = self._parents[1] / name / session_id
        with self._lock(name):
            if not self.retention(name).keep_folder(folder, f"{ORIGINALS}-{session_id}"):
                _remove(folder)
        self.storage.measure(name)

    def sweep(self, is_known: Callable[[str], bool]) -> None:
        """Delete the files of conversations that are gone (a server may have died before it did so), count the rest."""
        retention.sweep(self._data)
        found = {entry.name for parent in self._parents if parent.is_dir() for entry in parent.iterdir()}
        gone = []
        for session_id in sorted(found):
            if is_known(session_id):
                self.storage.measure(session_id)
            else:
                gone.append(session_id)
                self.clear(session_id)
        if gone:
            log.warning("Deleted the files of %d conversations that are gone", len(gone))

    def _lock(self, name: str) -> FolderLock:
        return lock_of(self._parents[0] / name)


def versions_of(data: Path, name: str, storage: Storage) -> Versions:
    """Return the old versions of the files in a folder of that name."""
    return Versions(data / VERSIONS / name, storage.limits.versions, storage.room(name))


def _remove(folder: Path) -> None:
    for _ in range(REMOVALS - 1):  # somebody may be writing a file, or removing it
        with contextlib.suppress(OSError):
            shutil.rmtree(folder)
        if not folder.exists():
            return
        time.sleep(0.01)
    try:
        shutil.rmtree(folder)
    except FileNotFoundError:
        return
    except OSError:
        log.exception("Some files of a deleted conversation remain in %s; delete them by hand", folder)
