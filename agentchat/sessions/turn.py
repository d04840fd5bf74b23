"""One turn of a session: the answer to one message. The agents write into it and ask through it."""

from __future__ import annotations

import json
import logging
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timedelta, timezone
from typing import Any, Protocol, TypeVar

from agentchat.ag2.history import can_go_on
from agentchat.cancellation import Stopped, StopToken
from agentchat.measures import UNMEASURED, TurnMeasures
from agentchat.protocol import events
from agentchat.protocol.errors import ChatError, StoreError
from agentchat.protocol.events import Draft
from agentchat.protocol.questions import Answer, Request
from agentchat.protocol.session_events import UserMessage
from agentchat.sessions.cursor import MessageStream
from agentchat.sessions.live_questions import LiveQuestions
from agentchat.sessions.log import Log
from agentchat.sessions.pending_questions import PendingQuestions, Question
from agentchat.sessions.progress import ProgressReports
from agentchat.sessions.rules import SessionRules
from agentchat.sessions.time_limit import TimeLimit

T = TypeVar("T")
log = logging.getLogger(__name__)

STORE_RETRY = 1.0  # seconds between attempts to write while the store fails


class TurnHost(Protocol):
    """The part of a session that its turns need."""

    log: Log
    questions: PendingQuestions

    def end(self, drafts: Sequence[Draft], history: str | None, completes: Sequence[MessageStream]) -> None:
        """Append the turn's last events, which end these streams; from then on it isn't running. Raises StoreError."""

    def give_way(self) -> None:
        """Let another turn run while this one waits for a person."""

    def wait_unless_closing(self, seconds: float) -> None:
        """Wait, and raise ChatError if the server ends meanwhile."""


