"""Who is in a session now."""

from __future__ import annotations

import threading
from collections import Counter
from typing import Any

ROLES = ("member", "viewer", "operator")


class People:
    """The people whose connections follow a session. One who is there in three tabs is one person."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._connections: Counter[tuple[str, str]] = Counter()  # by name and role

    def join(self, name: str, role: str) -> None:
        with self._lock:
            self._connections[name, role] += 1

    def part(self, name: str, role: str) -> None:
        with self._lock:
            self._connections[name, role] -= 1
            if not self._connections[name, role]:
                del self._connections[name, role]

    def has(self, name: str) -> bool:
        with self._lock:
            return any(present == name for present, _ in self._connections)

    @property
    def participants(self) -> list[dict[str, Any]]:
        """In the order in which they came."""
        with self._lock:
            return [{"name": n, "role": role, "connections": c} for (n, role), c in self._connections.items()]
