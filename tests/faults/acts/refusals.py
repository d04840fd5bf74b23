"""A store that refuses for a while: another process holds the write lock, or the disk is full."""

from __future__ import annotations

import contextlib
import resource
import sqlite3
import time
from collections.abc import Iterator, Mapping
from typing import Any

from tests.faults.acts.kind import Kind, Stage
from tests.faults.checks.refusals import refused
from tests.faults.evidence import Log
from tests.faults.rest import REFUSED
from tests.faults.talk import Talk
from tests.rest_client import SESSIONS, Answer

BUSY = 300  # ms that the server waits for the lock, in place of the seconds that it would wait for a backup
TRIED = 4  # further commands of all kinds that are sent to each conversation meanwhile
LONGEST = 2.0  # seconds without a refusal after which the store works again
FULL = 96 * 1024  # bytes of the largest file; the database's journal soon needs more


class Refusals(Kind):
    name = "refusals"
    reaches = (
        "stores refusing (lock)",
        "stores refusing (full)",
        "commands refused by the store",
    )
    expected = REFUSED
    excuses = ("StoreError",)

    def __init__(self, stage: Stage) -> None:
        super().__init__(stage)
        self._lock: sqlite3.Connection | None = None
        self._full = 0  # the process with the limit
        self._since = 0.0
        self._awaited = 0  # answers to what was tried meanwhile
        self._titles: list[str] = []
        self._unkept: list[tuple[Talk, str]] = []  # messages to send again
        self.sessions: set[str] = set()  # those that were made all the same
        self._sessions: list[dict[str, Any]] = []

    def inside(self) -> dict[str, Any]:
        return {"busy_timeout": BUSY}

    @property
    def is_refusing(self) -> bool:
        return self._lock is not None or bool(self._full)

    def breaks(self, what: str) -> None:
        if what not in {"lock", "full"} or self.is_refusing or self._stage.addresses is None:
            return
        if what == "lock":
            lock = sqlite3.connect(self._stage.data / "agentchat.db", isolation_level=None, timeout=0)
            try:
                lock.execute("BEGIN IMMEDIATE")
            except sqlite3.OperationalError:  # the server writes just now
                lock.close()
                return
            self._lock = lock
        else:
            self._full = self._stage.pid
            self._limit(FULL)
        self._stage.caller.is_store_refusing = True
        self._figures[f"stores refusing ({what})"] += 1
        self._since = time.monotonic()
        for talk in [talk for talk in self._stage.live if talk.id]:  # others are not there yet
            self._try(talk)
            for _ in range(TRIED):
                self._stage.interfere(talk)

    def _try(self, talk: Talk) -> None:
        """Send what must have no effect once it was refused: another title, and a session with one."""
        self._ask(talk, "PATCH", "")
        self._ask(talk, "POST", SESSIONS)

    def _ask(self, talk: Talk, method: str, what: str) -> None:
        title = f"Refused {self._stage.next()}"
        self._awaited += 1

        def then(answer: Answer) -> None:
            self._awaited = max(self._awaited - 1, 0)  # it may have been repeated
            if answer.status == 201:
                self.sessions.add(answer.json["id"])

        def gives_up() -> None:
            self._awaited -= 1
            self._figures["commands refused by the store"] += 1
            self._titles.append(title)

        key = self._stage.command_id(talk, "rename" if method == "PATCH" else "create")
        self._send(talk, method, what, then=then, gives_up=gives_up, body={"title": title}, key=key)

    def go_on(self, talk: Talk) -> bool:
        if self.is_refusing and (not self._awaited or time.monotonic() - self._since > LONGEST):
            self._release()
        return self.is_refusing

    def refused(self, talk: Talk, error: Mapping[str, Any]) -> None:
        if error["code"] in REFUSED:
            self._figures["commands refused by the store"] += 1
            if error.get("id") in talk.sent:
                self._unkept.append((talk, error["id"]))
                if not self.is_refusing:  # the answer comes late
                    self._send_unkept()

    def server_ended(self) -> None:
        self._release()

    def settle(self) -> None:
        self._release()

    def is_settled(self) -> bool:
        return not self.is_refusing

    def _release(self) -> None:
        if self._lock is not None:
            self._lock.close()
            self._lock = None
        if self._full:
            self._limit(resource.RLIM_INFINITY)
            self._full = 0
        if self._stage.addresses is not None:
            self._stage.caller.store_works()
        self._send_unkept()

    def _send_unkept(self) -> None:
        unkept, self._unkept = self._unkept, []
        for talk, id in unkept:
            sent = talk.sent[id]
            if sent.owner is not None and sent.owner.is_here:  # otherwise it is sent when they come back
                self._stage.send(talk, sent.owner, "message", text=sent.text, id=id, busy=sent.busy)

    def _limit(self, size: int) -> None:
        with contextlib.suppress(ProcessLookupError):  # it was killed meanwhile
            resource.prlimit(self._full, resource.RLIMIT_FSIZE, (size, resource.RLIM_INFINITY))

    def look(self) -> None:
        self._sessions = self._stage.get(f"{SESSIONS}?limit=200").json["sessions"]

    def judge(self, logs: Mapping[str, Log]) -> Iterator[str]:
        yield from refused(self._titles, self._sessions, list(logs.values()))
