"""Sessions whose store fails, that are deleted, or whose server ends."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from agentchat.ag2.history import begun
from agentchat.chat import AgentServices, Chat
from agentchat.protocol.errors import ChatError
from agentchat.protocol.identity import Caller
from agentchat.sessions import turn as turns
from agentchat.sessions.session import Session
from agentchat.store import SessionRecord
from agentchat.workspace.folders import Folders
from tests import memory_store
from tests.clients import PATIENCE
from tests.scripted_sessions import JOURNAL, ScriptedServer, ScriptedTurn, code, finish, log, statuses, types, until

ANN, BOB = Caller(name="Ann"), Caller(name="Bob")


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
