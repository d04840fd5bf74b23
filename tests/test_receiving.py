"""Accepting and reading connections: floods, silence, exhausted descriptors and threads, and who doesn't read."""

from __future__ import annotations

import contextlib
import gc
import os
import resource
import signal
import socket
import struct
import threading
import time
import weakref
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest

from agentchat.net.admission import Admission
from agentchat.net.listener import RETRY
from agentchat.net.resources import Room
from agentchat.protocol.errors import ChatError
from agentchat.ws import receiving as receiving_module
from agentchat.ws.connection import MAX_DISCARDED, MAX_UNREAD, ClientConnection
from agentchat.ws.receiving import FREE_BYTES, READ_BYTES, Limits
from agentchat.ws.sending import Client, Deliverer
from tests.clients import PATIENCE, ChatClient, contents, wait_until
from tests.conftest import Fork
from tests.receivers import HANDSHAKE, Receiving, echo, frame, received, receiving

RESET = struct.pack("ii", 1, 0)  # SO_LINGER: closing resets the connection
CONT, TEXT, CLOSE, PING = 0, 1, 8, 9


@pytest.fixture
def over(request: pytest.FixtureRequest) -> str:
    """Return the protocol below: TCP alone, or TLS as well, for tests with the mark EITHER."""
    return str(getattr(request, "param", "tcp"))


EITHER = pytest.mark.parametrize("over", ["tcp", "tls"], indirect=True)


@pytest.fixture
def server(over: str) -> Iterator[Receiving]:
    """Receive without limits."""
    with receiving(over) as server:
        yield server


def refusal(answer: bytes) -> tuple[int, str]:
    """Return the status and the sentence of a complete response."""
    head, _, body = answer.partition(b"\r\n\r\n")
    assert f"Content-Length: {len(body)}".encode() in head.split(b"\r\n")
    return int(head.split()[1]), body.decode().rstrip("\n")


FULL = (503, ChatError("too_many_connections").message)


# Limits


@EITHER
def test_a_flood_is_refused(over: str) -> None:
    """Connections above the limit are told so and ended; when others have closed there is room again."""
    connections = Admission(in_all=2)
    with receiving(over, connections=connections) as server, server.open() as first, server.open():
        flood = [server.connect() for _ in range(50)]
        for client in flood:
            client.sendall(HANDSHAKE)
        assert {refusal(received(client)) for client in flood} == {FULL}

        first.close()
        wait_until(lambda: connections.total == 1)
        with server.open():
            assert refusal(received(server.connect())) == FULL
    assert connections.total == 0


def test_refused_clients_leave_descriptors(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where descriptors are few, most of those that are refused are answered and closed at once."""
    limits = Limits.within(Room(descriptors=40), (0, 0), (0, 0), handshake_timeout=PATIENCE, memory=0)
    assert limits.lingering == 5
    monkeypatch.setattr(receiving_module, "LINGER", 10 * PATIENCE)
    with receiving(connections=Admission(1), lingering=2) as server, server.open():
        silent = [server.connect() for _ in range(10)]
        assert [refusal(received(client)) for client in silent[2:]] == [FULL] * 8
        for client in silent:
            client.close()


def test_an_address_has_a_limit_of_its_own() -> None:
    """An address with too many connections is refused in words; others get in."""
    connections = Admission(in_all=0, per_address=2)
    with receiving(connections=connections) as server, server.open(), server.open() as second:
        status, sentence = refusal(received(server.connect()))
        assert (status, sentence.partition(";")[0]) == (429, "Your address has too many connections at once")
        with server.open("127.0.0.2"):
            assert connections.total == 3
        second.close()
        wait_until(lambda: connections.total == 1)
        with server.open():
            assert connections.held("127.0.0.1") == 2


@EITHER
def test_handshakes_have_a_limit(over: str) -> None:
    """Silent connections of one address don't keep others from connecting, and count no more once they are gone."""
    handshakes = Admission(in_all=0, per_address=3)
    with receiving(over, handshakes=handshakes) as server:
        silent = [server.connect() for _ in range(3)]
        wait_until(lambda: handshakes.total == 3)
        status, sentence = refusal(received(server.connect()))
        assert (status, sentence.partition(";")[0]) == (429, "Your address has too many handshakes at once")
        server.open("127.0.0.2").close()
        for client in silent:
            client.close()
        wait_until(lambda: handshakes.total == 0)
        server.open().close()
        wait_until(lambda: server.limits.connections.total == 0)


@EITHER
def test_a_refused_client_that_has_gone(over: str) -> None:
    """A client that resets its connection before it is refused doesn't end the listener."""
    with receiving(over, connections=Admission(in_all=1)) as server, server.open():
        for _ in range(10):
            with server.connect() as rude:
                rude.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET)
        assert refusal(received(server.connect())) == FULL


