"""One request, one answer: the dialect of /api/v1/chat, for clients that know turns only as interactions of agents."""

from __future__ import annotations

import json
import time
from collections.abc import Generator, Iterator, Sequence
from typing import Any

from agentchat.http import following, requests, responses, sse, waiting
from agentchat.http.reading import arguments_of, is_said, text_of
from agentchat.http.routes import EVENT_STREAM, Call, Reply, Route, Stream
from agentchat.http.sessions import LOST, TEXTS, Rest
from agentchat.protocol.errors import ERRORS, ChatError
from agentchat.protocol.events import Event
from agentchat.sessions.registry import Session, Sessions

PATH = "/api/v1/chat/{session_id}"
TURN_ERRORS = (
    "input_needed", "turn_stopped", "turn_interrupted", "agent_unavailable", "agent_failed", "agent_asked",
    "input_timeout", "not_resumed", "model_auth", "model_rate_limited", "model_unreachable", "model_timeout",
    "model_rejected", "model_failed", "model_malformed", "model_calls",
)  # fmt: skip

TOLD = {"text", "tool_call", "tool_response", "input_request", "input_response", "error", "turn_completed"}

Item = tuple[str, dict[str, Any]]  # type and data


class Interactions:
    """The handlers."""

    def __init__(self, sessions: Sessions, rest: Rest) -> None:
        self._sessions = sessions
        self._rest = rest

    def chat(self, call: Call) -> Reply:
        session, replaced, message = self._post(call)
        told = _Telling(session, message)
        for news in following.follow(session, message, call.watch()):
            for type, data in told.items(news):
                if type == "complete":
                    return Reply(200, data | ({"replaced": replaced} if replaced else {}))
            if told.error is not None:
                return Reply(ERRORS[told.error["code"]].status, {"error": told.error})
            if following.asks(told.events):
                raise ChatError("input_needed", prompt=following.asks(told.events)[0].content["prompt"])
        raise ChatError("closing")

    def stream(self, call: Call) -> Stream:
        session, replaced, message = self._post(call)
        start = {"session_id": session.id, "user_message_id": message.content["id"]}
        if replaced:
            start["replaced"] = replaced
        return sse.stream(_stream(session, message, start, call))

    def _post(self, call: Call) -> tuple[Session, str | None, Event]:
        """The session, the id that it stands for if that is another one, and the message's event."""
        body: requests.Chat = call.body
        session = self._sessions.open(call.path["session_id"])
        replaced = None
        if session is None:
            replaced = call.path["session_id"]
            session = self._rest.enter(call, body.agent)
        else:
            call.stack.callback(self._sessions.leave, session)
        return session, replaced, session.post(body.message, "user", context=body.context)

    def routes(self) -> list[Route]:
        """What there is to ask for."""
        errors = ("agent_unknown", "closing", "busy", "session_full", *LOST[1:], *TEXTS)
        return [
            Route("POST", PATH, "chat", "Say something and wait for the answer", self.chat, {200: responses.Complete},
                  (*errors, *TURN_ERRORS), body=requests.Chat),
            Route("POST", f"{PATH}/stream", "streamChat", "Say something and see what the agents do", self.stream,
                  {200: responses.Complete}, errors, body=requests.Chat, types=(EVENT_STREAM,)),
        ]  # fmt: skip


class _Telling:
    """A turn's events as items of the dialect. A text is held back until it is known whether it is the last one."""

    def __init__(self, session: Session, message: Event) -> None:
        self.events: list[Event] = []  # questions and answers
        self.error: dict[str, str] | None = None
        """Code and message, once the turn has failed."""
        self._session = session
        self._message = message
        self._held: Event | None = None
        self._calls: dict[str, dict[str, Any]] = {}  # functions by call id

    def items(self, events: Sequence[Event]) -> Iterator[Item]:
        """What the news mean."""
        for event in events:
            if event.type not in TOLD or (event.type == "text" and not is_said(event)):
                continue
            is_end = event.type == "turn_completed" and event.content["status"] == "completed"
            if self._held is not None and not is_end:
                held, self._held = self._held, None
                yield _interaction(held, held.content["sender"], "thought", text_of(held.content["content"]))
            yield from self._items(event)

    def _items(self, event: Event) -> Iterator[Item]:
        content = event.content
        if event.type == "text":
            self._held = event
        elif event.type == "tool_call":
            for call in content["tool_calls"]:
                self._calls[call["id"]] = function = call["function"]
                yield _interaction(event, content["sender"], "tool_call", text_of(content["content"]), function)
        elif event.type == "tool_response":
            for response in content["tool_responses"]:
                function = self._calls.get(response.get("tool_call_id"), {})
                yield _interaction(event, content["sender"], "tool_response", text_of(response["content"]), function)
        elif event.type in {"input_request", "input_response"}:
            self.events.append(event)
            if event.type == "input_request":
                yield "input_request", content
        elif event.type == "error":
            self.error = {"code": content["code"], "message": content["message"]}
        elif event.type == "turn_completed":
            yield from self._end(event)

    def _end(self, event: Event) -> Iterator[Item]:
        status = event.content["status"]
        if status != "completed":
            stopped = ChatError("turn_stopped" if status == "stopped" else "turn_interrupted")
            self.error = self.error or {"code": stopped.code, "message": stopped.message}
            return
        last = self._held
        message = {
            "id": last.content["message_id"] if last else event.content["uuid"],
            "session_id": self._session.id,
            "role": "assistant",
            "content": text_of(last.content["content"]) if last else event.content["summary"],
            "agent_name": last.content["sender"] if last else self._session.agent,
            "created_at": (last or event).ts,
        }
        changes = event.content.get("code_changes", [])
        yield "complete", {"session_id": self._session.id, "message": message, "code_changes": changes}


def _stream(session: Session, message: Event, start: dict[str, Any], call: Call) -> Generator[str, None, None]:
    yield _line("start", start)
    told, said = _Telling(session, message), time.monotonic()
    try:
        for news in following.follow(session, message, call.watch()):
            lines = [_line(type, data) for type, data in told.items(news)]
            if told.error is not None:
                yield "".join(lines) + _line("error", {"message": told.error["message"]})
                return
            if lines or time.monotonic() - said >= waiting.HEARTBEAT:
                yield "".join(lines) or sse.SILENCE
                said = time.monotonic()
            if following.has_ended(news):
                return
        error = ChatError("closing")
    except ChatError as lost:
        error = lost
    yield _line("error", {"message": error.message})


def _line(type: str, data: dict[str, Any]) -> str:
    return sse.message(json.dumps({"type": type, "data": data}, ensure_ascii=False))


def _interaction(event: Event, agent: str, type: str, text: str, function: dict[str, Any] | None = None) -> Item:
    return "agent_interaction", {
        "agent_name": agent,
        "message_type": type,
        "content": text,
        "tool_name": function.get("name") if function else None,
        "tool_arguments": arguments_of(function.get("arguments")) if function else None,
        "timestamp": event.ts,
    }
