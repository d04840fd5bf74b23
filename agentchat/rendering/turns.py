"""One text at a time for each person, so that nobody's texts, however slow, keep the others' waiting."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Iterator


class Turns:
    """Locks by person, for as long as somebody holds them or waits. All methods can be called from any thread."""

    def __init__(self) -> None:
        self._lock = threading.Lock()  # guards what follows
        self._turns: dict[str, tuple[threading.Lock, int]] = {}  # and how many hold it or wait

    @contextlib.contextmanager
    def turn(self, person: str) -> Iterator[None]:
        """Wait until this person has nothing else rendered, and let them begin nothing else meanwhile."""
        with self._lock:
            lock, count = self._turns.get(person, (threading.Lock(), 0))
            self._turns[person] = lock, count + 1
        try:
            with lock:
                yield
        finally:
            with self._lock:
                _, count = self._turns.pop(person)
                if count > 1:
                    self._turns[person] = lock, count - 1

    def __len__(self) -> int:
        """Return the number of people who have something rendered."""
        with self._lock:
            return len(self._turns)
