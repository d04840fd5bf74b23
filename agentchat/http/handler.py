"""One HTTP request: from its request line to the last byte of the response."""

from __future__ import annotations

import contextlib
import logging
import os
import re
import socket
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from email.utils import formatdate
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler
from io import BufferedReader
from typing import Any, Protocol
from urllib.parse import parse_qs, quote

from pydantic import BaseModel

from agentchat.access import Access, Need
from agentchat.auth.connections import Connections
from agentchat.auth.identification import Asked, Identification
from agentchat.auth.live import Live
from agentchat.http import page_languages, page_themes, requests
from agentchat.http.connection import Connection, Disconnected
from agentchat.http.limits import Limits, Slot
from agentchat.http.public_files import File
from agentchat.http.request_body import RequestBody, single_header
from agentchat.http.request_head import Head
from agentchat.http.routes import EVENT_STREAM, Call, Reply, Route, Stream, Table
from agentchat.http.waiting import Waiters
from agentchat.net.access_log import AccessLog
from agentchat.net.origins import Origins
from agentchat.net.own_address import OwnAddress
from agentchat.net.security_headers import NO_PAGE, SECURITY_HEADERS, strict_transport
from agentchat.protocol import identity
from agentchat.protocol.errors import ChatError
from agentchat.protocol.identity import Caller

log = logging.getLogger(__name__)

SEND_TIMEOUT = 60.0  # seconds after which a client that doesn't read its stream is dropped
RETRY_AFTER = 5  # seconds
FILE_PIECE = 64 * 1024  # bytes of a file that are in memory while its client reads it

KEPT = "public, max-age=31536000, immutable"
"""A year, for files whose address changes with their content."""

LOGIN_PAGE = "/login"
GUARDED_PAGES = {"/admin": Need.ADMIN, "/status": Need.STATUS}
SOCKET = "/ws"
"""The one address on this port that accepts WebSockets."""

POLICY = {
    # 'self' includes the page's own WebSocket, wherever it was loaded from, in every browser that runs the page.
    "Content-Security-Policy": "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; "
    "connect-src 'self'; frame-src 'self'; manifest-src 'self'; base-uri 'none'; form-action 'none'; "
    "frame-ancestors 'none'; require-trusted-types-for 'script'; trusted-types prose"  # HTML: views/prose/blocks.js
}
PREFLIGHT = {
    "Access-Control-Allow-Headers": "Authorization, Content-Type, Idempotency-Key, Last-Event-ID",
    "Access-Control-Max-Age": "600",
}


class Site(Protocol):
    """The part of the server that handlers use."""

    files: Mapping[str, File]
    table: Table
    origins: Origins
    waiters: Waiters
    limits: Limits
    check_rate: Callable[[Caller], None]
    has_sent: Callable[[str, str, str], bool]
    """Returns True if that person sent the command to that session with that id."""
    identification: Identification
    access: Access
    live: Live
    connections: Connections
    access_log: AccessLog


PROBES = frozenset({"/livez", "/healthz", "/readyz"})  # asked by programs that call the server by any name


@dataclass(frozen=True)
class Request:
    """A request whose head has arrived and been checked, and its place among those that are answered at once."""

    connection: Connection
    head: Head
    slot: Slot
    own: OwnAddress
    """The address under which the client reached this server."""


