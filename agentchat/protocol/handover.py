"""Conversations that a human has, or is asked to take: the agents are silent until they are handed back."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import asdict, dataclass
from typing import Any
from uuid import uuid4

from agentchat.protocol.events import HOLDING, Draft, Event, clean, encode

HUMAN = "human"
"""What a handoff calls a human who is not there yet, and who answers a turn that no agent does."""

TAKEN = "taken"


@dataclass(frozen=True)
class Handover:
    """Who has a conversation that the agents have not."""

    state: str
    operator: str
    reason: str
    since: str

    @property
    def content(self) -> dict[str, Any]:
        return asdict(self)


def follow(held: Handover | None, event: Event) -> Handover | None:
    """How it stands after that event."""
    content = event.content if event.type == "handoff" else {}
    state = HOLDING.get(content.get("kind", ""))
    if state is None:
        return held
    if not state:
        return None
    reason = content["reason"] or (held.reason if held else "")
    return Handover(state, content["to"] if state == TAKEN else "", reason, held.since if held else event.ts)


def state(events: Iterable[Event]) -> Handover | None:
    """How it stands after all the hand-offs of a session."""
    held = None
    for event in events:
        held = follow(held, event)
    return held


def handoff(kind: str, giver: str, taker: str, reason: str, turn: int) -> Draft:
    """A hand-off between people and agents."""
    content = {"uuid": str(uuid4()), "from": clean(giver), "to": clean(taker), "reason": clean(reason), "kind": kind}
    return Draft("handoff", encode(content), turn)


def words(text: str, operator: str, recipient: str, id: str, turn: int) -> Draft:
    """What an operator says in the agents' place."""
    content = {
        "uuid": str(uuid4()),
        "content": clean(text),
        "sender": clean(operator),
        "recipient": clean(recipient),
        "message_id": id,
        "operator": True,
    }
    return Draft("text", encode(content), turn, f"reply:{id}")
