"""The identity of people, as far as it can be known without a login. Notes about people are kept under it."""

from __future__ import annotations

import hashlib
import ipaddress
import secrets
from dataclasses import dataclass

COOKIE = "agentchat_browser"
MAX_AGE = 365 * 24 * 3600  # seconds
UNNAMED = "user"
PEOPLE_PER_ADDRESS = 10
"""An address may do as much as that many people, named or not: they share it, or take one name after another."""


@dataclass(frozen=True)
class Caller:
    """Someone who wants something done, as far as they are known; the limits are theirs."""

    person: str = ""
    """The id of the person (`user_id`); "" for a program that gives no name."""
    address: str = ""
    """The network address; "" inside the server."""

    @property
    def owner(self) -> str:
        """An id under which what they create is counted; nobody can turn it back into an address."""
        return self.person or (f"a-{_digest(self.address)}" if self.address else "")


def network(address: str) -> str:
    """Return what counts as one address: of IPv6 a network of 64 bits, because that is what one machine is given."""
    if ":" not in address:
        return address
    ip = ipaddress.IPv6Address(address.partition("%")[0])
    return str(ip.ipv4_mapped or ipaddress.ip_network((ip, 64), strict=False))


def new_cookie() -> str:
    """Return a `Set-Cookie` header for a browser without our cookie. No script can read the cookie."""
    return f"{COOKIE}={secrets.token_urlsafe(24)}; Path=/; Max-Age={MAX_AGE}; HttpOnly; SameSite=Lax"


def browser(header: str | None) -> str:
    """Return the browser's id from a `Cookie` header, or "" if our cookie isn't there."""
    # Browsers also send us the cookies of other servers on this host, and http.cookies gives up at the first bad one.
    for cookie in (header or "").split(";"):
        name, _, value = cookie.partition("=")
        if name.strip() == COOKIE:
            return value.strip()
    return ""


def user_id(name: str, browser: str, session_id: str = "") -> str:
    """Return an id that can be shown: nobody can turn it back into a cookie.

    One name in one browser is one person. A program is whoever it says it is; one that gives no name is known only
    within a session, and "" without one.
    """
    if browser:
        return "b-" + _digest(f"{browser}\n{name}")
    if name != UNNAMED:
        return "n-" + _digest(name)
    return "s-" + _digest(session_id) if session_id else ""


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode("utf-8", "replace")).hexdigest()[:24]
