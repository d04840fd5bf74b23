"""The connections that last, with whoever has them, for admins to see."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from agentchat.protocol.events import now
from agentchat.protocol.identity import Caller


@dataclass(frozen=True)
class Connection:
    """A WebSocket, an event stream, or a request that waits for agents."""

    caller: Caller
    kind: str
    """`websocket`, `stream` or `request`."""
    session: str
    """The id of the session that it is in; "" if it is in none."""
    since: str


class Connections:
    """The connections that last at this moment. Any thread may use it."""

    def __init__(self) -> None:
        self._lock = threading.Lock()  # guards what follows
        self._all: dict[int, Connection] = {}
        self._last = 0

    def add(self, caller: Caller, kind: str, session: str = "") -> Callable[[], None]:
        """Count a connection. Returns the function that ends this."""
        connection = Connection(caller, kind, session, now())
        with self._lock:
            self._last += 1
            number = self._last
            self._all[number] = connection

        def remove() -> None:
            with self._lock:
                self._all.pop(number, None)

        return remove

    @contextlib.contextmanager
    def counting(self, caller: Caller, kind: str, session: str = "") -> Iterator[None]:
        """Count a connection for the duration of the context."""
        remove = self.add(caller, kind, session)
        try:
            yield
        finally:
            remove()

    @property
    def all(self) -> list[Connection]:
        """All of them, the oldest first."""
        with self._lock:
            return list(self._all.values())
