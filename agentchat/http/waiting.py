"""Waiting for something to tell a client, without waiting for one that is gone."""

from __future__ import annotations

import contextlib
import selectors
import socket
import threading
import time
from collections.abc import Iterator

HEARTBEAT = 15.0  # seconds of silence after which a stream says that it is still there

_Selector = getattr(selectors, "PollSelector", selectors.SelectSelector)  # needs no descriptor of its own


class Client:
    """The client of one request, and the thread that answers it: what that thread waits for."""

    def __init__(self, connection: socket.socket) -> None:
        self.is_gone = False
        """It has hung up."""
        self.is_ending = False
        """The server is about to end."""
        self._connection = connection
        self._is_due = False
        self._wakes, self._woken = socket.socketpair()
        self._wakes.setblocking(False)
        self._selector = _Selector()
        self._selector.register(self._woken, selectors.EVENT_READ)
        self._selector.register(connection, selectors.EVENT_READ)

    def close(self) -> None:
        self._selector.close()
        self._wakes.close()
        self._woken.close()

    def wake(self) -> None:
        """There may be something to tell. Never blocks; from any thread, also when it is too late."""
        if not self._is_due:
            self._is_due = True
            with contextlib.suppress(OSError):
                self._wakes.send(b"\0")

    def end(self) -> None:
        """The server is about to end."""
        self.is_ending = True
        self.wake()

    def drop(self) -> None:
        """Break the connection off, even while something is being sent."""
        with contextlib.suppress(OSError):
            self._connection.shutdown(socket.SHUT_RDWR)

    def wait(self, seconds: float) -> None:
        """Until there may be something to tell, the client is gone, the server ends, or so much time has passed."""
        for key, _ in self._selector.select(max(seconds, 0)):
            if key.fileobj is self._woken:
                self._woken.recv(64)
            else:
                self._look()
        self._is_due = False  # before looking what is new, so that nothing is missed

    def _look(self) -> None:
        """The connection can be read: to its end, or the client says something before it has its answer."""
        try:
            self.is_gone = not self._connection.recv(1, socket.MSG_PEEK)
        except OSError:
            self.is_gone = True
        self._selector.unregister(self._connection)


class Clients:
    """All clients that are waited for."""

    def __init__(self) -> None:
        self._changed = threading.Condition()  # guards what follows
        self._clients: set[Client] = set()
        self._is_ending = False

    @contextlib.contextmanager
    def watch(self, connection: socket.socket) -> Iterator[Client]:
        """The client at the other end of `connection`, for a while."""
        with contextlib.closing(Client(connection)) as client:
            with self._changed:
                self._clients.add(client)
                client.is_ending = self._is_ending
            try:
                yield client
            finally:
                with self._changed:
                    self._clients.discard(client)
                    self._changed.notify_all()

    def end(self, timeout: float) -> None:
        """The server ends: no thread waits any longer. Clients that do not read are dropped after `timeout` seconds."""
        deadline = time.monotonic() + timeout
        with self._changed:
            self._is_ending = True
            for client in self._clients:
                client.end()
            while self._clients and time.monotonic() < deadline:
                self._changed.wait(max(deadline - time.monotonic(), 0))
            for client in self._clients:
                client.drop()
