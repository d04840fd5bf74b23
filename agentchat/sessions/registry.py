"""All sessions of this server: created, opened, found, deleted. Those in use are in memory."""

from __future__ import annotations

import contextlib
import logging
import secrets
import threading
from collections.abc import Iterator
from datetime import datetime, timedelta, timezone
from typing import Any

from agentchat.ag2.history import can_go_on
from agentchat.protocol import events, handover, session_events
from agentchat.protocol.errors import ChatError, StoreError
from agentchat.protocol.identity import UNNAMED, user_id
from agentchat.protocol.validation import check_title
from agentchat.sessions.owned_lock import OwnedLock
from agentchat.sessions.pending_questions import QUESTIONS, unanswered
from agentchat.sessions.presence import Desk
from agentchat.sessions.services import Services
from agentchat.sessions.session import Session as Session  # whoever opens sessions finds their class here
from agentchat.sessions.session import summary
from agentchat.store import SessionRecord

log = logging.getLogger(__name__)

EXPIRY_CHECK = 60.0  # seconds between looks for sessions that have expired
LAST_TURNS = 100  # newest turns in which a person's last words are looked for
LAST_CHARS = 300  # of a person's last words that the desk shows
EMPTY_KEPT = timedelta(days=1)  # for which sessions without any event are kept

Listed = tuple[dict[str, Any], list[tuple[int, str]]]


