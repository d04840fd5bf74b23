"""Faults inside a server: it kills itself at an append, its wall clock is wrong, it is more or less patient."""

from __future__ import annotations

import os
import signal
import sys
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime, timedelta, tzinfo
from pathlib import Path
from types import ModuleType
from typing import Any

from agentchat import app
from agentchat.mcp import servers
from agentchat.protocol.events import Draft, Event
from agentchat.sessions import expiry
from agentchat.store import sqlite
from agentchat.store.sqlite import SqliteStore

Inside = Mapping[str, Any]
"""`crash` {append, when}, `clock` (a file with an offset in seconds) and PATIENCE, each may be missing."""

PATIENCE: Mapping[str, tuple[ModuleType, str, Callable[[int], object]]] = {
    "busy_timeout": (sqlite, "BUSY_TIMEOUT", int),  # ms
    "doubt": (expiry, "DOUBT", lambda seconds: timedelta(seconds=seconds)),
    "tools_timeout": (servers, "TOOLS_TIMEOUT", float),  # seconds
}
"""The constants that can be given other values."""


def break_inside(what: Inside) -> None:
    """Prepare this process, which is going to be a server."""
    if crash := what.get("crash"):
        vars(app)["SqliteStore"] = lambda folder, **options: FragileStore(folder, **crash, **options)
    if clock := what.get("clock"):
        _shift_clock(Path(clock))
    for what_for, (module, constant, converted) in PATIENCE.items():
        if what_for in what:
            assert hasattr(module, constant)
            vars(module)[constant] = converted(what[what_for])


def _shift_clock(file: Path) -> None:
    """Make all of the server's own modules read the wall clock with the file's offset; monotonic clocks stay right."""
    right = time.time

    def wrong() -> float:
        return right() + int(file.read_text())

    class WrongDatetime(datetime):
        @classmethod
        def now(cls, tz: tzinfo | None = None) -> datetime:  # type: ignore[override]
            return datetime.now(tz) + timedelta(seconds=int(file.read_text()))

    time.time = wrong
    for name, module in list(sys.modules.items()):
        if name.startswith("agentchat.") and getattr(module, "datetime", None) is datetime:
            vars(module)["datetime"] = WrongDatetime


class FragileStore(SqliteStore):
    """A store that kills its own process right before or after one of its appends."""

    def __init__(self, folder: Path, append: int, when: str, **options: Any) -> None:
        super().__init__(folder, **options)
        self._left = append
        self._when = when
        self._count_lock = threading.Lock()  # guards `_left`

    def append(self, session_id: str, drafts: Sequence[Draft], *more: Any, **options: Any) -> list[Event]:
        with self._count_lock:
            self._left -= 1
            is_last = self._left == 0
        if is_last and self._when == "before":
            os.kill(os.getpid(), signal.SIGKILL)
        written = super().append(session_id, drafts, *more, **options)
        if is_last:
            os.kill(os.getpid(), signal.SIGKILL)
        return written
