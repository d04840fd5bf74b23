"""The answers of a scripted model: text, tool calls, thoughts, tokens, and failures."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Call:
    """A tool call of a model. Arguments that are text are sent as they are, also if they are no JSON."""

    name: str
    arguments: Mapping[str, Any] | str
    id: str = ""


@dataclass(frozen=True, init=False)
class Reply:
    """One answer of a model."""

    text: str
    calls: tuple[Call, ...]
    reasoning: str
    usage: tuple[int, int] | None
    finish: str

    def __init__(
        self, *parts: str | Call, reasoning: str = "", usage: tuple[int, int] | None = None, finish: str = ""
    ) -> None:
        """Make an answer of pieces of text and tool calls.

        `usage` is the tokens of the request and of the answer; without it, words are counted. `finish` is the reason
        for which the answer ends, such as `length`.
        """
        texts = [part for part in parts if isinstance(part, str)]
        calls = tuple(part for part in parts if isinstance(part, Call))
        if len(texts) + len(calls) < len(parts):
            raise TypeError("A Reply is made of texts and of calls, which call() makes.")
        vars(self).update(text="".join(texts), calls=calls, reasoning=reasoning, usage=usage)
        vars(self).update(finish=finish or ("tool_calls" if calls else "stop"))


@dataclass(frozen=True)
class Failure:
    """A request that fails with a status of HTTP; with 0, the server is not reached at all."""

    status: int
    message: str = "The request failed."
    type: str = "error"

    @property
    def body(self) -> dict[str, Any]:
        """The body of the response, as OpenAI writes it."""
        return {"error": {"message": self.message, "type": self.type, "code": self.type}}


RATE_LIMIT = Failure(429, "Rate limit reached for requests.", "rate_limit_exceeded")
REFUSED_KEY = Failure(401, "Incorrect API key provided.", "invalid_api_key")
UNREACHABLE = Failure(0)

Answer = str | Call | Reply | Failure | Sequence[str | Call]
"""Anything that stands for one answer: a text, a call, or both in a list."""


def call(name: str, /, **arguments: Any) -> Call:
    """Return a call of the tool `name`."""
    return Call(name, arguments)


def reply_of(answer: Answer) -> Reply | Failure:
    """Return an answer in full. Raises TypeError for what is none."""
    if isinstance(answer, Reply | Failure):
        return answer
    if isinstance(answer, str | Call):
        return Reply(answer)
    if isinstance(answer, list | tuple):
        return Reply(*answer)
    raise TypeError(
        f"A model cannot answer with a value of the type {type(answer).__name__}: give a text, call(…), a list of "
        "both, a Reply, a Failure, or a function of the request that returns one of them."
    )


def as_text(arguments: Mapping[str, Any] | str) -> str:
    """Return the arguments of a call as models write them."""
    return arguments if isinstance(arguments, str) else json.dumps(arguments, ensure_ascii=False)