class Handler(BaseHTTPRequestHandler):
    """Answers one request. The server has read its head; `HTTPServer` makes a handler for each."""

    request: Request
    server: Site  # type: ignore[assignment]  # made by PageServer only
    connection: Connection  # made by PageServer only

    def setup(self) -> None:
        """Take the parts of the request, of which the standard library would read the head here."""
        self.connection, self.head, self.slot = self.request.connection, self.request.head, self.request.slot
        self.own = self.request.own
        self.command, self.headers = self.head.method, self.head.headers
        self.body = RequestBody(self.headers)
        self.origin: str | None = None
        """The origin of the page that sent the request, once it has been checked."""
        self.keeps_alive = self.head.keeps_alive
        """The connection can be used for another request."""
        self.begun, self.sent_before = time.monotonic(), self.connection.sent
        self.status, self.user = 0, ""

    def finish(self) -> None:
        """Note whether another request may come, and log this one; also called when its client is gone."""
        self.connection.is_ending = not self.keeps_alive
        size, head = self.connection.sent - self.sent_before, self.head
        self.server.access_log.request(
            head.method, head.prefix + head.path, head.query,
            status=self.status, size=size, begun=self.begun, address=self.connection.address, user=self.user,
        )  # fmt: skip

    def handle(self) -> None:
        """Answer the request. Raises OSError or Disconnected if the client is gone or too slow."""
        with contextlib.ExitStack() as stack:
            try:
                answer = self._answer(self.body, stack)
            except ChatError as error:
                answer = error_reply(error)
            except (Disconnected, MemoryError):
                raise
            except Exception:
                log.exception("A request failed")
                answer = error_reply(ChatError("internal"))
            self._send(answer)

    # The request

    def _answer(self, body: RequestBody, stack: contextlib.ExitStack) -> Reply | Stream:
        head, method = self.head, self.head.method
        is_public = head.path in self.server.files
        origin = None if is_public else single_header(self.headers, "Origin")
        if origin is not None or head.path not in PROBES:
            self.server.origins.check(self.own, origin)
        self.origin = origin
        methods, variables = self.server.table.find(head.path)
        if not (is_public or methods) and head.path == self.server.identification.proxies.public.prefix:
            return Reply(HTTPStatus.PERMANENT_REDIRECT, None, {"Location": self._with_slash()})
        if not is_public and origin is None and not self._comes_back(methods):
            self._check_site()
        if is_public:
            return self._file(self.server.files[head.path]) if method in {"GET", "HEAD"} else _not_allowed(["GET"])
        if not methods:
            raise ChatError("not_found")
        if method == "OPTIONS" and origin and "Access-Control-Request-Method" in self.headers:
            return Reply(204, None, {"Access-Control-Allow-Methods": ", ".join(methods), **PREFLIGHT})
        route = methods.get("GET" if method == "HEAD" else method)
        if route is None:
            return _not_allowed(list(methods))
        caller = self._caller()
        self._check_access(caller, route, variables)
        parts = self._validated(route, head.query, body, stack)
        if not caller.is_known:
            caller = self._caller(_name(parts))
        if route.is_limited:
            self.server.check_rate(caller)
        accept = _accepted(route.types, self.headers.get("Accept", ""))
        query = parts.get("query")
        connection = None
        if accept == EVENT_STREAM or route.waits or (isinstance(query, requests.PostQuery) and query.wait):
            stack.enter_context(self.server.limits.stream(self.connection.address))
            kind = "stream" if accept == EVENT_STREAM else "request"
            counting = self.server.connections.counting(caller, kind, variables.get("id", ""))
            connection = stack.enter_context(counting)
            self.slot.leave()  # it is counted as a stream from now on
            self._hold(stack, caller, route.need, variables.get("id", ""), route.writes)

        def hold(need: Need, session_id: str) -> None:
            self._hold(stack, caller, need, session_id)
            if connection is not None:
                connection.session = session_id

        call = Call(
            path=variables,
            browser=identity.browser(single_header(self.headers, "Cookie")),
            caller=caller,
            own=self.own,
            person=None if self.server.access.is_open else caller.person,
            accept=accept,
            query=head.query,
            cookies=single_header(self.headers, "Cookie") or "",
            agent=self.headers.get("User-Agent", ""),
            stack=stack,
            waiter=lambda: stack.enter_context(self.server.waiters.at(self.connection.socket)),
            hold=hold,
        )
        return route.handle(call, **parts)

    def _caller(self, name: str = identity.UNNAMED) -> Caller:
        """Return the sender, who gives that name. Raises ChatError for a token that is not good."""
        ticket = parse_qs(self.head.query).get("ticket", [""])[0]
        caller = self.server.identification.caller(Asked(self.connection.peer, self.headers, ticket, name))
        self.user = caller.person
        return caller

    def _check_access(self, caller: Caller, route: Route, variables: Mapping[str, str]) -> None:
        """Raise ChatError unless the caller may do this, and does it from our own page if it is a browser."""
        is_from_here = self.origin is not None or "same-origin" in self.headers.get_all("Sec-Fetch-Site", [])
        if caller.is_in_browser and route.method != "GET" and not is_from_here:
            raise ChatError("request_foreign")
        session_id = variables.get("id", "")
        try:
            self.server.access.check(caller, route.need, session_id, writes=route.writes)
        except ChatError as error:
            key = single_header(self.headers, "Idempotency-Key") if route.is_command else None
            is_hidden = error.code == "session_unknown" and caller.is_known
            if not (is_hidden and key and self.server.has_sent(caller.person, session_id, key)):
                raise

    def _hold(
        self, stack: contextlib.ExitStack, caller: Caller, need: Need, session_id: str, writes: bool = False
    ) -> None:
        """Cut the response off as soon as its caller may not have it any more. Raises ChatError."""

        def check() -> None:
            self.server.identification.check_still(caller)
            self.server.access.check(caller, need, session_id, writes)

        stack.enter_context(self.server.live.holding(check, self._end))

    def _end(self, error: ChatError) -> None:
        """Cut the response off: its caller was logged out, or put out."""
        with contextlib.suppress(OSError):
            self.connection.socket.shutdown(socket.SHUT_RDWR)

    def _comes_back(self, methods: Mapping[str, Route]) -> bool:
        """Return True for somebody whom another site sends here, to a route that is made for it."""
        route = methods.get(self.head.method)
        mode, destination = (self.headers.get_all(f"Sec-Fetch-{name}", []) for name in ("Mode", "Dest"))
        return route is not None and route.is_way_back and (mode, destination) == (["navigate"], ["document"])

    def _check_site(self) -> None:
        """Refuse what a page of another site makes a browser get, such as an image; then no origin is sent.

        Raises ChatError. Programs don't say from which site a request comes.
        """
        for site in self.headers.get_all("Sec-Fetch-Site", []):
            if site not in {"same-origin", "none"}:  # `none` is the person, in the address bar
                raise ChatError("origin_refused", origin="another site")

    def _validated(self, route: Route, query: str, body: RequestBody, stack: contextlib.ExitStack) -> dict[str, Any]:
        """The parts of the request that the route's handler declares. Raises ChatError."""
        parts: dict[str, Any] = {}
        if route.body is not None and issubclass(route.body, BaseModel):
            with contextlib.ExitStack() as until_parsed:
                parts["body"] = requests.parse_body(route.body, self._read(route, body, until_parsed))
        elif route.body is not None:
            parts["body"] = self._read(route, body, stack)
        if route.query is not None:
            parts["query"] = requests.parse_query(route.query, query)
        if route.headers is not None:
            parts["headers"] = requests.parse_headers(route.headers, lambda name: single_header(self.headers, name))
        return parts

    def _read(self, route: Route, body: RequestBody, stack: contextlib.ExitStack) -> bytes:
        """Return the body; `stack` holds the memory that it takes."""
        length = body.check(route.needs_body, route.max_body, is_json=route.body is not bytes)
        if not length:
            return b""
        limits = self.server.limits
        stack.enter_context(limits.body(self.connection.address, length))
        if self.headers.get("Expect", "").lower() == "100-continue":
            self.connection.allow(limits.timeout)
            self.connection.send(b"HTTP/1.1 100 Continue\r\n\r\n")
        return body.read(self.connection, length, limits.timeout)

    def _with_slash(self) -> str:
        """Return the address of a folder, from that of the same name without a slash."""
        name = self.head.path.rpartition("/")[2]
        return f"./{name}/" + (f"?{self.head.query}" if self.head.query else "")

    def _file(self, file: File) -> Reply:
        is_page = file.type.startswith("text/html") and self.head.path != LOGIN_PAGE
        if is_page and not (self.server.access.is_open or self._caller().is_known):
            back = self.head.path.lstrip("/") + (f"?{self.head.query}" if self.head.query else "")
            back = quote(back, safe="", errors="replace")  # browsers keep the fragment by themselves
            return Reply(HTTPStatus.SEE_OTHER, None, {"Location": f"{LOGIN_PAGE.lstrip('/')}?back={back}"})
        if need := GUARDED_PAGES.get(self.head.path):
            self.server.access.check(self._caller(), need)
        vary = "Accept-Encoding"
        if file.translations:
            cookies, liked = self.headers.get("Cookie", ""), self.headers.get("Accept-Language", "")
            file = file.translations.get(page_languages.choose(cookies, liked, file.translations), file)
            file = file.themes.get(page_themes.choose(cookies), file)
            vary += ", Accept-Language, Cookie"
        headers = {"Cache-Control": KEPT if file.is_kept else "no-cache", "ETag": file.etag, "Vary": vary}
        if file.type.startswith("text/html") and not identity.browser(self.headers.get("Cookie")):
            headers["Set-Cookie"] = self.own.cookie(identity.COOKIE, identity.new_browser(), identity.MAX_AGE)
        if self.headers.get("If-None-Match") == file.etag:
            return Reply(HTTPStatus.NOT_MODIFIED, b"", headers, file.type)
        if file.compressed is not None and _understands_gzip(self.headers.get("Accept-Encoding", "")):
            return Reply(HTTPStatus.OK, file.compressed, {**headers, "Content-Encoding": "gzip"}, file.type)
        return Reply(HTTPStatus.OK, file.body, headers, file.type)

    # The response

    def _send(self, answer: Reply | Stream) -> None:
        self.connection.allow(self.server.limits.timeout)
        if isinstance(answer, Stream):
            self._send_stream(answer)
        else:
            self._send_reply(answer)

    def _send_reply(self, reply: Reply) -> None:
        file = reply.body if isinstance(reply.body, BufferedReader) else None
        body = b"" if file is not None else reply.encoded
        size = os.fstat(file.fileno()).st_size if file is not None else len(body)
        type = {} if reply.body is None else {"Content-Type": reply.type}
        has_length = reply.status not in {HTTPStatus.NO_CONTENT, HTTPStatus.NOT_MODIFIED}
        length = {"Content-Length": str(size)} if has_length else {}
        head = self._head(reply.status, {"Cache-Control": "no-store", **type, **reply.headers, **length}, reply.cookies)
        if self.head.method == "HEAD":
            self.connection.send(head)
        elif file is not None:
            self.connection.send(head)
            self._send_file(file, size)
        else:
            self.connection.send(head + body)

    def _send_file(self, file: BufferedReader, size: int) -> None:
        """Send so many bytes of a file. Raises Disconnected if a program has cut it short: the client must notice."""
        while size:
            piece = file.read(min(size, FILE_PIECE))
            if not piece:
                raise Disconnected
            self.connection.send(piece)
            size -= len(piece)

    def _send_stream(self, stream: Stream) -> None:
        is_chunked = self.head.version == "HTTP/1.1" and not stream.is_endless
        self.keeps_alive = self.keeps_alive and is_chunked
        headers = {"Content-Type": stream.type, "Cache-Control": "no-store", **stream.headers}
        self.connection.send(
            self._head(HTTPStatus.OK, headers | ({"Transfer-Encoding": "chunked"} if is_chunked else {}))
        )
        if self.head.method == "HEAD":
            return
        try:
            with contextlib.closing(stream.pieces) as pieces:
                for piece in pieces:
                    if stream.is_endless:
                        self.connection.allow(SEND_TIMEOUT)
                    data = piece.encode() if isinstance(piece, str) else piece
                    self.connection.send(b"%x\r\n%b\r\n" % (len(data), data) if is_chunked else data)
        except (OSError, MemoryError):
            raise
        except Exception:
            self.keeps_alive = False  # without the last chunk, so that the client notices
            log.exception("A stream failed")
        else:
            self.connection.send(b"0\r\n\r\n" if is_chunked else b"")

    def _head(self, status: int, headers: Mapping[str, str], cookies: Sequence[str] = ()) -> bytes:
        if self.body.is_unread:
            self.keeps_alive = False  # an unread body must not be mistaken for the next request
        log.debug("%s %s: %d", self.head.method, self.head.path, status)
        self.status = int(status)
        closing = {} if self.keeps_alive else {"Connection": "close"}
        secure = strict_transport(self.own.host) if self.server.identification.proxies.promises_tls else {}
        headers = {**SECURITY_HEADERS, **POLICY, **secure, **self._cors_headers(), **headers, **closing}
        return response_head(status, headers, cookies)

    def _cors_headers(self) -> Mapping[str, str]:
        if self.origin is None:
            return {"Vary": "Origin"}
        allowed = {"Access-Control-Allow-Origin": self.origin, "Access-Control-Expose-Headers": "Content-Disposition"}
        return {"Vary": "Origin", **allowed}


