"""Listening sockets: ports that cannot be had, floods of connections, and exhausted file descriptors."""

from __future__ import annotations

import contextlib
import os
import resource
import socket
import struct
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from agentchat.net.listener import RETRY, Listener, Ports, room_for_connections
from agentchat.protocol.errors import ChatError, SettingsError
from tests.clients import PATIENCE, ChatClient, contents, wait_until
from tests.conftest import Fork
from tests.processes import ROOT

HELLO = b"hello"
RESET = struct.pack("ii", 1, 0)  # SO_LINGER: closing resets the connection


class Acceptor:
    """A listener, and the thread that greets those who connect."""

    def __init__(self, max_connections: int) -> None:
        self.listener = Listener("127.0.0.1", 0, max_connections)
        self.address = self.listener.getsockname()
        self.accepted: list[socket.socket] = []
        self.thread = threading.Thread(target=self._accept, name="acceptor", daemon=True)

    def connect(self) -> socket.socket:
        return socket.create_connection(self.address, timeout=PATIENCE)

    def close(self) -> None:
        with contextlib.suppress(OSError):  # closed by the test
            self.listener.shutdown(socket.SHUT_RDWR)  # wakes the thread
        self.listener.close()
        if self.thread.ident is not None:
            self.thread.join(PATIENCE)
        for connection in self.accepted:
            connection.close()

    def _accept(self) -> None:
        with contextlib.suppress(OSError):  # the listener was closed
            while True:
                connection, _ = self.listener.accept()
                self.accepted.append(connection)
                connection.sendall(HELLO)


Accept = Callable[[int], Acceptor]


@pytest.fixture
def accept() -> Iterator[Accept]:
    """Return a function that creates an `Acceptor`, whose thread the test starts."""
    with contextlib.ExitStack() as stack:

        def accept(max_connections: int) -> Acceptor:
            acceptor = Acceptor(max_connections)
            stack.callback(acceptor.close)
            return acceptor

        yield accept


def received(client: socket.socket) -> bytes:
    """Return all that the client is sent until its connection ends, and close it."""
    with client, client.makefile("rb") as stream:
        return stream.read()


def is_refused(answer: bytes) -> bool:
    """Return True for a complete response that says that there are too many connections."""
    head, _, body = answer.partition(b"\r\n\r\n")
    is_complete = f"Content-Length: {len(body)}".encode() in head.split(b"\r\n")
    is_known = body.decode() == ChatError("too_many_connections").message + "\n"
    return head.startswith(b"HTTP/1.1 503 ") and is_complete and is_known


# Ports


@pytest.mark.parametrize(
    ("host", "port", "sentence"),
    [
        ("192.0.2.1", 0, r"Cannot listen on 192\.0\.2\.1:0: Cannot assign requested address\."),
        ("127.0.0.1", 65536, "65536 is not a port: ports go from 0 to 65535."),
        ("127.0.0.1", -1, "-1 is not a port: ports go from 0 to 65535."),
    ],
)
def test_addresses_that_cannot_be_had(host: str, port: int, sentence: str) -> None:
    """An address that cannot be bound is an error of one sentence."""
    with pytest.raises(SettingsError, match=sentence):
        Listener(host, port, 1)


def test_a_port_in_use() -> None:
    """A port in use is an error that says what to do."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(SettingsError, match=f"Port {port} is in use. Stop what uses it, or choose another port"):
            Listener("127.0.0.1", port, 1)


def test_ports_are_given_back() -> None:
    """If the second port is taken, the first is released."""
    with socket.create_server(("127.0.0.1", 0)) as taken, socket.create_server(("127.0.0.1", 0)) as chosen:
        free, port = chosen.getsockname()[1], taken.getsockname()[1]
        chosen.close()
        with pytest.raises(SettingsError, match=f"Port {port} is in use"):
            Ports("127.0.0.1", free, port)
        socket.create_server(("127.0.0.1", free)).close()


# Floods


def test_a_flood_is_refused(accept: Accept) -> None:
    """Connections above the limit are told so and ended; when others have closed there is room again."""
    server = accept(2)
    server.thread.start()
    with server.connect() as first, server.connect() as second:
        assert (first.recv(5), second.recv(5)) == (HELLO, HELLO)
        flood = [server.connect() for _ in range(50)]
        assert [client for client in flood if not is_refused(received(client))] == []

        server.accepted[0].close()
        with server.connect() as late:
            assert late.recv(5) == HELLO
        assert is_refused(received(server.connect()))


def test_a_refused_client_that_has_gone(accept: Accept) -> None:
    """A client that resets its connection before it is refused doesn't end the listener."""
    server = accept(0)
    for _ in range(10):
        with server.connect() as rude:
            rude.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET)
    polite = server.connect()
    server.thread.start()

    assert is_refused(received(polite))


