"""The tools of MCP servers, for agents. See docs/mcp.md.

MCP's client is asynchronous, AG2's chats are not: all connections live on the event loop of one thread, and the tools
that agents get wait for it. All servers are connected at once when the chat server starts.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import re
import threading
from collections import Counter
from collections.abc import Coroutine, Sequence
from concurrent.futures import CancelledError
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from autogen.tools import Tool

from agentchat import cancellation, installation
from agentchat.mcp import config
from agentchat.mcp.config import McpUnavailable, ServerConfig
from agentchat.protocol.errors import SettingsError

if TYPE_CHECKING:  # needs the package `mcp`, which is optional
    from mcp import types

    from agentchat.mcp.connection import McpConnection

log = logging.getLogger(__name__)

CONNECT_TIMEOUT = 20.0  # seconds
CALL_TIMEOUT = 300.0  # seconds
TOOLS_TIMEOUT = 3.0  # seconds that agents wait for the tools of a server, from the start of its connection
RETRY_AFTER = 60.0  # seconds until agents that ask for tools reconnect a server that could not be reached
CLOSE_TIMEOUT = 10.0  # seconds; connections have shorter limits of their own
MAX_MESSAGE = 16 * 2**20  # bytes
NAME_LENGTH = 60  # characters in the name of a tool; models accept 64

ENDING = "The chat server is shutting down, and its MCP servers with it."

T = TypeVar("T")


def load(path: Path, max_message: int = MAX_MESSAGE) -> McpServers:
    """Return the servers in the file, if it exists, and start connecting them.

    One that sends more than `max_message` bytes at once is disconnected. Raises SettingsError.
    """
    configs = config.read(path)
    if configs:
        try:
            import agentchat.mcp.connection  # noqa: F401 - needs the package `mcp`, which is optional
        except ImportError as error:
            command = installation.install_command("mcp")
            problem = f"{path} names MCP servers, which need another package"
            raise SettingsError(f"{problem}: {command} ({error}).") from error
    servers = McpServers(configs, path, max_message=max_message)
    servers.connect()
    return servers


class McpServers:
    """All configured servers. Thread-safe."""

    def __init__(
        self,
        configs: Sequence[ServerConfig],
        source: Path,
        connect_timeout: float = CONNECT_TIMEOUT,
        call_timeout: float = CALL_TIMEOUT,
        max_message: int = MAX_MESSAGE,
    ) -> None:
        self._source = source
        self._servers = {each.name: _Server(each, connect_timeout, call_timeout, max_message) for each in configs}
        self._loop: asyncio.AbstractEventLoop | None = None
        self._closing = asyncio.Event()
        self._thread = threading.Thread(target=lambda: asyncio.run(self._serve()), name="mcp", daemon=True)
        self._started = threading.Event()
        if self._servers:
            self._thread.start()
            self._started.wait()

    def connect(self) -> None:
        """Start connecting all servers, without waiting."""
        if self._loop is not None:
            for server in self._servers.values():
                self._loop.call_soon_threadsafe(server.connect)

    def tools(self, name: str | None = None) -> list[Tool]:
        """Return the tools of one server, or of all. A server that has not been reached yet has none.

        Raises SettingsError for a server that is not configured, and Stopped.
        """
        if name is not None and name not in self._servers:
            known = ", ".join(self._servers) or "none"
            raise SettingsError(f"There is no MCP server {name!r} in {self._source}; configured are: {known}.")
        servers = [self._servers[name]] if name is not None else list(self._servers.values())
        if not servers:
            return []
        found = self._wait_for(_tools_of(servers))
        count = Counter(tool.name for _, tool in found)
        tools: dict[str, Tool] = {}
        for server, tool in found:
            plain = tool.name if count[tool.name] == 1 else f"{server.name}_{tool.name}"
            called = re.sub(r"[^a-zA-Z0-9_-]", "_", plain)[:NAME_LENGTH]
            while called in tools:
                called += "_"
            tools[called] = self._tool(called, server, tool)
        return list(tools.values())

    def close(self) -> None:
        """Close all connections and end their processes, within CLOSE_TIMEOUT."""
        loop, self._loop = self._loop, None
        if loop is not None:
            loop.call_soon_threadsafe(self._closing.set)
            self._thread.join(CLOSE_TIMEOUT)
            if self._thread.is_alive():
                log.warning(
                    "The connections to MCP servers did not close within %g seconds. "
                    "Their programs may still be running; check, and end them.",
                    CLOSE_TIMEOUT,
                )

    async def _serve(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._started.set()
        await self._closing.wait()
        await asyncio.gather(*(server.close() for server in self._servers.values()))

    def _tool(self, called: str, server: _Server, tool: types.Tool) -> Tool:
        def call(**arguments: Any) -> str:
            return self._wait_for(server.call(tool.name, arguments))

        call.__name__ = called
        schema = tool.inputSchema or {"type": "object", "properties": {}}
        description = tool.description or tool.title or tool.name
        return Tool(name=called, description=description, func_or_tool=call, parameters_json_schema=schema)

    def _wait_for(self, work: Coroutine[Any, Any, T]) -> T:
        """Run `work` on the loop's thread and return its result. It is cancelled if the turn is stopped."""
        loop = self._loop
        if loop is None or loop.is_closed():
            work.close()
            raise McpUnavailable(ENDING)
        future = asyncio.run_coroutine_threadsafe(work, loop)

        def cancel() -> None:
            future.cancel()

        try:
            with cancellation.current.get().interruptible(cancel):
                return future.result()
        except CancelledError:
            raise McpUnavailable(ENDING) from None
        finally:
            cancel()


class _Server:
    """One server, reconnected as needed. For the loop's thread only."""

    def __init__(self, config: ServerConfig, connect_timeout: float, call_timeout: float, max_message: int) -> None:
        self.name = config.name
        self._settings = (config, connect_timeout, call_timeout, max_message)
        self._connections: list[McpConnection] = []  # the current one last; the others are closing
        self._tools: list[types.Tool] = []  # the last known ones

    def connect(self) -> McpConnection:
        """Return the current connection, or a new one if that has ended."""
        if not self._connections or self._connections[-1].has_ended:
            from agentchat.mcp.connection import McpConnection

            closing = [connection for connection in self._connections if not connection.is_closed]
            self._connections = [*closing, McpConnection(*self._settings)]
        return self._connections[-1]

    async def tools(self) -> list[types.Tool]:
        """Return the server's tools, or the last known ones while it cannot be reached."""
        if self._connections and self._connections[-1].has_failed_within(RETRY_AFTER):
            return self._tools
        connection = self.connect()
        with contextlib.suppress(McpUnavailable):  # the connection has logged it
            if await connection.is_ready_within(TOOLS_TIMEOUT):
                self._tools = connection.tools
        return self._tools

    async def call(self, tool: str, arguments: dict[str, Any]) -> str:
        """Call a tool and return its result as text. A call that the server did not see is repeated once."""
        try:
            return await (await self._connected()).call(tool, arguments)
        except McpUnavailable as error:
            if not error.is_retryable:
                raise
            return await (await self._connected()).call(tool, arguments)

    async def close(self) -> None:
        await asyncio.gather(*(connection.close() for connection in self._connections))

    async def _connected(self) -> McpConnection:
        connection = self.connect()
        await connection.wait_until_ready()
        return connection


async def _tools_of(servers: Sequence[_Server]) -> list[tuple[_Server, types.Tool]]:
    lists = await asyncio.gather(*(server.tools() for server in servers))
    return [(server, tool) for server, tools in zip(servers, lists, strict=True) for tool in tools]
