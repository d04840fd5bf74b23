"""Finding out who sends a request: by a cookie, a token, a ticket, or the word of a trusted proxy."""

from __future__ import annotations

from dataclasses import dataclass, replace

from agentchat.auth.accounts import Accounts, User
from agentchat.auth.forwarded import Headers
from agentchat.auth.proxies import Proxies
from agentchat.auth.tickets import Tickets
from agentchat.net.own_address import OwnAddress
from agentchat.protocol import identity
from agentchat.protocol.errors import ChatError
from agentchat.protocol.identity import UNNAMED, Caller, network

COOKIE = "agentchat_login"
MOST_COOKIES = 4  # of that name; a server of ours can lie under each of several paths of a host
HEADER_WAY = "header"
"""The way by which users are known whom a proxy names (Accounts.external)."""


@dataclass(frozen=True)
class Asked:
    """The parts of a request that can say who sends it."""

    peer: str
    """The address at the other end of the connection."""
    headers: Headers
    ticket: str = ""
    name: str = UNNAMED
    """The name that the request gives, which counts only where nobody has to log in."""

    def header(self, name: str) -> str:
        """Return a header, or "" if there is none. Raises ChatError if it was sent twice."""
        values = list(self.headers.get_all(name) or [])
        if len(values) > 1:
            raise ChatError("bad_request", problem=f"its {name} is given twice")
        return str(values[0]) if values else ""

    @property
    def cookies(self) -> str:
        """All cookies; some clients send a header for each."""
        return "; ".join(self.headers.get_all("Cookie") or [])


class Identification:
    """Tells callers from what they show."""

    def __init__(
        self,
        accounts: Accounts,
        proxies: Proxies,
        *,
        is_off: bool = False,
        is_required: bool = False,
    ) -> None:
        """Where it `is_off`, nobody is asked; where it `is_required`, even while there are no accounts."""
        self.accounts = accounts
        self.tickets: Tickets[Caller] = Tickets()
        self.proxies = proxies
        self._is_off = is_off
        self.is_required = is_required

    @property
    def is_open(self) -> bool:
        """True if nobody has to be known."""
        return self._is_off or not (self.is_required or not self.accounts.is_empty)

    def caller(self, asked: Asked) -> Caller:
        """Return the sender of a request. Raises ChatError for a token or ticket that is not, or no longer, good."""
        address = network(self.proxies.address_of(asked.peer, asked.headers))
        if self.is_open:
            browser = identity.browser(asked.cookies)
            is_local = self.proxies.is_local(asked.peer, asked.headers)
            return Caller(identity.user_id(asked.name, browser), address, asked.name, is_local=is_local)
        scheme, _, secret = asked.header("Authorization").partition(" ")
        if scheme.lower() == "bearer":
            found = self.accounts.token(secret.strip())
            if found is None:
                raise ChatError("login_needed")
            user, token = found
            return _caller(user, address, f"token:{token.id}", token.scope)
        if asked.ticket:
            caller = self.tickets.redeem(asked.ticket)
            if caller is None or not self._is_still(caller):
                raise ChatError("login_needed")
            return replace(caller, address=address)
        # Another server on this host can set one of that name beside ours; of two people nobody knows which it is.
        shown = list(dict.fromkeys(identity.cookies(asked.cookies, COOKIE)))[:MOST_COOKIES]
        logins = [login for secret in shown if (login := self.accounts.login(secret)) is not None]
        if len({user.id for user, _ in logins}) == 1:
            return _caller(logins[0][0], address, f"login:{logins[0][1].id}")
        named = self.proxies.user_of(asked.peer, asked.headers)
        if named is not None:
            user = self.accounts.external(HEADER_WAY, named, named, named)
            return _caller(user, address, f"proxy:{user.id}")
        return Caller("", address)

    def roles(self, person: str) -> frozenset[str]:
        """Return the roles of a person; everybody has all where nobody has to be known."""
        if self.is_open:
            return frozenset(identity.ROLES)
        user = self.accounts.user(person)
        return user.roles if user is not None else frozenset()

    def check_still(self, caller: Caller) -> None:
        """Raise ChatError unless what showed who this is still does, and gives as much as before."""
        if not self._is_still(caller):
            raise ChatError("access_ended")

    def _is_still(self, caller: Caller) -> bool:
        kind, _, id = caller.credential.partition(":")
        if not kind:
            return self.is_open
        user, scope = None, caller.scope
        if kind == "token" and (found := self.accounts.token_by_id(id)) is not None:
            user, scope = found[0], found[1].scope
        elif kind == "login" and (entered := self.accounts.login_by_id(id)) is not None:
            user = entered[0]
        elif kind == "proxy":
            user = self.accounts.user(id)
        return user is not None and (user.roles, scope) == (caller.roles, caller.scope)


def _caller(user: User, address: str, credential: str, scope: str = identity.SCOPES[-1]) -> Caller:
    return Caller(user.id, address, user.name, user.roles, scope, credential, user.login)


def cookie(own: OwnAddress, secret: str, seconds: float) -> str:
    """Return the `Set-Cookie` header of a login at this address of ours; an empty secret removes it."""
    return own.cookie(COOKIE, secret, seconds if secret else 0)
