"""Calling functions at their times, in one thread."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable

log = logging.getLogger(__name__)


class Deadlines:
    """Functions to be called, each at its time."""

    def __init__(self) -> None:
        self._changed = threading.Condition()  # guards what follows
        self._calls: dict[str, tuple[float, Callable[[], None]]] = {}
        self._thread: threading.Thread | None = None
        self._is_closed = False

    def start(self) -> None:
        """Start the thread, unless it runs: it can't be started later if the process has as many as it may."""
        with self._changed:
            if self._thread is None and not self._is_closed:
                self._thread = threading.Thread(target=self._run, name="deadlines", daemon=True)
                self._thread.start()

    def set(self, key: str, when: float, call: Callable[[], None]) -> None:
        """Have `call` called at `when`, by time.monotonic(), in place of the one with that key."""
        self.start()
        with self._changed:
            self._calls[key] = when, call
            self._changed.notify()

    def close(self) -> None:
        """Call nothing more, and end the thread."""
        with self._changed:
            self._is_closed = True
            self._calls.clear()
            self._changed.notify()

    def _run(self) -> None:
        while (call := self._next()) is not None:
            try:
                call()
            except Exception:
                log.exception("Something that was due failed")

    def _next(self) -> Callable[[], None] | None:
        """Wait for the next deadline and return its function; None once it is closed."""
        with self._changed:
            while not self._is_closed:
                key = min(self._calls, key=lambda key: self._calls[key][0], default=None)
                if key is None:
                    self._changed.wait()
                    continue
                when, call = self._calls[key]
                if (left := when - time.monotonic()) <= 0:
                    del self._calls[key]
                    return call
                self._changed.wait(left)
            return None
