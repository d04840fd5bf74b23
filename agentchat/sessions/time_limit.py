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
        self._left = seconds
        self._timer: threading.Timer | None = None
        self._began = 0.0

    def __enter__(self) -> TimeLimit:
        self._start()
        return self

    def __exit__(self, *exception: object) -> None:
        self._stop()

    @contextlib.contextmanager
    def paused(self) -> Iterator[None]:
        """Let time pass that does not count."""
        self._stop()
        try:
            yield
        finally:
            self._start()

    def _start(self) -> None:
        if self._seconds:
            self._began = time.monotonic()
            self._timer = threading.Timer(max(self._left, 0), self._end_turn)
            self._timer.name, self._timer.daemon = "time-limit", True
            self._timer.start()

    def _stop(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer.join()
            self._left -= time.monotonic() - self._began
            self._timer = None

    def _end_turn(self) -> None:
        self._token.stop("failed", ChatError("turn_timeout", seconds=f"{self._seconds:g}"))
