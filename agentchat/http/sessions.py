"""Sessions over REST: created, listed, read, renamed, deleted."""

from __future__ import annotations

from urllib.parse import quote

from agentchat.access import OWNER, Need
from agentchat.ag2.catalogue import Catalogue
from agentchat.http import older_names, requests, responses
from agentchat.http.routes import Call, Reply, route
from agentchat.http.session_route import SESSIONS, SessionResource, session_route
from agentchat.sessions.projects import folder_of
from agentchat.sessions.registry import Sessions


class SessionRoutes(SessionResource):
    def __init__(self, sessions: Sessions, catalogue: Catalogue) -> None:
        super().__init__(sessions)
        self._catalogue = catalogue

    @route("POST", SESSIONS, Need.KNOWN, answers={201: responses.SessionAnswer},
           errors=("agent_unknown", "session_deleted", "closing", "too_many_sessions"),
           sent_headers={"Location": "The path of the session"})  # fmt: skip
    def create_session(self, call: Call, body: requests.NewSession, headers: requests.CommandHeaders) -> Reply:
        """Create a session."""
        agent, title = older_names.chosen(self._catalogue, body.agent, body.agent_type), body.title.strip()
        folder = folder_of(call.caller.user, str(body.project_id)) if body.project_id is not None else ""
        session = self._sessions.create(agent, title, headers.idempotency_key, call.creator, call.caller, folder)
        call.stack.callback(self._sessions.release, session)
        return Reply(201, session.about(), {"Location": f"{SESSIONS}/{quote(session.id)}"})

    @route("GET", SESSIONS, Need.KNOWN, answers={200: responses.SessionList}, errors=("search_timeout",))
    def list_sessions(self, call: Call, query: requests.ListQuery) -> Reply:
        """List sessions, newest first, or search them."""
        updated, _, id = (query.before or "").partition("_")
        before = (updated, id) if query.before else None
        found = self._sessions.find(query.q, before, query.limit + 1, call.person)
        shown = found[: query.limit]
        last = shown[-1][0] if len(found) > query.limit else None
        entries = [
            about | ({"found": [{"seq": seq, "text": text} for seq, text in places]} if query.q else {})
            for about, places in shown
        ]
        if call.person is not None:
            memberships = self._sessions.memberships(call.person)
            entries = [{**entry, "role": memberships.get(entry["id"], OWNER)} for entry in entries]
        return Reply(200, {"sessions": entries, "next": f"{last['updated']}_{last['id']}" if last else None})

    @session_route("GET", "", Need.READ, answers={200: responses.SessionAnswer})
    def read_session(self, call: Call) -> Reply:
        """Return a session."""
        return Reply(200, self._session(call).about())

    @session_route("PATCH", "", Need.WRITE, answers={200: responses.SessionAnswer}, errors=("closing",))
    def rename_session(self, call: Call, body: requests.NewTitle, headers: requests.CommandHeaders) -> Reply:
        """Rename a session."""
        session = self._session(call)
        session.rename(body.title, call.caller.name, headers.idempotency_key)
        return Reply(200, session.about())

    @session_route("DELETE", "", Need.OWN, answers={204: None})
    def delete_session(self, call: Call, headers: requests.CommandHeaders) -> Reply:
        """Delete a session with its log and its workspace."""
        self._sessions.delete(call.path["id"], call.caller, headers.idempotency_key)
        return Reply(204)
