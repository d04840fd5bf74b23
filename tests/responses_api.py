"""OpenAI's Responses API for the scripted model server: what it is asked, and the events of its answers.

Requests are checked against the types of the openai package, and so are the events in tests/test_responses.py.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any

from openai.types.responses.response_create_params import ResponseCreateParamsBase
from pydantic import TypeAdapter

from tests.model_server import Reply

Body = dict[str, Any]

FIELDS = frozenset(ResponseCreateParamsBase.__annotations__) | {"stream"}
REQUEST: TypeAdapter[Any] = TypeAdapter(ResponseCreateParamsBase)


def as_chat(asked: Body) -> Body:
    """Return a request as one to /chat/completions. Raises ValueError if it is none of the Responses API."""
    if unknown := asked.keys() - FIELDS:
        raise ValueError(f"unknown parameters: {', '.join(sorted(unknown))}")
    REQUEST.validate_python(asked)
    items = [{"role": "user", "content": asked["input"]}] if isinstance(asked["input"], str) else asked["input"]
    tools = [{"type": "function", "function": tool} for tool in asked.get("tools") or () if tool["type"] == "function"]
    return {**asked, "messages": [_message(item) for item in items], "tools": tools}


def _message(item: Body) -> Body:
    kind = item.get("type", "message")
    if kind == "function_call":
        function = {"name": item["name"], "arguments": item["arguments"]}
        return {"role": "assistant", "content": None, "tool_calls": [{"id": item["call_id"], "function": function}]}
    if kind == "function_call_output":
        return {"role": "tool", "content": item["output"], "tool_call_id": item["call_id"]}
    if kind == "reasoning":
        return {"role": "assistant", "content": None, "reasoning": item}
    return {"role": item["role"], "content": item["content"]}


def response(reply: Reply, asked: Body, usage: Body, calls: list[Body], status: str = "completed") -> Body:
    """Return the whole object."""
    pieces = reply.pieces()
    thoughts = "".join(piece["reasoning"] for piece in pieces if isinstance(piece, Mapping))
    text = "".join(piece for piece in pieces if isinstance(piece, str))
    output: list[Body] = []
    if thoughts:
        summary = [{"type": "summary_text", "text": thoughts}]
        output.append({"id": "rs_1", "type": "reasoning", "summary": summary})
    if text or not calls:
        content = [{"type": "output_text", "text": text, "annotations": []}]
        output.append({"id": "msg_1", "type": "message", "role": "assistant", "status": status, "content": content})
    for call in calls:
        item = {"id": f"fc_{call['id']}", "type": "function_call", "call_id": call["id"], "status": status}
        output.append({**item, **call["function"]})
    details = {
        "input_tokens_details": {"cached_tokens": 0, "cache_write_tokens": 0},
        "output_tokens_details": {"reasoning_tokens": 0},
    }
    counts = {
        "input_tokens": usage["prompt_tokens"],
        "output_tokens": usage["completion_tokens"],
        "total_tokens": usage["total_tokens"],
    }
    return {
        "id": "resp_1", "object": "response", "created_at": 1, "status": status, "model": asked["model"],
        "output": output, "usage": {**counts, **details}, "parallel_tool_calls": True, "tool_choice": "auto",
        "tools": asked.get("tools") or [],
    }  # fmt: skip


def events(reply: Reply, whole: Body) -> Iterator[Body]:
    """Yield the events of a streamed answer; those that hold a piece of text are marked with `piece`."""
    begun = {**whole, "status": "in_progress", "output": [], "usage": None}
    yield {"type": "response.created", "response": begun}
    for index, item in enumerate(whole["output"]):
        about = {"output_index": index, "item_id": item["id"]}
        yield {"type": "response.output_item.added", "output_index": index, "item": _begun(item)}
        if item["type"] == "message":
            for piece in reply.pieces():
                if isinstance(piece, str):
                    delta = {"type": "response.output_text.delta", "content_index": 0, "delta": piece, "logprobs": []}
                    yield {**delta, **about, "piece": True}
        elif item["type"] == "reasoning":
            part = {"type": "summary_text", "text": ""}
            yield {"type": "response.reasoning_summary_part.added", "summary_index": 0, "part": part, **about}
            for piece in reply.pieces():
                if isinstance(piece, Mapping):
                    delta = {"type": "response.reasoning_summary_text.delta", "summary_index": 0}
                    yield {**delta, "delta": piece["reasoning"], **about, "piece": True}
        else:
            yield {"type": "response.function_call_arguments.delta", "delta": item["arguments"], **about}
        yield {"type": "response.output_item.done", "output_index": index, "item": item}
    yield {"type": "response.completed", "response": whole}


def _begun(item: Body) -> Body:
    empty: Body = {"message": {"content": []}, "reasoning": {"summary": []}, "function_call": {"arguments": ""}}
    return {**item, **empty[item["type"]], **({} if item["type"] == "reasoning" else {"status": "in_progress"})}


def encoded(event: Body, number: int) -> bytes:
    """Return an event as the server sends it."""
    data = {key: value for key, value in event.items() if key != "piece"} | {"sequence_number": number}
    return f"event: {event['type']}\ndata: {json.dumps(data)}\n\n".encode()
