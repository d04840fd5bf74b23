"""Databases of earlier versions: their conversations go on, and break like any others."""

from __future__ import annotations

import contextlib
import json
import sqlite3
from collections.abc import Iterator, Mapping

from tests.faults.acts.kind import Kind, Stage
from tests.faults.checks.upgrades import kept
from tests.faults.evidence import Log
from tests.faults.talk import Talk
from tests.test_old_databases import load


class Upgrades(Kind):
    """The sessions in plan.OLD_AGENTS are taken up by people of today."""

    name = "upgrades"
    reaches = (
        "old databases",
        "old events compared",
    )

    def __init__(self, stage: Stage) -> None:
        super().__init__(stage)
        self.sessions: set[str] = set()  # all of them: people are in some
        self._old: dict[str, list[dict[str, object]]] = {}

    def prepare(self) -> None:
        load(self._stage.database, self._stage.data).close()
        with contextlib.closing(sqlite3.connect(self._stage.data / "agentchat.db")) as db:
            rows = db.execute("SELECT session, seq, ts, turn, type, body FROM events ORDER BY session, seq").fetchall()
        for session, seq, ts, turn, type, body in rows:
            event = {"seq": seq, "ts": ts, "turn": turn, "type": type, "content": json.loads(body)}
            self._old.setdefault(session, []).append(event)
        self.sessions |= set(self._old)
        self._figures["old databases"] += 1
        for talk in list(self._stage.talks):
            if talk.is_old:
                self._take_up(talk)

    def _take_up(self, talk: Talk) -> None:
        messages = [e["content"] for e in self._old[talk.id] if e["type"] == "user_message"]
        talk.old = frozenset(message["id"] for message in messages)  # type: ignore[index]
        talk.texts |= {message["text"] for message in messages}  # type: ignore[index]

    def judge(self, logs: Mapping[str, Log]) -> Iterator[str]:
        for id, events in self._old.items():
            self._figures["old events compared"] += len(events)
            yield from kept(id, events, logs.get(id, []))
