"""Sockets that speak TLS and are used like others, with selectors or with time-outs.

OpenSSL reads and writes memory only, so that a handshake that is slow, or never comes, costs no thread: it is a part of
receiving. Whatever a client sends costs at most a few records of memory.
"""

from __future__ import annotations

import contextlib
import errno
import os
import socket
import ssl
import threading
import time
from collections.abc import Callable
from typing import Any

from agentchat.net.certificate import Certificate
from agentchat.net.security_headers import NO_PAGE
from agentchat.protocol.errors import ChatError

RECORD = 2**14  # bytes; the most that TLS encrypts at once
MAX_UNSENT = 4 * RECORD  # bytes that wait to be sent to a client which makes TLS itself answer, and doesn't read

_WORDS = b"This port speaks https (and wss), not http. Put https:// or wss:// before its address.\n"
_ABOUT = {"Content-Type": "text/plain; charset=utf-8", "Content-Length": str(len(_WORDS)), "Connection": "close"}
_HEAD = ["HTTP/1.1 400 Bad Request", *(f"{name}: {value}" for name, value in {**NO_PAGE, **_ABOUT}.items()), "", ""]
ANSWER_TO_HTTP = "\r\n".join(_HEAD).encode() + _WORDS


def check_plain(data: bytes | bytearray) -> None:
    """Raise ChatError if what a connection without TLS begins with is TLS."""
    if data[:2] == b"\x16\x03":
        raise ChatError("bad_request", problem="it is TLS, and this port speaks http (and ws), not https")


class TlsListener(socket.socket):
    """A listening socket whose connections speak TLS."""

    def __init__(self, listener: socket.socket, certificate: Certificate) -> None:
        """`listener` is bound and listens; it becomes this one."""
        super().__init__(listener.family, listener.type, listener.proto, fileno=listener.detach())
        self._certificate = certificate

    def accept(self) -> tuple[TlsSocket, Any]:
        """Return a new connection, whose handshake is still to come, and its address."""
        accepted, address = super().accept()
        return TlsSocket(accepted, self._certificate), address


