"""A session without sockets; each race is driven step by step."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from agentchat.ag2.history import begun, heard
from agentchat.chat import AgentServices, Chat
from agentchat.protocol.errors import ChatError
from agentchat.protocol.events import Draft, Event
from agentchat.protocol.identity import Caller
from agentchat.sessions import registry
from agentchat.sessions import turn as turns
from agentchat.sessions.pending_questions import PendingQuestions
from agentchat.sessions.session import Session
from agentchat.sessions.turn_runner import Snapshot
from agentchat.store import SessionRecord
from agentchat.workspace.folders import Folders
from tests import memory_store
from tests.clients import PATIENCE
from tests.scripted_sessions import JOURNAL, ScriptedServer, ScriptedTurn, log, statuses, types, until

ANN, BOB = Caller(name="Ann"), Caller(name="Bob")


@pytest.fixture
def server() -> Iterator[ScriptedServer]:
    server = ScriptedServer()
    yield server
    server.sessions.close(PATIENCE)


@pytest.fixture
def session(server: ScriptedServer) -> Session:
    return server.create()


@pytest.fixture
def running(server: ScriptedServer, session: Session) -> ScriptedTurn:
    """Return the running turn of a first message."""
    session.post("first", "Ada", id="first")
    return server.agents.turn()


def code(act: Callable[..., object], *arguments: Any) -> str:
    """Return the code of the error that this raises."""
    with pytest.raises(ChatError) as raised:
        act(*arguments)
    return raised.value.code


def finish(session: Session, turn: ScriptedTurn, **how: Any) -> None:
    turn.end(**how)
    until(session, "turn_completed", turn.turn.number)


class TestMessages:
    """Messages are answered in turns of their own, in order."""

    def test_one_message_is_one_turn(self, session: Session, running: ScriptedTurn) -> None:
        """One message is one turn, after which the session is idle and its thread is gone."""
        assert (session.status, session.turn_status(1)) == ("running", "running")
        running.say("hello")
        finish(session, running)
        session.turns.join(PATIENCE)

        assert types(session) == ["user_message", "turn_started", "text", "turn_completed"]
        assert (session.status, session.turn_status(1)) == ("idle", "completed")
        assert session.turns.snapshot().is_idle

    def test_messages_wait_for_each_other(
        self, server: ScriptedServer, session: Session, running: ScriptedTurn
    ) -> None:
        """Messages wait for each other, in the order in which they came."""
        for text in ("second", "third"):
            session.post(text, "Ada")
        assert [entry["text"] for entry in session.about()["queue"]] == ["second", "third"]
        assert session.turn_status(3) == "queued"
        finish(session, running)
        second = server.agents.turn()
        assert [entry["text"] for entry in session.about()["queue"]] == ["third"]
        finish(session, second)
        finish(session, server.agents.turn())

        assert statuses(session) == {1: "completed", 2: "completed", 3: "completed"}
        assert session.about()["queue"] == []

    def test_the_same_id_counts_once(self, session: Session, running: ScriptedTurn) -> None:
        """A resent message counts once: whatever its policy, it is neither refused nor stops a turn."""
        for busy in ("enqueue", "reject", "interrupt", "rollback"):
            assert session.post("first", "Ada", id="first", busy=busy).seq == 1
            assert code(session.post, "another", "Ada", "first", None, busy) == "id_reused"
        assert session.turns.snapshot().waiting == ()
        finish(session, running)

        assert statuses(session) == {1: "completed"}

    def test_a_busy_session_can_refuse(self, session: Session, running: ScriptedTurn) -> None:
        """A message refused by a busy session is not in the log."""
        assert code(lambda: session.post("second", "Ada", busy="reject")) == "busy"
        assert types(session) == ["user_message", "turn_started"]

    @pytest.mark.parametrize(("busy", "rewound"), [("interrupt", set()), ("rollback", {1})])
    def test_a_message_can_take_the_place_of_a_turn(
        self, server: ScriptedServer, session: Session, running: ScriptedTurn, busy: str, rewound: set[int]
    ) -> None:
        """A message can replace the running turn, which ends before the next begins, and counts or not."""
        session.post("second", "Ada", busy=busy)
        finish(session, server.agents.turn())

        assert statuses(session) == {1: "stopped", 2: "completed"}
        assert session.turns.snapshot().rewound == rewound

    def test_a_turn_is_rolled_back_once(self, session: Session, running: ScriptedTurn) -> None:
        """A turn is rolled back once; a second rollback before its end finds that it no longer counts."""
        with session.turns.hold():  # the turn cannot end between the two
            session.post("second", "Ada", busy="rollback")
            session.post("third", "Ada", busy="rollback")
        assert [event.content["turns"] for event in log(session) if event.type == "rewind"] == [[1]]

    def test_a_full_session(self) -> None:
        """A full session refuses another message, but not one sent again."""
        server = ScriptedServer(max_messages=1)
        session = server.create()
        session.post("first", "Ada", id="first")
        assert session.post("first", "Ada", id="first").seq == 1
        assert code(session.post, "second", "Ada") == "session_full"
        finish(session, server.agents.turn())

    @pytest.mark.parametrize(
        ("message", "error"),
        [({"text": " "}, "message_empty"), ({"text": "x" * 200_001}, "message_too_long"),
         ({"text": "x", "id": ""}, "bad_frame"), ({"text": "x", "busy": "maybe"}, "bad_frame"),
         ({"text": "x", "context": {"n": float("inf")}}, "bad_frame")],
    )  # fmt: skip
    def test_a_message_that_cannot_be_used(self, session: Session, message: dict[str, Any], error: str) -> None:
        """An unusable message leaves no trace in the log."""
        assert code(lambda: session.post(name="Ada", **message)) == error
        assert log(session) == []


class TestStop:
    """Stopping the running turn, a queued one, or none."""

    def test_the_running_turn(self, server: ScriptedServer, session: Session, running: ScriptedTurn) -> None:
        """After stopping the running turn, the next one runs normally."""
        session.post("second", "Ada")
        assert session.stop() == 1
        finish(session, server.agents.turn())
        assert statuses(session) == {1: "stopped", 2: "completed"}

    def test_while_queued(self, session: Session, running: ScriptedTurn) -> None:
        """A turn stopped while queued never runs, and ends in exactly one turn_completed."""
        session.post("second", "Ada")
        assert session.stop(2) == 2
        assert session.stop(2) is None
        finish(session, running)
        session.turns.join(PATIENCE)
        assert statuses(session) == {2: "stopped", 1: "completed"}
        assert [event.turn for event in log(session) if event.type == "turn_started"] == [1]

    def test_too_late(self, session: Session, running: ScriptedTurn) -> None:
        """A stop that comes too late changes nothing, even for a later turn."""
        finish(session, running)
        assert session.stop() is None
        assert session.stop(1) is None
        assert session.stop(7) is None

    def test_while_the_agents_are_built(self, server: ScriptedServer, session: Session) -> None:
        """A turn stopped while its agents are built ends at their first step."""
        server.agents.building = session.stop
        session.post("first", "Ada")
        assert until(session, "turn_completed").content["status"] == "stopped"


class TestRewinds:
    """Rewinding turns, so that they no longer count."""

    def test_a_waiting_message_is_edited_in_place(
        self, server: ScriptedServer, session: Session, running: ScriptedTurn
    ) -> None:
        """A queued message is edited in place: it keeps its id, turn and position, and nothing is rewound."""
        waiting = session.post("second", "Ada", id="second")
        session.post("third", "Ada")
        edited = session.edit(waiting.seq, "another", "Bob")
        assert (edited.content["id"], edited.turn) == ("second", 2)
        finish(session, running)
        second = server.agents.turn()
        assert (second.text, second.turn.message.name) == ("another", "Bob")
        assert "rewind" not in types(session)

    def test_what_holds_cannot_begin(self, server: ScriptedServer, session: Session, running: ScriptedTurn) -> None:
        """While turns are held, none ends or begins: they wait for the holder's decision."""
        waiting = session.post("second", "Ada")
        with session.turns.hold() as now:
            running.end()
            session.edit(waiting.seq, "another", "Ada")
            assert (now.last, now.running, [message.text for message in now.waiting]) == (2, 1, ["second"])
            assert [message.text for message in session.turns.snapshot().waiting] == ["another"]
            assert statuses(session) == {}
        assert server.agents.turn().text == "another"

    def test_the_message_being_answered_is_edited(
        self, server: ScriptedServer, session: Session, running: ScriptedTurn
    ) -> None:
        """Editing the message being answered stops its turn, which no longer counts; queued ones keep waiting."""
        session.post("second", "Ada")
        written = session.edit(1, "another", "Ada")
        assert written.turn == 3
        assert session.turns.snapshot().rewound == {1}
        assert server.agents.turn().text == "second"
        assert until(session, "turn_completed", 1).content["status"] == "stopped"
        rewind = next(event for event in log(session) if event.type == "rewind")
        assert (rewind.content["to_seq"], rewind.content["reason"]) == (0, "edit")

    def test_an_earlier_message_cannot_be_edited_while_a_later_turn_runs(
        self, server: ScriptedServer, session: Session, running: ScriptedTurn
    ) -> None:
        """An earlier message can't be edited while a later turn runs or waits."""
        finish(session, running)
        session.post("second", "Ada")
        second = server.agents.turn()
        assert code(session.edit, 1, "another", "Ada") == "busy"
        finish(session, second)
        session.edit(1, "another", "Ada")
        assert session.turns.snapshot().rewound == {1, 2}

    def test_only_messages_that_count_are_edited(self, session: Session, running: ScriptedTurn) -> None:
        """Only messages that count can be edited, not other events or positions outside the log."""
        finish(session, running)
        session.edit(1, "another", "Ada")
        for seq in (-1, 0, 1, 2, 99):
            assert code(session.edit, seq, "x", "Ada") == "message_unknown"

    def test_the_agents_forget(self, server: ScriptedServer, session: Session, running: ScriptedTurn) -> None:
        """After a rewind, the agents are rebuilt from the turns that count."""
        one = heard("one")
        finish(session, running, history=one)
        session.post("second", "Ada")
        finish(session, server.agents.turn(), history="two")
        session.retry()
        third = server.agents.turn()
        assert (third.text, server.agents.built) == ("second", [[], [one]])
        finish(session, third)

    def test_a_rewind_while_the_agents_are_built(self, server: ScriptedServer, session: Session) -> None:
        """Agents being built for a rewound turn are not used for the next one."""
        server.agents.building = lambda: server.agents.built[1:] or session.edit(1, "another", "Ada")
        session.post("first", "Ada")
        assert server.agents.turn().text == "first"  # which is stopped before its first step
        second = server.agents.turn()
        assert (second.text, len(server.agents.built)) == ("another", 2)
        finish(session, second)

    def test_retry_while_running(self, server: ScriptedServer, session: Session, running: ScriptedTurn) -> None:
        """A running turn is the last one; once rewound, it can't be retried again until it has ended."""
        with session.turns.hold():
            assert session.retry().turn == 2
            assert code(session.retry) == "busy"
        finish(session, server.agents.turn())
        assert statuses(session) == {1: "stopped", 2: "completed"}

    def test_nothing_to_retry(self, session: Session) -> None:
        """Before the first answer, there is nothing to retry."""
        assert code(session.retry) == "nothing_to_retry"

    def test_only_who_holds_can_submit(self, session: Session) -> None:
        """Submitting requires holding the turns, so that the decision is still valid."""
        message = session._message(session.turns.snapshot(), "text", "Ada", "", None, None)
        with pytest.raises(AssertionError):
            session.turns.submit(message)
        with pytest.raises(AssertionError):
            session.turns.edit_waiting(message)


