"""The options with which the agents that `build` returns are run."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Run:
    """Agents with the options for running them: return `Run(agents, max_turns=2)` from `build`.

    `agents` is whatever `build` may return.
    """

    agents: Any = None
    max_turns: int | None = None
    """Rounds after which the turn ends: a message to the agent and its reply are one."""
    fresh: bool = False
    """True if the agents forget what was said before each message, as in a program that runs once."""
    summary_method: str | Callable[..., Any] = "last_msg"
    """AG2's: `last_msg`, `reflection_with_llm`, or a function. It becomes the turn's answer."""
