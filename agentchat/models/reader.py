"""Connections to model servers: waits that a stop ends, and one thread that reads all streamed answers.

A thread per answer would be woken for every token, and hundreds of them would stand in each other's way. So the thread
of a turn sends its request and sleeps until the answer is complete, or something other than text arrives; the text goes
from the `Reader` straight to the session.
"""

from __future__ import annotations

import contextlib
import contextvars
import logging
import selectors
import socket
import ssl
import threading
import time
from typing import Any

import httpcore

from agentchat import cancellation
from agentchat.cancellation import Stopped
from agentchat.models.stream_parser import ResponseTap, Show

log = logging.getLogger(__name__)

READ_SIZE = 65536  # bytes

# Where the text of the answers goes that this thread (or task) asks for; nowhere outside a turn.
show: contextvars.ContextVar[Show | None] = contextvars.ContextVar("show", default=None)

# When reading must be over, whatever the timeout; for the last bytes of a body.
deadline: contextvars.ContextVar[float | None] = contextvars.ContextVar("deadline", default=None)


class Backend(httpcore.SyncBackend):
    """Opens connections for httpcore."""

    def __init__(self, reader: Reader) -> None:
        self._reader = reader

    def connect_tcp(self, host: str, *args: Any, **kwargs: Any) -> httpcore.NetworkStream:
        # Looking up a name and connecting cannot be interrupted, so they may be left behind.
        def connect() -> httpcore.NetworkStream:
            return super(Backend, self).connect_tcp(host, *args, **kwargs)

        stream = cancellation.call(connect, f"connect-{host}", dispose=lambda stream: stream.close())
        return ModelConnection(stream, self._reader)


class ModelConnection(httpcore.NetworkStream):
    """One connection, used by one turn at a time."""

    def __init__(self, stream: httpcore.NetworkStream, reader: Reader) -> None:
        self._stream = stream
        self._reader = reader
        self._tap: ResponseTap | None = None
        self._lock = threading.Lock()  # guards what follows, which the reader fills and the turn takes
        self._received = b""
        self._failure: Exception | None = None
        self._is_over = False  # the server has closed its side
        self._last_read = 0.0
        self._woken = threading.Event()

    @property
    def socket(self) -> socket.socket:
        return self._stream.get_extra_info("socket")  # type: ignore[no-any-return]

    @property
    def is_live(self) -> bool:
        """The text of the response that is being read is shown from here."""
        return self._tap is not None and self._tap.is_live

    @property
    def has_ended(self) -> bool:
        """No more of this answer will come."""
        return self._is_over or (self._tap is not None and self._tap.is_ended)

    # The turn's side

    def write(self, buffer: bytes, timeout: float | None = None) -> None:
        target = show.get()
        self._tap = ResponseTap(target) if target else None
        with cancellation.current.get().interruptible(self._shut_down):
            self._stream.write(buffer, timeout)

    def read(self, max_bytes: int, timeout: float | None = None) -> bytes:
        if (end := deadline.get()) is not None:
            timeout = max(end - time.monotonic(), 0.001)
        if self.is_live:
            return self._read_live(timeout)
        with cancellation.current.get().interruptible(self._shut_down):
            data = self._stream.read(max_bytes, timeout)
        return self._tap.feed(data) if self._tap and data else data

    def _read_live(self, timeout: float | None) -> bytes:
        self._last_read = time.monotonic()
        self._reader.add(self)
        try:
            with cancellation.current.get().interruptible(self._woken.set):
                self._wait(timeout)
        except BaseException:
            self._reader.remove(self)
            raise
        with self._lock:
            data, self._received = self._received, b""
            if not data and self._failure is not None:
                raise httpcore.ReadError(str(self._failure)) from self._failure
            if not (self._is_over or self._failure):
                self._woken.clear()
            return data

    def _wait(self, timeout: float | None) -> None:
        """Until there is something to take. Every byte that the reader sees begins the timeout anew."""
        left = timeout
        while not self._woken.wait(left):
            assert timeout is not None
            left = self._last_read + timeout - time.monotonic()
            if left <= 0:
                raise httpcore.ReadTimeout("the model server has gone silent")

    def _shut_down(self) -> None:
        # socket.socket's own method: SSLSocket.shutdown would drop the TLS state under the thread that reads.
        with contextlib.suppress(OSError):  # closed already, so nobody waits on it
            socket.socket.shutdown(self.socket, socket.SHUT_RDWR)

    def close(self) -> None:
        self._reader.remove(self)
        self._stream.close()

    def start_tls(self, *args: Any, **kwargs: Any) -> httpcore.NetworkStream:
        return ModelConnection(self._stream.start_tls(*args, **kwargs), self._reader)

    def get_extra_info(self, info: str) -> Any:
        return self._stream.get_extra_info(info)

    # The reader's side

    def receive(self) -> bool:
        """Take what the socket has. Returns whether more is to come. Never waits."""
        try:
            data = self.socket.recv(READ_SIZE)
            while isinstance(self.socket, ssl.SSLSocket) and self.socket.pending():
                data += self.socket.recv(READ_SIZE)
        except (BlockingIOError, ssl.SSLWantReadError, ssl.SSLWantWriteError):
            return True
        except OSError as error:
            return self._end(error)
        if not data:
            return self._end(None)
        return self._take(data)

    def _take(self, data: bytes) -> bool:
        assert self._tap is not None
        self._last_read = time.monotonic()
        try:
            passed = self._tap.feed(data)
        except Stopped:
            return False  # the turn knows already
        except Exception as error:  # noqa: BLE001 - it belongs to the turn, not to the thread that reads for all
            return self._end(error)
        is_ended = self._tap.is_ended  # once woken, the turn may hand the connection on, and its tap is another one
        if passed:
            with self._lock:
                self._received += passed
                self._woken.set()
        return not is_ended

    def _end(self, failure: Exception | None) -> bool:
        with self._lock:
            self._is_over, self._failure = True, failure
            self._woken.set()
        return False


