"""Admission: how much of something scarce each address may have, and all of them together."""

from __future__ import annotations

import threading
from collections import Counter

from agentchat.protocol.identity import network

SHARE = 4  # of a limit that was lowered: one address may have all but a fourth


class Admission:
    """Counts what clients hold, such as connections, handshakes in flight, or bytes in memory.

    An address may hold `per_address`, and all addresses together `in_all`; 0 means no limit. Clients on this machine
    count like any other. An IPv6 network of 64 bits counts as one address, because that is what one machine is given.
    The address "" is that of clients who are not known yet, behind a proxy: it counts in the total only. All methods
    can be called from any thread.
    """

    def __init__(self, in_all: int, per_address: int = 0) -> None:
        self.in_all = in_all
        self.per_address = per_address
        self._lock = threading.Lock()  # guards what follows
        self._held: Counter[str] = Counter()
        self._total = 0

    def enter(self, address: str, amount: int = 1) -> bool:
        """Let an address hold `amount` more. Returns False, and counts nothing, if that is over one of the limits."""
        key = network(address)
        with self._lock:
            if self.in_all and self._total + amount > self.in_all:
                return False
            if self._exceeds_own(key, amount):
                return False
            self._held[key] += amount
            self._total += amount
            return True

    def move(self, address: str, to: str) -> bool:
        """Count one for another address from now on. Returns False, and changes nothing, if that is over its limit."""
        key, other = network(address), network(to)
        with self._lock:
            if key == other:
                return True
            if self._exceeds_own(other, 1):
                return False
            self._held[other] += 1
            self._take(key, 1)
            return True

    def exceeds_own(self, address: str, amount: int = 1) -> bool:
        """Return True if `amount` more would be over the limit of that address, whatever others hold."""
        with self._lock:
            return self._exceeds_own(network(address), amount)

    def _exceeds_own(self, key: str, amount: int) -> bool:
        assert self._lock.locked()
        return bool(key and self.per_address) and self._held.get(key, 0) + amount > self.per_address

    def _take(self, key: str, amount: int) -> None:
        assert self._lock.locked()
        self._held[key] -= amount
        if not self._held[key]:
            del self._held[key]

    def leave(self, address: str, amount: int = 1) -> None:
        """Give back what `enter` let that address hold, or a part of it."""
        key = network(address)
        with self._lock:
            self._total -= amount
            self._take(key, amount)

    @property
    def total(self) -> int:
        """The amount that all addresses hold together."""
        with self._lock:
            return self._total

    def held(self, address: str) -> int:
        """Return what that address holds."""
        with self._lock:
            return self._held.get(network(address), 0)


def within(room: int, in_all: int, per_address: int) -> Admission:
    """Return an admission with these limits, lowered to the room that there is.

    Then one address cannot take all of it.
    """
    if in_all and in_all <= room:
        return Admission(in_all, per_address)
    share = max(room - room // SHARE, 1)
    return Admission(room, min(per_address or share, share))
