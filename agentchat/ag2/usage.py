"""The cost of a turn's model calls by agent: tokens, and US dollars where the price is known."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any


@dataclass
class Cost:
    """A sum of tokens and US dollars."""

    prompt_tokens: int = 0
    completion_tokens: int = 0
    cost: float = 0.0

    def add(self, call: Mapping[str, Any]) -> None:
        self.prompt_tokens += call.get("prompt_tokens") or 0
        self.completion_tokens += call.get("completion_tokens") or 0
        self.cost += call.get("cost") or 0.0

    def content(self, has_price: bool) -> dict[str, Any]:
        """Return the amounts as logged."""
        return {
            "prompt_tokens": self.prompt_tokens,
            "completion_tokens": self.completion_tokens,
            "cost": round(self.cost, 6) if has_price else None,
        }


@dataclass
class Usage:
    """The costs of one turn. `has_price` is true if the price of every model is known."""

    has_price: bool
    total: Cost = field(default_factory=Cost)
    agents: dict[str, Cost] = field(default_factory=dict)

    def add(self, agent: str, call: Mapping[str, Any]) -> None:
        """Add a call that this agent made, or that was made to choose it as the next speaker."""
        self.total.add(call)
        self.agents.setdefault(agent, Cost()).add(call)

    @property
    def content(self) -> dict[str, Any]:
        """Return the amounts as logged."""
        agents = {name: each.content(self.has_price) for name, each in self.agents.items()}
        return {**self.total.content(self.has_price), "agents": agents}
