"""Agents' notes about people, over REST. Everyone sees and erases only those about themselves."""

from __future__ import annotations

from dataclasses import asdict

from agentchat.access import Need
from agentchat.http import requests, responses
from agentchat.http.routes import Call, Reply, route
from agentchat.protocol.errors import ChatError
from agentchat.protocol.validation import one_line
from agentchat.sessions.user_notes import UserNotes

MEMORY = "/api/agent-chat/memory"


class MemoryRoutes:
    def __init__(self, notes: UserNotes) -> None:
        self._notes = notes

    @route("GET", MEMORY, Need.KNOWN, answers={200: responses.Memory})
    def read_memory(self, call: Call, query: requests.NameQuery) -> Reply:
        """Return what is remembered about you."""
        user = _user(call)
        return Reply(200, {"user": user, "notes": [asdict(note) for note in self._notes.entries(user)]})

    @route("DELETE", MEMORY, Need.KNOWN, answers={204: None})
    def erase_memory(self, call: Call, query: requests.NameQuery, headers: requests.CommandHeaders) -> Reply:
        """Erase everything that is remembered about you."""
        self._notes.forget(_user(call), id=headers.idempotency_key)
        return Reply(204)

    @route("PUT", f"{MEMORY}/{{key}}", Need.KNOWN, answers={200: responses.NoteAnswer},
           errors=("note_unusable", "not_found"))  # fmt: skip
    def write_note(self, call: Call, body: requests.NoteText) -> Reply:
        """Write or correct a note about you."""
        user, key = _user(call), one_line(call.path["key"])
        self._notes.note(user, key, body.value)
        written = next((note for note in self._notes.entries(user) if note.key == key), None)
        if written is None:  # erased meanwhile
            raise ChatError("not_found")
        return Reply(200, asdict(written))

    @route("DELETE", f"{MEMORY}/{{key}}", Need.KNOWN, answers={204: None}, errors=("not_found",))
    def erase_note(self, call: Call, query: requests.NameQuery, headers: requests.CommandHeaders) -> Reply:
        """Erase one note about you."""
        if not self._notes.forget(_user(call), call.path["key"], headers.idempotency_key):
            raise ChatError("not_found")
        return Reply(204)


def _user(call: Call) -> str:
    if not call.caller.person:
        raise ChatError("bad_request", problem="name is missing: it says whose memory is meant")
    return call.caller.person
