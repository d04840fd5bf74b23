"""The dialect of /api/v1/chat: a message in, an answer out, and a turn told as interactions of agents."""

from __future__ import annotations

import json
from collections.abc import Generator, Iterator
from typing import Any

from agentchat.access import Access, Need
from agentchat.ag2.catalogue import Catalogue
from agentchat.http import older_names, requests, responses, streaming
from agentchat.http.routes import EVENT_STREAM, Call, Reply, Stream, route
from agentchat.http.session_route import TEXT_ERRORS
from agentchat.http.transcript import arguments_of
from agentchat.http.turn_events import TurnEvents
from agentchat.http.waiting import Waiter
from agentchat.protocol.errors import ERRORS, ChatError
from agentchat.protocol.events import Event, is_blank, text_of
from agentchat.sessions.projects import folder_of
from agentchat.sessions.registry import Session, Sessions

CHAT = "/api/v1/chat/{project_id}"
NEW = "new"  # no project, but a new session each time

_POST_ERRORS = (
    "agent_unknown",
    "too_many_sessions",
    "closing",
    "busy",
    "session_full",
    "queue_full",
    "quota_used",
    "session_deleted",
    *TEXT_ERRORS,
)
_TURN_ERRORS = (
    "input_needed", "turn_stopped", "turn_interrupted", "agent_unavailable", "agent_failed", "agent_asked",
    "input_timeout", "turn_timeout", "not_resumed", "handoff_circle", "model_auth", "model_rate_limited", "model_quota",
    "model_unreachable", "model_proxy", "model_network", "model_timeout", "model_rejected", "model_too_long",
    "model_failed", "model_malformed", "model_too_much", "model_calls",
)  # fmt: skip
_TYPES = {"text", "tool_call", "tool_response", "input_request", "input_response", "error", "turn_completed"}

SYSTEM = "System"  # says what tools have returned

Item = tuple[str, dict[str, Any]]  # type and data


class V1ChatRoutes:
    def __init__(self, sessions: Sessions, catalogue: Catalogue, access: Access) -> None:
        self._sessions = sessions
        self._catalogue = catalogue
        self._access = access

    @route(
        "POST", CHAT, Need.KNOWN, answers={200: responses.Complete}, errors=(*_POST_ERRORS, *_TURN_ERRORS), waits=True
    )
    def chat(self, call: Call, body: requests.Chat, headers: requests.CommandHeaders) -> Reply:
        """Send a message and wait for the answer."""
        session, replaced, message = self._post(call, body, headers.idempotency_key)
        interactions = _Interactions(session, message)
        for items in call.waiter().watch(session.log, interactions.read):
            type, data = items[-1] if items else ("", {})
            if type == "complete":
                return Reply(200, data | replaced)
            if interactions.error is not None:
                return Reply(ERRORS[interactions.error["code"]].status, {"error": interactions.error})
            if questions := interactions.turn.open_questions:
                raise ChatError("input_needed", prompt=questions[0].content["prompt"])
        raise ChatError("closing")

    @route(
        "POST",
        f"{CHAT}/stream",
        Need.KNOWN,
        answers={200: responses.Complete},
        errors=_POST_ERRORS,
        types=(EVENT_STREAM,),
    )
    def stream_chat(self, call: Call, body: requests.Chat, headers: requests.CommandHeaders) -> Stream:
        """Send a message and follow what the agents do."""
        session, replaced, message = self._post(call, body, headers.idempotency_key)
        start = {"session_id": session.id, "user_message_id": message.content["id"], **replaced}
        return streaming.event_stream(_stream(start, _Interactions(session, message), call.waiter(), session))

    def _post(self, call: Call, body: requests.Chat, key: str | None) -> tuple[Session, dict[str, str], Event]:
        """Post the message. An unknown session is replaced by a new one, whose answers say so with `replaced`."""
        caller = call.caller
        session, replaced = self._session(call, body, key)
        call.stack.callback(self._sessions.release, session)
        self._access.check(caller, Need.WRITE, session.id)
        call.hold(Need.WRITE, session.id)
        return (
            session,
            replaced,
            session.post(body.message, caller.name, key, body.context, user=caller.person, address=caller.address),
        )

    def _session(self, call: Call, body: requests.Chat, key: str | None) -> tuple[Session, dict[str, str]]:
        """Return the session that a request names, or else that of the project in its path, which may be new."""
        project, caller = call.path["project_id"], call.caller
        id = body.session_id or project
        session = self._sessions.open(id) if self._access.roles(caller, id) else None
        if session is not None:
            return session, {}
        folder, called = folder_of(caller.user, project), body.session_id or ""

        def create() -> Session:
            agent = older_names.chosen(self._catalogue, body.agent, body.agent_type)
            return self._sessions.create(agent, "", key, call.creator, caller, folder, called)

        if id == NEW:
            folder = ""
            return create(), {"replaced": id}
        session, is_new = self._sessions.in_project(folder, called, create)
        return session, {"replaced": id} if is_new else {}


