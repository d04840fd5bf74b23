"""A connection to one MCP server. All of it runs on the event loop of the thread in mcp.py.

The package `mcp` is imported here, and only when there are servers.
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

from agentchat.mcp.config import Entry, McpUnavailable

log = logging.getLogger(__name__)

PING = 5.0  # seconds between two looks at whether a server that works on a call is still there
GOODBYE = 2.0  # seconds that an HTTP server has to say that our session is over
AGAIN = 0.5  # seconds between two cancellations of what does not end
PROCESS_END = 6.0  # seconds; the package kills a process that stays after four
LAST_LINE_TIMEOUT = 0.2  # seconds; a process that has ended has written it
SESSION_TERMINATED = 32600  # what the package says when an HTTP server does not know its session any more
CONNECTION_LOST = (SESSION_TERMINATED, types.CONNECTION_CLOSED)
LOST = "the connection was lost"
ADVICE = "Look at its entry in the configuration; it is connected again at its next use."
ADVICE_UNREACHED = "Look at its entry in the configuration; conversations that begin in a while try it again."

T = TypeVar("T")


class McpConnection:
    """Lives from its making until it breaks or is closed; it is not used again after that."""

    def __init__(self, entry: Entry, connect_timeout: float, call_timeout: float) -> None:
        self.offered: list[types.Tool] = []
        self._entry = entry
        self._connect_timeout = connect_timeout
        self._call_timeout = call_timeout
        self._last_words = _LastWords(entry.name)
        self._calls = 0  # that run now
        self._functions: dict[str, Callable[..., Awaitable[Any]]] = {}
        self._ready = asyncio.Event()
        loop = asyncio.get_running_loop()
        self._began = loop.time()
        self._failed: float | None = None  # when it turned out that it cannot be made
        self._over: asyncio.Future[str] = loop.create_future()  # and why
        self._is_slow = False  # and that was logged
        self._deadline: asyncio.TimerHandle | None = None  # for giving all back
        # holds also when nobody waits
        self._limit = loop.call_later(connect_timeout, self._break_off, _no_answer(connect_timeout))
        self._life = asyncio.create_task(self._live())

    @property
    def is_over(self) -> bool:
        return self._over.done()

    @property
    def is_gone(self) -> bool:
        """It is over, and all that belonged to it is given back."""
        return self._life.done()

    def has_failed_within(self, seconds: float) -> bool:
        """It could not be made, and that is not longer ago."""
        return self._failed is not None and asyncio.get_running_loop().time() < self._failed + seconds

    async def wait_until_ready(self) -> None:
        """Raises McpUnavailable when it cannot be made. Who waits may be cancelled: others may wait, too."""
        await self._unless_over(self._ready.wait(), None)

    async def is_ready_within(self, seconds: float) -> bool:
        """Counted from its beginning, so that not all who ask wait for a slow server. Raises McpUnavailable."""
        left = self._began + seconds - asyncio.get_running_loop().time()
        try:
            await self._unless_over(self._ready.wait(), max(left, 0))
        except TimeoutError:
            if not self._is_slow:
                self._is_slow = True
                log.warning(
                    "The MCP server %s is still being connected. Conversations that begin before it is there are "
                    "without its tools.",
                    self._entry.name,
                )
        return self._ready.is_set()

    async def call(self, tool: str, arguments: dict[str, Any]) -> str:
        """What the tool says. Raises ValueError with what it says when it fails, and McpUnavailable."""
        if tool not in self._functions:
            raise ValueError(f"The MCP server {self._entry.name} does not have {tool} any more.")
        self._calls += 1
        try:
            text, _ = await self._unless_over(self._functions[tool](**arguments), self._call_timeout)
        except TimeoutError as error:
            raise self._unavailable(str(error)) from error
        except McpError as error:
            if error.error.code not in CONNECTION_LOST:
                raise ValueError(f"The MCP server {self._entry.name} says: {error}") from error
            self._break_off(LOST)
            raise self._unavailable(LOST, is_unseen=error.error.code == SESSION_TERMINATED) from error
        finally:
            self._calls -= 1
        return str(text)

    async def close(self) -> None:
        """Ended, and all that belongs to it given back."""
        if not self._over.done():
            self._over.set_result("the chat server is ending")
            self._life.cancel()
        await asyncio.wait({self._life})

    async def _unless_over(self, work: Awaitable[T], timeout: float | None) -> T:
        """What `work` returns. The package leaves requests unanswered when a connection breaks."""
        task = asyncio.ensure_future(work)
        try:
            first: set[asyncio.Future[Any]] = {task, self._over}
            await asyncio.wait(first, timeout=timeout, return_when=asyncio.FIRST_COMPLETED)
            if task.done():
                return task.result()
            if self._over.done():
                raise self._unavailable(self._over.result())
            raise TimeoutError(_no_answer(timeout or 0))
        finally:
            task.cancel()

    def _unavailable(self, reason: str, is_unseen: bool = False) -> McpUnavailable:
        return McpUnavailable(
            f"The MCP server {self._entry.name} cannot be used now: {reason}. The next call tries it again.", is_unseen
        )

    def _end(self, reason: str) -> None:
        if not self._over.done():
            self._over.set_result(reason)
            advice = ADVICE
            if not self._ready.is_set():
                self._failed, advice = asyncio.get_running_loop().time(), ADVICE_UNREACHED
            log.warning("The MCP server %s cannot be used: %s. %s", self._entry.name, reason, advice)

    def _break_off(self, reason: str) -> None:
        if not self._over.done():
            self._end(reason)
            self._life.cancel()  # once: a second one would hit what gives the process back

    async def _live(self) -> None:
        try:
            async with self._transport() as (received, write):
                try:
                    async with _inbox(received, write) as (read, pump), _Session(read, write) as session:
                        await self._use(session, pump)
                finally:
                    self._limit_the_end()
        except Exception as error:  # servers and the package may raise anything
            log.debug("The MCP server %s failed", self._entry.name, exc_info=True)
            self._end(await self._explained(error))
        finally:
            self._limit.cancel()
            if self._deadline is not None:
                self._deadline.cancel()
            self._last_words.close()

    def _limit_the_end(self) -> None:
        """The package waits for ever for a server that does not answer when its session is ended."""
        limit = PROCESS_END if self._entry.command else GOODBYE
        self._deadline = asyncio.get_running_loop().call_later(limit, self._leave, limit)

    def _leave(self, limit: float) -> None:
        self._end(LOST)
        log.warning(
            "The MCP server %s did not end its session within %g seconds. We leave it; it may keep what it has open.",
            self._entry.name,
            limit,
        )
        self._cancel_until_gone()

    def _cancel_until_gone(self) -> None:
        """Each cancellation ends one wait, and there may be several."""
        self._life.cancel()
        self._deadline = asyncio.get_running_loop().call_later(AGAIN, self._cancel_until_gone)

    async def _use(self, session: _Session, pump: asyncio.Task[None]) -> None:
        """For as long as the server is there."""
        await session.initialize()
        self.offered = (await session.list_tools()).tools
        toolkit = await create_toolkit(session, use_mcp_resources=False)
        self._functions = {tool.name: tool.func for tool in toolkit.tools}
        self._limit.cancel()
        self._ready.set()
        while not pump.done():
            await asyncio.wait({pump}, timeout=PING)
            if self._calls and not pump.done() and not await _is_there(session):
                break
        self._end(LOST)

    @contextlib.asynccontextmanager
    async def _transport(self) -> AsyncIterator[tuple[Any, Any]]:
        entry = self._entry
        if entry.command:
            environment = dict(entry.env) if entry.env is not None else None
            parameters = StdioServerParameters(
                command=entry.command, args=list(entry.args), env=environment, cwd=entry.cwd
            )
            async with stdio_client(parameters, self._last_words.listen()) as (read, write):
                self._last_words.close()
                yield read, write
        elif entry.is_sse:
            async with sse_client(entry.url, dict(entry.headers or {}), self._connect_timeout) as (read, write):
                yield read, write
        else:
            limits = httpx.Timeout(self._connect_timeout, read=None)  # a call has its own limit
            async with (
                httpx.AsyncClient(headers=entry.headers, timeout=limits) as client,
                streamable_http_client(entry.url, http_client=client) as (read, write, _),
            ):
                yield read, write

    async def _explained(self, error: BaseException) -> str:
        """The cause in one line, without an address: its query may hold a key."""
        while inner := getattr(error, "exceptions", None):
            error = inner[0]
        if isinstance(error, httpx.HTTPStatusError):
            return f"it answers HTTP {error.response.status_code}"
        reason = (str(error) or type(error).__name__).splitlines()[0]
        said = await self._last_words.after_the_end()
        return f"{reason} (it last said: {said})" if said else reason


def _no_answer(seconds: float) -> str:
    return f"no answer within {seconds:g} seconds"


class _Session(ClientSession):
    """AG2 takes text from a server's first page of tools; this gives it all of both."""

    async def list_tools(self, *args: Any, **kwargs: Any) -> types.ListToolsResult:
        listed = await super().list_tools(*args, **kwargs)
        tools, cursor = list(listed.tools), listed.nextCursor
        while cursor:
            listed = await super().list_tools(params=types.PaginatedRequestParams(cursor=cursor))
            tools, cursor = [*tools, *listed.tools], listed.nextCursor
        return types.ListToolsResult(tools=tools)

    async def call_tool(self, *args: Any, **kwargs: Any) -> types.CallToolResult:
        request_id = self._request_id  # of the call; the package does not tell it
        try:
            result = await super().call_tool(*args, **kwargs)
        except asyncio.CancelledError:
            params = types.CancelledNotificationParams(requestId=request_id, reason="The person stopped it.")
            cancelled = types.CancelledNotification(params=params)
            with contextlib.suppress(anyio.ClosedResourceError, anyio.BrokenResourceError):  # nobody is there any more
                await self.send_notification(types.ClientNotification(cancelled))
            raise
        text = types.TextContent(type="text", text=readable(result))
        return types.CallToolResult(content=[text], isError=result.isError)


