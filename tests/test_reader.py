"""Connections to model servers, tested on a socket pair: which thread reads which data."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from typing import Any

import httpcore
import pytest

from agentchat.models import reader as model_reader
from agentchat.models.reader import ModelConnection, Reader
from tests.clients import PATIENCE
from tests.test_stream_parser import ANSWER, HEAD, chunked, event


class PairStream(httpcore.NetworkStream):
    """One end of a socket pair."""

    def __init__(self, end: socket.socket) -> None:
        self._end = end

    def read(self, max_bytes: int, timeout: float | None = None) -> bytes:
        self._end.settimeout(timeout)
        return self._end.recv(max_bytes)

    def write(self, buffer: bytes, timeout: float | None = None) -> None:
        self._end.sendall(buffer)

    def close(self) -> None:
        self._end.close()

    def get_extra_info(self, info: str) -> Any:
        return self._end if info == "socket" else None


@pytest.fixture
def reader() -> Iterator[Reader]:
    reader = Reader()
    yield reader
    reader.close()


@pytest.fixture
def peer_and_connection(reader: Reader) -> Iterator[tuple[socket.socket, ModelConnection]]:
    ours, theirs = socket.socketpair()
    connection = ModelConnection(PairStream(ours), reader)
    yield theirs, connection
    connection.close()
    theirs.close()


@pytest.fixture
def shown() -> Iterator[list[str]]:
    texts: list[str] = []
    token = model_reader.on_text.set(lambda text, is_reasoning: texts.append(text))
    yield texts
    model_reader.on_text.reset(token)


def http_chunk(part: bytes) -> bytes:
    return b"%x\r\n%b\r\n" % (len(part), part)


def test_text_is_shown_while_the_turn_sleeps(
    peer_and_connection: tuple[socket.socket, ModelConnection], shown: list[str]
) -> None:
    """Text is shown while the turn sleeps; the end of the answer wakes the turn's thread."""
    peer, connection = peer_and_connection
    connection.write(b"request")
    peer.sendall(HEAD)
    assert connection.read(65536, PATIENCE) == HEAD
    assert connection.is_streaming
    peer.sendall(b"".join(http_chunk(part) for part in ANSWER))

    assert b"It is sunny" in connection.read(65536, PATIENCE)
    assert "".join(shown) == "It is sunny ☀"


def test_an_answer_that_has_ended_is_not_read_again(
    peer_and_connection: tuple[socket.socket, ModelConnection], reader: Reader, shown: list[str]
) -> None:
    """After the end of an answer, the reader leaves the next one's head to the turn's thread."""
    peer, connection = peer_and_connection
    for _ in range(2):
        connection.write(b"request")
        peer.sendall(HEAD)
        assert connection.read(65536, PATIENCE) == HEAD
        peer.sendall(http_chunk(event(finish_reason="stop") + b"data: [DONE]\n\n"))
        assert b"stop" in connection.read(65536, PATIENCE)
        ended = threading.Event()
        threading.Thread(target=lambda e=ended: (connection._woken.wait(PATIENCE), e.set())).start()
        peer.sendall(chunked([]))
        assert ended.wait(PATIENCE)  # before the turn reads on
        assert connection.read(65536, PATIENCE).endswith(b"0\r\n\r\n")
        assert reader._connections == {}


def test_a_server_that_hangs_up(peer_and_connection: tuple[socket.socket, ModelConnection], shown: list[str]) -> None:
    """A connection closed by the server is the end of the data, as for any socket."""
    peer, connection = peer_and_connection
    connection.write(b"request")
    peer.sendall(HEAD)
    connection.read(65536, PATIENCE)
    peer.sendall(http_chunk(ANSWER[1]))
    peer.recv(65536)  # closing with unread data would reset the connection
    peer.close()

    assert connection.read(65536, PATIENCE) == b""


def test_a_server_that_goes_silent(
    peer_and_connection: tuple[socket.socket, ModelConnection], shown: list[str]
) -> None:
    """A silent server ends the wait after the timeout."""
    peer, connection = peer_and_connection
    connection.write(b"request")
    peer.sendall(HEAD)
    connection.read(65536, PATIENCE)
    with pytest.raises(httpcore.ReadTimeout):
        connection.read(65536, 0.01)
