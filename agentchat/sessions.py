"""A session's life: its log appended to and followed, its messages queued, its turns run one at a time.

Whatever happens is in the store before anybody sees it. Nobody waits for a reader: readers are woken, and read with
a cursor of their own (cursor.py) when they can.
"""

from __future__ import annotations

import itertools
import logging
import secrets
import threading
import time
from collections import deque
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from uuid import uuid4

from agentchat import events
from agentchat.chat import Chat
from agentchat.conversation import Conversation, Outcome
from agentchat.cursor import Live, View
from agentchat.errors import ChatError, DuplicateMessage, StoreError
from agentchat.events import Draft, Event
from agentchat.stopping import Stopped, StopToken
from agentchat.store import SessionRecord, Store

log = logging.getLogger(__name__)

MESSAGE_CHARS = 200_000  # the longest message; about what the largest models read in one go
TAIL = 64  # newest events kept in memory for cursors that are nearly up to date; older ones are read from the store
STORE_RETRY = 1.0  # seconds between tries to write what a turn did, while the store fails
NO_USAGE = {"prompt_tokens": 0, "completion_tokens": 0, "cost": None}

NewConversation = Callable[[str, Chat, Iterable[str]], Conversation]


@dataclass(frozen=True)
class Message:
    """A person's message that waits for its turn."""

    id: str
    text: str
    name: str
    context: Mapping[str, Any]
    turn: int


class Sessions:
    """All sessions of this server; those in use are in memory."""

    def __init__(
        self,
        store: Store,
        new_conversation: NewConversation,
        new_chat: Callable[[str], Chat],
        redact: Callable[[str], str] = lambda text: text,
    ) -> None:
        self.store = store
        self.new_conversation = new_conversation
        self.new_chat = new_chat
        self.redact = redact
        self.is_closing = threading.Event()
        self._lock = threading.Lock()  # guards `_open`
        self._open: dict[str, Session] = {}

    def interrupt_open_turns(self) -> int:
        """Close the turns that a server before this one left open. Returns how many there were."""
        open_turns = self.store.open_turns()
        for session_id, turn in open_turns:
            self.store.append(session_id, [_completed(turn, "interrupted", 0, NO_USAGE, "")])
        return len(open_turns)

    def create(self, agent: str) -> Session:
        """A new session, in use by the caller until `leave`."""
        record = SessionRecord(secrets.token_urlsafe(12), agent, events.now())
        self.store.create(record)
        with self._lock:
            return self._enter(record)

    def open(self, session_id: str) -> Session | None:
        """The session with that id, if there is one, in use by the caller until `leave`."""
        with self._lock:
            session = self._open.get(session_id)
            if session is not None:
                session.users += 1
                return session
            record = self.store.session(session_id)
            if record is None:
                return None
            session = self._enter(record)
        session.work()
        return session

    def leave(self, session: Session) -> None:
        """Once nobody uses a session and no turn runs, it lives in the store alone."""
        with self._lock:
            session.users -= 1
            if session.users == 0:
                self._open.pop(session.id)

    def keep(self, session: Session) -> None:
        """A running turn uses its session, too."""
        with self._lock:
            session.users += 1

    def close(self, timeout: float) -> None:
        """Interrupt the running turns and wait for their ends, at most `timeout` seconds."""
        self.is_closing.set()
        deadline = time.monotonic() + timeout
        with self._lock:
            sessions = list(self._open.values())
        for session in sessions:
            session.interrupt()
        for session in sessions:
            session.join(max(deadline - time.monotonic(), 0))

    def _enter(self, record: SessionRecord) -> Session:
        session = self._open[record.id] = Session(self, record)
        return session