# Handshakes


@EITHER
def test_silent_connections_cost_no_thread(server: Receiving) -> None:
    """Neither connections without a handshake nor those that are idle behind it have threads of their own."""
    before = threading.active_count()
    with contextlib.ExitStack() as stack:
        for _ in range(100):
            stack.enter_context(server.connect())
            stack.enter_context(server.open())
        assert threading.active_count() - before <= server.limits.workers
    wait_until(lambda: server.limits.connections.total == 0)


@pytest.mark.parametrize("begun", [b"", HANDSHAKE[:-2]])
def test_a_handshake_that_does_not_come(begun: bytes) -> None:
    """A client that doesn't send its handshake in time is told so, and its connection ended."""
    with receiving(handshake_timeout=0.2) as server:
        client = server.connect()
        client.sendall(begun)
        assert refusal(received(client)) == (408, ChatError("request_timeout", seconds=0.2).message)
        assert server.limits.handshakes.total == 0


@EITHER
def test_a_byte_at_a_time_is_no_excuse(over: str) -> None:
    """The deadline is for the whole handshake, however often the client sends something."""
    with receiving(over, handshake_timeout=0.5) as server, server.connect() as client:
        start = time.monotonic()
        with contextlib.suppress(OSError):  # ended
            for byte in HANDSHAKE * 100:
                client.sendall(bytes([byte]))
                time.sleep(0.02)
        assert time.monotonic() - start < PATIENCE / 2


@EITHER
def test_a_handshake_in_pieces(server: Receiving) -> None:
    """A handshake may arrive in pieces, and with the first message behind it."""
    said: list[object] = []
    server.receiver.begin = lambda connection: setattr(connection, "receive", said.append)
    with server.connect() as client:
        client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, True)
        for piece in (HANDSHAKE[:7], HANDSHAKE[7:-1], HANDSHAKE[-1:] + frame(TEXT, b"hello")):
            client.sendall(piece)
        wait_until(lambda: said == ["hello"])


@pytest.mark.parametrize(
    ("request_", "status"),
    [
        (b"GET / HTTP/1.1\r\n" + b"X: " + b"x" * 40_000, 431),
        (b"GET / HTTP/1.1\r\n" + b"X: x\r\n" * 1000 + b"\r\n", (400, 431)),  # by the version of `websockets`
        (b"rubbish\r\n\r\n", 400),
        (b"GET / HTTP/3\r\n\r\n", 400),
        (HANDSHAKE.replace(b"test", b"te\rst"), 400),
        (HANDSHAKE.replace(b"test", b"te\x00st"), 400),
        (b"\r\n\r\n", 400),
        (b"GET / HTTP/1.1\r\nHost: test\r\n\r\n", 426),
        (HANDSHAKE.replace(b"Sec-WebSocket-Version: 13\r\n", b""), 400),
        (HANDSHAKE.replace(b"GET", b"POST"), (400, 405)),
    ],
)
def test_requests_that_are_no_handshake(server: Receiving, request_: bytes, status: int | tuple[int, int]) -> None:
    """Whatever isn't a handshake gets an answer that says so."""
    client = server.connect()
    client.sendall(request_)
    assert int(received(client).split()[1]) in (status if isinstance(status, tuple) else {status})
    wait_until(lambda: server.limits.connections.total == 0)


