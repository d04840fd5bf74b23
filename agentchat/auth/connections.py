"""The connections that last, with whoever has them, for admins to see."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Iterator
from dataclasses import dataclass

from agentchat.protocol.events import now
from agentchat.protocol.identity import Caller


@dataclass
class Connection:
    """A WebSocket, an event stream, or a request that waits for agents."""

    caller: Caller
    kind: str
    """`websocket`, `stream` or `request`."""
    session: str
    """The id of the session that it is in; "" while it is in none."""
    since: str


class Connections:
    """The connections that last at this moment. Any thread may use it."""

    def __init__(self) -> None:
        self._lock = threading.Lock()  # guards what follows
        self._all: dict[int, Connection] = {}  # by their identity

    def add(self, caller: Caller, kind: str, session: str = "") -> Connection:
        """Count a connection until `remove`."""
        connection = Connection(caller, kind, session, now())
        with self._lock:
            self._all[id(connection)] = connection
        return connection

    def remove(self, connection: Connection) -> None:
        """Count it no longer."""
        with self._lock:
            self._all.pop(id(connection), None)

    @contextlib.contextmanager
    def counting(self, caller: Caller, kind: str, session: str = "") -> Iterator[Connection]:
        """Count a connection for the duration of the context."""
        connection = self.add(caller, kind, session)
        try:
            yield connection
        finally:
            self.remove(connection)

    @property
    def all(self) -> list[Connection]:
        """All of them, the oldest first."""
        with self._lock:
            return list(self._all.values())
