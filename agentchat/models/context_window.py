"""Keeps what is sent to a model inside its context window, with AG2's own message transforms."""

from __future__ import annotations

import contextvars
from collections.abc import Sequence
from typing import Any

from autogen.agentchat.contrib.capabilities.transforms import MessageHistoryLimiter

from agentchat.models import vision
from agentchat.models.normalize import BYTES_PER_TOKEN  # AG2's own counter downloads its tables
from agentchat.models.window_sizes import Size
from agentchat.protocol import attachments
from agentchat.settings import Settings

Message = dict[str, Any]

CUT = "\n\n[… left out: this message is too long …]"
AROUND = 4 * BYTES_PER_TOKEN  # bytes
IMAGE = 1_000 * BYTES_PER_TOKEN  # bytes; between a small one and what OpenAI counts at most
MIN_ROOM = 200  # tokens that are always left for messages

# The tokens of a conversation that a model may see in this turn; 0 if the person has not set them.
setting: contextvars.ContextVar[int] = contextvars.ContextVar("context_tokens", default=0)


def fit(messages: list[Message], tools: Sequence[Any] = (), window: Size | None = None) -> list[Message]:
    """Return the messages that a model is sent: as many as the setting and its window allow, and the system message.

    An eighth of the window is left for the answer.
    """
    count = 1 if messages and messages[0].get("role") == "system" else 0
    system, messages = messages[:count], messages[count:]
    room = setting.get() or (window.tokens if window else 0) or int(Settings.context_tokens)
    if window and (tokens := window.tokens or window.limit):
        others = (sum(map(_size, system)) + (len(str(tools)) if tools else 0)) // BYTES_PER_TOKEN
        room = min(room, max(tokens * 7 // 8 - others, MIN_ROOM))
    return [*system, *trim(messages, room)]


def trim(messages: list[Message], tokens: int) -> list[Message]:
    """Return the messages if they have at most about `tokens`, else the first and as many of the newest as fit.

    A message longer than a quarter of that is cut. A tool's result stays with its call.
    """
    room = tokens * BYTES_PER_TOKEN
    if sum(map(_size, messages)) <= room:
        return messages
    messages = [_cut(message, room // 4) for message in messages]
    used, start = _size(messages[0]), len(messages)
    while start > 1:
        used += _size(messages[start - 1])
        if used > room and start < len(messages) - 1:
            break
        start -= 1
    limiter = MessageHistoryLimiter(max_messages=1 + len(messages) - _whole(messages, start), keep_first_message=True)
    return list(limiter.apply_transform(messages))


def _whole(messages: list[Message], start: int) -> int:
    """Return where to cut so that no tool's result is left without its call: behind it, or before the newest call."""
    calls = [place for place, message in enumerate(messages) if message.get("role") != "tool"]
    return next((place for place in calls if place >= start), calls[-1])


def _size(message: Message) -> int:
    """Return the bytes of a message's text and tool calls, and of what a model's template puts around them.

    An image counts by its tokens, which have nothing to do with its bytes.
    """
    content = message.get("content")
    parts = content if isinstance(content, list) else [content]
    texts = sum(len(_text_of(part).encode("utf-8", "replace")) for part in parts if not vision.is_image(part))
    return AROUND + texts + vision.images_in(content) * IMAGE + len(str(message.get("tool_calls") or ""))


def _text_of(part: Any) -> str:
    return str((part.get("text") if isinstance(part, dict) and "text" in part else part) or "")


def _cut(message: Message, limit: int) -> Message:
    content = message.get("content")
    if isinstance(content, list):
        texts = [_text_of(part) for part in content if not vision.is_image(part)]
        share = limit // max(len(texts), 1)
        return {**message, "content": [_cut_part(part, share) for part in content]}
    if not isinstance(content, str) or len(content.encode("utf-8", "replace")) <= limit:
        return message
    words, files = attachments.parted(content)
    cut = {**message, "content": "\n\n".join(filter(None, (_beginning(words.rstrip("\n"), limit), files)))}
    if responses := message.get("tool_responses"):
        share = limit // len(responses)
        cut["tool_responses"] = [{**r, "content": _beginning(str(r["content"]), share)} for r in responses]
    return cut


def _cut_part(part: Any, limit: int) -> Any:
    is_text = isinstance(part, dict) and isinstance(part.get("text"), str)
    return {**part, "text": _beginning(part["text"], limit)} if is_text else part


def _beginning(text: str, limit: int) -> str:
    data = text.encode("utf-8", "replace")
    return text if len(data) <= limit else data[:limit].decode("utf-8", "ignore") + CUT