@pytest.mark.parametrize("version", [b"8", b"0", b"25", b"13, 8", b"x"])
def test_another_version(server: Receiving, version: bytes) -> None:
    """A client of another version of the protocol is told which one there is."""
    client = server.connect()
    client.sendall(HANDSHAKE.replace(b": 13", b": " + version))
    answer = received(client)
    assert answer.startswith(b"HTTP/1.1 426 ")
    assert b"\r\nSec-WebSocket-Version: 13\r\n" in answer


# Messages


def begin_with(server: Receiving, receive: Callable[[Any], None]) -> None:
    """Have `receive` carry out what clients say from now on."""
    server.receiver.begin = lambda connection: setattr(connection, "receive", receive)


def send_until_stopped(client: socket.socket, data: bytes) -> int:
    """Send this again and again until the server doesn't read any more. Returns the number of bytes."""
    client.settimeout(1.0)
    sent = 0
    with contextlib.suppress(TimeoutError):
        while sent < 10**9:
            sent += client.send(data)
    return sent


@EITHER
def test_messages_of_all_kinds(server: Receiving) -> None:
    """Text, bytes and fragments arrive whole and in order, with pings in between, which are answered."""
    said: list[Any] = []
    begin_with(server, said.append)
    with server.open() as client:
        client.sendall(frame(TEXT, "né".encode()) + frame(2, b"\xff") + frame(TEXT, b"") + frame(TEXT, b"a", fin=False))
        client.sendall(frame(PING, b"?") + frame(CONT, b"", fin=False) + frame(CONT, b"b"))
        for number in range(300):
            client.sendall(frame(TEXT, str(number).encode()))
        assert client.recv(3) == b"\x8a\x01?"
        wait_until(lambda: len(said) == 304)
    assert said == ["né", b"\xff", "", "ab", *map(str, range(300))]


@EITHER
@pytest.mark.parametrize(
    ("sent", "code"),
    [
        (frame(TEXT, b"\xc3"), 1007),
        (frame(TEXT, b"\xc3", fin=False) + frame(CONT, b"("), 1007),
        (frame(CONT, b"x"), 1002),
        (frame(TEXT, b"x", fin=False) + frame(TEXT, b"x"), 1002),
        (b"\x81\x01x", 1002),
        (frame(3, b""), 1002),
        (frame(TEXT, bytes(2**22 - 1), fin=False) + frame(CONT, b"xx"), 1009),
        (frame(CLOSE, b"\x03\xe8"), 1000),
    ],
)
def test_ends_of_a_connection(server: Receiving, sent: bytes, code: int) -> None:
    """A frame that breaks the protocol ends the connection with its code, and nothing behind it is carried out."""
    said: list[Any] = []
    begin_with(server, said.append)
    client = server.open()
    with contextlib.suppress(OSError):  # ended already
        client.sendall(sent + frame(TEXT, b"more"))
    answer = received(client)
    assert (answer[0], int.from_bytes(answer[2:4], "big")) == (0x88, code)
    wait_until(lambda: server.limits.connections.total == 0)
    assert said == []


@EITHER
def test_what_was_said_before_the_end_counts(server: Receiving) -> None:
    """A client that says something and goes is heard, and is told of as gone behind that."""
    heard: list[Any] = []

    def begin(connection: ClientConnection) -> None:
        connection.receive, connection.ended = heard.append, lambda: heard.append(None)

    server.receiver.begin = begin
    with server.open() as client:
        client.sendall(b"".join(frame(TEXT, str(number).encode()) for number in range(50)))
    wait_until(lambda: None in heard)
    assert heard == [*map(str, range(50)), None]


@EITHER
def test_slow_commands_delay_nobody(server: Receiving) -> None:
    """While the commands of one client wait, those of others are carried out, and it is not read without end."""
    gate, heard = threading.Event(), threading.Event()

    def wait_for_gate(message: object) -> None:
        gate.wait(PATIENCE)

    begin_with(server, wait_for_gate)
    with server.open() as slow:
        wait_until(lambda: server.limits.handshakes.total == 0)  # its conversation has begun
        begin_with(server, lambda message: heard.set())
        assert send_until_stopped(slow, frame(TEXT, bytes(60_000))) < 20_000_000
        with server.open() as quick:
            quick.sendall(frame(TEXT, b"hello"))
            assert heard.wait(PATIENCE)
        gate.set()


