"""The desk over HTTP: which sessions wait for a human, and how humans take them, answer and hand them back."""

from __future__ import annotations

import json
from collections.abc import Generator
from typing import Any

from agentchat.access import Need
from agentchat.http import requests, responses, streaming
from agentchat.http.routes import EVENT_STREAM, JSON, Call, Reply, Stream, route
from agentchat.http.session_route import TEXT_ERRORS, SessionResource, session_route
from agentchat.http.waiting import Waiter

POLL = 1.0  # seconds between looks at a followed desk, which isn't woken by new titles and messages

_OPERATOR_ERRORS = ("closing", "taken")


class DeskRoutes(SessionResource):
    @route("GET", "/api/agent-chat/desk", Need.DESK, answers={200: responses.Desk}, types=(JSON, EVENT_STREAM))
    def read_desk(self, call: Call, query: requests.DeskQuery) -> Reply | Stream:
        """List the sessions that wait for a human, and the operators at the desk."""
        if call.accept == EVENT_STREAM:
            return streaming.event_stream(self._follow(call.waiter(), call))
        return Reply(200, self._desk(call))

    @session_route("POST", "/take", Need.OPERATE, answers={200: responses.Answered}, errors=_OPERATOR_ERRORS)
    def take_session(self, call: Call, body: requests.Take, headers: requests.CommandHeaders) -> Reply:
        """Take a session over from the agents."""
        return Reply(200, {"seq": self._session(call).takeover.take(call.caller, headers.idempotency_key).seq})

    @session_route("POST", "/reply", Need.OPERATE, answers={200: responses.Answered},
                   errors=(*_OPERATOR_ERRORS, *TEXT_ERRORS, "not_held"))  # fmt: skip
    def reply_as_operator(self, call: Call, body: requests.OperatorReply, headers: requests.CommandHeaders) -> Reply:
        """Say something in the agents' place."""
        id = headers.idempotency_key or body.id
        return Reply(200, {"seq": self._session(call).takeover.reply(body.text, call.caller, id).seq})

    @session_route("POST", "/hand-back", Need.RETURN, answers={200: responses.Answered},
                   errors=(*_OPERATOR_ERRORS, "not_held", "message_too_long"))  # fmt: skip
    def hand_session_back(self, call: Call, body: requests.HandBack, headers: requests.CommandHeaders) -> Reply:
        """Hand a session back to the agents."""
        id = headers.idempotency_key
        return Reply(200, {"seq": self._session(call).takeover.hand_back(body.note, call.caller, id).seq})

    def _desk(self, call: Call) -> dict[str, Any]:
        return {"operators": self._sessions.desk.operators, "conversations": self._sessions.held(call.person)}

    def _follow(self, waiter: Waiter, call: Call) -> Generator[str, None, None]:
        """Follow the desk, counting as present meanwhile."""
        desk, name, shown = self._sessions.desk, call.caller.name, ""

        def look() -> str:
            nonlocal shown
            before, shown = shown, json.dumps(self._desk(call), ensure_ascii=False)
            return shown if shown != before else ""

        desk.join(name)
        try:
            first = streaming.message(look(), event="desk")
            yield streaming.RETRY + first + streaming.silence(waiter.heartbeat)  # which says when to expect the next
            for changed in waiter.watch(desk, look, poll=POLL):
                yield streaming.message(changed, event="desk") if changed else streaming.silence(waiter.heartbeat)
        finally:
            desk.leave(name)
