"""Taking part in a session over REST: messages, answers to questions, stops, retries, edits, feedback."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from agentchat.access import Access, Need
from agentchat.ag2.catalogue import Catalogue
from agentchat.http import older_names, requests, responses
from agentchat.http.files import PATH_ERRORS
from agentchat.http.routes import Call, Reply
from agentchat.http.session_route import TEXT_ERRORS, SessionResource, session_route
from agentchat.http.turn_events import TurnEvents
from agentchat.protocol import attachments
from agentchat.protocol.errors import ChatError
from agentchat.protocol.events import Event
from agentchat.sessions.registry import Session, Sessions

_NEW_TURN_ERRORS = ("closing", "session_full", "queue_full", "quota_used", "busy")

_ATTACHMENT_ERRORS = (*PATH_ERRORS, "file_too_large", "attachment_changed")


class MessageRoutes(SessionResource):
    def __init__(self, sessions: Sessions, access: Access, catalogue: Catalogue) -> None:
        super().__init__(sessions)
        self._access = access
        self._catalogue = catalogue

    @session_route("POST", "/messages", Need.WRITE, answers={200: responses.Finished, 202: responses.Accepted},
                   errors=(*_NEW_TURN_ERRORS, *TEXT_ERRORS, *_ATTACHMENT_ERRORS))  # fmt: skip
    def post_message(
        self, call: Call, body: requests.NewMessage, query: requests.PostQuery, headers: requests.CommandHeaders
    ) -> Reply:
        """Send a message, and wait for the answer if asked to."""
        session, caller = self._session(call), call.caller
        older_names.check(self._catalogue, session.agent, body.agent_type)
        project = body.project_id
        if project is not None and not self._sessions.is_in_project(session, caller, str(project)):
            raise ChatError("bad_request", problem="its project_id is not the project of this conversation")
        id = headers.idempotency_key or body.id
        attached = attachments.references([each.model_dump() for each in body.attachments])
        message = session.post(
            body.text, caller.name, id, body.context, body.busy, caller.person, caller.address, attached
        )
        if query.wait:
            turn = TurnEvents(session.log, message)
            for _ in call.waiter().watch(session.log, turn.read, query.wait):
                if turn.end is not None:
                    return Reply(200, _finished(session, message, turn, turn.end.content))
                if turn.open_questions:
                    break
        return _accepted(session, message)

    @session_route("POST", "/input", Need.RETURN, answers={200: responses.Answered},
                   errors=("closing", "message_too_long", "request_unknown", "request_closed", "already_answered",
                           "answer_unusable"))  # fmt: skip
    def answer_question(self, call: Call, body: requests.Input, headers: requests.CommandHeaders) -> Reply:
        """Answer a question of an agent."""
        session, id = self._session(call), headers.idempotency_key
        self._access.check_answer(call.caller, session.id, session.questions.answered_by(body.request_id))
        event = session.answer(body.request_id, body.text, call.caller.name, body.arguments, id, call.caller)
        return Reply(200, {"seq": event.seq})

    @session_route("POST", "/stop", Need.WRITE, answers={202: responses.Stopping}, ends_work=True)
    def stop_turn(self, call: Call, body: requests.Stop, headers: requests.CommandHeaders) -> Reply:
        """Stop the running turn, or withdraw a waiting message."""
        return Reply(202, {"turn": self._session(call).stop(body.turn, headers.idempotency_key)})

    @session_route("POST", "/retry", Need.WRITE, answers={202: responses.Accepted},
                   errors=(*_NEW_TURN_ERRORS, "nothing_to_retry", "held"))  # fmt: skip
    def retry_turn(self, call: Call, body: requests.Retry, headers: requests.CommandHeaders) -> Reply:
        """Have the last message answered again."""
        session = self._session(call)
        return _accepted(session, session.retry(headers.idempotency_key))

    @session_route("POST", "/edit", Need.WRITE, answers={202: responses.Accepted},
                   errors=(*_NEW_TURN_ERRORS, *TEXT_ERRORS, "message_unknown", "held"))  # fmt: skip
    def edit_message(self, call: Call, body: requests.Edit, headers: requests.CommandHeaders) -> Reply:
        """Replace the text of a message and have it answered again."""
        session, id = self._session(call), headers.idempotency_key
        return _accepted(session, session.edit(body.seq, body.text, call.caller.name, call.caller.person, id))

    @session_route(
        "POST", "/feedback", Need.WRITE, answers={200: responses.Answered}, errors=("closing", "answer_unknown")
    )
    def give_feedback(self, call: Call, body: requests.Feedback, headers: requests.CommandHeaders) -> Reply:
        """Rate an answer and comment on it."""
        session, id = self._session(call), headers.idempotency_key
        event = session.feedback(body.seq, body.score, body.comment, call.caller.name, id)
        return Reply(200, {"seq": event.seq})

    @session_route("POST", "/typing", Need.WRITE, answers={204: None})
    def show_typing(self, call: Call, body: requests.Typing) -> Reply:
        """Show the other participants that somebody is typing."""
        self._session(call).typing(call.caller.name, body.is_typing)
        return Reply(204)


def _accepted(session: Session, message: Event) -> Reply:
    return Reply(202, _about(session, message, session.turn_status(message.turn)))


def _finished(session: Session, message: Event, turn: TurnEvents, end: Mapping[str, Any]) -> dict[str, Any]:
    errors = [event.content for event in turn.events if event.type == "error"]
    has_failed = errors and end["status"] == "failed"  # else they say what the agents cannot keep
    error = {name: errors[-1][name] for name in ("code", "message", "retryable")} if has_failed else None
    return {
        **_about(session, message, end["status"]),
        "summary": end["summary"],
        "notice": turn.notice,
        "usage": {"agents": {}, **end["usage"]},  # logs of older versions have neither `agents` nor `code_changes`
        "code_changes": end.get("code_changes", []),
        "duration_ms": end["duration_ms"],
        "error": error,
        "events": [json.loads(event.frame) for event in turn.events],
    }


def _about(session: Session, message: Event, status: str) -> dict[str, Any]:
    about = {"seq": message.seq, "id": message.content["id"], "session_id": session.id}
    return {**about, "turn": message.turn, "status": status}
