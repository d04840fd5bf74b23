"""Reading an HTTP request so that nothing of it is ever taken for the next one."""

from __future__ import annotations

import contextlib
import socket
import time
from collections.abc import Callable
from email.message import Message

from agentchat.http.routes import JSON
from agentchat.protocol.errors import ChatError

MAX_BODY = 4 * 2**20  # bytes; a message of the longest text fits, whatever its script
LINGER = 2.0  # seconds for which a refused body is still taken off the wire, or its sender would not see why


class HungUp(Exception):
    """The client went away in the middle of its request."""


class Incoming:
    """The headers of a request, and its body until it is read."""

    def __init__(self, headers: Message) -> None:
        self._headers = headers
        self.is_unread = not self._has_no_body()
        """There is, or may be, a body on the wire."""

    def _has_no_body(self) -> bool:
        lengths = self._headers.get_all("Content-Length", [])
        return "Transfer-Encoding" not in self._headers and (not lengths or lengths == ["0"])

    def header(self, name: str) -> str | None:
        """A header that may stand once. Raises ChatError when it stands twice."""
        values = self._headers.get_all(name, [])
        if len(values) > 1:
            raise ChatError("bad_request", problem=f"its {name} stands twice")
        if values and ("\r" in values[0] or "\n" in values[0]):  # folded over lines; it may stand in our answer
            raise ChatError("bad_request", problem=f"its {name} has several lines")
        return values[0] if values else None

    @property
    def length(self) -> int | None:
        """Of the body, None when there is none. Raises ChatError when it is not clear."""
        length = self.header("Content-Length")
        if "Transfer-Encoding" in self._headers:
            raise ChatError("length_required")
        if length is None:
            return None
        if not (length.isascii() and length.isdigit() and len(length) < 16):
            raise ChatError("bad_request", problem="its Content-Length is no number")
        return int(length)

    def check_body(self, is_needed: bool, most: int = 0) -> int:
        """How many bytes of JSON there are to read, or at `most` so many of any kind. Raises ChatError for others."""
        length = self.length
        if length is None and is_needed:
            self.is_unread = True  # there may be one all the same
            raise ChatError("length_required")
        if not length:
            return 0
        if length > (most or MAX_BODY):
            raise ChatError("body_too_large", limit=f"{most or MAX_BODY:,}")
        type = self._headers.get_content_type() if "Content-Type" in self._headers else "nothing"
        is_json = type == JSON and self._headers.get_content_charset("utf-8") in {"utf-8", "us-ascii"}
        if not (is_json or most):
            raise ChatError("type_unsupported", type=self._headers["Content-Type"] or "nothing")
        if self._headers.get("Content-Encoding", "identity") != "identity":
            raise ChatError("type_unsupported", type="a compressed body")
        return length

    def read(self, take: Callable[[int], bytes], length: int) -> bytes:
        """The body. Raises HungUp when it ends too early, or comes too slowly."""
        try:
            body = take(length)
        except OSError as error:
            raise HungUp from error
        if len(body) < length:
            raise HungUp
        self.is_unread = False
        return body


def linger(connection: socket.socket) -> None:
    """Let a client read its answer that is still sending: closing at once would take the answer from it."""
    deadline = time.monotonic() + LINGER
    with contextlib.suppress(OSError):
        connection.shutdown(socket.SHUT_WR)
        while (left := deadline - time.monotonic()) > 0:
            connection.settimeout(left)
            if not connection.recv(65536):
                return
