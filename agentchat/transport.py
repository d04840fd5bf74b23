"""The HTTP side of reaching a model: one shared connection pool for all agents, under the openai package.

It adds what a live chat needs and the package lacks:
- a wait for the model ends at once when the turn is stopped, whether it connects, waits for an answer or reads one;
- tokens are shown straight from the bytes as they arrive; the layers above get one chunk with the whole text, which
  saves them the work of hundreds;
- the connection of a streamed answer is used again (openai-python#3440: it is given up one read before its end);
- retries wait under the turn's stop token instead of in `time.sleep`.
"""

from __future__ import annotations

import contextvars
import json
import random
import socket
import time
import urllib.request
from collections.abc import Callable, Iterator
from typing import Any, Protocol
from urllib.parse import urlsplit

import httpcore
import httpx

from agentchat import stopping

CONNECT_TIMEOUT = 10.0  # seconds
KEEPALIVE_EXPIRY = 30.0  # seconds an unused connection is kept; model servers commonly close theirs after 60 or more
DRAIN_BUDGET = 0.05  # seconds to wait for the end of a body whose last event has been read
RETRIED = frozenset({408, 409, 429, 500, 502, 503, 504})
FIRST_RETRY = 0.5  # seconds; doubles each time
LONGEST_RETRY_AFTER = 20.0  # seconds; a server that asks for more gets an error shown to the person instead


class ModelCalls(Protocol):
    """What a running turn wants to know of its model calls."""

    def begin(self) -> None:
        """A call begins. May raise, and so prevent it."""

    def opened(self, stream: httpx.SyncByteStream) -> None:
        """An answer begins. Whoever ends the call closes the stream, or it is closed when the garbage is collected:
        perhaps in a thread that holds the connection pool's lock just then, which would wait for itself for ever."""

    def show(self, text: str) -> None:
        """A piece of the answer has arrived. May raise, and so end the call."""


current: contextvars.ContextVar[ModelCalls | None] = contextvars.ContextVar("model_calls", default=None)
_read_deadline: contextvars.ContextVar[float | None] = contextvars.ContextVar("read_deadline", default=None)


class ModelClient(httpx.Client):
    """An httpx client that AG2 may 'copy' together with the configuration it stands in."""

    def __init__(self, transport: httpx.BaseTransport, timeout: float) -> None:
        super().__init__(transport=transport, timeout=httpx.Timeout(timeout, connect=CONNECT_TIMEOUT))

    def __deepcopy__(self, memo: object) -> ModelClient:
        return self

    def __copy__(self) -> ModelClient:
        return self


class RetryingTransport(httpx.BaseTransport):
    """Announces a turn's calls, retries what may succeed later, and taps streamed answers."""

    def __init__(self, inner: httpx.BaseTransport, retries: int) -> None:
        self._inner = inner
        self._retries = retries

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        calls = current.get()
        if calls is not None:
            calls.begin()
        for attempt in range(self._retries + 1):
            is_last = attempt == self._retries
            try:
                response = self._inner.handle_request(request)
            except (httpx.ConnectError, httpx.RemoteProtocolError, httpx.ReadError, httpx.WriteError):
                if is_last:
                    raise
                wait = _backoff(attempt)
            else:
                wait = _retry_after(response, attempt)
                if response.status_code not in RETRIED or is_last or wait > LONGEST_RETRY_AFTER:
                    return _tapped(response, calls)
                response.close()
            stopping.current.get().sleep(wait)
        raise AssertionError("the last attempt returns or raises")

    def close(self) -> None:
        self._inner.close()


def _backoff(attempt: int) -> float:
    return float(FIRST_RETRY * 2**attempt * random.uniform(0.75, 1.25))


def _retry_after(response: httpx.Response, attempt: int) -> float:
    try:
        return float(response.headers.get("retry-after", ""))
    except ValueError:  # absent, or a date, which model servers do not send
        return _backoff(attempt)


def _tapped(response: httpx.Response, calls: ModelCalls | None) -> httpx.Response:
    assert isinstance(response.stream, httpx.SyncByteStream)
    if calls is not None:
        calls.opened(response.stream)
    if response.headers.get("content-type", "").startswith("text/event-stream"):
        response.stream = TappedStream(response.stream, calls.show if calls else lambda text: None)
    return response


class PoolTransport(httpx.BaseTransport):
    """Real connections, through the proxies the environment names, with waits that a stop ends."""

    def __init__(self, max_connections: int) -> None:
        self._limits = httpx.Limits(
            max_connections=max_connections,
            max_keepalive_connections=max_connections,
            keepalive_expiry=KEEPALIVE_EXPIRY,
        )
        self._pools: dict[str | None, httpx.HTTPTransport] = {None: self._pool(None)}

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        proxy = _proxy_for(request.url)
        if proxy not in self._pools:
            self._pools[proxy] = self._pool(proxy)
        return self._pools[proxy].handle_request(request)

    def _pool(self, proxy: str | None) -> httpx.HTTPTransport:
        transport = httpx.HTTPTransport(limits=self._limits, proxy=proxy)
        # httpcore takes a backend as a public argument, but httpx has no way to pass it on.
        transport._pool._network_backend = _StoppableBackend()
        return transport

    def close(self) -> None:
        for pool in self._pools.values():
            pool.close()


def _proxy_for(url: httpx.URL) -> str | None:
    if urllib.request.proxy_bypass(url.host) or url.host in {"127.0.0.1", "localhost", "::1"}:
        return None
    return urllib.request.getproxies().get(url.scheme)