class _Interactions:
    """A turn as items of the dialect. A text is held back until it is known whether it is the last one."""

    def __init__(self, session: Session, message: Event) -> None:
        self.turn = TurnEvents(session.log, message)
        self.error: dict[str, str] | None = None
        """Code and message, once the turn has failed."""
        self._session = session
        self._failure: dict[str, str] | None = None  # the newest `error` event; the turn goes on
        self._pending: Event | None = None  # a text
        self._functions: dict[str, dict[str, Any]] = {}  # by call id

    def read(self) -> list[Item]:
        """Return the items since the last call. The last one of a turn is `complete` or `error`."""
        items = [item for event in self.turn.read() if event.type in _TYPES for item in self._items(event)]
        return items + ([("error", {"message": self.error["message"]})] if self.error else [])

    def _items(self, event: Event) -> Iterator[Item]:
        content = event.content
        if event.type == "text" and (not event.is_said or is_blank(content["content"])):
            return
        if event.type == "turn_completed" and content["status"] == "completed":
            yield self._complete(event)
            return
        if event.type == "error":
            self._failure = {"code": content["code"], "message": content["message"]}
            return
        if self._pending is not None:
            thought, self._pending = self._pending, None
            yield _interaction(thought, "thought", thought.content["content"])
        if event.is_answer:
            self._pending = event
        elif event.type == "text":
            yield _interaction(event, "thought", content["content"])
        elif event.type == "tool_call":
            if not is_blank(content["content"]):
                yield _interaction(event, "thought", content["content"])
            for call in content["tool_calls"]:
                function = self._functions[call["id"]] = call["function"]
                yield _interaction(event, "tool_call", f"Calling: {function['name']}", function)
        elif event.type == "tool_response":
            for response in content["tool_responses"]:
                function = self._functions.get(response.get("tool_call_id"), {})
                yield _interaction(event, "tool_response", response["content"], function, SYSTEM)
        elif event.type == "input_request":
            yield "input_request", content
        elif event.type == "turn_completed":
            stopped = ChatError("turn_stopped" if content["status"] == "stopped" else "turn_interrupted")
            failure = self._failure if content["status"] == "failed" else None
            self.error = failure or {"code": stopped.code, "message": stopped.message}

    def _complete(self, end: Event) -> Item:
        last = self._pending
        message = {
            "id": last.content["message_id"] if last else end.content["uuid"],
            "session_id": self._session.id,
            "role": "assistant",
            "content": text_of(last.content["content"]) if last else end.content["summary"],
            "agent_name": last.content["sender"] if last else self._session.agent,
            "created_at": (last or end).ts,
            **({"notice": self.turn.notice} if self.turn.notice else {}),
        }
        changes = end.content.get("code_changes", [])
        return "complete", {"session_id": self._session.id, "message": message, "code_changes": changes}


def _interaction(
    event: Event, type: str, content: Any, function: dict[str, Any] | None = None, sender: str | None = None
) -> Item:
    return "agent_interaction", {
        "agent_name": sender or event.content["sender"],
        "message_type": type,
        "content": text_of(content),
        "tool_name": function.get("name") if function else None,
        "tool_arguments": arguments_of(function.get("arguments")) if function else None,
        "timestamp": event.ts,
    }


def _stream(
    start: dict[str, Any], interactions: _Interactions, waiter: Waiter, session: Session
) -> Generator[str, None, None]:
    yield _message("start", start)
    try:
        for items in waiter.watch(session.log, interactions.read):
            yield "".join(_message(*item) for item in items or ()) or _silence(waiter.heartbeat)
            if items and items[-1][0] in {"complete", "error"}:
                return
        error = ChatError("closing")
    except ChatError as failed:
        error = failed
    yield _message("error", {"message": error.message})


def _message(type: str, data: dict[str, Any]) -> str:
    return streaming.message(_encode(type, data))


def _silence(interval: float) -> str:
    return streaming.silence(interval, _encode("heartbeat", {"interval": interval}))


def _encode(type: str, data: dict[str, Any]) -> str:
    return json.dumps({"type": type, "data": data}, ensure_ascii=False)
