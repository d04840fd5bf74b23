"""A client's connection: what it has sent and nobody has read yet, and bytes that move within a time limit."""

from __future__ import annotations

import contextlib
import mmap
import socket
import time
from collections.abc import Callable
from typing import Any

from agentchat.net.tls import TlsSocket

MIB = 2**20


class Disconnected(Exception):
    """The client went away in the middle of its request."""


class Connection:
    """A connection.

    Each MiB that it sends or reads, and what is less than one, has to move within the seconds that `allow` gave. They
    are those of the monotonic clock, however many pieces the bytes come in.
    """

    def __init__(self, sock: socket.socket, peer: str, address: str) -> None:
        self.socket = sock
        self.peer = peer
        """The address at the other end."""
        self.address = address
        """The address for which it counts: behind a proxy, that of the client whose request is answered."""
        self.unread = bytearray()
        """Bytes that were received and belong to the next request, or to the body of the current one."""
        self.deadline = 0.0
        """The moment at which it is dropped, if it waits."""
        self.sent = 0
        """Bytes that it has been sent."""
        self.is_ending = False
        """It has had its last response; what it still sends is dropped."""
        self._seconds = self._left = 0.0
        self._moved = 0

    def allow(self, seconds: float) -> None:
        """Give each MiB that moves from now on this time."""
        self._seconds = self._left = seconds
        self._moved = 0

    def receive(self, size: int) -> bytes:
        """Return the next `size` bytes. Raises TimeoutError if they come too slowly, Disconnected if they end early."""
        if len(self.unread) >= size:
            taken = bytes(self.unread[:size])
            del self.unread[:size]
            return taken
        with mmap.mmap(-1, size) as body:  # only what arrives takes memory, and all of it is given back
            with memoryview(body) as view:
                have = len(self.unread)
                view[:have] = self.unread
                self.unread.clear()
                while have < size:
                    with view[have:] as rest:
                        received = self._move(self.socket.recv_into, rest)
                    if not received:
                        raise Disconnected
                    have += received
            return body[:size]

    def take_decrypted(self) -> None:
        """Take what TLS has decrypted already, where no selector sees it."""
        if isinstance(self.socket, TlsSocket):
            self.unread += self.socket.take()

    def send(self, data: bytes) -> None:
        """Send all of it. Raises TimeoutError if the client reads too slowly."""
        rest = memoryview(data)
        while rest:
            moved = self._move(self.socket.send, rest[:MIB])
            self.sent += moved
            rest = rest[moved:]

    def end(self) -> None:
        """Send no more, so that the client can read the last response before the connection closes."""
        with contextlib.suppress(OSError):
            self.socket.shutdown(socket.SHUT_WR)

    def close(self) -> None:
        self.socket.close()

    def _move(self, some: Callable[[Any], int], data: memoryview) -> int:
        if self._left <= 0:
            raise TimeoutError
        self.socket.settimeout(self._left)
        start = time.monotonic()
        moved = some(data)
        self._left -= time.monotonic() - start
        self._moved += moved
        if self._moved >= MIB:
            self.allow(self._seconds)
        return moved
