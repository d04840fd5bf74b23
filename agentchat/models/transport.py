"""The HTTP side of reaching a model: one shared connection pool for all agents, below the openai package.

It adds what a live chat needs and the package lacks:
- One pool for all agents. A pair with clients of its own takes 20 ms and 848 KiB, instead of 1.4 ms and 22 KiB.
- A wait for the model ends at once when the turn is stopped (reader.py). By default openai waits up to 30 minutes.
- Text is reported straight from the bytes as they arrive, and the answer becomes one object (stream_parser.py).
- The connection of a streamed answer is used again. The openai package closes it one read before its end
  (openai-python#3440); draining it turns 40 connections into 1, and halves the time of a short turn over TLS.
- Retries wait under the turn's stop token instead of in `time.sleep`. An account without quota isn't asked again.
"""

from __future__ import annotations

import contextlib
import contextvars
import email.utils
import errno
import functools
import math
import os
import random
import ssl
import threading
import time
import urllib.request
import weakref
import zlib
from collections import deque
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Any, Protocol
from urllib.parse import urlsplit

import httpx

from agentchat import cancellation
from agentchat.models import failures, proxies, reader
from agentchat.models.normalize import TooMuch
from agentchat.models.proxies import Proxy
from agentchat.models.stream_parser import EventStreamParser, OnText, limited
from agentchat.protocol.errors import ChatError

CONNECT_TIMEOUT = 10.0  # seconds
MAX_IDLE = 100  # idle connections kept for each model server
KEEPALIVE_EXPIRY = 30.0  # seconds an idle connection is kept; model servers commonly close theirs after 60 or more
ONE_CONNECTION = httpx.Limits(max_connections=1, max_keepalive_connections=1, keepalive_expiry=KEEPALIVE_EXPIRY)
DRAIN_BUDGET = 0.05  # seconds to wait for the end of a body whose last event has been read
RETRIED = frozenset({408, 409, 429, 500, 502, 503, 504, *range(520, 530)})  # from 520 on: of proxies
FIRST_RETRY = 0.5  # seconds; doubles each time
MAX_BODY = 64_000_000  # bytes of an answer in one piece
LONGEST_RETRY_AFTER = 20.0  # seconds; if a server asks for more, the person is shown the error instead


class ModelCalls(Protocol):
    """One answer of a running turn's models, as the calls made for it report to it."""

    answer_chars: int
    """Characters after which a streamed answer is cut off; 0 for no limit."""

    def answering(self) -> AbstractContextManager[None]:
        """Let the calls in the context report to an answer of their own."""

    def begin_call(self) -> None:
        """Called before a request is sent. May raise to prevent it."""

    def answer_opened(self, stream: httpx.SyncByteStream) -> None:
        """Called when an answer begins. The turn must close the stream when the call is over.

        Left to the garbage collector, it may be closed in a thread that holds the pool's lock at that moment and would
        wait for itself forever.
        """

    def on_text(self, text: str, is_reasoning: bool) -> None:
        """Called with each piece of a streamed answer. May raise to end the call."""

    def on_reasoning(self, text: str) -> None:
        """Called with the reasoning of a whole answer; only that of answers in one piece has not been shown yet."""

    def on_notice(self, text: str, is_cut_off: bool = False) -> None:
        """Called with what people should know about the answer that is being written; empty if there is nothing."""

    def own_call_id(self, id: str) -> str:
        """Return the id for a tool call that the model has given this id, unlike those of all earlier calls."""

    def on_usage(self, usage: Mapping[str, Any]) -> None:
        """Called with the tokens and the cost of a call once it has an answer, whatever client made it."""


_Route = tuple[str, str, int | None, Proxy | None]  # scheme, host, port, proxy

current: contextvars.ContextVar[ModelCalls | None] = contextvars.ContextVar("model_calls", default=None)


class ModelClient(httpx.Client):
    """An httpx client that survives AG2's deep copies of the configuration it is part of.

    `timeout` is in seconds, between two bytes.
    """

    def __init__(self, transport: httpx.BaseTransport, timeout: float) -> None:
        super().__init__(
            transport=transport,
            timeout=httpx.Timeout(timeout, connect=CONNECT_TIMEOUT),
            headers={"accept-encoding": "identity"},  # compressed text comes later
        )

    def send(self, request: httpx.Request, **options: Any) -> httpx.Response:
        """Return the response; one that is complete leaves memory without Python's collector.

        Its stream refers to it: with all that belongs to a request these are 66 objects a call.
        """
        response = super().send(request, **options)
        if response.is_closed:
            response.stream = httpx.ByteStream(b"")
        return response

    def __deepcopy__(self, memo: object) -> ModelClient:
        return self

    def __copy__(self) -> ModelClient:
        return self


