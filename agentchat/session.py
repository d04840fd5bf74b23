"""One conversation: what people do in it, and its turns, run one at a time.

A session is its log (log.py). A turn runs in the session's own thread, which is there while there is work.
"""

from __future__ import annotations

import logging
import threading
import time
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any
from uuid import uuid4

from agentchat import __version__, events, milestones
from agentchat.conversation import Conversation, Outcome
from agentchat.cursor import Cursor, Live
from agentchat.errors import ChatError, DuplicateMessage
from agentchat.events import Draft, Event
from agentchat.house import BUSY, House
from agentchat.limits import check_id, check_length, check_text, check_title, cleaned, one_line
from agentchat.log import Log
from agentchat.milestones import NO_USAGE, Message
from agentchat.open_questions import OpenQuestions
from agentchat.people import People
from agentchat.stopping import Stopped
from agentchat.store import SessionRecord
from agentchat.turn import Turn

log = logging.getLogger(__name__)


class Session:
    """One conversation. `log` is what its readers see, `questions` are those that wait for an answer."""

    def __init__(
        self,
        record: SessionRecord,
        house: House,
        keep: Callable[[Session], None],
        leave: Callable[[Session], None],
        waiting: int | None = None,
    ) -> None:
        """`keep` and `leave` tell that a turn needs the session; `waiting` is a turn that still waits for an answer."""
        self.id = record.id
        self.agent = record.agent
        self.users = 1  # guarded by the lock of `Sessions`
        self.log = Log(record, house.store, house.redact)
        self.questions = OpenQuestions(self.log)
        self._house = house
        self._keep = keep
        self._leave = leave
        self._people = People()
        self._lock = threading.RLock()  # guards what follows
        self._last_turn = record.last_turn
        self._rewound: frozenset[int] = frozenset()
        self._queue: deque[Message] = deque()
        self._is_queue_shown = False  # a message that starts at once never waited
        self._resumed: Message | None = None
        self._running: Turn | None = None
        self._worker: threading.Thread | None = None
        self._chat = house.new_chat(self.id)
        self._conversation: Conversation | None = None
        if record.last_seq:
            self._recall(waiting)

    def _recall(self, waiting: int | None) -> None:
        """What a server before this one accepted and did not come to still waits, and so does its open question."""
        self._rewound = self.log.rewound
        newest = {event.turn: milestones.message(event) for event in self._house.store.unanswered(self.id)}
        self._queue.extend(newest[turn] for turn in sorted(newest) if turn not in self._rewound)
        if gone := [milestones.completed(turn, "stopped") for turn in sorted(newest) if turn in self._rewound]:
            self.log.append(gone)  # rewound when they were about to start; then the server was killed
        if waiting is not None:
            self.questions.recall(waiting)
            self._resumed = self._asked(waiting)

    # What people do

    def post(
        self,
        text: str,
        name: str,
        id: str | None = None,
        context: Mapping[str, Any] | None = None,
        busy: str | None = None,
    ) -> Event:
        """A person's message. One whose id is in the log already changes nothing. Returns its event; raises ChatError.

        `busy` is what becomes of it while a turn runs: one of BUSY.
        """
        check_text(text)
        context = cleaned(context)
        check_id(id)
        busy = busy or self._house.rules.busy
        if busy not in BUSY:
            raise ChatError("bad_frame", problem=f"its busy is none of {', '.join(BUSY)}")
        with self._lock:
            self._check_alive()
            if id is not None and self._may_refuse(busy):
                known = self._house.store.keyed(self.id, milestones.key(id))
                if known is not None:
                    return known
            running = self._running
            if running is None or busy == "enqueue":
                return self._ask(text, name, id, context)
            if busy == "reject":
                raise ChatError("busy")
            must_rewind = busy == "rollback" and running.number not in self._rewound
            return self._ask(text, name, id, context, "rollback" if must_rewind else None, [running.number])

    def answer(self, request_id: str, text: str, name: str, arguments: Mapping[str, Any] | None = None) -> Event:
        """The answer to an open question; the first one counts. Returns its event; raises ChatError."""
        check_length(text)
        self._check_alive()
        return self.questions.answer(request_id, text, name, cleaned(arguments))

    def stop(self, turn: int | None = None) -> int | None:
        """Stop the running turn, or that turn if it runs; withdraw it if it waits. Returns which one, if any."""
        with self._lock:
            running = self._running
            if running is not None and turn in {None, running.number}:
                running.token.stop("stopped")
                return running.number
            waiting = next((message for message in self._queue if message.turn == turn), None)
            if waiting is None:
                return None
            self.log.append([milestones.completed(waiting.turn, "stopped")])
            self._queue.remove(waiting)
            self._tell_queue()
            return waiting.turn

    def retry(self) -> Event:
        """The last turn no longer counts, and its message is answered anew. Returns the new message's event."""
        with self._lock:
            self._check_alive()
            if self._running is not None and self._running.number not in self._rewound:
                turn = self._running.number
            else:
                self._check_idle()
                turn = next((t for t in range(self._last_turn, 0, -1) if self._has_answer(t)), 0)
            if not turn:
                raise ChatError("nothing_to_retry")
            message = self._asked(turn)
            return self._ask(message.text, message.name, None, message.context, "retry", self._counting_from(turn))

    def edit(self, seq: int, text: str, name: str) -> Event:
        """Another text for the message at `seq`. Unless it still waits, it and all since no longer count.

        Returns the event of the new message; raises ChatError.
        """
        check_text(text)
        with self._lock:
            self._check_alive()
            event = next((event for event, _ in self.log.read(seq - 1, 1)), None) if seq > 0 else None
            if event is None or event.type != "user_message" or event.turn in self._rewound:
                raise ChatError("message_unknown", seq=seq)
            for place, waiting in enumerate(self._queue):
                if waiting.turn == event.turn:
                    changed = replace(waiting, text=events.clean(text), name=events.clean(name))
                    [written] = self.log.append([milestones.asked(changed, key=None)])
                    self._queue[place] = replace(changed, seq=written.seq)
                    self._tell_queue()
                    return written
            if self._running is None or self._running.number != event.turn:
                self._check_idle()
            return self._ask(text, name, None, event.content["context"], "edit", self._counting_from(event.turn))

    def rename(self, title: str, name: str) -> Event:
        """Another title. Returns its event; raises ChatError."""
        check_title(title)
        with self._lock:
            self._check_alive()
            [event] = self.log.append([milestones.renamed(one_line(title), events.clean(name))])
            return event

    def typing(self, name: str, is_typing: bool, origin: object = None) -> None:
        """Tell all readers but `origin` that a person writes, or no longer does."""
        self.log.signal(f"typing:{name}", "typing", {"name": events.clean(name), "is_typing": is_typing}, origin)

    def join(self, name: str, role: str) -> None:
        """Another connection of that person is there. `part` says that it is gone."""
        self._people.join(name, role)
        self.log.signal("presence", "presence", {"participants": self._people.participants})

    def part(self, name: str, role: str) -> None:
        self._people.part(name, role)
        if not self._people.has(name):
            self.log.forget_signal(f"typing:{name}")
        self.log.signal("presence", "presence", {"participants": self._people.participants})

    # What there is to see

    @property
    def status(self) -> str:
        """idle, running, or waiting for an answer."""
        if self.questions.contents:
            return "waiting"
        return "running" if self._running is not None or self._queue else "idle"

    @property
    def queue(self) -> list[dict[str, Any]]:
        """The messages that wait for their turn."""
        with self._lock:
            return [message.entry for message in self._queue]

    def confirmation(self, cursor: Cursor, name: str, role: str, replaced: str | None = None) -> str:
        """The first frame for a reader. `replaced` is the session that it asked for and that does not exist."""
        about = self.about()
        type, content = events.own(
            events.ConnectionConfirmedEvent(
                session_id=self.id,
                agent=self.agent,
                title=about["title"],
                name=name,
                role=role,
                last_seq=self.log.view.last_seq,
                status=about["status"],
                recovered=cursor.recovered,
                replaced=replaced,
                open_requests=about["open_requests"],
                queue=about["queue"],
                participants=about["participants"],
                model=dict(self._house.model),
                server={"name": "agentchat", "version": __version__},
            )
        )
        return events.live_frame(type, content)

    def about(self) -> dict[str, Any]:
        """The session in one object. Raises ChatError when it was deleted."""
        record = self._house.store.session(self.id)
        if record is None:
            raise ChatError("session_deleted")
        return {
            **summary(record, self.status),
            "open_requests": self.questions.contents,
            "queue": self.queue,
            "participants": self._people.participants,
        }

    def turn_status(self, turn: int) -> str:
        """queued, running, waiting, or how the turn was completed."""
        with self._lock:
            running = self._running
            if running is not None and running.number == turn:
                return "waiting" if self.questions.is_waiting(turn) else "running"
        completed = [e for e in self.log.milestones(turn) if e.type == "turn_completed"]
        return str(completed[0].content["status"]) if completed else "queued"

    # Working

    def work(self) -> None:
        """Start on what waits, if there is anything."""
        with self._lock:
            self._start_working()

    def interrupt(self) -> None:
        """The server ends: a turn that waits for an answer goes on with the next one, another ends interrupted."""
        with self._lock:
            if self._running is not None:
                is_waiting = self.questions.is_waiting(self._running.number)
                self._running.token.stop("suspended" if is_waiting else "interrupted")

    def join_worker(self, timeout: float) -> None:
        worker = self._worker
        if worker is not None:
            worker.join(timeout)

    def give_up(self) -> None:
        """The session is gone from the store: what runs or waits ends."""
        with self._lock:
            self._queue.clear()
            if self._running is not None:
                self._running.token.stop("stopped")

    def _start_working(self) -> None:
        """Unless the worker is at it. Requires holding `_lock`."""
        if self._worker is None and (turn := self._next_turn()) is not None:
            self._keep(self)
            self._worker = threading.Thread(target=self._work, args=(turn,), name=f"turn-{self.id}", daemon=True)
            self._worker.start()

    def _work(self, turn: Turn | None) -> None:
        try:
            while turn is not None:
                self._run(turn)
                turn = self._next_turn()
        finally:
            self._leave(self)

    def _next_turn(self) -> Turn | None:
        with self._lock:
            timeout = self._house.rules.input_timeout
            message, self._resumed = self._resumed, None
            if self._house.is_closing.is_set() or (message is None and not self._queue):
                self._running = self._worker = None
                return None
            if message is not None:
                memory = self._house.store.memory(self.id, message.turn)
                self._running = Turn(self, message, timeout, memory)
            else:
                self._running = Turn(self, self._queue.popleft(), timeout)
                if self._is_queue_shown:
                    self._tell_queue()
            return self._running

    def _run(self, turn: Turn) -> None:
        began = time.monotonic()
        outcome = self._outcome(turn)
        turn.close()
        is_left_asking = outcome.status == "interrupted" and self.questions.is_waiting(turn.number)
        if outcome.status == "suspended" or is_left_asking:
            return  # the server ends; the next one goes on from the question
        duration_ms = round((time.monotonic() - began) * 1000)
        summary = self.log.redact(outcome.summary)
        drafts = [milestones.completed(turn.number, outcome.status, duration_ms, outcome.usage, summary)]
        if outcome.error is not None:
            drafts.insert(0, milestones.failed(turn.number, outcome.error))
        turn.end(drafts, outcome.memory)
        log.info("Turn %d of %s: %s after %d ms", turn.number, self.id, outcome.status, duration_ms)

    def _outcome(self, turn: Turn) -> Outcome:
        message = turn.message
        try:
            if turn.memory is None:
                turn.append(*events.own(events.TurnStartedEvent(message_id=message.id, agent=self.agent)))
            self._chat.user, self._chat.context = message.name, message.context
            return self._conversation_for(turn).run(message.text, turn, turn.token, turn.memory)
        except Stopped as stopped:
            return Outcome(stopped.reason, "", NO_USAGE, None, stopped.error)
        except ChatError as error:
            return Outcome("failed", "", NO_USAGE, None, error)
        except BaseException:  # nothing may end the thread without the turn's end in the log
            log.exception("Turn %d of %s failed", turn.number, self.id)
            return Outcome("failed", "", NO_USAGE, None, ChatError("internal"))

    def _conversation_for(self, turn: Turn) -> Conversation:
        """The agents, who remember the turns that count and come before this one."""
        with self._lock:
            if self._conversation is None:
                memories = self._house.store.memories(self.id).items()
                counting = [m for number, m in memories if number < turn.number and number not in self._rewound]
                self._conversation = self._house.new_conversation(self.agent, self._chat, counting)
            return self._conversation

    def end(self, drafts: Sequence[Draft], memory: str | None, completes: Live | None) -> None:
        """The last words of the running turn: whoever sees them may take it that nothing runs. Raises StoreError."""
        with self._lock:
            self.log.append(drafts, memory, completes)
            if self._running is not None and self._running.number in self._rewound:
                self._conversation = None  # its agents may have been built after they were to forget it
            self._running = None

    def wait_unless_closing(self, seconds: float) -> None:
        if self._house.is_closing.wait(seconds):
            raise ChatError("closing")

    def _ask(
        self,
        text: str,
        name: str,
        id: str | None,
        context: Mapping[str, Any] | None,
        reason: str | None = None,
        stopping: Sequence[int] = (),
    ) -> Event:
        """Accept a message. The turns in `stopping` are stopped, and with a `reason` they no longer count.

        Requires holding `_lock`.
        """
        limit = self._house.rules.max_messages
        if limit and self._last_turn >= limit:
            raise ChatError("session_full", limit=f"{limit:,}")
        turn = self._last_turn + 1
        message = Message(id or uuid4().hex, events.clean(text), events.clean(name), context or {}, turn)
        drafts = [milestones.asked(message, message.key)]
        if reason is not None:
            to_seq = self.log.milestones(stopping[0])[0].seq - 1
            drafts.insert(0, milestones.rewind(stopping, to_seq, reason))
        try:
            event = self.log.append(drafts)[-1]
        except DuplicateMessage as duplicate:
            return duplicate.event
        if reason is not None:
            self._rewound |= set(stopping)
            self._conversation = None
        self._last_turn = turn
        self._queue.append(replace(message, seq=event.seq))
        if self._running is not None and self._running.number in stopping:
            self._running.token.stop("stopped")
        self._start_working()
        if self._queue:
            self._tell_queue()
        return event

    def _tell_queue(self) -> None:
        self._is_queue_shown = bool(self._queue)
        self.log.signal("queue", "queue", {"queue": self.queue})

    # Rules

    def _check_alive(self) -> None:
        if self._house.is_closing.is_set():
            raise ChatError("closing")
        if self.log.is_deleted:
            raise ChatError("session_deleted")

    def _check_idle(self) -> None:
        if self._running is not None or self._queue:
            raise ChatError("busy")

    def _may_refuse(self, busy: str) -> bool:
        """A message may be refused or stop a turn, which one that was sent before must not."""
        limit = self._house.rules.max_messages
        return busy != "enqueue" or bool(limit and self._last_turn >= limit)

    def _asked(self, turn: int) -> Message:
        """The message of a turn, as it was edited last."""
        versions = [event for event in self.log.milestones(turn) if event.type == "user_message"]
        return milestones.message(versions[-1])

    def _has_answer(self, turn: int) -> bool:
        return turn not in self._rewound and any(e.type == "turn_started" for e in self.log.milestones(turn))

    def _counting_from(self, turn: int) -> list[int]:
        """The turn and those since; not those that have not begun."""
        waiting = {message.turn for message in self._queue}
        return [t for t in range(turn, self._last_turn + 1) if t not in self._rewound | waiting]


def summary(record: SessionRecord, status: str) -> dict[str, Any]:
    """A session as lists show it."""
    return {
        "id": record.id,
        "agent": record.agent,
        "title": record.title,
        "created": record.created,
        "updated": record.updated,
        "last_seq": record.last_seq,
        "status": status,
        "messages": record.last_turn,
    }
