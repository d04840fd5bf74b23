"""Talks with agents, turn by turn, in the process of a test."""

from __future__ import annotations

import json
import threading
import time
import weakref
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from agentchat.protocol.identity import UNNAMED, user_id
from agentchat.sessions.cursor import Cursor
from agentchat.sessions.registry import Session
from agentchat.testing import models
from agentchat.testing.models import Model, ScriptedModel
from agentchat.testing.process import talking
from agentchat.testing.server import Options, Server
from agentchat.testing.sources import source_of
from agentchat.testing.transcript import Event, Question, Transcript, Turn, question_of

TIMEOUT = 60.0  # seconds for a turn
STOP_TIMEOUT = 5.0  # seconds for the end of a turn that was stopped

Given = str | Mapping[str, Any]
Answer = Given | Callable[[Question], Given]
"""An answer to a question: a text, the changed arguments of a tool, or a function that makes one from the question."""


class Talk(Transcript):
    """A talk with agents, as far as it has come. `turns` are its turns, oldest first."""

    def __init__(self, agents: Any, model: Model, options: Options, timeout: float) -> None:
        self.model = model
        self.turns: list[Turn] = []
        self._options = options
        self._timeout = timeout
        with talking():
            self._server = Server(*source_of(agents), model, options)
        self._close = weakref.finalize(self, self._server.close)

    @property
    def events(self) -> Sequence[Event]:  # type: ignore[override]
        return [event for turn in self.turns for event in turn.events]

    def say(self, message: str, answers: Sequence[Answer] = (), context: Mapping[str, Any] | None = None) -> Turn:
        """Send another message, and return its turn. See `talk`."""
        __tracebackhide__ = True
        left = list(answers)
        turn = self._turn(message, left, context)
        check_used(left)
        return turn

    def restart(self) -> None:
        """End the server, and build the agents again from what is stored, as the next one does."""
        self._check_open()
        self._server.end()
        with talking():
            self._server.begin()

    @property
    def files(self) -> dict[str, str | bytes]:
        """The conversation's files by their paths, as text if they are."""
        self._check_open()
        files = self._server.session.files(self._options.name)
        return {info.path: _text(files.read_bytes(info.path)) for info in files.list()}

    @property
    def folder(self) -> Path:
        """The folder of these files, which exists as long as the talk and only if there are any."""
        return self._server.workspace

    @property
    def notes(self) -> dict[str, str]:
        """The notes that agents keep about the person."""
        self._check_open()
        return self._server.notes.notes(user_id(self._options.name, "", self._server.session.id))

    def close(self) -> None:
        """Remove what the talk has stored, which otherwise happens when nobody needs the talk any longer."""
        self._close()

    def __enter__(self) -> Talk:
        return self

    def __exit__(self, *exception: object) -> None:
        self.close()

    def _upload(self, files: Mapping[str, str | bytes]) -> None:
        workspace = self._server.session.files(self._options.name)
        for path, content in files.items():
            workspace.write(path, content)

    def _turn(self, message: str, answers: list[Answer], context: Mapping[str, Any] | None = None) -> Turn:
        """Send a message and take answers from the front of the list. Raises AssertionError."""
        __tracebackhide__ = True  # pytest shows the test, not this
        self._check_open()
        session = self._server.session
        context = self._options.context if context is None else context
        watch = _Watch(session)
        try:
            with talking():
                session.post(message, self._options.name, context=context)
                try:
                    for event in watch.until_end(self._timeout):
                        if event.type == "input_request":
                            self._answer(event.content, answers)
                except BaseException:
                    session.stop()
                    self._server.join(STOP_TIMEOUT)
                    raise
                self._server.join(STOP_TIMEOUT)
        finally:
            watch.end()
            turn = Turn(watch.events)
            self.turns.append(turn)
        problem = self.model.take_problem() or self._server.build_error
        if problem is not None:
            self._server.build_error = None
            raise problem
        return turn

    def _answer(self, content: Mapping[str, Any], answers: list[Answer]) -> None:
        """Give the next answer to an open question. Raises AssertionError if there is none."""
        question = question_of(content)
        if not answers:
            asked = f"May {question.tool} run with {question.arguments}?" if question.tool else question.prompt
            choices = f" The choices are {', '.join(question.choices)}." if question.choices else ""
            raise AssertionError(
                f"{question.agent or 'A program'} asked “{asked}”, and no answer is left.{choices} Add one to answers."
            )
        answer = answers.pop(0)
        given = answer(question) if callable(answer) else answer
        arguments = dict(given) if isinstance(given, Mapping) else None
        text = given if isinstance(given, str) else "edit"
        self._server.session.answer(content["request_id"], text, self._options.name, arguments)

    def _check_open(self) -> None:
        if not self._close.alive:
            raise RuntimeError("This talk is closed.")


