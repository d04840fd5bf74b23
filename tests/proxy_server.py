"""A proxy that speaks HTTP (CONNECT, plain and reverse forwarding) and SOCKS 5, and leads every target to one server.

It can also play a network that dies without a word: `swallow`.

with ProxyServer(port) as proxy:            # `port` of the server on this machine
    os.environ["ALL_PROXY"] = proxy.url("socks5")
    ...
    assert proxy.targets == [("socks5", "model.example:80")]
"""

from __future__ import annotations

import base64
import contextlib
import socket
import socketserver
import ssl
import threading
from typing import Any


class ProxyServer:
    """The proxy and its thread. `targets` holds (protocol, "host:port") of each connection asked for."""

    def __init__(self, port: int | None = None, login: str = "", tls: ssl.SSLContext | None = None) -> None:
        """`login` is the "name:password" that clients must give, if any. Without a port, HTTP leads to its targets."""
        self.targets: list[tuple[str, str]] = []
        self.login = login
        self.tls = tls
        self.upstream = ("127.0.0.1", port) if port is not None else None
        self.network = Network()
        self._server = _Server(("127.0.0.1", 0), _Connection)
        self._server.proxy = self
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.05,), name="proxy", daemon=True)

    def __enter__(self) -> ProxyServer:
        self._thread.start()
        return self

    def __exit__(self, *exception: object) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    def swallow(self) -> None:
        """Let nothing of the connections that there are pass any more, not even their end. New ones live."""
        self.network.is_dead = True
        self.network = Network()

    def url(self, scheme: str, login: str = "") -> str:
        return f"{scheme}://{login}{'@' if login else ''}127.0.0.1:{self._server.server_address[1]}"


class Network:
    """The network that some connections pass through. Once it is dead, it swallows everything."""

    is_dead = False


class _Server(socketserver.ThreadingTCPServer):
    proxy: ProxyServer
    daemon_threads = True
    block_on_close = False

    def finish_request(self, request: Any, client_address: Any) -> None:
        if self.proxy.tls is not None:
            request = self.proxy.tls.wrap_socket(request, server_side=True)
        super().finish_request(request, client_address)


class _Connection(socketserver.StreamRequestHandler):
    server: _Server

    def handle(self) -> None:
        with contextlib.suppress(OSError):  # the client is gone
            if not self.server.proxy.tls and self.connection.recv(1, socket.MSG_PEEK) == b"\x05":
                self._socks()
            else:
                self._http()

    def _socks(self) -> None:
        """RFC 1928, with the name and password of RFC 1929."""
        login = self.server.proxy.login
        methods = self._read(self._read(2)[1])
        wanted = 2 if login else 0
        self.wfile.write(bytes([5, wanted if wanted in methods else 255]))
        if wanted not in methods:
            return
        if login:
            name = self._read(self._read(2)[1]).decode()
            is_right = f"{name}:{self._read(self._read(1)[0]).decode()}" == login
            self.wfile.write(bytes([1, 0 if is_right else 1]))
            if not is_right:
                return
        *_, kind = self._read(4)
        host = self._read(self._read(1)[0]).decode() if kind == 3 else socket.inet_ntoa(self._read(4))
        self._note("socks5", f"{host}:{int.from_bytes(self._read(2), 'big')}")
        self.wfile.write(b"\x05\x00\x00\x01" + bytes(6))
        self._relay(b"")

    def _http(self) -> None:
        head = b""
        while not head.endswith(b"\r\n\r\n"):
            head += self._read(1)
        method, target, _ = head.split(b" ", 2)
        if target.startswith(b"/"):  # the client takes the proxy for the server
            self._relay(_alone(head))
            return
        wanted = base64.b64encode(self.server.proxy.login.encode())
        if self.server.proxy.login and b"Basic " + wanted not in head:
            self.wfile.write(b"HTTP/1.1 407 Proxy Authentication Required\r\nContent-Length: 0\r\n\r\n")
            return
        if method == b"CONNECT":
            self._note("connect", target.decode())
            self.wfile.write(b"HTTP/1.1 200 Connection established\r\n\r\n")
            self._relay(b"", target.decode())
        else:
            address, _, path = target.partition(b"://")[2].partition(b"/")
            self._note("http", address.decode())
            head = head.replace(target, b"/" + path, 1)
            self._relay(head if self.server.proxy.upstream else _alone(head), address.decode())

    def _read(self, size: int) -> bytes:
        data = self.rfile.read(size)
        if len(data) < size:
            raise ConnectionError
        return data

    def _note(self, protocol: str, target: str) -> None:
        self.server.proxy.targets.append((protocol, target))

    def _relay(self, first: bytes, target: str = "") -> None:
        network = self.server.proxy.network
        host, _, port = target.partition(":")
        with socket.create_connection(self.server.proxy.upstream or (host, int(port))) as upstream:
            upstream.sendall(first)
            back = threading.Thread(target=_copy, args=(upstream.recv, self.connection, network), daemon=True)
            back.start()
            _copy(self.rfile.read1, upstream, network)  # what has been buffered, too
            back.join()


def _alone(head: bytes) -> bytes:
    """Ask for a connection of its own, because browsers take long to give up one that they keep and that is dead."""
    return head.replace(b"Proxy-Connection: keep-alive", b"Connection: close").replace(b": keep-alive", b": close")


def _copy(receive: Any, target: socket.socket, network: Network) -> None:
    with contextlib.suppress(OSError):
        while data := receive(65536):
            if not network.is_dead:
                target.sendall(data)
    if not network.is_dead:
        with contextlib.suppress(OSError):
            target.shutdown(socket.SHUT_RDWR)
