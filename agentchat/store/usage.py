"""Usage of each person and day: the turns of agents, and what they cost."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from agentchat.protocol import events
from agentchat.protocol.events import Draft
from agentchat.protocol.handover import HUMAN
from agentchat.protocol.identity import YOU

KEPT = timedelta(days=365)
MAX_TOKENS = 10**12  # of one turn; what model servers say is no more than a claim
MAX_COST = 10.0**6  # US dollars of one turn
MAX_DAYS_OF_AGENTS = 5000  # days times agents whose usage is told at once
MAX_USED = 1000  # people and agents whose usage is told at once

Select = Callable[..., list[Any]]


@dataclass(frozen=True)
class Amount:
    """An amount of usage."""

    turns: int = 0
    tokens: int = 0
    cost: float = 0.0
    """US dollars, as far as the prices are known."""


@dataclass(frozen=True)
class Used(Amount):
    """The usage of an agent by a person."""

    user: str = ""
    agent: str = ""


class Usage:
    """The usage of all people, by day in UTC."""

    def __init__(self, select: Select) -> None:
        self._select = select

    def of(self, day: str, user: str) -> Amount:
        """Return what a person has used on a day, such as 2030-01-31."""
        query = "SELECT sum(turns), sum(tokens), sum(cost) FROM usage WHERE day = ? AND user = ?"
        [(turns, tokens, cost)] = self._select(query, day, user)
        return Amount(int(turns or 0), int(tokens or 0), float(cost or 0))

    def all_of(self, user: str) -> list[dict[str, Any]]:
        """Return what a person has used, by day and agent."""
        query = "SELECT day, agent, turns, tokens, cost FROM usage WHERE user = ? ORDER BY day, agent"
        names = ("day", "agent", "turns", "tokens", "cost")
        return [dict(zip(names, row, strict=True)) for row in self._select(query, user)]

    def by_day(self, since: str) -> list[dict[str, Any]]:
        """Return what everybody together has used since that day, by day and agent, oldest first."""
        query = (
            "SELECT day, agent, sum(turns), sum(tokens), sum(cost) FROM usage WHERE day >= ?"
            " GROUP BY day, agent ORDER BY day DESC, sum(turns) DESC, agent LIMIT ?"
        )
        names = ("day", "agent", "turns", "tokens", "cost")
        return [dict(zip(names, row, strict=True)) for row in reversed(self._select(query, since, MAX_DAYS_OF_AGENTS))]

    def since(self, day: str) -> list[Used]:
        """Return what each person has used of each agent since that day, the most expensive first."""
        query = (
            "SELECT sum(turns), sum(tokens), sum(cost), user, agent FROM usage WHERE day >= ?"
            " GROUP BY user, agent ORDER BY sum(cost) DESC, sum(tokens) DESC, sum(turns) DESC, user, agent LIMIT ?"
        )
        return [Used(*row) for row in self._select(query, day, MAX_USED)]


def count(db: sqlite3.Connection, session_id: str, draft: Draft, ts: str) -> None:
    """Count the turn that ends with this draft, unless its end is in the log already or no agent had it.

    It counts for the author of its message, on the day of its end.
    """
    if draft.type != "turn_completed":
        return
    query = (
        "SELECT type, body FROM events INDEXED BY event_turns WHERE session = ? AND turn = ?"
        " AND type IN ('user_message', 'turn_started', 'turn_completed') ORDER BY seq"
    )
    bounds = {type: json.loads(body) for type, body in db.execute(query, (session_id, draft.turn))}
    user = str(bounds.get("user_message", {}).get("user", "")) or YOU  # a program without a name
    agent = str(bounds.get("turn_started", {}).get("agent", HUMAN))
    if agent == HUMAN or "turn_completed" in bounds:
        return
    used = _amount(json.loads(draft.body)["usage"])
    day, oldest = ts[:10], events.time(events.moment(ts) - KEPT)[:10]
    db.execute(
        "INSERT INTO usage VALUES (?, ?, ?, ?, ?, ?) ON CONFLICT (day, user, agent) DO UPDATE SET"
        " turns = turns + excluded.turns, tokens = tokens + excluded.tokens, cost = cost + excluded.cost",
        (day, user, agent, used.turns, used.tokens, used.cost),
    )
    db.execute("DELETE FROM usage WHERE day < ?", (oldest,))


def _amount(told: Any) -> Amount:
    tokens = sum(min(max(told[name] or 0, 0), MAX_TOKENS) for name in ("prompt_tokens", "completion_tokens"))
    return Amount(1, int(tokens), min(max(told["cost"] or 0.0, 0.0), MAX_COST))
