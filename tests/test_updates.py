"""Servers that are replaced while people talk; the long form is `make updates`."""

from __future__ import annotations

import signal

from tests.clients import PATIENCE
from tests.conftest import Fork, config_list
from tests.faults.servers import ForkedServer
from tests.model_server import ModelServer
from tests.updates import replace


def port(address: str) -> str:
    return address.rstrip("/").rpartition(":")[2]


def test_replacing_the_server_under_people(fork: Fork, model: ModelServer) -> None:
    """Every message is answered once, and everybody sees each event once, in order, from one server or another."""
    options = ("--drain", str(PATIENCE), "--messages-per-second", "0")
    servers: list[ForkedServer] = []

    def start(*ports: str) -> None:
        servers.append(fork(*options, *ports, environment=config_list(model)))

    def end() -> None:
        servers[-1].signal(signal.SIGTERM)
        assert servers[-1].end() == 0

    start("--port", "0", "--ws-port", "0")
    first = servers[0]
    ports = ("--port", port(first.page), "--ws-port", port(first.websocket))

    def update() -> None:
        end()
        start(*ports)

    try:
        assert replace(first, 6, 2, update, lambda news: None) == []
    finally:
        end()
    assert "Traceback" not in first.log
