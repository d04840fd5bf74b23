"""Addresses in links and images: where they lead, and whether anything may lead there."""

from __future__ import annotations

import re
import unicodedata
from typing import NamedTuple
from urllib.parse import unquote

from agentchat.rendering import invisible

# As browsers read addresses, but for what nobody writes by accident, such as http:host without slashes.
_SCHEME = re.compile(r"[a-z][a-z0-9+.-]*:", re.IGNORECASE)
_WEB = re.compile(
    r"(?:https?:)?//(?P<user>[^/?#]*@)?(?P<host>[a-z0-9._%-]+|\[[0-9a-f:.]+\])(?::\d{0,5})?(?:[/?#]|$)", re.IGNORECASE
)
_MAIL = re.compile(r"mailto:(?P<address>[^?#]*)", re.IGNORECASE)
_RASTER = re.compile(r"data:image/(?:avif|gif|jpeg|png|webp);base64,[A-Za-z0-9+/=]+$")

IDEOGRAPHIC_FULL_STOP = "\u3002"  # a dot to browsers
_HOSTS = re.compile(r"(?:[^\W_](?:[\w-]*[^\W_])?\.)+[^\W\d_]{2,}|(?:\d{1,3}\.){3}\d{1,3}")
_MAILBOXES = re.compile(r"[\w.+-]+@[\w.-]+\w")
_FILES = {
    "c", "cfg", "cpp", "css", "csv", "docx", "html", "ini", "ipynb", "jpg", "js", "json", "jsx", "log", "pdf", "png",
    "sql", "svg", "toml", "ts", "tsv", "tsx", "txt", "xlsx", "xml", "yaml", "yml",
}  # fmt: skip
"""Endings of file names that are no domains."""


class Address(NamedTuple):
    """Somewhere to go, as `markdown_it` wrote it: what is not ASCII is escaped, and hosts are in punycode."""

    is_allowed: bool
    host: str = ""
    """The host in lower case, or the mailbox; empty for this server's own pages."""
    is_image: bool = False
    """It has the whole image in it."""


def understood(url: str) -> Address:
    """Return where an address leads."""
    if mail := _MAIL.match(url):
        return Address(True, mail["address"].lower())
    if web := _WEB.match(url):
        host = unquote(web["host"]).lower()
        is_odd = "%" in web["host"] and re.search(r"[\s/@?#:%\\]", host) is not None
        return Address(web["user"] is None and not is_odd, host)
    if url.startswith("data:"):
        return Address(False, is_image=_RASTER.match(url) is not None)
    return Address(not url.startswith(("//", "/%5C", "/\\")) and _SCHEME.match(url) is None)


def misleads(text: str, host: str) -> bool:
    """Return True if the text of a link names another host, or another mailbox, than the link leads to."""
    text = unicodedata.normalize("NFKC", invisible.without(text)).lower().replace(IDEOGRAPHIC_FULL_STOP, ".")
    if "@" in host:
        return any(mailbox != host for mailbox in _MAILBOXES.findall(text))
    return any(_ascii(name) != _bare(host) for name in _HOSTS.findall(text) if name.rpartition(".")[2] not in _FILES)


def is_foreign_script(host: str) -> bool:
    """Return True if people see the host otherwise than it is."""
    return "xn--" in host


def _bare(host: str) -> str:
    return host.removeprefix("www.").rstrip(".")


def _ascii(name: str) -> str:
    try:
        return _bare(name.encode("idna").decode())
    except UnicodeError:
        return name
