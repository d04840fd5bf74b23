"""The identity of people. Notes about them are kept under it, and what they may do follows from it."""

from __future__ import annotations

import hashlib
import ipaddress
import secrets
from dataclasses import dataclass

COOKIE = "agentchat_browser"
MAX_AGE = 365 * 24 * 3600  # seconds
UNNAMED = "user"
YOU = "you"
"""Everybody, where nobody logs in."""
PEOPLE_PER_ADDRESS = 10
"""An address may do as much as that many people, named or not: they share it, or take one name after another."""


USER_ID = "u-"
"""The beginning of the ids of users; everybody else is known by a cookie, a name or an address."""
OPERATOR = "operator"
ADMIN = "admin"
ROLES = (OPERATOR, ADMIN)
"""The roles that users can be given for the whole server."""
SCOPES = ("read", "write", "operator")
"""The scopes of tokens, each of which allows more than the one before."""


@dataclass(frozen=True)
class Caller:
    """Someone who wants something done, as far as they are known; the limits are theirs."""

    person: str = ""
    """The id of the user, or of the person where nobody logs in (`user_id`); "" for a program without a name."""
    address: str = ""
    """The network address; "" inside the server."""
    name: str = UNNAMED
    roles: frozenset[str] = frozenset()
    """The user's roles, out of ROLES."""
    scope: str = SCOPES[-1]
    """The most that the caller may do, out of SCOPES; only tokens limit it."""
    credential: str = ""
    """The login or token that shows who this is, such as "login:3"; "" for somebody who has shown nothing."""
    login: str = ""
    """The login name of a user."""
    is_local: bool = False
    """The request comes from the server's own machine; told only where nobody logs in."""

    @property
    def is_known(self) -> bool:
        """True if somebody has shown who they are."""
        return bool(self.credential)

    @property
    def is_in_browser(self) -> bool:
        """True if a browser shows who this is by itself, also for pages of others: by a cookie or through a proxy."""
        return self.credential.startswith(("login:", "proxy:"))

    @property
    def who(self) -> tuple[str, str]:
        """The user's id and login name, as the audit log has them; where nobody logs in, `you` and the name given."""
        return (self.person, self.login) if self.is_known else (YOU, YOU if self.name == UNNAMED else self.name)

    @property
    def user(self) -> str:
        """The id of the user; "" for somebody who is known by a name only, if at all."""
        return self.person if self.is_known else ""

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


def new_browser() -> str:
    """Return the id of a browser that has none yet, for its cookie."""
    return secrets.token_urlsafe(24)


def browser(header: str | None) -> str:
    """Return the browser's id from a `Cookie` header, or "" if our cookie isn't there."""
    return cookie(header, COOKIE)


def cookie(header: str | None, name: str) -> str:
    """Return the value of a cookie from a `Cookie` header, or "" if it isn't there."""
    return next(iter(cookies(header, name)), "")


def cookies(header: str | None, name: str) -> list[str]:
    """Return the values of all cookies of that name in a `Cookie` header."""
    # Browsers also send us the cookies of other servers on this host, and http.cookies gives up at the first bad one.
    pairs = [each.partition("=") for each in (header or "").split(";")]
    return [value.strip() for given, _, value in pairs if given.strip() == name]


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
