"""The HTTP server: it listens, and serves each connection in a thread of its own.

The page's files are read at start; no path in a request ever reaches the disk.
"""

from __future__ import annotations

import contextlib
import functools
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
from agentchat.http.waiting import Waiters
from agentchat.net.listener import EXHAUSTED, RETRY
from agentchat.net.origins import Origins
from agentchat.protocol.errors import ChatError, SettingsError

log = logging.getLogger(__name__)

END_TIMEOUT = 0.5  # seconds that streams have to end when the server does
MAX_CONNECTIONS = 1000
PAGES = {"/": "templates/chat.html", "/desk": "templates/desk.html"}
INCLUDE = re.compile(rb"^[ \t]*<!-- include: ([\w-]+\.html) -->\r?\n", re.MULTILINE)


def load_files(folder: Path) -> dict[str, File]:
    """Return the pages and their assets by URL path. Raises SettingsError if one cannot be read."""
    try:
        files = {path: _file(folder / name, _page(folder / name)) for path, name in PAGES.items()}
        for path in sorted((folder / "static").rglob("*")):
            if path.is_file():
                about = path.stat()
                files["/" + path.relative_to(folder).as_posix()] = _asset(path, about.st_mtime_ns, about.st_size)
    except OSError as error:
        raise SettingsError(f"The page cannot be read: {error}.") from error
    return files


def _page(path: Path) -> bytes:
    """Return a template with each line `<!-- include: name.html -->` replaced by that file from its folder."""
    return INCLUDE.sub(lambda line: (path.parent / line[1].decode()).read_bytes(), path.read_bytes())


@functools.lru_cache(maxsize=1000)
def _asset(path: Path, mtime_ns: int, size: int) -> File:
    """Read a file, unless this process has read the same version before, as tests that start many servers do."""
    return _file(path, path.read_bytes())


def _file(path: Path, body: bytes) -> File:
    type = {".js": "text/javascript", ".svg": "image/svg+xml"}.get(path.suffix)
    type = type or mimetypes.guess_type(path.name)[0] or "application/octet-stream"
    type = f"{type}; charset=utf-8" if type.startswith(("text/", "image/svg")) else type
    return File(type, body, f'"{hashlib.sha256(body).hexdigest()[:16]}"')


class PageServer(ThreadingHTTPServer):
    """Serves the page and the routes."""

    daemon_threads = True
    block_on_close = False  # clients that keep their connections must not delay the end

    def __init__(self, listener: socket.socket, files: dict[str, File]) -> None:
        """`listener` is bound and listens already; closing the server closes it."""
        self.files = files
        self.table = Table()
        self.origins = Origins(listener.getsockname()[1], listener.getsockname()[0])
        self.ws_port = 0
        self.waiters = Waiters()
        self._free = threading.Semaphore(MAX_CONNECTIONS)
        self._lock = threading.Lock()  # guards _connections
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
                time.sleep(RETRY)  # new connections wait; logging this would fill up the log
            raise

    def process_request(self, request: Any, client_address: Any) -> None:
        if not self._free.acquire(blocking=False):
            _refuse(request)
            self.shutdown_request(request)
            return
        try:
            super().process_request(request, client_address)
        except RuntimeError:  # no thread could be started
            self._free.release()
            raise

    def process_request_thread(self, request: Any, client_address: Any) -> None:
        with self._lock:
            self._connections.add(request)
        try:
            super().process_request_thread(request, client_address)
        finally:
            with self._lock:
                self._connections.discard(request)
            self._free.release()

    def handle_error(self, request: Any, client_address: Any) -> None:
        log.debug("A connection failed", exc_info=True)

    def shutdown(self) -> None:
        with contextlib.suppress(OSError):  # not supported everywhere
            self.socket.shutdown(socket.SHUT_RDWR)  # wakes the thread that accepts connections
        super().shutdown()
        self.waiters.end(END_TIMEOUT)
        with self._lock:
            for connection in self._connections:  # kept connections get no more answers
                with contextlib.suppress(OSError):
                    connection.shutdown(socket.SHUT_RD)


def _refuse(connection: socket.socket) -> None:
    body = error_reply(ChatError("too_many_connections")).encoded
    head = f"HTTP/1.1 503 Service Unavailable\r\nContent-Type: {JSON}\r\nContent-Length: {len(body)}\r\n"
    with contextlib.suppress(OSError):
        connection.setblocking(False)
        connection.send(f"{head}Connection: close\r\n\r\n".encode() + body)
