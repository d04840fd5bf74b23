"""One HTTP request: from its request line to the last byte of the response."""

from __future__ import annotations

import contextlib
import logging
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler
from typing import Any, Protocol
from urllib.parse import urlsplit

from pydantic import BaseModel

from agentchat.http import requests
from agentchat.http.request_body import Disconnected, RequestBody, drain, single_header
from agentchat.http.routes import Call, Reply, Route, Stream, Table
from agentchat.http.waiting import Waiters
from agentchat.net.origins import Origins
from agentchat.protocol import identity
from agentchat.protocol.errors import ChatError

log = logging.getLogger(__name__)

READ_TIMEOUT = 15.0  # seconds to wait for more of a request, or for the next one
SEND_TIMEOUT = 60.0  # seconds after which a client that doesn't read is dropped

SECURITY_HEADERS = {
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
}
PREFLIGHT = {
    "Access-Control-Allow-Headers": "Content-Type, Idempotency-Key, Last-Event-ID",
    "Access-Control-Max-Age": "600",
}


@dataclass(frozen=True)
class File:
    """A page or one of its assets."""

    type: str
    body: bytes
    etag: str


class Site(Protocol):
    """The part of the server that handlers use."""

    files: Mapping[str, File]
    table: Table
    origins: Origins
    ws_port: int
    waiters: Waiters


