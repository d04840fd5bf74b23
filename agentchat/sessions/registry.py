"""All sessions of this server: made, opened, found, forgotten. Those in use are in memory."""

from __future__ import annotations

import contextlib
import logging
import secrets
import threading
from collections.abc import Iterator
from datetime import datetime, timedelta, timezone
from typing import Any

from agentchat.ag2.conversation import can_go_on
from agentchat.protocol import events, handover, session_events
from agentchat.protocol.errors import ChatError, StoreError
from agentchat.protocol.identity import UNNAMED, user_id
from agentchat.protocol.validation import check_title
from agentchat.sessions.pending_questions import unanswered
from agentchat.sessions.presence import Desk
from agentchat.sessions.services import Services
from agentchat.sessions.session import Session as Session  # which is what this is about
from agentchat.sessions.session import summary
from agentchat.store import MARKS, SessionRecord

log = logging.getLogger(__name__)

EXPIRY_CHECK = 60.0  # seconds between looks for sessions that have expired
LAST_TURNS = 100  # newest ones in which a person's words are looked for
LAST_CHARS = 300
EMPTY_KEPT = timedelta(days=1)  # sessions in which nothing was ever said

Listed = tuple[dict[str, Any], list[tuple[int, str]]]


class Sessions:
    """All sessions of this server."""

    def __init__(self, services: Services) -> None:
        self._services = services
        self._store = services.store
        self._lock = threading.RLock()  # guards what follows
        self._open: dict[str, Session] = {}
        self._waiting: dict[str, int] = {}  # sessions that are not open, and their turn that waits for an answer
        self._telling = threading.Lock()  # what is told of the desk is told in the order in which it happened
        services.desk.follow(self._tell_operators)

    @property
    def is_closing(self) -> threading.Event:
        return self._services.is_closing

    # A server's life

    def begin(self) -> int:
        """Go on where a server before this one ended. Returns how many turns it had left unfinished."""
        self._store.discard_empty(events.time(datetime.now(timezone.utc) - EMPTY_KEPT))
        interrupted = 0
        for session_id, turn in self._store.open_turns():
            if self._can_go_on(session_id, turn):
                self._waiting[session_id] = turn
            else:
                self._store.append(session_id, [session_events.completed(turn, "interrupted")])
                interrupted += 1
        for session_id in self._store.sessions_unanswered():
            session = self.open(session_id)  # which starts its work
            if session is not None:
                self.leave(session)
        if self._services.rules.ttl_hours:
            threading.Thread(target=self._expire, name="expire", daemon=True).start()
        return interrupted

    def close(self, timeout: float) -> None:
        """Interrupt the running turns and wait for their ends, at most `timeout` seconds."""
        self.is_closing.set()
        with self._lock:
            sessions = list(self._open.values())
        for session in sessions:
            session.interrupt()
        deadline = datetime.now() + timedelta(seconds=timeout)
        for session in sessions:
            session.join_worker(max((deadline - datetime.now()).total_seconds(), 0))
            session.log.wake()  # readers look whether the server is about to end

    def _can_go_on(self, session_id: str, turn: int) -> bool:
        """A turn that counts, and waits at a question to which it finds back."""
        marks = self._store.read_types(session_id, MARKS)
        if any(turn in event.content["turns"] for event in marks if event.type == "rewind"):
            return False
        now = handover.state(self._store.read_types(session_id, {"handoff"}))
        if now is not None and now.state == handover.TAKEN:
            return False  # no agent speaks while a human has it
        history = self._store.history(session_id, turn)
        return bool(unanswered(marks, turn)) and history is not None and can_go_on(history)

    # Sessions

    def create(self, agent: str, title: str = "") -> Session:
        """A new session, in use by the caller until `leave`. Raises ChatError."""
        if title:
            check_title(title)
        record = SessionRecord(secrets.token_urlsafe(12), agent, events.now())
        self._store.create(record)
        with self._lock:
            session = self._enter(record)
        if title:
            session.rename(title, "")
        return session

    def open(self, session_id: str) -> Session | None:
        """The session with that id, if there is one, in use by the caller until `leave`."""
        with self._lock:
            session = self._open.get(session_id)
            if session is not None:
                session.users += 1
                return session
            record = self._store.session(session_id)
            if record is None:
                return None
            if record.updated < self._oldest_kept():
                self._forget(session_id)
                self._services.clear(session_id)
                return None
            session = self._enter(record)
        session.work()
        return session

    @contextlib.contextmanager
    def using(self, session_id: str) -> Iterator[Session]:
        """The session with that id, for a while. Raises ChatError when there is none."""
        session = self.open(session_id)
        if session is None:
            raise ChatError("session_unknown", id=session_id)
        try:
            yield session
        finally:
            self.leave(session)

    def leave(self, session: Session) -> None:
        """Once nobody uses a session and no turn runs, it lives in the store alone."""
        with self._lock:
            session.users -= 1
            if session.users == 0 and self._open.get(session.id) is session:
                del self._open[session.id]

    def find(self, words: str, before: tuple[str, str] | None, limit: int) -> list[Listed]:
        """Sessions as lists show them, newest first, and where the words stand in them. See Store.find."""
        oldest = self._oldest_kept()
        found = [
            f
            for f in self._store.find(words, before, limit)
            if f.session.updated >= oldest or f.session.id in self._open
        ]
        return [(summary(f.session, self._status(f.session.id)), list(f.places)) for f in found]

    # The desk

    @property
    def desk(self) -> Desk:
        return self._services.desk

    def held(self) -> list[dict[str, Any]]:
        """The sessions that wait for a human, or that one has; those first that wait longest."""
        oldest = self._oldest_kept()
        kept = [record for record in self._store.held() if record.updated >= oldest or record.id in self._open]
        found = [entry for record in kept if (entry := self._held(record)) is not None]
        return sorted(found, key=lambda entry: (entry["state"] == handover.TAKEN, entry["since"]))

    def _held(self, record: SessionRecord) -> dict[str, Any] | None:
        now = handover.state(self._store.read_types(record.id, {"handoff"}))
        if now is None:
            return None  # handed back, or deleted meanwhile
        said = self._last_words(record)
        return {
            "id": record.id,
            "title": record.title,
            "agent": record.agent,
            "person": said["name"] if said else "",
            "last": said["text"][:LAST_CHARS] if said else "",
            **now.content,
        }

    def _last_words(self, record: SessionRecord) -> Any:
        """The content of a person's newest message, if there is one; operators' words have turns of their own."""
        for turn in range(record.last_turn, max(record.last_turn - LAST_TURNS, 0), -1):
            said = [event for event in self._store.milestones(record.id, turn) if event.type == "user_message"]
            if said:
                return said[-1].content
        return None

    def _tell_operators(self) -> None:
        """Whoever waits for a human sees whether there is one; nobody is told the same twice."""
        with self._telling:
            there = {"there": len(self.desk.operators)}
            frame = events.live_frame("operators", there)
            with self._lock:
                sessions = list(self._open.values())
            for session in sessions:
                told = session.log.signals.get("operators")
                if session.log.held is None:
                    if told is not None:
                        session.log.forget_signal("operators")
                elif told is None or told.frame != frame:
                    session.log.signal("operators", "operators", there)

    # Forgetting

    def delete(self, session_id: str) -> None:
        """Forget a session, whoever uses it. Raises ChatError when there is none."""
        with self._lock:
            session = self._open.pop(session_id, None)
            if session is not None:
                session.log.delete()
            self._waiting.pop(session_id, None)
            if not self._forget(session_id):
                raise ChatError("session_unknown", id=session_id)
        if session is not None:
            session.give_up()  # before its files go: a tool could make them anew
        self._services.clear(session_id)
        self.desk.changed()

    def _keep(self, session: Session) -> None:
        with self._lock:
            session.users += 1

    def _enter(self, record: SessionRecord) -> Session:
        waiting = self._waiting.pop(record.id, None)
        session = self._open[record.id] = Session(record, self._services, self._keep, self.leave, waiting)
        return session

    def _status(self, session_id: str) -> str:
        with self._lock:
            session = self._open.get(session_id)
            if session is not None:
                return session.status
            return "waiting" if session_id in self._waiting else "idle"

    def _forget(self, session_id: str) -> bool:
        """All of it but its files, and what is remembered of those who were known in it only."""
        self._store.forget(user_id(UNNAMED, "", session_id))
        return self._store.delete(session_id)

    # Expiry

    def _oldest_kept(self) -> str:
        """What has had no event since then has expired."""
        hours = self._services.rules.ttl_hours
        return events.time(datetime.now(timezone.utc) - timedelta(hours=hours)) if hours else ""

    def _expire(self) -> None:
        while True:
            try:
                for session_id in self._store.expired(self._oldest_kept()):
                    with self._lock:
                        if session_id not in self._open:
                            self._waiting.pop(session_id, None)
                            self._forget(session_id)
                            self._services.clear(session_id)
            except StoreError:
                log.exception("Expired sessions are not removed now")
            if self.is_closing.wait(EXPIRY_CHECK):
                return
