"""A receiver of WebSocket connections without AG2 and without sessions, and raw clients for it."""

from __future__ import annotations

import contextlib
import queue
import socket
import ssl
import threading
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

from agentchat.auth.proxies import Proxies
from agentchat.net.listener import listening
from agentchat.net.resources import Room
from agentchat.net.tls import TlsListener
from agentchat.ws.connection import ClientConnection, Message
from agentchat.ws.receiving import Limits, Receiver
from agentchat.ws.sending import Client, Deliverer
from agentchat.ws.workers import Workers
from tests.certificates import certificate, trust
from tests.clients import PATIENCE

HANDSHAKE = (
    b"GET / HTTP/1.1\r\nHost: test\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n"
    b"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
)


class Receiving:
    """A receiver that listens, and the connections that were opened."""

    def __init__(self, listener: socket.socket, workers: Workers, limits: Limits) -> None:
        self.limits = limits
        self._is_secure = isinstance(listener, TlsListener)
        self.address = listener.getsockname()
        self.opened: queue.SimpleQueue[ClientConnection] = queue.SimpleQueue()
        self.receiver = Receiver(listener, limits, workers, lambda connection, request: None, Proxies())
        self.receiver.begin = self.opened.put

    def connect(self, source: str = "127.0.0.1") -> socket.socket:
        """Open a connection from that address, and shake hands if it is over TLS."""
        client = socket.create_connection(self.address, timeout=PATIENCE, source_address=(source, 0))
        if not self._is_secure:
            return client
        return trust().wrap_socket(client, server_hostname="127.0.0.1", suppress_ragged_eofs=False)

    def open(self, source: str = "127.0.0.1") -> socket.socket:
        """Open a connection and complete its handshake."""
        client = self.connect(source)
        client.sendall(HANDSHAKE)
        assert client.recv(12) == b"HTTP/1.1 101"
        while not client.recv(4096).endswith(b"\r\n\r\n"):
            continue
        return client


@contextlib.contextmanager
def receiving(over: str = "tcp", **limits: Any) -> Iterator[Receiving]:
    """Accept and read connections over "tcp" or "tls" while the context lasts; sockets have small buffers."""
    chosen = Limits.within(Room(), (0, 0), (0, 0), handshake_timeout=PATIENCE, memory=0)
    chosen = replace(chosen, **limits)
    listener = listening("127.0.0.1", 0)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 8192)
    if over == "tls":
        listener = TlsListener(listener, certificate())
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
    with client, contextlib.suppress(ConnectionResetError, ssl.SSLEOFError):
        while piece := client.recv(1 << 16):
            data += piece
    return data


def frame(opcode: int, payload: bytes, fin: bool = True, mask: bool = True) -> bytes:
    """Return a client's frame; without `mask`, a server's."""
    size, flag = len(payload), 0x80 if mask else 0
    if size < 126:
        length = bytes([flag | size])
    elif size < 65536:
        length = bytes([flag | 126]) + size.to_bytes(2, "big")
    else:
        length = bytes([flag | 127]) + size.to_bytes(8, "big")
    return bytes([opcode | (0x80 if fin else 0)]) + length + (bytes(4) if mask else b"") + payload


def echo(connection: ClientConnection, deliverer: Deliverer) -> None:
    """Send the client what it sends, from now on; `deliverer` sends what the socket doesn't take at once."""
    client = Client(connection, deliverer)

    def send(message: Message) -> None:
        protocol = connection.protocol
        if isinstance(message, str):
            connection.write(lambda: protocol.send_text(message.encode()))
        else:
            connection.write(lambda: protocol.send_binary(message))
        if connection.is_stalled:
            deliverer.due(client)

    connection.receive = send