def test_a_command_that_fails_ends_its_connection(server: Receiving, caplog: pytest.LogCaptureFixture) -> None:
    def fail(message: object) -> None:
        raise RuntimeError("broken")

    begin_with(server, fail)
    client = server.open()
    client.sendall(frame(TEXT, b"hello"))
    assert received(client)[2:4] == (1011).to_bytes(2, "big")
    assert "broken" in caplog.text


# Memory


@pytest.mark.parametrize(
    ("over", "attack"),
    [("tcp", frame(PING, bytes(100))), ("tcp", frame(TEXT, b"?")), ("tls", frame(TEXT, b"?"))],
    indirect=["over"],
)
def test_who_does_not_read_is_not_read(server: Receiving, attack: bytes) -> None:
    """Pongs and errors for a client that doesn't read them don't pile up: the client is stopped, until it reads."""
    connections: list[Client] = []
    errors = '{"type":"error"}' * 10
    with Deliverer() as deliverer:

        def begin(connection: ClientConnection) -> None:
            client = Client(connection, deliverer)
            connection.receive = lambda message: client.refuse(errors)
            connections.append(client)

        server.receiver.begin = begin
        with server.open() as rude:
            rude.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 8192)
            send_until_stopped(rude, attack * 100)
            [client] = connections
            in_memory = len(client.connection._unsent) + sum(map(len, client._own))
            # The socket has taken some of it, and all that one read brought is answered.
            answers = READ_BYTES // len(attack) * (len(errors) + 4)
            assert MAX_UNREAD / 2 < in_memory < MAX_UNREAD + answers

            rude.settimeout(PATIENCE)
            read = 0
            while read < in_memory + MAX_UNREAD / 2:  # more than there was, also in sockets: it is read again
                read += len(rude.recv(1 << 16))


@EITHER
def test_who_goes_on_behind_the_end_is_not_read(server: Receiving) -> None:
    """A client that was closed may finish its message, but not send on for ever."""
    with server.open() as client:
        client.sendall(frame(3, b""))
        assert MAX_DISCARDED < send_until_stopped(client, bytes(60_000)) < 3 * MAX_DISCARDED


@EITHER
def test_unfinished_messages_have_a_limit(over: str) -> None:
    """Unfinished messages above the limit are refused, the newest first, and others are free to send small ones."""
    unfinished = Admission(in_all=1_000_000)
    with receiving(over, unfinished=unfinished) as server, server.open() as first, server.open() as honest:
        said: list[Any] = []
        first.sendall(frame(TEXT, bytes(900_000))[:-1])
        wait_until(lambda: unfinished.total == 900_000 - 1 - FREE_BYTES)
        begin_with(server, said.append)
        for half in (frame(TEXT, bytes(400_000), fin=False), frame(TEXT, bytes(400_000))[:-1]):
            second = server.open()
            second.sendall(half)
            answer = received(second)
            assert (answer[0], int.from_bytes(answer[2:4], "big")) == (0x88, 1013)
        honest.sendall(frame(PING, b""))
        assert honest.recv(2) == b"\x8a\x00"
        with server.open() as third:
            third.sendall(frame(TEXT, bytes(60_000)))
            wait_until(lambda: len(said) == 1)
    wait_until(lambda: unfinished.total == 0)


def test_a_message_that_takes_too_long(server: Receiving, monkeypatch: pytest.MonkeyPatch) -> None:
    """A client that doesn't finish its message is cut, however often it sends a part."""
    monkeypatch.setattr(receiving_module, "MESSAGE_TIMEOUT", 0.2)
    client = server.open()
    client.sendall(frame(TEXT, b"a", fin=False))
    assert received(client)[2:4] == (1008).to_bytes(2, "big")


# The end


