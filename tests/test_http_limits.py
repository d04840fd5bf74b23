"""Limits of the HTTP port: what one address may hold, what all may, and how long a request may take."""

from __future__ import annotations

import contextlib
import http.client
import json
import os
import socket
import time
import tracemalloc
from collections.abc import Callable, Iterator
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from agentchat.app import Running
from tests.clients import PATIENCE, wait_until
from tests.conftest import Serve
from tests.model_server import ModelServer
from tests.rest_client import SESSIONS, Answer, Conversation, RestClient, Server
from tests.test_sse import request_threads

ELSEWHERE = "127.0.0.2"  # another address of this machine
HEAD = b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n"
MIB = 2**20

Connect = Callable[..., socket.socket]


@pytest.fixture
def limited(serve: Serve, model: ModelServer) -> Running:
    """Start a server with low limits."""
    limits = {
        "http-streams": 4, "http-streams-per-address": 3, "http-requests": 4, "http-requests-per-address": 3,
        "http-connections": 60, "http-connections-per-address": 40, "body-memory": 4, "request-timeout": 60,
    }  # fmt: skip
    return serve(*(word for name, limit in limits.items() for word in (f"--{name}", str(limit))), model=model)


@pytest.fixture
def impatient(serve: Serve, model: ModelServer) -> Running:
    """Start a server that waits half a second for a request."""
    return serve("--request-timeout", "0.5", model=model)


@pytest.fixture
def raw() -> Iterator[Connect]:
    """Open connections to a server and send something, from this or another address."""
    with contextlib.ExitStack() as stack:

        def connect(server: Server, data: bytes = b"", address: str = "127.0.0.1", buffer: int = 0) -> socket.socket:
            connection = stack.enter_context(socket.socket())
            if buffer:
                connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, buffer)
            connection.settimeout(PATIENCE)
            connection.bind((address, 0))
            connection.connect(("127.0.0.1", urlsplit(server.page).port))
            connection.sendall(data)
            return connection

        yield connect


def ask(server: Server, path: str, address: str = "127.0.0.1", **headers: str) -> Answer:
    """Send a GET request from an address."""
    connection = http.client.HTTPConnection(urlsplit(server.page).netloc, timeout=PATIENCE, source_address=(address, 0))
    connection.request("GET", path, headers=headers)
    response = connection.getresponse()
    answer = Answer(response.status, response.headers, response.read())
    connection.close()
    return answer


def stream_of(session: Conversation) -> bytes:
    return f"GET {session.path}/events HTTP/1.1\r\nHost: localhost\r\nAccept: text/event-stream\r\n\r\n".encode()


def upload(session: Conversation, size: int, name: str = "a") -> bytes:
    """The head of a request that puts a file."""
    return f"PUT {session.path}/files/{name} HTTP/1.1\r\nHost: localhost\r\nContent-Length: {size}\r\n\r\n".encode()


def download(session: Conversation) -> bytes:
    return f"GET {session.path}/files/large HTTP/1.1\r\nHost: localhost\r\n\r\n".encode()


def received(connection: socket.socket, end: bytes = b"") -> bytes:
    """Return what a connection gets: up to `end`, or all."""
    answer = b""
    with contextlib.suppress(ConnectionResetError):
        while not end or end not in answer:
            data = connection.recv(65536)
            if not data:
                break
            answer += data
    return answer


def refused(connection: socket.socket, status: int, code: str) -> str:
    """Read a refusal, which says when to try again, and return its sentence."""
    response = http.client.HTTPResponse(connection)
    response.begin()
    error = json.loads(response.read())["error"]
    assert (response.status, error["code"]) == (status, code)
    assert (response.headers["Retry-After"] is not None) is (status in {429, 503})
    return str(error["message"])


def is_open(connection: socket.socket) -> bool:
    connection.setblocking(False)
    try:
        return connection.recv(1, socket.MSG_PEEK) != b""
    except BlockingIOError:
        return True
    except ConnectionResetError:
        return False
    finally:
        connection.settimeout(PATIENCE)


def test_streams(limited: Running, raw: Connect) -> None:
    """One address cannot take all streams, streams don't take the place of requests, and ended ones are given back."""
    session = RestClient(limited).new_session()
    request = stream_of(session)
    for _ in range(2):
        streams = [following(limited, raw, session) for _ in range(3)]
        refused(raw(limited, request), 429, "too_many_requests")
        elsewhere = raw(limited, request, ELSEWHERE)
        assert b"200 OK" in received(elsewhere, b"connection_confirmed")
        refused(raw(limited, request, ELSEWHERE), 503, "server_full")
        for address in ("127.0.0.1", ELSEWHERE):
            for path in ("/", "/healthz", "/desk", session.path):
                assert ask(limited, path, address).status == 200
        for stream in (*streams, elsewhere):
            stream.close()
        wait_until(lambda: request_threads() == 0)


