"""One lock for each conversation's folder, in all threads: its files are changed, or removed with it, one at a time.

It also guards the originals of those that a turn changes.
"""

from __future__ import annotations

import threading
import weakref
from pathlib import Path
from typing import Any, Protocol


class FolderLock(Protocol):
    """A `threading.RLock`, whose class has no public name."""

    def acquire(self, blocking: bool = True, timeout: float = -1) -> bool: ...

    def release(self) -> None: ...

    def __enter__(self) -> bool: ...

    def __exit__(self, *exception: Any) -> None: ...


def lock_of(folder: Path) -> FolderLock:
    """Return the lock of a conversation's folder, which need not exist."""
    with _LOCK:
        return _LOCKS.setdefault(folder.absolute(), threading.RLock())


_LOCK = threading.Lock()  # guards _LOCKS
_LOCKS: weakref.WeakValueDictionary[Path, FolderLock] = weakref.WeakValueDictionary()
