"""All sessions of this server: created, opened, found, deleted. Those in use are in memory."""

from __future__ import annotations

import contextlib
import functools
import logging
import secrets
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Any

from agentchat.access import Standing
from agentchat.ag2.history import can_go_on
from agentchat.protocol import commands, events, handover, session_events
from agentchat.protocol.commands import Command, digest, stop_of
from agentchat.protocol.errors import ChatError, DuplicateMessage, StoreError, TooFast
from agentchat.protocol.handover import Handover
from agentchat.protocol.identity import PEOPLE_PER_ADDRESS, Caller
from agentchat.protocol.validation import check_title, one_line
from agentchat.sessions.commands import once
from agentchat.sessions.expiry import Expiry
from agentchat.sessions.owned_lock import OwnedLock
from agentchat.sessions.pending_questions import QUESTIONS, Question, unanswered
from agentchat.sessions.presence import Desk
from agentchat.sessions.projects import Projects, folder_of
from agentchat.sessions.running import ORDER, Figures, RunningTurn
from agentchat.sessions.services import Services
from agentchat.sessions.session import Session as Session  # whoever opens sessions finds their class here
from agentchat.sessions.session import summary
from agentchat.sessions.turn import STORE_RETRY
from agentchat.store import SessionRecord

log = logging.getLogger(__name__)

DRAIN_LOOK = 0.05  # seconds between looks whether turns still run
AT_ONCE = 4  # sessions in which messages that waited are answered after a start
LAST_TURNS = 100  # newest turns in which a person's last words are looked for
LAST_CHARS = 300  # of a person's last words that the desk shows
MAX_UNSAID = 10_000  # sessions in which nothing was said; the oldest are forgotten
EMPTY_KEPT = timedelta(days=1)  # for which sessions without any event are kept

Listed = tuple[dict[str, Any], list[tuple[int, str]]]


@dataclass
class _Slot:
    """A session in memory, and how many use it."""

    session: Session
    users: int = 1


class _Host:
    """The registry as one session's turns see it."""

    def __init__(self, sessions: Sessions, session_id: str) -> None:
        self._sessions = sessions
        self._id = session_id

    def retain(self) -> None:
        """Keep the session in memory until `release`."""
        self._sessions._retain(self._id)

    def release(self) -> None:
        """Undo one `retain`."""
        self._sessions._release(self._id)

    def wake_at(self, when: float) -> None:
        """Let the session look for work at that time, by time.monotonic()."""
        self._sessions._wake_at(self._id, when)