@EITHER
def test_hanging_up(server: Receiving) -> None:
    """Hanging up ends the connections without a handshake, waits for the others, and lets no more in."""
    half = server.connect()
    half.sendall(b"GET")
    with server.open() as client:
        wait_until(lambda: server.limits.handshakes.total == 1)
        waiting = threading.Thread(target=server.receiver.hang_up, args=(PATIENCE,))
        waiting.start()
        assert received(half) == b""
        assert refusal(received(server.connect())) == (503, ChatError("closing").message)
        assert waiting.is_alive()
        client.close()
        waiting.join(PATIENCE)
        assert not waiting.is_alive()


@EITHER
def test_everybody_is_told_of_the_end(over: str) -> None:
    """When the server ends, whoever began a conversation is told that it is over."""
    ended = threading.Event()
    with receiving(over) as server, server.open():
        server.opened.get(timeout=PATIENCE).ended = ended.set
    assert ended.is_set()
    assert server.limits.connections.total == 0


@EITHER
def test_threads_that_wait_hold_no_closed_connection(server: Receiving) -> None:
    """A connection that has ended leaves memory, though nothing else happens in the threads that read and send."""
    with Deliverer() as deliverer, server.open():
        with server.open() as gone:
            server.opened.get(timeout=PATIENCE)  # that of somebody who stays
            connection = server.opened.get(timeout=PATIENCE)
            left = weakref.ref(connection)
            echo(connection, deliverer)
            deliverer.due(Client(connection, deliverer))
            gone.sendall(frame(TEXT, b"Hello"))
            assert gone.recv(100)
            del connection
        wait_until(lambda: gc.collect() >= 0 and left() is None)


# Descriptors and threads


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


def test_connections_wait_for_descriptors(caplog: pytest.LogCaptureFixture) -> None:
    """Without descriptors connections wait, which is logged once; the thread pauses between its attempts."""
    with receiving() as server, contextlib.ExitStack() as stack:
        clients = [stack.enter_context(socket.socket()) for _ in range(5)]
        with no_descriptors():
            for client in clients:
                client.settimeout(PATIENCE)
                client.connect(server.address)
            wait_until(lambda: "Out of file descriptors" in caplog.text)
            before = time.process_time()
            time.sleep(5 * RETRY)
            assert time.process_time() - before < 2 * RETRY
        for client in clients:
            client.sendall(HANDSHAKE)
            assert client.recv(12) == b"HTTP/1.1 101"
    assert caplog.text.count("Out of file descriptors") == 1


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


def test_a_server_without_threads(fork: Fork) -> None:
    """A server that cannot start another thread serves whoever connects, is as before when it can, and ends in time."""
    with fork("demo", "--port", "0", "--ws-port", "0", environment={}) as server, contextlib.ExitStack() as stack:
        _, hard = resource.getrlimit(resource.RLIMIT_AS)
        resource.prlimit(server.pid, resource.RLIMIT_AS, (address_space(server.pid) + 2**22, hard))  # half a stack
        port = urlsplit(server.websocket).port or 0
        for _ in range(60):
            stack.enter_context(socket.create_connection(("127.0.0.1", port)))
        for _ in range(20):
            stack.enter_context(ChatClient(server.websocket)).confirmed()
        assert threads(server.pid) < 20

        resource.prlimit(server.pid, resource.RLIMIT_AS, (hard, hard))
        with ChatClient(server.websocket) as client:
            client.confirmed()
            assert contents(client.ask("Oslo?"), "turn_completed")[0]["status"] == "completed"
        resource.prlimit(server.pid, resource.RLIMIT_AS, (address_space(server.pid) + 2**22, hard))
        server.signal(signal.SIGTERM)
        server.end()


def address_space(pid: int) -> int:
    """Return the bytes of address space that a process has."""
    return int(Path(f"/proc/{pid}/statm").read_text().split()[0]) * resource.getpagesize()


def threads(pid: int) -> int:
    """Return the number of threads that a process has."""
    return len(os.listdir(f"/proc/{pid}/task"))


def descriptors(pid: int) -> set[int]:
    """Return the file descriptors that a process has open."""
    return {int(name) for name in os.listdir(f"/proc/{pid}/fd")}


def processor_seconds(pid: int) -> float:
    """Return the processor time that a process has used."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")
