"""The listening sockets, bound before anything slow is loaded."""

from __future__ import annotations

import errno
import ipaddress
import socket
from collections.abc import Mapping

from agentchat.net import systemd
from agentchat.net.certificate import configured
from agentchat.net.tls import TlsListener
from agentchat.protocol.errors import SettingsError

BACKLOG = 1024  # connections that may wait to be accepted; the kernel caps it
RETRY = 0.1  # seconds to wait when the process is out of file descriptors or memory
EXHAUSTED = frozenset({errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM})


class Ports:
    """Both listening sockets of the server: `page` is for the HTTP server, `websocket` for AG2's.

    Those in `passed` listen already (systemd.py). Raises SettingsError when one of them cannot be had.
    """

    def __init__(
        self,
        host: str,
        port: int,
        ws_port: int,
        passed: Mapping[str, socket.socket] = {},
        tls: tuple[str, str] = ("", ""),
    ) -> None:
        """`tls` are the files with a certificate and its key, with which both speak TLS."""
        certificate = configured(*tls)
        self.page = passed.get(systemd.PAGE) or listening(host, port)
        try:
            self.websocket = passed.get(systemd.WEBSOCKET) or listening(host, ws_port)
        except SettingsError:
            self.page.close()
            raise
        self.is_kept = systemd.WEBSOCKET in passed
        """True if another process keeps the WebSocket's port open after this one has ended."""
        self.host = _widest(self.page, self.websocket) if passed else host
        """The address on which most can connect: unless that is this machine alone, people have to log in."""
        if certificate is not None:
            self.page, self.websocket = (TlsListener(port, certificate) for port in (self.page, self.websocket))

    def __enter__(self) -> Ports:
        return self

    def __exit__(self, *exception: object) -> None:
        self.websocket.close()
        self.page.close()


def listening(host: str, port: int) -> socket.socket:
    """Return a socket that listens there. Raises SettingsError, which says what to do."""
    sock = socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET, socket.SOCK_STREAM)
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


def _widest(*listeners: socket.socket) -> str:
    """Return the address of the first of them that others can reach, or else of the first."""
    addresses = [str(listener.getsockname()[0]) for listener in listeners]
    others = (each for each in addresses if not ipaddress.ip_address(each.partition("%")[0]).is_loopback)
    return next(others, addresses[0])
