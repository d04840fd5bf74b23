"""Turns a chat completion's request into one of OpenAI's Responses API; normalize.py takes its answers.

OpenAI's newest models take function tools together with reasoning only there. The whole history is sent each time, as
with chat completions, so that edited and restored conversations need nothing from the server's memory.
"""

from __future__ import annotations

from typing import Any

Json = dict[str, Any]

SAME = frozenset({
    "model", "stream", "store", "temperature", "top_p", "tool_choice", "parallel_tool_calls", "user", "metadata",
    "service_tier", "reasoning", "text", "include", "truncation", "max_output_tokens", "max_tool_calls", "prompt",
    "prompt_cache_key", "safety_identifier", "top_logprobs", "background", "instructions", "previous_response_id",
})  # fmt: skip
"""The fields that the API takes; entries of a configuration may have others, for AG2."""

BUILT_IN_TOOLS = {"web_search": {"type": "web_search"}, "image_generation": {"type": "image_generation"}}
"""AG2's words for the tools that OpenAI runs itself; its `shell` and `apply_patch` would run on this machine."""


def request_of(body: Json) -> Json:
    """Return the body of a request to `/responses` that asks what this one asks of `/chat/completions`."""
    request = {key: value for key, value in body.items() if key in SAME and value is not None}
    request["input"] = [item for message in body["messages"] for item in _items(message)]
    tools = [_tool(tool) for tool in body.get("tools") or ()]
    tools += [BUILT_IN_TOOLS[name] for name in body.get("built_in_tools") or () if name in BUILT_IN_TOOLS]
    if tools:
        request["tools"] = tools
    else:
        request.pop("tool_choice", None)
    if limit := body.get("max_completion_tokens") or body.get("max_tokens"):
        request["max_output_tokens"] = limit
    if effort := body.get("reasoning_effort"):
        request["reasoning"] = {**request.get("reasoning", {}), "effort": effort}
    text = dict(request.get("text", {}))
    if verbosity := body.get("verbosity"):
        text["verbosity"] = verbosity
    if form := body.get("response_format"):
        text["format"] = {"type": form["type"], **form.get("json_schema", {})}
    return request | ({"text": text} if text else {})


def _items(message: Json) -> list[Json]:
    """Return the items of the input that stand for a message."""
    role, content = message.get("role", "user"), message.get("content")
    if role == "tool":
        return [{"type": "function_call_output", "call_id": message["tool_call_id"], "output": _text(content)}]
    items = list(message.get("reasoning_items") or ())
    if content:
        parts = content if isinstance(content, list) and role == "user" else None
        items.append(
            {"type": "message", "role": role, "content": [_part(part) for part in parts] if parts else _text(content)}
        )
    for call in message.get("tool_calls") or ():
        function = call["function"]
        items.append(
            {
                "type": "function_call",
                "call_id": call["id"],
                "name": function["name"],
                "arguments": function["arguments"],
            }
        )
    return items


def _part(part: Json) -> Json:
    if part.get("type") == "image_url":
        image = part["image_url"]
        return {"type": "input_image", "image_url": image["url"] if isinstance(image, dict) else image}
    return {"type": "input_text", "text": str(part.get("text") or "")}


def _text(content: Any) -> str:
    if isinstance(content, list):
        return "\n\n".join(str(part.get("text") or "") for part in content if isinstance(part, dict))
    return str(content or "")


def _tool(tool: Json) -> Json:
    return {"type": "function", "strict": False, **tool["function"]} if "function" in tool else tool