class RetryingTransport(httpx.BaseTransport):
    """Announces calls to the turn, retries what may succeed later, and takes the text out of streamed answers."""

    def __init__(self, inner: httpx.BaseTransport, retries: int) -> None:
        self._inner = inner
        self._retries = retries

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        calls = current.get()
        if calls is None:
            return _parsed(self._send(request), None, _ignore)
        calls.begin_call()
        on_text = limited(_reporting_to(calls), calls.answer_chars)
        token = reader.on_text.set(on_text)
        try:
            response = self._send(request)
            return _parsed(response, calls, on_text)
        finally:
            reader.on_text.reset(token)

    def _send(self, request: httpx.Request) -> httpx.Response:
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
                is_final = response.status_code not in RETRIED or is_last or wait > LONGEST_RETRY_AFTER
                if is_final or _is_for_good(request, response):
                    return response
                response.close()
            cancellation.current.get().sleep(wait)
        raise AssertionError("the last attempt returns or raises")

    def close(self) -> None:
        self._inner.close()


def _backoff(attempt: int) -> float:
    return float(FIRST_RETRY * 2**attempt * random.uniform(0.75, 1.25))


def _retry_after(response: httpx.Response, attempt: int) -> float:
    """Return the seconds that the server asks to wait, as a number or a date (RFC 9110, 10.2.3)."""
    value = response.headers.get("retry-after", "")
    with contextlib.suppress(ValueError):
        if math.isfinite(seconds := float(value)):
            return max(seconds, 0.0)
    with contextlib.suppress(ValueError):
        return max(email.utils.parsedate_to_datetime(value).timestamp() - time.time(), 0.0)
    return _backoff(attempt)


def _is_for_good(request: httpx.Request, response: httpx.Response) -> bool:
    """Return True for a refusal that no waiting changes: without quota, or of images. Raises TooMuch."""
    has_images = response.status_code == 500 and b'"image_url"' in request.content  # as llama.cpp's server answers
    if response.status_code != 429 and not has_images:
        return False
    assert isinstance(response.stream, httpx.SyncByteStream)
    response.stream = LimitedStream(response.stream)
    body = response.read()
    return failures.is_about_images(body.decode(errors="replace")) if has_images else b"insufficient_quota" in body


def _reporting_to(calls: ModelCalls) -> OnText:
    """Return `calls.on_text`, without keeping it in memory: connections that are used again keep the function."""
    found = weakref.ref(calls)

    def on_text(text: str, is_reasoning: bool) -> None:
        if (calls := found()) is not None:
            calls.on_text(text, is_reasoning)

    return on_text


def _parsed(response: httpx.Response, calls: ModelCalls | None, on_text: OnText) -> httpx.Response:
    """Return the response with a streamed answer as one line of JSON, and any other body limited in size."""
    if response.is_stream_consumed:
        return response
    assert isinstance(response.stream, httpx.SyncByteStream)
    if calls is not None:
        calls.answer_opened(response.stream)
    stream = _decoded(response.stream, response.headers)
    if response.headers.get("content-type", "").startswith("text/event-stream") and response.is_success:
        is_reported = getattr(response.extensions.get("network_stream"), "is_streaming", False)
        response.stream = AnswerLine(stream) if is_reported else ParsedStream(stream, on_text)
    else:
        response.stream = LimitedStream(stream)
    return response


def _decoded(stream: httpx.SyncByteStream, headers: httpx.Headers) -> httpx.SyncByteStream:
    """Undo a compression that we did not ask for. httpx would do it above us, too late to show any text."""
    if headers.get("content-encoding", "identity") not in {"gzip", "x-gzip", "deflate"}:
        return stream
    del headers["content-encoding"]
    return InflatedStream(stream)


def _ignore(text: str, is_reasoning: bool) -> None:
    """Drop text that belongs to no turn."""


