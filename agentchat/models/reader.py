"""The thread that reads all streamed answers, and the connections it reads.

One thread per answer would be woken for every token, and hundreds of them hold each other up: with 100 conversations
that stream at once, AG2's tutorial server, which works that way, delays the median token by 46 ms. This module and
stream_parser.py bring it to 0.6 ms for 41 % of the CPU (benchmarks/README.md, rows 1 and 2). A turn's thread sends its
request and sleeps until the answer is complete or something other than text arrives; text goes from the `Reader`
straight to the session.

All waits end at once when the turn is stopped. Neither closing an httpx client nor an exception set from another thread
interrupts a read that waits for a silent model; shutting the socket down does.
"""

from __future__ import annotations

import contextlib
import contextvars
import selectors
import socket
import ssl
import threading
import time
from typing import Any

import httpcore

from agentchat import cancellation
from agentchat.cancellation import Stopped
from agentchat.models.normalize import TooMuch
from agentchat.models.stream_parser import OnText, ResponseParser

READ_SIZE = 65536  # bytes
GRACE = 5.0  # seconds to wait for the usage of an answer that is complete

# Receives the text of the answers that this thread (or task) asks for; None outside a turn.
on_text: contextvars.ContextVar[OnText | None] = contextvars.ContextVar("on_text", default=None)

# The time.monotonic() at which reading must be over, whatever the timeout; for the last bytes of a body.
deadline: contextvars.ContextVar[float | None] = contextvars.ContextVar("deadline", default=None)


class Backend(httpcore.SyncBackend):
    """Opens connections for httpcore."""

    def __init__(self, reader: Reader) -> None:
        self._reader = reader

    def connect_tcp(self, host: str, *args: Any, **kwargs: Any) -> httpcore.NetworkStream:
        # Name lookup and connecting cannot be interrupted, so a stopped turn leaves their thread behind.
        def connect() -> httpcore.NetworkStream:
            return super(Backend, self).connect_tcp(host, *args, **kwargs)

        stream = cancellation.call(connect, f"connect-{host}", dispose=lambda stream: stream.close())
        return ModelConnection(stream, self._reader)


class ModelConnection(httpcore.NetworkStream):
    """One connection to a model server, used by one turn at a time."""

    def __init__(self, stream: httpcore.NetworkStream, reader: Reader, is_nested: bool = False) -> None:
        """`is_nested` is true for TLS inside a proxy's TLS, which can't be read from the socket."""
        self._stream = stream
        self._reader = reader
        self._is_nested = is_nested
        self._parser: ResponseParser | None = None
        self._lock = threading.Lock()  # guards the next three, which the reader sets and the turn takes
        self._received = b""
        self._failure: Exception | None = None
        self._is_over = False  # the server has closed its side
        self._last_read = 0.0
        self._woken = threading.Event()

    @property
    def socket(self) -> socket.socket:
        return self._stream.get_extra_info("socket")  # type: ignore[no-any-return]

    @property
    def is_streaming(self) -> bool:
        """True while a streamed answer is read whose text is reported from here."""
        return self._parser is not None and self._parser.is_streaming

    @property
    def has_ended(self) -> bool:
        """True once no more of this answer will come."""
        return self._is_over or (self._parser is not None and self._parser.is_ended)

    # Called by the turn's thread

    def write(self, buffer: bytes, timeout: float | None = None) -> None:
        target = None if self._is_nested else on_text.get()
        self._parser = ResponseParser(target) if target else None
        with cancellation.current.get().interruptible(self._shut_down):
            self._stream.write(buffer, timeout)

    def read(self, max_bytes: int, timeout: float | None = None) -> bytes:
        if (end := deadline.get()) is not None:
            timeout = max(end - time.monotonic(), 0.001)
        if self.is_streaming:
            return self._read_stream(timeout)
        with cancellation.current.get().interruptible(self._shut_down):
            data = self._stream.read(max_bytes, timeout)
        return self._parser.feed(data) if self._parser and data else data

    def _read_stream(self, timeout: float | None) -> bytes:
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
                raise _read_error(self._failure)
            if not (self._is_over or self._failure):
                self._woken.clear()
            return data

    def _wait(self, timeout: float | None) -> None:
        """Wait until there is something to take. Every byte that the reader sees restarts the timeout."""
        left = timeout
        while not self._woken.wait(GRACE if left is None else min(left, GRACE)):
            silent = time.monotonic() - self._last_read
            if self._parser is not None and self._parser.is_finishing and silent >= GRACE:
                self._finish(self._parser)
            elif timeout is not None:
                left = timeout - silent
                if left <= 0 or deadline.get() is not None:
                    raise httpcore.ReadTimeout("the model server has gone silent")

    def _finish(self, parser: ResponseParser) -> None:
        """Take an answer whose model has said why it ends, though its server keeps the body open."""
        self._reader.remove(self)
        with self._lock:
            self._received += parser.finish()
            self._woken.set()

    def _shut_down(self) -> None:
        # socket.socket's own method: SSLSocket.shutdown would drop the TLS state under the thread that reads.
        with contextlib.suppress(OSError):  # already closed, so nobody is waiting on it
            socket.socket.shutdown(self.socket, socket.SHUT_RDWR)

    def close(self) -> None:
        self._reader.remove(self)
        self._stream.close()

    def start_tls(self, *args: Any, **kwargs: Any) -> httpcore.NetworkStream:
        is_nested = isinstance(self.socket, ssl.SSLSocket)
        return ModelConnection(self._stream.start_tls(*args, **kwargs), self._reader, is_nested)

    def get_extra_info(self, info: str) -> Any:
        return self._stream.get_extra_info(info)

    # Called by the reader's thread

    def receive(self) -> bool:
        """Take what the socket has, without waiting. Return True if more is to come."""
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
        return self._parse(data)

    def _parse(self, data: bytes) -> bool:
        assert self._parser is not None
        self._last_read = time.monotonic()
        try:
            output = self._parser.feed(data)
        except Stopped:
            return False  # the turn knows already
        except Exception as error:  # noqa: BLE001 - it belongs to the turn, not to the thread that reads for all
            return self._end(error)
        is_ended = self._parser.is_ended  # read first: once woken, the turn may start a request with a new parser
        if output:
            with self._lock:
                self._received += output
                self._woken.set()
        return not is_ended

    def _end(self, failure: Exception | None) -> bool:
        with self._lock:
            self._is_over, self._failure = True, failure
            self._woken.set()
        return False


