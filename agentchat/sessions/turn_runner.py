"""Running the turns of a session one after another, in a thread that exists while there is work."""

from __future__ import annotations

import contextlib
import logging
import threading
import time
from collections import deque
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Any, Protocol

from agentchat import cancellation, logs
from agentchat.ag2 import stored_history
from agentchat.ag2.conversation import Outcome
from agentchat.ag2.history import begun, heard
from agentchat.cancellation import Stopped
from agentchat.chat import Author, Chat
from agentchat.protocol import session_events
from agentchat.protocol.commands import Command, stop_of
from agentchat.protocol.errors import ChatError, DuplicateCommand, StoreError
from agentchat.protocol.events import Draft, Event
from agentchat.protocol.handover import HUMAN
from agentchat.protocol.identity import UNNAMED, user_id
from agentchat.protocol.session_events import NO_ANSWER, NO_USAGE, UNKNOWN_USAGE, UserMessage
from agentchat.sessions.cursor import MessageStream
from agentchat.sessions.log import Log
from agentchat.sessions.owned_lock import OwnedLock
from agentchat.sessions.pending_questions import PendingQuestions
from agentchat.sessions.services import Agents, Services
from agentchat.sessions.turn import STORE_RETRY, Turn
from agentchat.sessions.turn_slots import Slot

log = logging.getLogger(__name__)

THREAD_RETRY = 1.0  # seconds between attempts to start a turn's thread


@dataclass(frozen=True)
class Snapshot:
    """The turns of a session at one moment."""

    last: int
    """The number of the newest turn; 0 if there is none."""
    running: int | None
    waiting: tuple[UserMessage, ...]
    """The messages whose turns haven't begun, in the order in which they will be answered."""
    rewound: frozenset[int]
    """The turns that no longer count."""

    @property
    def next(self) -> int:
        """The number of the next turn."""
        return self.last + 1

    @property
    def is_idle(self) -> bool:
        """True if no turn runs or waits."""
        return self.running is None and not self.waiting

    def stoppable(self, turn: int | None) -> int | None:
        """Return the turn that a stop of `turn`, or of the running one if that is None, stops or withdraws."""
        turns = {self.running, *(message.turn for message in self.waiting)}
        return self.running if turn is None else turn if turn in turns else None

    def begun_since(self, turn: int) -> list[int]:
        """Return the turns from `turn` on that count and don't wait."""
        excluded = self.rewound.union(message.turn for message in self.waiting)
        return [number for number in range(turn, self.next) if number not in excluded]


class SessionHost(Protocol):
    """The part of the registry that a session's turns need."""

    def retain(self) -> None:
        """Keep the session in memory until `release`."""

    def release(self) -> None:
        """Undo one `retain`."""

    def wake_at(self, when: float) -> None:
        """Call `start` at that time, by time.monotonic(), also if the session has left memory by then."""


