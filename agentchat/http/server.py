"""The HTTP server: the page, and what the table of routes says.

Files are read at start, so no path ever reaches the disk. A thread serves each connection.
"""

from __future__ import annotations

import contextlib
import hashlib
import logging
import mimetypes
import re
import socket
import threading
import time
from http.server import ThreadingHTTPServer
from pathlib import Path
from typing import Any

from agentchat.http.handler import File, Handler, error_reply
from agentchat.http.routes import JSON, Table
from agentchat.http.waiting import Clients
from agentchat.net.listener import EXHAUSTED, RETRY
from agentchat.net.origins import Origins
from agentchat.protocol.errors import ChatError, SettingsError

log = logging.getLogger(__name__)

END_TIMEOUT = 0.5  # seconds that streams have to end with the server
MAX_CONNECTIONS = 1000  # a thread each
PAGES = {"/": "templates/chat.html", "/desk": "templates/desk.html"}
INCLUDE = re.compile(rb"^[ \t]*<!-- include: ([\w-]+\.html) -->\r?\n", re.MULTILINE)


def load_files(folder: Path) -> dict[str, File]:
    """The pages and their parts, by the path they are asked for. Raises SettingsError when one cannot be read."""
    try:
        files = {path: _file(folder / name, _page(folder / name)) for path, name in PAGES.items()}
        for path in sorted((folder / "static").rglob("*")):
            if path.is_file():
                files["/" + path.relative_to(folder).as_posix()] = _file(path, path.read_bytes())
    except OSError as error:
        raise SettingsError(f"The page cannot be read: {error}.") from error
    return files


def _page(path: Path) -> bytes:
    """A template in which each line `<!-- include: name.html -->` is replaced by that file from the same folder."""
    return INCLUDE.sub(lambda line: (path.parent / line[1].decode()).read_bytes(), path.read_bytes())


def _file(path: Path, body: bytes) -> File:
    type = {".js": "text/javascript", ".svg": "image/svg+xml"}.get(path.suffix)
    type = type or mimetypes.guess_type(path.name)[0] or "application/octet-stream"
    type = f"{type}; charset=utf-8" if type.startswith(("text/", "image/svg")) else type
    return File(type, body, f'"{hashlib.sha256(body).hexdigest()[:16]}"')


class PageServer(ThreadingHTTPServer):
    """Serves the page and the routes on threads of its own."""

    daemon_threads = True
    block_on_close = False  # a client that keeps its connection must not hold up the end

    def __init__(self, listener: socket.socket, files: dict[str, File]) -> None:
        """`listener` is bound and listens already; closing the server closes it."""
        self.files = files
        self.table = Table()
        self.origins = Origins(listener.getsockname()[1], listener.getsockname()[0])
        self.ws_port = 0
        self.clients = Clients()
        self._room = threading.Semaphore(MAX_CONNECTIONS)
        self._lock = threading.Lock()  # guards the connections
        self._connections: set[socket.socket] = set()
        super().__init__(listener.getsockname(), Handler, bind_and_activate=False)
        self.socket.close()  # the one that the base class has made
        self.socket = listener

    @property
    def port(self) -> int:
        return int(self.socket.getsockname()[1])

    def get_request(self) -> tuple[Any, Any]:
        try:
            return super().get_request()
        except OSError as error:
            if error.errno in EXHAUSTED:
                time.sleep(RETRY)  # new connections wait; nobody is told, or the log would fill up
            raise

    def process_request(self, request: Any, client_address: Any) -> None:
        if not self._room.acquire(blocking=False):
            _refuse(request)
            self.shutdown_request(request)
            return
        try:
            super().process_request(request, client_address)
        except RuntimeError:  # no thread to be had
            self._room.release()
            raise

    def process_request_thread(self, request: Any, client_address: Any) -> None:
        with self._lock:
            self._connections.add(request)
        try:
            super().process_request_thread(request, client_address)
        finally:
            with self._lock:
                self._connections.discard(request)
            self._room.release()

    def handle_error(self, request: Any, client_address: Any) -> None:
        log.debug("A request broke off", exc_info=True)

    def shutdown(self) -> None:
        with contextlib.suppress(OSError):  # not on every system
            self.socket.shutdown(socket.SHUT_RDWR)  # wakes the thread that waits for connections
        super().shutdown()
        self.clients.end(END_TIMEOUT)
        with self._lock:
            for connection in self._connections:  # one that is kept for later must not be answered any more
                with contextlib.suppress(OSError):
                    connection.shutdown(socket.SHUT_RD)


def _refuse(connection: socket.socket) -> None:
    body = error_reply(ChatError("too_many_connections")).encoded
    head = f"HTTP/1.1 503 Service Unavailable\r\nContent-Type: {JSON}\r\nContent-Length: {len(body)}\r\n"
    with contextlib.suppress(OSError):
        connection.setblocking(False)
        connection.send(f"{head}Connection: close\r\n\r\n".encode() + body)
