"""The common parts of all routes below the path of one session."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from agentchat.access import Need
from agentchat.http.routes import Call, Handler, route
from agentchat.sessions.registry import Session, Sessions

SESSIONS = "/api/agent-chat/sessions"
TEXT_ERRORS = ("message_empty", "message_too_long")


def session_route(
    method: str, path: str, need: Need, errors: Sequence[str] = (), **about: Any
) -> Callable[[Handler], Handler]:
    """Make a method the handler of `path` below a session. The session may turn out to be gone."""
    errors = ("session_unknown", "session_deleted", *errors)
    return route(method, f"{SESSIONS}/{{id}}{path}", need, errors=errors, **about)


class SessionResource:
    """Base of classes whose handlers need the session that the path names."""

    def __init__(self, sessions: Sessions) -> None:
        self._sessions = sessions

    def _session(self, call: Call) -> Session:
        """Open the session for as long as the call lasts. Raises ChatError if there is none."""
        return call.stack.enter_context(self._sessions.using(call.path["id"]))
