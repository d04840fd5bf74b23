"""Pending questions: found again after a restart, answered once, closed with their turn."""

from __future__ import annotations

from typing import Any

import pytest

from agentchat.cancellation import Stopped
from agentchat.protocol.errors import ChatError
from agentchat.protocol.events import Draft, encode
from agentchat.protocol.questions import Request
from agentchat.sessions.log import Log
from agentchat.sessions.pending_questions import PendingQuestions, Question
from agentchat.store import SessionRecord
from tests.scripted_sessions import FailingStore

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
    return PendingQuestions(log)


def ask(questions: PendingQuestions, turn: int = 1, **more: Any) -> Question:
    question = Question(Request("agent", "Really?", **more).content(None), turn)
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
    again = PendingQuestions(log)
    again.recall(1)

    assert again.contents == [still_open.content]
    recalled = again.recalled(edited.id).answer
    assert recalled is not None
    assert (recalled.text, recalled.name, recalled.arguments) == ("edit", "Ada", {"amount": 6})
    for unknown in (password.id, other.id, "never"):
        with pytest.raises(Stopped):
            again.recalled(unknown)
