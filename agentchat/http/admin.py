"""The admins' view of the server: who is connected, what runs, what people use, and the audit log."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta, timezone
from typing import Any

from agentchat.access import Access, Need
from agentchat.audit import Audit
from agentchat.auth.accounts import Accounts, User
from agentchat.auth.connections import Connection, Connections
from agentchat.http import requests, responses
from agentchat.http.routes import Call, Reply, route
from agentchat.protocol import events
from agentchat.protocol.identity import UNNAMED, YOU
from agentchat.sessions.registry import Sessions
from agentchat.sessions.running import RunningTurn
from agentchat.store.usage import Usage

ADMIN = "/api/agent-chat/admin"
SHOWN = 500  # connections, and turns, that are listed; all are counted

People = Mapping[str, User]


class AdminRoutes:
    def __init__(
        self,
        sessions: Sessions,
        access: Access,
        accounts: Accounts,
        usage: Usage,
        connections: Connections,
        audit: Audit,
    ) -> None:
        self._sessions = sessions
        self._access = access
        self._accounts = accounts
        self._usage = usage
        self._connections = connections
        self._audit = audit

    @route("GET", ADMIN, Need.ADMIN, answers={200: responses.Overview}, errors=("not_found", "not_allowed"))
    def read_overview(self, call: Call, query: requests.OverviewQuery) -> Reply:
        """Return who is connected, what runs, and what people use."""
        people = {user.id: user for user in self._accounts.users()}
        connections = self._connections.all
        turns, running = self._sessions.running(SHOWN)
        since = events.time(datetime.now(timezone.utc) - timedelta(days=query.days - 1))[:10]
        used = self._usage.since(since)
        about = {
            "connected": [_connection(each, people) for each in connections[-SHOWN:]],
            "connected_in_all": len(connections),
            "running": [self._turn(each, call, people) for each in turns],
            "running_in_all": running,
            "usage": [vars(each) | {"user": _person(each.user, "", people)} for each in used],
            "usage_since": since,
            "audit": self._audit.last(query.audit, query.event, query.person) if query.audit else [],
        }
        return Reply(200, about)

    @route("POST", f"{ADMIN}/stop", Need.ADMIN, answers={202: responses.Stopping},
           errors=("not_found", "not_allowed", "session_unknown", "session_deleted"), ends_work=True)  # fmt: skip
    def stop_as_admin(self, call: Call, body: requests.AdminStop, headers: requests.CommandHeaders) -> Reply:
        """Stop the running turn of any session, or withdraw a waiting message."""
        with self._sessions.using(body.session) as session:
            return Reply(202, {"turn": session.stop(body.turn, headers.idempotency_key, admin=call.caller)})

    @route("GET", f"{ADMIN}/audit", Need.ADMIN, answers={200: responses.AuditLog},
           errors=("not_found", "not_allowed"))  # fmt: skip
    def read_audit(self, call: Call, query: requests.AuditQuery) -> Reply:
        """Return the newest entries of the audit log."""
        return Reply(200, {"entries": self._audit.last(query.limit, query.event, query.person)})

    def _turn(self, turn: RunningTurn, call: Call, people: People) -> dict[str, Any]:
        """Return a turn, with the conversation's title if the caller may read it."""
        may_read = self._access.may(call.caller, Need.READ, turn.session)
        return {
            "session": turn.session,
            "title": turn.title if may_read else None,
            "turn": turn.turn,
            "status": turn.status,
            "agent": turn.agent,
            "user": _person(turn.user, turn.name, people),
            "since": turn.since,
        }


def _connection(connection: Connection, people: People) -> dict[str, Any]:
    caller = connection.caller
    return {
        "user": _person(caller.user, caller.name, people),
        "address": caller.address,
        "kind": connection.kind,
        "session": connection.session or None,
        "since": connection.since,
    }


def _person(id: str, name: str, people: People) -> dict[str, str]:
    """Return a user, or somebody who is known by a name only, if at all."""
    user = people.get(id)
    if user is not None:
        return {"id": id, "login": user.login, "name": user.name}
    return {"id": id or YOU, "login": "", "name": "" if name == UNNAMED else name}
