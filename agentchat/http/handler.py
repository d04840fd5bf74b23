"""How each HTTP request is answered, from its first line to the last byte."""

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

from agentchat.http import requests
from agentchat.http.request_body import HungUp, Incoming, linger
from agentchat.http.routes import JSON, Call, Reply, Route, Stream, Table
from agentchat.http.waiting import Clients
from agentchat.net.origins import Origins
from agentchat.protocol import identity
from agentchat.protocol.errors import ChatError

log = logging.getLogger(__name__)

READ_TIMEOUT = 15.0  # seconds a client has for each piece of its request, and may keep a connection unused
SEND_TIMEOUT = 60.0  # seconds after which a client that does not read is dropped
API = "/api/"

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
    """The page, or a part of it."""

    type: str
    body: bytes
    etag: str


class ServerState(Protocol):
    """What a handler needs of its server."""

    files: Mapping[str, File]
    table: Table
    origins: Origins
    ws_port: int
    clients: Clients


class Handler(BaseHTTPRequestHandler):
    """Serves one connection, request by request."""

    server: ServerState  # type: ignore[assignment]  # what it is made for
    protocol_version = "HTTP/1.1"
    server_version = "agentchat"
    sys_version = ""
    timeout = READ_TIMEOUT
    disable_nagle_algorithm = True
    incoming: Incoming | None = None
    origin: str | None = None

    def _serve(self) -> None:
        self.incoming, self.origin = Incoming(self.headers), None
        with contextlib.ExitStack() as stack:
            try:
                answer = self._answer(self.incoming, stack)
            except HungUp:
                self.close_connection = True
                return
            except ChatError as error:
                answer = error_reply(error)
            except Exception:
                log.exception("A request failed")
                answer = error_reply(ChatError("internal"))
            self._send(answer)
        if self.incoming.is_unread:
            linger(self.connection)

    def __getattr__(self, name: str) -> Any:
        if name.startswith("do_"):  # whatever the method is: the table of routes knows
            return self._serve
        raise AttributeError(name)

    def handle_expect_100(self) -> bool:
        return True  # said once the body is to be read, so that one that is too large need not be sent

    # What is asked

    def _answer(self, incoming: Incoming, stack: contextlib.ExitStack) -> Reply | Stream | File:
        path, query = self._address()
        is_api = path.startswith(API)
        origin = incoming.header("Origin") if is_api else None
        hosts = self.headers.get_all("Host", [])
        self.server.origins.check(hosts[0] if len(hosts) == 1 else None, origin)
        self.origin = origin
        methods, variables = self.server.table.find(path)
        if path in self.server.files:
            return self.server.files[path] if self.command in {"GET", "HEAD"} else _not_allowed(["GET"])
        if not methods:
            raise ChatError("not_found")
        if self.command == "OPTIONS" and origin and "Access-Control-Request-Method" in self.headers:
            return Reply(204, None, {"Access-Control-Allow-Methods": ", ".join(methods), **PREFLIGHT})
        route = methods.get("GET" if self.command == "HEAD" else self.command)
        if route is None:
            return _not_allowed(list(methods))
        return route.handle(self._call(route, variables, query, incoming, stack))

    def _address(self) -> tuple[str, str]:
        try:
            parts = urlsplit(self.path)
        except ValueError as error:
            raise ChatError("bad_request", problem="its address makes no sense") from error
        return parts.path, parts.query

    def _call(
        self,
        route: Route,
        variables: Mapping[str, str],
        query: str,
        incoming: Incoming,
        stack: contextlib.ExitStack,
    ) -> Call:
        body = self._body(route, incoming)
        given = {name: incoming.header(name) for name in requests.header_names(route.headers)}
        return Call(
            path=variables,
            query=requests.parse_query(route.query, query),
            body=body,
            headers=requests.check(route.headers, {name: value for name, value in given.items() if value is not None}),
            browser=identity.browser(incoming.header("Cookie")),
            accept=_accepted(route.types, self.headers.get("Accept", "")),
            stack=stack,
            watch=lambda: stack.enter_context(self.server.clients.watch(self.connection)),
        )

    def _body(self, route: Route, incoming: Incoming) -> Any:
        if route.body is None and not route.most:
            return None
        length = incoming.check_body(route.needs_body, route.most)
        if not length:
            return b"" if route.body is None else requests.check(route.body, {})
        if self.headers.get("Expect", "").lower() == "100-continue":
            self.send_response_only(HTTPStatus.CONTINUE)
            self.end_headers()
        body = incoming.read(self.rfile.read, length)
        return body if route.body is None else requests.parse(route.body, body)

    # What is answered

    def _send(self, answer: Reply | Stream | File) -> None:
        self.connection.settimeout(SEND_TIMEOUT)
        try:
            if isinstance(answer, Stream):
                self._send_stream(answer)
            elif isinstance(answer, File):
                self._send_file(answer)
            else:
                body = answer.encoded
                type = {} if answer.body is None else {"Content-Type": answer.type}
                self._send_whole(answer.status, body, {"Cache-Control": "no-store", **type, **answer.headers})
        except OSError:
            self.close_connection = True
            log.debug("A client went away", exc_info=True)
        self.connection.settimeout(READ_TIMEOUT)

    def _send_file(self, file: File) -> None:
        headers = {"Content-Type": file.type, "Cache-Control": "no-cache", "ETag": file.etag}
        if file.type.startswith("text/html") and not identity.browser(self.headers.get("Cookie")):
            headers["Set-Cookie"] = identity.new_cookie()
        if self.headers.get("If-None-Match") == file.etag:
            self._send_whole(HTTPStatus.NOT_MODIFIED, b"", headers)
        else:
            self._send_whole(HTTPStatus.OK, file.body, headers)

    def _send_whole(self, status: int, body: bytes, headers: Mapping[str, str]) -> None:
        has_length = status not in {HTTPStatus.NO_CONTENT, HTTPStatus.NOT_MODIFIED}
        self._send_head(status, {**headers, **({"Content-Length": str(len(body))} if has_length else {})})
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
            self.close_connection = True  # and so it is seen that the end is missing
            log.exception("A stream broke off")
        else:
            self._write(b"0\r\n\r\n" if is_chunked else b"")

    def _send_head(self, status: int, headers: Mapping[str, str]) -> None:
        if self.incoming is None or self.incoming.is_unread:
            self.close_connection = True  # a body nobody asked for must not be taken for the next request
        self.send_response(status)
        own = {"Connection": "close"} if self.close_connection else {}
        policy = {"Content-Security-Policy": self._content_security_policy()}
        for name, value in {**SECURITY_HEADERS, **policy, **self._shared(), **headers, **own}.items():
            self.send_header(name, value)
        self.end_headers()

    def _shared(self) -> Mapping[str, str]:
        """What lets a page of another origin read the answer, if it may."""
        if self.origin is None:
            return {"Vary": "Origin"}
        allowed = {"Access-Control-Allow-Origin": self.origin, "Access-Control-Expose-Headers": "Content-Disposition"}
        return {"Vary": "Origin", **allowed}

    def _write(self, data: bytes) -> None:
        """All of it, however slowly the client reads, as long as it does. Raises OSError when it does not."""
        left = memoryview(data)
        while left:
            left = left[self.connection.send(left) :]

    def send_error(self, code: int, message: str | None = None, explain: str | None = None) -> None:
        """For what the standard library itself refuses: the same shape, the same headers."""
        self.close_connection = True
        status = HTTPStatus(code)
        sentence = message or status.description or status.phrase
        answer = Reply(status, {"error": {"code": "bad_request", "message": sentence}})
        self._send_whole(status, answer.encoded, {"Content-Type": JSON})

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


def _accepted(types: Sequence[str], header: str) -> str:
    """Which of the types a client asks for by its name; the first one if it does not."""
    parts = [part.replace(" ", "").lower() for part in header.split(",")]
    asked = [part.partition(";")[0] for part in parts if not re.search(r";q=0(\.0*)?($|;)", part)]
    return next((type for type in asked if type in types), types[0])


def error_reply(error: ChatError) -> Reply:
    return Reply(error.row.status, {"error": {"code": error.code, "message": error.message}})


def _not_allowed(methods: list[str]) -> Reply:
    allowed = ", ".join([*methods, *(["HEAD"] if "GET" in methods else [])])
    return replace(error_reply(ChatError("method_not_allowed", methods=allowed)), headers={"Allow": allowed})
