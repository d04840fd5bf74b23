"""Projects: names for folders that several sessions share.

A project belongs to whoever uses its name: two people who log in and say "1" mean two projects. Where nobody logs in,
there is one of each name, for everybody. A folder is named after its project, so nothing else need be kept of one.
"""

from __future__ import annotations

import hashlib
import logging
import threading

from agentchat.protocol.errors import StoreError
from agentchat.store import Store
from agentchat.workspace.folders import Folders

log = logging.getLogger(__name__)

PREFIX = "project-"  # longer than the ids of sessions with what follows, so that no folder is of both


def folder_of(user: str, project: str) -> str:
    """Return the name of the folder of a user's project; of everybody's for the user ""."""
    return PREFIX + hashlib.sha256(f"{user}\n{project}".encode("utf-8", "replace")).hexdigest()[:32]


class Projects:
    """The folders of projects. They exist as long as there are sessions in them."""

    def __init__(self, store: Store, folders: Folders) -> None:
        self._store = store
        self._folders = folders
        self.lock = threading.RLock()
        """Held while a session enters a folder or leaves it, so that none is removed under one that enters."""

    def find(self, folder: str, called: str) -> str | None:
        """Return the session that a client calls so, or for "" the oldest one in the folder; None if there is none."""
        return next(iter(self._store.in_folder(folder, called)), None)

    def leave(self, session_id: str, folder: str) -> None:
        """Remove what a session leaves behind, and the folder with the last one."""
        with self.lock:
            try:
                is_last = not self._store.in_folder(folder)
            except StoreError:
                log.exception("The files of %s remain until the next start", folder)
                is_last = False
            if is_last:
                self._folders.clear(folder)
            else:
                self._folders.clear_originals(folder, session_id)