class Reader:
    """The thread that reads all streamed answers."""

    def __init__(self) -> None:
        self._selector = selectors.DefaultSelector()
        self._alarm, self._bell = socket.socketpair()  # rung when the selector must look again
        self._selector.register(self._alarm, selectors.EVENT_READ)
        self._lock = threading.Lock()  # guards `_connections` and the selector; held while one is read
        self._connections: dict[int, ModelConnection] = {}  # by file descriptor
        self._is_closing = False
        self._thread = threading.Thread(target=self._run, name="model-reader", daemon=True)
        self._thread.start()

    def add(self, connection: ModelConnection) -> None:
        """Read it from now on, until its answer has ended or it is taken away."""
        number = connection.socket.fileno()
        with self._lock:
            # An answer that ended just now must not be added again: the next one's head is not the reader's to take.
            if self._connections.get(number) is connection or connection.has_ended:
                return
            connection.socket.setblocking(False)
            self._connections[number] = connection
            self._selector.register(number, selectors.EVENT_READ)
        self._bell.send(b"!")

    def remove(self, connection: ModelConnection) -> None:
        """Once this returns, the connection is not read and shows nothing any more."""
        with self._lock:
            for number in [n for n, other in self._connections.items() if other is connection]:
                self._forget(number)

    def close(self) -> None:
        self._is_closing = True
        self._bell.send(b"!")
        self._thread.join()
        self._selector.close()
        self._alarm.close()
        self._bell.close()

    def _forget(self, number: int) -> None:
        del self._connections[number]
        self._selector.unregister(number)

    def _run(self) -> None:
        while not self._is_closing:
            for key, _ in self._selector.select():
                if key.fileobj is self._alarm:
                    self._alarm.recv(READ_SIZE)
                else:
                    self._read(key.fd)

    def _read(self, number: int) -> None:
        with self._lock:
            connection = self._connections.get(number)
            if connection is not None and not connection.receive():
                self._forget(number)
