"""Access: the needs of routes and commands, and the one place where they are checked."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from enum import Enum
from typing import Protocol

from agentchat.protocol.errors import ChatError
from agentchat.protocol.identity import ADMIN, OPERATOR, ROLES, SCOPES, Caller


class Need(Enum):
    """The least that a caller needs for a route or a command."""

    NOTHING = "nothing"
    """Anybody, known or not: the login itself, and whether the server is well."""
    KNOWN = "known"
    """A person who is known, for what belongs to nobody, or to themselves."""
    SELF = "self"
    """A person who has logged in, not a program's token: passwords, tokens, logins."""
    READ = "read"
    """A session that the caller may see."""
    WRITE = "write"
    """A session in which the caller takes part."""
    OWN = "own"
    """A session of the caller's own."""
    OPERATE = "operate"
    """An operator, in a session that waits at the desk or that they took."""
    RETURN = "return"
    """An operator as for OPERATE, or a person who takes part: they may call off the wait for a human."""
    DESK = "desk"
    """An operator."""
    ADMIN = "admin"
    """An admin who has logged in."""
    STATUS = "status"
    """An admin who has logged in; where nobody logs in, somebody at the machine of the server."""
    METRICS = "metrics"
    """An admin or operator, or a token of theirs; where nobody logs in, a program on the machine of the server."""


OWNER, MEMBER, VIEWER = "owner", "member", "viewer"
MEMBERSHIPS = (MEMBER, VIEWER)
"""The roles in a session that an invitation gives."""

_OF_SESSIONS = {Need.READ, Need.WRITE, Need.OWN, Need.OPERATE, Need.RETURN}
_LOCAL = {Need.STATUS, Need.METRICS}
_SUFFICE = {
    Need.READ: {OWNER, MEMBER, VIEWER, OPERATOR, ADMIN},
    Need.WRITE: {OWNER, MEMBER},
    Need.OWN: {OWNER},
    Need.OPERATE: {OPERATOR},
    Need.RETURN: {OWNER, MEMBER, OPERATOR},
}
"""The roles in a session that suffice for each need."""
_SCOPES = {
    Need.WRITE: "write",
    Need.OWN: "write",
    Need.RETURN: "write",
    Need.OPERATE: "operator",
    Need.DESK: "operator",
    Need.METRICS: "operator",
}
"""The scope that each need takes at least; "read" for the others."""


@dataclass(frozen=True)
class Standing:
    """The relation of a person to a session."""

    owner: str
    """The id of whoever began it."""
    membership: str | None = None
    """The role that an invitation gave the person, until it ends."""
    is_waiting: bool = False
    """It waits at the desk: for somebody to take it over, or for an operator's answer."""
    operator: str | None = None
    """The id of the operator who has it."""


class Standings(Protocol):
    """Knows the sessions."""

    def standing(self, session_id: str, person: str) -> Standing | None:
        """Return the person's relation to that session, or None if there is no such session."""


class Access:
    """The one check of what callers may do.

    Whatever a caller may not even see is answered like what does not exist.
    """

    def __init__(self, standings: Standings, is_open: Callable[[], bool], admins_read: bool = False) -> None:
        """Where access `is_open`, nobody has to be known, and everything is everybody's."""
        self._standings = standings
        self._is_open = is_open
        self._admins_read = admins_read
        self._gone: set[str] = set()  # people who are being deleted; each operation on it is atomic

    @property
    def is_open(self) -> bool:
        """True if nobody has to be known."""
        return self._is_open()

    def check(self, caller: Caller, need: Need, session_id: str = "", writes: bool = False) -> None:
        """Raise ChatError unless the caller has what it takes.

        `writes` says that a route without a session changes something.
        """
        if need is Need.NOTHING:
            return
        if self.is_open:
            if need in _LOCAL and not caller.is_local:
                raise ChatError("not_allowed", problem="where nobody logs in, it is for this server's own machine")
            return
        if caller.person in self._gone:
            raise ChatError("access_ended")
        if not caller.is_known:
            raise ChatError("login_needed")
        if need in _OF_SESSIONS:
            roles = self.roles(caller, session_id)
            if not roles:
                raise ChatError("session_unknown", id=session_id)
            if roles.isdisjoint(_SUFFICE[need]):
                raise _refusal(need, roles)
        if need in {Need.ADMIN, Need.STATUS} and ADMIN not in caller.roles:
            raise ChatError("not_found")
        if need is Need.METRICS and caller.roles.isdisjoint(ROLES):
            raise ChatError("not_allowed", problem="it is for admins and operators")
        if need is Need.DESK and OPERATOR not in caller.roles:
            raise ChatError("not_allowed", problem="it is for operators")
        _check_scope(caller, "write" if writes and need is not Need.DESK else _SCOPES.get(need, "read"))
        if need in {Need.SELF, Need.ADMIN, Need.STATUS} and caller.credential.startswith("token:"):
            raise ChatError("not_allowed", problem="it takes a person who has logged in, not a token")

    def check_answer(self, caller: Caller, session_id: str, by: str) -> None:
        """Raise ChatError unless the caller may answer a question to those with the role `by`, or to everybody."""
        self.check(caller, Need.OPERATE if by else Need.WRITE, session_id)

    def may(self, caller: Caller, need: Need, session_id: str = "") -> bool:
        """Return True if the caller has what it takes."""
        try:
            self.check(caller, need, session_id)
        except ChatError:
            return False
        return True

    @contextlib.contextmanager
    def without(self, person: str) -> Iterator[None]:
        """Refuse everything to a person until the context ends."""
        self._gone.add(person)
        try:
            yield
        finally:
            self._gone.discard(person)

    def is_without(self, person: str) -> bool:
        """Return True if everything is refused to that person."""
        return person in self._gone

    def roles(self, caller: Caller, session_id: str) -> frozenset[str]:
        """Return the roles of the caller in a session; none if they may not see it."""
        if self.is_open:
            return frozenset({OWNER})
        standing = self._standings.standing(session_id, caller.person) if caller.is_known else None
        if standing is None:
            return frozenset()
        roles = {standing.membership} if standing.membership else set()
        if standing.owner == caller.person:
            roles.add(OWNER)
        has_it = standing.operator == caller.person if standing.operator else standing.is_waiting
        if has_it and OPERATOR in caller.roles and caller.scope == "operator":
            roles.add(OPERATOR)
        if self._admins_read and ADMIN in caller.roles and caller.scope == "operator":
            roles.add(ADMIN)
        return frozenset(roles)


def _check_scope(caller: Caller, needed: str) -> None:
    if SCOPES.index(caller.scope) < SCOPES.index(needed):
        raise ChatError("not_allowed", problem=f"the token's scope is {caller.scope}, and this takes {needed}")


def _refusal(need: Need, roles: frozenset[str]) -> ChatError:
    if need is Need.OPERATE:
        return ChatError("not_allowed", problem="it is for the operator who has the conversation")
    if need is Need.OWN and MEMBER in roles:
        return ChatError("not_allowed", problem="the conversation is not yours")
    return ChatError("read_only")