def test_waiting_requests_count_as_streams(limited: Running, raw: Connect) -> None:
    """A refused request has had no effect: its message is not in the log."""
    session = RestClient(limited).new_session()
    for _ in range(3):
        following(limited, raw, session)
    for path, body in ((f"{session.path}/messages?wait=10", b'{"text": "hello"}'),
                       (f"/api/v1/chat/{session.id}", b'{"message": "hello"}'),
                       (f"/api/v1/chat/{session.id}/stream", b'{"message": "hello"}')):  # fmt: skip
        head = f"POST {path} HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
        connection = raw(limited, head.encode() + b"Content-Length: %d\r\n\r\n%b" % (len(body), body))
        refused(connection, 429, "too_many_requests")
    assert session.log == []
    assert session.post("messages", {"text": "hello"}).status == 202
    session.post("stop", {})


def following(server: Server, raw: Connect, session: Conversation) -> socket.socket:
    """Follow a session, perhaps after a wait: the places of streams that have ended are given back a little later."""
    streams: list[socket.socket] = []

    def begins() -> bool:
        stream = raw(server, stream_of(session))
        if b"connection_confirmed" in received(stream, b"connection_confirmed"):
            streams.append(stream)
        return bool(streams)

    wait_until(begins)
    return streams[0]


def begun(server: Server, raw: Connect, request: bytes, address: str = "127.0.0.1") -> socket.socket:
    """Begin an upload and return once the server waits for its body.

    It is tried again while the place of a request that has ended is not given back yet.
    """
    expecting = request.replace(b"\r\n\r\n", b"\r\nExpect: 100-continue\r\n\r\n")
    begun: list[socket.socket] = []

    def begins() -> bool:
        connection = raw(server, expecting, address)
        if received(connection, b"\r\n\r\n").startswith(b"HTTP/1.1 100 "):
            begun.append(connection)
        return bool(begun)

    wait_until(begins)
    return begun[0]


def test_requests(limited: Running, raw: Connect) -> None:
    """Over its limit, an address still gets the page and the health check, and others are served."""
    session = RestClient(limited).new_session()
    for _ in range(2):
        slow = [begun(limited, raw, upload(session, 100)) for _ in range(3)]
        sentence = refused(raw(limited, HEAD.replace(b"/healthz", b"/api/config") + b"\r\n"), 429,
                           "too_many_requests")  # fmt: skip
        assert "3" in sentence
        for path in ("/", "/static/js/chat.js", "/healthz"):
            assert ask(limited, path).status == 200
        assert ask(limited, session.path, ELSEWHERE).status == 200
        slow.append(begun(limited, raw, upload(session, 100), ELSEWHERE))
        assert ask(limited, session.path, ELSEWHERE).status == 503
        assert ask(limited, "/healthz", ELSEWHERE).status == 200
        for connection in slow:
            connection.close()
        wait_until(lambda: ask(limited, SESSIONS).status == 200)


def test_idle_and_slow_connections_make_room(limited: Running, raw: Connect) -> None:
    """However many connections an address opens, it is the oldest that waits which ends; no other address notices."""
    kept = raw(limited, HEAD + b"\r\n", ELSEWHERE)
    assert b"ok" in received(kept, b'"ok"}')
    crowd = [raw(limited, HEAD if number % 2 else b"") for number in range(100)]
    for address in ("127.0.0.1", ELSEWHERE):
        assert ask(limited, "/healthz", address).status == 200
    wait_until(lambda: [is_open(connection) for connection in crowd].count(True) <= 40)
    states = [is_open(connection) for connection in crowd]

    assert not any(states[:20])
    assert states[-1]
    assert states.count(True) >= 38
    kept.sendall(HEAD + b"Connection: close\r\n\r\n")
    assert received(kept).count(b'"ok"') == 1


def test_connections_in_all(limited: Running, raw: Connect) -> None:
    """From several addresses it is still the oldest one that makes room."""
    crowd = [raw(limited, HEAD, f"127.0.0.{2 + number % 3}") for number in range(90)]
    assert ask(limited, "/healthz", "127.0.0.9").status == 200
    wait_until(lambda: [is_open(connection) for connection in crowd].count(True) <= 60)
    assert is_open(crowd[-1])


# Time


def drip(connection: socket.socket, data: bytes, pause: float = 0.05) -> socket.socket:
    """Send byte by byte until there is an answer."""
    connection.settimeout(pause)
    for place in range(len(data)):
        with contextlib.suppress(TimeoutError):
            connection.recv(1, socket.MSG_PEEK)
            break
        connection.sendall(data[place : place + 1])
    connection.settimeout(PATIENCE)
    return connection