class Sessions:
    """All sessions of this server."""

    def __init__(self, services: Services) -> None:
        self._services = services
        self._store = services.store
        # A session's turns are started and ended under its own lock first and this one second; never the other way.
        self._lock = OwnedLock()  # guards what follows, and the number of each session's users
        self._open: dict[str, Session] = {}
        self._asking: dict[str, int] = {}  # sessions that are not open, with the turn that waits for an answer
        self._telling = threading.Lock()  # guards the `operators` state of all sessions, which changes in order
        services.desk.follow(self._tell_operators)

    @property
    def is_closing(self) -> threading.Event:
        """Set once the server is about to end."""
        return self._services.is_closing

    # A server's life

    def begin(self) -> int:
        """Pick up where the previous server left off. Returns the number of turns that it left unfinished."""
        self._store.discard_empty(events.time(datetime.now(timezone.utc) - EMPTY_KEPT))
        interrupted = 0
        for session_id, turn in self._store.open_turns():
            if self._can_go_on(session_id, turn):
                self._asking[session_id] = turn
            else:
                self._store.append(session_id, [session_events.turn_completed_draft(turn, "interrupted")])
                interrupted += 1
        for session_id in self._store.sessions_unanswered():
            session = self.open(session_id)  # which starts its work
            if session is not None:
                self.release(session)
        if self._services.rules.ttl_hours:
            threading.Thread(target=self._expire, name="expire", daemon=True).start()
        return interrupted

    def close(self, timeout: float) -> None:
        """Interrupt the running turns and wait for them to end, at most `timeout` seconds."""
        self.is_closing.set()
        with self._lock:
            sessions = list(self._open.values())
        for session in sessions:
            session.turns.interrupt()
        deadline = datetime.now() + timedelta(seconds=timeout)
        for session in sessions:
            session.turns.join(max((deadline - datetime.now()).total_seconds(), 0))
            session.log.wake()  # readers notice that the server ends

    def _can_go_on(self, session_id: str, turn: int) -> bool:
        """Return True if the turn counts and can be brought back to its open question."""
        rewinds = self._store.read_types(session_id, {"rewind"})
        if any(turn in event.content["turns"] for event in rewinds):
            return False
        held = handover.state(self._store.read_types(session_id, {"handoff"}))
        if held is not None and held.state == handover.TAKEN:
            return False  # no agent speaks while a human has it
        history = self._store.history(session_id, turn)
        is_asking = bool(unanswered(self._store.read_types(session_id, QUESTIONS), turn))
        return is_asking and history is not None and can_go_on(history)

    # Sessions

    def create(self, agent: str, title: str = "") -> Session:
        """Create a session, in use by the caller until `release`. Raises ChatError."""
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
        """Return the session with that id, if there is one, in use by the caller until `release`."""
        with self._lock:
            session = self._open.get(session_id)
            if session is not None:
                session.users += 1
                return session
            record = self._store.session(session_id)
            if record is None:
                return None
            if record.updated < self._oldest_kept():
                self._remove(session_id)
                self._services.clear(session_id)
                return None
            session = self._enter(record)
        session.turns.start()
        return session

    @contextlib.contextmanager
    def using(self, session_id: str) -> Iterator[Session]:
        """Open the session with that id for the duration of the context. Raises ChatError if there is none."""
        session = self.open(session_id)
        if session is None:
            raise ChatError("session_unknown", id=session_id)
        try:
            yield session
        finally:
            self.release(session)

    def release(self, session: Session) -> None:
        """Stop using a session. It is dropped from memory once nobody uses it and no turn runs; the store keeps it."""
        with self._lock:
            session.users -= 1
            if session.users == 0 and self._open.get(session.id) is session:
                del self._open[session.id]

    def find(self, words: str, before: tuple[str, str] | None, limit: int) -> list[Listed]:
        """Return sessions as lists show them, newest first, each with the places of the words. See Store.find."""
        oldest = self._oldest_kept()
        found = [
            f
            for f in self._store.find(words, before, limit)
            if f.session.updated >= oldest or f.session.id in self._open
        ]
        return [(summary(f.session, self._status(f.session.id)), list(f.places)) for f in found]

    def _status(self, session_id: str) -> str:
        with self._lock:
            session = self._open.get(session_id)
            if session is None:
                return "waiting" if session_id in self._asking else "idle"
        return session.status

    def _retain(self, session: Session) -> None:
        with self._lock:
            session.users += 1

    def _enter(self, record: SessionRecord) -> Session:
        self._lock.assert_held()
        asking = self._asking.pop(record.id, None)
        session = self._open[record.id] = Session(record, self._services, self._retain, self.release, asking)
        return session

    # The desk

    @property
    def desk(self) -> Desk:
        """The people at the desk."""
        return self._services.desk

    def held(self) -> list[dict[str, Any]]:
        """Return the sessions that wait for a human or that one has; first those that have waited longest."""
        oldest = self._oldest_kept()
        kept = [record for record in self._store.held() if record.updated >= oldest or record.id in self._open]
        found = [entry for record in kept if (entry := self._held(record)) is not None]
        return sorted(found, key=lambda entry: (entry["state"] == handover.TAKEN, entry["since"]))

    def _held(self, record: SessionRecord) -> dict[str, Any] | None:
        held = handover.state(self._store.read_types(record.id, {"handoff"}))
        if held is None:
            return None  # handed back or deleted meanwhile
        said = self._last_words(record)
        return {
            "id": record.id,
            "title": record.title,
            "agent": record.agent,
            "person": said["name"] if said else "",
            "last": said["text"][:LAST_CHARS] if said else "",
            **held.content,
        }

    def _last_words(self, record: SessionRecord) -> Any:
        """Return the content of a person's newest message, if there is one; operators speak in turns of their own."""
        for turn in range(record.last_turn, max(record.last_turn - LAST_TURNS, 0), -1):
            said = [event for event in self._store.turn_bounds(record.id, turn) if event.type == "user_message"]
            if said:
                return said[-1].content
        return None

    def _tell_operators(self) -> None:
        """Tell the sessions that wait for a human how many are at the desk, and nobody the same number twice."""
        with self._telling:
            there = {"there": len(self.desk.operators)}
            frame = events.live_frame("operators", there)
            with self._lock:
                sessions = list(self._open.values())
            for session in sessions:
                told = session.log.states.get("operators")
                if session.log.held is None:
                    if told is not None:
                        session.log.clear_state("operators")
                elif told is None or told.frame != frame:
                    session.log.set_state("operators", "operators", there)

    # Deleting

    def delete(self, session_id: str) -> None:
        """Delete a session, whoever uses it. Raises ChatError if there is none."""
        with self._lock:
            session = self._open.pop(session_id, None)
            if session is not None:
                session.log.delete()
            self._asking.pop(session_id, None)
            if not self._remove(session_id):
                raise ChatError("session_unknown", id=session_id)
        if session is not None:
            session.turns.give_up()  # before its files are removed: a tool could create them again
        self._services.clear(session_id)
        self.desk.changed()

    def _remove(self, session_id: str) -> bool:
        """Remove a session from the store, with the notes about people known only in this session."""
        self._store.forget(user_id(UNNAMED, "", session_id))
        return self._store.delete(session_id)

    def _oldest_kept(self) -> str:
        """Return the cutoff: sessions without an event since then have expired."""
        hours = self._services.rules.ttl_hours
        return events.time(datetime.now(timezone.utc) - timedelta(hours=hours)) if hours else ""

    def _expire(self) -> None:
        while True:
            try:
                for session_id in self._store.expired(self._oldest_kept()):
                    with self._lock:
                        if session_id not in self._open:
                            self._asking.pop(session_id, None)
                            self._remove(session_id)
                            self._services.clear(session_id)
            except StoreError:
                log.exception("Expired sessions could not be removed; they are tried again later")
            if self.is_closing.wait(EXPIRY_CHECK):
                return