def _accepted(types: Sequence[str], header: str) -> str:
    """Return the first type that the Accept header names, or else the first of `types`."""
    parts = [part.replace(" ", "").lower() for part in header.split(",")]
    asked = [part.partition(";")[0] for part in parts if not re.search(r";q=0(\.0*)?($|;)", part)]
    return next((type for type in asked if type in types), types[0])


def error_reply(error: ChatError) -> Reply:
    seconds = RETRY_AFTER if error.retry_after is None else error.retry_after
    headers = {"Retry-After": str(seconds)} if error.row.status in {429, 503} else {}
    if error.row.status == HTTPStatus.UPGRADE_REQUIRED:
        headers = {"Upgrade": "websocket", "Connection": "Upgrade"}
    return Reply(error.row.status, {"error": {"code": error.code, "message": error.message}}, headers)


def refusal(error: ChatError) -> bytes:
    """The response to a request that no handler has seen; the connection closes behind it."""
    reply = error_reply(error)
    about = {"Content-Type": reply.type, "Content-Length": str(len(reply.encoded)), "Connection": "close"}
    return response_head(reply.status, {**NO_PAGE, **reply.headers, **about}) + reply.encoded


def response_head(status: int, headers: Mapping[str, str], cookies: Sequence[str] = ()) -> bytes:
    """A status line and headers."""
    reason = HTTPStatus(status).phrase
    lines = [f"HTTP/1.1 {status:d} {reason}", "Server: agentchat", f"Date: {formatdate(usegmt=True)}"]
    lines += [f"{name}: {value}" for name, value in headers.items()]
    lines += [f"Set-Cookie: {cookie}" for cookie in cookies]
    return "\r\n".join([*lines, "", ""]).encode("latin-1")


def _name(parts: Mapping[str, Any]) -> str:
    """Return the name that a request gives, wherever it does."""
    names = (getattr(part, "name", identity.UNNAMED) for part in parts.values())
    return next((name for name in names if name != identity.UNNAMED), identity.UNNAMED)


def _understands_gzip(header: str) -> bool:
    """Return True if an Accept-Encoding header allows gzip."""
    codings = (part.replace(" ", "").lower().partition(";") for part in header.split(","))
    return any(name == "gzip" and not re.fullmatch(r"q=0(\.0*)?", quality) for name, _, quality in codings)


def _not_allowed(methods: list[str]) -> Reply:
    allowed = ", ".join([*methods, *(["HEAD"] if "GET" in methods else [])])
    return replace(error_reply(ChatError("method_not_allowed", methods=allowed)), headers={"Allow": allowed})
