"""Limits on how often people do something: a rate, with a burst for those who were quiet before."""

from __future__ import annotations

import math
import threading
import time
from collections import OrderedDict
from collections.abc import Callable

from agentchat.protocol.identity import PEOPLE_PER_ADDRESS, Caller

_ALL = "all"


class Rates:
    """Token buckets: one for each person, one for each address, and one for all.

    Whoever is known is limited as a person, and everybody by their address. All methods can be called from any thread.
    """

    def __init__(
        self, per_person: float, in_all: float, burst: float, monotonic: Callable[[], float] = time.monotonic
    ) -> None:
        """The rates are per second, 0 for no limit. A full bucket holds what its rate gives in `burst` seconds."""
        self._per_person = per_person
        self._in_all = in_all
        self._burst = burst
        self._monotonic = monotonic
        self._lock = threading.Lock()  # guards what follows
        self._full_at: OrderedDict[str, float] = OrderedDict()  # when each bucket is full again; last used at the end

    def take(self, caller: Caller) -> int:
        """Count one more thing that the caller does, and return 0; or the seconds to wait if it is too much."""
        now = self._monotonic()
        rates = {
            f"person {caller.person}": self._per_person if caller.person else 0,
            f"address {caller.address}": self._per_person * PEOPLE_PER_ADDRESS if caller.address else 0,
            _ALL: self._in_all,
        }
        with self._lock:
            self._forget_full(now)
            filled = {}
            for key, rate in rates.items():
                if rate:
                    filled[key] = max(self._full_at.get(key, now), now) + 1 / rate
                    missing = filled[key] - now - max(self._burst, 1 / rate)
                    if missing > 1e-6:  # as large as rounding
                        return math.ceil(missing)
            for key, full_at in filled.items():
                self._full_at[key] = full_at
                self._full_at.move_to_end(key)
            return 0

    def __len__(self) -> int:
        """Return the number of buckets in memory, which are those that were not full lately."""
        with self._lock:
            return len(self._full_at)

    def _forget_full(self, now: float) -> None:
        assert self._lock.locked()
        while self._full_at:
            key, full_at = next(iter(self._full_at.items()))
            if full_at > now:
                return  # those behind it are forgotten once it is full, which takes no longer than `burst`
            del self._full_at[key]
