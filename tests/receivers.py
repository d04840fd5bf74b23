"""A receiver of WebSocket connections without AG2 and without sessions, and raw clients for it."""

from __future__ import annotations

import contextlib
import queue
import socket
import threading
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

from agentchat.net.listener import listening
from agentchat.net.resources import Room
from agentchat.ws.connection import ClientConnection
from agentchat.ws.receiving import Limits, Receiver
from agentchat.ws.workers import Workers
from tests.clients import PATIENCE

HANDSHAKE = (
    b"GET / HTTP/1.1\r\nHost: test\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n"
    b"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
)


class Receiving:
    """A receiver that listens, and the connections that were opened."""

    def __init__(self, listener: socket.socket, workers: Workers, limits: Limits) -> None:
        self.limits = limits
        self.address = listener.getsockname()
        self.opened: queue.SimpleQueue[ClientConnection] = queue.SimpleQueue()
        self.receiver = Receiver(listener, limits, workers, lambda connection, request: None)
        self.receiver.begin = self.opened.put

    def connect(self, source: str = "127.0.0.1") -> socket.socket:
        """Open a connection from that address."""
        return socket.create_connection(self.address, timeout=PATIENCE, source_address=(source, 0))

    def open(self, source: str = "127.0.0.1") -> socket.socket:
        """Open a connection and complete its handshake."""
        client = self.connect(source)
        client.sendall(HANDSHAKE)
        assert client.recv(12) == b"HTTP/1.1 101"
        while not client.recv(4096).endswith(b"\r\n\r\n"):
            continue
        return client


@contextlib.contextmanager
def receiving(**limits: Any) -> Iterator[Receiving]:
    """Accept and read connections while the context lasts; sockets have small buffers."""
    chosen = Limits.within(Room(), (0, 0), (0, 0), handshake_timeout=PATIENCE, memory=0)
    chosen = replace(chosen, **limits)
    listener = listening("127.0.0.1", 0)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 8192)
    with Workers(chosen.workers) as workers:
        server = Receiving(listener, workers, chosen)
        thread = threading.Thread(target=_run, args=(server.receiver,), name="receiver")
        thread.start()
        try:
            yield server
        finally:
            server.receiver.shutdown()
            thread.join(PATIENCE)


def _run(receiver: Receiver) -> None:
    with receiver:
        receiver.serve_forever()


def received(client: socket.socket) -> bytes:
    """Return all that the client is sent until its connection ends, and close it."""
    data = b""
    with client, contextlib.suppress(ConnectionResetError):
        while piece := client.recv(1 << 16):
            data += piece
    return data


def frame(opcode: int, payload: bytes, fin: bool = True) -> bytes:
    """Return a client's frame."""
    size = len(payload)
    if size < 126:
        length = bytes([0x80 | size])
    elif size < 65536:
        length = bytes([0x80 | 126]) + size.to_bytes(2, "big")
    else:
        length = bytes([0x80 | 127]) + size.to_bytes(8, "big")
    return bytes([opcode | (0x80 if fin else 0)]) + length + bytes(4) + payload
