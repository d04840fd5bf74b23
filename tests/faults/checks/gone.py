"""Checks of sessions that are gone: nothing of them is listed, found, served or kept."""

from __future__ import annotations

import contextlib
import sqlite3
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from agentchat.protocol.identity import user_id
from tests.faults.model import label
from tests.faults.talk import Talk
from tests.rest_client import SESSIONS, Answer

PARTS = ("", "/events", "/files", "/tasks", "/export")
FOLDERS = ("workspaces", "originals", "versions")


@dataclass(frozen=True)
class Remains:
    """The traces of a session that is gone."""

    id: str
    statuses: dict[str, int]
    is_listed: bool
    found_by: str
    """A word that the search found it by, if it did."""

    @classmethod
    def look(cls, talk: Talk, get: Callable[[str], Answer]) -> Remains:
        """Look for the session over REST."""
        statuses = {part: get(f"{SESSIONS}/{talk.id}{part}").status for part in PARTS}
        listed = [session["id"] for session in get(f"{SESSIONS}?limit=200").json["sessions"]]
        said = sorted({label(f["content"]["text"]) for f in talk.log if f["type"] == "user_message"})
        found = ""
        for word in said[:3]:
            answer = get(f"{SESSIONS}?q={word.split()[0]}")
            if talk.id in [session["id"] for session in answer.json["sessions"]]:
                found = word
        return cls(talk.id, statuses, talk.id in listed, found)


def remains(gone: Remains, data: Path) -> Iterator[str]:
    """Check what was found over REST, and the data folder after the last server has ended."""
    if any(status != 404 for status in gone.statuses.values()):
        yield f"{gone.id} is gone, and was answered {gone.statuses}"
    if gone.is_listed:
        yield f"{gone.id} is gone, and still listed"
    if gone.found_by:
        yield f"{gone.id} is gone, and found by {gone.found_by!r}"
    for folder in FOLDERS:
        left = data / folder / gone.id
        if left.exists():
            yield f"{gone.id} is gone, and left {folder} with {sorted(path.name for path in left.rglob('*'))}"
    with contextlib.closing(sqlite3.connect(data / "agentchat.db")) as db:
        tables = [name for (name,) in db.execute("SELECT name FROM sqlite_master WHERE type = 'table'")]
        for table in tables:
            columns = {row[1] for row in db.execute(f"PRAGMA table_info({table})")}
            owners = [("session", gone.id)] if "session" in columns else []
            owners += [("id", gone.id)] if table == "sessions" else []
            owners += [("user", user_id("user", "", gone.id))] if table == "notes" else []
            for column, value in owners:
                [(rows,)] = db.execute(f"SELECT count(*) FROM {table} WHERE {column} = ?", (value,))
                if rows:
                    yield f"{gone.id} is gone, and left {rows} rows in {table}"
