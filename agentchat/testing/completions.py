"""Puts the answers of a scripted model into the form of a server of OpenAI's protocol."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from typing import Any

import httpx

from agentchat.protocol.events import text_of
from agentchat.testing.replies import Failure, Reply, as_text

FINAL = {"retry-after": "86400"}  # longer than anybody waits, so that nothing is asked twice


def response(reply: Reply | Failure, body: Mapping[str, Any], number: int) -> httpx.Response:
    """Return the HTTP response to the request that has this body, the `number`-th. Raises httpx.ConnectError."""
    if isinstance(reply, Failure):
        if not reply.status:
            raise httpx.ConnectError(reply.message)
        return httpx.Response(reply.status, headers=FINAL, json=reply.body)
    head = {"id": f"answer-{number}", "created": 0, "model": body.get("model", "")}
    calls = [
        {
            "index": place,
            "id": call.id or f"call_{number}_{place}",
            "type": "function",
            "function": {"name": call.name, "arguments": as_text(call.arguments)},
        }
        for place, call in enumerate(reply.calls)
    ]
    usage = _usage(reply, body)
    if body.get("stream"):
        events = _Events(_chunks(reply, calls, usage), head | {"object": "chat.completion.chunk"})
        return httpx.Response(200, headers={"content-type": "text/event-stream"}, stream=events)
    message = {"role": "assistant", "content": reply.text or None, "tool_calls": calls or None}
    if reply.reasoning:
        message["reasoning_content"] = reply.reasoning
    choices = [{"index": 0, "message": message, "finish_reason": reply.finish}]
    return httpx.Response(200, json=head | {"object": "chat.completion", "choices": choices, "usage": usage})


def _usage(reply: Reply, body: Mapping[str, Any]) -> dict[str, int]:
    if reply.usage is None:
        prompt = sum(len(text_of(message.get("content")).split()) for message in body.get("messages") or ())
        completion = max(len(reply.text.split()), 1)
    else:
        prompt, completion = reply.usage
    return {"prompt_tokens": prompt, "completion_tokens": completion, "total_tokens": prompt + completion}


def _chunks(reply: Reply, calls: list[dict[str, Any]], usage: Mapping[str, int]) -> Iterator[dict[str, Any]]:
    yield _chunk({"role": "assistant", "content": ""})
    for name, text in (("reasoning_content", reply.reasoning), ("content", reply.text)):
        for word in re.findall(r"\s*\S+|\s+$", text):
            yield _chunk({name: word})
    for call in calls:
        yield _chunk({"tool_calls": [call]})
    yield _chunk({}, reply.finish)
    yield {"choices": [], "usage": usage}


def _chunk(delta: Mapping[str, Any], finish: str | None = None) -> dict[str, Any]:
    return {"choices": [{"index": 0, "delta": delta, "finish_reason": finish}]}


class _Events(httpx.SyncByteStream):
    """Chunks as server-sent events."""

    def __init__(self, chunks: Iterator[dict[str, Any]], head: Mapping[str, Any]) -> None:
        self._chunks = chunks
        self._head = head

    def __iter__(self) -> Iterator[bytes]:
        for chunk in self._chunks:
            yield b"data: " + json.dumps({**self._head, **chunk}).encode() + b"\n\n"
        yield b"data: [DONE]\n\n"
