"""The head of a request, read as strictly as it is written: whatever has two meanings is refused.

A proxy in front of the server, or a browser, may understand another request than we do; so nothing is guessed.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from email.message import Message
from urllib.parse import urlsplit

from agentchat.net.tls import check_plain
from agentchat.protocol.errors import ChatError

MAX_HEAD = 64 * 2**10  # bytes; browsers send the cookies of everything that runs on localhost
MAX_HEADERS = 100

_TOKEN = rb"[!#$%&'*+.^_`|~0-9A-Za-z-]+"
_REQUEST_LINE = re.compile(rb"(%b) ([\x21-\x7e]+) (HTTP/\d\.\d)" % _TOKEN)
_HEADER = re.compile(rb"(%b):[ \t]*([\t\x20-\x7e\x80-\xff]*)" % _TOKEN)
_HOST = re.compile(r"([\w.-]*|\[[0-9A-Fa-f:.]+\])(:[0-9]{0,5})?", re.ASCII)
_END = re.compile(rb"\n\r?\n")


@dataclass(frozen=True)
class Head:
    """A request line and headers."""

    method: str
    path: str
    """Still percent-encoded."""
    query: str
    version: str
    headers: Message
    prefix: str = ""
    """The beginning of the path that was taken away: that of the server's public address."""

    def asks_for(self, protocol: str) -> bool:
        """Return True if the client wants the connection to go on in another protocol."""
        asked = self.method == "GET" and self.version == "HTTP/1.1" and "upgrade" in self._listed("Connection")
        return asked and protocol in self._listed("Upgrade")

    def _listed(self, name: str) -> set[str]:
        return {option.strip() for option in ",".join(self.headers.get_all(name, [])).lower().split(",")}

    @property
    def hosts(self) -> list[str]:
        return [str(host) for host in self.headers.get_all("Host", [])]

    @property
    def keeps_alive(self) -> bool:
        """True if the client may send another request on the same connection."""
        return self.version == "HTTP/1.1" and "close" not in self._listed("Connection")


def cut(received: bytearray, start: int) -> bytes | None:
    """Take the head of a request from what was received; None if it isn't complete.

    `start` is where to look for its end; nothing before it can be that. A first line that HTTP/1
    doesn't have is a head by itself, because no more may come. Raises ChatError if the head is too large, or is TLS.
    """
    check_plain(received)
    while received[:2] == b"\r\n":  # some clients send one behind a body
        del received[:2]
    if end := _END.search(received, max(start - 3, 0)):
        size = end.end()
    elif (line := received.find(b"\n")) >= 0 and not _REQUEST_LINE.fullmatch(received[:line].removesuffix(b"\r")):
        size = line + 1
    else:
        size = len(received) + 1
    if size > MAX_HEAD:
        raise ChatError("head_too_large", limit=f"{MAX_HEAD:,}")
    if size > len(received):
        return None
    head = bytes(received[:size])
    del received[:size]
    return head


def parse(head: bytes) -> Head:
    """Return the parts of a complete head. Raises ChatError."""
    first, *lines = head.split(b"\r\n")
    request_line = _REQUEST_LINE.fullmatch(first)
    if request_line is None:
        raise _refused("its first line is not a method, an address and an HTTP version")
    method, target, version = (part.decode("ascii") for part in request_line.groups())
    if not version.startswith("HTTP/1."):
        raise _refused("its HTTP version is neither 1.0 nor 1.1")
    if lines[-2:] != [b"", b""]:
        raise _refused("its lines do not end with CR LF")
    headers = _headers(lines[:-2])
    path, query = _address(method, target, headers)
    _check_hosts(headers, is_required=version != "HTTP/1.0")
    _check_length(headers)
    return Head(method, path, query, "HTTP/1.0" if version == "HTTP/1.0" else "HTTP/1.1", headers)


def _headers(lines: list[bytes]) -> Message:
    if len(lines) > MAX_HEADERS:
        raise ChatError("head_too_large", limit=f"{MAX_HEADERS} lines or {MAX_HEAD:,}")
    headers = Message()
    for line in lines:
        header = _HEADER.fullmatch(line)
        if header is None:
            raise _refused("one of its headers is not a name, a colon and a line of text")
        headers[header[1].decode("ascii")] = header[2].decode("latin-1").rstrip(" \t")
    return headers


def _address(method: str, target: str, headers: Message) -> tuple[str, str]:
    """Return the path and the query of a request's target."""
    if "#" in target:
        raise _refused("its address has a fragment")
    if target == "*" and method == "OPTIONS":
        return target, ""
    if target.lower().startswith(("http://", "https://")):  # as to a proxy
        try:
            parts = urlsplit(target)
        except ValueError as error:
            raise _refused("its address is invalid") from error
        if parts.netloc not in headers.get_all("Host", []):
            raise _refused("its address names another host than its Host header")
        return parts.path or "/", parts.query
    path, _, query = target.partition("?")
    if not path.startswith("/"):
        raise _refused("its address does not begin with a slash")
    return path, query


def _check_hosts(headers: Message, is_required: bool) -> None:
    hosts = headers.get_all("Host", [])
    if len(hosts) > 1:
        raise _refused("its Host is given twice")
    if is_required and not hosts:
        raise _refused("it has no Host header")
    if hosts and not _HOST.fullmatch(hosts[0]):
        raise _refused("its Host is not a name or an address, with a port or without")


def _check_length(headers: Message) -> None:
    lengths = headers.get_all("Content-Length", [])
    if len(lengths) > 1:
        raise _refused("its Content-Length is given twice")
    if lengths and not (lengths[0].isascii() and lengths[0].isdigit() and len(lengths[0]) < 16):
        raise _refused("its Content-Length is not a number")


def _refused(problem: str) -> ChatError:
    return ChatError("bad_request", problem=problem)
