"""Sending to clients over real sockets: no client delays another, nothing is lost, silent clients are dropped."""

from __future__ import annotations

import contextlib
import json
import socket
import threading
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from websockets.exceptions import ConnectionClosed
from websockets.protocol import State
from websockets.sync.client import ClientConnection as Peer
from websockets.sync.client import unix_connect

from agentchat.protocol.events import Draft
from agentchat.sessions.cursor import Cursor
from agentchat.sessions.log import Log
from agentchat.store import SessionRecord
from agentchat.ws import sending
from agentchat.ws.sending import Client, Deliverer, Silence
from tests.clients import PATIENCE, wait_until
from tests.memory_store import MemoryStore
from tests.receivers import receiving

Connect = Callable[[], tuple[Client, Peer]]
SILENCE = Silence()


@pytest.fixture
def log() -> Log:
    store, record = MemoryStore(), SessionRecord("s", "agent", "2026-11-20T00:00:00.000Z")
    store.create(record)
    return Log(record, store, frozenset)


@pytest.fixture
def deliverer() -> Iterator[Deliverer]:
    with Deliverer() as deliverer:
        yield deliverer


@pytest.fixture
def connect(deliverer: Deliverer) -> Iterator[Connect]:
    """Connect clients over sockets with small buffers; they hang up at the end of the test."""
    with contextlib.ExitStack() as stack, receiving() as server:

        def connect() -> tuple[Client, Peer]:
            theirs = stack.enter_context(socket.socket())
            theirs.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 8192)
            theirs.connect(server.address)
            peer = unix_connect(
                None, uri="ws://test/", sock=theirs, max_size=None, max_queue=1, ping_interval=None
            ).__enter__()
            stack.callback(peer.recv_events_thread.join, PATIENCE)
            stack.callback(peer.close_socket)
            return Client(server.opened.get(timeout=PATIENCE), deliverer), peer

        yield connect


def follow(client: Client, log: Log) -> None:
    client.cursor = Cursor(log, 0, owner=client)
    log.follow(client.wake)
    client.wake()


def write(log: Log, text: str = "") -> None:
    log.append([Draft("text", json.dumps({"content": text}), 1)])


def receive(peer: Peer) -> Any:
    return json.loads(peer.recv(timeout=PATIENCE))


@contextlib.contextmanager
def unread(peer: Peer, log: Log) -> Iterator[None]:
    """Keep the peer from reading its socket."""
    peer.recv_flow_control = threading.Lock()
    with peer.recv_flow_control:
        write(log)  # wakes the thread that reads, which then waits for the lock
        receive(peer)
        yield


def close_code(peer: Peer) -> int:
    """Receive until the server closes the connection and return the close code."""
    with contextlib.suppress(ConnectionClosed):
        while True:
            peer.recv(timeout=PATIENCE)
    assert peer.close_code is not None
    return peer.close_code


def test_news_are_sent_to_all_who_follow(log: Log, connect: Connect) -> None:
    """Events are sent to all followers in the thread that makes them; replies go to one client, in order."""
    (ada, ada_peer), (bob, bob_peer) = connect(), connect()
    ada.tell('{"type":"hello"}')
    for client in (ada, bob):
        follow(client, log)
    write(log)
    ada.tell('{"type":"error"}')
    write(log)

    assert [receive(ada_peer)["type"] for _ in range(4)] == ["hello", "text", "error", "text"]
    assert [receive(bob_peer)["seq"] for _ in range(2)] == [1, 2]


def test_news_that_come_while_news_are_sent(log: Log, connect: Connect) -> None:
    """A thread with news doesn't wait for one that is sending; the sender sends its news, too."""
    client, peer = connect()
    follow(client, log)
    assert client.cursor is not None
    advance = client.cursor.advance

    def interrupted() -> Any:
        frames = advance()
        if log.view.last_seq == 1:
            thread = threading.Thread(target=write, args=(log,))
            thread.start()
            thread.join(PATIENCE)
            assert not thread.is_alive()
        return frames

    client.cursor.advance = interrupted  # type: ignore[method-assign]
    write(log)
    assert [receive(peer)["seq"] for _ in range(2)] == [1, 2]


def test_a_client_that_does_not_read_delays_nobody(log: Log, connect: Connect) -> None:
    """A client that doesn't read delays nobody, and gets everything later."""
    (slow, slow_peer), (quick, quick_peer) = connect(), connect()
    for client in (slow, quick):
        follow(client, log)
    for number in range(20):
        write(log, "x" * 20_000)
        assert receive(quick_peer)["seq"] == number + 1
    assert slow.connection.is_stalled
    assert [receive(slow_peer)["seq"] for _ in range(20)] == list(range(1, 21))


