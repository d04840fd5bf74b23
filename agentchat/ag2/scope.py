"""The scope of a thread or task in a running turn: for which agent it works, and within which agent's chat."""

from __future__ import annotations

import contextlib
import contextvars
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

Message = Mapping[str, Any]


@dataclass(frozen=True)
class Scope:
    """Where a thread or task is in a running turn. Agents are given by their names."""

    within: str = ""
    """The agent that holds the chat in which something is said now; empty for the turn's own chat."""
    agent: str = ""
    """The agent that is replying: models are called for its answer. Empty between replies."""
    level: str = ""
    """The agent that holds the chat of which events are reported: that in which `agent` replies or a tool is called."""
    answered: Message = field(default_factory=dict)
    """The message that `agent` replies to."""
    caller: str = ""
    """The agent whose tool calls `agent` carries out."""
    call: Message = field(default_factory=dict)
    """The tool call being carried out: its `call_id`, `func_name` and `arguments`."""
    is_in_chat: bool = False
    """True while AG2 holds a chat, in which it sends what agents reply."""
    awaits: bool = False
    """True if a tool may return a coroutine, which is awaited in the event loop of its chat."""
    initiator: str = ""
    """The agent that began the chat."""

    @property
    def about(self) -> dict[str, str]:
        """The fields of what is said here."""
        return {"within": self.within} if self.within else {}

    @property
    def about_level(self) -> dict[str, str]:
        """The fields of what is reported beside what is said."""
        return {"within": self.level} if self.level else {}


current: contextvars.ContextVar[Scope] = contextvars.ContextVar("scope", default=Scope())  # noqa: B039


@contextlib.contextmanager
def at(scope: Scope) -> Iterator[None]:
    """Be in this scope during the context."""
    token = current.set(scope)
    try:
        yield
    finally:
        current.reset(token)


def moved(**changes: Any) -> contextlib.AbstractContextManager[None]:
    """Be in the current scope with changes during the context."""
    return at(replace(current.get(), **changes))
