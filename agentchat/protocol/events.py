"""Events and the envelope they travel in. See docs/protocol.md."""

from __future__ import annotations

import heapq
import itertools
import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime, timezone
from typing import Any, TypeVar
from uuid import uuid4

from agentchat.protocol.errors import ChatError

Content = Mapping[str, Any]
T = TypeVar("T")

HELD_AFTER = {"wanted": "waiting", "taken": "taken", "returned": ""}
"""The state of the handover after a hand-off between agents and people, by its kind; "" if the agents have it."""

_PICTURES = frozenset({"image_url", "input_image", "image"})  # types of parts, as models and MCP servers name them

_ENCODER = json.JSONEncoder(ensure_ascii=False, separators=(",", ":"), allow_nan=False)  # made once, used per token


@dataclass(frozen=True)
class Draft:
    """An event on its way into the log. A `key` can occur only once in a session."""

    type: str
    body: str
    """The content as JSON text."""
    turn: int
    key: str | None = None

    @property
    def searchable(self) -> str | None:
        """The text by which the event can be found: what a person or an agent said."""
        if self.type not in {"user_message", "text"}:
            return None
        content = json.loads(self.body)
        if self.type == "user_message":
            return str(content["text"])
        return text_of(content["content"]) if _is_said(content) else None

    @property
    def title(self) -> str | None:
        """The session's new title, if the event renames it."""
        return str(json.loads(self.body)["title"]) if self.type == "session_renamed" else None

    @property
    def held(self) -> str | None:
        """The state of the handover from now on, "" if the agents have the session; None if nothing changes."""
        return HELD_AFTER.get(json.loads(self.body)["kind"]) if self.type == "handoff" else None

    @property
    def asks(self) -> str | None:
        """The role of those who can answer the question that is open from now on; None if nothing changes."""
        if self.type == "input_request":
            return str(json.loads(self.body).get("by", ""))
        return "" if self.type in {"input_response", "turn_completed"} else None

    @property
    def holder(self) -> str:
        """The id of the user who has the session from now on, if they are known."""
        content = json.loads(self.body)
        return str(content.get("user", "")) if content["kind"] == "taken" else ""


@dataclass(frozen=True)
class Event:
    """One entry of a session's log."""

    seq: int
    ts: str
    turn: int
    type: str
    body: str
    """The content as JSON text, as it was first encoded."""

    @property
    def content(self) -> Any:
        """The content, decoded."""
        return json.loads(self.body)

    @property
    def is_said(self) -> bool:
        """True for a `text` said to people, not one that carries a person's words to the agents."""
        return self.type == "text" and _is_said(self.content)

    @property
    def is_answer(self) -> bool:
        """True for a `text` that answers people: outside nested chats, and not empty unless it says why."""
        return self.type == "text" and is_answer(self.content)

    @property
    def frame(self) -> str:
        """The event in its envelope, as JSON text."""
        return f'{{"seq":{self.seq},"ts":"{self.ts}","turn":{self.turn},"type":"{self.type}","content":{self.body}}}'


def _is_said(text_content: Content) -> bool:
    return "message_id" in text_content


def is_answer(text_content: Content) -> bool:
    """Return True for the content of a `text` that answers people. See Event.is_answer."""
    is_empty = is_blank(text_content.get("content")) and "notice" not in text_content
    return _is_said(text_content) and "within" not in text_content and not is_empty


def text_of(content: Any) -> str:
    """Return the text of a message's content, which may be a list of parts: each is a paragraph."""
    if isinstance(content, list):
        return "\n\n".join(text for part in content if (text := _text_of_part(part)))
    return "" if content is None else str(content)


def pictures_in(content: Any) -> int:
    """Return how many pictures a message's content has among its parts."""
    parts = content if isinstance(content, list) else ()
    return sum(isinstance(part, dict) and part.get("type") in _PICTURES for part in parts)


def is_blank(content: Any) -> bool:
    """Return True for the content of a message that has neither words nor pictures."""
    return not text_of(content).strip() and not pictures_in(content)


def _text_of_part(part: Any) -> str:
    text = part.get("text") if isinstance(part, dict) else part
    return text if isinstance(text, str) else ""


def now() -> str:
    """Return the current time as the log writes it."""
    return time(datetime.now(timezone.utc))


def time(moment: datetime) -> str:
    """Return a time in UTC as the log writes it, with milliseconds."""
    return moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")


def moment(time: str) -> datetime:
    """Return the moment of a time in the log."""
    return datetime.fromisoformat(time.replace("Z", "+00:00"))


def clean(text: str) -> str:
    """Replace lone surrogates in `text`: one of them in a history would make every later model call fail."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
    return text


def encode(content: Content | str) -> str:
    """Return the content as compact JSON text that is always valid, also as UTF-8."""
    try:
        text = _ENCODER.encode(content)
    except ValueError:  # NaN or Infinity: Python's JSON has them, nobody else's
        text = json.dumps(json.loads(json.dumps(content), parse_constant=str), ensure_ascii=False)
    return clean(text)


def spellings(text: str) -> frozenset[str]:
    """Return `text` and all the ways in which JSON text, and JSON text within JSON text, may spell it."""
    found = {text}
    for _ in range(2):
        found |= {json.dumps(spelling, ensure_ascii=is_ascii)[1:-1] for spelling in found for is_ascii in (True, False)}
    return frozenset(found)


def live_frame(type: str, content: Content) -> str:
    """Return a frame that isn't in the log."""
    return f'{{"type":"{type}","content":{encode(content)}}}'


def heartbeat_frame(interval: float) -> str:
    """Return the frame that is sent after `interval` seconds in which there was nothing else to send."""
    return live_frame("heartbeat", {"interval": interval})


def error_content(error: ChatError, **about: str) -> dict[str, Any]:
    """Return the content of an `error` event. `about` names the message or question it is about."""
    # There is no class for it: AG2 has registered one with other fields under the name `error`.
    return {
        "uuid": str(uuid4()),
        "code": error.code,
        "message": error.message,
        "retryable": error.row.retryable,
        **about,
    }


def error_frame(error: ChatError, **about: str) -> str:
    """Return an error as a frame for one connection alone."""
    return live_frame("error", error_content(error, **about))


def in_order(*logs: Iterable[tuple[str, T]]) -> Iterator[T]:
    """Yield what several logs have, each as (time of day, entry), oldest first.

    The entries of one log keep their order, also if that clock was set back between two of them.
    """
    ordered = []
    for log in map(list, logs):
        times = itertools.accumulate((ts for ts, _ in log), max)
        ordered.append([(ts, entry) for ts, (_, entry) in zip(times, log, strict=True)])
    for _, entry in heapq.merge(*ordered, key=lambda each: each[0]):
        yield entry
