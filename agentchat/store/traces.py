"""The traces of a person outside the sessions that are theirs, and taking them out."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from typing import Any

from agentchat.store.sharing import Select, Write

MERGED = 500  # pages of the index of words that one change merges


class Traces:
    """The ids of people in the database. All methods may be called again."""

    def __init__(self, write: Write, remove: Write, select: Select) -> None:
        self._write = write
        self._remove = remove
        self._select = select

    def held_by(self, user: str) -> list[str]:
        """Return the sessions that this operator has."""
        return [id for (id,) in self._select("SELECT id FROM sessions WHERE holder = ? ORDER BY id", user)]

    def sessions(self, user: str) -> list[str]:
        """Return the sessions whose logs or histories have the person's id. Reads all of them, one after another."""
        has = (
            "SELECT EXISTS (SELECT 1 FROM events WHERE session = ? AND instr(body, ?))"
            " OR EXISTS (SELECT 1 FROM memories WHERE session = ? AND instr(memory, ?))"
        )
        ids = [id for (id,) in self._select("SELECT id FROM sessions ORDER BY id")]
        return [id for id in ids if self._select(has, id, user, id, user)[0][0]]

    def take_out(self, session_id: str, user: str) -> None:
        """Take a person's id out of the log of a session, and of what its agents remember; what was said stays."""

        def take_out(db: sqlite3.Connection) -> None:
            for table, column in (("events", "body"), ("memories", "memory")):
                db.execute(
                    f"UPDATE {table} SET {column} = replace({column}, ?, '') WHERE session = ? AND instr({column}, ?)",
                    (user, session_id, user),
                )

        self._remove(take_out)

    def forget(self, user: str) -> None:
        """Delete the memberships, notes, usage and commands of a person."""

        def forget(db: sqlite3.Connection) -> None:
            for table in ("members", "notes", "usage"):
                db.execute(f"DELETE FROM {table} WHERE user = ?", (user,))
            db.execute("DELETE FROM commands WHERE scope IN (?, ?)", (f"creator:{user}", f"memory:{user}"))
            db.execute("UPDATE commands SET person = '' WHERE person = ?", (user,))

        self._remove(forget)

    def merge_words(self) -> None:
        """Merge the index of words, in which deleted ones are still written until then."""
        self._remove(_merge(-MERGED))
        while self._remove(_merge(MERGED)) > 1:
            pass  # each change is a short one: others come between


def _merge(pages: int) -> Callable[[sqlite3.Connection], Any]:
    """Return a change that merges so many pages, and returns how many rows that changed; less than 2 at the end."""

    def merge(db: sqlite3.Connection) -> int:
        before = db.total_changes
        db.execute("INSERT INTO words (words, rank) VALUES ('merge', ?)", (pages,))
        return db.total_changes - before

    return merge
