"""The people who are present: in a session, and at the desk from which operators take sessions over."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Callable
from typing import Any

ROLES = ("member", "viewer", "operator")


class Participants:
    """The people whose connections follow a session. Somebody with three open tabs is one person."""

    def __init__(self) -> None:
        self._lock = threading.Lock()  # guards `_connections`
        self._connections: Counter[tuple[str, str]] = Counter()  # by name and role

    def join(self, name: str, role: str) -> None:
        """Count another connection of that person."""
        with self._lock:
            self._connections[name, role] += 1

    def leave(self, name: str, role: str) -> None:
        """Count one connection fewer."""
        with self._lock:
            self._connections[name, role] -= 1
            if not self._connections[name, role]:
                del self._connections[name, role]

    def has(self, name: str) -> bool:
        """Return True if somebody of that name is there, in any role."""
        with self._lock:
            return any(present == name for present, _ in self._connections)

    @property
    def contents(self) -> list[dict[str, Any]]:
        """The participants as clients see them, in order of arrival."""
        with self._lock:
            return [{"name": n, "role": role, "connections": c} for (n, role), c in self._connections.items()]


class Desk:
    """The people at the desk."""

    def __init__(self) -> None:
        self._lock = threading.Lock()  # guards what follows
        self._connections: Counter[str] = Counter()  # by name
        self._followers: tuple[Callable[[], None], ...] = ()

    @property
    def operators(self) -> list[str]:
        """Their names, in order of arrival."""
        with self._lock:
            return list(self._connections)

    def join(self, name: str) -> None:
        """Count another connection of that operator."""
        with self._lock:
            self._connections[name] += 1
        self.changed()

    def leave(self, name: str) -> None:
        """Count one connection fewer."""
        with self._lock:
            self._connections[name] -= 1
            if not self._connections[name]:
                del self._connections[name]
        self.changed()

    def follow(self, wake: Callable[[], None]) -> None:
        """Call `wake` whenever something changes at the desk, from any thread. It must not block."""
        with self._lock:
            self._followers = (*self._followers, wake)

    def unfollow(self, wake: Callable[[], None]) -> None:
        """Stop calling `wake`."""
        with self._lock:
            self._followers = tuple(follower for follower in self._followers if follower != wake)

    def changed(self) -> None:
        """Call the followers: an operator came or went, or a session was handed over, handed back or deleted."""
        for wake in self._followers:
            wake()