class Handler(BaseHTTPRequestHandler):
    """Serves one connection, request by request."""

    server: Site  # type: ignore[assignment]  # created by PageServer only
    protocol_version = "HTTP/1.1"
    server_version = "agentchat"
    sys_version = ""
    timeout = READ_TIMEOUT
    disable_nagle_algorithm = True
    body: RequestBody | None = None
    """The body of the current request; None before its headers have been read."""
    origin: str | None = None
    """The origin of the page that sent the request, once it has been checked."""

    def __getattr__(self, name: str) -> Any:
        if name.startswith("do_"):  # any method; the table of routes decides
            return self._serve
        raise AttributeError(name)

    def handle_expect_100(self) -> bool:
        return True  # postponed until the body is read, so that one that is refused need not be sent

    def _serve(self) -> None:
        self.body, self.origin = RequestBody(self.headers), None
        with contextlib.ExitStack() as stack:
            try:
                answer = self._answer(self.body, stack)
            except Disconnected:
                self.close_connection = True
                return
            except ChatError as error:
                answer = error_reply(error)
            except Exception:
                log.exception("A request failed")
                answer = error_reply(ChatError("internal"))
            self._send(answer)
        if self.body.is_unread:
            drain(self.connection)

    # The request

    def _answer(self, body: RequestBody, stack: contextlib.ExitStack) -> Reply | Stream:
        path, query = self._address()
        origin = single_header(self.headers, "Origin") if path.startswith("/api/") else None
        hosts = self.headers.get_all("Host", [])
        self.server.origins.check(hosts[0] if len(hosts) == 1 else None, origin)
        self.origin = origin
        methods, variables = self.server.table.find(path)
        if path in self.server.files:
            return self._file(self.server.files[path]) if self.command in {"GET", "HEAD"} else _not_allowed(["GET"])
        if not methods:
            raise ChatError("not_found")
        if self.command == "OPTIONS" and origin and "Access-Control-Request-Method" in self.headers:
            return Reply(204, None, {"Access-Control-Allow-Methods": ", ".join(methods), **PREFLIGHT})
        route = methods.get("GET" if self.command == "HEAD" else self.command)
        if route is None:
            return _not_allowed(list(methods))
        parts = self._validated(route, query, body)
        call = Call(
            path=variables,
            browser=identity.browser(single_header(self.headers, "Cookie")),
            accept=_accepted(route.types, self.headers.get("Accept", "")),
            stack=stack,
            waiter=lambda: stack.enter_context(self.server.waiters.at(self.connection)),
        )
        return route.handle(call, **parts)

    def _address(self) -> tuple[str, str]:
        try:
            parts = urlsplit(self.path)
        except ValueError as error:
            raise ChatError("bad_request", problem="its address is invalid") from error
        return parts.path, parts.query

    def _validated(self, route: Route, query: str, body: RequestBody) -> dict[str, Any]:
        """The parts of the request that the route's handler declares. Raises ChatError."""
        parts: dict[str, Any] = {}
        if route.body is not None:
            content = self._read(route, body)
            parts["body"] = requests.parse_body(route.body, content) if issubclass(route.body, BaseModel) else content
        if route.query is not None:
            parts["query"] = requests.parse_query(route.query, query)
        if route.headers is not None:
            parts["headers"] = requests.parse_headers(route.headers, lambda name: single_header(self.headers, name))
        return parts

    def _read(self, route: Route, body: RequestBody) -> bytes:
        length = body.check(route.needs_body, route.max_body, is_json=route.body is not bytes)
        if not length:
            return b""
        if self.headers.get("Expect", "").lower() == "100-continue":
            self.send_response_only(HTTPStatus.CONTINUE)
            self.end_headers()
        return body.read(self.rfile.read, length)

    def _file(self, file: File) -> Reply:
        headers = {"Cache-Control": "no-cache", "ETag": file.etag}
        if file.type.startswith("text/html") and not identity.browser(self.headers.get("Cookie")):
            headers["Set-Cookie"] = identity.new_cookie()
        if self.headers.get("If-None-Match") == file.etag:
            return Reply(HTTPStatus.NOT_MODIFIED, b"", headers, file.type)
        return Reply(HTTPStatus.OK, file.body, headers, file.type)

    # The response

    def _send(self, answer: Reply | Stream) -> None:
        self.connection.settimeout(SEND_TIMEOUT)
        try:
            if isinstance(answer, Stream):
                self._send_stream(answer)
            else:
                self._send_reply(answer)
        except OSError:
            self.close_connection = True
            log.debug("A client went away", exc_info=True)
        self.connection.settimeout(READ_TIMEOUT)

    def _send_reply(self, reply: Reply) -> None:
        body = reply.encoded
        type = {} if reply.body is None else {"Content-Type": reply.type}
        has_length = reply.status not in {HTTPStatus.NO_CONTENT, HTTPStatus.NOT_MODIFIED}
        length = {"Content-Length": str(len(body))} if has_length else {}
        self._send_head(reply.status, {"Cache-Control": "no-store", **type, **reply.headers, **length})
        if self.command != "HEAD":
            self._write(body)

    def _send_stream(self, stream: Stream) -> None:
        is_chunked = self.request_version == "HTTP/1.1" and not stream.is_endless
        self.close_connection = self.close_connection or not is_chunked
        headers = {"Content-Type": stream.type, "Cache-Control": "no-store", **stream.headers}
        self._send_head(HTTPStatus.OK, headers | ({"Transfer-Encoding": "chunked"} if is_chunked else {}))
        if self.command == "HEAD":
            return
        try:
            with contextlib.closing(stream.pieces) as pieces:
                for piece in pieces:
                    data = piece.encode()
                    self._write(b"%x\r\n%b\r\n" % (len(data), data) if is_chunked else data)
        except OSError:
            raise
        except Exception:
            self.close_connection = True  # without the last chunk, so that the client notices
            log.exception("A stream failed")
        else:
            self._write(b"0\r\n\r\n" if is_chunked else b"")

    def _send_head(self, status: int, headers: Mapping[str, str]) -> None:
        if self.body is None or self.body.is_unread:
            self.close_connection = True  # an unread body must not be mistaken for the next request
        self.send_response(status)
        closing = {"Connection": "close"} if self.close_connection else {}
        policy = {"Content-Security-Policy": self._content_security_policy()}
        for name, value in {**SECURITY_HEADERS, **policy, **self._cors_headers(), **headers, **closing}.items():
            self.send_header(name, value)
        self.end_headers()

    def _cors_headers(self) -> Mapping[str, str]:
        if self.origin is None:
            return {"Vary": "Origin"}
        allowed = {"Access-Control-Allow-Origin": self.origin, "Access-Control-Expose-Headers": "Content-Disposition"}
        return {"Vary": "Origin", **allowed}

    def _write(self, data: bytes) -> None:
        """Write all data, however slowly the client reads. Raises OSError if it reads nothing for SEND_TIMEOUT."""
        left = memoryview(data)
        while left:
            left = left[self.connection.send(left) :]

    def send_error(self, code: int, message: str | None = None, explain: str | None = None) -> None:
        """Answer a request that the standard library refuses, in the shape of all errors."""
        self.close_connection = True
        status = HTTPStatus(code)
        sentence = message or status.description or status.phrase
        self._send_reply(Reply(status, {"error": {"code": "bad_request", "message": sentence}}))

    def _content_security_policy(self) -> str:
        host = urlsplit(f"//{self._host()}").hostname or "localhost"
        host = f"[{host}]" if ":" in host else host
        return (
            "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; "
            f"connect-src 'self' ws://{host}:{self.server.ws_port}; base-uri 'none'; form-action 'none'; "
            "frame-ancestors 'none'"
        )

    def _host(self) -> str:
        """The Host header, or "" while it hasn't been accepted."""
        headers = getattr(self, "headers", None)
        host = headers.get("Host", "") if headers else ""
        try:
            self.server.origins.check(host, None)
        except ChatError:
            return ""
        return str(host)

    def log_message(self, format: str, *args: Any) -> None:
        log.debug(format, *args)


def _accepted(types: Sequence[str], header: str) -> str:
    """Return the first type that the Accept header names, or else the first of `types`."""
    parts = [part.replace(" ", "").lower() for part in header.split(",")]
    asked = [part.partition(";")[0] for part in parts if not re.search(r";q=0(\.0*)?($|;)", part)]
    return next((type for type in asked if type in types), types[0])


def error_reply(error: ChatError) -> Reply:
    return Reply(error.row.status, {"error": {"code": error.code, "message": error.message}})


def _not_allowed(methods: list[str]) -> Reply:
    allowed = ", ".join([*methods, *(["HEAD"] if "GET" in methods else [])])
    return replace(error_reply(ChatError("method_not_allowed", methods=allowed)), headers={"Allow": allowed})
