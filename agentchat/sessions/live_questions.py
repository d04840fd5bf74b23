"""The open questions whose turns are in memory: the newest few. The others wait as they do for the next server."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Callable, Iterator


class LiveQuestions:
    """The questions of all sessions whose agents wait in memory, at most `limit` of them."""

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._lock = threading.Lock()  # guards `_let_go`
        self._let_go: dict[object, Callable[[], None]] = {}  # oldest first

    @contextlib.contextmanager
    def waiting(self, let_go: Callable[[], None]) -> Iterator[None]:
        """Count a question during the context. `let_go` is called, once, if its agents are to leave memory."""
        key, oldest = object(), None
        with self._lock:
            self._let_go[key] = let_go
            if len(self._let_go) > self._limit:
                oldest = self._let_go.pop(next(iter(self._let_go)))
        if oldest is not None:
            oldest()
        try:
            yield
        finally:
            with self._lock:
                self._let_go.pop(key, None)