def talk(
    agents: Any,
    *messages: str,
    model: Model | None = None,
    answers: Sequence[Answer] = (),
    files: Mapping[str, str | bytes] | None = None,
    name: str = UNNAMED,
    context: Mapping[str, Any] | None = None,
    knowledge: Sequence[str | Path] = (),
    approve: str = "marked",
    run_code: bool = False,
    timeout: float = TIMEOUT,
) -> Talk:
    """Send messages to agents one after another, and return what came of it.

    `agents` is an agent file (its path, or `module:object`), a module, `build`, `on_message`, or whatever `build` may
    return. `answers` answer the questions of the agents, in order: a text, `approve` or `deny`, the changed arguments
    of a tool, or a function of the question. `files` are uploaded before. `name` and `context` come with each message;
    `knowledge`, `approve` and `run_code` are the settings of these names. Raises AssertionError if a question has no
    answer or an answer no question, if the model has no answer, or if a turn takes longer than `timeout` seconds; and
    whatever `build` raises.
    """
    __tracebackhide__ = True
    chosen = model or models.default.get() or ScriptedModel()
    options = Options(name, context or {}, [Path(path) for path in knowledge], approve, run_code)
    begun = Talk(agents, chosen, options, timeout)
    try:
        begun._upload(files or {})
        left = list(answers)
        for message in messages:
            begun._turn(message, left)
        check_used(left)
    except BaseException:
        begun.close()
        raise
    return begun


def check_used(answers: Sequence[Answer]) -> None:
    """Raise AssertionError for answers that nobody has asked for."""
    if answers:
        given = ", ".join(repr(answer) for answer in answers)
        raise AssertionError(f"Nobody asked for these answers: {given}. Remove them from answers.")


class _Watch:
    """The events of one turn, kept in the very moment in which they happen."""

    def __init__(self, session: Session) -> None:
        self.events: list[Event] = []
        self._log = session.log
        self._cursor = Cursor(session.log, session.log.view.last_seq)
        self._changed = threading.Condition()  # guards the events and the cursor
        self._log.follow(self._wake)

    def until_end(self, timeout: float) -> Iterator[Event]:
        """Yield the events up to the turn's end. Raises AssertionError if it takes longer than `timeout` seconds."""
        deadline = time.monotonic() + timeout
        place, is_over = 0, False
        while not is_over:
            for event in self._since(place, deadline - time.monotonic()):
                yield event
                place += 1
                is_over = is_over or event.type == "turn_completed"
            if not is_over and time.monotonic() > deadline:
                newest = self.events[-1].type if self.events else "none"
                raise AssertionError(f"The turn has not ended after {timeout:g} seconds; its newest event is {newest}.")

    def _since(self, place: int, seconds: float) -> list[Event]:
        """Return the events from a place on, after waiting for the first of them."""
        with self._changed:
            self._changed.wait_for(lambda: len(self.events) > place, max(seconds, 0))
            return self.events[place:]

    def end(self) -> None:
        """Keep no more events."""
        self._log.unfollow(self._wake)

    def _wake(self) -> None:
        with self._changed:
            for frame in self._cursor.advance():
                self.events.append(Event(**_fields(frame.text)))
            self._changed.notify_all()


def _fields(frame: str) -> dict[str, Any]:
    fields: dict[str, Any] = json.loads(frame)
    fields.pop("ts", None)
    return fields


def _text(content: bytes) -> str | bytes:
    try:
        return content.decode()
    except UnicodeDecodeError:
        return content
