"""The offline demo model: a rule-based stand-in that streams and makes real tool calls, with no key and no network.

It is an OpenAI-compatible endpoint as an in-process httpx transport, so it takes the same road as every real model.
"""

from __future__ import annotations

import inspect
import json
import re
from collections.abc import Iterator
from typing import Any
from uuid import uuid4

import httpx

from agentchat import stopping

TOKEN_DELAY = 0.03  # seconds, about as fast as one reads along
COMMON = frozenset(
    re.findall(
        r"\w+",
        "a an and any are can do for from get give how i in is it me my of on please tell the to what you",
    )
)  # words that say nothing about which tool is meant

Message = dict[str, Any]


class DemoTransport(httpx.BaseTransport):
    """Answers `POST …/chat/completions`."""

    def __init__(self, token_delay: float = TOKEN_DELAY) -> None:
        self._token_delay = token_delay

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        body = json.loads(request.read())
        text, call = answer(body["messages"], [tool["function"] for tool in body.get("tools", [])])
        usage = _usage(body["messages"], text)
        if body.get("stream"):
            stream = _Stream(body["model"], text, call, usage, self._token_delay)
            return httpx.Response(200, headers={"content-type": "text/event-stream"}, stream=stream)
        message = {"role": "assistant", "content": text or None, "tool_calls": [call] if call else None}
        finish = "tool_calls" if call else "stop"
        choice = {"index": 0, "message": message, "finish_reason": finish}
        return httpx.Response(
            200, json=_envelope(body["model"], "chat.completion") | {"choices": [choice], "usage": usage}
        )


def answer(messages: list[Message], tools: list[dict[str, Any]]) -> tuple[str, dict[str, Any] | None]:
    """What to say and which tool to call."""
    last = messages[-1]
    if last["role"] == "tool":
        return _report(messages), None
    text = _text(last)
    tool = _fitting_tool(text, tools)
    if tool is not None:
        arguments = json.dumps(_arguments(text, tool), ensure_ascii=False)
        function = {"name": tool["name"], "arguments": arguments}
        return "", {"id": f"call_{uuid4().hex[:12]}", "type": "function", "function": function}
    if re.search(r"\b(remember|earlier|before|first|so far)\b", text, re.IGNORECASE):
        return _recollection(messages), None
    return _introduction(tools), None


def _report(messages: list[Message]) -> str:
    results: list[str] = []
    for message in reversed(messages):
        if message["role"] != "tool":
            break
        results.insert(0, _text(message))
    return "\n\n".join(results) or "The tool had nothing to say."


def _recollection(messages: list[Message]) -> str:
    asked = [_text(message) for message in messages[:-1] if message["role"] == "user"]
    if not asked:
        return "This is the first thing you have written to me."
    return "In this conversation you have written:\n\n" + "\n".join(f"- {text}" for text in asked)


def _introduction(tools: list[dict[str, Any]]) -> str:
    hello = (
        "I am the offline demo model: a few rules that stand in for a language model, so that you can see this page "
        "work without a key. "
    )
    if not tools:
        return hello + "I cannot say anything clever, but I do remember what you write: ask me what you wrote before."
    names = " and ".join(f"`{tool['name']}`" for tool in tools)
    return hello + f"I can use this agent's tools ({names}): ask for something that one of them does."


def _fitting_tool(text: str, tools: list[dict[str, Any]]) -> dict[str, Any] | None:
    """The tool that has most words in common with what was asked, if any has."""
    asked = _words(text)
    best = max(tools, key=lambda tool: len(asked & _tool_words(tool)), default=None)
    return best if best and asked & _tool_words(best) else None


def _tool_words(tool: dict[str, Any]) -> set[str]:
    return _words(tool["name"].replace("_", " ") + " " + tool.get("description", ""))


def _words(text: str) -> set[str]:
    return set(re.findall(r"[a-z]{2,}", text.lower())) - COMMON


def _arguments(text: str, tool: dict[str, Any]) -> dict[str, Any]:
    parameters = tool.get("parameters", {})
    properties = parameters.get("properties", {})
    names = parameters.get("required") or list(properties)
    numbers = re.findall(r"-?\d+(?:\.\d+)?", text)
    return {name: _argument(properties.get(name, {}).get("type"), text, numbers) for name in names}


def _argument(type: str | None, text: str, numbers: list[str]) -> Any:
    if type == "integer":
        return int(float(numbers.pop(0))) if numbers else 1
    if type == "number":
        return float(numbers.pop(0)) if numbers else 1.0
    if type == "boolean":
        return True
    if type == "array":
        return [_subject(text)]
    return {} if type == "object" else _subject(text)


def _subject(text: str) -> str:
    """What a question is about: what stands in quotes, behind the last 'in', 'for' …, or the last capitalised name."""
    if quoted := re.search(r"[\"“«]([^\"”»]+)[\"”»]", text):
        return str(quoted[1])
    if named := re.findall(r"\b(?:in|for|of|about|at|near|to)\s+((?:[A-ZÀ-Þ][\w'’.-]*\s*)+)", text):
        return str(named[-1]).strip(" .?!,")
    words = re.findall(r"(?<!^)(?<![.?!] )\b[A-ZÀ-Þ][\w'’-]+(?:\s+[A-ZÀ-Þ][\w'’-]+)*", text)
    if words:
        return str(words[-1])
    behind = re.search(r"\b(?:in|for|of|about|at|near|to)\s+(.+?)[\s.?!]*$", text)
    return str(behind[1] if behind else text.strip(" .?!"))


def _text(message: Message) -> str:
    content = message.get("content") or ""
    if isinstance(content, list):
        return " ".join(part.get("text", "") for part in content)
    return inspect.cleandoc(str(content))


def _usage(messages: list[Message], text: str) -> dict[str, int]:
    """Words for tokens: near enough for a demo."""
    prompt = sum(len(_text(message).split()) for message in messages)
    completion = max(len(text.split()), 1)
    return {"prompt_tokens": prompt, "completion_tokens": completion, "total_tokens": prompt + completion}


def _envelope(model: str, object: str) -> dict[str, Any]:
    return {"id": f"demo-{uuid4().hex[:12]}", "object": object, "created": 0, "model": model}


class _Stream(httpx.SyncByteStream):
    def __init__(self, model: str, text: str, call: dict[str, Any] | None, usage: dict[str, int], delay: float) -> None:
        self._envelope = _envelope(model, "chat.completion.chunk")
        self._text = text
        self._call = call
        self._usage = usage
        self._delay = delay

    def __iter__(self) -> Iterator[bytes]:
        yield self._chunk({"role": "assistant", "content": ""})
        for token in re.findall(r"\s*\S+|\s+$", self._text):
            stopping.current.get().sleep(self._delay)
            yield self._chunk({"content": token})
        if self._call:
            yield self._chunk({"tool_calls": [{"index": 0} | self._call]})
        yield self._chunk({}, "tool_calls" if self._call else "stop")
        yield self._data({"choices": [], "usage": self._usage})
        yield b"data: [DONE]\n\n"

    def _chunk(self, delta: dict[str, Any], finish: str | None = None) -> bytes:
        return self._data({"choices": [{"index": 0, "delta": delta, "finish_reason": finish}]})

    def _data(self, fields: dict[str, Any]) -> bytes:
        return b"data: " + json.dumps(self._envelope | fields).encode() + b"\n\n"
