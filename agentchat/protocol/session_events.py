"""The events that a session itself writes, and their drafts. See docs/protocol.md.

The classes are made with AG2's `wrap_event`, so that Python programs that use AG2 can read them as AG2's own.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from autogen.events.base_event import BaseEvent, wrap_event
from pydantic import BaseModel

from agentchat.protocol import attachments, events
from agentchat.protocol.attachments import Attachment
from agentchat.protocol.errors import ChatError
from agentchat.protocol.events import Draft, Event

NO_USAGE: Mapping[str, Any] = {"prompt_tokens": 0, "completion_tokens": 0, "cost": None, "agents": {}}
UNKNOWN_USAGE: Mapping[str, Any] = {"prompt_tokens": None, "completion_tokens": None, "cost": None, "agents": {}}

ENTRY_CHARS = 500  # of a message in a list of waiting messages

NO_ANSWER = "The agents ended this turn without an answer."
"""The notice of a turn in which no agent said anything to people."""


@wrap_event
class ConnectionConfirmedEvent(BaseEvent):
    """The first frame on every connection."""

    session_id: str
    agent: str
    title: str
    name: str
    role: str
    last_seq: int
    epoch: str
    status: str
    recovered: bool
    replaced: str | None
    open_requests: list[dict[str, Any]]
    ahead: int | None
    queue: list[dict[str, Any]]
    participants: list[dict[str, Any]]
    held: dict[str, Any] | None
    progress: list[dict[str, Any]]
    heartbeat: float
    model: dict[str, Any]
    server: dict[str, Any]


@wrap_event
class UserMessageEvent(BaseEvent):
    """A person's message. The client chooses `id`, or the server does."""

    id: str
    text: str
    name: str
    user: str
    context: dict[str, Any]
    attachments: list[dict[str, Any]]


@wrap_event
class TurnStartedEvent(BaseEvent):
    """The agents begin to answer the message `message_id`."""

    message_id: str
    agent: str


@wrap_event
class TurnCompletedEvent(BaseEvent):
    """The turn is over: `status` is completed, stopped, failed or interrupted."""

    status: str
    duration_ms: int
    usage: dict[str, Any]
    summary: str
    code_changes: list[dict[str, str]]
    notice: str | None


@wrap_event
class RewindEvent(BaseEvent):
    """The turns in `turns` no longer count, with all their events."""

    to_seq: int
    turns: list[int]
    reason: str


@wrap_event
class SessionRenamedEvent(BaseEvent):
    """The conversation has another title."""

    title: str
    name: str


@wrap_event
class FeedbackEvent(BaseEvent):
    """A person rates the answer at `seq`: 1 is good, -1 bad, 0 withdraws an earlier rating."""

    seq: int
    message_id: str
    score: int
    comment: str
    name: str


def type_and_content(event: BaseModel) -> tuple[str, dict[str, Any]]:
    """Return the type and the content of an instance of one of these classes."""
    data = event.model_dump(mode="json")
    return data["type"], data["content"]


@dataclass(frozen=True)
class UserMessage:
    """A person's message, and the turn that answers it."""

    id: str
    text: str
    name: str
    context: Mapping[str, Any]
    turn: int
    user: str = ""
    """The id under which notes about the person are kept (identity.py)."""
    seq: int = 0
    address: str = ""
    """The network address it came from, which is not kept."""
    attachments: tuple[Attachment, ...] = ()

    @property
    def told(self) -> str:
        """The text as agents get it, which names the attached files."""
        return attachments.told(self.text, self.attachments)

    @property
    def key(self) -> str:
        """The key of its event."""
        return message_key(self.id)

    @property
    def entry(self) -> dict[str, Any]:
        """The message as lists of waiting messages show it, which are sent to everybody at each change."""
        text, cut = (self.text, {}) if len(self.text) <= ENTRY_CHARS else (self.text[:ENTRY_CHARS], {"cut": True})
        files = {"attachments": [each.content for each in self.attachments]} if self.attachments else {}
        return {"id": self.id, "text": text, "name": self.name, "turn": self.turn, "seq": self.seq, **cut, **files}


def message_key(message_id: str) -> str:
    """Return the key that keeps a message from being in the log twice."""
    return f"message:{message_id}"


def user_message(event: Event) -> UserMessage:
    """Return the message of a `user_message` event."""
    content = event.content
    user = content.get("user", "")  # logs of older versions have none
    files = attachments.of_event(content)
    about = (content["name"], content["context"], event.turn, user, event.seq)
    return UserMessage(content["id"], content["text"], *about, attachments=files)


def user_message_draft(message: UserMessage, key: str | None) -> Draft:
    """Draft a message; without a key it replaces one that waits."""
    event = UserMessageEvent(
        id=message.id,
        text=message.text,
        name=message.name,
        user=message.user,
        context=dict(message.context),
        attachments=[each.content for each in message.attachments],
    )
    type, content = type_and_content(event)
    if not message.attachments:
        del content["attachments"]
    return Draft(type, events.encode(content), message.turn, key)


def turn_completed_draft(
    turn: int,
    status: str,
    duration_ms: int = 0,
    usage: Mapping[str, Any] = UNKNOWN_USAGE,
    summary: str = "",
    code_changes: Sequence[Mapping[str, str]] = (),
    notice: str | None = None,
) -> Draft:
    """Draft the end of a turn. `notice` is a sentence for people about it."""
    event = TurnCompletedEvent(
        status=status,
        duration_ms=duration_ms,
        usage=dict(usage),
        summary=summary,
        code_changes=[dict(change) for change in code_changes],
        notice=notice,
    )
    type, content = type_and_content(event)
    if notice is None:
        del content["notice"]
    return Draft(type, events.encode(content), turn)


def error_draft(turn: int, error: ChatError) -> Draft:
    """Draft the error that ended a turn."""
    return Draft("error", events.encode(events.error_content(error)), turn)


def rewind_draft(turns: Sequence[int], to_seq: int, reason: str) -> Draft:
    """Draft a rewind of `turns`, in ascending order."""
    return _draft(RewindEvent(to_seq=to_seq, turns=list(turns), reason=reason), turns[0])


def renamed_draft(title: str, name: str) -> Draft:
    """Draft another title, given by the person `name`."""
    return _draft(SessionRenamedEvent(title=title, name=name), 0)


def feedback_draft(seq: int, message_id: str, score: int, comment: str, name: str) -> Draft:
    """Draft a person's feedback on the answer at `seq`."""
    return _draft(FeedbackEvent(seq=seq, message_id=message_id, score=score, comment=comment, name=name), 0)


def _draft(event: BaseModel, turn: int, key: str | None = None) -> Draft:
    type, content = type_and_content(event)
    return Draft(type, events.encode(content), turn, key)