class Session:
    """One conversation."""

    def __init__(self, sessions: Sessions, record: SessionRecord) -> None:
        self.id = record.id
        self.agent = record.agent
        self.users = 1  # guarded by the lock of `sessions`
        self.view = View(record.last_seq)
        self._sessions = sessions
        self._append_lock = threading.Lock()  # keeps `view` in the order of the store
        self._lock = threading.Lock()  # guards what follows
        self._followers: tuple[Callable[[], None], ...] = ()
        # What a server before this one accepted and did not come to still waits.
        self._queue = deque(map(_message, sessions.store.unanswered(self.id) if record.last_seq else ()))
        self._last_turn = record.last_turn
        self._running: Turn | None = None
        self._worker: threading.Thread | None = None
        self._chat = sessions.new_chat(self.id)
        self._conversation: Conversation | None = None

    # What people do

    def post(self, text: str, name: str, id: str | None = None, context: Mapping[str, Any] | None = None) -> None:
        """A person's message. One whose id is in the log already changes nothing. Raises ChatError."""
        if not text.strip():
            raise ChatError("message_empty")
        if len(text) > MESSAGE_CHARS:
            raise ChatError("message_too_long", length=f"{len(text):,}", limit=f"{MESSAGE_CHARS:,}")
        with self._lock:
            if self._sessions.is_closing.is_set():
                raise ChatError("closing")
            turn = self._last_turn + 1
            message = Message(id or uuid4().hex, events.clean(text), events.clean(name), context or {}, turn)
            try:
                self.append([_asked(message)])
            except DuplicateMessage:
                return
            self._last_turn = turn
            self._queue.append(message)
            self._start_working()

    def stop(self, turn: int | None = None) -> None:
        """Stop the running turn, or that turn if it is the one that runs."""
        running = self._running
        if running is not None and turn in {None, running.number}:
            running.token.stop("stopped")

    # Following

    def follow(self, wake: Callable[[], None]) -> None:
        """Call `wake` whenever there is something new, from whatever thread made it so; it must not block."""
        with self._lock:
            self._followers = (*self._followers, wake)

    def unfollow(self, wake: Callable[[], None]) -> None:
        with self._lock:
            self._followers = tuple(follower for follower in self._followers if follower != wake)

    def read(self, after: int) -> Sequence[tuple[Event, Live | None]]:
        """Events behind `after`: from memory if they are all there, else a page of them from the store."""
        tail = self.view.tail
        if tail and tail[0][0].seq <= after + 1:
            return tail[after + 1 - tail[0][0].seq :]
        return [(event, None) for event in self._sessions.store.read(self.id, after)]

    @property
    def is_running(self) -> bool:
        return self._running is not None

    @property
    def queue(self) -> list[dict[str, Any]]:
        """The messages that wait for their turn."""
        with self._lock:
            return [{"id": m.id, "text": m.text, "name": m.name, "turn": m.turn} for m in self._queue]

    # Working

    def work(self) -> None:
        """Start on the messages that wait, if there are any."""
        with self._lock:
            if self._queue:
                self._start_working()

    def interrupt(self) -> None:
        with self._lock:
            running = self._running
        if running is not None:
            running.token.stop("interrupted")

    def join(self, timeout: float) -> None:
        worker = self._worker
        if worker is not None:
            worker.join(timeout)

    def _start_working(self) -> None:
        """Requires holding `_lock`."""
        if self._worker is None:
            self._sessions.keep(self)
            self._worker = threading.Thread(target=self._work, name=f"turn-{self.id}", daemon=True)
            self._worker.start()

    def _work(self) -> None:
        try:
            while (turn := self._next_turn()) is not None:
                self._run(turn)
        finally:
            self._sessions.leave(self)

    def _next_turn(self) -> Turn | None:
        with self._lock:
            if not self._queue or self._sessions.is_closing.is_set():
                self._running = self._worker = None
                return None
            self._running = Turn(self, self._queue.popleft())
            return self._running

    def _run(self, turn: Turn) -> None:
        began = time.monotonic()
        outcome = self._outcome(turn)
        duration_ms = round((time.monotonic() - began) * 1000)
        summary = self.redact(outcome.summary)
        drafts = [_completed(turn.number, outcome.status, duration_ms, outcome.usage, summary)]
        if outcome.error is not None:
            drafts.insert(0, _failed(turn.number, outcome.error))
        turn.end(drafts, outcome.memory)
        log.info("Turn %d of %s: %s after %d ms", turn.number, self.id, outcome.status, duration_ms)

    def _outcome(self, turn: Turn) -> Outcome:
        message = turn.message
        try:
            turn.append(*events.own(events.TurnStartedEvent(message_id=message.id, agent=self.agent)))
            self._chat.user, self._chat.context = message.name, message.context
            if self._conversation is None:
                memories = self._sessions.store.memories(self.id)
                self._conversation = self._sessions.new_conversation(self.agent, self._chat, memories)
            return self._conversation.run(message.text, turn, turn.token)
        except Stopped as stopped:
            return Outcome(stopped.reason, "", NO_USAGE, None)
        except ChatError as error:
            return Outcome("failed", "", NO_USAGE, None, error)
        except BaseException:  # nothing may end the thread without the turn's end in the log
            log.exception("Turn %d of %s failed", turn.number, self.id)
            return Outcome("failed", "", NO_USAGE, None, ChatError("internal"))

    # Writing, for turns

    def append(self, drafts: Sequence[Draft], memory: str | None = None, completes: Live | None = None) -> None:
        """Into the store, then for all to see. Raises StoreError, DuplicateMessage."""
        with self._append_lock:
            written = self._sessions.store.append(self.id, drafts, memory)
            view = self.view
            tail = (*view.tail, *((event, completes) for event in written))[-TAIL:]
            live = None if completes is view.live else view.live
            self.view = View(written[-1].seq, tail, live)
        self.wake()

    def show(self, live: Live) -> None:
        with self._append_lock:
            view = self.view
            self.view = View(view.last_seq, view.tail, live)

    def redact(self, text: str) -> str:
        return self._sessions.redact(text)

    def wait_unless_closing(self, seconds: float) -> None:
        if self._sessions.is_closing.wait(seconds):
            raise ChatError("closing")

    def wake(self) -> None:
        for wake in self._followers:
            wake()


