"""What models take of a history: no pictures in their own words, no arguments that are no JSON."""

from __future__ import annotations

import json
import re
from typing import Any

Message = dict[str, Any]

_PICTURE = re.compile(r"data:image/[\w.+-]+;base64,[\w+/=-]*")  # as text it is of no use, and of enormous length


def sendable(messages: list[Message]) -> list[Message]:
    """The messages without what models refuse. Only for models: whoever carries out a call must see what it says."""
    return [_with_arguments(message) for message in without_pictures(messages)]


def without_pictures(messages: list[Message]) -> list[Message]:
    """The messages without pictures in the words of agents and tools."""
    return [_seen(message) for message in messages]


def _seen(message: Message) -> Message:
    content = message.get("content")
    if isinstance(content, (str, list)):
        message = {**message, "content": _without_pictures(content, message.get("role"))}
    if responses := message.get("tool_responses"):
        message = {
            **message,
            "tool_responses": [{**r, "content": _without_pictures(r.get("content"), "tool")} for r in responses],
        }
    return message


def _with_arguments(message: Message) -> Message:
    calls = message.get("tool_calls")
    return {**message, "tool_calls": [_call(call) for call in calls]} if calls else message


def _without_pictures(content: Any, role: object) -> Any:
    """Those that people or other agents show stay where models can see them: as parts of a user's message."""
    if isinstance(content, list) and role != "user":
        content = "\n\n".join(str(part.get("text") or "[picture]") for part in content if isinstance(part, dict))
    if isinstance(content, str) and "data:image/" in content:
        return _PICTURE.sub("picture", content)
    return content


def _call(call: Any) -> Any:
    function = call.get("function") or {}
    return call if is_object(function.get("arguments")) else {**call, "function": {**function, "arguments": "{}"}}


def is_object(arguments: object) -> bool:
    """These are the arguments of a tool call, as JSON text."""
    try:
        return isinstance(arguments, str) and isinstance(json.loads(arguments), dict)
    except (ValueError, RecursionError):
        return False
