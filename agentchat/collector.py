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

log = logging.getLogger(__name__)

YOUNG = 1_000  # new objects after which the young ones are looked at
MIDDLE = 3  # such looks after which those that stayed are looked at as well: 4,000, which takes up to 10 ms under load
NEVER = 1_000_000  # collections of the middle generation after which Python would begin a full one by itself
INTERVAL = 1.0  # seconds between looks for an idle moment
OVERDUE = 2_000  # collections of the middle generation after which a full one waits for no idle moment


class Pauses:
    """The collections made here, and the longest time for which one has stopped all threads.

    It is processor time: what other programs take away from it, on a busy machine, doesn't count. Those that Python
    begins by itself are short, and not among `gc.callbacks`: a callback lets other threads go on in the middle of a
    collection, which then has to look at all that they make.
    """

    def __init__(self) -> None:
        self.longest = 0.0

    def collect(self, generation: int = 2) -> None:
        """Collect that generation and those younger."""
        began = time.thread_time()
        gc.collect(generation)
        self.longest = max(self.longest, time.thread_time() - began)


pauses = Pauses()
"""The collections of this process."""


@contextlib.contextmanager
def tuned(is_idle: Callable[[], bool], interval: float = INTERVAL) -> Iterator[None]:
    """Collect fully while `is_idle` returns True, during the context. Logs the longest such pause at its end."""
    thresholds, ending = gc.get_threshold(), threading.Event()

    def collect() -> None:
        was_idle = False
        while not ending.wait(interval):
            now_idle = is_idle()
            if is_due(gc.get_count()[2], was_idle and now_idle):  # not just between two turns
                pauses.collect()
            was_idle = now_idle

    gc.collect()
    gc.freeze()  # what start-up made is never looked at again
    gc.set_threshold(YOUNG, MIDDLE, NEVER)
    thread = threading.Thread(target=collect, name="collect", daemon=True)
    thread.start()
    try:
        yield
    finally:
        ending.set()
        thread.join()
        gc.set_threshold(*thresholds)
        gc.unfreeze()
        log.info("The longest full collection of garbage took %.1f ms", pauses.longest * 1000)


def is_due(count: int, is_idle: bool) -> bool:
    """Return True if a full collection is due after so many of the middle generation."""
    return count >= OVERDUE or (is_idle and count > 0)