def readable(result: types.CallToolResult) -> str:
    """A result as text, the only thing that AG2's tools hand on to models."""
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
        return _left_out("file", resource.mimeType, resource.blob)
    return _left_out("picture" if isinstance(content, types.ImageContent) else "sound", content.mimeType, content.data)


def _left_out(what: str, kind: str | None, base64: str) -> str:
    return f"[A {what} of type {kind or 'unknown'}, {len(base64) * 3 // 4:,} bytes, which is not shown here.]"


@contextlib.asynccontextmanager
async def _inbox(received: Any, write: Any) -> AsyncIterator[tuple[Any, asyncio.Task[None]]]:
    """What a session reads, and a task that is done when nothing comes any more: sessions do not tell."""
    send, read = anyio.create_memory_object_stream[Any](0)
    pump = asyncio.create_task(_hand_on(received, send))
    try:
        yield read, pump
    finally:
        pump.cancel()
        for stream in (received, send, read, write):  # the package and a task that never began leave them open
            stream.close()


async def _hand_on(received: Any, send: Any) -> None:
    with contextlib.suppress(anyio.BrokenResourceError, anyio.ClosedResourceError):  # nobody reads any more
        async with send:
            async for message in received:
                await send.send(message)


async def _is_there(session: ClientSession) -> bool:
    """A server that is only slow to answer is there; one that breaks the connection ends it by itself."""
    try:
        with anyio.move_on_after(PING):
            await session.send_ping()
    except McpError as error:
        return error.error.code not in CONNECTION_LOST
    return True


class _LastWords:
    """What a server's process writes to its standard error: its last line often says why it ended."""

    def __init__(self, name: str) -> None:
        self._name = name
        self._write_end: TextIO | None = None
        self._thread: threading.Thread | None = None
        self._line = ""

    def listen(self) -> TextIO:
        """Where the process is to write."""
        read, write = os.pipe()
        self._write_end = os.fdopen(write, "w")
        self._thread = threading.Thread(target=self._read, args=(read,), name=f"mcp-{self._name}", daemon=True)
        self._thread.start()
        return self._write_end

    def close(self) -> None:
        """The process has its own copy; ours would keep the pipe open."""
        if self._write_end is not None:
            self._write_end.close()

    async def after_the_end(self) -> str:
        """Its last line, once the process has ended."""
        if self._thread is not None:
            await asyncio.to_thread(self._thread.join, LAST_LINE_TIMEOUT)
        return self._line

    def _read(self, descriptor: int) -> None:
        with os.fdopen(descriptor, errors="replace") as lines:
            for line in lines:
                if line.strip():
                    self._line = line.strip()[:300]
                    log.debug("%s: %s", self._name, self._line)
