"""A reentrant lock that knows whether the current thread holds it."""

from __future__ import annotations

import threading


class OwnedLock:
    """A `threading.RLock` that lets a method assert that its caller holds it."""

    def __init__(self) -> None:
        self._lock = threading.RLock()

    def __enter__(self) -> None:
        self._lock.acquire()

    def __exit__(self, *exception: object) -> None:
        self._lock.release()

    def assert_held(self) -> None:
        """Fail unless the calling thread holds the lock."""
        assert self._lock._is_owned(), "the caller has to hold the lock"  # type: ignore[attr-defined]
