"""Limits of the HTTP port for each address and in all: connections, requests, streams, and memory for bodies.

A connection that waits for a request costs no thread, and the oldest of them makes room for a new one. Requests have a
thread while they are answered. Those that wait for agents, streams above all, are counted apart, so that they leave
others room; the page and `/healthz` are answered from a reserve when nothing else is.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from dataclasses import dataclass

from agentchat.net import resources
from agentchat.net.admission import Admission, within
from agentchat.protocol.errors import ChatError

MIB = 2**20
RESERVE = 16  # requests for the page or its health, beyond the limit
LEAST = 4  # requests at once and streams, however little room there is
SMALL_BODY = 64 * 2**10  # bytes; smaller ones are limited by the number of requests

CONNECTIONS = "connections"
REQUESTS = "requests"
STREAMS = "streams and waiting requests"
BODIES = "bytes of unfinished uploads"


@dataclass(frozen=True)
class Rules:
    """The limits that settings can change; 0 means no limit."""

    connections: int = 1000
    connections_per_address: int = 500
    requests: int = 200
    requests_per_address: int = 100
    streams: int = 400
    streams_per_address: int = 200
    body_memory: int = 64
    """MiB."""
    timeout: float = 20.0
    """Seconds for the head of a request, for each MiB of its body, and for each MiB of the response."""


class Limits:
    """The limits of a running server, lowered to what the process can have, and what is held of them."""

    def __init__(self, rules: Rules) -> None:
        room = resources.room()
        self.timeout = rules.timeout
        connections = max(room.descriptors // 3, 3 * LEAST)
        requests = max(min(room.threads // 4, room.descriptors // 8), LEAST)
        streams = max(min(room.threads // 3, room.descriptors // 8), LEAST)  # each has two descriptors more
        self.connections = within(connections, rules.connections, rules.connections_per_address)
        self.requests = within(requests, rules.requests, rules.requests_per_address)
        self.reserve = Admission(RESERVE, RESERVE - RESERVE // 4)
        self.streams = within(streams, rules.streams, rules.streams_per_address)
        self.bodies = Admission(rules.body_memory * MIB, rules.body_memory * MIB * 3 // 4)

    @contextlib.contextmanager
    def stream(self, address: str) -> Iterator[None]:
        """Hold a stream while the context lasts. Raises ChatError if there are too many."""
        with held(self.streams, address, 1, STREAMS):
            yield

    @contextlib.contextmanager
    def body(self, address: str, size: int) -> Iterator[None]:
        """Hold memory for a body while the context lasts. Raises ChatError if others hold too much."""
        with held(self.bodies, address, size if size > SMALL_BODY else 0, BODIES):
            yield


class Slot:
    """One of the requests that are answered at once. It can be given back before the request has ended."""

    def __init__(self, admission: Admission, address: str) -> None:
        self._admission = admission
        self._address = address
        self._is_held = True

    def leave(self) -> None:
        """Give it back, once; called only by the thread that answers the request, or when there is none."""
        if self._is_held:
            self._is_held = False
            self._admission.leave(self._address)


@contextlib.contextmanager
def held(admission: Admission, address: str, amount: int, what: str) -> Iterator[None]:
    """Hold an amount while the context lasts. Raises ChatError if it is over a limit."""
    if not admission.enter(address, amount):
        raise refusal(admission, address, amount, what)
    try:
        yield
    finally:
        admission.leave(address, amount)


def refusal(admission: Admission, address: str, amount: int, what: str) -> ChatError:
    """The error for a client over the limit of its address, or over that of all."""
    if admission.exceeds_own(address, amount):
        return ChatError("too_many_requests", what=what, limit=f"{admission.per_address:,}")
    return ChatError("server_full", what=what)
