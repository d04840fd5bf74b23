"""The evidence a schedule leaves behind, for the checks."""

from __future__ import annotations

import contextlib
import sqlite3
from collections.abc import Mapping, Sequence, Set
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from agentchat.store.sqlite import SqliteStore
from tests.clients import Frame
from tests.faults.agents import RAN
from tests.faults.talk import Acknowledged

Log = Sequence[Frame]


@dataclass(frozen=True)
class Conversation:
    """One session: its log as stored, and what people saw, sent and requested."""

    log: Log
    views: Mapping[str, Log] = field(default_factory=dict)
    """The part of the log that each client saw, over all its connections."""
    accepted: Sequence[str] = ()
    """Ids of messages that were resent until they were seen."""
    refused: Sequence[str] = ()
    texts: frozenset[str] = frozenset()
    confirmations: Sequence[Any] = ()
    """The first frames of all connections."""
    reminded: Sequence[str] | None = None
    """The messages of people in the history of the last turn."""
    told: Sequence[str] = ()
    """All texts in that history."""
    acknowledged: Sequence[Acknowledged] = ()
    commands: Mapping[str, str] = field(default_factory=dict)
    edits: Mapping[str, str] = field(default_factory=dict)
    allowed: frozenset[str] = frozenset()
    """Codes of errors with which turns may fail."""


@dataclass(frozen=True)
class Evidence:
    """The evidence of one schedule."""

    conversations: Sequence[Conversation]
    ran: Sequence[tuple[str, str]] = ()
    """(tool, call) for each run of a tool."""
    ends: int = 0
    """The number of times the server was ended."""
    has_gone: bool = False
    """A conversation was deleted, with what its tools did."""


def logs(folder: Path) -> dict[str, list[Frame]]:
    """Return all logs of a data folder that no server is using."""
    store = SqliteStore(folder)
    with contextlib.closing(store):
        return {found.session.id: _log(store, found.session.id) for found in store.find("", None, 1_000_000)}


def _log(store: SqliteStore, session: str) -> list[Frame]:
    events: list[Frame] = []
    while page := store.read(session, len(events)):
        events += [
            {"seq": event.seq, "ts": event.ts, "turn": event.turn, "type": event.type, "content": event.content}
            for event in page
        ]
        if page[-1].seq != len(events):
            break  # a gap, which the checks report
    return events


def damage(folder: Path, passwords: Sequence[str], others: Set[str] = frozenset()) -> list[str]:
    """Return what is wrong with the database file: damage, unfinished work, and secrets it must not hold.

    In `others`, sessions that nobody was in, questions may wait.
    """
    data = b"".join(path.read_bytes() for path in folder.glob("agentchat.db*"))
    found = [f"the password {password} is in the file" for password in passwords if password.encode() in data]
    with contextlib.closing(sqlite3.connect(folder / "agentchat.db")) as db:
        found += [f"integrity_check: {row}" for (row,) in db.execute("PRAGMA integrity_check") if row != "ok"]
        try:
            db.execute("INSERT INTO words (words) VALUES ('integrity-check')")
        except sqlite3.DatabaseError as error:
            found.append(f"the full-text index: {error}")
    with contextlib.closing(SqliteStore(folder)) as store:
        found += [
            f"session {session} still has the open turn {turn}"
            for session, turn in store.open_turns()
            if session not in others
        ]
        found += [f"session {session} still has a message that waits" for session in store.sessions_unanswered()]
    return found


def ran(folder: Path) -> list[tuple[str, str]]:
    """Return (tool, call) for each run of a tool."""
    path = folder / RAN
    lines = path.read_text().splitlines() if path.exists() else []
    return [(tool, call) for tool, call in (line.split(" ") for line in lines)]
