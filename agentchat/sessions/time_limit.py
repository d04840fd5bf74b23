"""The time limit of a turn."""

from __future__ import annotations

import contextlib
import threading
import time
from collections.abc import Iterator

from agentchat.cancellation import StopToken
from agentchat.protocol.errors import ChatError


class TimeLimit:
    """Ends a turn after a number of seconds, during its context. Time spent waiting for people does not count."""

    def __init__(self, token: StopToken, seconds: float) -> None:
        """`seconds` is 0 for no limit."""
        self._token = token
        self._seconds = seconds
        self._lock = threading.Lock()  # guards what follows; threads that were left behind may still be waiting
        self._pauses = 1
        self._left = seconds
        self._timer: threading.Timer | None = None
        self._began = 0.0

    def __enter__(self) -> TimeLimit:
        self._go_on()
        return self

    def __exit__(self, *exception: object) -> None:
        self._pause()

    @contextlib.contextmanager
    def paused(self) -> Iterator[None]:
        """Let time pass that does not count."""
        self._pause()
        try:
            yield
        finally:
            self._go_on()

    def _go_on(self) -> None:
        with self._lock:
            self._pauses -= 1
            if self._seconds and not self._pauses:
                self._began = time.monotonic()
                self._timer = threading.Timer(max(self._left, 0), self._end_turn)
                self._timer.name, self._timer.daemon = "time-limit", True
                self._timer.start()

    def _pause(self) -> None:
        with self._lock:
            self._pauses += 1
            timer, self._timer = self._timer, None
            if timer is not None:
                timer.cancel()
                self._left -= time.monotonic() - self._began
        if timer is not None:
            timer.join()

    def _end_turn(self) -> None:
        self._token.stop("failed", ChatError("turn_timeout", seconds=f"{self._seconds:g}"))
