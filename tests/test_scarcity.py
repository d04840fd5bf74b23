"""Turns and new conversations of a server that is short of threads, memory or descriptors."""

from __future__ import annotations

import os
import resource
import signal
import threading
from collections.abc import Iterator

import pytest

from tests.clients import ChatClient, wait_until
from tests.conftest import Fork, config_list
from tests.faults.servers import ForkedServer
from tests.model_server import ModelServer, Reply
from tests.rest_client import RestClient
from tests.test_http_scarcity import no_more, no_more_threads

PORTS = ("--port", "0", "--ws-port", "0")


@pytest.fixture
def server(fork: Fork, model: ModelServer) -> Iterator[ForkedServer]:
    with fork(*PORTS, environment=config_list(model)) as server:
        yield server


def lowest_free(server: ForkedServer, number: int) -> int:
    """Return the number of a descriptor that the process opens once it has opened `number` others."""
    used = {int(name) for name in os.listdir(f"/proc/{server.pid}/fd")}
    return [each for each in range(max(used) + number + 2) if each not in used][number]


def test_agent_files_that_cannot_be_read(server: ForkedServer) -> None:
    """A client that comes while there are no descriptors is told so, and a later one is served."""
    client = RestClient(server)
    one_more = lowest_free(server, 1)  # for the client
    with no_more(server, resource.RLIMIT_NOFILE, one_more), ChatClient(server.websocket) as told:
        error = told.receive()["content"]
        assert error["code"] == "agents_unreadable"
        assert "Too many open files" in error["message"]
        assert told.close_code() == 1011
    with ChatClient(server.websocket) as served:
        served.confirmed()
        assert served.ask("hello")[-1]["content"]["status"] == "completed"
    assert client.get("/healthz").status == 200
    assert "Traceback" not in server.log


@pytest.mark.parametrize("place", [None, 1], ids=["before the answer", "in the answer"])
def test_turns_that_hang(server: ForkedServer, model: ModelServer, place: int | None) -> None:
    """However many turns wait for a model that is silent, the server is reachable and ends within seconds."""
    never = threading.Event()
    model.rule = lambda body: Reply("Yes.", gate=never) if place is None else Reply("It is.", gate_after=(place, never))
    client = RestClient(server)
    sessions = [client.new_session() for _ in range(40)]
    try:
        for session in sessions[:5]:
            assert session.post("messages", {"text": "hello"}).status == 202
        wait_until(lambda: model.counts.active == 5)
        with no_more_threads(server):
            for session in sessions[5:]:
                assert session.post("messages", {"text": "hello"}).status in {202, 503}
            for _ in range(20):
                assert client.get("/healthz").status == 200
            server.signal(signal.SIGTERM)
            assert server.end() == 0
    finally:
        never.set()
    assert "Traceback" not in server.log
