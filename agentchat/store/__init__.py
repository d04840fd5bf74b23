"""Keeping logs. A store knows sessions, events and what the agents remember; nothing of AG2 or sockets.

`memory.py` is the reference, `sqlite.py` the one in use; both answer tests/store_contract.py.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from agentchat.events import Draft, Event


@dataclass(frozen=True)
class SessionRecord:
    """A session as the store knows it."""

    id: str
    agent: str
    created: str
    last_seq: int = 0
    last_turn: int = 0


class Store(Protocol):
    """All methods may be called from any thread. All raise StoreError when the storage itself fails."""

    def create(self, session: SessionRecord) -> None:
        """Keep a new, empty session."""

    def session(self, session_id: str) -> SessionRecord | None:
        """The session with this id, if there is one."""

    def append(self, session_id: str, drafts: Sequence[Draft], memory: str | None = None) -> list[Event]:
        """Append events in order, all or none, durable on return; the next `seq` is theirs.

        `memory` replaces what the agents remember of the drafts' turn, in the same transaction.
        Raises DuplicateMessage when the session has a draft's key already, and KeyError for an unknown session.
        """

    def read(self, session_id: str, after: int = 0, limit: int = 500) -> list[Event]:
        """Events with a `seq` greater than `after`, oldest first."""

    def memories(self, session_id: str) -> list[str]:
        """What the agents remember, turn by turn, oldest first."""

    def open_turns(self) -> list[tuple[str, int]]:
        """(session, turn) of every turn that was started and not completed."""

    def unanswered(self, session_id: str) -> list[Event]:
        """The `user_message` events whose turn was never started, oldest first."""

    def discard_empty(self, before: str) -> None:
        """Forget sessions without events that were created before that time."""

    def close(self) -> None:
        """Give back what the store holds."""
