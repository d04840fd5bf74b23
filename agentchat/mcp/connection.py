"""A connection to one MCP server. Everything here runs on the event loop of `McpServers`.

This module needs the optional package `mcp`; it is only imported when servers are configured.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import logging
import os
import threading
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any, TextIO, TypeVar

import anyio
import httpx
from autogen.mcp import create_toolkit
from mcp import ClientSession, McpError, StdioServerParameters, types
from mcp.client.sse import sse_client
from mcp.client.stdio import stdio_client
from mcp.client.streamable_http import streamable_http_client
from mcp.shared._httpx_utils import create_mcp_http_client

from agentchat.mcp import message_size
from agentchat.mcp.config import McpUnavailable, ServerConfig

log = logging.getLogger(__name__)

PING_INTERVAL = 5.0  # seconds between checks that a server working on a call is still there
HTTP_CLOSE_TIMEOUT = 2.0  # seconds that an HTTP server has to confirm the end of our session
PROCESS_CLOSE_TIMEOUT = 6.0  # seconds; the package kills a process after four
CANCEL_INTERVAL = 0.5  # seconds between cancellations of a task that does not end
LINE_CHARS = 300  # that are kept of a line that a process writes to its standard error
LAST_LINE_TIMEOUT = 0.2  # seconds to read the last line of a process that has ended
SESSION_TERMINATED = 32600  # the package's error code when an HTTP server no longer knows our session
CONNECTION_LOST = (SESSION_TERMINATED, types.CONNECTION_CLOSED)
LOST = "the connection was lost"
ADVICE = "Check its entry in the MCP configuration. It is reconnected when it is next used."
ADVICE_UNREACHED = "Check its entry in the MCP configuration. Conversations that begin after a while try it again."

T = TypeVar("T")


class McpConnection:
    """A connection, from the moment it is created until it breaks or is closed. It cannot be reopened."""

    def __init__(self, config: ServerConfig, connect_timeout: float, call_timeout: float, max_message: int) -> None:
        self.tools: list[types.Tool] = []
        """The tools of the server, once the connection is ready."""
        self._config = config
        self._connect_timeout = connect_timeout
        self._call_timeout = call_timeout
        self._max_message = max_message
        self._stderr = _Stderr(config.name)
        self._calls = 0  # in progress
        self._functions: dict[str, Callable[..., Awaitable[Any]]] = {}
        self._ready = asyncio.Event()
        loop = asyncio.get_running_loop()
        self._began = loop.time()
        self._failed_at: float | None = None  # when the attempt to connect failed
        self._ended: asyncio.Future[str] = loop.create_future()  # the reason
        self._was_slow_logged = False
        self._close_timer: asyncio.TimerHandle | None = None
        self._connect_timer = loop.call_later(connect_timeout, self._abort, _no_answer(connect_timeout))
        self._task = asyncio.create_task(self._run())

    @property
    def has_ended(self) -> bool:
        return self._ended.done()

    @property
    def is_closed(self) -> bool:
        """True once the connection has ended and released everything."""
        return self._task.done()

    def has_failed_within(self, seconds: float) -> bool:
        """Return True if the attempt to connect failed at most this long ago."""
        return self._failed_at is not None and asyncio.get_running_loop().time() < self._failed_at + seconds

    async def wait_until_ready(self) -> None:
        """Wait for the connection. Raises McpUnavailable. Cancelling one wait does not affect others."""
        await self._unless_ended(self._ready.wait(), None)

    async def is_ready_within(self, seconds: float) -> bool:
        """Wait until this long after the connection was begun; return True if it is ready. Raises McpUnavailable.

        Later callers do not wait again for a slow server.
        """
        left = self._began + seconds - asyncio.get_running_loop().time()
        try:
            await self._unless_ended(self._ready.wait(), max(left, 0))
        except TimeoutError:
            if not self._was_slow_logged:
                self._was_slow_logged = True
                log.warning(
                    "The MCP server %s is still being connected. Conversations that begin before it is ready do not "
                    "have its tools.",
                    self._config.name,
                )
        return self._ready.is_set()

    async def call(self, tool: str, arguments: dict[str, Any]) -> str:
        """Call a tool and return its result. Raises ValueError with the tool's error, and McpUnavailable."""
        if tool not in self._functions:
            raise ValueError(f"The MCP server {self._config.name} no longer has {tool}.")
        self._calls += 1
        try:
            text, _ = await self._unless_ended(self._functions[tool](**arguments), self._call_timeout)
        except TimeoutError as error:
            raise self._unavailable(str(error)) from error
        except McpError as error:
            if error.error.code not in CONNECTION_LOST:
                raise ValueError(f"The MCP server {self._config.name} says: {error}") from error
            self._abort(LOST)
            raise self._unavailable(LOST, is_retryable=error.error.code == SESSION_TERMINATED) from error
        except (anyio.ClosedResourceError, anyio.BrokenResourceError) as error:  # nobody reads it: it was not sent
            self._abort(LOST)
            raise self._unavailable(LOST, is_retryable=True) from error
        finally:
            self._calls -= 1
        return str(text)

    async def close(self) -> None:
        """End the connection and wait until it has released everything."""
        if not self._ended.done():
            self._ended.set_result("the chat server is shutting down")
            self._task.cancel()
        await asyncio.wait({self._task})

    async def _unless_ended(self, work: Awaitable[T], timeout: float | None) -> T:
        """Return the result of `work`, unless the connection ends: the package leaves its requests unanswered then."""
        task = asyncio.ensure_future(work)
        try:
            first: set[asyncio.Future[Any]] = {task, self._ended}
            await asyncio.wait(first, timeout=timeout, return_when=asyncio.FIRST_COMPLETED)
            if task.done():
                return task.result()
            if self._ended.done():
                raise self._unavailable(self._ended.result())
            raise TimeoutError(_no_answer(timeout or 0))
        finally:
            task.cancel()

    def _unavailable(self, reason: str, is_retryable: bool = False) -> McpUnavailable:
        return McpUnavailable(
            f"The MCP server {self._config.name} cannot be used now: {reason}. The next call tries again.", is_retryable
        )

    def _end(self, reason: str) -> None:
        if not self._ended.done():
            self._ended.set_result(reason)
            advice = ADVICE
            if not self._ready.is_set():
                self._failed_at, advice = asyncio.get_running_loop().time(), ADVICE_UNREACHED
            log.warning("The MCP server %s cannot be used: %s. %s", self._config.name, reason, advice)

    def _abort(self, reason: str) -> None:
        if not self._ended.done():
            self._end(reason)
            self._task.cancel()  # only once: a second cancellation would interrupt the clean-up

    def _refuse(self) -> None:
        """Give the connection up: the server sends too much."""
        self._abort(f"it sent more than {self._max_message / 2**20:g} MiB at once; ask it for less")

    async def _run(self) -> None:
        message_size.bound.set((self._max_message, self._refuse))
        try:
            async with self._transport() as (received, write):
                try:
                    async with _forwarded(received, write) as (read, pump), _Session(read, write) as session:
                        await self._use(session, pump)
                finally:
                    self._limit_closing()
        except Exception as error:  # servers and the package can raise anything
            log.debug("The MCP server %s failed", self._config.name, exc_info=True)
            self._end(await self._reason(error))
        finally:
            self._connect_timer.cancel()
            if self._close_timer is not None:
                self._close_timer.cancel()
            self._stderr.close()

    def _limit_closing(self) -> None:
        """Limit the clean-up: the package waits forever for a server that does not confirm the end of its session."""
        limit = PROCESS_CLOSE_TIMEOUT if self._config.command else HTTP_CLOSE_TIMEOUT
        self._close_timer = asyncio.get_running_loop().call_later(limit, self._abandon, limit)

    def _abandon(self, limit: float) -> None:
        self._end(LOST)
        log.warning(
            "The MCP server %s did not end its session within %g seconds. It was abandoned and may still be running.",
            self._config.name,
            limit,
        )
        self._cancel_repeatedly()

    def _cancel_repeatedly(self) -> None:
        """Cancel the task repeatedly: each cancellation ends only one of its waits."""
        self._task.cancel()
        self._close_timer = asyncio.get_running_loop().call_later(CANCEL_INTERVAL, self._cancel_repeatedly)

    async def _use(self, session: _Session, pump: asyncio.Task[None]) -> None:
        """Serve calls until the connection breaks."""
        await session.initialize()
        self.tools = (await session.list_tools()).tools
        toolkit = await create_toolkit(session, use_mcp_resources=False)
        self._functions = {tool.name: tool.func for tool in toolkit.tools}
        self._connect_timer.cancel()
        self._ready.set()
        while not pump.done():
            await asyncio.wait({pump}, timeout=PING_INTERVAL)
            if self._calls and not pump.done() and not await _is_alive(session):
                break
        self._end(LOST)

    @contextlib.asynccontextmanager
    async def _transport(self) -> AsyncIterator[tuple[Any, Any]]:
        config = self._config
        if config.command:
            environment = dict(config.env) if config.env is not None else None
            parameters = StdioServerParameters(
                command=config.command,
                args=list(config.args),
                env=environment,
                cwd=config.cwd,
                encoding=message_size.ENCODING,
            )
            async with stdio_client(parameters, self._stderr.listen()) as (read, write):
                self._stderr.close()
                yield read, write
        elif config.is_sse:
            headers = dict(config.headers or {})
            async with sse_client(config.url, headers, self._connect_timeout, httpx_client_factory=_sse_client) as (
                read,
                write,
            ):
                yield read, write
        else:
            limits = httpx.Timeout(self._connect_timeout, read=None)  # calls have a limit of their own
            async with (
                message_size.limit_responses(httpx.AsyncClient(headers=config.headers, timeout=limits)) as client,
                streamable_http_client(config.url, http_client=client) as (read, write, _),
            ):
                yield read, write

    async def _reason(self, error: BaseException) -> str:
        """Return the cause in one line, without the server's address: its query may contain a key."""
        while inner := getattr(error, "exceptions", None):
            error = inner[0]
        if isinstance(error, httpx.HTTPStatusError):
            return f"it answered with HTTP {error.response.status_code}"
        reason = (str(error) or type(error).__name__).splitlines()[0]
        last_line = await self._stderr.last_line()
        return f"{reason} (its last output: {last_line})" if last_line else reason


