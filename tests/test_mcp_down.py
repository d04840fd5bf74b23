"""MCP servers that never become usable: nobody waits long for them, or twice."""

from __future__ import annotations

import contextlib
import json
import sys
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from agentchat import cancellation
from agentchat.cancellation import Stopped, StopToken
from agentchat.mcp import servers as mcp
from agentchat.mcp.config import McpUnavailable, ServerConfig
from agentchat.mcp.connection import McpConnection
from agentchat.mcp.servers import McpServers
from tests.agent_files import write_agents
from tests.clients import PATIENCE, ChatClient, contents, wait_until
from tests.conftest import Serve
from tests.model_server import ModelServer
from tests.test_mcp import AGENT, FILE, SILENT, HttpServer, by_name, notes, silent, starts, stdio

__all__ = ["notes"]  # a fixture

pytestmark = pytest.mark.own_server  # its configuration is in the working directory

NEVER = 600.0  # seconds, longer than any test waits
UNREACHED = "The MCP server silent cannot be used: no answer within"
SLOW = "The MCP server silent is still being connected."
NONSENSE = 'print("Welcome!\\n{]", flush=True)\n' + SILENT

Connect = Callable[..., McpServers]


@pytest.fixture
def connect() -> Iterator[Connect]:
    """Return a function that creates McpServers, which are closed after the test."""
    with contextlib.ExitStack() as stack:

        def connect(*entries: ServerConfig, connect_timeout: float = NEVER) -> McpServers:
            return stack.enter_context(contextlib.closing(McpServers(entries, FILE, connect_timeout=connect_timeout)))

        yield connect


def mcp_file(folder: Path, notes: Path, program: str) -> Path:
    path = folder / "mcp.json"
    entry = {"command": sys.executable, "args": ["-c", program, str(notes)]}
    path.write_text(json.dumps({"mcpServers": {"silent": entry}}))
    return path


@pytest.mark.parametrize("program", [SILENT, NONSENSE])
def test_the_chat_server_starts_and_talks_meanwhile(
    serve: Serve, model: ModelServer, tmp_path: Path, notes: Path, caplog: pytest.LogCaptureFixture, program: str
) -> None:
    """The chat server starts and answers two conversations before the silent MCP server is given up."""
    mcp_file(tmp_path, notes, program)
    server = serve("--agents", write_agents(tmp_path, clerk=AGENT), model=model)
    for _ in range(2):
        with ChatClient(server.websocket) as client:
            assert contents(client.ask("hello"), "turn_completed")[0]["status"] == "completed"
    assert caplog.text.count(SLOW) == 1
    assert UNREACHED not in caplog.text
    assert len(starts(notes)) == 1


def test_servers_are_connected_before_anyone_asks(tmp_path: Path, notes: Path) -> None:
    """Servers are connected as soon as the configuration is read."""
    with contextlib.closing(mcp.load(mcp_file(tmp_path, notes, SILENT))):
        wait_until(lambda: len(starts(notes)) == 1)


def test_only_the_first_waits(
    connect: Connect, notes: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """Only the first request for tools waits for a connection; later ones get the other servers' tools at once."""
    waits: list[float | None] = []  # seconds granted to the silent server
    original = McpConnection._unless_ended

    async def record(self: McpConnection, work: Any, timeout: float | None) -> Any:
        if self._config.name == "silent":
            waits.append(timeout)
        return await original(self, work, timeout)

    monkeypatch.setattr("agentchat.mcp.servers.TOOLS_TIMEOUT", NEVER)
    servers = connect(silent(notes), stdio(notes))
    assert "add" in by_name(servers.tools("trees"))
    monkeypatch.setattr("agentchat.mcp.servers.TOOLS_TIMEOUT", 0.5)
    monkeypatch.setattr(McpConnection, "_unless_ended", record)
    for _ in range(2):
        assert "add" in by_name(servers.tools())
        assert caplog.text.count(SLOW) == 1
    assert waits[0]
    assert waits[1:] == [0]


def test_a_server_that_failed_is_left_alone_for_a_while(
    connect: Connect, notes: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """A failed server is not tried again for a while when tools are requested; each attempt is logged once."""
    servers = connect(silent(notes), connect_timeout=0.5)
    assert [servers.tools(), servers.tools()] == [[], []]
    assert caplog.text.count(UNREACHED) == 1
    monkeypatch.setattr("agentchat.mcp.servers.RETRY_AFTER", 0.0)
    assert servers.tools() == []
    assert caplog.text.count(UNREACHED) == 2


def test_a_call_tries_at_once(connect: Connect, notes: Path) -> None:
    """Calling a known tool tries to connect at once, so it works as soon as its server is back."""
    server = HttpServer(notes)
    try:
        servers = connect(ServerConfig("trees", url=server.url))
        tools = by_name(servers.tools())
        server.stop()
        with pytest.raises(McpUnavailable):
            tools["add"](a=1)
        server.start()
        assert set(by_name(servers.tools())) == set(tools)
        assert tools["add"](a=1) == "2"
    finally:
        server.stop()


def test_a_stop_ends_the_wait(connect: Connect, notes: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A stop ends the wait for tools; the attempt to connect goes on for others."""
    monkeypatch.setattr("agentchat.mcp.servers.TOOLS_TIMEOUT", NEVER)
    servers = connect(silent(notes))
    token = StopToken()

    def build() -> None:
        cancellation.current.set(token)
        servers.tools()

    with ThreadPoolExecutor() as pool:
        building = pool.submit(build)
        wait_until(lambda: len(starts(notes)) == 1)
        token.stop("stopped")
        with pytest.raises(Stopped):
            building.result(PATIENCE)
    assert any(thread.name == "mcp-silent" for thread in threading.enumerate())
