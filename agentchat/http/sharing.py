"""Sharing sessions: their members, and the invitations that make members."""

from __future__ import annotations

import hashlib
import secrets
from collections.abc import Callable
from datetime import datetime, timedelta, timezone

from agentchat.access import OWNER, Access, Need
from agentchat.audit import Audit, Field
from agentchat.auth.accounts import Accounts
from agentchat.auth.attempts import Attempts
from agentchat.http import requests, responses
from agentchat.http.routes import Call, Reply, route
from agentchat.http.session_route import SessionResource, session_route
from agentchat.protocol import events
from agentchat.protocol.errors import ChatError
from agentchat.protocol.validation import ID_CHARS, one_line
from agentchat.sessions.registry import Sessions
from agentchat.store.sharing import Invitation, Member, Sharing

MAX_INVITATIONS = 100  # of a session, at a time


class SharingRoutes(SessionResource):
    def __init__(
        self,
        sessions: Sessions,
        sharing: Sharing,
        access: Access,
        accounts: Accounts,
        audit: Audit,
        changed: Callable[[], None],
    ) -> None:
        """`changed` lets changes of members take effect on what runs."""
        super().__init__(sessions)
        self._sharing = sharing
        self._access = access
        self._accounts = accounts
        self._audit = audit
        self._changed = changed
        self._attempts = Attempts()

    @session_route("GET", "/members", Need.READ, answers={200: responses.Members}, errors=("nobody_to_invite",))
    def list_members(self, call: Call) -> Reply:
        """List the members of a session and, if it is yours, its invitations."""
        self._check_not_open()
        session_id = self._session(call).id
        standing = self._sessions.standing(session_id, call.caller.person)
        if standing is None:
            raise ChatError("session_unknown", id=session_id)
        is_own = standing.owner == call.caller.person
        found = {
            "you": call.caller.person,
            "owner": self._about(standing.owner),
            "members": [self._about_member(member, is_own) for member in self._sharing.members(session_id)],
            "invitations": [_about(each) for each in self._sharing.invitations(session_id)] if is_own else [],
        }
        return Reply(200, found)

    @session_route("POST", "/invitations", Need.OWN, answers={201: responses.InvitationMade},
                   errors=("nobody_to_invite", "too_many_invitations", "too_many_sessions"))  # fmt: skip
    def invite(self, call: Call, body: requests.NewInvitation) -> Reply:
        """Make an invitation: whoever opens its link and logs in has the role in this session."""
        self._check_not_open()
        session = self._session(call)
        session.log.keep_session()
        begin = datetime.now(timezone.utc)
        expires = events.time(begin + timedelta(hours=body.hours)) if body.hours else ""
        invitation = Invitation(f"i-{secrets.token_hex(8)}", session.id, body.role, events.time(begin), expires)
        secret = secrets.token_urlsafe(32)
        try:
            is_made = self._sharing.invite(invitation, _digest(secret), MAX_INVITATIONS)
        except KeyError:
            raise ChatError("session_deleted") from None
        if not is_made:
            raise ChatError("too_many_invitations", limit=MAX_INVITATIONS)
        self._note("invitation_made", call, **_audited(invitation))
        return Reply(201, {**_about(invitation), "secret": secret, "link": f"/#invitation={secret}"})

    @session_route("DELETE", "/invitations/{invitation}", Need.OWN, answers={204: None},
                   errors=("nobody_to_invite", "invitation_unknown"))  # fmt: skip
    def revoke_invitation(self, call: Call) -> Reply:
        """Revoke an invitation, and put out whom it let in."""
        self._check_not_open()
        session_id, invitation = call.path["id"], call.path["invitation"]
        if not self._sharing.revoke(session_id, invitation):
            raise ChatError("invitation_unknown")
        self._note("invitation_revoked", call, session=session_id, invitation=invitation)
        self._changed()
        return Reply(204)

    @session_route("DELETE", "/members/{member}", Need.READ, answers={204: None},
                   errors=("nobody_to_invite", "member_unknown"))  # fmt: skip
    def put_member_out(self, call: Call) -> Reply:
        """Put a member out of a session of yours, or leave one."""
        self._check_not_open()
        session_id, member = call.path["id"], call.path["member"]
        is_leaving = member == call.caller.person
        if not is_leaving:
            self._access.check(call.caller, Need.OWN, session_id)
        end = self._sharing.leave if is_leaving else self._sharing.put_out
        if not end(session_id, member):
            raise ChatError("member_unknown", member=one_line(member[:ID_CHARS]))
        self._note("member_left" if is_leaving else "member_put_out", call, session=session_id, member=member)
        self._changed()
        return Reply(204)

    @route("POST", "/api/agent-chat/invitations", Need.KNOWN, answers={200: responses.Joined},
           errors=("nobody_to_invite", "invitation_unknown", "too_many_attempts"))  # fmt: skip
    def accept_invitation(self, call: Call, body: requests.Secret) -> Reply:
        """Accept an invitation."""
        self._check_not_open()
        person, address = call.caller.person, call.caller.address
        self._attempts.begin(person, address)
        invitation = self._sharing.accept(_digest(body.secret), person)
        if invitation is None:
            self._note("invitation_refused", call)
            raise ChatError("invitation_unknown")
        self._attempts.succeeded(person, address)
        standing = self._sessions.standing(invitation.session, person)
        role = OWNER if standing and standing.owner == person else standing and standing.membership
        if not role:  # it was revoked at this moment
            raise ChatError("invitation_unknown")
        self._note("invitation_accepted", call, **_audited(invitation))
        return Reply(200, {"session_id": invitation.session, "role": role})

    def _check_not_open(self) -> None:
        if self._access.is_open:
            raise ChatError("nobody_to_invite")

    def _about(self, id: str) -> dict[str, str]:
        """Return a user as others see them."""
        user = self._accounts.user(id)
        return {"id": id, "name": user.name if user else "", "colour": user.colour if user else ""}

    def _about_member(self, member: Member, is_for_owner: bool) -> dict[str, str]:
        about = {"role": member.role, "since": member.since, "expires": member.expires}
        return {**self._about(member.user), **about, "invitation": member.invitation if is_for_owner else ""}

    def _note(self, event: str, call: Call, **fields: Field) -> None:
        """Write into the audit log that the caller did something."""
        user = self._accounts.user(call.caller.person)
        who = (user.id, user.login) if user is not None else None
        self._audit.write(event, who, call.caller.address, **fields)


def _about(invitation: Invitation) -> dict[str, str]:
    about = {"id": invitation.id, "role": invitation.role}
    return {**about, "created": invitation.created, "expires": invitation.expires}


def _audited(invitation: Invitation) -> dict[str, Field]:
    about: dict[str, Field] = {"session": invitation.session, "invitation": invitation.id}
    return {**about, "role": invitation.role, "expires": invitation.expires}


def _digest(secret: str) -> str:
    return hashlib.sha256(secret.encode("utf-8", "surrogatepass")).hexdigest()
