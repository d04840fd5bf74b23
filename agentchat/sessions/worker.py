"""What works in a session: its turns, run one at a time in a thread that is there while there is work."""

from __future__ import annotations

import logging
import threading
import time
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from agentchat import cancellation
from agentchat.ag2 import conversation
from agentchat.ag2.conversation import Conversation, Outcome
from agentchat.cancellation import Stopped
from agentchat.chat import Author, Chat
from agentchat.protocol import session_events
from agentchat.protocol.errors import ChatError
from agentchat.protocol.events import Draft
from agentchat.protocol.handover import HUMAN
from agentchat.protocol.identity import UNNAMED, user_id
from agentchat.protocol.session_events import NO_USAGE, UserMessage
from agentchat.sessions.log import Log
from agentchat.sessions.pending_questions import OpenQuestions
from agentchat.sessions.services import Services
from agentchat.sessions.turn import Turn

log = logging.getLogger(__name__)


class Worker:
    """The turns of a session. What it says of itself is guarded by `lock`."""

    def __init__(
        self,
        agent: str,
        session_log: Log,
        chat: Chat,
        services: Services,
        keep: Callable[[], None],
        leave: Callable[[], None],
    ) -> None:
        """`keep` and `leave` tell that a turn needs the session."""
        self.lock = threading.RLock()
        self.log = session_log
        self.questions = OpenQuestions(session_log)
        self.running: Turn | None = None
        self.waiting: deque[UserMessage] = deque()
        self.rewound: frozenset[int] = frozenset()
        """The turns that no longer count."""
        self._agent = agent
        self._chat = chat
        self._services = services
        self._keep = keep
        self._leave = leave
        self._is_queue_shown = False  # a message that starts at once never waited
        self._resumed: UserMessage | None = None
        self._thread: threading.Thread | None = None
        self._conversation: Conversation | None = None
        self._unheard: set[int] = set()  # turns in which something was said that those agents have not heard

    # What there is to do

    def add(self, message: UserMessage) -> None:
        """It is answered when its turn comes."""
        with self.lock:
            self.waiting.append(message)
            self.start()
            if self.waiting:
                self.tell_queue()

    def resume(self, message: UserMessage) -> None:
        """Its turn goes on at the question at which a server before this one left it."""
        self._resumed = message

    def start(self) -> None:
        """Unless the thread is at it, or there is nothing to do."""
        with self.lock:
            if self._thread is None and (turn := self._next_turn()) is not None:
                self._keep()
                self._thread = threading.Thread(
                    target=self._work, args=(turn,), name=f"turn-{self.log.id}", daemon=True
                )
                self._thread.start()

    def forget(self, turns: Sequence[int]) -> None:
        """These turns no longer count."""
        with self.lock:
            self.rewound |= set(turns)
            self._conversation = None

    def hear(self, turn: int) -> None:
        """Something was said in that turn, which no agent runs; those of later turns are to know it."""
        with self.lock:
            self._unheard.add(turn)

    def tell_queue(self) -> None:
        self._is_queue_shown = bool(self.waiting)
        self.log.signal("queue", "queue", {"queue": self.queue})

    @property
    def queue(self) -> list[dict[str, Any]]:
        """The messages that wait for their turn."""
        with self.lock:
            return [message.entry for message in self.waiting]

    @property
    def progress(self) -> list[Mapping[str, Any]]:
        """How far the tools are that run now."""
        running = self.running
        return running.progress_reports.contents if running is not None else []

    # Ending

    def interrupt(self) -> None:
        """The server ends: a turn that waits for an answer goes on with the next one, another ends interrupted."""
        with self.lock:
            if self.running is not None:
                is_waiting = self.questions.is_waiting(self.running.number)
                self.running.token.stop("suspended" if is_waiting else "interrupted")

    def join(self, timeout: float) -> None:
        thread = self._thread
        if thread is not None:
            thread.join(timeout)

    def give_up(self) -> None:
        """The session is gone from the store: what runs or waits ends."""
        with self.lock:
            self.waiting.clear()
            if self.running is not None:
                self.running.token.stop("stopped")

    # Working

    def _work(self, turn: Turn | None) -> None:
        try:
            while turn is not None:
                self._run(turn)
                turn = self._next_turn()
        finally:
            self._leave()

    def _next_turn(self) -> Turn | None:
        with self.lock:
            timeout = self._services.rules.input_timeout
            message, self._resumed = self._resumed, None
            if self._services.is_closing.is_set() or (message is None and not self.waiting):
                self.running = self._thread = None
                return None
            if message is not None:
                history = self._services.store.history(self.log.id, message.turn)
                self.running = Turn(self, message, timeout, history)
            else:
                self.running = Turn(self, self.waiting.popleft(), timeout)
                if self._is_queue_shown:
                    self.tell_queue()
            return self.running

    def _run(self, turn: Turn) -> None:
        began = time.monotonic()
        outcome = self._outcome(turn)
        turn.close()
        is_left_asking = outcome.status == "interrupted" and self.questions.is_waiting(turn.number)
        if outcome.status == "suspended" or is_left_asking:
            return  # the server ends; the next one goes on from the question
        duration_ms = round((time.monotonic() - began) * 1000)
        summary = self.log.redact(outcome.summary)
        drafts = [
            session_events.completed(
                turn.number, outcome.status, duration_ms, outcome.usage, summary, outcome.code_changes
            )
        ]
        if outcome.error is not None:
            drafts.insert(0, session_events.failed(turn.number, outcome.error))
        turn.end(drafts, outcome.history)
        log.info("Turn %d of %s: %s after %d ms", turn.number, self.log.id, outcome.status, duration_ms)

    def _outcome(self, turn: Turn) -> Outcome:
        message = turn.message
        try:
            is_held = self.log.held is not None and turn.history is None
            if turn.history is None:
                agent = HUMAN if is_held else self._agent
                history = conversation.heard(message.text) if is_held else None
                turn.append(
                    *session_events.own(session_events.TurnStartedEvent(message_id=message.id, agent=agent)), history
                )
            if is_held:
                self.hear(turn.number)
                return Outcome("completed", "", NO_USAGE, history)
            person = message.user or user_id(UNNAMED, "", self.log.id)
            self._chat.author = Author(message.name, person, message.context)
            return self._conversation_for(turn).run(message.text, turn, turn.token, turn.history)
        except Stopped as stopped:
            return Outcome(stopped.reason, "", NO_USAGE, None, stopped.error)
        except ChatError as error:
            return Outcome("failed", "", NO_USAGE, None, error)
        except BaseException:  # nothing may end the thread without the turn's end in the log
            log.exception("Turn %d of %s failed", turn.number, self.log.id)
            return Outcome("failed", "", NO_USAGE, None, ChatError("internal"))

    def _conversation_for(self, turn: Turn) -> Conversation:
        """The agents, who remember the turns that count and come before this one."""
        with self.lock:
            known = self._conversation
            if known is not None and not any(number < turn.number for number in self._unheard):
                return known
            self._unheard = {number for number in self._unheard if number > turn.number}
            self._conversation, rewound = None, self.rewound
            histories = self._services.store.histories(self.log.id).items()
            counting = [m for number, m in histories if number < turn.number and number not in self.rewound]
        token = cancellation.current.set(turn.token)  # agent files may wait for something, and must not hold up a stop
        try:
            built = self._services.new_conversation(self._agent, self._chat, counting)
        finally:
            cancellation.current.reset(token)
        with self.lock:
            self._conversation = built if rewound == self.rewound else None
        return built

    # For the turn

    def end(self, drafts: Sequence[Draft], history: str | None) -> None:
        """The last words of the running turn: whoever sees them may take it that nothing runs. Raises StoreError."""
        with self.lock:
            self.log.append(drafts, history)
            if self.running is not None and self.running.number in self.rewound:
                self._conversation = None  # its agents may have been built after they were to forget it
            self.running = None

    def wait_unless_closing(self, seconds: float) -> None:
        if self._services.is_closing.wait(seconds):
            raise ChatError("closing")
