"""The offline demo model: a rule-based stand-in that streams and makes real tool calls, with no key and no network.

It is an OpenAI-compatible endpoint as an in-process httpx transport, so everything above treats it like a real model.
Its answers come from rules.py.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any
from uuid import uuid4

import httpx

from agentchat import cancellation
from agentchat.models.demo.rules import Message, answer, text_of

TOKEN_DELAY = 0.03  # seconds per word, about reading speed
MAX_DURATION = 2.5  # seconds for one answer, however long


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


def _usage(messages: list[Message], text: str) -> dict[str, int]:
    """Count words as tokens, which is close enough for a demo."""
    prompt = sum(len(text_of(message).split()) for message in messages)
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
        tokens = re.findall(r"\s*\S+|\s+$", self._text)
        delay = min(self._delay, MAX_DURATION / max(len(tokens), 1))
        for token in tokens:
            cancellation.current.get().sleep(delay)
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
