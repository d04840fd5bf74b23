"""The contract of a store. A store knows sessions, events, histories and notes; nothing of AG2 or sockets.

`sqlite.py` fulfils it, and so does the reference in tests/memory_store.py. Both are checked by tests/store_contract.py.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Protocol

from agentchat.protocol.commands import Accepted, Command
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
    updated: str = ""
    """The time of the newest event, or of the creation if there is none."""
    held: str = ""
    """The state of the handover (protocol/handover.py); "" while the agents have the session."""
    messages: int = 0
    """The number of people's messages that count: each version of one that was edited or tried again replaces it."""
    folder: str = ""
    """The folder of its files, if it shares one with the other sessions of a project; "" if it has its own."""
    called: str = ""
    """The name that a client has for it in its project."""


@dataclass(frozen=True)
class Found:
    """A session that was found, and the places of the words: (seq, text around them), with seq 0 for the title."""

    session: SessionRecord
    places: Sequence[tuple[int, str]] = ()


@dataclass(frozen=True)
class Note:
    """A note about a person."""

    key: str
    value: str
    updated: str


INDEXED = frozenset({"rewind", "input_request", "input_response", "handoff", "task_created", "task_updated"})
"""The rare types of events that `read_types` finds without reading the whole log."""
PAGE_CHARS = 256 * 1024  # of events' bodies, after which a page of the log ends
TITLE_CHARS = 80  # of the first message, which names a session without a title
SEARCH_PLACES = 3  # shown of each session that was found
COMMANDS_KEPT = timedelta(days=1)  # for which commands are known that belong to no session, or to a deleted one
MAX_COMMANDS_KEPT = 10_000  # of these; the newest


class Store(Protocol):
    """Keeps logs. All methods can be called from any thread, and raise StoreError if the storage itself fails."""

    @property
    def epoch(self) -> str:
        """A random name for the time since the store was opened, in which nothing is taken from a log."""

    def create(self, session: SessionRecord, owner: str = "", command: Command | None = None) -> None:
        """Keep a new, empty session. Raises DuplicateCommand. `owner` is an id of whoever created it, if known."""

    def session(self, session_id: str) -> SessionRecord | None:
        """Return the session with this id, if there is one."""

    def append(
        self, session_id: str, drafts: Sequence[Draft], history: str | None = None, command: Command | None = None
    ) -> list[Event]:
        """Append events in order, all or none, with the next `seq`s; durable on return.

        The session's title and handover change with the events that say so. `history` replaces what the agents
        remember of the last draft's turn, and `command` is recorded as carried out, in the same transaction.

        Raises DuplicateCommand if the command's id is in use, DuplicateMessage if the session has a draft's key
        already, and KeyError for an unknown session.
        """

    def accept(self, command: Command) -> None:
        """Record a command that appends nothing, until its session is deleted. Raises DuplicateCommand."""

    def accepted(self, scope: str, id: str) -> Accepted | None:
        """Return the command that was carried out with this id."""

    def read(self, session_id: str, after: int = 0, limit: int = 500) -> list[Event]:
        """Return events with a `seq` greater than `after`, oldest first: `limit` of them, or fewer large ones.

        They end with the one that reaches PAGE_CHARS; there are none only behind the last.
        """

    def reached(self, session_id: str, epoch: str) -> int | None:
        """Return the newest `seq` in the session's log that was written in that epoch or before; None if unknown."""

    def read_types(self, session_id: str, types: Collection[str]) -> list[Event]:
        """Return all events of these types, oldest first; quick for those of INDEXED."""

    def histories(self, session_id: str) -> dict[int, str]:
        """Return what the agents remember of each turn, oldest first."""

    def history(self, session_id: str, turn: int) -> str | None:
        """Return what the agents remember of that turn."""

    def open_turns(self) -> list[tuple[str, int]]:
        """Return (session, turn) of every turn that was started and not completed."""

    def unanswered(self, session_id: str) -> list[Event]:
        """Return the `user_message` events whose turn never started, oldest first; each version of edited ones."""

    def turn_bounds(self, session_id: str, turn: int) -> list[Event]:
        """Return the turn's `user_message` (each version), `turn_started` and `turn_completed`, oldest first."""

    def keyed(self, session_id: str, key: str) -> Event | None:
        """Return the event that was appended with that key."""

    def sessions_unanswered(self) -> list[str]:
        """Return the sessions in which `unanswered` finds something."""

    def find(self, words: str, before: tuple[str, str] | None, limit: int, person: str | None = None) -> list[Found]:
        """Return the sessions with all `words` in their title or messages, or all sessions for "", newest first.

        `before` is (updated, id) of a session; only sessions after it in this order are returned. With a `person`,
        only those that are theirs or that they are a member of. Raises ChatError if that takes too long.
        """

    def held(self) -> list[SessionRecord]:
        """Return the sessions that the agents don't have, and those with a question to operators."""

    def note(self, user: str, key: str, value: str, session_id: str | None = None) -> None:
        """Keep a note about a person, in place of the one under that key.

        With a session, raises KeyError if that is gone: what was noted in it would stay behind.
        """

    def notes(self, user: str) -> list[Note]:
        """Return the notes about a person, ordered by key."""

    def forget(self, user: str, key: str | None = None, command: Command | None = None) -> int:
        """Erase that note about a person, or all of them. Returns how many there were. Raises DuplicateCommand.

        The command is recorded unless there was nothing to erase.
        """

    def delete(self, session_id: str, command: Command | None = None) -> bool:
        """Delete a session with everything that belongs to it, and the notes about those known only in it.

        Only the command that deleted it is still known afterwards. Returns False if there is none.
        """

    def newest(self) -> str:
        """Return the time of the newest event or session; "" if there is none."""

    def count(self, before: str = "~") -> int:
        """Return how many sessions have had no event since that time; all of them without one."""

    def in_folder(self, folder: str, called: str = "") -> list[str]:
        """Return the sessions that share that folder, oldest first; with a name, only those that are called so."""

    def owned(self, owner: str) -> int:
        """Return how many sessions that owner has created that still exist."""

    def owner(self, session_id: str) -> str:
        """Return the owner of a session; "" if it is not known, or there is no such session."""

    def expired(self, before: str, limit: int) -> list[str]:
        """Return the sessions without an event since that time, those that have rested longest first."""

    def discard_empty(self, before: str) -> None:
        """Delete the sessions without events that were created before that time."""

    def check(self) -> None:
        """Raise StoreError if the store is not well or takes no changes; within about half a second."""

    def close(self) -> None:
        """Release what the store holds."""