def test_hanging_up(accept: Accept) -> None:
    """Hanging up ends the accepted connections, also if some have ended already, and lets no more in."""
    server = accept(3)
    server.thread.start()
    clients = [server.connect() for _ in range(3)]
    assert [client.recv(5) for client in clients] == [HELLO] * 3
    server.accepted[0].close()
    server.listener.hang_up()

    assert [received(client) for client in clients] == [b""] * 3
    assert is_refused(received(server.connect()))


def test_closing_a_full_listener(accept: Accept) -> None:
    """A listener that has refused a connection can be closed: its thread doesn't wait for the next one."""
    server = accept(0)
    server.thread.start()
    assert is_refused(received(server.connect()))
    server.listener.close()
    server.thread.join(PATIENCE)

    assert not server.thread.is_alive()


# File descriptors


@contextlib.contextmanager
def no_descriptors() -> Iterator[None]:
    """Use up the file descriptors of this process while the context lasts."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    last = os.open(os.devnull, os.O_RDONLY)  # the lowest that is free, so that all below it are in use
    resource.setrlimit(resource.RLIMIT_NOFILE, (last + 1, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
        os.close(last)


def test_connections_wait_for_descriptors(accept: Accept, caplog: pytest.LogCaptureFixture) -> None:
    """Without descriptors connections wait, and the thread pauses between its attempts."""
    server = accept(10)
    server.thread.start()
    with contextlib.ExitStack() as stack:
        clients = [stack.enter_context(socket.socket()) for _ in range(5)]
        with no_descriptors():
            for client in clients:
                client.settimeout(PATIENCE)
                client.connect(server.address)
            wait_until(lambda: "Out of file descriptors" in caplog.text)
            before = len(caplog.records)
            time.sleep(5 * RETRY)
            attempts = len(caplog.records) - before
            served = len(server.accepted)

        assert served <= 1  # the kernel had set a descriptor aside for the accept that was waiting
        assert attempts <= 6
        assert [client.recv(5) for client in clients] == [HELLO] * 5


@pytest.mark.parametrize(("limit", "room"), [(1000, 225), (120, 10)])
def test_room_for_connections(limit: int, room: int) -> None:
    """The limit on descriptors is raised as far as it goes, and most of them are for connections."""
    program = (
        "import resource\n"
        "from agentchat.net.listener import room_for_connections\n"
        f"resource.setrlimit(resource.RLIMIT_NOFILE, (64, {limit}))\n"
        "print(room_for_connections(), *resource.getrlimit(resource.RLIMIT_NOFILE))\n"
    )
    command = [sys.executable, "-c", program]
    output = subprocess.check_output(command, env={**os.environ, "PYTHONPATH": str(ROOT)}, text=True)

    assert output.split() == [str(room), str(limit), str(limit)]


def test_room_without_a_limit(monkeypatch: pytest.MonkeyPatch) -> None:
    """Windows has no limit on descriptors."""
    monkeypatch.setitem(sys.modules, "resource", None)

    assert room_for_connections() == 5000


def test_a_server_without_descriptors(fork: Fork) -> None:
    """A server whose descriptors a flood has used up idles, and answers again when the flood is over."""
    with fork("demo", "--port", "0", "--ws-port", "0", environment={}) as server:
        limit = max(descriptors(server.pid)) + 30
        _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
        resource.prlimit(server.pid, resource.RLIMIT_NOFILE, (limit, hard))
        with contextlib.ExitStack() as flood:
            for address in [server.page] * 50 + [server.websocket] * 50:
                port = urlsplit(address).port or 0
                flood.enter_context(socket.create_connection(("127.0.0.1", port)))
            wait_until(lambda: len(descriptors(server.pid)) >= limit - 2)  # two may be set aside for accepting
            before = processor_seconds(server.pid)
            time.sleep(1)
            assert processor_seconds(server.pid) - before < 0.3

        with ChatClient(server.websocket) as client:
            client.confirmed()
            frames = client.ask("What is the weather in Oslo?")
        assert contents(frames, "turn_completed")[0]["status"] == "completed"


def descriptors(pid: int) -> set[int]:
    """Return the file descriptors that a process has open."""
    return {int(name) for name in os.listdir(f"/proc/{pid}/fd")}


def processor_seconds(pid: int) -> float:
    """Return the processor time that a process has used."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")
