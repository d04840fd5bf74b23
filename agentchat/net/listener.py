"""A listening socket that survives floods: running out of file descriptors must not end the server."""

from __future__ import annotations

import contextlib
import errno
import logging
import select
import socket
import time

from agentchat.protocol.errors import ChatError, SettingsError

log = logging.getLogger(__name__)

BACKLOG = 1024  # connections that may wait to be accepted; the kernel caps it
RETRY = 0.1  # seconds to wait when the process is out of file descriptors or memory
EXHAUSTED = frozenset({errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM})
DESCRIPTORS_PER_CONNECTION = 4  # those that `websockets` opens: the socket, a pair to wake its reader, a poller
SPARE_DESCRIPTORS = 100  # for model servers, files and pages


class Ports:
    """Both listening sockets of the server, bound before anything slow is loaded.

    `page` is for the HTTP server, `websocket` for AG2's. Raises SettingsError when one of them cannot be had.
    """

    def __init__(self, host: str, port: int, ws_port: int) -> None:
        self.page = _listening(socket.socket(_family(host), socket.SOCK_STREAM), host, port)
        try:
            self.websocket = Listener(host, ws_port, room_for_connections())
        except SettingsError:
            self.page.close()
            raise

    def __enter__(self) -> Ports:
        return self

    def __exit__(self, *exception: object) -> None:
        self.websocket.close()
        self.page.close()


class Listener(socket.socket):
    """Accepts up to `max_connections` at once, and answers the others with HTTP 503."""

    def __init__(self, host: str, port: int, max_connections: int) -> None:
        super().__init__(_family(host), socket.SOCK_STREAM)
        self.max_connections = max_connections
        self._accepted: list[socket.socket] = []
        self._is_leaving = False
        _listening(self, host, port)

    @property
    def port(self) -> int:
        """The port it is bound to, also if a free one was picked."""
        return int(self.getsockname()[1])

    def accept(self) -> tuple[socket.socket, object]:
        """Wait for a connection that there is room for."""
        while True:
            try:
                connection, address = super().accept()
            except OSError as error:
                if error.errno not in EXHAUSTED:
                    raise  # closed
                log.warning("Out of file descriptors or memory; new connections wait")
                time.sleep(RETRY)
                continue
            if self._has_room():
                self._accepted.append(connection)
                return connection, address
            _refuse(connection)
            self._wait_for_next()

    def hang_up(self) -> None:
        """Accept no more connections and end the accepted ones; half-open ones would delay the server's end."""
        self._is_leaving = True
        for connection in self._accepted:
            with contextlib.suppress(OSError):  # ended already
                connection.shutdown(socket.SHUT_RDWR)

    def _has_room(self) -> bool:
        if self._is_leaving:
            return False
        if len(self._accepted) >= self.max_connections:
            self._accepted = [connection for connection in self._accepted if connection.fileno() >= 0]
        return len(self._accepted) < self.max_connections

    def _wait_for_next(self) -> None:
        """Wait in short steps, because closing a socket doesn't end an accept that blocks in another thread."""
        while self.fileno() >= 0 and not select.select([self], [], [], RETRY)[0]:
            continue


def _family(host: str) -> socket.AddressFamily:
    return socket.AF_INET6 if ":" in host else socket.AF_INET


def _listening(sock: socket.socket, host: str, port: int) -> socket.socket:
    """Bind `sock` and listen. Raises SettingsError, which says what to do."""
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        sock.bind((host, port))
        sock.listen(BACKLOG)
    except OSError as error:
        sock.close()
        if error.errno == errno.EADDRINUSE:
            raise SettingsError(
                f"Port {port} is in use. Stop what uses it, or choose another port (0 picks a free one)."
            ) from error
        raise SettingsError(f"Cannot listen on {host}:{port}: {error.strerror or error}.") from error
    except OverflowError as error:
        sock.close()
        raise SettingsError(f"{port} is not a port: ports go from 0 to 65535.") from error
    return sock


def room_for_connections() -> int:
    """Raise the process's limit on file descriptors, and return how many connections it leaves room for."""
    try:
        import resource  # not on Windows, which has no such limit
    except ImportError:
        return 5000
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    with contextlib.suppress(OSError, ValueError):  # macOS refuses an unlimited number
        resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
        soft = hard
    if soft == resource.RLIM_INFINITY:
        return 5000
    return max(min((soft - SPARE_DESCRIPTORS) // DESCRIPTORS_PER_CONNECTION, 5000), 10)


def _refuse(connection: socket.socket) -> None:
    body = ChatError("too_many_connections").message + "\n"
    head = f"HTTP/1.1 503 Service Unavailable\r\nContent-Length: {len(body)}\r\nConnection: close\r\n\r\n"
    with contextlib.suppress(OSError), connection:
        connection.setblocking(False)
        connection.send((head + body).encode())
