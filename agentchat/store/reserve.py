"""Room on the disk that is kept for deleting: SQLite needs some before it can give any back."""

from __future__ import annotations

import logging
import os
from pathlib import Path

log = logging.getLogger(__name__)

SIZE = 2 * 2**20  # bytes; twice what the WAL holds, since all of that may have to go into the database first


class Reserve:
    """A file that does nothing but take room, until it is given up."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self.keep()

    def keep(self) -> None:
        """Take the room, unless the disk has none."""
        try:
            if not self._path.exists() or self._path.stat().st_size != SIZE:
                self._path.write_bytes(os.urandom(SIZE))  # zeros might be stored as nothing
        except OSError:
            self.give_up()
            log.warning("There is no room for %s: if the disk is full, nothing can be deleted either", self._path)

    def give_up(self) -> None:
        """Give the room to whoever writes next."""
        self._path.unlink(missing_ok=True)
