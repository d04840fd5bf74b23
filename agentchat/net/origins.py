"""The origins that may talk to the server: its own page, programs, and pages named by a setting; no other web site.

The `Host` is checked as well: a foreign page could point a name of its own at this machine (DNS rebinding).
"""

from __future__ import annotations

import ipaddress
import re
from dataclasses import dataclass, field
from urllib.parse import urlsplit

from agentchat.net.own_address import DEFAULT_PORTS, OwnAddress, PublicAddress, without_default_port
from agentchat.protocol.errors import ChatError

ADDRESS = re.compile(r"(?P<name>[A-Za-z0-9._-]+|\[[0-9A-Fa-f.]*:[0-9A-Fa-f:.]*\])(:(?P<port>[0-9]+))?")
LOOPBACK = frozenset({"localhost", "127.0.0.1", "::1"})


@dataclass(frozen=True)
class Origins:
    """The check of a server's visitors."""

    page_port: int
    host: str
    """The host that the server is bound to."""
    allowed: frozenset[str] = frozenset()
    """Further origins, such as https://chat.example.com."""
    socket_port: int | None = None
    """The port of the WebSocket server, which some programs name as their origin; it serves no pages."""
    public: PublicAddress = field(default_factory=PublicAddress)

    def check(self, own: OwnAddress, origin: str | None) -> None:
        """Raise ChatError unless a request to that address, from a page of that origin, may be answered.

        Most programs send no origin.
        """
        name = _host_name(own.host)
        if not self._is_ours(name):
            raise ChatError("host_refused", host=own.host or "nothing")
        if origin is not None and origin not in self._named and not self._is_own(origin, own):
            raise ChatError("origin_refused", origin=origin)

    @property
    def _named(self) -> frozenset[str]:
        return self.allowed | {self.public.origin} if self.public.origin else self.allowed

    def _is_ours(self, name: str) -> bool:
        """Return True for any IP address, which cannot be rebound, and for the names that are known to be ours."""
        named = {_host_name(urlsplit(origin).netloc) for origin in self._named}
        if name in {"localhost", self.host, *named}:
            return bool(name)
        try:
            ipaddress.ip_address(name)
        except ValueError:
            return False
        return True

    def _is_own(self, origin: str, own: OwnAddress) -> bool:
        """Return True for the origin of that address, and for both ports of this server on the same host."""
        scheme, _, address = origin.lower().partition("://")
        ports = {str(self.page_port), str(self.socket_port)}
        # What has another port than ours is a proxy; one that nobody has named does not tell that it has TLS.
        if scheme not in ({"https"} if own.is_secure else {"http"} if _port(own.host) in ports else {"http", "https"}):
            return False
        if without_default_port(scheme, address) == without_default_port(scheme, own.host):
            return True
        names = {_host_name(address), _host_name(own.host)}
        return (len(names) == 1 or names <= LOOPBACK) and _port(address, DEFAULT_PORTS[scheme]) in ports


def _host_name(address: str) -> str:
    """Return the host of an address that is nothing but a host, perhaps with a port; of any other it is ""."""
    found = ADDRESS.fullmatch(address)
    return found["name"].strip("[]").lower() if found is not None else ""


def _port(address: str, default: str = "80") -> str:
    found = ADDRESS.fullmatch(address)
    return found["port"] or default if found is not None else ""
