"""A talk or a turn as a test sees it, made of its events."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from agentchat.protocol.events import text_of


@dataclass(frozen=True)
class Event:
    """An event as it goes over the wire. Those that are not in the log have neither turn nor seq."""

    type: str
    content: dict[str, Any]
    turn: int | None = None
    seq: int | None = None


@dataclass(frozen=True)
class Question:
    """A question of an agent. For a tool that waits for a yes, `tool` and `arguments` name the call."""

    agent: str
    prompt: str
    choices: list[str] | None = None
    password: bool = False
    tool: str = ""
    arguments: dict[str, Any] = field(default_factory=dict)
    answer: str | None = None
    """The answer that was given; None for a password or if there was none."""


@dataclass(frozen=True)
class ToolCall:
    """A call of a tool by an agent, and the text of its result, None if it has none."""

    agent: str
    name: str
    arguments: Any
    """The arguments with which it ran; a text if the model wrote no JSON."""
    result: str | None = None
    ok: bool = False
    """True if it ran without an error, and nobody denied it."""


@dataclass(frozen=True)
class Problem:
    """An error that the person was told: a code of docs/protocol.md and a sentence."""

    code: str
    message: str


class Transcript:
    """Everything that happened in a talk or a turn. Single values are those of the newest turn."""

    events: Sequence[Event] = ()
    """The events as they go over the wire, in their order."""

    def contents(self, type: str) -> list[dict[str, Any]]:
        """Return the contents of the events of one type."""
        return [event.content for event in self.events if event.type == type]

    @property
    def said(self) -> list[tuple[str, str]]:
        """Everything that agents said to the person: (agent, text). Inner chats are left out."""
        texts = [text for text in self.contents("text") if "message_id" in text and "within" not in text]
        said = [(text["sender"], text_of(text["content"])) for text in texts]
        return [(agent, text) for agent, text in said if text.strip()]

    @property
    def answer(self) -> str:
        """The answer of the turn: its last word, or the summary that the agents make."""
        return str(self._end.get("summary", ""))

    @property
    def status(self) -> str:
        """The end of the turn: completed, stopped or failed."""
        return str(self._end.get("status", ""))

    @property
    def usage(self) -> Mapping[str, Any]:
        """The tokens and the cost of the turn, as in `turn_completed`."""
        return dict(self._end.get("usage", {}))

    @property
    def error(self) -> Problem | None:
        """The error with which the turn failed."""
        turn = next((event.turn for event in reversed(self.events) if event.turn), None)  # 0: beside all turns
        errors = [event.content for event in self.events if event.type == "error" and event.turn == turn]
        return Problem(errors[-1]["code"], errors[-1]["message"]) if errors else None

    @property
    def tools(self) -> list[ToolCall]:
        """The calls of tools, in the order in which models made them."""
        ran = {done["call_id"]: done for done in self.contents("executed_function")}
        given = {begun["call_id"]: begun["arguments"] for begun in self.contents("execute_function")}
        changed = {answer["request_id"]: answer.get("arguments") for answer in self.contents("input_response")}
        for asked in self.contents("input_request"):
            if asked["tool"] and (arguments := changed.get(asked["request_id"])) is not None:
                given[asked["tool"]["call_id"]] = arguments
        return [
            _tool_call(message["sender"], call["function"], ran.get(call["id"]), given.get(call["id"]))
            for message in self.contents("tool_call")
            for call in message["tool_calls"]
        ]

    @property
    def questions(self) -> list[Question]:
        """The questions of agents and tools, with their answers."""
        answers = {answer["request_id"]: answer.get("text") for answer in self.contents("input_response")}
        return [question_of(content, answers.get(content["request_id"])) for content in self.contents("input_request")]

    @property
    def output(self) -> str:
        """Everything that programs printed."""
        return "".join(chunk["content"] for chunk in self.contents("stream") if chunk.get("kind") == "output")

    @property
    def _end(self) -> dict[str, Any]:
        return next(iter(self.contents("turn_completed")[-1:]), {})

    def __repr__(self) -> str:
        error = f", error={self.error.message!r}" if self.error else ""
        return f"<{type(self).__name__} {self.status}{error}, said={self.said!r}>"


class Turn(Transcript):
    """One turn of a talk."""

    def __init__(self, events: Sequence[Event]) -> None:
        self.events = tuple(events)


def question_of(content: Mapping[str, Any], answer: str | None = None) -> Question:
    """Return the question of an `input_request`."""
    tool = content["tool"] or {}
    return Question(
        content["agent"],
        content["prompt"],
        content["choices"],
        content["password"],
        tool.get("name", ""),
        dict(tool.get("arguments", {})),
        answer,
    )


def _tool_call(agent: str, function: Mapping[str, Any], done: Mapping[str, Any] | None, given: Any) -> ToolCall:
    arguments = given if given is not None else _decoded(function["arguments"])
    if done is None:
        return ToolCall(agent, function["name"], arguments)
    text = done["content"] if isinstance(done["content"], str) else json.dumps(done["content"], ensure_ascii=False)
    return ToolCall(agent, function["name"], arguments, text, done["is_exec_success"])


def _decoded(arguments: str) -> Any:
    try:
        return json.loads(arguments or "{}")
    except ValueError:
        return arguments
