"""Expiry: a conversation without events for longer than `--session-ttl-hours` goes, and no other."""

from __future__ import annotations

import contextlib
import sqlite3
from collections.abc import Iterator, Mapping
from datetime import datetime, timedelta
from typing import Any

from agentchat.protocol.events import time
from tests.faults.acts.kind import Kind, Stage
from tests.faults.checks.gone import Remains, remains
from tests.faults.evidence import Log
from tests.faults.talk import Talk
from tests.rest_client import SESSIONS

KEPT = 48  # hours
AGED = timedelta(hours=60)


class Expiry(Kind):
    """While no server runs, all that a conversation has is made older.

    Where clocks are set, nothing is: nothing may expire before people had time to set them right.
    """

    name = "expiry"
    reaches = (
        "sessions expired",
        "expired sessions looked for",
        "sessions asked for in vain",
    )
    options = ("--session-ttl-hours", str(KEPT))

    def __init__(self, stage: Stage) -> None:
        super().__init__(stage)
        self._looked: list[Remains] = []

    def inside(self) -> dict[str, Any]:
        return {} if "clocks" in self._stage.kinds else {"doubt": 0}

    def server_ended(self) -> None:
        for talk in self._stage.live:
            if talk.doom == self.name and talk.is_idle and talk.log and not talk.to_say and len(self._stage.live) > 2:
                self._age(talk)

    def _age(self, talk: Talk) -> None:
        """Make a conversation older, unless it goes on: with what nobody has seen yet, or a request to be repeated."""
        with contextlib.closing(sqlite3.connect(self._stage.data / "agentchat.db")) as db, db:
            events = db.execute("SELECT seq, ts FROM events WHERE session = ?", (talk.id,)).fetchall()
            if len(events) != len(talk.log) or self._stage.caller.has_unanswered(talk):
                return
            talk.state = "gone"
            self._figures["sessions expired"] += 1
            older = [(_older(ts), talk.id, seq) for seq, ts in events]
            db.executemany("UPDATE events SET ts = ? WHERE session = ? AND seq = ?", older)
            [(created, updated)] = db.execute("SELECT created, updated FROM sessions WHERE id = ?", (talk.id,))
            values = (_older(created), _older(updated), talk.id)
            db.execute("UPDATE sessions SET created = ?, updated = ? WHERE id = ?", values)

    def look(self) -> None:
        for talk in self._stage.talks:
            if talk.state == "gone" and talk.doom == self.name:
                self._looked.append(Remains.look(talk, self._stage.get))
        for talk in self._stage.live:
            status = self._stage.get(f"{SESSIONS}/{talk.id}").status
            if status != 200:
                self._stage.complaints.append(f"{talk.id} has not expired, and was answered {status}")

    def judge(self, logs: Mapping[str, Log]) -> Iterator[str]:
        for each in self._looked:
            self._figures["expired sessions looked for"] += 1
            yield from remains(each, self._stage.data)


def _older(ts: str) -> str:
    return time(datetime.fromisoformat(ts.replace("Z", "+00:00")) - AGED)
