"""The folders of conversations in the data folder: their files, and the originals of those that a turn changes."""

from __future__ import annotations

import logging
import shutil
from collections.abc import Callable
from pathlib import Path

log = logging.getLogger(__name__)

WORKSPACES, ORIGINALS = "workspaces", "originals"


class Folders:
    """The folders of all conversations."""

    def __init__(self, data: Path) -> None:
        self._parents = [data / WORKSPACES, data / ORIGINALS]

    @property
    def has_files(self) -> bool:
        """True if there are files of conversations."""
        return self._parents[0].is_dir() and any(self._parents[0].iterdir())

    def clear(self, session_id: str) -> None:
        """Delete the files of a deleted conversation."""
        for parent in self._parents:
            try:
                shutil.rmtree(parent / session_id)
            except FileNotFoundError:
                continue  # it had none
            except OSError:
                log.exception("Some files of the deleted conversation %s remain; delete them by hand", session_id)

    def sweep(self, is_known: Callable[[str], bool]) -> None:
        """Delete the files of conversations that are gone: a server may have died before it did so."""
        found = {entry.name for parent in self._parents if parent.is_dir() for entry in parent.iterdir()}
        gone = [session_id for session_id in sorted(found) if not is_known(session_id)]
        for session_id in gone:
            self.clear(session_id)
        if gone:
            log.warning("Deleted the files of %d conversations that are gone", len(gone))
