"""Tickets: for clients that can set no header, something in the address that is worthless once it has been used."""

from __future__ import annotations

import secrets
import threading
import time
from collections import OrderedDict
from collections.abc import Callable
from typing import Generic, TypeVar

Holder = TypeVar("Holder")

VALID = 60.0  # seconds
KEPT = 10_000  # the newest


class Tickets(Generic[Holder]):
    """Tickets that are valid for a minute and for one use, in memory. They can be used from any thread."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        """`clock` returns seconds, and never goes back."""
        self._clock = clock
        self._lock = threading.Lock()  # guards `_issued`
        self._issued: OrderedDict[str, tuple[float, Holder]] = OrderedDict()  # their ends, in this order

    def issue(self, holder: Holder) -> str:
        """Return a new ticket that stands for the holder."""
        ticket = secrets.token_urlsafe(32)
        with self._lock:
            now = self._clock()
            while self._issued and (len(self._issued) >= KEPT or next(iter(self._issued.values()))[0] <= now):
                self._issued.popitem(last=False)
            self._issued[ticket] = (now + VALID, holder)
        return ticket

    def redeem(self, ticket: str) -> Holder | None:
        """Return the holder, for the first time that a ticket is shown in time; afterwards, and for others, None."""
        with self._lock:
            end, holder = self._issued.pop(ticket, (0.0, None))
            return holder if end > self._clock() else None