def test_a_client_that_lags_is_left_to_the_deliverer(
    log: Log, connect: Connect, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A lagging client is left to the deliverer, so that no writer reads the store for it."""
    for _ in range(200):
        write(log)
    client, peer = connect()
    threads: set[str] = set()
    read = log.store.read

    def observed(*arguments: Any) -> Any:
        threads.add(threading.current_thread().name)
        return read(*arguments)

    monkeypatch.setattr(log.store, "read", observed)
    follow(client, log)
    assert [receive(peer)["seq"] for _ in range(200)] == list(range(1, 201))
    assert threads == {"deliver"}


def test_a_deleted_session_ends_the_connection(log: Log, connect: Connect) -> None:
    """Deleting a session closes its connections with a reason."""
    client, peer = connect()
    follow(client, log)
    log.delete()
    assert receive(peer)["content"]["code"] == "session_deleted"
    assert close_code(peer) == 1008


def test_the_last_frames_reach_a_slow_reader(log: Log, connect: Connect) -> None:
    """A client that reads slowly gets all up to the end of its turn, nothing behind it, and the close frame."""
    client, peer = connect()
    follow(client, log)
    client.expect(2, None)
    for turn in (1, 2, 3):
        for _ in range(10):
            write(log, "x" * 20_000)
        log.append([Draft("turn_completed", "{}", turn)])
    assert client.connection.is_stalled
    received = [receive(peer) for _ in range(22)]
    assert [frame["seq"] for frame in received] == list(range(1, 23))
    assert close_code(peer) == 1000


def test_a_deleted_session_and_a_slow_reader(log: Log, connect: Connect) -> None:
    """The reason for the close reaches a client that was not reading when the session was deleted."""
    client, peer = connect()
    follow(client, log)
    with unread(peer, log):
        write(log, "x" * 1_000_000)
        assert client.connection.is_stalled
        log.delete()
    assert [receive(peer)["type"] for _ in range(2)] == ["text", "error"]
    assert close_code(peer) == 1008


def test_a_log_that_cannot_be_read_ends_the_connection(log: Log, connect: Connect) -> None:
    """A log that can't be read closes the connection, without harm to the writer; the client may reconnect."""
    client, peer = connect()
    follow(client, log)

    def fail(after: int, limit: int = 500) -> Any:
        raise RuntimeError

    log.read = fail  # type: ignore[method-assign]
    write(log)
    assert close_code(peer) == 1011


def test_a_client_that_has_gone(log: Log, connect: Connect) -> None:
    """Nothing is sent to a client that is gone, and no one else is affected."""
    client, peer = connect()
    follow(client, log)
    peer.close_socket()
    wait_until(lambda: client.connection.state is State.CLOSED)
    write(log)
    assert not client.connection.write()


def test_goodbye(connect: Connect) -> None:
    """The server says goodbye without waiting for anybody."""
    client, peer = connect()
    client.connection.leave()
    assert close_code(peer) == 1001


class TestSilence:
    """Silent clients, with a clock set by the test."""

    def test_a_silent_client_is_pinged_and_dropped(self, connect: Connect) -> None:
        """A silent client is pinged, then dropped after its time to answer."""
        client, peer = connect()
        heard = client.connection.last_heard
        client.check(heard + SILENCE.ping_interval - 1)
        assert client._pinged is None
        now = heard + SILENCE.ping_interval + 1000  # its real answer would come long before
        client.check(now)
        assert client._pinged == now
        client.check(now + SILENCE.ping_timeout - 1)
        client.check(now + SILENCE.ping_timeout + 1)
        assert close_code(peer) == 1011

    def test_a_client_that_answers_stays(self, connect: Connect) -> None:
        """Any frame counts as an answer to a ping."""
        client, _ = connect()
        now = client.connection.last_heard + SILENCE.ping_interval + 1
        client.check(now)
        client.connection.last_heard = now + 1
        client.check(now + SILENCE.ping_timeout + 1)
        assert client.connection.write()

    def test_a_client_that_was_told_nothing_gets_a_heartbeat(self, log: Log, connect: Connect) -> None:
        """A heartbeat is sent at the latest when its time is up, and only if nothing else was."""
        client, peer = connect()
        follow(client, log)
        told = client.connection.last_told
        client.check(told + SILENCE.heartbeat * 0.7)
        client.check(told + SILENCE.heartbeat)
        assert client.connection.last_told > told
        client.check(client.connection.last_told + SILENCE.heartbeat * 0.7)
        write(log)
        assert [receive(peer), receive(peer)["type"]] == [{"type": "heartbeat", "content": {"interval": 20.0}}, "text"]

    def test_a_client_without_its_first_frame_gets_no_heartbeat(self, log: Log, connect: Connect) -> None:
        """The first frame is the confirmation, however long it takes."""
        client, peer = connect()
        client.check(client.connection.last_told + SILENCE.heartbeat + 1)
        follow(client, log)
        write(log)
        assert receive(peer)["type"] == "text"

    def test_heartbeats_are_spread(self, connect: Connect) -> None:
        """Clients that were sent the same event aren't all due at the same moment."""
        patiences = {connect()[0]._patience for _ in range(4)}
        assert len(patiences) == 4
        assert all(0.75 * SILENCE.heartbeat <= each <= SILENCE.heartbeat for each in patiences)

    def test_a_client_that_does_not_read_is_dropped(self, log: Log, connect: Connect) -> None:
        """A client that doesn't read is dropped after a while."""
        client, peer = connect()
        follow(client, log)
        with unread(peer, log):
            write(log, "x" * 1_000_000)
            stalled = client.connection.stalled_since
            assert stalled is not None
            client.check(stalled + sending.STALL_TIMEOUT - 1)
            assert client.connection.write()
            client.check(stalled + sending.STALL_TIMEOUT + 1)
            assert not client.connection.write()
