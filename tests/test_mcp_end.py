"""Closing connections to unresponsive MCP servers takes a while, but not forever."""

from __future__ import annotations

import contextlib
import os
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from agentchat.mcp.config import ServerConfig
from agentchat.mcp.servers import McpServers
from tests.clients import PATIENCE, wait_until
from tests.test_mcp import FILE, HttpServer, _no_hurry

__all__ = ["_no_hurry"]  # a fixture

LEFT = "The MCP server trees did not end its session within 0.3 seconds."

Listening = Callable[[str], ServerConfig]


@pytest.fixture
def notes(tmp_path: Path) -> Path:
    path = tmp_path / "notes.txt"
    path.touch()
    return path


@pytest.fixture
def listening(notes: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Listening]:
    """Return a function that starts an HTTP server of a kind; connections have little time to close."""
    monkeypatch.setattr("agentchat.mcp.connection.HTTP_CLOSE_TIMEOUT", 0.3)
    with contextlib.ExitStack() as stack:

        def listening(kind: str) -> ServerConfig:
            server = HttpServer(notes, kind)
            stack.callback(server.stop)
            return ServerConfig("trees", url=server.url)

        yield listening


def close(servers: McpServers) -> None:
    """Fail if closing does not end."""
    closing = threading.Thread(target=servers.close, daemon=True)
    closing.start()
    closing.join(PATIENCE)
    assert not closing.is_alive()


def descriptors() -> int:
    return len(os.listdir("/proc/self/fd"))


def has_thread() -> bool:
    return any(thread.name == "mcp" for thread in threading.enumerate())


def test_a_server_that_does_not_let_us_go(listening: Listening, notes: Path, caplog: pytest.LogCaptureFixture) -> None:
    """A server that doesn't confirm the end of the session is left, and everything is released."""
    entry = listening("stuck")
    before = descriptors()
    servers = McpServers([entry], FILE)
    assert servers.tools()
    close(servers)
    assert "asked to end" in notes.read_text()
    assert LEFT in caplog.text
    assert not has_thread()
    assert descriptors() <= before


def test_a_server_that_falls_silent(listening: Listening, notes: Path, caplog: pytest.LogCaptureFixture) -> None:
    """The connection to a server that falls silent is given up and released while the chat server goes on."""
    servers = McpServers([listening("mute")], FILE, connect_timeout=3.0)
    before = descriptors()
    assert servers.tools() == []
    wait_until(lambda: "asked to end" in notes.read_text() and LEFT in caplog.text)
    wait_until(lambda: descriptors() <= before)
    assert has_thread()
    close(servers)
    assert not has_thread()


def test_there_is_a_last_limit(
    listening: Listening, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """Closing all connections has a time limit, after which the chat server logs that it left some."""
    monkeypatch.setattr("agentchat.mcp.servers.CLOSE_TIMEOUT", 0.01)
    servers = McpServers([listening("stuck")], FILE)
    assert servers.tools()
    close(servers)
    assert "The connections to MCP servers did not close within 0.01 seconds." in caplog.text
    wait_until(lambda: not has_thread())
