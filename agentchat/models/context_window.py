"""Keeps what is sent to a model inside its context window, with AG2's own message transforms."""

from __future__ import annotations

from typing import Any

from autogen.agentchat.contrib.capabilities.transforms import MessageHistoryLimiter

from agentchat.models.normalize import BYTES_PER_TOKEN  # AG2's own counter downloads its tables

Message = dict[str, Any]

CUT = "\n\n[… left out: this message is too long …]"


def trim(messages: list[Message], tokens: int) -> list[Message]:
    """Return the messages if they have at most about `tokens`, else the first and as many of the newest as fit.

    A message longer than a quarter of that is cut. A tool's result stays with its call.
    """
    room = tokens * BYTES_PER_TOKEN
    if sum(map(_size, messages)) <= room:
        return messages
    messages = [_cut(message, room // 4) for message in messages]
    used, count = _size(messages[0]), 1
    for message in reversed(messages[1:]):
        used += _size(message)
        if used > room and count > 2:
            break
        count += 1
    limiter = MessageHistoryLimiter(max_messages=count, keep_first_message=True)
    return list(limiter.apply_transform(messages))


def _size(message: Message) -> int:
    """Return the bytes of a message's text and tool calls."""
    return len(str(message.get("content") or "").encode("utf-8", "replace")) + len(str(message.get("tool_calls") or ""))


def _cut(message: Message, limit: int) -> Message:
    content = message.get("content")
    if not isinstance(content, str) or len(content.encode("utf-8", "replace")) <= limit:
        return message
    cut = {**message, "content": _beginning(content, limit)}
    if responses := message.get("tool_responses"):
        share = limit // len(responses)
        cut["tool_responses"] = [{**r, "content": _beginning(str(r["content"]), share)} for r in responses]
    return cut


def _beginning(text: str, limit: int) -> str:
    data = text.encode("utf-8", "replace")
    return text if len(data) <= limit else data[:limit].decode("utf-8", "ignore") + CUT
