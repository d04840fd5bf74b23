"""Limits what MCP servers send in one message: the package `mcp` would read any amount of it into memory."""

from __future__ import annotations

import asyncio
import codecs
from collections.abc import AsyncIterator, Callable
from contextvars import ContextVar

import httpx

EVENT_ENDS = (b"\n\n", b"\n\r\n", b"\r\r")

Refuse = Callable[[], None]


class MessageTooLarge(Exception):
    """A message is larger than the limit."""


class Lines(codecs.IncrementalDecoder):
    """Decodes the standard output of a process, line by line."""

    def __init__(self, limit: int, refuse: Refuse, errors: str = "strict") -> None:
        """Call `refuse`, and raise MessageTooLarge, for a line of more bytes than `limit`."""
        super().__init__(errors)
        self._limit = limit
        self._refuse = refuse
        self._begun: list[bytes] = []  # of a line that is not complete
        self._size = 0

    def decode(self, data: object, final: bool = False) -> str:
        """Return the lines that are complete by now; at the end, the rest as well."""
        assert isinstance(data, bytes)
        if self._size + len(data.partition(b"\n")[0]) > self._limit:
            self._begun.clear()
            self._refuse()
            raise MessageTooLarge
        lines, newline, rest = data.rpartition(b"\n")
        complete = b""
        if newline or final:
            complete = b"".join([*self._begun, lines, newline])
            self._begun, self._size = [], 0
        if final:
            return (complete + rest).decode(errors=self.errors)
        self._begun.append(rest)
        self._size += len(rest)
        return complete.decode(errors=self.errors)


bound: ContextVar[tuple[int, Refuse]] = ContextVar("mcp_message_size")
"""The limit of messages, and what to call beyond it, for the processes and clients that are started in the context."""

ENCODING = "agentchat_mcp_lines"
"""The encoding of a process, UTF-8 whose lines have the limit of `bound`: the package lets us choose no more."""


def _codec(name: str) -> codecs.CodecInfo | None:
    if name != ENCODING:
        return None
    utf_8 = codecs.lookup("utf-8")

    def decoder(errors: str = "strict") -> Lines:
        return Lines(*bound.get(), errors)

    return codecs.CodecInfo(utf_8.encode, utf_8.decode, incrementaldecoder=decoder, name=ENCODING)


codecs.register(_codec)


def limit_responses(client: httpx.AsyncClient) -> httpx.AsyncClient:
    """Let a client refuse responses, or events of a stream, that are larger than the limit of `bound`."""
    limit, refuse = bound.get()

    async def ask_for_plain(request: httpx.Request) -> None:
        request.headers["Accept-Encoding"] = "identity"  # what was compressed can have any size

    async def limit_stream(response: httpx.Response) -> None:
        if response.headers.get("Content-Encoding", "identity") != "identity":
            raise httpx.DecodingError("it compresses what it sends, although it was asked not to")
        assert isinstance(response.stream, httpx.AsyncByteStream)
        has_events = response.headers.get("Content-Type", "").startswith("text/event-stream")
        response.stream = _Stream(response.stream, has_events, limit, refuse)

    client.event_hooks = {"request": [ask_for_plain], "response": [limit_stream]}
    return client


class _Stream(httpx.AsyncByteStream):
    """The body of a response, or of each of its events, up to the limit."""

    def __init__(self, body: httpx.AsyncByteStream, has_events: bool, limit: int, refuse: Refuse) -> None:
        self._body = body
        self._has_events = has_events
        self._limit = limit
        self._refuse = refuse

    async def __aiter__(self) -> AsyncIterator[bytes]:
        size, last = 0, b""
        async for part in self._body:
            seen = last + part
            ends = [mark for mark in EVENT_ENDS if mark in seen] if self._has_events else []
            complete = min((seen.find(mark) for mark in ends), default=len(seen)) - len(last)
            if size + complete > self._limit:
                self._refuse()
                await asyncio.Event().wait()  # until we are cancelled: the package would log an error's traceback
            yield part
            rest = len(seen) - max(seen.rfind(mark) + len(mark) for mark in ends) if ends else size + len(part)
            size, last = rest, seen[-2:]

    async def aclose(self) -> None:
        await self._body.aclose()