class _StoppableBackend(httpcore.SyncBackend):
    def connect_tcp(self, host: str, *args: Any, **kwargs: Any) -> httpcore.NetworkStream:
        # Looking up a name and connecting cannot be interrupted, so they may be left behind.
        def connect() -> httpcore.NetworkStream:
            return super(_StoppableBackend, self).connect_tcp(host, *args, **kwargs)

        return _StoppableStream(stopping.call(connect, f"connect-{host}", dispose=lambda stream: stream.close()))


class _StoppableStream(httpcore.NetworkStream):
    def __init__(self, stream: httpcore.NetworkStream) -> None:
        self._stream = stream

    def read(self, max_bytes: int, timeout: float | None = None) -> bytes:
        deadline = _read_deadline.get()
        if deadline is not None:
            timeout = max(deadline - time.monotonic(), 0.001)
        with stopping.current.get().interruptible(self._wake):
            return self._stream.read(max_bytes, timeout)

    def write(self, buffer: bytes, timeout: float | None = None) -> None:
        with stopping.current.get().interruptible(self._wake):
            self._stream.write(buffer, timeout)

    def _wake(self) -> None:
        # socket.socket's own method: SSLSocket.shutdown would drop the TLS state under the thread that reads.
        try:
            socket.socket.shutdown(self._stream.get_extra_info("socket"), socket.SHUT_RDWR)
        except OSError:
            return  # closed already, so nobody waits on it

    def close(self) -> None:
        self._stream.close()

    def start_tls(self, *args: Any, **kwargs: Any) -> httpcore.NetworkStream:
        return _StoppableStream(self._stream.start_tls(*args, **kwargs))

    def get_extra_info(self, info: str) -> Any:
        return self._stream.get_extra_info(info)


class TappedStream(httpx.SyncByteStream):
    """A stream of `chat.completion.chunk` events whose text is shown as it arrives and passed on as one chunk."""

    def __init__(self, inner: httpx.SyncByteStream, show: Callable[[str], None]) -> None:
        self._inner = inner
        self._show = show
        self._texts: list[str] = []  # shown, not yet passed on
        self._last_chunk: dict[str, Any] | None = None  # the newest of those that were held back

    def __iter__(self) -> Iterator[bytes]:
        source = iter(self._inner)
        try:
            for event in _server_sent_events(source):
                if event.removeprefix(b"data:").strip() == b"[DONE]":
                    _drain(source)
                yield from self._pass_on(event)
            yield from self._held()
        except BaseException:
            self.close()  # now, not whenever the openai package's reference cycle is collected
            raise

    def close(self) -> None:
        self._inner.close()

    def _pass_on(self, event: bytes) -> Iterator[bytes]:
        chunk = _chunk(event)
        if chunk is None:
            yield from self._held()
            yield event + b"\n\n"
            return
        delta = chunk["choices"][0]["delta"]
        text = delta.get("content")
        if isinstance(text, str) and text:
            self._show(text)
            self._texts.append(text)
        if _is_only_text(chunk):
            self._last_chunk = chunk
            return
        if self._texts:
            delta["content"] = self._text()
        self._last_chunk = None
        yield _data(chunk)

    def _held(self) -> Iterator[bytes]:
        if self._last_chunk is not None:
            self._last_chunk["choices"][0]["delta"]["content"] = self._text()
            yield _data(self._last_chunk)
            self._last_chunk = None

    def _text(self) -> str:
        text = "".join(self._texts)
        self._texts.clear()
        return text


def _server_sent_events(source: Iterator[bytes]) -> Iterator[bytes]:
    """The events of a byte stream, without the blank lines between them."""
    buffer = b""
    for data in source:
        buffer = (buffer + data).replace(b"\r\n", b"\n")
        while (end := buffer.find(b"\n\n")) >= 0:
            event, buffer = buffer[:end].strip(b"\n"), buffer[end + 2 :]
            if event:
                yield event
    if buffer.strip():
        yield buffer.strip(b"\r\n")


def _chunk(event: bytes) -> dict[str, Any] | None:
    """The event's chunk, when it is one line that carries exactly one choice; else None."""
    if not event.startswith(b"data:") or b"\n" in event:
        return None
    try:
        chunk = json.loads(event[5:])
        choices = chunk["choices"]
        is_single = len(choices) == 1 and choices[0].get("index", 0) == 0 and isinstance(choices[0]["delta"], dict)
    except (ValueError, KeyError, TypeError, AttributeError):
        return None  # whatever it is, the openai package says so better
    return chunk if is_single else None


def _is_only_text(chunk: dict[str, Any]) -> bool:
    choice = chunk["choices"][0]
    delta = choice["delta"]
    return choice.get("finish_reason") is None and not delta.get("tool_calls") and not delta.get("function_call")


def _data(chunk: dict[str, Any]) -> bytes:
    return b"data: " + json.dumps(chunk).encode() + b"\n\n"


def _drain(source: Iterator[bytes]) -> None:
    """Read the body to its end, for a moment at most, so that the connection can be used again."""
    token = _read_deadline.set(time.monotonic() + DRAIN_BUDGET)
    try:
        for _ in source:
            continue
    except httpx.TransportError:
        return  # the server lingers: give the connection up
    finally:
        _read_deadline.reset(token)


def server_name(base_url: object) -> str:
    """Where a model is, without credentials: 'api.openai.com', 'localhost:11434'."""
    parts = urlsplit(str(base_url))
    return parts.netloc.rpartition("@")[2]