def _sse_client(
    headers: dict[str, str] | None = None, timeout: httpx.Timeout | None = None, auth: httpx.Auth | None = None
) -> httpx.AsyncClient:
    return message_size.limit_responses(create_mcp_http_client(headers, timeout, auth))


def _no_answer(seconds: float) -> str:
    return f"no answer within {seconds:g} seconds"


class _Session(ClientSession):
    """A session that gives AG2 all pages of the list of tools, and all parts of a result as text."""

    async def list_tools(self, *args: Any, **kwargs: Any) -> types.ListToolsResult:
        listed = await super().list_tools(*args, **kwargs)
        tools, cursor = list(listed.tools), listed.nextCursor
        while cursor:
            listed = await super().list_tools(params=types.PaginatedRequestParams(cursor=cursor))
            tools, cursor = [*tools, *listed.tools], listed.nextCursor
        return types.ListToolsResult(tools=tools)

    async def call_tool(self, *args: Any, **kwargs: Any) -> types.CallToolResult:
        request_id = self._request_id  # the one that the call will get; the package does not return it
        try:
            result = await super().call_tool(*args, **kwargs)
        except asyncio.CancelledError:
            params = types.CancelledNotificationParams(requestId=request_id, reason="The person stopped it.")
            cancelled = types.CancelledNotification(params=params)
            with contextlib.suppress(anyio.ClosedResourceError, anyio.BrokenResourceError):  # the server is gone
                await self.send_notification(types.ClientNotification(cancelled))
            raise
        text = types.TextContent(type="text", text=readable(result))
        return types.CallToolResult(content=[text], isError=result.isError)


