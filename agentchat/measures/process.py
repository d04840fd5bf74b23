"""The resources that this process uses, as far as its system tells: Linux does, others tell less."""

from __future__ import annotations

import contextlib
import os
import threading
from pathlib import Path

_PROC = Path("/proc/self")


def threads() -> int:
    """Return the number of threads that Python knows."""
    return threading.active_count()


def memory() -> int | None:
    """Return the bytes of memory in use; None where that is not told."""
    with contextlib.suppress(OSError, ValueError, IndexError):
        return int((_PROC / "statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")
    return None


def descriptors() -> int | None:
    """Return the number of open descriptors; None where that is not told."""
    with contextlib.suppress(OSError):
        return len(os.listdir(_PROC / "fd")) - 1  # the list itself is one
    return None
