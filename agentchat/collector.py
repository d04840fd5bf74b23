"""Python's garbage collector, kept from stopping all threads while turns run.

Its full collections look at every object there is: a tenth of a second and more, at a bad moment. Conversations leave
memory without it (`close` of sessions and agents), so it has little to do, and does it while nothing else happens.
"""

from __future__ import annotations

import contextlib
import gc
import logging
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any

log = logging.getLogger(__name__)

YOUNG = 2_000  # new objects after which the young ones are looked at
NEVER = 1_000_000  # collections of the middle generation after which Python would begin a full one by itself
INTERVAL = 0.25  # seconds between looks for an idle moment
SOON = 3  # collections of the middle generation after which a full one waits for no idle moment, …
OVERDUE = 100  # … and after which it does where it has much to look at
FEW = 50_000  # objects in use, which it looks at in some 5 ms


class Pauses:
    """The longest time for which the collector has stopped all threads.

    It is processor time: what other programs take away from it, on a busy machine, doesn't count.
    """

    def __init__(self) -> None:
        self.longest = 0.0
        self._began = 0.0

    def __call__(self, phase: str, info: dict[str, Any]) -> None:
        """Note the beginning or the end of a collection, as one of `gc.callbacks`."""
        if phase == "start":
            self._began = time.thread_time()
        else:
            self.longest = max(self.longest, time.thread_time() - self._began)


@contextlib.contextmanager
def tuned(is_idle: Callable[[], bool], interval: float = INTERVAL) -> Iterator[Pauses]:
    """Collect fully while `is_idle` returns True, during the context. Logs the longest pause at its end."""
    thresholds, pauses, ending = gc.get_threshold(), Pauses(), threading.Event()

    def collect() -> None:
        in_use = 0
        while not ending.wait(interval):
            if is_due(gc.get_count()[2], is_idle(), in_use):
                gc.collect()
                in_use = len(gc.get_objects())

    gc.collect()
    gc.freeze()  # what start-up made is never looked at again
    gc.set_threshold(YOUNG, thresholds[1], NEVER)
    gc.callbacks.append(pauses)
    thread = threading.Thread(target=collect, name="collect", daemon=True)
    thread.start()
    try:
        yield pauses
    finally:
        ending.set()
        thread.join()
        gc.callbacks.remove(pauses)
        gc.set_threshold(*thresholds)
        gc.unfreeze()
        log.info("The longest pause to collect garbage took %.1f ms", pauses.longest * 1000)


def is_due(count: int, is_idle: bool, in_use: int) -> bool:
    """Return True if a full collection is due after so many of the middle generation.

    What there is to collect takes time as well, so where little is in use it is not left to pile up.
    """
    return count >= (SOON if in_use < FEW else OVERDUE) or (is_idle and count > 0)
