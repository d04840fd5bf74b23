"""Questions to people, and their answers."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any
from uuid import uuid4

from agentchat.protocol.errors import ChatError

APPROVALS = ("approve", "deny", "edit")
"""The answers to whether a tool may run."""
YES_OR_NO = ("approve", "deny")
"""The answers to whether something else may be done."""
_WORD_AND_REST = re.compile(r"\s*(\w*)[\s,:.!]*(.*?)\s*$", re.DOTALL)
_SHORT = {"yes": "approve", "y": "approve", "ok": "approve", "no": "deny", "n": "deny"}


@dataclass(frozen=True)
class Request:
    """A question that an agent asks."""

    agent: str
    prompt: str
    password: bool = False
    choices: Sequence[str] | None = None
    labels: Mapping[str, str] | None = None
    tool: Mapping[str, Any] | None = None
    """The `name`, `arguments` and `call_id` of a tool that waits for approval."""
    by: str = ""
    """The role of those who may answer; "" for everybody who takes part."""
    id: str = field(default_factory=lambda: uuid4().hex)

    def content(self, expires: str | None) -> dict[str, Any]:
        """Return the content of the `input_request` event. `expires` is a time, or None."""
        return {
            "uuid": str(uuid4()),
            "request_id": self.id,
            "agent": self.agent,
            "prompt": self.prompt,
            "password": self.password,
            "choices": list(self.choices) if self.choices is not None else None,
            "labels": dict(self.labels or {}),
            "tool": self.tool,
            "expires": expires,
            **({"by": self.by} if self.by else {}),
        }


@dataclass(frozen=True)
class Answer:
    """A person's answer. For an approval, `text` is one of APPROVALS and `reason` what was said with it."""

    text: str
    name: str = ""
    arguments: Mapping[str, Any] | None = None
    reason: str = ""

    def content(self, request_id: str, is_password: bool) -> dict[str, Any]:
        """Return the content of the `input_response` event, which holds no password."""
        content: dict[str, Any] = {"uuid": str(uuid4()), "request_id": request_id, "name": self.name}
        if not is_password:
            content["text"] = f"{self.text}, {self.reason}" if self.reason else self.text
        if self.arguments is not None:
            content["arguments"] = self.arguments
        return content


def decision(text: str, name: str, arguments: Mapping[str, Any] | None) -> Answer:
    """Return the answer to an approval. Raises ChatError unless it is a yes, a no, or other arguments."""
    word, rest = _WORD_AND_REST.match(text).groups()  # type: ignore[union-attr]  # matches everything
    decision = _SHORT.get(word.lower(), word.lower())
    if decision == "edit":
        return Answer(decision, name, arguments if arguments is not None else _arguments(rest))
    if arguments is not None:
        raise ChatError("answer_unusable", problem="only edit takes arguments")
    if decision == "deny" or (decision == "approve" and not rest):  # "ok, but wait" is not a yes
        return Answer(decision, name, reason=rest)
    raise ChatError("answer_unusable", problem="it takes approve, deny or edit")


def is_yes(text: str) -> bool:
    """Return True for a plain yes; "ok, but wait" isn't one."""
    word, rest = _WORD_AND_REST.match(text).groups()  # type: ignore[union-attr]  # matches everything
    return _SHORT.get(word.lower(), word.lower()) == "approve" and not rest


def _arguments(text: str) -> dict[str, Any]:
    try:
        arguments = json.loads(text)
    except (ValueError, RecursionError):
        arguments = None
    if not isinstance(arguments, dict):
        raise ChatError("answer_unusable", problem='edit takes the arguments as an object, such as {"n": 1}')
    return arguments
