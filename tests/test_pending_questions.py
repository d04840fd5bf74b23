"""Pending questions: found again after a restart, answered once, closed with their turn."""

from __future__ import annotations

import time
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import pytest

from agentchat import clock
from agentchat.audit import Audit
from agentchat.cancellation import Stopped
from agentchat.protocol import events
from agentchat.protocol.errors import ChatError
from agentchat.protocol.events import Draft, encode
from agentchat.protocol.questions import Request
from agentchat.sessions.log import Log
from agentchat.sessions.pending_questions import PendingQuestions, Question
from agentchat.store import SessionRecord
from tests.scripted_sessions import FailingStore

HOUR, DAY = 3600.0, 86400.0
TOOL = {"name": "pay", "arguments": {"amount": 5}, "call_id": "c"}


@pytest.fixture
def store() -> FailingStore:
    return FailingStore()


@pytest.fixture
def log(store: FailingStore) -> Log:
    record = SessionRecord("s", "agent", "2026-11-20T00:00:00.000Z")
    store.create(record)
    return Log(record, store, frozenset)


@pytest.fixture
def questions(log: Log) -> PendingQuestions:
    return PendingQuestions(log, Audit(Path("audit.jsonl")))


def ask(questions: PendingQuestions, turn: int = 1, expires: str | None = None, **more: Any) -> Question:
    question = Question(Request("agent", "Really?", **more).content(expires), turn)
    draft = Draft("input_request", encode(question.content), turn)
    questions.ask(question, [draft], None, lambda: None)
    return question


def test_the_oldest_question_that_was_seen(questions: PendingQuestions) -> None:
    """A plain answer goes to the oldest open question that the reader was shown."""
    first, second = ask(questions), ask(questions)
    assert [questions.oldest_seen(seq) for seq in (0, 1, 2)] == [None, first.id, first.id]
    questions.answer(first.id, "yes", "Ada", None)
    assert questions.oldest_seen(1) is None
    assert questions.oldest_seen(2) == second.id


def test_questions_close_with_their_turn(questions: PendingQuestions) -> None:
    """The questions of a turn close with it; those of other turns stay open."""
    first, second = ask(questions, turn=1), ask(questions, turn=2)
    questions.close(1)
    assert (questions.is_waiting(1), questions.is_waiting(2)) == (False, True)
    assert questions.contents == [second.content]
    with pytest.raises(ChatError) as closed:
        questions.answer(first.id, "yes", "Ada", None)
    assert closed.value.code == "request_closed"


def test_an_answer_that_is_not_kept_is_none(questions: PendingQuestions, store: FailingStore) -> None:
    """If an answer can't be stored, the question stays open."""
    question = ask(questions)
    store.failures = 1
    with pytest.raises(ChatError):
        questions.answer(question.id, "yes", "Ada", None)
    assert (question.answer, question.woken.is_set()) == (None, False)
    questions.answer(question.id, "yes", "Ada", None)
    assert question.woken.is_set()


@pytest.mark.parametrize(
    ("tool", "text", "arguments"),
    [(None, "yes", {"amount": 6}), (TOOL, "perhaps", None), (TOOL, "deny", {"amount": 6})],
)
def test_what_does_not_answer(
    questions: PendingQuestions, tool: Any, text: str, arguments: dict[str, Any] | None
) -> None:
    """Anything that doesn't answer a question leaves it open."""
    question = ask(questions, tool=tool)
    with pytest.raises(ChatError) as unusable:
        questions.answer(question.id, text, "Ada", arguments)
    assert unusable.value.code == "answer_unusable"
    assert questions.is_waiting(1)


def test_after_a_restart(log: Log, questions: PendingQuestions) -> None:
    """After a restart, open questions are open and answers are known, except passwords, which are never stored."""
    edited, password, still_open, other = (
        ask(questions, tool=TOOL), ask(questions, password=True), ask(questions), ask(questions, turn=2),
    )  # fmt: skip
    questions.answer(edited.id, "edit", "Ada", {"amount": 6})
    questions.answer(password.id, "hunter2", "Ada", None)
    again = PendingQuestions(log, Audit(Path("audit.jsonl")))
    again.recall(1, None, None)

    assert again.contents == [still_open.content]
    recalled = again.recalled(edited.id).answer
    assert recalled is not None
    assert (recalled.text, recalled.name, recalled.arguments) == ("edit", "Ada", {"amount": 6})
    for unknown in (password.id, other.id, "never"):
        with pytest.raises(Stopped):
            again.recalled(unknown)


def in_seconds(seconds: float) -> str:
    return events.time(datetime.now(timezone.utc) + timedelta(seconds=seconds))


@pytest.mark.parametrize(
    ("clock_ahead", "between", "passed", "left"),
    [
        pytest.param(0, 0, 10, 50, id="a right clock"),
        pytest.param(3 * DAY, 0, 10, 50, id="a clock that was set three days ahead"),
        pytest.param(-HOUR, 0, 10, 50, id="a clock that was set back by an hour"),
        pytest.param(-HOUR, HOUR, 10, 50, id="a clock that was set back while the question was told"),
        pytest.param(0, 0, 70, -10, id="its time was up while the server was down"),
        pytest.param(-HOUR, 0, None, 60, id="a clock that was set back, and the machine was started again"),
        pytest.param(DAY, 0, None, 60 - DAY, id="a machine that was off for a day"),
    ],
)
def test_time_that_passed_without_a_server(
    log: Log,
    questions: PendingQuestions,
    monkeypatch: pytest.MonkeyPatch,
    clock_ahead: float,
    between: float,
    passed: float | None,
    left: float,
) -> None:
    """The rest of a question's time is counted by the machine's own clock, whatever the time of day is set to."""
    monkeypatch.setattr("tests.memory_store.now", lambda: in_seconds(-clock_ahead))
    ask(questions, expires=in_seconds(60 + between - clock_ahead))
    now = clock.moment()
    assert now is not None
    asked = clock.Moment("an earlier start", 1) if passed is None else now._replace(seconds=now.seconds - passed)
    deadline = PendingQuestions(log, Audit(Path("audit.jsonl"))).recall(1, asked, 60 if between else None)
    assert deadline is not None
    assert deadline - time.monotonic() == pytest.approx(left, abs=2)


def test_what_cannot_be_told() -> None:
    """Nothing is known about the time since another start of the machine, or since an unknown moment."""
    assert clock.elapsed(None) is None
    assert clock.elapsed(clock.Moment("an earlier start", 1)) is None
