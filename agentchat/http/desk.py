"""The desk over HTTP: what waits for a human, and conversations that humans take, answer in and hand back."""

from __future__ import annotations

import json
import time
from collections.abc import Generator
from typing import Any

from agentchat.http import requests, responses, sse, waiting
from agentchat.http.routes import EVENT_STREAM, JSON, Call, Reply, Route, Stream
from agentchat.http.sessions import LOST, PATH, TEXTS, Rest, person
from agentchat.http.waiting import Client
from agentchat.sessions.registry import Sessions

TOLD_ONCE_IN = 1.0  # seconds after which a watched desk is looked at again in any case: titles and words change, too


class DeskRoutes:
    """The handlers. `rest` finds the session that an address names."""

    def __init__(self, sessions: Sessions, rest: Rest) -> None:
        self._sessions = sessions
        self._rest = rest

    def look(self, call: Call) -> Reply | Stream:
        query: requests.DeskQuery = call.query
        if call.accept == EVENT_STREAM:
            return sse.stream(self._watch(call.watch(), person(query.name)))
        return Reply(200, self._desk())

    def take(self, call: Call) -> Reply:
        body: requests.Take = call.body
        event = self._rest.session(call).take(person(body.name))
        return Reply(200, {"seq": event.seq})

    def reply(self, call: Call) -> Reply:
        body: requests.OperatorReply = call.body
        event = self._rest.session(call).reply(body.text, person(body.name), body.id)
        return Reply(200, {"seq": event.seq})

    def hand_back(self, call: Call) -> Reply:
        body: requests.HandBack = call.body
        event = self._rest.session(call).hand_back(body.note, person(body.name))
        return Reply(200, {"seq": event.seq})

    def _desk(self) -> dict[str, Any]:
        return {"operators": self._sessions.desk.operators, "conversations": self._sessions.held()}

    def _watch(self, client: Client, name: str) -> Generator[str, None, None]:
        """Who watches the desk under a name sits at it."""
        desk = self._sessions.desk
        shown, said, retry = "", time.monotonic(), f"retry: {sse.RETRY}\n"
        desk.follow(client.wake)
        desk.join(name)
        try:
            while not (client.is_gone or client.is_ending):
                now = json.dumps(self._desk(), ensure_ascii=False)
                if now != shown:
                    shown, said = now, time.monotonic()
                    yield f"{retry}event: desk\ndata: {now}\n\n"
                    retry = ""
                elif time.monotonic() - said >= waiting.HEARTBEAT:
                    said = time.monotonic()
                    yield sse.SILENCE
                client.wait(TOLD_ONCE_IN)
        finally:
            desk.part(name)
            desk.unfollow(client.wake)

    def routes(self) -> list[Route]:
        """What there is to ask for."""
        one, held = f"{PATH}/{{id}}", (*LOST, "closing", "taken")
        return [
            Route("GET", "/api/agent-chat/desk", "readDesk", "What waits for a human, and who is there", self.look,
                  {200: responses.Desk}, (), requests.DeskQuery, types=(JSON, EVENT_STREAM)),
            Route("POST", f"{one}/take", "takeSession", "Answer in the agents' place from now on", self.take,
                  {200: responses.Answered}, held, body=requests.Take),
            Route("POST", f"{one}/reply", "replyAsOperator", "Say something in the agents' place", self.reply,
                  {200: responses.Answered}, (*held, *TEXTS, "not_held"), body=requests.OperatorReply),
            Route("POST", f"{one}/hand-back", "handSessionBack", "Let the agents answer again", self.hand_back,
                  {200: responses.Answered}, (*held, "not_held", "message_too_long"), body=requests.HandBack),
        ]  # fmt: skip
