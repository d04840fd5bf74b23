"""Model calls as the measures of a turn see them: which model, how many tokens, and in a trace perhaps the words."""

from __future__ import annotations

import contextlib
import contextvars
import functools
import json
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any, Protocol

from agentchat import measures
from agentchat.measures import ModelCall

Json = Mapping[str, Any]

_unpaid: contextvars.ContextVar[str | None] = contextvars.ContextVar("unpaid", default=None)
"""The model that was called and not yet paid."""


class Client(Protocol):
    """The part of AG2's clients that is needed here."""

    def get_usage(self, response: Any) -> Json:
        """Return the tokens of an answer."""


@contextlib.contextmanager
def call(model: str, server: str, params: Json, api: str = "openai") -> Iterator[ModelCall]:
    """Measure the call of a model during the context."""
    turn = measures.current.get()
    with turn.model_call(model, server, api) as call:
        if call.span.has_words:
            call.span.add({"gen_ai.input.messages": turn.redact(_dump(params.get("messages") or ()))})
        yield call
    _unpaid.set(model)


def paid(usage: Json) -> None:
    """Count what the newest call has cost, which AG2 knows only after it; one from a journal costs nothing again."""
    model = _unpaid.get()
    if model is not None:
        _unpaid.set(None)
        measures.current.get().paid(model, float(usage.get("cost") or 0))


def answered(call: ModelCall, client: Client, response: Any) -> None:
    """Add the answer to a call."""
    usage = client.get_usage(response) or {}
    call.prompt_tokens = _number(usage.get("prompt_tokens"))
    call.completion_tokens = _number(usage.get("completion_tokens"))
    choices = getattr(response, "choices", None) or []
    reasons = [str(reason) for each in choices if (reason := getattr(each, "finish_reason", None))]
    call.span.add(
        {
            "gen_ai.usage.input_tokens": call.prompt_tokens,
            "gen_ai.usage.output_tokens": call.completion_tokens,
            **{f"gen_ai.response.{n}": str(v) for n in ("id", "model") if (v := getattr(response, n, None))},
            **({"gen_ai.response.finish_reasons": reasons} if reasons else {}),
        }
    )
    if call.span.has_words:
        said = [message for each in choices if (message := getattr(each, "message", None)) is not None]
        texts = [each.model_dump(mode="json") if hasattr(each, "model_dump") else {"content": each} for each in said]
        redact = measures.current.get().redact
        call.span.add({"gen_ai.output.messages": redact(_dump([{"role": "assistant", **each} for each in texts]))})


def measure_others(clients: Sequence[Any], entries: Sequence[Json], ours: type) -> None:
    """Let the clients that are not `ours`, but AG2's or an agent file's, be measured as well."""
    for client, entry in zip(clients, entries, strict=False):
        create = getattr(client, "create", None)
        if isinstance(client, ours) or create is None or getattr(create, "func", None) is _create_measured:
            continue
        api = str(entry.get("api_type") or "openai")
        with contextlib.suppress(AttributeError, TypeError, ValueError):  # of a class whose objects cannot be changed
            client.create = functools.partial(_create_measured, client, create, api)


def _create_measured(client: Any, create: Callable[[Any], Any], api: str, params: dict[str, Any]) -> Any:
    """Return the answer of a client, measured. In a partial, because AG2 copies agents with their clients."""
    with call(str(params.get("model")), "", params, api) as made:
        response = create(params)
        answered(made, client, response)
    return response


def _number(value: Any) -> int:
    return int(value) if isinstance(value, (int, float)) and value > 0 else 0


def _dump(messages: Iterable[Json]) -> str:
    """Return messages as OpenTelemetry's conventions have them."""
    return json.dumps([_message(each) for each in messages], ensure_ascii=False, default=str)


def _message(message: Json) -> Json:
    role, content = str(message.get("role") or "user"), message.get("content")
    parts: list[Json] = []
    if role == "tool":
        parts.append({"type": "tool_call_response", "id": message.get("tool_call_id"), "response": content})
    elif isinstance(content, list):
        parts += [_part(each) for each in content]
    elif content:
        parts.append({"type": "text", "content": content})
    for called in message.get("tool_calls") or ():
        function = called.get("function") or {}
        about = {"id": called.get("id"), "name": function.get("name"), "arguments": function.get("arguments")}
        parts.append({"type": "tool_call", **about})
    return {"role": role, "parts": parts}


def _part(part: Any) -> Json:
    """Return a part of a message; of a picture only that there is one."""
    text = part.get("text") if isinstance(part, dict) else part
    return {"type": "text", "content": text} if isinstance(text, str) else {"type": "blob"}
