"""Reading a request's body, so that no byte of it can be mistaken for the next request."""

from __future__ import annotations

from email.message import Message

from agentchat.http.connection import Connection, Disconnected
from agentchat.http.routes import JSON
from agentchat.protocol.errors import ChatError


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

    def read(self, connection: Connection, length: int, seconds: float) -> bytes:
        """Return the body, each MiB of which has `seconds` to come.

        Raises ChatError if it takes longer, Disconnected if the client goes away.
        """
        connection.allow(seconds)
        try:
            body = connection.receive(length)
        except TimeoutError as error:
            raise ChatError("request_timeout", seconds=f"{seconds:g}") from error
        except OSError as error:
            raise Disconnected from error
        self.is_unread = False
        return body

    def _length(self) -> int | None:
        if "Transfer-Encoding" in self._headers:
            raise ChatError("length_required")
        length = self._headers["Content-Length"]  # a number, if there is one: the head was checked
        return None if length is None else int(length)

    def _is_json(self) -> bool:
        if "Content-Type" not in self._headers or self._headers.get_content_type() != JSON:
            return False
        return self._headers.get_content_charset("utf-8") in {"utf-8", "us-ascii"}