def test_slow_heads_and_bodies(impatient: Running, raw: Connect) -> None:
    """A byte from time to time doesn't keep a request alive."""
    session = RestClient(impatient).new_session()
    endless = HEAD + b"X: " + b"y" * 10_000
    start = time.monotonic()
    sentence = refused(drip(raw(impatient), endless), 408, "request_timeout")
    assert "0.5 seconds" in sentence
    body = upload(session, 10_000)
    refused(drip(raw(impatient, body), b"x" * 10_000), 408, "request_timeout")
    assert time.monotonic() - start < PATIENCE / 4
    assert session.get("/files").json == {"files": []}


def test_idle_connections(impatient: Running, raw: Connect) -> None:
    """A connection without a request, or without another one, is closed without a word."""
    assert received(raw(impatient)) == b""
    assert received(raw(impatient, HEAD + b"\r\n")).endswith(b'"ok"}')


def test_large_bodies_have_more_time(impatient: Running, raw: Connect) -> None:
    """The time is for each MiB: a body that takes longer, but moves, is taken."""
    session = RestClient(impatient).new_session()
    connection = raw(impatient, upload(session, 4 * MIB))
    for _ in range(8):
        time.sleep(0.1)  # altogether longer than the limit
        connection.sendall(b"x" * (MIB // 2))
    assert b" 201 " in received(connection, b"\r\n")


def test_slow_readers(impatient: Running, raw: Connect) -> None:
    """A client that reads too little of a response gets no more of it; one that takes it as it comes gets all."""
    session = RestClient(impatient).new_session()
    size = 16 * MIB
    assert session.client.ask("PUT", f"{session.path}/files/a", b"x" * size).status == 201
    request = f"GET {session.path}/files/a HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n".encode()
    lazy = raw(impatient, request, buffer=4096)
    for _ in range(20):
        time.sleep(0.1)
        lazy.recv(100)
    assert len(received(lazy)) < size
    assert len(received(raw(impatient, request))) > size


def test_streams_may_last(impatient: Running, raw: Connect) -> None:
    """A stream that is silent, or read as it comes, has no limit of time."""
    session = RestClient(impatient).new_session()
    with session.stream() as stream:
        stream.receive()
        time.sleep(1.2)
        session.post("typing", {"is_typing": True, "name": "Ada"})
        assert stream.until("typing")


# Memory


def test_bodies_in_memory(limited: Running, raw: Connect) -> None:
    """Unfinished uploads share a budget, of which one address gets a part; small bodies always have room."""
    session = RestClient(limited).new_session()
    for _ in range(2):
        first = begun(limited, raw, upload(session, 3 * MIB))
        refused(raw(limited, upload(session, MIB)), 429, "too_many_requests")
        wait_until(lambda: request_threads() == 1)
        second = begun(limited, raw, upload(session, MIB), ELSEWHERE)
        refused(raw(limited, upload(session, MIB), "127.0.0.3"), 503, "server_full")
        assert session.client.ask("PUT", f"{session.path}/files/small", b"x" * 1000).status in {200, 201}
        first.close()
        second.sendall(b"x" * MIB)
        assert b" 20" in received(second, b"\r\n")
        wait_until(lambda: request_threads() == 0)
        assert session.client.ask("PUT", f"{session.path}/files/b", b"x" * 3 * MIB).status in {200, 201}
    assert ask(limited, SESSIONS).status == 200


def test_downloads_in_memory(limited: Running, raw: Connect) -> None:
    """A file that a client doesn't read takes no memory: it is read from the disk as it is sent."""
    session = RestClient(limited).new_session()
    content = os.urandom(3 * MIB)
    assert session.client.ask("PUT", f"{session.path}/files/large", content).status == 201
    tracemalloc.start()
    try:
        for _ in range(2):
            unread = raw(limited, download(session))
            assert unread.recv(9) == b"HTTP/1.1 "
        assert tracemalloc.get_traced_memory()[1] < 3 * MIB
    finally:
        tracemalloc.stop()
    wait_until(lambda: session.get("/files/large").body == content)  # the upload may only just have ended


def test_a_file_that_is_cut_short(limited: Running, raw: Connect, tmp_path: Path) -> None:
    """A client notices that a program has cut a file short while it was sent."""
    session = RestClient(limited).new_session()
    session.client.ask("PUT", f"{session.path}/files/large", b"")
    with (tmp_path / "data" / "workspaces" / session.id / "large").open("r+b") as file:
        file.truncate(16 * MIB)
        client = raw(
            limited, f"GET {session.path}/files/large HTTP/1.1\r\nHost: localhost\r\n\r\n".encode(), buffer=4096
        )
        assert client.recv(9) == b"HTTP/1.1 "
        file.truncate(MIB)
        assert MIB / 2 < len(received(client)) < 16 * MIB
    assert session.get("/files/large").body == bytes(MIB)
