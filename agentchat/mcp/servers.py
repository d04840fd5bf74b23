"""The tools of MCP servers, for agents: docs/mcp.md.

AG2's client is asynchronous and its chats are not: one thread has an event loop in which all connections live, and
the tools that agents get wait for it. Servers are connected from the start on, all at once.
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

from agentchat import cancellation
from agentchat.mcp import config
from agentchat.mcp.config import Entry, McpUnavailable
from agentchat.protocol.errors import SettingsError

if TYPE_CHECKING:
    from mcp import types

    from agentchat.mcp.connection import McpConnection

log = logging.getLogger(__name__)

DEFAULT = Path("mcp.json")
CONNECT_TIMEOUT = 20.0  # seconds
CALL_TIMEOUT = 300.0  # seconds
PATIENCE = 3.0  # seconds from its beginning that those who ask for tools wait for a connection
RETRY_AFTER = 60.0  # seconds until a server that could not be reached is tried again for its tools
CLOSE_TIMEOUT = 10.0  # seconds; connections end themselves sooner
NAME_LENGTH = 60  # of a tool; models take 64

ENDING = "The chat server is ending, and its MCP servers with it."

T = TypeVar("T")


def load(path: Path) -> McpServers:
    """The servers that the file names, which begin to connect; the default file need not be there.

    Raises SettingsError.
    """
    entries = config.read(path, is_optional=path == DEFAULT)
    if entries:
        try:
            import agentchat.mcp.connection  # noqa: F401 - needs the package `mcp`, which is optional
        except ImportError as error:
            raise SettingsError(
                f"{path} names MCP servers, which need another package: pip install -r requirements-mcp.txt ({error})."
            ) from error
    servers = McpServers(entries, path)
    servers.connect()
    return servers


class McpServers:
    """All servers that are configured. Its methods may be called from any thread."""

    def __init__(
        self,
        entries: Sequence[Entry],
        source: Path = DEFAULT,
        connect_timeout: float = CONNECT_TIMEOUT,
        call_timeout: float = CALL_TIMEOUT,
    ) -> None:
        self._source = source
        self._servers = {entry.name: _Server(entry, connect_timeout, call_timeout) for entry in entries}
        self._loop: asyncio.AbstractEventLoop | None = None
        self._closing = asyncio.Event()
        self._thread = threading.Thread(target=lambda: asyncio.run(self._serve()), name="mcp", daemon=True)
        self._started = threading.Event()
        if self._servers:
            self._thread.start()
            self._started.wait()

    def connect(self) -> None:
        """Begin to connect all of them; nobody waits for that here."""
        if self._loop is not None:
            for server in self._servers.values():
                self._loop.call_soon_threadsafe(server.connect)

    def tools(self, name: str | None = None) -> list[Tool]:
        """The tools of that server, or of all. What was not reached yet has none: that is logged.

        Raises SettingsError for a server that is not configured, and Stopped.
        """
        if name is not None and name not in self._servers:
            known = ", ".join(self._servers) or "none"
            raise SettingsError(f"There is no MCP server {name!r} in {self._source}; there are: {known}.")
        servers = [self._servers[name]] if name is not None else list(self._servers.values())
        if not servers:
            return []
        offers = self._wait_for(_all_offered(servers))
        count = Counter(tool.name for _, tool in offers)
        tools: dict[str, Tool] = {}
        for server, tool in offers:
            plain = tool.name if count[tool.name] == 1 else f"{server.name}_{tool.name}"
            called = re.sub(r"[^a-zA-Z0-9_-]", "_", plain)[:NAME_LENGTH]
            while called in tools:
                called += "_"
            tools[called] = self._tool(called, server, tool)
        return list(tools.values())

    def close(self) -> None:
        """End all connections, and the processes that were started for them; what does not end in time is logged."""
        loop, self._loop = self._loop, None
        if loop is not None:
            loop.call_soon_threadsafe(self._closing.set)
            self._thread.join(CLOSE_TIMEOUT)
            if self._thread.is_alive():
                log.warning(
                    "The connections to MCP servers did not end within %g seconds. Their programs may still run: "
                    "look for them, and end them.",
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
        """What `work` returns, from the loop's thread. When the turn is stopped, the work is cancelled."""
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
    """One server, whose connection is made anew when it has ended. For the loop's thread only."""

    def __init__(self, entry: Entry, connect_timeout: float, call_timeout: float) -> None:
        self.name = entry.name
        self._settings = (entry, connect_timeout, call_timeout)
        self._connections: list[McpConnection] = []  # the newest last; older ones are ending
        self._offered: list[types.Tool] = []  # as far as we know

    def connect(self) -> McpConnection:
        """The connection that there is, or a new one where it is over."""
        if not self._connections or self._connections[-1].is_over:
            from agentchat.mcp.connection import McpConnection

            alive = [connection for connection in self._connections if not connection.is_gone]
            self._connections = [*alive, McpConnection(*self._settings)]
        return self._connections[-1]

    async def offered(self) -> list[types.Tool]:
        """Its tools; while it cannot be reached, those that it had."""
        if self._connections and self._connections[-1].has_failed_within(RETRY_AFTER):
            return self._offered
        connection = self.connect()
        with contextlib.suppress(McpUnavailable):  # the connection has logged it
            if await connection.is_ready_within(PATIENCE):
                self._offered = connection.offered
        return self._offered

    async def call(self, tool: str, arguments: dict[str, Any]) -> str:
        try:
            return await (await self._connected()).call(tool, arguments)
        except McpUnavailable as error:
            if not error.is_unseen:
                raise
            return await (await self._connected()).call(tool, arguments)

    async def close(self) -> None:
        await asyncio.gather(*(connection.close() for connection in self._connections))

    async def _connected(self) -> McpConnection:
        connection = self.connect()
        await connection.wait_until_ready()
        return connection


async def _all_offered(servers: Sequence[_Server]) -> list[tuple[_Server, types.Tool]]:
    lists = await asyncio.gather(*(server.offered() for server in servers))
    return [(server, tool) for server, tools in zip(servers, lists, strict=True) for tool in tools]
