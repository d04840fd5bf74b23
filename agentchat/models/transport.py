"""The HTTP side of reaching a model: one shared connection pool for all agents, under the openai package.

It adds what a live chat needs and the package lacks:
- a wait for the model ends at once when the turn is stopped (network.py);
- tokens are shown straight from the bytes as they arrive (tapping.py);
- the connection of a streamed answer is used again (openai-python#3440: it is given up one read before its end);
- retries wait under the turn's stop token instead of in `time.sleep`.
"""

from __future__ import annotations

import contextvars
import random
import threading
import time
import urllib.request
from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Protocol
from urllib.parse import urlsplit

import httpx

from agentchat import cancellation
from agentchat.models import reader
from agentchat.models.stream_parser import Show, TokenTap

CONNECT_TIMEOUT = 10.0  # seconds
MAX_FREE = 100  # unused connections that are kept for each model server
KEEPALIVE_EXPIRY = 30.0  # seconds an unused connection is kept; model servers commonly close theirs after 60 or more
ONE_CONNECTION = httpx.Limits(max_connections=1, max_keepalive_connections=1, keepalive_expiry=KEEPALIVE_EXPIRY)
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

    def show(self, text: str, is_thought: bool) -> None:
        """A piece of the answer has arrived. May raise, and so end the call."""

    def think(self, text: str) -> None:
        """What was thought before an answer that came in one piece."""


_Route = tuple[str, str, int | None, str | None]  # scheme, host, port, proxy

current: contextvars.ContextVar[ModelCalls | None] = contextvars.ContextVar("model_calls", default=None)


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
        if calls is None:
            return self._send(request, None)
        calls.begin()
        token = reader.show.set(calls.show)
        try:
            return self._send(request, calls)
        finally:
            reader.show.reset(token)

    def _send(self, request: httpx.Request, calls: ModelCalls | None) -> httpx.Response:
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
            cancellation.current.get().sleep(wait)
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
        is_shown = getattr(response.extensions.get("network_stream"), "is_live", False)
        response.stream = TappedStream(response.stream, _nowhere if is_shown or calls is None else calls.show)
    return response


def _nowhere(text: str, is_thought: bool) -> None:
    """Somebody else shows it, or nobody should."""


class PoolTransport(httpx.BaseTransport):
    """Real connections, through the proxies the environment names, used again once they are free.

    Each has an httpcore pool of its own: one pool for all looks through its connections at every request and every end
    of an answer, for each idle one anew, which with hundreds of them takes more time than all else.
    """

    def __init__(self) -> None:
        self._reader = reader.Reader()
        self._tls = httpx.create_ssl_context()  # takes 20 ms, so all share it
        self._lock = threading.Lock()  # guards `_free`
        self._free: dict[_Route, deque[_Line]] = {}

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        url = request.url
        route = (url.scheme, url.host, url.port, _proxy_for(url))
        line = self._take(route)
        try:
            response = line.transport.handle_request(request)
        except BaseException:
            self._give_back(route, line)
            raise
        assert isinstance(response.stream, httpx.SyncByteStream)
        response.stream = _LineStream(response.stream, lambda: self._give_back(route, line))
        return response

    def close(self) -> None:
        with self._lock:
            lines = [line for free in self._free.values() for line in free]
            self._free.clear()
        for line in lines:
            line.transport.close()
        self._reader.close()

    def _take(self, route: _Route) -> _Line:
        with self._lock:
            if free := self._free.get(route):
                return free.pop()  # the newest is the least likely to have been closed by the server
        transport = httpx.HTTPTransport(verify=self._tls, limits=ONE_CONNECTION, proxy=route[-1])
        # httpcore takes a backend as a public argument, but httpx has no way to pass it on.
        transport._pool._network_backend = reader.Backend(self._reader)
        return _Line(transport)

    def _give_back(self, route: _Route, line: _Line) -> None:
        line.free_since = time.monotonic()
        with self._lock:
            free = self._free.setdefault(route, deque())
            free.append(line)
            is_stale = free[0].free_since < line.free_since - KEEPALIVE_EXPIRY
            surplus = free.popleft() if is_stale or len(free) > MAX_FREE else None
        if surplus is not None:
            surplus.transport.close()


@dataclass(eq=False)
class _Line:
    """One connection to a model server, or the place for one."""

    transport: httpx.HTTPTransport
    free_since: float = 0.0


class _LineStream(httpx.SyncByteStream):
    """An answer's body; when it is closed, its line is free."""

    def __init__(self, inner: httpx.SyncByteStream, free: Callable[[], None]) -> None:
        self._inner = inner
        self._free: Callable[[], None] | None = free

    def __iter__(self) -> Iterator[bytes]:
        yield from self._inner

    def close(self) -> None:
        self._inner.close()
        free, self._free = self._free, None
        if free is not None:
            free()


def _proxy_for(url: httpx.URL) -> str | None:
    if urllib.request.proxy_bypass(url.host) or url.host in {"127.0.0.1", "localhost", "::1"}:
        return None
    return urllib.request.getproxies().get(url.scheme)


class TappedStream(httpx.SyncByteStream):
    """A streamed answer, read by the turn's own thread; its connection can be used again."""

    def __init__(self, inner: httpx.SyncByteStream, show: Show) -> None:
        self._inner = inner
        self._tap = TokenTap(show)

    def __iter__(self) -> Iterator[bytes]:
        source = iter(self._inner)
        try:
            for data in source:
                passed = self._tap.feed(data)
                if self._tap.is_done:
                    _drain(source)
                if passed:
                    yield passed
            yield self._tap.flush()
        except BaseException:
            self.close()  # now, not whenever the openai package's reference cycle is collected
            raise

    def close(self) -> None:
        self._inner.close()


def _drain(source: Iterator[bytes]) -> None:
    """Read the body to its end, for a moment at most, so that the connection can be used again."""
    token = reader.deadline.set(time.monotonic() + DRAIN_BUDGET)
    try:
        for _ in source:
            continue
    except httpx.TransportError:
        return  # the server lingers: give the connection up
    finally:
        reader.deadline.reset(token)


def server_name(base_url: object) -> str:
    """Where a model is, without credentials: 'api.openai.com', 'localhost:11434'."""
    parts = urlsplit(str(base_url))
    return parts.netloc.rpartition("@")[2]
