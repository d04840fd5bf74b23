"""The open questions of a session, and the first answer to each."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timezone
from typing import Any

from agentchat.audit import Audit, Field
from agentchat.cancellation import Stopped
from agentchat.clock import Moment, elapsed
from agentchat.protocol.commands import Command
from agentchat.protocol.errors import ChatError
from agentchat.protocol.events import Draft, Event, clean, encode, moment
from agentchat.protocol.identity import Caller
from agentchat.protocol.questions import YES_OR_NO, Answer, decision, is_yes
from agentchat.sessions.log import Log
from agentchat.sessions.owned_lock import OwnedLock

QUESTIONS = frozenset({"input_request", "input_response"})


class Question:
    """A question that is in the log, or about to be."""

    def __init__(self, content: Mapping[str, Any], turn: int, seq: int = 0) -> None:
        self.content = content
        self.turn = turn
        self.seq = seq
        self.answer: Answer | None = None
        self.deadline: float | None = None  # by time.monotonic()
        self.is_let_go = False  # the agents that wait for it are to leave memory
        self.woken = threading.Event()  # set when it is answered or let go, and when its turn is stopped

    @property
    def id(self) -> str:
        """The request id."""
        return str(self.content["request_id"])

    def read(self, text: str, name: str, arguments: Mapping[str, Any] | None) -> Answer:
        """Parse what a person sent. Raises ChatError if it does not answer this question."""
        if self.content["tool"] is None:
            if arguments is not None:
                raise ChatError("answer_unusable", problem="it has arguments, but no tool waits for any")
            return Answer(text, name)
        return decision(text, name, arguments)


@dataclass(frozen=True)
class Answered:
    """An answer: the `seq` of the question, its own, and the name of the person who gave it."""

    asked: int
    seq: int
    name: str


class PendingQuestions:
    """The open questions of a session."""

    def __init__(self, log: Log, audit: Audit) -> None:
        self._log = log
        self._audit = audit
        self._lock = OwnedLock()  # guards what follows; what is open changes together with the log
        self._open: dict[str, Question] = {}
        self._recalled: dict[str, Question] = {}
        self._reopened: frozenset[str] = frozenset()  # those that were open when they were recalled
        self._newest_answer: Answered | None = None

    def recall(self, turn: int, asked: Moment | None, limit: float | None) -> float | None:
        """Reopen the questions that agents who left memory had asked in that turn, and recall those that were answered.

        `asked` is when the last of them was asked, `limit` how many seconds it waits. Returns the first deadline of the
        open ones, by time.monotonic().
        """
        with self._lock:
            events = self._log.store.read_types(self._log.id, QUESTIONS)
            known = self._recalled  # with answers that have just come, also passwords, which the log does not have
            self._open = {question.id: question for question in unanswered(events, turn)}
            self._recalled = dict(self._open)
            self._reopened = frozenset(self._open)
            asking = {e.content["request_id"]: e for e in events if e.type == "input_request" and e.turn == turn}
            for event in events:
                told, id = event.content, event.content["request_id"]
                if event.type != "input_response" or id not in asking:
                    continue
                if "text" in told:
                    question = self._recalled[id] = Question(asking[id].content, turn, asking[id].seq)
                    question.answer = question.read(told["text"], told["name"], told.get("arguments"))
                    question.woken.set()
                elif id in known:
                    self._recalled[id] = known[id]
            for question in self._open.values():
                if question.content["expires"] is not None:
                    question.deadline = time.monotonic() + _left(asking[question.id], asked, limit)
            return min((q.deadline for q in self._open.values() if q.deadline is not None), default=None)

    @property
    def has_open(self) -> bool:
        """True if a question is open. Waits for nobody, and so may be a moment late."""
        return bool(self._open)

    def has_changed(self, turn: int) -> bool:
        """Return True if a question that was reopened has been answered since, or its time is up."""
        with self._lock:
            is_late = any(q.deadline is not None and q.deadline <= time.monotonic() for q in self._open.values())
            return is_late or not self._reopened or not self._reopened <= self._open.keys()

    def recalled(self, request_id: str) -> Question:
        """Return a recalled question, which may have been answered since. Raises Stopped if the id is unknown."""
        if request_id not in self._recalled:
            raise Stopped("failed", ChatError("not_resumed"))
        return self._recalled[request_id]

    def ask(
        self, question: Question, drafts: Sequence[Draft], history: str | None, check: Callable[[], None]
    ) -> list[Event]:
        """Append the question's event and open the question for answers. See Log.append."""
        with self._lock:
            events = self._log.append(drafts, history, check=check)
            question.seq = events[-1].seq
            self._open[question.id] = question
            return events

    def answered_by(self, request_id: str) -> str:
        """Return the role of those who may answer that open question; "" for everybody who takes part."""
        with self._lock:
            question = self._open.get(request_id)
            return str(question.content.get("by", "")) if question is not None else ""

    def is_password(self, request_id: str) -> bool:
        """Return True if the question, open or not, asks for a password."""
        asked = self._log.store.read_types(self._log.id, {"input_request"})
        return any(event.content["password"] for event in asked if event.content["request_id"] == request_id)

    def answer(
        self,
        request_id: str,
        text: str,
        name: str,
        arguments: Mapping[str, Any] | None,
        command: Command | None = None,
        caller: Caller | None = None,
    ) -> Event:
        """Answer an open question; the first answer counts. Returns its event; raises ChatError."""
        with self._lock:
            question = self._find(request_id)
            answer = question.read(clean(text), clean(name), arguments)
            body = self._log.redaction.redact_json(encode(answer.content(request_id, question.content["password"])))
            draft = Draft("input_response", body, question.turn, f"answer:{request_id}")
            [event] = self._log.append([draft], command=command)
            self._audit_approval(question, answer, caller or Caller())
            del self._open[request_id]
            question.answer = answer
            question.woken.set()
            self._recalled[request_id] = question  # the agents may just be leaving memory
            self._newest_answer = Answered(question.seq, event.seq, answer.name)
            return event

    def _audit_approval(self, question: Question, answer: Answer, caller: Caller) -> None:
        """Tell the audit log, if the question was whether something may be done. Agents choose its words."""
        asked = question.content
        if asked["tool"] is not None:
            tool, decision = asked["tool"]["name"], answer.text
        elif tuple(asked["choices"] or ()) == YES_OR_NO:
            tool, decision = None, "approve" if is_yes(answer.text) else "deny"
        else:
            return
        by = {"by": str(asked["by"])} if asked.get("by") else {}
        about: dict[str, Field] = {"agent": asked["agent"], "tool": tool, "decision": decision, **by}
        self._audit.write("approval", caller.who, caller.address, session=self._log.id, **about)

    def _find(self, request_id: str) -> Question:
        """Return the open question with that id. Raises ChatError, that says why it is not open."""
        self._lock.assert_held()
        if request_id in self._open:
            return self._open[request_id]
        for event in reversed(self._log.store.read_types(self._log.id, QUESTIONS)):
            if event.content["request_id"] == request_id:
                if event.type == "input_response":
                    raise ChatError("already_answered", name=event.content["name"])
                raise ChatError("request_closed")
        raise ChatError("request_unknown")

    def close(self, turn: int) -> None:
        """Accept no more answers to that turn's questions, and forget those that were given."""
        with self._lock:
            self._open = {id: question for id, question in self._open.items() if question.turn != turn}
            self._recalled = {id: question for id, question in self._recalled.items() if question.turn != turn}

    def is_waiting(self, turn: int) -> bool:
        """Return True if a question of that turn is open."""
        with self._lock:
            return any(question.turn == turn for question in self._open.values())

    def oldest_seen(self, seq: int) -> str | None:
        """Return the id of the oldest open question that a reader at `seq` has seen."""
        with self._lock:
            return next((question.id for question in self._open.values() if question.seq <= seq), None)

    def answered_unseen(self, seq: int, acknowledged: int) -> Answered | None:
        """Return the newest answer, if a reader at `seq` saw the question, and nothing behind `acknowledged`."""
        with self._lock:
            newest = self._newest_answer
            return newest if newest is not None and newest.asked <= seq and newest.seq > acknowledged else None

    @property
    def contents(self) -> list[Mapping[str, Any]]:
        """The contents of the open questions' events."""
        with self._lock:
            return [question.content for question in self._open.values()]


def unanswered(events: Iterable[Event], turn: int) -> list[Question]:
    """Return the questions of `turn` without an answer; `events` are all events of the types QUESTIONS."""
    here = [event for event in events if event.turn == turn]
    answered = {event.content["request_id"] for event in here if event.type == "input_response"}
    asked = [Question(event.content, turn, event.seq) for event in here if event.type == "input_request"]
    return [question for question in asked if question.id not in answered]


def _left(request: Event, asked: Moment | None, limit: float | None) -> float:
    """Return the seconds that a question still waits: by the machine's own clock if possible, else by the time of day.

    Nobody can set that clock; the other may have been set between the two times that the event has. If it was set back
    meanwhile, the question waits as long as a new one.
    """
    asked_at = moment(request.ts)
    if not limit:  # an older version asked
        limit = (moment(request.content["expires"]) - asked_at).total_seconds()
    passed = elapsed(asked)
    if passed is None:
        passed = (datetime.now(timezone.utc) - asked_at).total_seconds()
    return limit - max(passed, 0)
