"""Events and the envelope they travel in. See docs/protocol.md."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timezone
from typing import Any
from uuid import uuid4

from agentchat.protocol.errors import ChatError

Content = Mapping[str, Any]

HOLDING = {"wanted": "waiting", "taken": "taken", "returned": ""}
"""Hand-offs between agents and people, by their kind: who has the session after them."""


@dataclass(frozen=True)
class Draft:
    """An event on its way into the log. `key`, where given, may stand only once in a session."""

    type: str
    body: str  # the content as JSON text
    turn: int
    key: str | None = None

    @property
    def words(self) -> str | None:
        """What the event can be found by: what people and agents said."""
        if self.type == "user_message":
            return str(json.loads(self.body)["text"])
        if self.type == "text" and '"message_id"' in self.body:  # else a person's words on their way to the agent
            content = json.loads(self.body)["content"]
            return content if isinstance(content, str) else None
        return None

    @property
    def title(self) -> str | None:
        """The session's new title, if this names it."""
        return str(json.loads(self.body)["title"]) if self.type == "session_renamed" else None

    @property
    def held(self) -> str | None:
        """Who has the session from now on: a state of held.py, "" for the agents; None if nothing changes."""
        return HOLDING.get(json.loads(self.body)["kind"]) if self.type == "handoff" else None


@dataclass(frozen=True)
class Event:
    """One entry of a session's log. `body` is the content as JSON text, kept as it was first encoded."""

    seq: int
    ts: str
    turn: int
    type: str
    body: str

    @property
    def content(self) -> Any:
        return json.loads(self.body)

    @property
    def frame(self) -> str:
        return f'{{"seq":{self.seq},"ts":"{self.ts}","turn":{self.turn},"type":"{self.type}","content":{self.body}}}'


def now() -> str:
    """The time as it stands in the log."""
    return time(datetime.now(timezone.utc))


def time(moment: datetime) -> str:
    """As it stands in the log: UTC, milliseconds."""
    return moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")


def clean(text: str) -> str:
    """`text` with lone surrogates replaced: one of them in a history would make every later model call fail."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
    return text


def encode(content: Content) -> str:
    """The content as compact JSON text that is always valid, also as UTF-8."""
    try:
        text = json.dumps(content, ensure_ascii=False, separators=(",", ":"), allow_nan=False)
    except ValueError:  # NaN or Infinity: Python's JSON has them, nobody else's
        text = json.dumps(json.loads(json.dumps(content), parse_constant=str), ensure_ascii=False)
    return clean(text)


def spellings(text: str) -> frozenset[str]:
    """The ways in which `text` may stand in JSON text, and as it is."""
    return frozenset({text, json.dumps(text)[1:-1], json.dumps(text, ensure_ascii=False)[1:-1]})


def live_frame(type: str, content: Content) -> str:
    """A frame that is not in the log."""
    return f'{{"type":"{type}","content":{encode(content)}}}'


def error_content(error: ChatError, **about: str) -> dict[str, Any]:
    """`about` says which message or question is meant."""
    # Not a class: AG2 has an `error` event of its own, with other fields, registered under that name.
    return {
        "uuid": str(uuid4()),
        "code": error.code,
        "message": error.message,
        "retryable": error.row.retryable,
        **about,
    }


def error_frame(error: ChatError, **about: str) -> str:
    """An error for one connection alone."""
    return live_frame("error", error_content(error, **about))