class Sessions:
    """All sessions of this server."""

    def __init__(self, services: Services) -> None:
        self._services = services
        self._store = services.store
        # A session's turns are started and ended under its own lock first and this one second; never the other way.
        # The store is read and written without it, because all sessions need it.
        self._lock = OwnedLock()  # guards what follows
        self._open: dict[str, _Slot] = {}
        # Those that the store doesn't know, because nothing was said in them yet, and who began them.
        self._unsaid: dict[str, tuple[SessionRecord, Caller]] = {}
        self._loading: dict[str, threading.Event] = {}  # sessions that are being loaded; set when that is over
        self._asking: dict[str, int] = {}  # sessions that are not open, with the turn that waits for an answer
        self._projects = Projects(services.store, services.folders)
        self._telling = threading.Lock()  # guards the `operators` state of all sessions, which changes in order
        services.desk.follow(self._tell_operators)
        services.folders.storage.owner_of = self._owner

    @property
    def is_draining(self) -> threading.Event:
        """Set once the server is about to end, and begins no further turn."""
        return self._services.is_draining

    @property
    def is_closing(self) -> threading.Event:
        """Set once nothing more is accepted."""
        return self._services.is_closing

    def is_idle(self) -> bool:
        """Return True if no turn runs."""
        return not self._services.turn_slots.running

    # A server's life

    def begin(self) -> int:
        """Pick up where the previous server left off. Returns the number of turns that it left unfinished."""
        self._services.deadlines.start()
        self._services.folders.sweep(lambda name: bool(self._store.session(name) or self._store.in_folder(name)))
        expiry = Expiry(self._store, self._services.rules.ttl_hours)
        self._store.discard_empty(events.time(expiry.newest() - EMPTY_KEPT))
        interrupted = 0
        due: list[str] = []  # sessions whose questions don't wait for ever, or were stopped
        for session_id, turn in self._store.open_turns():
            if asked := self._resumable(session_id, turn):
                self._asking[session_id] = turn
                is_stopped = self._store.accepted(session_id, stop_of(session_id, turn).id) is not None
                is_limited = any(question.content["expires"] for question in asked)
                due += [session_id] if is_stopped or is_limited else []
            else:
                is_taken = self._is_taken(session_id)  # which stops the turn, but the server did not get that far
                status = "stopped" if is_taken else "interrupted"
                self._store.append(session_id, [session_events.turn_completed_draft(turn, status)])
                interrupted += not is_taken
        for session_id in due:
            self._wake(session_id)
        self._go_on()
        if self._services.rules.ttl_hours:
            threading.Thread(target=self._expire, args=(expiry,), name="expire", daemon=True).start()
        return interrupted

    def drain(self, timeout: float, is_hurried: Callable[[], bool]) -> None:
        """Begin no further turn, and wait for those that run to end: at most `timeout` seconds, or until `is_hurried`.

        Turns that wait for an answer are not waited for. Messages are still accepted, for the next server to answer.
        """
        self.is_draining.set()
        deadline = time.monotonic() + timeout
        while any(session.turns.is_at_work for session in self._in_memory()):
            if time.monotonic() >= deadline or is_hurried():
                return
            time.sleep(DRAIN_LOOK)

    def close(self, timeout: float) -> None:
        """Interrupt the running turns and wait for them to end, at most `timeout` seconds."""
        self.is_draining.set()
        self.is_closing.set()
        self._services.deadlines.close()
        sessions = self._in_memory()
        for session in sessions:
            session.turns.interrupt()
        deadline = time.monotonic() + timeout
        for session in sessions:
            session.turns.join(max(deadline - time.monotonic(), 0))
            session.log.wake()  # readers notice that the server ends

    def _resumable(self, session_id: str, turn: int) -> list[Question]:
        """Return the open questions of a turn if it counts and can be brought back to them, else none."""
        rewinds = self._store.read_types(session_id, {"rewind"})
        if any(turn in event.content["turns"] for event in rewinds):
            return []
        if self._is_taken(session_id):
            return []  # no agent speaks while a human has it
        history = self._store.history(session_id, turn)
        if history is None or not can_go_on(history):
            return []
        return unanswered(self._store.read_types(session_id, QUESTIONS), turn)

    def _is_taken(self, session_id: str) -> bool:
        held = handover.state(self._store.read_types(session_id, {"handoff"}))
        return held is not None and held.state == handover.TAKEN

    def _go_on(self) -> None:
        """Answer the messages that an earlier server left waiting, in a few sessions at a time."""
        waiting = deque(self._store.sessions_unanswered())

        def answer() -> None:
            while not self.is_draining.is_set():
                try:
                    session_id = waiting.popleft()
                except IndexError:
                    return
                self._answer_all(session_id)

        for number in range(min(AT_ONCE, len(waiting))):
            threading.Thread(target=answer, name=f"go-on-{number}", daemon=True).start()

    def _answer_all(self, session_id: str) -> None:
        """Open a session, which starts its work, and wait until it rests or waits for somebody."""
        try:
            session = self.open(session_id)
        except StoreError:
            log.exception("The messages that wait in %s are answered when somebody opens it", session_id)
            return
        if session is None:
            return
        changed = threading.Event()
        session.log.follow(changed.set)
        try:
            while session.status == "running" and not self.is_closing.is_set():
                changed.wait()
                changed.clear()
        finally:
            session.log.unfollow(changed.set)
            self.release(session)

    # Sessions

    def begin_unsaid(self, agent: str, caller: Caller | None = None) -> Session:
        """Create a session that is written to the store with its first event, in use by the caller until `release`."""
        created = events.now()
        record = SessionRecord(secrets.token_urlsafe(12), agent, created, updated=created)
        with self._lock:
            self._unsaid[record.id] = record, caller or Caller()
            if len(self._unsaid) > MAX_UNSAID:
                del self._unsaid[next(iter(self._unsaid))]
        session = self._enter(record.id)
        if session is None:  # somebody begins thousands
            raise ChatError("session_unknown", id=record.id)
        return session

    def create(
        self,
        agent: str,
        title: str = "",
        id: str | None = None,
        creator: str = "",
        caller: Caller | None = None,
        folder: str = "",
        called: str = "",
    ) -> Session:
        """Create a session, in use until `release`. `caller` is whoever wants it. Raises ChatError.

        The same `id` counts once for each `creator`, and is known for a day (COMMANDS_KEPT). `folder` is that of the
        project that the session belongs to, in which the client calls it `called`.
        """
        if title:
            check_title(title)
        record = SessionRecord(secrets.token_urlsafe(12), agent, events.now(), folder=folder, called=called)
        asked = digest("create_session", agent=agent, title=title, **({"folder": folder} if folder else {}))
        command = commands.command(f"creator:{creator}", id, asked, record.id)
        create = functools.partial(self._create, record, caller or Caller(), command)
        session = once(self._store, command, create, self._reopen)
        if title:
            draft = replace(session_events.renamed_draft(one_line(title), ""), key="created")
            with contextlib.suppress(DuplicateMessage):  # it was given its title before
                session.log.append([draft])
        return session

    def _create(self, record: SessionRecord, caller: Caller, command: Command | None) -> Session:
        self._admit(caller)
        with self._projects.lock if record.folder else contextlib.nullcontext():
            self._store.create(record, caller.owner, command)
        session = self._enter(record.id)  # whoever repeats the command may be opening it already
        if session is None:
            raise ChatError("session_deleted")
        return session

    def in_project(self, folder: str, called: str, create: Callable[[], Session]) -> tuple[Session, bool]:
        """Return the session that a client calls so in a project, or for "" the oldest one, in use until `release`.

        If there is none, `create` makes it, and the second value is True.
        """
        session = self._find_in_project(folder, called)
        if session is not None:
            return session, False
        with self._projects.lock:  # so that of two at once one makes it
            session = self._find_in_project(folder, called)
            return (session, False) if session is not None else (create(), True)

    def _find_in_project(self, folder: str, called: str) -> Session | None:
        found = self._projects.find(folder, called)
        return self.open(found) if found is not None else None

    def is_in_project(self, session: Session, caller: Caller, project: str) -> bool:
        """Return True if the session belongs to the caller's project of that name, or to its owner's."""
        return session.folder_name in {folder_of(user, project) for user in (caller.user, self._owner(session.id))}

    def _owner(self, name: str) -> str:
        """Return an id of whoever began a session, or the first one in a project's folder; "" if that is not known."""
        unsaid = self._unsaid.get(name)
        if unsaid is not None:
            return unsaid[1].owner
        return self._store.owner(next(iter(self._store.in_folder(name)), name))

    def standing(self, session_id: str, person: str) -> Standing | None:
        """Return the person's relation to that session, or None if there is no such session."""
        unsaid = self._unsaid.get(session_id)
        if unsaid is not None:
            return Standing(unsaid[1].owner)
        ownership = self._services.sharing.ownership(session_id, person) if self._services.sharing else None
        if ownership is None:
            return None
        operator = ownership.holder if ownership.held == handover.TAKEN else ""
        # Taken by somebody whom nobody knows, before people had to log in, it is for any operator to hand back.
        is_waiting = bool(ownership.held or ownership.asks) and not operator
        return Standing(ownership.owner, ownership.role, is_waiting, operator or None)

    def memberships(self, person: str) -> dict[str, str]:
        """Return the sessions in which the person is a member, with the role in each."""
        return self._services.sharing.memberships(person) if self._services.sharing else {}

    def _reopen(self, session_id: str) -> Session:
        session = self.open(session_id)
        if session is None:
            raise ChatError("session_deleted")
        return session

    def _keep(self, record: SessionRecord, caller: Caller) -> None:
        """Write a session to the store that was begun without. Raises ChatError."""
        self._admit(caller)
        self._store.create(record, caller.owner)
        with self._lock:
            self._unsaid.pop(record.id, None)  # from now on the store knows whose it is, and who else may see it

    def _admit(self, caller: Caller) -> None:
        """Raise ChatError if the caller may create no other session now."""
        rules = self._services.rules
        if rules.sessions_in_all and self._store.count() >= rules.sessions_in_all:
            raise ChatError("too_many_sessions", problem=f"there are {rules.sessions_in_all:,}, the limit")
        mine = rules.sessions_per_person * (1 if caller.person else PEOPLE_PER_ADDRESS)
        if mine and caller.owner and self._store.owned(caller.owner) >= mine:
            raise ChatError("too_many_sessions", problem=f"{mine:,} are yours, the limit; delete some first")
        if seconds := self._services.new_sessions.take(caller):
            problem = f"many have begun lately; wait {seconds} seconds"
            raise TooFast("too_many_sessions", seconds, problem=problem)

    def open(self, session_id: str) -> Session | None:
        """Return the session with that id, if there is one, in use by the caller until `release`."""
        session = self._enter(session_id)
        if session is not None and session.log.is_deleted:  # others still use it
            self.release(session)
            return None
        if session is not None:
            session.turns.start()
        return session

    def _enter(self, session_id: str) -> Session | None:
        """Open a session without starting its work. If another thread is loading it, wait for that."""
        while True:
            with self._lock:
                slot = self._open.get(session_id)
                if slot is not None:
                    slot.users += 1
                    return slot.session
                loading = self._loading.get(session_id)
                if loading is None:
                    self._loading[session_id] = threading.Event()
                    break
            loading.wait()
        session = None
        try:
            unsaid = self._unsaid.get(session_id)
            record = self._store.session(session_id)
            if record is not None:
                session = Session(record, self._services, _Host(self, session_id), self._asking.get(session_id))
            elif unsaid is not None:
                session = Session(unsaid[0], self._services, _Host(self, session_id))
                session.log.keep = functools.partial(self._keep, *unsaid)
        finally:
            with self._lock:
                if session is not None:
                    self._open[session_id] = _Slot(session)
                    self._asking.pop(session_id, None)
                self._loading.pop(session_id).set()
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
        self._release(session.id)

    def _retain(self, session_id: str) -> None:
        with self._lock:
            self._open[session_id].users += 1

    def _release(self, session_id: str) -> None:
        with self._lock:
            slot = self._open[session_id]
            slot.users -= 1
            if slot.users:
                return
            del self._open[session_id]
            is_deleted = slot.session.log.is_deleted
            if slot.session.log.is_kept or is_deleted:
                self._unsaid.pop(session_id, None)
            if slot.session.turns.asking is not None and not is_deleted:
                self._asking[session_id] = slot.session.turns.asking
        slot.session.close()
        if is_deleted:
            self._clear_files(slot.session)  # again: a tool may have written since

    def _wake(self, session_id: str) -> None:
        """Let a session do what is due, as soon as the store can be read."""
        try:
            session = self.open(session_id)
        except StoreError:
            log.exception("What is due in %s waits for the store", session_id)
            self._wake_at(session_id, time.monotonic() + STORE_RETRY)
            return
        if session is not None:
            self.release(session)

    def _wake_at(self, session_id: str, when: float) -> None:
        if not self.is_closing.is_set():
            self._services.deadlines.set(session_id, when, lambda: self._wake(session_id))

    def _in_memory(self) -> list[Session]:
        with self._lock:
            return [slot.session for slot in self._open.values()]

    def find(self, words: str, before: tuple[str, str] | None, limit: int, person: str | None = None) -> list[Listed]:
        """Return sessions as lists show them, newest first, each with the places of the words. See Store.find."""
        found = self._store.find(words, before, limit, person)
        return [(summary(f.session, self._status(f.session.id)), list(f.places)) for f in found]

    def _status(self, session_id: str) -> str:
        with self._lock:
            slot = self._open.get(session_id)
            if slot is None:
                return "waiting" if session_id in self._asking else "idle"
        return slot.session.status

    def figures(self) -> Figures:
        """Return how much there is at the moment. Waits for no session, also if the store keeps them waiting."""
        services = self._services
        with self._lock:
            sessions, left = [slot.session for slot in self._open.values()], len(self._asking)
        waiting = left + sum(session.questions.has_open for session in sessions)
        slots = services.turn_slots
        return Figures(len(sessions), slots.running, waiting, slots.queued, len(services.waiting_messages))

    def running(self, limit: int) -> tuple[list[RunningTurn], int]:
        """Return the turns that the sessions are at, those that run in front: so many, and how many there are."""
        with self._lock:
            at = [(id, turn, "waiting") for id, turn in self._asking.items()]
        for session in self._in_memory():
            turn, status = session.at
            at += [(session.id, turn, status)] if turn else []
        at.sort(key=lambda each: ORDER.index(each[2]))
        return [found for each in at[:limit] if (found := self._turn(*each)) is not None], len(at)

    def _turn(self, session_id: str, turn: int, status: str) -> RunningTurn | None:
        record = self._store.session(session_id)
        bounds = {event.type: event for event in self._store.turn_bounds(session_id, turn)}
        asked = bounds.get("user_message")
        if record is None or asked is None:
            return None  # deleted meanwhile
        message, began = session_events.user_message(asked), bounds.get("turn_started", asked).ts
        about = (record.agent, record.title, message.user, message.name, began)
        return RunningTurn(session_id, turn, status, *about)

    def check_rate(self, caller: Caller) -> None:
        """Count one more thing that the caller does. Raises ChatError if that is too much at once."""
        if seconds := self._services.rates.take(caller):
            raise TooFast("too_fast", seconds)

    # The desk

    @property
    def desk(self) -> Desk:
        """The people at the desk."""
        return self._services.desk

    def held(self, operator: str | None = None) -> list[dict[str, Any]]:
        """Return the sessions that wait for a human or that one has; first those that have waited longest.

        With the id of an `operator`, those that others have are left out.
        """
        found = [entry for record in self._store.held() if (entry := self._held(record, operator)) is not None]
        return sorted(found, key=lambda entry: (entry["state"] == handover.TAKEN, entry["since"]))

    def _held(self, record: SessionRecord, operator: str | None) -> dict[str, Any] | None:
        held = handover.state(self._store.read_types(record.id, {"handoff"}))
        held = held or self._asking_operators(record)
        if held is None:
            return None  # handed back, answered or deleted meanwhile
        if operator is not None and held.user not in {"", operator}:
            return None
        said = self._last_words(record)
        return {
            "id": record.id,
            "title": record.title,
            "agent": record.agent,
            "person": said["name"] if said else "",
            "last": said["text"][:LAST_CHARS] if said else "",
            **held.content,
        }

    def _asking_operators(self, record: SessionRecord) -> Handover | None:
        """Return the state of a session in which the agents ask operators something."""
        asked = unanswered(self._store.read_types(record.id, QUESTIONS), record.last_turn)
        for question in asked:
            if question.content.get("by"):
                since = next((e.ts for e in self._store.read(record.id, question.seq - 1, 1)), record.updated)
                return Handover("asks", "", question.content["prompt"], since)
        return None

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
            for session in self._in_memory():
                told = session.log.states.get("operators")
                if session.log.held is None:
                    if told is not None:
                        session.log.clear_state("operators")
                elif told is None or told.frame != frame:
                    session.log.set_state("operators", "operators", there)

    # Deleting

    def delete(self, session_id: str, caller: Caller | None, id: str | None = None) -> None:
        """Delete a session, whoever uses it. Raises ChatError if there is none; a StoreError changes nothing.

        `caller` is whoever wants that, None if it has expired. Whoever repeats that with the same `id` within a day
        (COMMANDS_KEPT) isn't told that there is none.
        """
        person = caller.user if caller is not None else ""
        command = commands.command(session_id, id, digest("delete_session"), "", person)
        once(self._store, command, lambda: self._delete(session_id, caller, command), lambda result: None)

    def _delete(self, session_id: str, caller: Caller | None, command: Command | None) -> None:
        session = self._enter(session_id)
        if session is None:
            raise ChatError("session_unknown", id=session_id)
        try:
            if not session.log.delete(command):
                raise ChatError("session_unknown", id=session_id)
            if caller is None:
                self._services.audit.write("session_deleted", session=session_id, way="expired")
            else:
                self._services.audit.write("session_deleted", caller.who, caller.address, session=session_id)
            session.turns.give_up()  # before its files are removed: a tool could create them again
            self._clear_files(session)
        finally:
            self.release(session)
        self.desk.changed()

    def _clear_files(self, session: Session) -> None:
        if session.folder_name == session.id:
            self._services.folders.clear(session.id)
        else:
            self._projects.leave(session.id, session.folder_name)

    def has_sent(self, person: str, session_id: str, id: str) -> bool:
        """Return True if the person sent the command with that id, which may have ended their access."""
        accepted = self._store.accepted(session_id, id)
        return accepted is not None and accepted.person == person != ""

    def owned_by(self, person: str) -> list[str]:
        """Return the ids of the sessions that a person began."""
        with self._lock:
            unsaid = [id for id, (_, caller) in self._unsaid.items() if caller.owner == person]
        return [*(self._services.sharing.owned_by(person) if self._services.sharing else ()), *unsaid]

    def remove(self, session_id: str, caller: Caller) -> bool:
        """Delete a session if it is still there. Returns True if it was. Raises StoreError."""
        try:
            self.delete(session_id, caller)
        except ChatError as error:
            if error.code != "session_unknown":
                raise
            return False
        return True

    def hand_back(self, session_id: str, operator: Caller) -> None:
        """Give a session back to its agents if that operator still has it. Raises ChatError."""
        try:
            with self.using(session_id) as session:
                session.takeover.hand_back("", operator)
        except ChatError as error:
            if error.code not in {"session_unknown", "not_held", "taken"}:
                raise

    def take_out(self, session_id: str, person: str, from_store: Callable[[], None]) -> None:
        """Take a person's id out of a session, in memory and `from_store`; what they said stays."""
        session = self._enter(session_id)
        if session is None:
            return  # deleted meanwhile
        try:
            session.log.take_out(person, from_store)
        finally:
            self.release(session)

    def _expire(self, expiry: Expiry) -> None:
        while True:
            try:
                for session_id in expiry.due():
                    if not self._is_in_use(session_id):
                        self.delete(session_id, None)
            except ChatError as error:
                log.warning("Expired conversations could not be removed; they are tried again later: %s", error)
            if self.is_closing.wait(expiry.interval):
                return

    def _is_in_use(self, session_id: str) -> bool:
        with self._lock:
            return session_id in self._open
