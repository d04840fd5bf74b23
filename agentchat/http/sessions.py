"""The REST side of sessions: what docs/rest.md says, as calls of what the sessions can do."""

from __future__ import annotations

import json
from typing import Any
from urllib.parse import quote

from agentchat.ag2.catalogue import Catalogue
from agentchat.http import export, following, requests, responses, sse
from agentchat.http.routes import EVENT_STREAM, JSON, Call, Reply, Route, Stream
from agentchat.protocol.events import Event
from agentchat.protocol.validation import one_line
from agentchat.sessions.registry import Session, Sessions

PATH = "/api/agent-chat/sessions"
EVENTS_BYTES = 8 * 2**20  # of JSON in one answer; who asks for more gets the rest with the next request
TEXTS = ("message_empty", "message_too_long")
LOST = ("session_unknown", "session_deleted")


class Rest:
    """The handlers. Each calls a session, and says what came of it."""

    def __init__(self, sessions: Sessions, catalogue: Catalogue) -> None:
        self._sessions = sessions
        self._catalogue = catalogue

    def enter(self, call: Call, agent: str | None, title: str = "") -> Session:
        """A new session, in use until the call is answered. Raises ChatError."""
        session = self._sessions.create(self._catalogue.choose(agent), title)
        call.stack.callback(self._sessions.leave, session)
        return session

    def session(self, call: Call) -> Session:
        """The session that the address names, in use until the call is answered. Raises ChatError."""
        return call.stack.enter_context(self._sessions.using(call.path["id"]))

    # Sessions

    def create(self, call: Call) -> Reply:
        body: requests.NewSession = call.body
        session = self.enter(call, body.agent, body.title.strip())
        return Reply(201, session.about(), {"Location": f"{PATH}/{quote(session.id)}"})

    def find(self, call: Call) -> Reply:
        query: requests.ListQuery = call.query
        updated, _, id = (query.before or "").partition("_")
        before = (updated, id) if query.before else None
        found = self._sessions.find(query.q, before, query.limit + 1)
        shown = found[: query.limit]
        last = shown[-1][0] if len(found) > query.limit else None
        entries = [
            about | ({"found": [{"seq": seq, "text": text} for seq, text in places]} if query.q else {})
            for about, places in shown
        ]
        return Reply(200, {"sessions": entries, "next": f"{last['updated']}_{last['id']}" if last else None})

    def read(self, call: Call) -> Reply:
        return Reply(200, self.session(call).about())

    def rename(self, call: Call) -> Reply:
        body: requests.NewTitle = call.body
        session = self.session(call)
        session.rename(body.title, person(body.name))
        return Reply(200, session.about())

    def delete(self, call: Call) -> Reply:
        self._sessions.delete(call.path["id"])
        return Reply(204)

    # Taking part

    def post(self, call: Call) -> Reply:
        body: requests.NewMessage = call.body
        query: requests.PostQuery = call.query
        headers: requests.PostHeaders = call.headers
        session = self.session(call)
        id = headers.idempotency_key or body.id
        message = session.post(body.text, person(body.name), id, body.context, body.busy, call.browser)
        if query.wait:
            events: list[Event] = []
            for news in following.follow(session, message, call.watch(), query.wait):
                events += news
                if following.has_ended(events):
                    return Reply(200, _finished(message, events))
                if following.asks(events):
                    break
        return _accepted(session, message)

    def answer(self, call: Call) -> Reply:
        body: requests.Input = call.body
        event = self.session(call).answer(body.request_id, body.text, person(body.name), body.arguments)
        return Reply(200, {"seq": event.seq})

    def stop(self, call: Call) -> Reply:
        body: requests.Stop = call.body
        return Reply(202, {"turn": self.session(call).stop(body.turn)})

    def retry(self, call: Call) -> Reply:
        session = self.session(call)
        return _accepted(session, session.retry())

    def edit(self, call: Call) -> Reply:
        body: requests.Edit = call.body
        session = self.session(call)
        return _accepted(session, session.edit(body.seq, body.text, person(body.name), call.browser))

    def typing(self, call: Call) -> Reply:
        body: requests.Typing = call.body
        self.session(call).typing(person(body.name), body.is_typing)
        return Reply(204)

    # Events

    def events(self, call: Call) -> Reply | Stream:
        query: requests.EventsQuery = call.query
        headers: requests.EventsHeaders = call.headers
        session = self.session(call)
        if call.accept == EVENT_STREAM:
            after = sse.place(headers.last_event_id, query.after)
            return sse.stream(sse.watch(session, call.watch(), after, one_line(query.name), query.role, query.show))
        frames = _frames(session, query.after, query.limit)
        body = f'{{"events":[{",".join(frames)}],"last_seq":{session.log.view.last_seq}}}'
        return Reply(200, body.encode())

    def export(self, call: Call) -> Stream:
        query: requests.ExportQuery = call.query
        return export.export(self.session(call), query.format)

    def routes(self) -> list[Route]:
        """What there is to ask for."""
        accepted, one = {202: responses.Accepted}, f"{PATH}/{{id}}"
        busy = ("closing", *LOST, "session_full", "busy")
        return [
            Route("POST", PATH, "createSession", "A new session", self.create, {201: responses.SessionAnswer},
                  ("agent_unknown", "closing"), body=requests.NewSession,
                  sends={"Location": "Its address"}),
            Route("GET", PATH, "listSessions", "Sessions, newest first; or those in which words stand", self.find,
                  {200: responses.SessionList}, query=requests.ListQuery),
            Route("GET", one, "readSession", "A session", self.read, {200: responses.SessionAnswer}, LOST),
            Route("PATCH", one, "renameSession", "Another title", self.rename, {200: responses.SessionAnswer},
                  (*LOST, "closing"), body=requests.NewTitle),
            Route("DELETE", one, "deleteSession", "Forget the session, its log and its workspace", self.delete,
                  {204: None}, LOST),
            Route("POST", f"{one}/messages", "postMessage", "Say something, and perhaps wait for the answer", self.post,
                  {200: responses.Finished, **accepted}, (*busy, *TEXTS), requests.PostQuery, requests.PostHeaders,
                  requests.NewMessage),
            Route("POST", f"{one}/input", "answerQuestion", "Answer a question of an agent", self.answer,
                  {200: responses.Answered},
                  (*LOST, "closing", "message_too_long", "request_unknown", "request_closed", "already_answered",
                   "answer_unusable"), body=requests.Input),
            Route("POST", f"{one}/stop", "stopTurn", "Stop the turn that runs, or withdraw one that waits", self.stop,
                  {202: responses.Stopping}, LOST, body=requests.Stop),
            Route("POST", f"{one}/retry", "retryTurn", "Have the last message answered anew", self.retry, accepted,
                  (*busy, "nothing_to_retry", "held"), body=requests.Retry),
            Route("POST", f"{one}/edit", "editMessage", "Another text for a message", self.edit, accepted,
                  (*busy, *TEXTS, "message_unknown", "held"), body=requests.Edit),
            Route("POST", f"{one}/typing", "showTyping", "Tell the others that somebody writes", self.typing,
                  {204: None}, LOST, body=requests.Typing),
            Route("GET", f"{one}/events", "readEvents", "The log, or what happens as an event stream", self.events,
                  {200: responses.EventList}, LOST, requests.EventsQuery, requests.EventsHeaders,
                  types=(JSON, EVENT_STREAM)),
            Route("GET", f"{one}/export", "exportSession", "The conversation as a file", self.export,
                  {200: responses.Export}, LOST, requests.ExportQuery, types=(JSON, *export.TYPES),
                  sends={"Content-Disposition": "Its name"}),
        ]  # fmt: skip


