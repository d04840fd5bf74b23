"""The cost of a turn's model calls by agent: tokens, and US dollars where the price is known."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from agentchat.protocol.session_events import UNKNOWN_USAGE


@dataclass
class Cost:
    """A sum of tokens and US dollars."""

    prompt_tokens: int = 0
    completion_tokens: int = 0
    cost: float = 0.0
    is_estimated: bool = False

    def add(self, call: Mapping[str, Any]) -> None:
        self.prompt_tokens += call.get("prompt_tokens") or 0
        self.completion_tokens += call.get("completion_tokens") or 0
        self.cost += call.get("cost") or 0.0
        self.is_estimated = self.is_estimated or bool(call.get("estimated"))

    def content(self, has_price: bool) -> dict[str, Any]:
        """Return the amounts as logged."""
        return {
            "prompt_tokens": self.prompt_tokens,
            "completion_tokens": self.completion_tokens,
            "cost": round(self.cost, 6) if has_price else None,
            **({"estimated": True} if self.is_estimated else {}),
        }


@dataclass
class Usage:
    """The costs of one turn. `has_price` is true if the price of every model is known."""

    has_price: bool
    total: Cost = field(default_factory=Cost)
    agents: dict[str, Cost] = field(default_factory=dict)
    has_open_call: bool = False

    def begin_call(self) -> None:
        """Note that a model is called, which costs something even if the call fails or is stopped."""
        self.has_open_call = True

    def add(self, agent: str, call: Mapping[str, Any]) -> None:
        """Add a call that this agent made, or that was made to choose it as the next speaker."""
        self.has_open_call = False
        self.total.add(call)
        self.agents.setdefault(agent, Cost()).add(call)

    @property
    def content(self) -> dict[str, Any]:
        """Return the amounts as logged; they are unknown if only calls without an answer were made."""
        if self.has_open_call and not self.agents:
            return dict(UNKNOWN_USAGE)
        agents = {name: each.content(self.has_price) for name, each in self.agents.items()}
        return {**self.total.content(self.has_price), "agents": agents}
