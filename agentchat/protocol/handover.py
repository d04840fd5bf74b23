"""Conversations that a human has taken over or is asked to: the agents are silent until it is handed back."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import asdict, dataclass
from typing import Any
from uuid import uuid4

from agentchat.protocol.events import HELD_AFTER, Draft, Event, clean, encode

HUMAN = "human"
"""The name in hand-offs of a human who isn't there yet, and the `agent` of a turn that no agent answers."""

TAKEN = "taken"


@dataclass(frozen=True)
class Handover:
    """The state of a conversation that the agents don't have."""

    state: str
    """`waiting` for a human, or `taken` by one."""
    operator: str
    reason: str
    since: str
    user: str = ""
    """The id of the operator, if they are known; names may change, or be those of two."""

    @property
    def content(self) -> dict[str, Any]:
        """The handover as clients see it."""
        return {name: value for name, value in asdict(self).items() if name != "user"}


def follow(held: Handover | None, event: Event) -> Handover | None:
    """Return the handover in force after `event`, where `held` was before."""
    content = event.content if event.type == "handoff" else {}
    state = HELD_AFTER.get(content.get("kind", ""))
    if state is None:
        return held
    if not state:
        return None
    reason = content["reason"] or (held.reason if held else "")
    operator, user = (content["to"], content.get("user", "")) if state == TAKEN else ("", "")
    return Handover(state, operator, reason, held.since if held else event.ts, user)


def state(events: Iterable[Event]) -> Handover | None:
    """Return the handover in force after all the hand-offs of a session."""
    held = None
    for event in events:
        held = follow(held, event)
    return held


def handoff_draft(kind: str, giver: str, taker: str, reason: str, turn: int, user: str = "") -> Draft:
    """Return the event of a hand-off between people and agents. `user` is the id of the person who does it."""
    content = {"uuid": str(uuid4()), "from": clean(giver), "to": clean(taker), "reason": clean(reason), "kind": kind}
    return Draft("handoff", encode(content | ({"user": user} if user else {})), turn)


def reply_draft(text: str, operator: str, recipient: str, id: str, turn: int) -> Draft:
    """Return the event of what an operator says in the agents' place."""
    content = {
        "uuid": str(uuid4()),
        "content": clean(text),
        "sender": clean(operator),
        "recipient": clean(recipient),
        "message_id": id,
        "operator": True,
    }
    return Draft("text", encode(content), turn, reply_key(id))


def reply_key(id: str) -> str:
    """Return the key that keeps a reply from being in the log twice."""
    return f"reply:{id}"
