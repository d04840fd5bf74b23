"""Quotas of each person and day: turns of the agents, tokens of the models, and money."""

from __future__ import annotations

import math
import threading
from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import asdict
from datetime import datetime, timedelta, timezone
from typing import Any

from agentchat.protocol import events
from agentchat.protocol.errors import ChatError
from agentchat.sessions.rules import SessionRules
from agentchat.store.usage import Amount, Usage


class QuotaUsed(ChatError):
    """A person has nothing left for today."""

    def __init__(self, seconds: int, quota: str, left: str) -> None:
        super().__init__("quota_used", quota=quota, left=left)
        self.retry_after = seconds


class Quotas:
    """The quotas of all people. A day begins at midnight UTC."""

    def __init__(
        self,
        usage: Usage | None,
        rules: SessionRules,
        clock: Callable[[], datetime] = lambda: datetime.now(timezone.utc),
    ) -> None:
        """Without `usage` there are none."""
        self._usage = usage
        self._limits = {
            name: limit
            for name, limit in (
                ("turns", rules.turns_per_day),
                ("tokens", rules.tokens_per_day),
                ("cost", rules.cost_per_day),
            )
            if limit
        }
        self._clock = clock
        self._lock = threading.Lock()  # guards what follows
        self._accepted: dict[str, list[str]] = {}  # by session, the people whose turns have not ended
        self._turns: Counter[str] = Counter()  # the same turns by person

    def update(self, session_id: str, people: Iterable[str]) -> None:
        """Count these people's turns, one each, and no others as accepted and not ended in that session."""
        with self._lock:
            self._turns.subtract(self._accepted.pop(session_id, ()))
            if accepted := list(people):
                self._accepted[session_id] = accepted
                self._turns.update(accepted)
            self._turns = +self._turns

    def check(self, person: str) -> None:
        """Raise ChatError if another turn would be more than a person may have today."""
        if not self._limits:
            return
        now = self._clock()
        used = self._used(now, person)
        with self._lock:
            expected = self._turns[person]
        for name, limit in self._limits.items():
            if getattr(used, name) + (expected if name == "turns" else 0) >= limit:
                others = {other: left for other, left in self._left(used).items() if other != name}
                told = " and ".join(_told(other, left) for other, left in others.items())
                raise QuotaUsed(_until_midnight(now), _told(name, limit), told or "nothing else is limited")

    def about(self, person: str) -> dict[str, Any]:
        """Return what a person has used today, and what is left; None stands for no limit."""
        now = self._clock()
        used = self._used(now, person)
        none = dict.fromkeys(asdict(used))
        return {
            "day": events.time(now)[:10],
            "used": asdict(used),
            "limit": {**none, **self._limits},
            "left": {**none, **self._left(used)},
        }

    def _used(self, now: datetime, person: str) -> Amount:
        return self._usage.of(events.time(now)[:10], person) if self._usage is not None else Amount()

    def _left(self, used: Amount) -> dict[str, float]:
        return {name: max(limit - getattr(used, name), 0) for name, limit in self._limits.items()}


def _told(name: str, amount: float) -> str:
    """Return an amount in words."""
    if name == "cost":
        whole, _, parts = f"{amount:,.4f}".partition(".")
        return f"${whole}.{parts.rstrip('0'):0<2}"
    unit = name[:-1] if amount == 1 else name
    return f"{amount:,} {unit}"


def _until_midnight(now: datetime) -> int:
    """Return the seconds until the next day begins in UTC."""
    midnight = now.replace(hour=0, minute=0, second=0, microsecond=0) + timedelta(days=1)
    return math.ceil((midnight - now).total_seconds())
