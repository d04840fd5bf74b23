"""Removes from a history what models refuse: pictures inside text, arguments that are not JSON."""

from __future__ import annotations

import json
import re
from typing import Any

Message = dict[str, Any]

_PICTURE = re.compile(r"data:image/[\w.+-]+;base64,[\w+/=-]*")  # useless as text, and enormously long


def sendable(messages: list[Message]) -> list[Message]:
    """Return the messages as a model can take them. For models only: executors must see calls as they are."""
    return [_with_valid_arguments(message) for message in without_pictures(messages)]


def without_pictures(messages: list[Message]) -> list[Message]:
    """Return the messages without pictures in the words of agents and tools."""
    return [_without_pictures(message) for message in messages]


def is_json_object(text: object) -> bool:
    """Return True if `text` is a JSON object, as the arguments of a tool call should be."""
    try:
        return isinstance(text, str) and isinstance(json.loads(text), dict)
    except (ValueError, RecursionError):
        return False


def _without_pictures(message: Message) -> Message:
    content = message.get("content")
    if isinstance(content, (str, list)):
        message = {**message, "content": _plain_content(content, message.get("role"))}
    if responses := message.get("tool_responses"):
        message = {
            **message,
            "tool_responses": [{**r, "content": _plain_content(r.get("content"), "tool")} for r in responses],
        }
    return message


def _plain_content(content: Any, role: object) -> Any:
    """Pictures from people or other agents stay where models can see them: as parts of a user's message."""
    if isinstance(content, list) and role != "user":
        content = "\n\n".join(str(part.get("text") or "[picture]") for part in content if isinstance(part, dict))
    if isinstance(content, str) and "data:image/" in content:
        return _PICTURE.sub("picture", content)
    return content


def _with_valid_arguments(message: Message) -> Message:
    calls = message.get("tool_calls")
    return {**message, "tool_calls": [_valid_call(call) for call in calls]} if calls else message


def _valid_call(call: Any) -> Any:
    function = call.get("function") or {}
    return call if is_json_object(function.get("arguments")) else {**call, "function": {**function, "arguments": "{}"}}
