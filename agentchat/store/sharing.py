"""Whose each session is, and who else may see it: owners, members, and the invitations that make members."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from agentchat.protocol.events import now
from agentchat.protocol.identity import USER_ID

MAX_NOTES = 100  # about one person, as UserNotes has it

Write = Callable[[Callable[[sqlite3.Connection], Any]], Any]
Select = Callable[..., list[Any]]

_VALID = "(expires = '' OR expires > ?)"


@dataclass(frozen=True)
class Member:
    """Somebody who came in by an invitation."""

    user: str
    role: str
    invitation: str
    """Its id; "" for somebody who was put out."""
    since: str
    expires: str = ""
    """When that ends; "" for never."""


@dataclass(frozen=True)
class Invitation:
    """A way into a session, for whoever has its secret."""

    id: str
    session: str
    role: str
    created: str
    expires: str = ""
    """When it and what it gave end; "" for never."""


@dataclass(frozen=True)
class Ownership:
    """One person and one session, as the store knows them."""

    owner: str
    held: str
    """The state of its handover; "" while the agents have it."""
    holder: str
    """The id of the operator who has it, if they are known."""
    asks: str
    """The role of those who can answer an open question in it; "" for its participants."""
    role: str | None
    """The person's role as a member."""


class Sharing:
    """The owners, members and invitations of all sessions. They are deleted with their sessions."""

    def __init__(self, write: Write, remove: Write, select: Select) -> None:
        self._write = write
        self._remove = remove
        self._select = select

    def ownership(self, session_id: str, user: str) -> Ownership | None:
        """Return how a person stands to a session; None if there is none."""
        rows = self._select(
            "SELECT owner, held, holder, asks,"
            f" (SELECT role FROM members WHERE session = id AND user = ? AND {_VALID})"
            " FROM sessions WHERE id = ?",
            user, now(), session_id,
        )  # fmt: skip
        return Ownership(*rows[0]) if rows else None

    def invite(self, invitation: Invitation, digest: str, limit: int) -> bool:
        """Keep an invitation, with the digest of its secret, and drop what has ended. Returns False beyond the limit.

        Raises KeyError if there is no such session.
        """

        def add(db: sqlite3.Connection) -> bool:
            session = invitation.session
            if db.execute("SELECT 1 FROM sessions WHERE id = ?", (session,)).fetchone() is None:
                raise KeyError(session)
            db.execute(f"DELETE FROM invitations WHERE session = ? AND NOT {_VALID}", (session, now()))
            db.execute(f"DELETE FROM members WHERE session = ? AND invitation <> '' AND NOT {_VALID}", (session, now()))
            (count,) = db.execute("SELECT count(*) FROM invitations WHERE session = ?", (session,)).fetchone()
            if count >= limit:
                return False
            about = (invitation.id, session, invitation.role, invitation.created, invitation.expires, digest)
            db.execute("INSERT INTO invitations VALUES (?, ?, ?, ?, ?, ?)", about)
            return True

        return bool(self._write(add))

    def accept(self, digest: str, user: str) -> Invitation | None:
        """Make the user a member by the invitation whose secret has that digest; None if there is none.

        Owners stay owners, and nobody loses a role or a later end by a weaker invitation. For whoever was put out,
        there are only invitations that were made since.
        """

        def join(db: sqlite3.Connection) -> Invitation | None:
            query = f"SELECT id, session, role, created, expires FROM invitations WHERE digest = ? AND {_VALID}"
            row = db.execute(query, (digest, now())).fetchone()
            if row is None:
                return None
            invitation = Invitation(*row)
            query = "SELECT 1 FROM members WHERE session = ? AND user = ? AND invitation = '' AND expires >= ?"
            if db.execute(query, (invitation.session, user, invitation.created)).fetchone() is not None:
                return None
            query = f"SELECT role, expires FROM members WHERE session = ? AND user = ? AND {_VALID}"
            before = db.execute(query, (invitation.session, user, now())).fetchone()
            owner = db.execute("SELECT owner FROM sessions WHERE id = ?", (invitation.session,)).fetchone()
            gives_more = before is None or _worth(invitation.role, invitation.expires) > _worth(*before)
            if owner != (user,) and gives_more:
                member = (invitation.session, user, invitation.role, invitation.id, now(), invitation.expires)
                db.execute("REPLACE INTO members VALUES (?, ?, ?, ?, ?, ?)", member)
            return invitation

        found: Invitation | None = self._write(join)
        return found

    def has_ended(self, since: str, until: str) -> bool:
        """Return True if somebody's time as a member has ended behind the one time, up to the other."""
        query = "SELECT 1 FROM members WHERE expires > ? AND expires <= ? LIMIT 1"
        return bool(self._select(query, since, until))

    def invitations(self, session_id: str) -> list[Invitation]:
        """Return the invitations to a session that are still good, oldest first."""
        query = (
            f"SELECT id, session, role, created, expires FROM invitations WHERE session = ? AND {_VALID}"
            " ORDER BY created, id"
        )
        return [Invitation(*row) for row in self._select(query, session_id, now())]

    def members(self, session_id: str) -> list[Member]:
        """Return the members of a session, those who came first in front."""
        query = (
            f"SELECT user, role, invitation, since, expires FROM members WHERE session = ? AND {_VALID}"
            " ORDER BY since, user"
        )
        return [Member(*row) for row in self._select(query, session_id, now())]

    def memberships(self, user: str) -> dict[str, str]:
        """Return the sessions in which the user is a member, with the role in each."""
        return dict(self._select(f"SELECT session, role FROM members WHERE user = ? AND {_VALID}", user, now()))

    def taken(self) -> list[tuple[str, str]]:
        """Return the sessions that operators who are known have, each with the id of the operator."""
        return [
            (id, user) for id, user in self._select("SELECT id, holder FROM sessions WHERE held <> '' AND holder <> ''")
        ]

    def revoke(self, session_id: str, invitation: str) -> bool:
        """Take an invitation back, and put those out whom it let in. Returns False if there is none."""

        def revoke(db: sqlite3.Connection) -> bool:
            which = (session_id, invitation)
            db.execute("DELETE FROM members WHERE session = ? AND invitation = ?", which)
            return db.execute("DELETE FROM invitations WHERE session = ? AND id = ?", which).rowcount > 0

        return bool(self._remove(revoke))

    def put_out(self, session_id: str, user: str) -> bool:
        """Put a member out, whom no invitation that was made before lets in again. Returns False if there is none."""
        query = f"UPDATE members SET invitation = '', expires = ? WHERE session = ? AND user = ? AND {_VALID}"
        return bool(self._remove(lambda db: db.execute(query, (now(), session_id, user, now())).rowcount > 0))

    def leave(self, session_id: str, user: str) -> bool:
        """Let a member leave, who may come again. Returns False if there is none."""
        query = f"DELETE FROM members WHERE session = ? AND user = ? AND {_VALID}"
        return bool(self._remove(lambda db: db.execute(query, (session_id, user, now())).rowcount > 0))

    def owned_by(self, user: str) -> list[str]:
        """Return the ids of the sessions that are the user's own."""
        return [id for (id,) in self._select("SELECT id FROM sessions WHERE owner = ? ORDER BY id", user)]

    def leave_all(self, user: str) -> None:
        """Let a user be a member nowhere."""
        self._remove(lambda db: db.execute("DELETE FROM members WHERE user = ?", (user,)).rowcount)

    def adopt(self, user: str) -> int:
        """Give all sessions and notes that belong to no user to this one. Returns how many sessions there were.

        Of two notes with the same key the newer one stays; of too many the newest do.
        """

        def adopt(db: sqlite3.Connection) -> int:
            foreign = f"NOT LIKE '{USER_ID}%'"
            count = db.execute(f"UPDATE sessions SET owner = ? WHERE owner {foreign}", (user,)).rowcount
            db.execute(
                "REPLACE INTO notes SELECT ?, key, value, updated FROM"
                f" (SELECT key, value, max(updated) AS updated FROM notes WHERE user {foreign} OR user = ?"
                " GROUP BY key) ORDER BY updated DESC LIMIT ?",
                (user, user, MAX_NOTES),
            )
            db.execute(f"DELETE FROM notes WHERE user {foreign}")
            return count

        return int(self._write(adopt))


def _worth(role: str, expires: str) -> tuple[bool, str]:
    """Return what a role until that time can be compared with others by."""
    return role == "member", expires or "~"  # which sorts behind every time
