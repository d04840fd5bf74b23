"""Accounts in the tests: in a folder of their own, with a clock that the test sets and hashes that cost little."""

from __future__ import annotations

from datetime import datetime, timedelta, timezone
from typing import Any

from argon2 import PasswordHasher

from agentchat.auth.passwords import Passwords

PASSWORD = "correct horse"


class Clock:
    """A clock that stands still until the test moves it."""

    def __init__(self) -> None:
        self.now = datetime(2030, 1, 1, tzinfo=timezone.utc)

    def __call__(self) -> datetime:
        return self.now

    def move(self, **time: float) -> None:
        self.now += timedelta(**time)


class CountingHasher(PasswordHasher):
    """Argon2 that counts the hashes it computes."""

    def __init__(self, time_cost: int = 1) -> None:
        super().__init__(time_cost=time_cost, memory_cost=64, parallelism=1)
        self.computed = 0

    def hash(self, *arguments: Any, **options: Any) -> str:
        self.computed += 1
        return super().hash(*arguments, **options)

    def verify(self, *arguments: Any) -> Any:
        self.computed += 1
        return super().verify(*arguments)


def cheap() -> Passwords:
    """Return passwords whose hashes cost a thousandth of real ones."""
    return Passwords(CountingHasher())
