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
import time
import urllib.request
from collections.abc import Iterator
from typing import Protocol
from urllib.parse import urlsplit

import httpx

from agentchat import network, stopping
from agentchat.tapping import Show, TokenTap

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
        token = network.show.set(calls.show)
        try:
            return self._send(request, calls)
        finally:
            network.show.reset(token)

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
        is_shown = getattr(response.extensions.get("network_stream"), "is_live", False)
        response.stream = TappedStream(response.stream, _nowhere if is_shown or calls is None else calls.show)
    return response


def _nowhere(text: str) -> None:
    """Somebody else shows it, or nobody should."""


class PoolTransport(httpx.BaseTransport):
    """Real connections, through the proxies the environment names, with waits that a stop ends."""

    def __init__(self, max_connections: int) -> None:
        self._limits = httpx.Limits(
            max_connections=max_connections,
            max_keepalive_connections=max_connections,
            keepalive_expiry=KEEPALIVE_EXPIRY,
        )
        self._reader = network.Reader()
        self._pools: dict[str | None, httpx.HTTPTransport] = {None: self._pool(None)}

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        proxy = _proxy_for(request.url)
        if proxy not in self._pools:
            self._pools[proxy] = self._pool(proxy)
        return self._pools[proxy].handle_request(request)

    def _pool(self, proxy: str | None) -> httpx.HTTPTransport:
        transport = httpx.HTTPTransport(limits=self._limits, proxy=proxy)
        # httpcore takes a backend as a public argument, but httpx has no way to pass it on.
        transport._pool._network_backend = network.Backend(self._reader)
        return transport

    def close(self) -> None:
        for pool in self._pools.values():
            pool.close()
        self._reader.close()


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
    token = network.deadline.set(time.monotonic() + DRAIN_BUDGET)
    try:
        for _ in source:
            continue
    except httpx.TransportError:
        return  # the server lingers: give the connection up
    finally:
        network.deadline.reset(token)


def server_name(base_url: object) -> str:
    """Where a model is, without credentials: 'api.openai.com', 'localhost:11434'."""
    parts = urlsplit(str(base_url))
    return parts.netloc.rpartition("@")[2]
