"""The address under which a client reached this server; behind proxies and mapped ports it is another one than ours."""

from __future__ import annotations

import re
from dataclasses import dataclass
from urllib.parse import urlsplit

from agentchat.protocol.errors import SettingsError

DEFAULT_PORTS = {"http": "80", "https": "443"}

_PORT = re.compile(r":\d+$", re.ASCII)
_PREFIX = re.compile(r"(/(?!\.{1,2}(/|$))[A-Za-z0-9._~-]+)*")


@dataclass(frozen=True)
class OwnAddress:
    """This server's address, as the client of a request wrote it."""

    host: str
    """The host and port, as in a Host header; "" if the client named none."""
    is_secure: bool = False
    """True if the client is known to have come over TLS."""
    prefix: str = ""
    """The path below which the server's own paths lie there, such as /chat."""
    has_secure_cookies: bool = False
    """True if browsers must not send the server's cookies without TLS."""

    def cookie(self, name: str, value: str, seconds: float) -> str:
        """Return a `Set-Cookie` header for this address, of a cookie that no script can read; after 0 seconds it ends.

        A server beside ours, under another path, neither gets nor replaces it.
        """
        secure = "; Secure" if self.has_secure_cookies else ""
        return f"{name}={value}; Path={self.prefix}/; Max-Age={int(seconds)}; HttpOnly; SameSite=Lax{secure}"


@dataclass(frozen=True)
class PublicAddress:
    """The address at which others reach the server, as a setting names it; everything is empty if none does."""

    host: str = ""
    """The host, with a port unless it is the usual one."""
    is_secure: bool = False
    prefix: str = ""

    @property
    def origin(self) -> str:
        """The origin of the pages there; "" without one."""
        return f"{self.scheme}://{self.host}" if self.host else ""

    @property
    def scheme(self) -> str:
        return "https" if self.is_secure else "http"

    def is_meant_by(self, host: str) -> bool:
        """Return True for this host and port; for the host alone as well, because many proxies leave the port out."""
        return bool(self.host) and without_default_port(self.scheme, host) in {self.host, _PORT.sub("", self.host)}

    @classmethod
    def of(cls, url: str) -> PublicAddress:
        """Return the parts of `--public-url`. Raises SettingsError."""
        if not url.strip():
            return cls()
        try:
            parts = urlsplit(url.strip())
            has_host = bool(parts.hostname) and parts.port != 0
        except ValueError:
            has_host = False
        prefix = parts.path.rstrip("/") if has_host else ""
        if not has_host or parts.scheme not in DEFAULT_PORTS or "@" in parts.netloc or not is_prefix(prefix):
            raise SettingsError(
                f"--public-url must be the address of the page, such as https://chat.example.com/chat, not {url!r}."
            )
        host = without_default_port(parts.scheme, parts.netloc.lower())
        return cls(host, parts.scheme == "https", prefix)


def is_prefix(path: str) -> bool:
    """Return True for a path below which a server can lie, "" included; one that fits into a header as it is."""
    return _PREFIX.fullmatch(path) is not None


def with_port(host: str, port: str) -> str:
    """Return a host with that port, unless it has one already, or the port is one that goes without saying."""
    is_needed = port.isdecimal() and len(port) <= 5 and port not in DEFAULT_PORTS.values()
    return f"{host}:{port}" if host and is_needed and not _PORT.search(host) else host


def without_default_port(scheme: str, address: str) -> str:
    """Return a host and port without the port, if that is the scheme's own."""
    return address.removesuffix(f":{DEFAULT_PORTS.get(scheme)}")
