"""What a turn's model calls have cost, by agent: tokens, and US dollars where the price is known."""

from __future__ import annotations

import contextvars
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from autogen import OpenAIWrapper

Report = Callable[[Mapping[str, Any]], None]


@dataclass
class Sum:
    """Tokens, and US dollars."""

    prompt_tokens: int = 0
    completion_tokens: int = 0
    cost: float = 0.0

    def add(self, call: Mapping[str, Any]) -> None:
        self.prompt_tokens += call.get("prompt_tokens") or 0
        self.completion_tokens += call.get("completion_tokens") or 0
        self.cost += call.get("cost") or 0.0

    def content(self, has_price: bool) -> dict[str, Any]:
        """As it stands in the log."""
        return {
            "prompt_tokens": self.prompt_tokens,
            "completion_tokens": self.completion_tokens,
            "cost": round(self.cost, 6) if has_price else None,
        }


@dataclass
class Usage:
    """The sums of one turn."""

    has_price: bool
    total: Sum = field(default_factory=Sum)
    agents: dict[str, Sum] = field(default_factory=dict)

    def add(self, agent: str, call: Mapping[str, Any]) -> None:
        """One call that this agent has made, or that was made to find out that it is to speak."""
        self.total.add(call)
        self.agents.setdefault(agent, Sum()).add(call)

    @property
    def content(self) -> dict[str, Any]:
        """As it stands in the log."""
        agents = {name: each.content(self.has_price) for name, each in self.agents.items()}
        return {**self.total.content(self.has_price), "agents": agents}


# AG2 keeps its counters with the client of each agent, makes them anew with every hand-off, and forgets those of the
# agents that choose a speaker. Every call of every client ends here.
_update_usage = OpenAIWrapper._update_usage


def _reported(wrapper: OpenAIWrapper, actual_usage: Any, total_usage: Any) -> None:
    _update_usage(wrapper, actual_usage, total_usage)
    report = current.get()
    if report is not None and actual_usage:
        report(actual_usage)


OpenAIWrapper._update_usage = _reported

current: contextvars.ContextVar[Report | None] = contextvars.ContextVar("usage", default=None)
