"""Slowing down whoever guesses passwords: for one account, and from one address."""

from __future__ import annotations

import math
import threading
import time
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass

from agentchat.auth import names
from agentchat.protocol.errors import TooFast
from agentchat.protocol.identity import network

FREE_PER_ACCOUNT = 5  # failures without a wait
FREE_PER_ADDRESS = 20  # which people share
LONGEST_PER_ACCOUNT = 60.0  # seconds to wait; short, since anybody can let the owner of an account wait
LONGEST_PER_ADDRESS = 900.0
FORGOTTEN = 3600.0  # seconds after the newest failure
KEPT = 10_000  # accounts, and as many addresses


@dataclass
class _Failures:
    """The failures of one account or address."""

    count: int = 0
    newest: float = 0.0
    until: float = 0.0
    """The end of the wait."""


class Attempts:
    """The attempts to log in, in memory. It can be used from any thread."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        """`clock` returns seconds, and never goes back."""
        self._clock = clock
        self._lock = threading.Lock()  # guards what follows
        self._accounts: OrderedDict[str, _Failures] = OrderedDict()  # the newest failure last
        self._addresses: OrderedDict[str, _Failures] = OrderedDict()

    def begin(self, login: str, address: str) -> None:
        """Count an attempt, as a failure until it has `succeeded`: so many at once are no way around the wait.

        Raises TooFast for one that comes too early, which is not counted.
        """
        login, address = names.key(login), network(address)
        with self._lock:
            now = self._clock()
            account, origin = self._failures(self._accounts, login, now), self._failures(self._addresses, address, now)
            wait = max(account.until, origin.until) - now
            if wait > 0:
                raise TooFast("too_many_attempts", math.ceil(wait))
            _count(account, now, FREE_PER_ACCOUNT, LONGEST_PER_ACCOUNT)
            _count(origin, now, FREE_PER_ADDRESS, LONGEST_PER_ADDRESS)

    def succeeded(self, login: str, address: str) -> None:
        """Forget the failures of the account, and of the address only this attempt, so that one account frees no other.

        Call it once after `begin`.
        """
        with self._lock:
            self._accounts.pop(names.key(login), None)
            origin = self._addresses.get(network(address))
            if origin and origin.count:
                origin.count -= 1
                origin.until = 0.0

    def _failures(self, known: OrderedDict[str, _Failures], key: str, now: float) -> _Failures:
        """Return the failures of a key, as the newest. The lock must be held."""
        assert self._lock.locked()
        found = known.pop(key, None)
        if found is None or now - found.newest > FORGOTTEN:
            found = _Failures()
        known[key] = found
        while len(known) > KEPT:
            known.popitem(last=False)
        return found


def _count(failures: _Failures, now: float, free: int, longest: float) -> None:
    failures.count += 1
    failures.newest = now
    doubled = failures.count - free
    if doubled >= 0:
        failures.until = now + min(2.0 ** min(doubled, 60), longest)
