"""Calling functions at their times, in one thread that exists while any is to come."""

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
        self._is_running = False

    def set(self, key: str, when: float, call: Callable[[], None]) -> None:
        """Have `call` called at `when`, by time.monotonic(), in place of the one with that key."""
        with self._changed:
            self._calls[key] = when, call
            if not self._is_running:
                self._is_running = True
                threading.Thread(target=self._run, name="deadlines", daemon=True).start()
            self._changed.notify()

    def close(self) -> None:
        """Call nothing more."""
        with self._changed:
            self._calls.clear()
            self._changed.notify()

    def _run(self) -> None:
        while (call := self._next()) is not None:
            try:
                call()
            except Exception:
                log.exception("Something that was due failed")

    def _next(self) -> Callable[[], None] | None:
        """Wait for the next deadline and return its function; None once there are no more."""
        with self._changed:
            while self._calls:
                key = min(self._calls, key=lambda key: self._calls[key][0])
                when, call = self._calls[key]
                if (left := when - time.monotonic()) <= 0:
                    del self._calls[key]
                    return call
                self._changed.wait(left)
            self._is_running = False
            return None
