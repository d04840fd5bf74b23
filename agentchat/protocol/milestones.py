"""What a session itself writes into its log: messages, the ends of turns, what no longer counts."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from pydantic import BaseModel

from agentchat.protocol import events
from agentchat.protocol.errors import ChatError
from agentchat.protocol.events import Draft, Event

NO_USAGE: Mapping[str, Any] = {"prompt_tokens": 0, "completion_tokens": 0, "cost": None, "agents": {}}


@dataclass(frozen=True)
class Message:
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


def asked(message: Message, key: str | None) -> Draft:
    """A message is accepted; without a key it replaces one that waits."""
    event = events.UserMessageEvent(
        id=message.id, text=message.text, name=message.name, user=message.user, context=dict(message.context)
    )
    return _draft(event, message.turn, key)


def message(event: Event) -> Message:
    """The message that `asked` wrote."""
    content = event.content
    user = content.get("user", "")  # logs of older versions have none
    return Message(content["id"], content["text"], content["name"], content["context"], event.turn, user, event.seq)


def completed(
    turn: int,
    status: str,
    duration_ms: int = 0,
    usage: Mapping[str, Any] = NO_USAGE,
    summary: str = "",
    code_changes: Sequence[Mapping[str, str]] = (),
) -> Draft:
    """A turn is over."""
    event = events.TurnCompletedEvent(
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
    return _draft(events.RewindEvent(to_seq=to_seq, turns=list(turns), reason=reason), turns[0])


def renamed(title: str, name: str) -> Draft:
    """Another title; it belongs to no turn."""
    return _draft(events.SessionRenamedEvent(title=title, name=name), 0)


def _draft(event: BaseModel, turn: int, key: str | None = None) -> Draft:
    type, content = events.own(event)
    return Draft(type, events.encode(content), turn, key)