def person(name: str) -> str:
    """As others see it."""
    return one_line(name) or "user"


def _accepted(session: Session, message: Event) -> Reply:
    status = session.turn_status(message.turn)
    return Reply(202, {"seq": message.seq, "id": message.content["id"], "turn": message.turn, "status": status})


def _finished(message: Event, events: list[Event]) -> dict[str, Any]:
    end = events[-1].content
    errors = [event.content for event in events if event.type == "error"]
    error = {name: errors[-1][name] for name in ("code", "message", "retryable")} if errors else None
    return {
        "seq": message.seq,
        "id": message.content["id"],
        "turn": message.turn,
        "status": end["status"],
        "summary": end["summary"],
        "usage": {"agents": {}, **end["usage"]},  # logs of older versions have neither
        "code_changes": end.get("code_changes", []),
        "duration_ms": end["duration_ms"],
        "error": error,
        "events": [json.loads(event.frame) for event in events],
    }


def _frames(session: Session, after: int, limit: int) -> list[str]:
    """At most so many events behind `after`, as JSON; fewer when they are large."""
    frames: list[str] = []
    size = 0
    while len(frames) < limit and size < EVENTS_BYTES:
        page = session.log.read(after, limit - len(frames))
        if not page:
            break
        for event, _ in page:
            frames.append(event.frame)
            size += len(frames[-1])
            after = event.seq
            if size >= EVENTS_BYTES:
                break
    return frames
