"""The origins that may talk to the server: its own page, programs, and pages named by a setting; no other web site.

The `Host` is checked as well: a foreign page could point a name of its own at this machine (DNS rebinding).
"""

from __future__ import annotations

import ipaddress
import re
from dataclasses import dataclass
from urllib.parse import urlsplit

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

    def check(self, host: str | None, origin: str | None) -> None:
        """Raise ChatError unless a request with these headers may be answered. Most programs send no origin."""
        name = _host_name(host)
        if not self._is_ours(name):
            raise ChatError("host_refused", host=host or "nothing")
        if origin is not None and origin not in self.allowed and not self._is_own(origin, name):
            raise ChatError("origin_refused", origin=origin)

    def _is_ours(self, name: str) -> bool:
        """Return True for any IP address, which cannot be rebound, and for the names that are known to be ours."""
        if name in {"localhost", self.host} or name in {_host_name(urlsplit(o).netloc) for o in self.allowed}:
            return bool(name)
        try:
            ipaddress.ip_address(name)
        except ValueError:
            return False
        return True

    def _is_own(self, origin: str, name: str) -> bool:
        scheme, _, address = origin.partition("://")
        is_here = _host_name(address) == name or {_host_name(address), name} <= LOOPBACK
        return scheme == "http" and is_here and _port(address) in {str(self.page_port), str(self.socket_port)}


def _host_name(address: str | None) -> str:
    """Return the host of an address that is nothing but a host, perhaps with a port; of any other it is ""."""
    found = ADDRESS.fullmatch(address or "")
    return found["name"].strip("[]").lower() if found is not None else ""


def _port(address: str) -> str:
    found = ADDRESS.fullmatch(address)
    return found["port"] or "80" if found is not None else ""
