"""The events that a session itself writes: messages, the ends of turns, rewinds. See docs/protocol.md.

They are made with AG2's `wrap_event`, so that Python programs which use AG2 get classes for them.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from autogen.events.base_event import BaseEvent, wrap_event
from pydantic import BaseModel

from agentchat.protocol import events
from agentchat.protocol.errors import ChatError
from agentchat.protocol.events import Draft, Event

NO_USAGE: Mapping[str, Any] = {"prompt_tokens": 0, "completion_tokens": 0, "cost": None, "agents": {}}


@wrap_event
class ConnectionConfirmedEvent(BaseEvent):
    """The first frame on every connection."""

    session_id: str
    agent: str
    title: str
    name: str
    role: str
    last_seq: int
    status: str
    recovered: bool
    replaced: str | None
    open_requests: list[dict[str, Any]]
    queue: list[dict[str, Any]]
    participants: list[dict[str, Any]]
    held: dict[str, Any] | None
    progress: list[dict[str, Any]]
    model: dict[str, Any]
    server: dict[str, Any]


@wrap_event
class UserMessageEvent(BaseEvent):
    """What a person wrote; `id` is the client's own, or made for it."""

    id: str
    text: str
    name: str
    user: str
    context: dict[str, Any]


@wrap_event
class TurnStartedEvent(BaseEvent):
    """The agents begin to answer the message with that id."""

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


@wrap_event
class RewindEvent(BaseEvent):
    """These turns no longer count, wherever their events stand."""

    to_seq: int
    turns: list[int]
    reason: str


@wrap_event
class SessionRenamedEvent(BaseEvent):
    """The conversation has another title."""

    title: str
    name: str


def own(event: BaseModel) -> tuple[str, dict[str, Any]]:
    """Type and content of one of the classes below."""
    data = event.model_dump(mode="json")
    return data["type"], data["content"]


@dataclass(frozen=True)
class UserMessage:
    """A person's message, and the turn that is to answer it."""

    id: str
    text: str
    name: str
    context: Mapping[str, Any]
    turn: int
    user: str = ""
    """Whose memory the agents may use: see identity.py."""
    seq: int = 0

    @property
    def key(self) -> str:
        return key(self.id)

    @property
    def entry(self) -> dict[str, Any]:
        """As lists of waiting messages show it."""
        return {"id": self.id, "text": self.text, "name": self.name, "turn": self.turn, "seq": self.seq}


def key(message_id: str) -> str:
    """What may stand only once in a log."""
    return f"message:{message_id}"


def asked(message: UserMessage, key: str | None) -> Draft:
    """A message is accepted; without a key it replaces one that waits."""
    event = UserMessageEvent(
        id=message.id, text=message.text, name=message.name, user=message.user, context=dict(message.context)
    )
    return _draft(event, message.turn, key)


def message(event: Event) -> UserMessage:
    """The message that `asked` wrote."""
    content = event.content
    user = content.get("user", "")  # logs of older versions have none
    return UserMessage(content["id"], content["text"], content["name"], content["context"], event.turn, user, event.seq)


def completed(
    turn: int,
    status: str,
    duration_ms: int = 0,
    usage: Mapping[str, Any] = NO_USAGE,
    summary: str = "",
    code_changes: Sequence[Mapping[str, str]] = (),
) -> Draft:
    """A turn is over."""
    event = TurnCompletedEvent(
        status=status,
        duration_ms=duration_ms,
        usage=dict(usage),
        summary=summary,
        code_changes=[dict(change) for change in code_changes],
    )
    return _draft(event, turn)


def failed(turn: int, error: ChatError) -> Draft:
    """What went wrong in a turn."""
    return Draft("error", events.encode(events.error_content(error)), turn)


def rewind(turns: Sequence[int], to_seq: int, reason: str) -> Draft:
    """These turns no longer count."""
    return _draft(RewindEvent(to_seq=to_seq, turns=list(turns), reason=reason), turns[0])


def renamed(title: str, name: str) -> Draft:
    """Another title; it belongs to no turn."""
    return _draft(SessionRenamedEvent(title=title, name=name), 0)


def _draft(event: BaseModel, turn: int, key: str | None = None) -> Draft:
    type, content = own(event)
    return Draft(type, events.encode(content), turn, key)
