"""A few threads that carry out what may wait: for the store, for a lock, for an agent file."""

from __future__ import annotations

import contextvars
import logging
import threading
import time
from collections import deque
from collections.abc import Callable

log = logging.getLogger(__name__)

IDLE_TIMEOUT = 2.0  # seconds after which a thread without work ends; one stays
END_TIMEOUT = 2.0  # seconds that the threads have to end
QUIET = 60.0  # seconds between two notes in the log that no thread could be started


class Workers:
    """Threads that start when there is work for them, up to a limit, and share one queue of jobs.

    If a thread cannot be started, those that there are do the work; the first is started with the server.
    """

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._lock = threading.Condition()  # guards what follows
        self._jobs: deque[Callable[[], None]] = deque()
        self._threads: set[threading.Thread] = set()
        self._idle = 0
        self._is_ending = False
        self._noted = -QUIET

    def __enter__(self) -> Workers:
        with self._lock:
            self._start()
        return self

    def __exit__(self, *exception: object) -> None:
        """Finish what is in the queue, and end."""
        with self._lock:
            self._is_ending = True
            self._lock.notify_all()
            threads = list(self._threads)
        deadline = time.monotonic() + END_TIMEOUT
        for thread in threads:
            thread.join(max(deadline - time.monotonic(), 0))

    def do(self, job: Callable[[], None]) -> None:
        """Have a thread do this."""
        with self._lock:
            self._jobs.append(job)
            if self._idle >= len(self._jobs):
                self._lock.notify()
            elif len(self._threads) < self._limit and not self._is_ending:
                try:
                    self._start()
                except (RuntimeError, MemoryError) as error:
                    self._note(error)

    def _start(self) -> None:
        thread = threading.Thread(target=self._run, name=f"worker-{len(self._threads)}", daemon=True)
        contextvars.Context().run(thread.start)  # it outlives the turn in which it may have become necessary
        self._threads.add(thread)

    def _note(self, error: Exception) -> None:
        if time.monotonic() - self._noted >= QUIET:
            self._noted = time.monotonic()
            log.warning("No thread could be started (%s); %d threads do the work", error, len(self._threads))

    def _run(self) -> None:
        while (job := self._next()) is not None:
            try:
                job()
            except Exception:
                log.exception("A job failed")
            del job  # it may hold a conversation

    def _next(self) -> Callable[[], None] | None:
        """Wait for a job. Returns None when this thread is to end."""
        with self._lock:
            while not self._jobs:
                is_notified = False
                if not self._is_ending:
                    self._idle += 1
                    is_notified = self._lock.wait(IDLE_TIMEOUT)
                    self._idle -= 1
                is_needed = is_notified or self._jobs or len(self._threads) == 1
                if (self._is_ending and not self._jobs) or not is_needed:
                    self._threads.discard(threading.current_thread())
                    return None
            return self._jobs.popleft()
