"""The page and what it needs to start, over HTTP. Files are read at start, so no path ever reaches the disk."""

from __future__ import annotations

import hashlib
import json
import logging
import mimetypes
import socket
from collections.abc import Callable
from dataclasses import dataclass
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from agentchat.errors import ChatError, SettingsError
from agentchat.listener import BACKLOG, bind
from agentchat.origins import Origins

log = logging.getLogger(__name__)

READ_TIMEOUT = 15.0  # seconds a client has for each piece of its request, and may keep a connection unused
PAGE = "templates/chat.html"

SECURITY_HEADERS = {
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
}


@dataclass(frozen=True)
class Answer:
    """What a path answers with."""

    type: str
    body: bytes
    etag: str


def load_files(folder: Path) -> dict[str, Answer]:
    """The page and its parts, by the path they are asked for. Raises SettingsError when the page is missing."""
    try:
        files = {"/": _file(folder / PAGE)}
        for path in sorted((folder / "static").rglob("*")):
            if path.is_file():
                files["/" + path.relative_to(folder).as_posix()] = _file(path)
    except OSError as error:
        raise SettingsError(f"The page cannot be read: {error}.") from error
    return files


def _file(path: Path) -> Answer:
    type = {".js": "text/javascript", ".svg": "image/svg+xml"}.get(path.suffix)
    type = type or mimetypes.guess_type(path.name)[0] or "application/octet-stream"
    return _answer(f"{type}; charset=utf-8" if type.startswith(("text/", "image/svg")) else type, path.read_bytes())


def _answer(type: str, body: bytes) -> Answer:
    return Answer(type, body, f'"{hashlib.sha256(body).hexdigest()[:16]}"')


class PageServer(ThreadingHTTPServer):
    """Serves the page on its own threads. Raises SettingsError when it cannot listen."""

    daemon_threads = True
    block_on_close = False  # a client that keeps its connection must not hold up the end
    request_queue_size = BACKLOG

    def __init__(self, host: str, port: int, files: dict[str, Answer]) -> None:
        self.address_family = socket.AF_INET6 if ":" in host else socket.AF_INET
        self.files = files
        self.config: Callable[[], dict[str, Any]] = dict
        self.origins = Origins(port, host)
        self.ws_port = 0
        super().__init__((host, port), _Handler, bind_and_activate=False)
        bind(self.socket, host, port)
        self.server_address = self.socket.getsockname()
        self.server_activate()

    @property
    def port(self) -> int:
        return int(self.socket.getsockname()[1])

    def handle_error(self, request: Any, client_address: Any) -> None:
        log.debug("A page request broke off", exc_info=True)


class _Handler(BaseHTTPRequestHandler):
    server: PageServer
    protocol_version = "HTTP/1.1"
    server_version = "agentchat"
    sys_version = ""
    timeout = READ_TIMEOUT

    def do_GET(self) -> None:
        try:
            self._check_head()
            self._send_answer(self._find())
        except ChatError as error:
            self._send_error(error)

    do_HEAD = do_GET

    def _refuse_method(self) -> None:
        self._send_error(ChatError("method_not_allowed"))

    do_POST = do_PUT = do_PATCH = do_DELETE = do_OPTIONS = _refuse_method

    def _check_head(self) -> None:
        hosts = self.headers.get_all("Host", [])
        self.server.origins.check(hosts[0] if len(hosts) == 1 else None, None)
        if self.headers.get("Transfer-Encoding") or self.headers.get("Content-Length", "0") != "0":
            self.close_connection = True  # a body nobody asked for must not be taken for the next request

    def _find(self) -> Answer:
        path = urlsplit(self.path).path
        if path == "/api/config":
            return _answer("application/json", json.dumps(self.server.config()).encode())
        if path == "/healthz":
            return _answer("application/json", b'{"status": "ok"}')
        if path not in self.server.files:
            raise ChatError("not_found")
        return self.server.files[path]

    def _send_answer(self, answer: Answer) -> None:
        if self.headers.get("If-None-Match") == answer.etag:
            self._send(HTTPStatus.NOT_MODIFIED, answer.type, b"", answer.etag)
        else:
            self._send(HTTPStatus.OK, answer.type, answer.body, answer.etag)

    def _send_error(self, error: ChatError) -> None:
        self.close_connection = True
        body = json.dumps({"error": {"code": error.code, "message": error.message}}).encode()
        self._send(HTTPStatus(error.row.status), "application/json", body)

    def send_error(self, code: int, message: str | None = None, explain: str | None = None) -> None:
        """For what the standard library itself refuses: the same shape, the same headers."""
        self.close_connection = True
        status = HTTPStatus(code)
        sentence = {"error": {"code": "bad_request", "message": message or status.description or status.phrase}}
        self._send(status, "application/json", json.dumps(sentence).encode())

    def _send(self, status: HTTPStatus, type: str, body: bytes, etag: str | None = None) -> None:
        self.send_response(status)
        self.send_header("Content-Type", type)
        self.send_header("Content-Length", str(len(body)))
        self.send_header("Cache-Control", "no-cache")
        if etag:
            self.send_header("ETag", etag)
        if self.close_connection:
            self.send_header("Connection", "close")
        for name, value in SECURITY_HEADERS.items():
            self.send_header(name, value)
        self.send_header("Content-Security-Policy", self._content_security_policy())
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    def _content_security_policy(self) -> str:
        host = urlsplit(f"//{self._host()}").hostname or "localhost"
        host = f"[{host}]" if ":" in host else host
        return (
            "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; "
            f"connect-src 'self' ws://{host}:{self.server.ws_port}; base-uri 'none'; form-action 'none'; "
            "frame-ancestors 'none'"
        )

    def _host(self) -> str:
        """The checked Host header; an error before or about it gets no address of the client's making."""
        headers = getattr(self, "headers", None)
        host = headers.get("Host", "") if headers else ""
        try:
            self.server.origins.check(host, None)
        except ChatError:
            return ""
        return str(host)

    def log_message(self, format: str, *args: Any) -> None:
        log.debug(format, *args)