class TestQuestions:
    """Questions, for whose first answer the turn waits."""

    def test_an_answer(self, session: Session, running: ScriptedTurn) -> None:
        """The first answer counts; then the question is closed and says who was first."""
        request_id, answer = running.ask()
        until(session, "input_request")
        assert (session.status, session.turn_status(1)) == ("waiting", "waiting")
        session.answer(request_id, "yes", "Ada")
        assert answer.result(PATIENCE).text == "yes"
        assert code(session.answer, request_id, "no", "Bob") == "already_answered"
        assert session.status == "running"

    def test_no_question(self, session: Session, running: ScriptedTurn) -> None:
        """Answering fails if the question never existed or its turn has ended."""
        request_id, _ = running.ask()
        until(session, "input_request")
        session.stop()
        until(session, "turn_completed")
        assert code(session.answer, request_id, "yes", "Ada") == "request_closed"
        assert code(session.answer, "another", "yes", "Ada") == "request_unknown"

    def test_nobody_answers(self) -> None:
        """If nobody answers, the turn ends."""
        server = ScriptedServer(input_timeout=0.001)
        session = server.create()
        session.post("first", "Ada")
        server.agents.turn().ask()
        assert until(session, "turn_completed").content["status"] == "failed"
        assert until(session, "error").content["code"] == "input_timeout"

    def test_time_begins_when_the_question_is_told(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """A store that could not be written for longer than the time limit takes nothing of it away."""
        server = ScriptedServer(input_timeout=3600)
        session = server.create()
        session.post("first", "Ada")
        running = server.agents.turn()
        monkeypatch.setattr(turns, "STORE_RETRY", 0)
        monkeypatch.setattr(turns, "time", SimpleNamespace(monotonic=lambda: 7200 * server.store.failed.is_set()))
        server.store.failures = 1
        request_id, answer = running.ask()
        until(session, "input_request")
        session.answer(request_id, "yes", "Ada")
        assert answer.result(PATIENCE).text == "yes"
        server.sessions.close(PATIENCE)

    def test_an_answer_in_the_last_moment(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """An answer after the time limit, but before the question is closed, counts."""
        server = ScriptedServer(input_timeout=0.001)
        session = server.create()
        close = PendingQuestions.close

        def answered_and_closed(self: PendingQuestions, turn: int) -> None:
            for content in self.contents:
                session.answer(content["request_id"], "just in time", "Ada")
            close(self, turn)

        monkeypatch.setattr(PendingQuestions, "close", answered_and_closed)
        session.post("first", "Ada")
        _, answer = server.agents.turn().ask()
        assert answer.result(PATIENCE).text == "just in time"

    def test_a_password_is_kept_nowhere(self, session: Session, running: ScriptedTurn) -> None:
        """A password is neither in the answer's event nor in what the agents say afterwards."""
        request_id, answer = running.ask(password=True)
        until(session, "input_request")
        session.answer(request_id, "hunter2", "Ada")
        assert answer.result(PATIENCE).text == "hunter2"
        running.say("Is it hunter2?")
        assert "hunter2" not in "".join(event.body for event in log(session))


class TestFailures:
    """Failing stores, deleted sessions, server shutdown."""

    def test_a_store_that_recovers(
        self, server: ScriptedServer, session: Session, running: ScriptedTurn, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """The turn waits for a failing store to recover, and everything is logged once."""
        monkeypatch.setattr(turns, "STORE_RETRY", 0)
        server.store.failures = 2
        running.say("hello")
        server.store.failures = 2
        finish(session, running)
        assert types(session) == ["user_message", "turn_started", "text", "turn_completed"]

    def test_a_stop_while_the_store_fails(
        self, server: ScriptedServer, session: Session, running: ScriptedTurn, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """A stopped turn doesn't wait for the store to recover."""
        monkeypatch.setattr(turns, "STORE_RETRY", 3600)
        server.store.failures = 1
        running.start(lambda: running.turn.append("text", {"content": "hello"}))
        assert server.store.failed.wait(PATIENCE)
        session.stop()
        assert until(session, "turn_completed").content["status"] == "stopped"

    def test_an_end_that_cannot_be_saved(
        self, server: ScriptedServer, session: Session, running: ScriptedTurn, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """If the server ends before the store recovers, the next server marks the turn interrupted."""
        monkeypatch.setattr(turns, "STORE_RETRY", 3600)
        server.store.failures = 1
        running.end()
        assert server.store.failed.wait(PATIENCE)
        second = server.restarted().open(session.id)
        assert statuses(second) == {1: "interrupted"}

    def test_a_message_that_cannot_be_saved(self, server: ScriptedServer, session: Session) -> None:
        """A message that can't be stored is refused without delay; the next one is turn 1."""
        server.store.failures = 1
        assert code(session.post, "first", "Ada") == "store_failed"
        assert session.turns.snapshot().is_idle
        assert session.post("second", "Ada").turn == 1
        finish(session, server.agents.turn())

    def test_agents_that_fail_in_every_way(self, server: ScriptedServer, session: Session) -> None:
        """Anything raised while agents are built ends the turn, and the session goes on."""

        def fail() -> None:
            if len(server.agents.built) == 1:
                raise ChatError("agent_unavailable", agent="agent", reason="it is broken")
            raise SystemExit

        server.agents.building = fail
        for turn in (1, 2):
            session.post("hello", "Ada")
            until(session, "turn_completed", turn)
        codes = [event.content["code"] for event in log(session) if event.type == "error"]
        assert codes == ["agent_unavailable", "internal"]
        assert statuses(session) == {1: "failed", 2: "failed"}
        assert server.agents.built[1] == [begun("hello", "failed")]

    def test_a_deletion_while_a_turn_runs(
        self, server: ScriptedServer, session: Session, running: ScriptedTurn
    ) -> None:
        """Deleting a session during a turn ends the turn; nothing more is written, and files go last."""
        session.post("second", "Ada")
        server.sessions.delete(session.id, None)
        session.turns.join(PATIENCE)
        assert session.turns.snapshot().is_idle
        assert (server.store.session(session.id), server.cleared) == (None, [session.id])
        assert code(session.post, "third", "Ada") == "session_deleted"
        assert code(session.takeover.take, ANN) == "session_deleted"
        assert code(session.feedback, 3, 1, "", "Ada") == "session_deleted"
        assert code(server.sessions.delete, session.id, None) == "session_unknown"

    def test_a_deletion_while_something_replaces_a_turn(
        self, server: ScriptedServer, session: Session, running: ScriptedTurn, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """A command that meets a deletion, which the session has not heard of yet, says so."""
        with monkeypatch.context() as deleted:
            deleted.setattr(server.store, "turn_bounds", lambda session_id, turn: [])  # as the store has it by then
            assert code(lambda: session.post("second", "Ada", busy="rollback")) == "session_deleted"
            assert code(session.retry) == "session_deleted"
            assert code(session.edit, 1, "first again", "Ada") == "session_deleted"

    def test_a_running_turn_is_interrupted_by_the_end(
        self, server: ScriptedServer, session: Session, running: ScriptedTurn
    ) -> None:
        """Shutdown interrupts the running turn and refuses new messages; the next server answers queued ones."""
        session.post("second", "Ada")
        following = server.restarted()
        assert code(session.post, "third", "Ada") == "closing"
        second = following.agents.turn()
        assert (second.text, statuses(session)) == ("second", {1: "interrupted"})
        finish(following.open(session.id), second)

    def test_a_question_outlives_the_server(
        self, server: ScriptedServer, session: Session, running: ScriptedTurn
    ) -> None:
        """A question outlives the server: with its answer the next one resumes its turn from the journal."""
        request_id, _ = running.ask()
        until(session, "input_request")
        following = server.restarted()
        assert statuses(session) == {}
        again = following.open(session.id)
        assert (again.status, again.turn_status(1), again.turns.asking) == ("waiting", "waiting", 1)
        again.answer(request_id, "yes", "Ada")
        resumed = following.agents.turn()
        assert resumed.history == JOURNAL
        answer = resumed.start(lambda: resumed.turn.ask_again(request_id))
        assert answer.result(PATIENCE).text == "yes"
        resumed.end()
        until(again, "turn_completed")
        assert types(again).count("turn_started") == 1

    def test_whatever_is_idle_has_all_its_events(
        self, server: ScriptedServer, session: Session, running: ScriptedTurn, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """A session that says it is idle knows the end of its turn, although that comes while the store is read."""
        read = server.store.session

        def slowly(session_id: str) -> SessionRecord | None:
            record = read(session_id)
            finish(session, running)
            return record

        monkeypatch.setattr(server.store, "session", slowly)
        about = session.about()
        assert (about["status"], about["last_seq"]) != ("idle", 2)

    def test_a_session_leaves_memory_once_it_rests(
        self, server: ScriptedServer, session: Session, running: ScriptedTurn
    ) -> None:
        """An idle session without people leaves memory; a running turn keeps it there."""
        server.sessions.release(session)
        assert server.open(session.id) is session
        server.sessions.release(session)
        finish(session, running)
        session.turns.join(PATIENCE)
        assert server.open(session.id) is not session

    def test_a_file_is_finished_although_the_clock_was_set_back(
        self, server: ScriptedServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """A change that was told and not made is the newest of its file, also if an earlier one has a later time."""
        services, shared = server.services, AgentServices(folder=tmp_path)
        monkeypatch.setattr(services, "folders", Folders(tmp_path))
        monkeypatch.setattr(services, "new_chat", lambda id, session: Chat(id, shared, session))
        session = server.create()
        session.files("Ada").write("a.txt", "one")
        monkeypatch.setattr(memory_store, "now", lambda: "2001-01-01T00:00:00.000000Z")

        def fail(*args: object, **kwargs: object) -> None:
            raise OSError(5, "Input/output error")

        with monkeypatch.context() as broken:
            broken.setattr(os, "replace", fail)
            assert code(session.files("Ada").write, "a.txt", "two") == "file_failed"
        assert session.files("Ada").read("a.txt") == "one"
        server.sessions.release(session)

        assert server.open(session.id).files("Ada").read("a.txt") == "two"


class TestTakeover:
    """Operators in the agents' place."""

    def test_a_message_that_is_rewound_as_it_begins(
        self, server: ScriptedServer, session: Session, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """A message to an operator that another one replaces while its turn begins is not said to be completed."""
        session.takeover.take(ANN)
        append, rewinding = session.log.append, threading.Event()

        def in_between(drafts: Sequence[Draft], *more: Any, **named: Any) -> list[Event]:
            """Let the turn begin after it was rewound, and before it is stopped."""
            types = {draft.type for draft in drafts}
            if "turn_started" in types:
                assert rewinding.wait(PATIENCE)
            written = append(drafts, *more, **named)
            if "rewind" in types:
                rewinding.set()
                until(session, "turn_started", 1)
            return written

        monkeypatch.setattr(session.log, "append", in_between)
        session.post("Hello?", "Ada")
        session.post("Hello there?", "Ada", busy="rollback")
        until(session, "turn_completed", 2)
        assert statuses(session) == {1: "stopped", 2: "completed"}

    def test_a_server_that_ends_before_it_stopped_the_turn(
        self, server: ScriptedServer, session: Session, running: ScriptedTurn, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """A question in a session that was taken over has a turn that was stopped, also by the next server."""
        running.ask()
        until(session, "input_request")
        monkeypatch.setattr(session.turns, "stop", lambda: None)
        session.takeover.take(ANN)
        second = server.restarted().open(session.id)
        assert statuses(second) == {1: "stopped"}

    def test_from_taking_to_handing_back(self, server: ScriptedServer, session: Session, running: ScriptedTurn) -> None:
        """Taking a session stops its turn; no agent runs until it is handed back, and then they know what was said."""
        session.takeover.take(ANN)
        until(session, "turn_completed", 1)
        session.post("Hello?", "Ada")
        until(session, "turn_completed", 2)
        reply = session.takeover.reply("I am here.", ANN, id="r")
        assert session.takeover.reply("I am here.", ANN, id="r") == reply
        session.takeover.hand_back("Be kind.", ANN)
        session.post("Thanks", "Ada")
        last = server.agents.turn()

        remembered = " ".join(server.agents.built[-1])
        assert [word in remembered for word in ("Hello?", "I am here.", "Be kind.")] == [True] * 3
        assert [event.content["agent"] for event in log(session) if event.type == "turn_started"][1] == "human"
        finish(session, last)

    def test_what_only_the_operator_may(self, session: Session) -> None:
        """One operator has a session at a time, by name, and only that one can act."""
        assert code(session.takeover.reply, "Hello", ANN) == "not_held"
        assert code(session.takeover.hand_back, "", ANN) == "not_held"
        session.takeover.take(ANN)
        assert code(session.takeover.take, BOB) == "taken"
        assert code(session.takeover.reply, "Hello", BOB) == "taken"
        assert code(session.takeover.hand_back, "", BOB) == "taken"
        assert code(session.retry) == "held"

    def test_lists_never_wait_for_turns_while_they_hold_all_sessions(
        self, server: ScriptedServer, session: Session, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """Lists never wait for turns while they hold the lock of all sessions.

        Taking a session tells the desk, which needs all sessions, while its turns are held; the other order would
        deadlock.
        """
        snapshot = session.turns.snapshot

        def checked() -> Snapshot:
            with pytest.raises(AssertionError):
                server.sessions._lock.assert_held()
            return snapshot()

        monkeypatch.setattr(session.turns, "snapshot", checked)
        assert server.sessions.find("", None, 10)[0][0]["status"] == "idle"


class TestFeedback:
    """Feedback on answers."""

    def test_an_answer_is_rated(self, session: Session, running: ScriptedTurn) -> None:
        """An answer can be rated repeatedly, even during its turn.

        Feedback belongs to no turn, and no agent is told.
        """
        running.say("hello", history="one")
        first = session.feedback(3, 1, "", "Ada")
        second = session.feedback(3, -1, "Too short. \ud800", "Ada")
        session.feedback(3, 0, "", "Bob")
        finish(session, running)

        assert (first.type, first.turn) == ("feedback", 0)
        content = second.content
        assert content.pop("uuid")
        assert content == {"seq": 3, "message_id": "m", "score": -1, "comment": "Too short. �", "name": "Ada"}
        assert session.log.store.histories(session.id) == {1: "one"}

    def test_only_answers_that_count_are_rated(self, session: Session, running: ScriptedTurn) -> None:
        """Messages, texts passed to the agent, operators' messages and rewound answers can't be rated."""
        running.start(lambda: running.turn.append("text", {"content": "first", "sender": "user"})).result(PATIENCE)
        running.say("hello")
        finish(session, running)
        session.takeover.take(ANN)
        reply = session.takeover.reply("I am here.", ANN)
        for seq in (-1, 0, 1, 2, 3, reply.seq, 99):
            assert code(session.feedback, seq, 1, "", "Ada") == "answer_unknown"
        session.feedback(4, 1, "", "Ada")
        session.takeover.hand_back("", ANN)
        session.edit(1, "another", "Ada")
        assert code(session.feedback, 4, 1, "", "Ada") == "answer_unknown"

    @pytest.mark.parametrize(("score", "comment"), [(2, ""), (-2, ""), (1, "x" * 2001)])
    def test_what_is_not_feedback(self, session: Session, running: ScriptedTurn, score: int, comment: str) -> None:
        """Unknown scores and comments that are too long are refused."""
        running.say("hello")
        assert code(session.feedback, 3, score, comment, "Ada") == "bad_frame"


class TestNothingSaid:
    """A session that isn't kept until something is said in it."""

    def test_it_is_stored_with_its_first_event(self, server: ScriptedServer) -> None:
        """Nothing is stored before; then the session, with the time of its creation, and what was said."""
        session = server.sessions.begin_unsaid("agent")
        about = session.about()
        assert (about["last_seq"], about["title"], about["updated"]) == (0, "", about["created"])
        assert (server.store.session(session.id), server.sessions.find("", None, 10)) == (None, [])

        session.post("hello", "Ada")
        server.agents.turn().end()
        until(session, "turn_completed")
        record = server.store.session(session.id)
        assert record is not None
        assert (record.agent, record.created) == ("agent", about["created"])
        assert session.about()["title"] == "hello"

    def test_it_can_be_left_and_opened_again(self, server: ScriptedServer) -> None:
        """It outlives its connections, and is the same session."""
        session = server.sessions.begin_unsaid("agent")
        server.sessions.release(session)
        again = server.open(session.id)
        assert again is not session
        assert again.about()["created"] == session.about()["created"]
        assert server.store.session(session.id) is None
        again.rename("Oslo", "Ada")
        server.sessions.release(again)
        again = server.open(session.id)
        assert again.about()["title"] == "Oslo"
        server.sessions.release(again)
        server.store.delete(session.id)  # as when it expires
        assert server.sessions.open(session.id) is None

    def test_it_can_be_deleted(self, server: ScriptedServer) -> None:
        """A deleted session is gone, and nothing can be said in it."""
        session = server.sessions.begin_unsaid("agent")
        server.sessions.delete(session.id, None)
        assert server.sessions.open(session.id) is None
        assert code(session.about) == code(session.post, "hello", "Ada") == "session_deleted"
        assert code(server.sessions.delete, session.id, None) == "session_unknown"

    def test_there_is_a_limit(self, server: ScriptedServer, monkeypatch: pytest.MonkeyPatch) -> None:
        """Unused sessions without events are forgotten, the oldest first; sessions in use are not."""
        monkeypatch.setattr(registry, "MAX_UNSAID", 2)
        used = server.sessions.begin_unsaid("agent")
        left = [server.sessions.begin_unsaid("agent") for _ in range(3)]
        for session in left:
            server.sessions.release(session)
        assert [server.sessions.open(session.id) is not None for session in left] == [False, True, True]
        assert server.sessions.open(used.id) is used
        used.post("hello", "Ada")
        assert server.store.session(used.id) is not None

    def test_a_store_that_fails(self, server: ScriptedServer) -> None:
        """If the store doesn't take the first event, nothing has happened, and it can be said again."""
        session = server.sessions.begin_unsaid("agent")
        server.store.failures = 1
        assert code(session.rename, "Oslo", "Ada") == "store_failed"
        session.rename("Oslo", "Ada")
        assert session.about()["title"] == "Oslo"