class TurnRunner:
    """Owns the state of a session's turns: which runs, which wait, which no longer count."""

    def __init__(
        self,
        agent: str,
        session_log: Log,
        chat: Chat,
        services: Services,
        host: SessionHost,
        last_turn: int = 0,
    ) -> None:
        self.log = session_log
        self.questions = PendingQuestions(session_log, services.audit)
        self._agent = agent
        self._chat = chat
        self._services = services
        self._host = host
        self._lock = OwnedLock()  # guards everything below; a turn starts and ends under it
        self._last_turn = last_turn
        self._running: Turn | None = None
        self._waiting: deque[UserMessage] = deque()
        self._rewound: frozenset[int] = frozenset()
        self._is_queue_shown = False  # a message that starts at once never waited
        self._asking: UserMessage | None = None  # its turn waits for an answer, without a thread and without agents
        self._is_stopped = False  # the newest turn that began was stopped; one that waits has to be brought back for it
        self._slot: Slot | None = None  # taken while there is work
        self._thread: threading.Thread | None = None
        self._agents: Agents | None = None
        self._unheard: set[int] = set()  # turns of which `_agents` don't know, because people had them to themselves

    # The state

    def snapshot(self) -> Snapshot:
        """Return the state as it is now."""
        with self._lock:
            running = self._running.number if self._running is not None else self.asking
            return Snapshot(self._last_turn, running, tuple(self._waiting), self._rewound)

    @property
    def asking(self) -> int | None:
        """The turn that waits for an answer without a thread and without agents, if there is one."""
        return self._asking.turn if self._asking is not None else None

    @contextlib.contextmanager
    def hold(self) -> Iterator[Snapshot]:
        """Keep turns from starting or ending while the context lasts. Yields a snapshot."""
        with self._lock:
            yield self.snapshot()

    @property
    def progress(self) -> list[Mapping[str, Any]]:
        """The newest progress reports of the tools that are running."""
        with self._lock:
            return self._running.progress_reports.contents if self._running is not None else []

    # Changing it

    def submit(
        self,
        message: UserMessage,
        stopping: Collection[int] = (),
        reason: str | None = None,
        command: Command | None = None,
    ) -> Event:
        """Append a message and queue its turn, which must be the next. Requires `hold`. Returns the message's event.

        The turns in `stopping` are stopped; with a `reason`, a rewind is appended and they no longer count. Raises
        StoreError and DuplicateCommand.
        """
        self._lock.assert_held()
        assert message.turn == self._last_turn + 1
        drafts = [session_events.user_message_draft(message, message.key)]
        if reason is not None:
            to_seq = self.log.first_seq(min(stopping)) - 1
            drafts.insert(0, session_events.rewind_draft(sorted(stopping), to_seq, reason))
        event = self.log.append(drafts, command=command)[-1]
        if reason is not None:
            self._rewound = self._rewound.union(stopping)
            self._agents = None
        self._last_turn = message.turn
        for turn in stopping:
            self._stop_running(turn)
        self._waiting.append(replace(message, seq=event.seq))
        self.start()
        if self._waiting:
            self._show_queue()
        return event

    def edit_waiting(self, message: UserMessage, command: Command | None = None) -> Event:
        """Put an edited message in the place of the one that waits for the same turn. Requires `hold`."""
        self._lock.assert_held()
        place = next(place for place, waiting in enumerate(self._waiting) if waiting.turn == message.turn)
        [event] = self.log.append([session_events.user_message_draft(message, key=None)], command=command)
        self._waiting[place] = replace(message, seq=event.seq)
        self._show_queue()
        return event

    def stop(self, turn: int | None = None, command: Command | None = None) -> int | None:
        """Stop the running turn, or that turn if it runs; or withdraw it if queued. Returns its number, or None.

        Raises DuplicateCommand, and StoreError except for the running turn: a person must always be able to stop it.
        """
        with self._lock:
            if self._runs(turn):
                try:
                    self._accept(command)
                except StoreError:
                    log.exception("The store knows nothing of a stop in %s, which is carried out", self.log.id)
                return self._stop_running(turn)
            waiting = next((message for message in self._waiting if message.turn == turn), None)
            if waiting is None:
                self._accept(command)
                return None
            self.log.append([session_events.turn_completed_draft(waiting.turn, "stopped")], command=command)
            self._waiting.remove(waiting)
            if not self._has_work():
                self._leave_line()
            self._show_queue()
            return waiting.turn

    def _runs(self, turn: int | None) -> bool:
        """Return True if that turn runs or waits for an answer; any turn if it is None."""
        self._lock.assert_held()
        running = self._running.number if self._running is not None else self.asking
        return running is not None and turn in {None, running}

    def _stop_running(self, turn: int | None) -> int | None:
        """Stop the running turn, or that turn if it runs. Returns its number, or None."""
        self._lock.assert_held()
        if not self._runs(turn):
            return None
        self._is_stopped = True
        number = self._running.number if self._running is not None else self.asking
        if number is not None and self.questions.is_waiting(number):
            self._record_stop(number)
        if self._running is not None:
            self._running.token.stop("stopped")  # without effect if it is about to wait without agents
            return number
        self._leave_line()
        self.start()
        return number

    def _record_stop(self, turn: int) -> None:
        """Have the next server stop a turn that waits for an answer, if this one ends before it has done so."""
        try:
            self.log.store.accept(stop_of(self.log.id, turn))
        except DuplicateCommand:
            log.debug("Turn %d of %s is stopped again", turn, self.log.id)
        except StoreError:
            log.exception("A stop in %s is lost if the server ends before it is carried out", self.log.id)

    def _accept(self, command: Command | None) -> None:
        if command is not None:
            self.log.store.accept(command)

    def add_spoken_turn(self, draft: Draft, history: str, command: Command | None = None) -> Event:
        """Append what a human said in the agents' place, as the next turn, which no agent runs. Requires `hold`.

        `history` lets the agents know of it later.
        """
        self._lock.assert_held()
        [event] = self.log.append([draft], history, command=command)
        self._last_turn = draft.turn
        self._unheard.add(draft.turn)
        return event

    def _show_queue(self) -> None:
        self._lock.assert_held()
        self._count_waiting()
        self._is_queue_shown = bool(self._waiting)
        self.log.set_state("queue", "queue", {"queue": [message.entry for message in self._waiting]})

    def _count_waiting(self) -> None:
        self._lock.assert_held()
        self._services.waiting_messages.update(self.log.id, self._waiting)
        now = self._running.message if self._running is not None else self._asking
        self._services.quotas.update(self.log.id, [each.user for each in (*self._waiting, *([now] if now else []))])

    # Beginning and ending

    def resume(self, asking: int | None) -> None:
        """Resume what the previous server accepted but did not finish; `asking` is the turn with an open question."""
        with self._lock:
            self._rewound = self.log.rewound
            unanswered = map(session_events.user_message, self._services.store.unanswered(self.log.id))
            newest = {message.turn: message for message in unanswered}
            self._waiting.extend(newest[turn] for turn in sorted(newest) if turn not in self._rewound)
            if gone := sorted(self._rewound.intersection(newest)):  # rewound just before they started
                self.log.append([session_events.turn_completed_draft(turn, "stopped") for turn in gone])
            self._count_waiting()
            if asking is not None:
                stop = stop_of(self.log.id, asking)
                self._is_stopped = self._services.store.accepted(stop.scope, stop.id) is not None
                self._wait_for_answer(self.log.message(asking))

    def _wait_for_answer(self, message: UserMessage) -> None:
        """Let the message's turn wait for its answer without a thread and without agents."""
        self._lock.assert_held()
        history = self._services.store.history(self.log.id, message.turn)
        asked, limit = stored_history.asked(history or ""), stored_history.limit(history or "")
        deadline = self.questions.recall(message.turn, asked, limit)
        self._asking = message
        if deadline is not None:
            self._host.wake_at(deadline)

    def start(self) -> None:
        """Begin the next turn, or get in line for it, if there is work that isn't being done."""
        with self._lock:
            if self._slot is not None or not self._has_work():
                return
            self._host.retain()
            message = self._asking or self._waiting[0]
            person = message.user or user_id(UNNAMED, "", self.log.id)
            is_stop = self._asking is not None and self._is_stopped  # which waits for nobody
            slot = self._slot = self._services.turn_slots.enter(person, self._start_thread, self._show_place, is_stop)
            if slot.is_granted:
                self._start_thread(self._next_turn())
            else:
                self._show_place(slot.ahead)

    def _start_thread(self, turn: Turn | None = None) -> None:
        """Start the thread, because the slot was granted. Takes no lock: others may hold theirs."""
        name = f"turn-{self.log.id}"
        self._thread = threading.Thread(target=self._work, args=(turn,), name=name, daemon=True)
        try:
            self._thread.start()
        except (RuntimeError, MemoryError):  # the process has as many as it may
            log.warning("No thread can be started for %s; it is tried again in a second", self.log.id)
            retry = partial(self._start_thread, turn)
            self._services.deadlines.set(name, time.monotonic() + THREAD_RETRY, retry)

    def _show_place(self, ahead: int) -> None:
        """Show how many turns of other sessions come first. Takes no lock of ours."""
        self.log.set_state("place", "place", {"ahead": ahead})

    @property
    def ahead(self) -> int | None:
        """The number of turns of other sessions that come first; None if this session isn't in line."""
        slot = self._slot
        return slot.ahead if slot is not None and not slot.is_granted else None

    def _leave_line(self) -> None:
        """Give up the place in the line, if there is one."""
        self._lock.assert_held()
        slot = self._slot
        if slot is not None and slot.leave_line():
            self._slot = None
            self.log.clear_state("place")
            self._host.release()

    @property
    def is_at_work(self) -> bool:
        """True if a turn runs or is about to go on, unless it waits for an answer."""
        with self._lock:
            if self._running is not None:
                return not self.questions.is_waiting(self._running.number)
            return self._asking is not None and self._can_resume(self._asking.turn)

    def interrupt(self) -> None:
        """End the running turn because the server ends; one that waits for an answer goes on with the next server."""
        with self._lock:
            if self._running is not None:
                is_asking = self.questions.is_waiting(self._running.number)
                self._running.token.stop("suspended" if is_asking else "interrupted")

    def join(self, timeout: float) -> None:
        """Wait for the thread to end, at most `timeout` seconds."""
        thread = self._thread
        if thread is not None and thread.ident is not None:  # it could be started
            thread.join(timeout)

    def close(self) -> None:
        """Let the agents leave memory at once: the session does, too."""
        with self._lock:
            agents, self._agents = self._agents, None
        if agents is not None:
            agents.close()
        self._chat.close()

    def give_up(self) -> None:
        """End what runs and forget what waits: the session was deleted."""
        with self._lock:
            self._waiting.clear()
            self._asking = None
            self._count_waiting()
            self._services.quotas.update(self.log.id, ())
            self._leave_line()
            if self._running is not None:
                self._running.token.stop("stopped")

    # In the thread

    def _work(self, turn: Turn | None) -> None:
        self.log.clear_state("place")
        try:
            turn = turn or self._next_turn()
            while turn is not None:
                self._run(turn)
                turn = None if self._is_turn_of_others() else self._next_turn()
        finally:
            with self._lock:
                slot, self._slot, self._thread = self._slot, None, None
                self._running = None  # also if its end could not be saved
                self._count_waiting()
            if slot is not None:
                slot.leave()
            self.start()  # in line again, or because something came at the last moment
            self._host.release()

    def _is_turn_of_others(self) -> bool:
        slot = self._slot
        return self._services.turn_slots.has_line or slot is None or slot.has_left

    def give_way(self) -> None:
        """Let another turn run while this one waits for a person, after which it goes on without a slot."""
        slot = self._slot
        if slot is not None:
            slot.leave()

    def _has_work(self) -> bool:
        self._lock.assert_held()
        if self._services.is_closing.is_set():
            return False
        if self._asking is not None:
            return self._can_resume(self._asking.turn)  # it has begun long ago
        return bool(self._waiting) and not self._services.is_draining.is_set()

    def _next_turn(self) -> Turn | None:
        with self._lock:
            rules, live_questions = self._services.rules, self._services.live_questions
            if not self._has_work():
                self._running = None
            elif (message := self._asking) is not None:
                self._running = Turn(self, message, rules, live_questions, True, self._is_stopped)
                self._asking, self._is_stopped = None, False
            else:
                self._is_stopped = False
                self._running = Turn(self, self._waiting.popleft(), rules, live_questions)
                self._count_waiting()
                if self._is_queue_shown:
                    self._show_queue()
            return self._running

    def _can_resume(self, turn: int) -> bool:
        self._lock.assert_held()
        return self._is_stopped or self.questions.has_changed(turn)

    def _run(self, turn: Turn) -> None:
        began = time.monotonic()
        with turn.time_limit, self._services.measures.turn(self._agent, self.log.id, turn.is_resumed) as measures:
            turn.measure(measures)
            outcome = self._outcome(turn)
            if turn.ends_at_question and outcome.status == "failed":  # it could not be brought back
                outcome = replace(outcome, status="stopped", error=None)
            measures.ended(outcome.status, outcome.usage, outcome.error)
        turn.close()
        if outcome.is_left_behind:
            with self._lock:
                self._agents = None  # something in them goes on
        if outcome.status == "interrupted" and not turn.has_started:
            return  # the next server answers the message
        is_left_asking = outcome.status == "interrupted" and self.questions.is_waiting(turn.number)
        if outcome.status == "suspended" or is_left_asking:
            self._leave_waiting(turn)
            return
        duration_ms = round((time.monotonic() - began) * 1000)
        drafts = [
            session_events.turn_completed_draft(
                turn.number,
                outcome.status,
                duration_ms,
                outcome.usage,
                outcome.summary,
                outcome.code_changes,
                NO_ANSWER if self._is_silent(turn, outcome) else None,
            )
        ]
        errors = [*outcome.refused, *([outcome.error] if outcome.error is not None else [])]
        drafts[:0] = [session_events.error_draft(turn.number, error) for error in errors]
        turn.end(drafts, outcome.history)
        self._note_end(turn, outcome, duration_ms)

    def _note_end(self, turn: Turn, outcome: Outcome, duration_ms: int) -> None:
        """Log a turn in one line, without any words of it."""
        with self._lock:
            agent = HUMAN if turn.number in self._unheard else self._agent
        person = turn.message.user or user_id(UNNAMED, "", self.log.id)
        about = {"session": self.log.id, "turn": turn.number, "agent": agent, "status": outcome.status}
        usage = {name: outcome.usage.get(name) for name in ("prompt_tokens", "completion_tokens", "cost")}
        log.info(
            "Turn %d of %s by %s for %s: %s after %d ms, %s + %s tokens, %s",
            turn.number, self.log.id, agent, person, outcome.status, duration_ms,
            *(usage[name] if usage[name] is not None else "?" for name in ("prompt_tokens", "completion_tokens")),
            f"{usage['cost']:g} USD" if usage["cost"] is not None else "no price known",
            extra=logs.fields(**about, ms=duration_ms, **usage, person=person),
        )  # fmt: skip

    def _leave_waiting(self, turn: Turn) -> None:
        """Let a turn wait for its answer without agents, as soon as the store can be read."""
        while True:
            try:
                with self._lock:
                    self._wait_for_answer(turn.message)
                    self._running = None
                    agents, self._agents = self._agents, None
                if agents is not None:
                    agents.close()
                return
            except StoreError:
                log.exception("Turn %d of %s waits for the store", turn.number, self.log.id)
            if self._services.is_closing.wait(STORE_RETRY):
                return

    def _is_silent(self, turn: Turn, outcome: Outcome) -> bool:
        """Return True if the agents had the turn to its end, and gave no answer."""
        with self._lock:
            is_held = turn.number in self._unheard or self.log.held is not None
        return outcome.status == "completed" and not (is_held or turn.has_answer or outcome.summary)

    def _outcome(self, turn: Turn) -> Outcome:
        message = turn.message
        try:
            is_held = self.log.held is not None and not turn.is_resumed
            if turn.is_resumed:
                turn.recall()
            else:
                agent = HUMAN if is_held else self._agent
                history = heard(message.told) if is_held else begun(message.told)
                started = session_events.TurnStartedEvent(message_id=message.id, agent=agent)
                turn.append(*session_events.type_and_content(started), history)
                turn.has_started = True
            if is_held:
                with self._lock:
                    self._unheard.add(turn.number)
                    is_rewound = turn.number in self._rewound
                return Outcome("stopped" if is_rewound else "completed", "", NO_USAGE, history)
            person = message.user or user_id(UNNAMED, "", self.log.id)
            self._chat.author = Author(message.name, person, message.context, self._services.roles(person))
            return self._agents_for(turn).run(message.told, turn, turn.token, turn.history)
        except Stopped as stopped:
            return self._unanswered(turn, stopped.reason, stopped.error)
        except ChatError as error:
            return self._unanswered(turn, "failed", error)
        except BaseException:  # nothing may end the thread without the turn's end in the log
            log.exception("Turn %d of %s failed", turn.number, self.log.id)
            return self._unanswered(turn, "failed", ChatError("internal"))

    def _unanswered(self, turn: Turn, status: str, error: ChatError | None) -> Outcome:
        """Return the outcome of a turn without agents. Those of the next turn know the message nevertheless."""
        history = begun(turn.message.told, status) if not turn.is_resumed else None
        return Outcome(status, "", UNKNOWN_USAGE, history, error)

    def _agents_for(self, turn: Turn) -> Agents:
        """Return agents that remember the turns that count and come before this one."""
        with self._lock:
            known = self._agents
            if known is not None and not any(number < turn.number for number in self._unheard):
                return known
            self._unheard = {number for number in self._unheard if number > turn.number}
            self._agents, rewound = None, self._rewound
            histories = self._services.store.histories(self.log.id).items()
            counting = [(n, history) for n, history in histories if n < turn.number and n not in rewound]
        token = cancellation.current.set(turn.token)  # agent files may wait for something, and must not delay a stop
        try:
            readable = [stored_history.readable(history, partial(self.log.events_of, n)) for n, history in counting]
            built = self._services.build_agents(self._agent, self._chat, readable)
        finally:
            cancellation.current.reset(token)
        with self._lock:
            self._agents = built if rewound == self._rewound else None
        return built

    # For the turn

    def end(self, drafts: Sequence[Draft], history: str | None, completes: Sequence[MessageStream]) -> None:
        """Append the end of the running turn and its streams; by the time a reader sees it, no turn is running.

        Raises StoreError.
        """
        with self._lock:
            # The store counts this one from now on.
            self._services.quotas.update(self.log.id, [message.user for message in self._waiting])
            self.log.append(drafts, history, completes)
            if self._running is not None and self._running.number in self._rewound:
                self._agents = None  # they may have been built after the turn was rewound, and know it
            self._running = None

    def wait_unless_closing(self, seconds: float) -> None:
        """Wait, and raise ChatError if the server ends meanwhile."""
        if self._services.is_closing.wait(seconds):
            raise ChatError("closing")