class TlsSocket(socket.socket):
    """A connection that was accepted. Several threads may use it.

    `recv(size)` reads at most `size` bytes from the network, and returns all that can be decrypted then, which may be
    a record more: what is decrypted must not stay where a selector doesn't see it. Only `recv_into` may leave
    something, for `take`.
    """

    def __init__(self, accepted: socket.socket, certificate: Certificate) -> None:
        """`accepted` becomes this one."""
        super().__init__(accepted.family, accepted.type, accepted.proto, fileno=accepted.detach())
        self._certificate = certificate
        self._lock = threading.Lock()  # guards what follows
        self._incoming, self._outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        self._tls: ssl.SSLObject | None = None  # until the client has said something
        self._is_open = False  # the handshake is complete
        self._has_ended = False  # nothing more is received
        self._has_said_goodbye = False  # nothing more is sent
        self._speaks_http = False  # and was told that this is TLS
        self._decrypted = bytearray()
        self._unsent = b""  # encrypted
        self._promised = 0  # bytes that `send` will have sent when `_unsent` is

    def recv(self, size: int, flags: int = 0) -> bytes:
        """Return what was received, b"" at the end. With MSG_PEEK it is kept, and nothing is waited for."""
        with self._lock:
            if flags & socket.MSG_PEEK:
                return self._peek(size)
            self._receive(size)
            return self._taken()

    def recv_into(self, buffer: Any, nbytes: int = 0, flags: int = 0) -> int:
        """Receive as much as the buffer takes, and keep the rest."""
        with self._lock, memoryview(buffer) as view:
            self._receive(len(view))
            size = min(len(view), len(self._decrypted))
            view[:size] = self._decrypted[:size]
            del self._decrypted[:size]
            return size

    def take(self) -> bytes:
        """Return what was decrypted and left."""
        with self._lock:
            return self._taken()

    def send(self, data: Any, flags: int = 0) -> int:
        """Send a part, and return its size.

        After a BlockingIOError the same data have to be given again, as with OpenSSL; more may follow them.
        """
        with self._lock:
            if self._tls is None or not self._is_open:
                raise OSError(errno.ENOTCONN, os.strerror(errno.ENOTCONN))
            if not self._promised and len(data):
                self._promised = self._tls.write(memoryview(data)[:RECORD])
            self._repeat(self._flush)
            sent, self._promised = self._promised, 0
            return sent

    def shutdown(self, how: int) -> None:
        """Shut down a direction. The client is told that this is the end, unless both are cut off."""
        if how == socket.SHUT_WR:
            with self._lock:
                self._say_goodbye()
        super().shutdown(how)

    def close(self) -> None:
        if self.fileno() >= 0:
            with self._lock:
                self._say_goodbye()
        super().close()

    def _unavailable(self, *_: Any, **__: Any) -> Any:
        """Refuse what would go around TLS."""
        raise NotImplementedError("A TLS socket has recv, recv_into and send")

    makefile = sendall = sendfile = sendmsg = sendto = sendmsg_afalg = _unavailable
    dup = recvfrom = recvfrom_into = recvmsg = recvmsg_into = _unavailable

    # What follows needs the lock.

    def _receive(self, size: int) -> None:
        """Receive until something is decrypted, or that was the end."""
        assert self._lock.locked()
        if not (self._decrypted or self._has_ended):
            self._repeat(lambda: self._receive_once(size))

    def _receive_once(self, size: int) -> bool:
        assert self._lock.locked()
        data = super().recv(min(size, RECORD))
        if not data:
            self._has_ended = True
        elif self._tls is None and not self._speaks_http:
            self._begin(data)
        elif not self._speaks_http:
            self._decrypt(data)
        return bool(self._decrypted) or self._has_ended

    def _begin(self, data: bytes) -> None:
        assert self._lock.locked()
        if data[:1].isalpha():  # the method of a request; TLS begins with another byte
            self._speaks_http = True
            with contextlib.suppress(OSError):
                super().send(ANSWER_TO_HTTP)
                super().shutdown(socket.SHUT_WR)
            return
        self._tls = self._certificate.context().wrap_bio(self._incoming, self._outgoing, server_side=True)
        self._decrypt(data)

    def _decrypt(self, data: bytes) -> None:
        """Decrypt this, go on with the handshake, and send what TLS itself has to say."""
        assert self._lock.locked()
        assert self._tls is not None
        self._incoming.write(data)
        try:
            if not self._is_open:
                self._tls.do_handshake()
                self._is_open = True
                self._acknowledge()
            while part := self._tls.read(RECORD):
                self._decrypted += part
            self._end_reading()
        except ssl.SSLWantReadError:
            pass
        except ssl.SSLError:
            self._has_ended = self._has_said_goodbye = True
            raise
        finally:
            if self._outgoing.pending or self._unsent:
                with contextlib.suppress(OSError):  # what was decrypted counts nevertheless
                    self._flush()
        if len(self._unsent) > MAX_UNSENT:
            raise ConnectionAbortedError("It does not read what TLS answers")

    def _acknowledge(self) -> None:
        """Acknowledge the client's part of the handshake at once: some wait for that before they send a request."""
        if hasattr(socket, "TCP_QUICKACK"):
            with contextlib.suppress(OSError):
                self.setsockopt(socket.IPPROTO_TCP, socket.TCP_QUICKACK, True)

    def _end_reading(self) -> None:
        """Note that the client has said goodbye, and let selectors see the end as well."""
        assert self._lock.locked()
        self._has_ended = True
        with contextlib.suppress(OSError):
            super().shutdown(socket.SHUT_RD)

    def _peek(self, size: int) -> bytes:
        assert self._lock.locked()
        timeout = self.gettimeout()
        self.settimeout(0)
        try:
            self._receive(RECORD)
        finally:
            self.settimeout(timeout)
        return bytes(self._decrypted[:size])

    def _taken(self) -> bytes:
        assert self._lock.locked()
        taken = bytes(self._decrypted)
        self._decrypted.clear()
        return taken

    def _flush(self) -> bool:
        """Send what is encrypted, as far as the network takes it. Returns True if that was all."""
        assert self._lock.locked()
        self._unsent += self._outgoing.read()
        self._unsent = self._unsent[super().send(self._unsent) :]
        return not self._unsent

    def _repeat(self, step: Callable[[], bool]) -> None:
        """Take a step until it returns True. Raises BlockingIOError or TimeoutError if the time-out comes first."""
        assert self._lock.locked()
        timeout, start = self.gettimeout(), time.monotonic()
        try:
            while not step():
                if timeout == 0:
                    raise BlockingIOError
                if timeout is not None:
                    left = start + timeout - time.monotonic()
                    if left <= 0:
                        raise TimeoutError
                    self.settimeout(left)
        finally:
            if self.gettimeout() != timeout:
                self.settimeout(timeout)

    def _say_goodbye(self) -> None:
        """Send close_notify, if the network takes it at once."""
        assert self._lock.locked()
        is_in_the_middle = bool(self._promised)  # of a record that the client did not take
        if self._tls is not None and self._is_open and not self._has_said_goodbye and not is_in_the_middle:
            self._has_said_goodbye = True
            self.settimeout(0)
            with contextlib.suppress(OSError):
                self._tls.unwrap()  # which wants the client's answer, for which nobody waits
            with contextlib.suppress(OSError):
                self._flush()
