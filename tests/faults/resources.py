"""The threads and descriptors of a server: at the end of a schedule they are near those of its start."""

from __future__ import annotations

import time
from collections import Counter
from pathlib import Path

WITHIN = 10.0  # seconds in which everything is given back
THREADS = 6  # that a server may start once and keep
DESCRIPTORS = 12  # the same, for its connections to the model


class Resources:
    """Compares what the last server uses when nobody is there with what it used at its start."""

    def __init__(self) -> None:
        self._pid = 0
        self._before = (0, 0)

    def begin(self, pid: int) -> None:
        """Take note of a server that has just started."""
        self._pid = pid
        try:
            self._before = _used(pid)
        except OSError:
            return  # killed already, so it is not the last one

    def wait(self, figures: Counter[str]) -> list[str]:
        """Wait until everything is given back; return a complaint if it is not."""
        deadline = time.monotonic() + WITHIN
        while True:
            threads, descriptors = _used(self._pid)
            if threads <= self._before[0] + THREADS and descriptors <= self._before[1] + DESCRIPTORS:
                figures["servers back to their baseline"] += 1
                return []
            if time.monotonic() > deadline:
                then = f"{self._before[0]} threads and {self._before[1]} descriptors"
                return [f"the server had {then}, and has {threads} and {descriptors} after everybody has left"]
            time.sleep(0.05)  # no event says that a thread has ended


def _used(pid: int) -> tuple[int, int]:
    """Return the numbers of threads and descriptors."""
    process = Path(f"/proc/{pid}")
    return len(list((process / "task").iterdir())), len(list((process / "fd").iterdir()))
