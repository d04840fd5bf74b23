"""Keeping logs. A store knows sessions, events and what the agents remember; nothing of AG2 or sockets.

`memory.py` is the reference, `sqlite.py` the one in use; both answer tests/store_contract.py.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Protocol

from agentchat.protocol.events import Draft, Event


@dataclass(frozen=True)
class SessionRecord:
    """A session as the store knows it."""

    id: str
    agent: str
    created: str
    last_seq: int = 0
    last_turn: int = 0
    title: str = ""
    updated: str = ""  # when its newest event was written, else when it was made
    held: str = ""  # the state in which it is held by a human (held.py), "" when the agents have it


@dataclass(frozen=True)
class Found:
    """A session that was looked for, and where the words stand: (seq, text around them), seq 0 for the title."""

    session: SessionRecord
    places: Sequence[tuple[int, str]] = ()


@dataclass(frozen=True)
class Note:
    """Something that is remembered of a person."""

    key: str
    value: str
    updated: str


MARKS = frozenset({"rewind", "input_request", "input_response"})  # rare events that change what others mean
TITLE_CHARS = 80  # of the first message, which names a session without a title
SEARCH_PLACES = 3  # shown of each session that was found


class Store(Protocol):
    """All methods may be called from any thread. All raise StoreError when the storage itself fails."""

    def create(self, session: SessionRecord) -> None:
        """Keep a new, empty session."""

    def session(self, session_id: str) -> SessionRecord | None:
        """The session with this id, if there is one."""

    def append(self, session_id: str, drafts: Sequence[Draft], history: str | None = None) -> list[Event]:
        """Append events in order, all or none, durable on return; the next `seq` is theirs.

        A session's title and who holds it change with the events that say so.

        `memory` replaces what the agents remember of the drafts' turn, in the same transaction.
        Raises DuplicateMessage when the session has a draft's key already, and KeyError for an unknown session.
        """

    def read(self, session_id: str, after: int = 0, limit: int = 500) -> list[Event]:
        """Events with a `seq` greater than `after`, oldest first."""

    def read_types(self, session_id: str, types: Collection[str]) -> list[Event]:
        """All events of these types, oldest first: quick for those of MARKS, hand-offs and tasks."""

    def histories(self, session_id: str) -> dict[int, str]:
        """What the agents remember of each turn, oldest first."""

    def history(self, session_id: str, turn: int) -> str | None:
        """What the agents remember of that turn."""

    def open_turns(self) -> list[tuple[str, int]]:
        """(session, turn) of every turn that was started and not completed."""

    def unanswered(self, session_id: str) -> list[Event]:
        """The `user_message` events whose turn was never started, oldest first; of edited messages each version."""

    def milestones(self, session_id: str, turn: int) -> list[Event]:
        """The turn's `user_message` (each version of it), `turn_started` and `turn_completed`, oldest first."""

    def keyed(self, session_id: str, key: str) -> Event | None:
        """The event that was appended with that key."""

    def sessions_unanswered(self) -> list[str]:
        """The sessions in which `unanswered` finds something."""

    def find(self, words: str, before: tuple[str, str] | None, limit: int) -> list[Found]:
        """Sessions in whose title or messages all `words` stand, or all of them for "", newest first.

        `before` is (updated, id) of a session: only those behind it.
        """

    def held(self) -> list[SessionRecord]:
        """The sessions that the agents do not have."""

    def note(self, user: str, key: str, value: str) -> None:
        """Keep something about a person, in place of what the key held."""

    def notes(self, user: str) -> list[Note]:
        """What is kept about a person, by key."""

    def forget(self, user: str, key: str | None = None) -> int:
        """Keep it no longer, or nothing about that person. Returns how many notes there were."""

    def delete(self, session_id: str) -> bool:
        """Forget a session with all that belongs to it. False if there is none."""

    def expired(self, before: str) -> list[str]:
        """Sessions without an event since that time."""

    def discard_empty(self, before: str) -> None:
        """Forget sessions without events that were created before that time."""

    def close(self) -> None:
        """Give back what the store holds."""