class PoolTransport(httpx.BaseTransport):
    """Network connections, through the proxies that the environment names, used again once they are idle.

    Each has an httpcore pool of its own: a shared one looks through all its connections at every request and at the end
    of every answer, which with hundreds of them takes more time than everything else.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()  # guards the fields below
        self._users = 0
        self._reader: reader.Reader | None = None
        self._idle: dict[_Route, deque[_PooledConnection]] = {}

    def open(self) -> None:
        """Keep connections until there have been as many calls of `close`."""
        with self._lock:
            self._users += 1

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        url = request.url
        route = (url.scheme, url.host, url.port, _proxy_for(url))
        connection = self._acquire(route)
        try:
            response = connection.transport.handle_request(request)
        except BaseException as error:
            self._release(route, connection)
            if (proxy := route[-1]) and isinstance(error, (httpx.ConnectError, httpx.ConnectTimeout, httpx.ProxyError)):
                raise ProxyFailed(url.host, proxy, error) from error
            raise
        assert isinstance(response.stream, httpx.SyncByteStream)
        response.stream = _PooledStream(response.stream, lambda: self._release(route, connection))
        return response

    def close(self) -> None:
        with self._lock:
            self._users -= 1
            if self._users > 0:
                return
            connections = [connection for idle in self._idle.values() for connection in idle]
            self._idle.clear()
            ending, self._reader = self._reader, None
        for connection in connections:
            connection.transport.close()
        if ending is not None:
            ending.close()

    def _acquire(self, route: _Route) -> _PooledConnection:
        with self._lock:
            if idle := self._idle.get(route):
                return idle.pop()  # the newest is the least likely to have been closed by the server
            self._reader = reading = self._reader or reader.Reader()
        scheme, host, _, proxy = route
        is_tls_proxy = proxy is not None and proxy.url.startswith("https:")
        context = _ssl_context(host) if scheme == "https" or is_tls_proxy else None  # plain HTTP needs no certificates
        try:
            via = httpx.Proxy(proxy.url, ssl_context=context if is_tls_proxy else None) if proxy else None
            transport = httpx.HTTPTransport(verify=context or False, limits=ONE_CONNECTION, proxy=via)
        except ImportError as error:
            assert proxy is not None
            problem = f"the proxy of {proxy.variable} {proxies.SOCKS_PACKAGE}"
            raise ChatError("model_network", server=host, problem=problem) from error
        # httpcore takes a backend as a public argument, but httpx has no way to pass it on.
        transport._pool._network_backend = reader.Backend(reading)
        return _PooledConnection(transport)

    def _release(self, route: _Route, connection: _PooledConnection) -> None:
        connection.idle_since = time.monotonic()
        with self._lock:
            idle = self._idle.setdefault(route, deque())
            idle.append(connection)
            is_stale = idle[0].idle_since < connection.idle_since - KEEPALIVE_EXPIRY
            surplus = idle.popleft() if is_stale or len(idle) > MAX_IDLE else None
        if surplus is not None:
            surplus.transport.close()


@functools.cache
def pool() -> PoolTransport:
    """Return the pool of this process; agent files with a configuration of their own use it, too."""
    return PoolTransport()


@dataclass(eq=False)
class _PooledConnection:
    """A transport that holds at most one connection to a model server."""

    transport: httpx.HTTPTransport
    idle_since: float = 0.0  # time.monotonic()


class _PooledStream(httpx.SyncByteStream):
    """The body of an answer. Closing it releases its connection to the pool."""

    def __init__(self, inner: httpx.SyncByteStream, release: Callable[[], None]) -> None:
        self._inner = inner
        self._release: Callable[[], None] | None = release

    def __iter__(self) -> Iterator[bytes]:
        yield from self._inner

    def close(self) -> None:
        self._inner.close()
        release, self._release = self._release, None
        if release is not None:
            release()


class ProxyFailed(ChatError, httpx.ConnectError):
    """A proxy that cannot be reached or doesn't connect; tried again like any other failed connection."""

    def __init__(self, host: str, proxy: Proxy, error: Exception) -> None:
        reason = str(error)[:200] or type(error).__name__
        super().__init__(
            "model_proxy", server=host, proxy=proxy.address, variable=proxy.variable, reason=reason.rstrip(".")
        )


