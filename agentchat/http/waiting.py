"""Waiting until there is something to tell a client, it has hung up, or the server is about to end."""

from __future__ import annotations

import contextlib
import math
import random
import selectors
import socket
import threading
import time
from collections.abc import Callable, Iterator
from typing import Protocol, TypeVar

from agentchat.protocol.errors import ChatError

KEEP_ALIVE = 15.0  # seconds of silence after which a stream shows proxies that it is alive, without heartbeats

_Selector = getattr(selectors, "PollSelector", selectors.SelectSelector)  # poll needs no descriptor of its own

News = TypeVar("News")


class Source(Protocol):
    """Something that calls `wake` whenever it may have news."""

    def follow(self, wake: Callable[[], None]) -> None: ...

    def unfollow(self, wake: Callable[[], None]) -> None: ...


class Waiter:
    """Waits for one request, in the thread that answers it."""

    def __init__(self, connection: socket.socket, heartbeat: float) -> None:
        """`heartbeat` is the number of seconds after which a client is shown that it isn't forgotten; 0: never."""
        self.heartbeat = heartbeat
        # Clients that were sent the same event don't get their heartbeats at the same moment.
        self._patience = heartbeat * random.uniform(0.75, 1) or KEEP_ALIVE
        self._connection = connection
        self._has_hung_up = False
        self._is_ending = False
        self._is_woken = False
        self._waker, self._wakened = socket.socketpair()
        self._waker.setblocking(False)
        self._selector = _Selector()
        self._selector.register(self._wakened, selectors.EVENT_READ)
        self._selector.register(connection, selectors.EVENT_READ)

    def close(self) -> None:
        self._selector.close()
        self._waker.close()
        self._wakened.close()

    def watch(
        self, source: Source, look: Callable[[], News], seconds: float = math.inf, poll: float = math.inf
    ) -> Iterator[News | None]:
        """Yield each truthy result of `look`, and None after some seconds without one.

        `look` is called whenever `source` has news, and at least every `poll` seconds. The iterator ends after
        `seconds`, when the client has hung up, or when the server is about to end.
        """
        deadline = time.monotonic() + seconds
        heartbeat = time.monotonic() + self._patience
        source.follow(self.wake)
        try:
            while not self._has_hung_up:
                news = look()
                if news or time.monotonic() >= heartbeat:
                    yield news or None
                    heartbeat = time.monotonic() + self._patience
                now = time.monotonic()
                if self._is_ending or now >= deadline:
                    return
                if not news:
                    self._wait(min(heartbeat, deadline, now + poll) - now)
        finally:
            source.unfollow(self.wake)

    def wake(self) -> None:
        """Let `watch` look again. Never blocks; may be called from any thread, even after `close`."""
        if not self._is_woken:
            self._is_woken = True
            with contextlib.suppress(OSError):
                self._waker.send(b"\0")

    def end(self) -> None:
        """Let `watch` end, because the server does."""
        self._is_ending = True
        self.wake()

    def drop(self) -> None:
        """Cut the connection, even while something is being sent."""
        with contextlib.suppress(OSError):
            self._connection.shutdown(socket.SHUT_RDWR)

    def _wait(self, seconds: float) -> None:
        for key, _ in self._selector.select(max(seconds, 0)):
            if key.fileobj is self._wakened:
                self._wakened.recv(64)
            else:
                self._check_connection()
        self._is_woken = False  # cleared before `look` runs, so that nothing is missed

    def _check_connection(self) -> None:
        """The connection is readable: the client has hung up, or sends something before it has its answer."""
        try:
            self._has_hung_up = not self._connection.recv(1, socket.MSG_PEEK)
        except BlockingIOError:  # nothing but a part of TLS
            return
        except OSError:
            self._has_hung_up = True
        self._selector.unregister(self._connection)


class Waiters:
    """The waiters of all requests."""

    def __init__(self) -> None:
        self.heartbeat = 20.0  # seconds
        self._changed = threading.Condition()  # guards what follows
        self._waiters: set[Waiter] = set()
        self._is_ending = False

    @contextlib.contextmanager
    def at(self, connection: socket.socket) -> Iterator[Waiter]:
        """A waiter for the client at the other end of `connection`, while the context lasts.

        Raises ChatError if there are no descriptors for it.
        """
        try:
            waiter = Waiter(connection, self.heartbeat)
        except OSError as error:
            raise ChatError("server_full", what="open files") from error
        with contextlib.closing(waiter):
            with self._changed:
                self._waiters.add(waiter)
                if self._is_ending:
                    waiter.end()
            try:
                yield waiter
            finally:
                with self._changed:
                    self._waiters.discard(waiter)
                    self._changed.notify_all()

    def end(self, timeout: float) -> None:
        """End all waits. Clients that are still being answered after `timeout` seconds are cut off."""
        deadline = time.monotonic() + timeout
        with self._changed:
            self._is_ending = True
            for waiter in self._waiters:
                waiter.end()
            while self._waiters and time.monotonic() < deadline:
                self._changed.wait(max(deadline - time.monotonic(), 0))
            for waiter in self._waiters:
                waiter.drop()