class Turn:
    """One turn of a session: the answer to one message. The conversation writes into it."""

    def __init__(self, session: Session, message: Message) -> None:
        self.message = message
        self.number = message.turn
        self.token = StopToken()
        self._session = session
        self._live: Live | None = None

    def append(self, type: str, content: Mapping[str, Any], memory: str | None = None) -> None:
        """An event of this turn. Raises Stopped when the turn is stopped while the store fails."""
        live = self._live
        completes = live if live is not None and content.get("message_id") == live.message_id else None
        body = self._session.redact(events.encode(content))
        self._write([Draft(type, body, self.number)], memory, completes, wait=self.token.sleep)
        if completes is not None:
            self._live = None

    def stream(self, message_id: str, sender: str, text: str) -> None:
        live = self._live
        if live is None or live.message_id != message_id:
            live = self._live = Live(message_id, sender)
            self._session.show(live)
        live.texts.append(self._session.redact(text))
        self._session.wake()

    def restart(self, message_id: str) -> None:
        self._live = None

    def end(self, drafts: Sequence[Draft], memory: str | None) -> None:
        """The turn's last words. If the store fails until the server ends, the next one marks the turn interrupted."""
        try:
            self._write(drafts, memory, self._live, wait=self._session.wait_unless_closing)
        except ChatError:
            log.exception("The end of turn %d of %s is not saved", self.number, self._session.id)

    def _write(
        self,
        drafts: Sequence[Draft],
        memory: str | None,
        completes: Live | None,
        wait: Callable[[float], None],
    ) -> None:
        """Append, however long it takes: a turn waits for a failing store to recover, and nothing it did is lost."""
        for attempt in itertools.count():
            try:
                self._session.append(drafts, memory, completes)
                return
            except StoreError:
                if attempt == 0:
                    log.exception("Turn %d of %s waits for the store", self.number, self._session.id)
                wait(STORE_RETRY)


def _asked(message: Message) -> Draft:
    type, content = events.own(
        events.UserMessageEvent(id=message.id, text=message.text, name=message.name, context=dict(message.context))
    )
    return Draft(type, events.encode(content), message.turn, key=f"message:{message.id}")


def _message(event: Event) -> Message:
    content = event.content
    return Message(content["id"], content["text"], content["name"], content["context"], event.turn)


def _completed(turn: int, status: str, duration_ms: int, usage: Mapping[str, Any], summary: str) -> Draft:
    type, content = events.own(
        events.TurnCompletedEvent(status=status, duration_ms=duration_ms, usage=dict(usage), summary=summary)
    )
    return Draft(type, events.encode(content), turn)


def _failed(turn: int, error: ChatError) -> Draft:
    content = events.error_content(error.code, error.message, error.row.retryable)
    return Draft("error", events.encode(content), turn)