def _ssl_context(host: str) -> ssl.SSLContext:
    """Return the TLS context of the process, made with the first connection that needs it.

    Raises ChatError if the environment names certificates that cannot be had. Others are no substitute: it is for the
    person to decide whom to trust.
    """
    file, folder = os.environ.get("SSL_CERT_FILE"), os.environ.get("SSL_CERT_DIR")
    name, value = ("SSL_CERT_FILE", file) if file else ("SSL_CERT_DIR", folder)
    try:
        if not file and folder and not any(map(os.path.isdir, folder.split(os.pathsep))):
            raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT))
        return _load_certificates(file, folder)
    except OSError as error:  # ssl.SSLError is one: the file holds no certificates
        reason = "holds no certificates" if isinstance(error, ssl.SSLError) else f"cannot be read ({error.strerror})"
        problem = f"{name} names {value}, which {reason}. Correct the variable or remove it"
        raise ChatError("model_network", server=host, problem=problem) from error


@functools.cache
def _load_certificates(file: str | None, folder: str | None) -> ssl.SSLContext:
    # httpx reads these variables itself. Loading takes 20 ms, more than everything else that a server does to start.
    return httpx.create_ssl_context()


def _proxy_for(url: httpx.URL) -> Proxy | None:
    if proxies.is_local(url.host) or urllib.request.proxy_bypass(url.host):  # which knows the system's settings, too
        return None
    return proxies.choose(url, urllib.request.getproxies())


class _Wrapped(httpx.SyncByteStream):
    """A body read through another one, which is closed with it."""

    def __init__(self, inner: httpx.SyncByteStream) -> None:
        self._inner = inner

    def __iter__(self) -> Iterator[bytes]:
        try:
            yield from self._output(iter(self._inner))
        except BaseException:
            self.close()  # now, not whenever the openai package's reference cycle is collected
            raise

    def _output(self, source: Iterator[bytes]) -> Iterator[bytes]:
        raise NotImplementedError

    def close(self) -> None:
        self._inner.close()


class ParsedStream(_Wrapped):
    """A streamed answer, read by the turn's own thread and drained so that its connection can be used again."""

    def __init__(self, inner: httpx.SyncByteStream, on_text: OnText) -> None:
        super().__init__(inner)
        self._parser = EventStreamParser(on_text)

    def _output(self, source: Iterator[bytes]) -> Iterator[bytes]:
        token = None
        try:
            for data in source:
                if line := self._parser.feed(data):
                    _drain(source)
                    yield line
                    return
                if token is None and self._parser.is_finishing:
                    token = reader.deadline.set(time.monotonic() + reader.GRACE)
        except httpx.ReadTimeout:
            if token is None:
                raise
        finally:
            if token is not None:
                reader.deadline.reset(token)
        yield self._parser.flush()


class AnswerLine(_Wrapped):
    """A streamed answer that the reader has parsed already: one line, followed by the end of the body."""

    def _output(self, source: Iterator[bytes]) -> Iterator[bytes]:
        for data in source:
            yield data
            if data.endswith(b"\n"):
                _drain(source)
                return


class InflatedStream(_Wrapped):
    """A body that was compressed with gzip or deflate."""

    def _output(self, source: Iterator[bytes]) -> Iterator[bytes]:
        inflate = zlib.decompressobj(zlib.MAX_WBITS | 32)  # 32: tell zlib's header from gzip's
        try:
            for data in source:
                yield inflate.decompress(data)
            yield inflate.flush()
        except zlib.error as error:
            raise httpx.DecodingError(f"the answer is badly compressed: {error}") from error


class LimitedStream(_Wrapped):
    """A body that must not be larger than any answer is. Raises TooMuch."""

    def _output(self, source: Iterator[bytes]) -> Iterator[bytes]:
        left = MAX_BODY
        for data in source:
            left -= len(data)
            if left < 0:
                raise TooMuch(f"it has more than {MAX_BODY} bytes")
            yield data


def _drain(source: Iterator[bytes]) -> None:
    """Read the body to its end, for at most DRAIN_BUDGET, so that the connection can be used again."""
    token = reader.deadline.set(time.monotonic() + DRAIN_BUDGET)
    try:
        for _ in source:
            continue
    except httpx.TransportError:
        return  # the server is slow to end it: give the connection up
    finally:
        reader.deadline.reset(token)


def server_name(base_url: object) -> str:
    """Return the host and port of a model server, without credentials: 'api.openai.com', 'localhost:11434'."""
    parts = urlsplit(str(base_url))
    return parts.netloc.rpartition("@")[2]
