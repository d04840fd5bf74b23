"""A session without sockets; each race is driven step by step."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from agentchat.ag2.history import heard
from agentchat.protocol.identity import Caller
from agentchat.sessions import registry
from agentchat.sessions import turn as turns
from agentchat.sessions.pending_questions import PendingQuestions
from agentchat.sessions.session import Session
from tests.clients import PATIENCE
from tests.scripted_sessions import ScriptedServer, ScriptedTurn, code, finish, log, statuses, types, until

ANN, BOB = Caller(name="Ann"), Caller(name="Bob")


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
