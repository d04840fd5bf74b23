"""The model of the fault tests: each message scripts its own answer, so every run gets the same."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Sequence
from typing import Any

from tests.model_server import ModelServer, Reply, words

Body = dict[str, Any]
Step = dict[str, Any]

SCRIPT = re.compile(r"@@(\[.*\])@@", re.DOTALL)
LABEL = re.compile(r"<(m[\w.]+)>")


def script(label: str, steps: Sequence[Step]) -> str:
    """Return a message that scripts its answers: fields of `Reply` for each model call."""
    return f"<{label}> @@{json.dumps(list(steps))}@@"


def label(text: str) -> str:
    """Return the label of a message; the text itself if it has none."""
    found = LABEL.match(text)
    return found[1] if found else text


def labels(request: Body) -> list[str]:
    """Return the labels of the messages of people and teams in the model's history."""
    return [label(words(message)) for message in request["messages"] if message["role"] == "user"]


class ScriptedModel(ModelServer):
    """A model that reports each request, and each token it sends."""

    def __init__(self, tell: Callable[[str], None]) -> None:
        super().__init__()
        self._tell = tell
        self._calls = 0
        self.complaints: list[str] = []
        """Histories it was sent that no model accepts."""

    def choose(self, request: Body, chat: Body) -> Reply:
        asked = request["body"]
        self._tell("request")
        self._requests.append(request)
        wrong = problems(asked["messages"])
        if wrong:
            self.complaints.append(f"{'; '.join(wrong)}: {_outline(asked['messages'])}")
        step = _step(asked["messages"])
        tools = []
        for name in step.pop("tools", ()):
            self._calls += 1
            tools.append((name, _arguments(name, self._calls)))
        return Reply(tools=tools, **step)

    def count(self, **steps: int) -> None:
        super().count(**steps)
        if "tokens" in steps:
            self._tell("token")


def _step(messages: Sequence[Body]) -> Step:
    said = [place for place, message in enumerate(messages) if message["role"] == "user"]
    place = max((place for place in said if LABEL.match(words(messages[place]))), default=max(said))
    found = SCRIPT.search(words(messages[place]))
    if found is None:
        return {"text": f"You said: {words(messages[place])[:40]}"}
    steps = json.loads(found[1])
    done = sum(message["role"] == "assistant" for message in messages[place:])
    return dict(steps[min(done, len(steps) - 1)])


def _arguments(name: str, number: int) -> dict[str, Any]:
    if name == "die":
        return {}
    return {"a": number} if name == "add" else {"call": f"c{number}"}


def _outline(messages: Sequence[Body]) -> str:
    """Return a readable outline of a history."""
    calls = [[call["id"] for call in m.get("tool_calls") or ()] or m.get("tool_call_id", "") for m in messages]
    return "\n".join(f"  {m['role']} {c} {words(m)[:90]!r}" for m, c in zip(messages, calls, strict=True))


def problems(messages: Sequence[Body]) -> list[str]:
    """Return what is wrong with a history: each tool call must be answered once, right after it."""
    found = []
    open_calls: set[str] = set()
    for message in messages:
        if message["role"] == "tool":
            if message["tool_call_id"] not in open_calls:
                found.append(f"the model was told the result of {message['tool_call_id']}, which it had not called")
            open_calls.discard(message["tool_call_id"])
            continue
        if open_calls:
            found.append(f"the model was not told the results of {sorted(open_calls)}")
        open_calls = {call["id"] for call in message.get("tool_calls") or ()}
    if open_calls:
        found.append(f"the model was called before {sorted(open_calls)} had results")
    return found