class TooMuchRead(TooMuch, httpcore.ReadError):
    """TooMuch for httpcore, which drops the cause of an error of its own."""


def _read_error(failure: Exception) -> Exception:
    return (TooMuchRead if isinstance(failure, TooMuch) else httpcore.ReadError)(str(failure))


class Reader:
    """The thread that reads all streamed answers."""

    def __init__(self) -> None:
        self._selector = selectors.DefaultSelector()
        self._wake_receiver, self._wake_sender = socket.socketpair()  # wakes the selector when its sockets change
        self._selector.register(self._wake_receiver, selectors.EVENT_READ)
        self._lock = threading.Lock()  # guards `_connections` and the selector; held while a connection is read
        self._connections: dict[int, ModelConnection] = {}  # by file descriptor
        self._is_closing = False
        self._thread = threading.Thread(target=self._run, name="model-reader", daemon=True)
        contextvars.Context().run(self._thread.start)  # it serves other turns as well

    def add(self, connection: ModelConnection) -> None:
        """Read the connection from now on, until its answer has ended or it is removed."""
        number = connection.socket.fileno()
        with self._lock:
            # Don't add an answer that has just ended: the head of the next one is for the turn's thread to read.
            if self._connections.get(number) is connection or connection.has_ended:
                return
            connection.socket.setblocking(False)
            self._connections[number] = connection
            self._selector.register(number, selectors.EVENT_READ)
        self._wake_sender.send(b"!")

    def remove(self, connection: ModelConnection) -> None:
        """Stop reading the connection. Once this returns, it reports no more text."""
        with self._lock:
            for number in [n for n, other in self._connections.items() if other is connection]:
                self._forget(number)

    def close(self) -> None:
        self._is_closing = True
        self._wake_sender.send(b"!")
        self._thread.join()
        self._selector.close()
        self._wake_receiver.close()
        self._wake_sender.close()

    def _forget(self, number: int) -> None:
        """Requires the lock."""
        assert self._lock.locked()
        del self._connections[number]
        self._selector.unregister(number)

    def _run(self) -> None:
        while not self._is_closing:
            for key, _ in self._selector.select():
                if key.fileobj is self._wake_receiver:
                    self._wake_receiver.recv(READ_SIZE)
                else:
                    self._read(key.fd)

    def _read(self, number: int) -> None:
        with self._lock:
            connection = self._connections.get(number)
            if connection is not None and not connection.receive():
                self._forget(number)
