"""The bytes that files take on disk: those of each conversation, of each person and of all, and their limits."""

from __future__ import annotations

import contextlib
import math
import os
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from agentchat.protocol.errors import ChatError

MIB = 2**20
BLOCK = 4096  # bytes; the least that a file takes on a disk
MEASURED_AGAIN = 60.0  # seconds after which a conversation that writes is measured, as programs write there as well


@dataclass(frozen=True)
class StorageLimits:
    """Limits in bytes; 0 means none."""

    session: int = 200 * MIB
    """The files of one conversation."""
    person: int = 1024 * MIB
    """The files in all conversations that one person began, or one address if it gave no name."""
    in_all: int = 10240 * MIB
    """The files of all conversations."""
    versions: int = 50 * MIB
    """The old versions of the files of one conversation, which count as its files as well; here 0 means no versions."""


DEFAULT_LIMITS = StorageLimits()


@dataclass
class _Use:
    """The bytes that a conversation takes."""

    owner: str
    size: int = 0
    measured: float = field(default_factory=time.monotonic)
    """When they were measured on the disk, by time.monotonic()."""


def on_disk(size: int, folders: int = 0) -> int:
    """Return the bytes that a file of this size takes, with the folders in which it lies."""
    return (max(-(-size // BLOCK), 1) + folders) * BLOCK


class Storage:
    """Counts what the files of all conversations take. All methods can be called from any thread."""

    def __init__(self, parents: Sequence[Path], limits: StorageLimits) -> None:
        """Each of `parents` may have a folder for each conversation, named by its id."""
        self.limits = limits
        self.owner_of: Callable[[str], str] = lambda session_id: ""
        """Returns an id of whoever began a conversation; "" if that is not known."""
        self._parents = parents
        self._lock = threading.Lock()  # guards what follows
        self._uses: dict[str, _Use] = {}  # by conversation
        self._owned: dict[str, int] = {}  # bytes by owner
        self._sum = 0

    def room(self, session_id: str) -> Room:
        """Return the room for the files of a conversation."""
        return Room(self, session_id)

    def take(self, session_id: str, more: int) -> None:
        """Count so many more bytes, or fewer if negative. Raises ChatError if a limit does not allow for more."""
        with self._lock:
            use = self._uses.get(session_id)
            if more <= 0:
                if use is not None:
                    self._set(session_id, use, max(use.size + more, 0))
                return
        if use is None or use.measured < time.monotonic() - MEASURED_AGAIN:
            self.measure(session_id)
        owner = self._owner(session_id)
        with self._lock:
            use = self._uses.get(session_id) or _Use(owner)
            self._check(use, more)
            self._set(session_id, use, use.size + more)

    def measure(self, session_id: str) -> None:
        """Count what the conversation takes on the disk now."""
        size = sum(map(_size_of, (parent / session_id for parent in self._parents)))
        owner = self._owner(session_id) if size else ""
        with self._lock:
            use = self._uses.get(session_id) or _Use(owner)
            use.measured = time.monotonic()
            self._set(session_id, use, size)

    def __len__(self) -> int:
        """Return the number of conversations that take something."""
        with self._lock:
            return len(self._uses)

    def _owner(self, session_id: str) -> str:
        with self._lock:
            use = self._uses.get(session_id)
        return use.owner if use is not None else self.owner_of(session_id)

    def lacking(self, session_id: str, more: int) -> int:
        """Return how many bytes must go before so many more can be taken."""
        owner = self._owner(session_id)
        with self._lock:
            use = self._uses.get(session_id) or _Use(owner)
            return max((size + more - limit for size, limit, _ in self._limited(use)), default=0)

    def _check(self, use: _Use, more: int) -> None:
        for size, limit, whose in self._limited(use):
            if size + more > limit:
                problem = f"{whose} would take {_in_mib(size + more)} MiB, the limit is {_in_mib(limit)} MiB"
                raise ChatError("files_full", problem=problem)

    def _limited(self, use: _Use) -> Iterator[tuple[int, int, str]]:
        """Yield what is taken now, the limit, and whose that is, for each limit that there is."""
        assert self._lock.locked()
        for size, limit, whose in (
            (use.size, self.limits.session, "the files of this conversation"),
            (
                self._owned.get(use.owner, 0) if use.owner else 0,
                self.limits.person,
                "the files in all conversations that the same person began",
            ),
            (self._sum, self.limits.in_all, "the files of all conversations"),
        ):
            if limit:
                yield size, limit, whose

    def _set(self, session_id: str, use: _Use, size: int) -> None:
        assert self._lock.locked()
        more, use.size = size - use.size, size
        self._sum += more
        self._uses[session_id] = use
        if use.owner:
            self._owned[use.owner] = self._owned.get(use.owner, 0) + more
            if not self._owned[use.owner]:
                del self._owned[use.owner]
        if not size:
            del self._uses[session_id]  # nothing is known of conversations without files


class Room:
    """The room on disk for the files of one conversation."""

    def __init__(self, storage: Storage, session_id: str) -> None:
        self._storage = storage
        self._session_id = session_id

    def take(self, more: int) -> None:
        """Count so many more bytes, or fewer if negative. Raises ChatError if a limit does not allow for more."""
        self._storage.take(self._session_id, more)

    def take_freeing(self, more: int, free: Callable[[int], bool]) -> None:
        """Count so many more bytes. If a limit does not allow for them, `free` may make room for what is lacking."""
        try:
            self.take(more)
        except ChatError:
            if not free(self._storage.lacking(self._session_id, more)):
                raise
            self.take(more)

    def measure(self) -> None:
        """Count what is on the disk now."""
        self._storage.measure(self._session_id)


def _size_of(folder: Path) -> int:
    """Return the bytes that the files below a folder take; links are not followed."""
    size, waiting = 0, [(str(folder), 0)]
    while waiting:
        path, depth = waiting.pop()
        with contextlib.suppress(OSError), os.scandir(path) as entries:  # removed meanwhile, or no folder
            for entry in entries:
                with contextlib.suppress(OSError):
                    if entry.is_dir(follow_symlinks=False):
                        waiting.append((entry.path, depth + 1))
                    else:
                        size += on_disk(entry.stat(follow_symlinks=False).st_size, depth)
    return size


def _in_mib(size: int) -> str:
    return f"{math.ceil(size / MIB * 10) / 10:,g}"