def readable(result: types.CallToolResult) -> str:
    """Return a result as text, the only content that AG2 passes on to models."""
    parts = [_part(content) for content in result.content]
    if not parts and result.structuredContent is not None:
        parts = [json.dumps(result.structuredContent, ensure_ascii=False)]
    return "\n\n".join(parts) or "The tool returned nothing."


def _part(content: types.ContentBlock) -> str:
    if isinstance(content, types.TextContent):
        return content.text
    if isinstance(content, types.ResourceLink):
        return f"[A link: {content.title or content.name}, {content.uri}]"
    if isinstance(content, types.EmbeddedResource):
        resource = content.resource
        if isinstance(resource, types.TextResourceContents):
            return resource.text
        return _omitted("file", resource.mimeType, resource.blob)
    return _omitted("picture" if isinstance(content, types.ImageContent) else "sound", content.mimeType, content.data)


def _omitted(what: str, mime_type: str | None, base64: str) -> str:
    return f"[A {what} of type {mime_type or 'unknown'}, {len(base64) * 3 // 4:,} bytes, which is not shown here.]"


@contextlib.asynccontextmanager
async def _forwarded(received: Any, write: Any) -> AsyncIterator[tuple[Any, asyncio.Task[None]]]:
    """Yield a stream for a session to read, and a task that is done when the connection breaks.

    Sessions do not report that themselves.
    """
    send, read = anyio.create_memory_object_stream[Any](0)
    pump = asyncio.create_task(_forward(received, send))
    try:
        yield read, pump
    finally:
        pump.cancel()
        for stream in (
            received,
            send,
            read,
            write,
        ):  # the package leaves them open, as does a task that never began
            stream.close()


