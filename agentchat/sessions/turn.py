"""One turn of a session: the answer to one message. The conversation writes into it and asks through it."""

from __future__ import annotations

import itertools
import logging
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime, timedelta, timezone
from typing import Any, Protocol

from agentchat.cancellation import Stopped, StopToken
from agentchat.protocol import events
from agentchat.protocol.errors import ChatError, StoreError
from agentchat.protocol.events import Draft
from agentchat.protocol.questions import Answer, Request
from agentchat.protocol.session_events import UserMessage
from agentchat.sessions.cursor import Live
from agentchat.sessions.log import Log
from agentchat.sessions.pending_questions import OpenQuestions, Question
from agentchat.sessions.progress import ProgressReports

log = logging.getLogger(__name__)

STORE_RETRY = 1.0  # seconds between tries to write what a turn did, while the store fails


class TurnHost(Protocol):
    """What a turn needs of its session."""

    log: Log
    questions: OpenQuestions

    def end(self, drafts: Sequence[Draft], history: str | None) -> None:
        """Append the turn's last words; from then on it does not run any more. Raises StoreError."""

    def wait_unless_closing(self, seconds: float) -> None:
        """Raises ChatError when the server ends meanwhile."""


class Turn:
    """One turn of a session."""

    def __init__(
        self, host: TurnHost, message: UserMessage, input_timeout: float = 0, history: str | None = None
    ) -> None:
        self.message = message
        self.number = message.turn
        self.token = StopToken()
        self.history = history
        """What the agents remembered when a server before this one ended while the turn waited; None for a new turn."""
        self._host = host
        self._log = host.log
        self._questions = host.questions
        self._input_timeout = input_timeout  # seconds, 0 for none
        self._lives_lock = threading.Lock()  # guards the next, and keeps what readers see of it in order
        self._lives: dict[str, Live] = {}  # what is being written, by the ids of the messages
        self._is_over = False
        self.progress_reports = ProgressReports(host.log)

    # Writing

    def append(self, type: str, content: Mapping[str, Any], history: str | None = None) -> None:
        """An event of this turn. Raises Stopped when the turn is stopped while the store fails."""
        with self._lives_lock:
            completes = self._lives.pop(str(content.get("message_id")), None)
        drafts = [self._draft(type, content)]
        self._write(
            lambda history: self._log.append(drafts, history, completes, self._check), history, self.token.sleep
        )
        if type == "executed_function":
            self.progress_reports.end(str(content.get("call_id")))

    def stream(self, message_id: str, sender: str, text: str, about: Mapping[str, str] | None = None) -> None:
        live = self._lives.get(message_id)
        if live is None:
            live = Live(message_id, sender, about or {})
            with self._lives_lock:
                self._lives[message_id] = live
                self._log.show(list(self._lives.values()))
        live.texts.append(self._log.redact(text))
        self._log.wake()

    def progress(self, call_id: str, tool: str, done: float, total: float | None, text: str) -> None:
        """How far a running tool is; only the newest is ever shown. Raises Stopped once the turn is over."""
        words = self._log.redact(text)
        content = {"turn": self.number, "id": call_id, "tool": tool, "done": done, "total": total, "text": words}
        if not self.progress_reports.set(call_id, content):
            raise Stopped("stopped")

    def restart(self, message_id: str) -> None:
        with self._lives_lock:
            self._lives.pop(message_id, None)
            self._log.show(list(self._lives.values()))

    def end(self, drafts: Sequence[Draft], history: str | None) -> None:
        """The turn's last words. If the store fails until the server ends, the next one marks the turn interrupted."""
        self._questions.close(self.number)
        self.progress_reports.close()
        with self._lives_lock:
            self._lives.clear()
            self._log.show(())
        if self._log.is_deleted:
            return
        try:
            self._write(lambda history: self._host.end(drafts, history), history, self._host.wait_unless_closing)
        except (ChatError, Stopped):
            log.exception("The end of turn %d of %s is not saved", self.number, self._log.id)

    def close(self) -> None:
        """From now on nothing is written or asked but the end."""
        self._is_over = True

    def _check(self) -> None:
        """A tool that was left behind may still have something to say. Raises Stopped."""
        if self._is_over:
            raise Stopped("stopped")

    def _draft(self, type: str, content: Mapping[str, Any]) -> Draft:
        return Draft(type, self._log.redact(events.encode(content)), self.number)

    def _write(
        self, append: Callable[[str | None], object], history: str | None, wait: Callable[[float], None]
    ) -> None:
        """Append, however long it takes: a turn waits for a failing store to recover, and nothing it did is lost."""
        history = self._log.redact(history) if history is not None else None
        for attempt in itertools.count():
            if self._log.is_deleted:
                raise Stopped("stopped")
            try:
                append(history)
                return
            except StoreError:
                if attempt == 0:
                    log.exception("Turn %d of %s waits for the store", self.number, self._log.id)
                wait(STORE_RETRY)

    # Asking

    def ask(self, request: Request, history: str) -> Answer:
        """Ask the people of the session and wait for the first answer.

        `memory` is what it takes to ask again after a restart. Raises Stopped, also when time is up.
        """
        expires = None
        if self._input_timeout:
            expires = events.time(datetime.now(timezone.utc) + timedelta(seconds=self._input_timeout))
        question = Question(request.content(expires), self.number)
        drafts = [self._draft("input_request", question.content)]
        self._write(
            lambda history: self._questions.ask(question, drafts, history, self._check), history, self.token.sleep
        )
        return self._wait_for(question)

    def ask_again(self, request_id: str) -> Answer:
        """Wait for the answer to a question that was asked before the server was started."""
        return self._wait_for(self._questions.recalled(request_id))

    def _wait_for(self, question: Question) -> Answer:
        patience = None
        if question.content["expires"] is not None:
            expires = datetime.fromisoformat(question.content["expires"].replace("Z", "+00:00"))
            patience = (expires - datetime.now(timezone.utc)).total_seconds()
        deadline = time.monotonic() + patience if patience is not None else None
        with self.token.interruptible(question.woken.set):
            question.woken.wait(max(deadline - time.monotonic(), 0) if deadline is not None else None)
        if question.answer is None:
            self._questions.close(self.number)
            if question.answer is None:  # else it came in the last moment
                raise Stopped("failed", ChatError("input_timeout", seconds=f"{self._input_timeout:g}"))
        if question.content["password"]:
            self._log.hide(question.answer.text)
        return question.answer
