"""What is remembered of people over HTTP: each sees and erases what is kept of them (identity.py), and nothing else."""

from __future__ import annotations

from dataclasses import asdict

from agentchat.http import requests, responses
from agentchat.http.routes import Call, Reply, Route
from agentchat.http.sessions import person
from agentchat.protocol import identity
from agentchat.protocol.errors import ChatError
from agentchat.sessions.user_notes import Notes

PATH = "/api/agent-chat/memory"


class MemoryRoutes:
    """The handlers."""

    def __init__(self, notes: Notes) -> None:
        self._notes = notes

    def read(self, call: Call) -> Reply:
        user = _user(call)
        return Reply(200, {"user": user, "notes": [asdict(note) for note in self._notes.entries(user)]})

    def erase(self, call: Call) -> Reply:
        self._notes.forget(_user(call))
        return Reply(204)

    def erase_one(self, call: Call) -> Reply:
        if not self._notes.forget(_user(call), call.path["key"]):
            raise ChatError("not_found")
        return Reply(204)

    def routes(self) -> list[Route]:
        """What there is to ask for."""
        who, unknown = requests.WhoQuery, ("bad_request",)
        return [
            Route("GET", PATH, "readMemory", "What is remembered of you", self.read, {200: responses.Memory}, unknown,
                  who),
            Route("DELETE", PATH, "eraseMemory", "Have all of it forgotten", self.erase, {204: None}, unknown, who),
            Route("DELETE", f"{PATH}/{{key}}", "eraseNote", "Have one thing forgotten", self.erase_one, {204: None},
                  ("not_found",), who),
        ]  # fmt: skip


def _user(call: Call) -> str:
    query: requests.WhoQuery = call.query
    user = identity.user_id(person(query.name), call.browser)
    if not user:
        raise ChatError("bad_request", problem="name is missing: it says whose memory is meant")
    return user
