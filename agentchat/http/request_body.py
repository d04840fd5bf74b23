"""Reading a request's headers and body, so that no byte of it can be mistaken for the next request."""

from __future__ import annotations

import contextlib
import socket
import time
from collections.abc import Callable
from email.message import Message

from agentchat.http.routes import JSON
from agentchat.protocol.errors import ChatError

DRAIN_TIMEOUT = 2.0  # seconds for which the rest of a refused body is read


class Disconnected(Exception):
    """The client went away, or fell silent, in the middle of its request."""


def single_header(headers: Message, name: str) -> str | None:
    """Return a header's value. Raises ChatError if it is given twice or continues on another line."""
    values = headers.get_all(name, [])
    if len(values) > 1:
        raise ChatError("bad_request", problem=f"its {name} is given twice")
    if values and ("\r" in values[0] or "\n" in values[0]):  # some are repeated in the response
        raise ChatError("bad_request", problem=f"its {name} has several lines")
    return values[0] if values else None


class RequestBody:
    """The body of a request, which may still be on the wire."""

    def __init__(self, headers: Message) -> None:
        self._headers = headers
        lengths = headers.get_all("Content-Length", [])
        self.is_unread = "Transfer-Encoding" in headers or lengths not in ([], ["0"])
        """Part of the body may still be on the wire."""

    def check(self, is_required: bool, max_size: int, is_json: bool) -> int:
        """Return the body's size in bytes. Raises ChatError if it cannot be taken."""
        length = self._length()
        if length is None and is_required:
            self.is_unread = True  # a client that forgot the length may still send a body
            raise ChatError("length_required")
        if not length:
            return 0
        if length > max_size:
            raise ChatError("body_too_large", limit=f"{max_size:,}")
        if is_json and not self._is_json():
            raise ChatError("type_unsupported", type=self._headers["Content-Type"] or "nothing")
        if self._headers.get("Content-Encoding", "identity") != "identity":
            raise ChatError("type_unsupported", type="a compressed body")
        return length

    def read(self, read: Callable[[int], bytes], length: int) -> bytes:
        """Return the body. Raises Disconnected if it ends early or comes too slowly."""
        try:
            body = read(length)
        except OSError as error:
            raise Disconnected from error
        if len(body) < length:
            raise Disconnected
        self.is_unread = False
        return body

    def _length(self) -> int | None:
        length = single_header(self._headers, "Content-Length")
        if "Transfer-Encoding" in self._headers:
            raise ChatError("length_required")
        if length is not None and not (length.isascii() and length.isdigit() and len(length) < 16):
            raise ChatError("bad_request", problem="its Content-Length is not a number")
        return None if length is None else int(length)

    def _is_json(self) -> bool:
        if "Content-Type" not in self._headers or self._headers.get_content_type() != JSON:
            return False
        return self._headers.get_content_charset("utf-8") in {"utf-8", "us-ascii"}


def drain(connection: socket.socket) -> None:
    """Read what a client is still sending, so that it sees its response; closing at once would reset the connection."""
    deadline = time.monotonic() + DRAIN_TIMEOUT
    with contextlib.suppress(OSError):
        connection.shutdown(socket.SHUT_WR)
        while (left := deadline - time.monotonic()) > 0:
            connection.settimeout(left)
            if not connection.recv(65536):
                return