class Turn:
    """One turn of a session."""

    def __init__(
        self,
        host: TurnHost,
        message: UserMessage,
        rules: SessionRules | None = None,
        live_questions: LiveQuestions | None = None,
        is_resumed: bool = False,
        ends_at_question: bool = False,
    ) -> None:
        """Prepare the turn of a message.

        It `is_resumed` if it began before, and waited for an answer without agents; it `ends_at_question` if it was
        stopped meanwhile.
        """
        self.message = message
        self.number = message.turn
        rules = rules or SessionRules()
        self.token = StopToken()
        self.time_limit = TimeLimit(self.token, rules.turn_timeout)
        self.is_resumed = is_resumed
        self.ends_at_question = ends_at_question
        self.has_started = is_resumed
        """True once its start is in the log."""
        self.history: str | None = None
        """The history that its agents had when they left memory, once `recall` has read it; None for a new turn."""
        self.has_answer = is_resumed  # somebody said something; one that asked before has
        self.redaction = host.log.redaction
        self.measures = UNMEASURED
        self.progress_reports = ProgressReports(host.log)
        self._host = host
        self._log = host.log
        self._questions = host.questions
        self._input_timeout = rules.input_timeout
        self._live_questions = live_questions or LiveQuestions(rules.live_questions)
        self._streaming_lock = threading.Lock()  # guards `_streaming`, and keeps what readers see of it in order
        self._streaming: dict[str, MessageStream] = {}  # by message id
        self._is_closed = False

    def measure(self, measures: TurnMeasures) -> None:
        """Report to these measures from now on."""
        measures.redact = self.redaction.redact
        self.measures = measures

    def recall(self) -> None:
        """Read what the agents of a resumed turn remembered. Waits for a store that fails; raises Stopped."""

        def read() -> None:
            self.history = self._log.store.history(self._log.id, self.number)

        self._with_store(read, self.token.sleep)

    # Writing

    def append(self, type: str, content: Mapping[str, Any], history: str | None = None) -> None:
        """Append an event, with what the agents remember of this turn if that changed.

        While the store fails this waits for it to recover. Raises Stopped if the turn is stopped meanwhile or over.
        """
        with self._streaming_lock:
            completed = self._streaming.pop(str(content.get("message_id")), None)
            completes = [completed] if completed is not None else []
        self.has_answer = self.has_answer or (type == "text" and events.is_answer(content))
        drafts, history = [self._draft(type, content)], self._redacted(history)
        self._with_store(lambda: self._log.append(drafts, history, completes, self._check), self.token.sleep)
        if self.has_answer:
            self.measures.first_words()
        if type == "executed_function":
            self.progress_reports.end(str(content.get("call_id")))

    def stream(self, message_id: str, sender: str, text: str, about: Mapping[str, str] | None = None) -> None:
        """Show more text, without secrets, of a message that is being written. `about` goes with each of its frames."""
        self._check()
        message = self._streaming.get(message_id)
        if message is None:
            message = MessageStream(message_id, sender, about or {})
            with self._streaming_lock:
                self._streaming[message_id] = message
                self._log.set_streaming(list(self._streaming.values()))
            if (about or {}).get("kind") != "output":  # of a program
                self.measures.first_words()
        message.texts.append(text)
        self._log.wake()

    def restart(self, message_id: str) -> None:
        """Drop what was streamed of a message, which begins again."""
        with self._streaming_lock:
            self._streaming.pop(message_id, None)
            self._log.set_streaming(list(self._streaming.values()))

    def progress(self, call_id: str, tool: str, done: float, total: float | None, text: str) -> None:
        """Show how far a running tool is. Raises Stopped once the turn is over."""
        words = self.redaction.redact(text)
        content = {"turn": self.number, "id": call_id, "tool": tool, "done": done, "total": total, "text": words}
        if not self.progress_reports.set(call_id, content):
            raise Stopped("stopped")

    def close(self) -> None:
        """Refuse everything but the turn's end: a tool that was left behind may still try to write or ask."""
        self._is_closed = True

    def end(self, drafts: Sequence[Draft], history: str | None) -> None:
        """Append the turn's last events.

        If the store fails until the server ends, the next server marks the turn interrupted.
        """
        self._questions.close(self.number)
        self.progress_reports.close()
        with self._streaming_lock:
            left = list(self._streaming.values())
            self._streaming.clear()
        if self._log.is_deleted:
            return
        drafts = [replace(draft, body=self.redaction.redact_json(draft.body)) for draft in drafts]
        history = self._redacted(history)
        try:
            self._with_store(lambda: self._host.end(drafts, history, left), self._host.wait_unless_closing)
        except (ChatError, Stopped) as error:
            log.warning("The end of turn %d of %s was not saved: %s", self.number, self._log.id, error)

    def _check(self) -> None:
        if self._is_closed:
            raise Stopped("stopped")

    def _draft(self, type: str, content: Mapping[str, Any]) -> Draft:
        return Draft(type, self.redaction.redact_json(events.encode(content)), self.number)

    def _redacted(self, history: str | None) -> str | None:
        return None if history is None else self.redaction.redact_json(history)

    def _with_store(self, work: Callable[[], T], wait: Callable[[float], None]) -> T:
        """Use the store, however long it takes: nothing that the turn did is lost to one that fails for a while.

        Readers are told why the turn waits.
        """
        told = ""  # why the turn waits
        try:
            while True:
                if self._log.is_deleted:
                    raise Stopped("stopped")
                try:
                    return work()
                except StoreError as error:
                    if error.message != told:
                        log.warning("Turn %d of %s waits for the store: %s", self.number, self._log.id, error)
                        told = error.message
                        self._log.set_state("store", "error", events.error_content(error))
                wait(STORE_RETRY)
        finally:
            if told:
                self._log.clear_state("store")

    # Asking

    def ask(self, request: Request, history: Callable[[float], str]) -> Answer:
        """Ask the people of the session and wait for the first answer.

        `history` returns what it takes to ask again after a restart, given the limit in seconds. Raises Stopped, also
        when the time is up.
        """

        def asked() -> tuple[Question, str]:
            """Time begins when the question is told: the store may have been waited for."""
            expires, remembered = None, history(self._input_timeout)
            if self._input_timeout:
                expires = events.time(datetime.now(timezone.utc) + timedelta(seconds=self._input_timeout))
            draft = self._draft("input_request", request.content(expires))
            question = Question(json.loads(draft.body), self.number)
            self._questions.ask(question, [draft], self._redacted(remembered), self._check)
            if self._input_timeout:
                question.deadline = time.monotonic() + self._input_timeout
            return question, remembered

        question, remembered = self._with_store(asked, self.token.sleep)
        if not can_go_on(remembered):
            return self._wait_for(question)
        with self._live_questions.waiting(lambda: _let_go(question)):
            return self._wait_for(question)

    def ask_again(self, request_id: str) -> Answer:
        """Wait for the answer to a question that was asked by agents that have left memory since."""
        question = self._questions.recalled(request_id)
        if self.ends_at_question and question.answer is None:
            raise Stopped("stopped")
        with self._live_questions.waiting(lambda: _let_go(question)):
            return self._wait_for(question)

    def _wait_for(self, question: Question) -> Answer:
        deadline = question.deadline
        if question.answer is None:
            self._host.give_way()
        with self.time_limit.paused(), self.measures.waiting(), self.token.interruptible(question.woken.set):
            question.woken.wait(max(deadline - time.monotonic(), 0) if deadline is not None else None)
        is_late = deadline is not None and deadline <= time.monotonic()
        if question.answer is None and question.is_let_go and not is_late:
            self.token.stop("suspended")
            raise Stopped("suspended")
        if question.answer is None:
            self._questions.close(self.number)
            if question.answer is None:  # no answer came at the last moment either
                raise Stopped("failed", ChatError("input_timeout", seconds=f"{self._input_timeout:g}"))
        if question.content["password"]:
            self.redaction.hide(question.answer.text)
        return question.answer


def _let_go(question: Question) -> None:
    question.is_let_go = True
    question.woken.set()