async def _forward(received: Any, send: Any) -> None:
    with contextlib.suppress(anyio.BrokenResourceError, anyio.ClosedResourceError):  # the session has ended
        async with send:
            async for message in received:
                await send.send(message)


async def _is_alive(session: ClientSession) -> bool:
    """Return False if the server no longer knows the session. One that is merely slow to answer is alive."""
    try:
        with anyio.move_on_after(PING_INTERVAL):
            await session.send_ping()
    except McpError as error:
        return error.error.code not in CONNECTION_LOST
    return True


class _Stderr:
    """Reads the standard error of a server's process, whose last line often says why it ended."""

    def __init__(self, name: str) -> None:
        self._name = name
        self._write_end: TextIO | None = None
        self._thread: threading.Thread | None = None
        self._last_line = ""

    def listen(self) -> TextIO:
        """Start reading; return the file for the process to write to."""
        read, write = os.pipe()
        self._write_end = os.fdopen(write, "w")
        self._thread = threading.Thread(target=self._read, args=(read,), name=f"mcp-{self._name}", daemon=True)
        self._thread.start()
        return self._write_end

    def close(self) -> None:
        """Close our end of the pipe, which would keep it open; the process has its own."""
        if self._write_end is not None:
            self._write_end.close()

    async def last_line(self) -> str:
        """Return the last line. The process must have ended."""
        if self._thread is not None:
            await asyncio.to_thread(self._thread.join, LAST_LINE_TIMEOUT)
        return self._last_line

    def _read(self, descriptor: int) -> None:
        with os.fdopen(descriptor, errors="replace") as lines:
            while line := lines.readline(LINE_CHARS):
                if line.strip():
                    self._last_line = line.strip()
                    log.debug("%s: %s", self._name, self._last_line)
