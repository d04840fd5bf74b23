"""Prepares a history for a model: without what models refuse, and with what this one wants back."""

from __future__ import annotations

import re
from collections.abc import Collection
from typing import Any

from agentchat.models.normalize import KEPT, is_json_object

Message = dict[str, Any]

CONTINUE = "Continue."  # instead of an empty message at the end of a history, which asks for another answer
NO_OUTPUT = "(no output)"  # instead of a tool's empty result

_PICTURE = re.compile(r"data:image/[\w.+-]+;base64,[\w+/=-]*")  # useless as text, and enormously long


def sendable(messages: list[Message], origin: str = "") -> list[Message]:
    """Return the messages as the model `origin` can take them. For models only: executors must see calls as they are.

    Empty messages go: some servers refuse every later request that holds one. Tool calls get back what this model put
    beside them, and lose what another one did.
    """
    newest = max((place for place, message in enumerate(messages) if message.get("role") == "user"), default=0)
    sent = []
    for place, message in enumerate(without_pictures(messages)):
        if message.get("tool_calls"):
            sent.append(_with_calls(message, origin, is_current=place > newest))
        elif message.get("role") == "tool":
            sent.append(message if message.get("content") else {**message, "content": NO_OUTPUT})
        elif not _is_empty(message):
            sent.append(message)
        elif place == len(messages) - 1 and message.get("role") == "user":
            sent.append({**message, "content": CONTINUE})
    return sent


def optional_fields(messages: list[Message]) -> set[str]:
    """Return the fields of these messages, and of their tool calls, that a server can do without."""
    calls = [call for message in messages for call in message.get("tool_calls") or ()]
    fields = {field for call in calls for field in call} - {"id", "type", "function"}
    return fields | {field for field in ("name", "reasoning_content") for message in messages if field in message}


def without(messages: list[Message], fields: Collection[str]) -> list[Message]:
    """Return the messages and their tool calls without these fields."""
    sent = []
    for message in messages:
        message = {key: value for key, value in message.items() if key not in fields}
        if calls := message.get("tool_calls"):
            message["tool_calls"] = [{key: call[key] for key in call if key not in fields} for call in calls]
        sent.append(message)
    return sent


def alternating(messages: list[Message]) -> list[Message]:
    """Return the messages for a server whose roles must alternate: user and assistant, after one system message.

    Messages that follow one of the same role are joined to it, each with its author if they have several.
    """
    sent: list[Message] = []
    for place, message in enumerate(messages):
        if message.get("role") == "system" and place > 0:
            message = {**message, "role": "user"}
        last = sent[-1] if sent else {}
        if message.get("role") == "assistant" and last.get("role") in {None, "system"}:
            sent.append({"role": "user", "content": CONTINUE})
        elif message.get("role") == last.get("role") and _is_plain(message) and _is_plain(last):
            is_same = message.get("name") == last.get("name")
            texts = [each["content"] if is_same else _signed(each) for each in (last, message)]
            sent[-1] = {"role": message["role"], "content": "\n\n".join(texts)}
            continue
        sent.append(message)
    is_open = bool(sent) and sent[-1].get("role") == "assistant"
    return [*sent, {"role": "user", "content": CONTINUE}] if is_open else sent


def _is_plain(message: Message) -> bool:
    return (
        message.get("role") in {"user", "assistant"}
        and isinstance(message.get("content"), str)
        and not message.get("tool_calls")
    )


def _signed(message: Message) -> str:
    return f"{message['name']}: {message['content']}" if message.get("name") else str(message["content"])


def without_pictures(messages: list[Message]) -> list[Message]:
    """Return the messages without pictures in the words of agents and tools; the same list if there are none.

    Some of AG2's reply functions change the list that they are given.
    """
    plain = [_without_pictures(message) for message in messages]
    return messages if plain == messages else plain


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


def _is_empty(message: Message) -> bool:
    content = message.get("content")
    return not message.get("function_call") and (not content or (isinstance(content, str) and not content.strip()))


def _with_calls(message: Message, origin: str, is_current: bool) -> Message:
    """Return a message with tool calls. Reasoning goes back only within the turn that it belongs to."""
    calls, extra = [], dict[str, Any]()
    for call in message["tool_calls"]:
        function = call.get("function") or {}
        kept = call.get(KEPT) or {}
        call = {key: value for key, value in call.items() if key not in {KEPT, "index"}}
        if not is_json_object(function.get("arguments")):
            call["function"] = {**function, "arguments": "{}"}
        if kept.get("origin") == origin:
            call |= kept.get("fields") or {}
            if is_current:
                extra |= {name: kept[name] for name in ("reasoning_content", "reasoning_items") if name in kept}
        calls.append(call)
    return {**message, "content": message.get("content") or None, "tool_calls": calls, **extra}
