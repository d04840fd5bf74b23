"""Old versions of a conversation's files, which are kept when they are replaced or deleted.

Each is a file named by the digest by which the log tells it, in a folder beside that of the files. The log says which
file had it, since when and by whom; nothing else is noted here.
"""

from __future__ import annotations

import contextlib
import logging
import os
import re
from collections.abc import Collection, Sequence
from pathlib import Path
from typing import BinaryIO
from uuid import uuid4

from agentchat.protocol.errors import ChatError
from agentchat.workspace import safe_fs
from agentchat.workspace.prepared import digest_of
from agentchat.workspace.storage import Room, on_disk

log = logging.getLogger(__name__)

_DIGEST = re.compile(r"[0-9a-f]{64}")


class Versions:
    """The old versions of the files in one folder, the oldest of which go when they take more than `limit` bytes.

    What changes them is called under the lock of the files, and never raises: no change fails because of them.
    """

    def __init__(self, folder: Path, limit: int, room: Room | None = None) -> None:
        self._folder = folder
        self._limit = limit
        self._room = room

    def keep(self, content: bytes) -> None:
        """Keep the content of a file that is about to be replaced or deleted."""
        if self.add(content):
            self.trim()

    def held(self) -> Held:
        """Return what keeps versions that a program may replace, until that is known."""
        return Held(self, self._limit)

    def add(self, content: bytes) -> bool:
        """Keep a content as the newest, whatever that comes to; return False if there is no room for it."""
        digest, size = digest_of(content), on_disk(len(content))
        if size > self._limit:
            return False
        try:
            with contextlib.suppress(FileNotFoundError):
                os.utime(self._folder / digest)
                return True
            if not self._has_taken(size):
                return False
            with safe_fs.opened(self._folder, (), must_make=True) as folder:
                folder.replace(digest, content, f"{uuid4().hex}.draft")
        except (OSError, safe_fs.WrongKind):
            log.exception("An old version of a file cannot be kept")
            return False
        return True

    def trim(self) -> None:
        """Drop the oldest beyond the limit."""
        self.free(sum(size for _, size in self._oldest()) - self._limit)

    def free(self, size: int) -> bool:
        """Drop the oldest, until so many bytes more are free. Returns False if all of them have not as many."""
        oldest = self._oldest()
        if sum(taken for _, taken in oldest) < size:
            return False
        for name, taken in oldest:
            if size <= 0:
                break
            self.remove(name)
            size -= taken
        return True

    def remove(self, digest: str) -> None:
        """Drop a version."""
        path = self._folder / digest
        try:
            size = on_disk(path.stat().st_size)
            path.unlink()
        except FileNotFoundError:
            return
        except OSError:
            log.exception("An old version of a file cannot be removed")
            return
        if self._room is not None:
            self._room.take(-size)

    def open(self, digest: str) -> BinaryIO | None:
        """Open a version for reading, None if it is not kept. The caller closes it."""
        try:
            return open(self._folder / digest, "rb") if _DIGEST.fullmatch(digest) else None
        except FileNotFoundError:
            return None

    def kept(self) -> set[str]:
        """Return the digests of the versions that are kept."""
        with contextlib.suppress(FileNotFoundError):
            return {name for name in os.listdir(self._folder) if _DIGEST.fullmatch(name)}
        return set()

    def _has_taken(self, size: int) -> bool:
        """Count a version of that size, for which older ones go where a storage limit is reached."""
        if self._room is None:
            return True
        try:
            self._room.take_freeing(size, self.free)
        except ChatError:
            return False
        return True

    def _oldest(self) -> Sequence[tuple[str, int]]:
        """Return name and size on disk of all versions, the oldest first, and of drafts that were left behind."""
        found = []
        with contextlib.suppress(FileNotFoundError), os.scandir(self._folder) as entries:
            for entry in entries:
                with contextlib.suppress(FileNotFoundError):
                    status = entry.stat(follow_symlinks=False)
                    found.append((status.st_mtime_ns, entry.name, on_disk(status.st_size)))
        return [(name, size) for _, name, size in sorted(found)]


class Held:
    """Versions of files that a program may replace: `limit` bytes of them beside those that are kept already."""

    def __init__(self, versions: Versions, limit: int) -> None:
        self._versions = versions
        self._room = limit
        self._kept = versions.kept()
        self._held: dict[str, str] = {}  # digests by path

    def add(self, path: str, content: bytes) -> None:
        """Hold a version of a file."""
        digest, size = digest_of(content), on_disk(len(content))
        if digest not in self._kept and size <= self._room and self._versions.add(content):
            self._room -= size
            self._held[path] = digest

    def settle(self, unchanged: Collection[str]) -> None:
        """Keep the versions that have been replaced, and no others."""
        replaced = {digest for path, digest in self._held.items() if path not in unchanged}
        for digest in {*self._held.values()} - replaced:
            self._versions.remove(digest)
        self._versions.trim()
