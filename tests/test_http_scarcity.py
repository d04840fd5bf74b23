"""The HTTP port of a server that is short of threads, memory or descriptors."""

from __future__ import annotations

import contextlib
import os
import resource
import signal
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from agentchat.http.limits import Limits, Rules
from agentchat.net import resources
from agentchat.net.resources import Room
from tests.clients import PATIENCE, wait_until
from tests.conftest import Fork
from tests.faults.servers import ForkedServer
from tests.rest_client import RestClient
from tests.test_http_limits import Connect, ask, received, refused, stream_of

pytest_plugins = ["tests.test_http_limits"]
ELSEWHERE = "127.0.0.2"
ARGUMENTS = ("demo", "--port", "0", "--ws-port", "0", "--request-timeout", "60")


@pytest.fixture
def server(fork: Fork) -> Iterator[ForkedServer]:
    with fork(*ARGUMENTS, environment={}) as server:
        yield server


@contextlib.contextmanager
def no_more(server: ForkedServer, kind: int, limit: int) -> Iterator[None]:
    """Leave a process what it has of something, while the context lasts."""
    hard = resource.prlimit(server.pid, kind)[1]
    before = resource.prlimit(server.pid, kind, (limit, hard))
    try:
        yield
    finally:
        with contextlib.suppress(ProcessLookupError):  # it has ended
            resource.prlimit(server.pid, kind, before)


def no_more_threads(server: ForkedServer) -> contextlib.AbstractContextManager[None]:
    pages = int(Path(f"/proc/{server.pid}/statm").read_text().split()[0])
    return no_more(server, resource.RLIMIT_AS, pages * resource.getpagesize() + 2**22)  # half a stack


def test_no_thread_can_be_started(server: ForkedServer, raw: Connect) -> None:
    """Requests that need a thread are refused one by one, the page is shown, and afterwards all is as before."""
    session = RestClient(server).new_session()
    with no_more_threads(server):
        kept = [raw(server, stream_of(session)) for _ in range(20)]
        wait_until(lambda: sum(map(is_refused, kept)) >= 15)  # ended threads have left room for a few
        connection = next(filter(is_refused, kept))
        connection.settimeout(PATIENCE)
        refused(connection, 503, "server_full")
        for _ in range(20):
            for path in ("/", "/healthz", "/static/js/chat.js"):
                assert ask(server, path).status == 200
        while ask(server, session.path).status != 503:  # a thread that has ended meanwhile has left room for one
            kept.append(raw(server, stream_of(session)))
    with session.stream() as stream:
        stream.receive()
        assert session.get().status == 200
    assert "Traceback" not in server.log


def test_the_server_ends_without_threads(server: ForkedServer, raw: Connect) -> None:
    """A signal ends a server that can start no thread, whatever its connections do."""
    session = RestClient(server).new_session()
    held = [raw(server, stream_of(session)) for _ in range(10)]
    for connection in held:
        received(connection, b"connection_confirmed")
    held += [raw(server, b"GET / HT") for _ in range(50)]
    with no_more_threads(server):
        server.signal(signal.SIGTERM)
        assert server.end() == 0
    assert "Traceback" not in server.log


def test_no_descriptors(server: ForkedServer, raw: Connect) -> None:
    """When there are no descriptors left, the connections that wait make room, and the server doesn't spin."""
    session = RestClient(server).new_session()
    used = max(int(name) for name in os.listdir(f"/proc/{server.pid}/fd"))
    with no_more(server, resource.RLIMIT_NOFILE, used + 20):
        for data in (b"", b"GET /healthz HTTP/1.1\r\n"):
            crowd = [raw(server, data) for _ in range(60)]
            for address in ("127.0.0.1", ELSEWHERE):
                answer = ask(server, "/healthz", address)
                assert answer.status == 200 or answer.code == "websocket_down"  # which may have no descriptor left
            wait_until(lambda: ask(server, session.path).status == 200)
            for connection in crowd:
                connection.close()
        streams = [raw(server, stream_of(session)) for _ in range(40)]
        wait_until(lambda: any(map(is_refused, streams)))
        for stream in streams:
            stream.close()
    wait_until(lambda: ask(server, session.path).status == 200)
    assert "Traceback" not in server.log


def is_refused(connection: socket.socket) -> bool:
    """Return True if a connection has been answered with 503."""
    connection.setblocking(False)
    with contextlib.suppress(BlockingIOError, ConnectionResetError):
        return b" 503 " in connection.recv(100, socket.MSG_PEEK)
    return False


@pytest.mark.parametrize("room", [Room(41, 96, 2**30), Room(1000, 300), Room(10, 1), Room(0, 0, 0), Room()])
def test_limits_of_a_small_process(room: Room, monkeypatch: pytest.MonkeyPatch) -> None:
    """However little there is, an address that takes all requests and streams it can has connections left."""
    monkeypatch.setattr(resources, "room", lambda: room)
    limits = Limits(Rules())
    all_limits = (limits.connections, limits.requests, limits.streams)

    assert all(0 < each.per_address < each.in_all for each in all_limits)
    assert limits.requests.per_address + limits.streams.per_address < limits.connections.per_address
    assert Limits(Rules(connections=0, requests=0, streams=0)).connections.in_all >= limits.connections.in_all
