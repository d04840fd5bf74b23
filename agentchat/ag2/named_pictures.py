"""Keeps AG2 from reading files and private addresses that a person names in a message, as in `<img /etc/logo.png>`.

AG2's multimodal agents load whatever pictures a message names, with the rights and from the network of the server.
Addresses that the agent file itself puts into messages are loaded as before.
"""

from __future__ import annotations

import base64
import contextlib
import contextvars
import ipaddress
import socket
from collections.abc import Iterator
from typing import Any
from urllib.parse import urljoin, urlsplit

import httpx
from autogen.agentchat.contrib import img_utils

REDIRECTS = 5
TIMEOUT = 10  # seconds for each answer
MAX_BYTES = 20_000_000

_told: contextvars.ContextVar[str] = contextvars.ContextVar("told", default="")


class Refused(Exception):
    """The picture may not be loaded. AG2 leaves it out."""


@contextlib.contextmanager
def named_in(text: str) -> Iterator[None]:
    """Take the addresses in this text as named by a person while the context lasts."""
    before = _told.set(text)
    try:
        yield
    finally:
        _told.reset(before)


def install() -> None:
    """Put our check before AG2's function that loads pictures."""
    load = img_utils.get_pil_image
    if getattr(load, "is_checked", False):
        return

    def get_pil_image(image_file: Any) -> Any:
        is_theirs = isinstance(image_file, str) and image_file.strip("\"'") in _told.get()
        return load(_address(image_file.strip("\"'")) if is_theirs else image_file)

    get_pil_image.is_checked = True  # type: ignore[attr-defined]
    img_utils.get_pil_image = get_pil_image


def _address(named: str) -> str:
    """Return a `data:` address of what a person named. Raises Refused or httpx.HTTPError."""
    if named.startswith("data:image/"):
        return named
    if named.startswith(("http://", "https://")):
        named = base64.b64encode(_fetched(named)).decode()
    return f"data:image/png;base64,{named}"  # Pillow goes by the bytes alone; what is the name of a file has none


def _fetched(url: str) -> bytes:
    for _ in range(REDIRECTS):
        _check_public(url)
        with httpx.stream("GET", url, timeout=TIMEOUT) as response:
            if not response.has_redirect_location:
                response.raise_for_status()
                return _limited(response)
            url = urljoin(url, response.headers["location"])
    raise Refused("there are too many redirects")


def _limited(response: httpx.Response) -> bytes:
    content = bytearray()
    for piece in response.iter_bytes():
        content += piece
        if len(content) > MAX_BYTES:
            raise Refused(f"the picture has more than {MAX_BYTES:,} bytes")
    return bytes(content)


def _check_public(url: str) -> None:
    host = urlsplit(url).hostname or ""
    found = socket.getaddrinfo(host, None, type=socket.SOCK_STREAM)
    if not all(ipaddress.ip_address(str(address[0]).partition("%")[0]).is_global for *_, address in found):
        raise Refused("the address is private")
