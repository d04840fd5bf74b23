"""What the offline demo model sees: a request, read as a person's wish and what was done about it so far."""

from __future__ import annotations

import inspect
import json
import re
from dataclasses import dataclass
from typing import Any

Message = dict[str, Any]
Tool = dict[str, Any]

COMMON = frozenset(
    re.findall(
        r"\w+",
        "a an and any are can do for from get give how i in is it me my of on please tell the to what you",
    )
)  # words that say nothing about which tool is meant


@dataclass(frozen=True)
class Call:
    """A tool call of this turn, and what came of it."""

    name: str
    arguments: dict[str, Any]
    result: str


@dataclass(frozen=True)
class Situation:
    """A request. `wish` is what the person wrote last; all but `system`, `asked` and `tools` came after it."""

    system: str
    wish: str
    asked: list[str]
    """What the person wrote before."""
    calls: list[Call]
    has_spoken: bool
    """This agent has said something already."""
    heard: str
    """What another agent said last."""
    tools: list[Tool]


def read(messages: list[Message], tools: list[Tool]) -> Situation:
    system = "\n".join(text_of(message) for message in messages if message["role"] == "system")
    said = [message for message in messages if message["role"] != "system"]
    person = said[0].get("name") if said else None  # it is always a person who begins
    own = [place for place, message in enumerate(said) if message["role"] == "user" and message.get("name") == person]
    start = own[-1] if own else 0
    since = said[start + 1 :]
    results = {message.get("tool_call_id"): text_of(message) for message in since if message["role"] == "tool"}
    calls = [_call(call, results) for message in since for call in message.get("tool_calls") or ()]
    others = [text_of(message) for message in since if message["role"] == "user" and text_of(message)]
    return Situation(
        system,
        text_of(said[start]) if said else "",
        [text_of(said[place]) for place in own[:-1]],
        calls,
        any(message["role"] == "assistant" and text_of(message) for message in since),
        others[-1] if others else "",
        tools,
    )


def text_of(message: Message) -> str:
    content = message.get("content") or ""
    if isinstance(content, list):
        return " ".join(part.get("text", "") for part in content)
    return inspect.cleandoc(str(content))


def words(text: str) -> set[str]:
    """Those that mean something; of several things, one."""
    found = set(re.findall(r"[a-z]{2,}", text.lower().replace("_", " "))) - COMMON
    return {word[:-1] if len(word) > 3 and word.endswith("s") else word for word in found}


def _call(call: dict[str, Any], results: dict[Any, str]) -> Call:
    function = call["function"]
    return Call(function["name"], json.loads(function["arguments"] or "{}"), results.get(call["id"], ""))
