"""Sessions in memory: loaded without holding others up, let go with their questions, and deleted as a whole."""

from __future__ import annotations

import threading
from collections.abc import Callable, Collection, Iterator, Sequence
from concurrent.futures import Future
from typing import Any

import pytest

from agentchat.cancellation import Stopped
from agentchat.clock import Moment
from agentchat.protocol.commands import Command
from agentchat.protocol.errors import ChatError, StoreError
from agentchat.protocol.events import Draft, Event
from agentchat.protocol.questions import Answer
from agentchat.sessions import registry, turn
from agentchat.sessions.session import Session
from tests.clients import PATIENCE
from tests.scripted_sessions import FailingStore, ScriptedServer, ScriptedTurn, statuses, types, until

Asking = tuple[Session, ScriptedTurn, str, "Future[Answer]"]


class RefusingStore(FailingStore):
    """A store that deletes nothing while `refuses` is set."""

    def __init__(self) -> None:
        super().__init__()
        self.refuses = False

    def delete(self, session_id: str, command: Command | None = None) -> bool:
        if self.refuses:
            raise StoreError
        return super().delete(session_id, command)


@pytest.fixture
def store() -> RefusingStore:
    return RefusingStore()


@pytest.fixture
def server(store: RefusingStore) -> Iterator[ScriptedServer]:
    server = ScriptedServer(store, live_questions=2)
    yield server
    server.sessions.close(PATIENCE)


def asking(server: ScriptedServer) -> Asking:
    """Let the agents of a new session ask something."""
    session = server.create()
    session.post("Book", "Ada")
    running = server.agents.turn()
    request_id, answer = running.ask()
    until(session, "input_request")
    return session, running, request_id, answer


def let_go(session: Session) -> None:
    """Wait until the session's turn has left memory."""
    session.turns.join(PATIENCE)
    assert session.turns.asking == 1


def meanwhile(session: Session, monkeypatch: pytest.MonkeyPatch, act: Callable[[], object]) -> None:
    """Do something while the session's agents leave memory."""
    recall = session.questions.recall

    def recalled(turn: int, asked: Moment | None, limit: float | None) -> float | None:
        act()
        return recall(turn, asked, limit)

    monkeypatch.setattr(session.questions, "recall", recalled)


def fail_once(monkeypatch: pytest.MonkeyPatch, store: RefusingStore, method: str) -> None:
    """Let that method of the store fail the next time, and wait for a moment only until it is tried again."""
    right = getattr(store, method)

    def wrong(*arguments: object) -> object:
        monkeypatch.setattr(store, method, right)
        raise StoreError

    monkeypatch.setattr(store, method, wrong)
    for module in (registry, turn):
        monkeypatch.setattr(module, "STORE_RETRY", 0.01)


class TestDeleting:
    """The store agrees first."""

    def test_a_store_that_refuses(self, server: ScriptedServer, store: RefusingStore) -> None:
        """A refused deletion leaves everything as it was: readers, the running turn, the files."""
        session = server.create()
        session.post("first", "Ada")
        running = server.agents.turn()
        store.refuses = True
        with pytest.raises(StoreError):
            server.sessions.delete(session.id, None)
        assert not session.log.is_deleted
        assert server.open(session.id) is session
        running.say("Here I am")
        running.end()
        until(session, "turn_completed")
        assert (statuses(session), server.cleared) == ({1: "completed"}, [])
        store.refuses = False
        server.sessions.delete(session.id, None)
        assert store.session(session.id) is None

    def test_one_that_is_not_in_memory(self, server: ScriptedServer) -> None:
        """A session is deleted with its files also if nobody has it open, and only once."""
        session = server.create()
        server.sessions.release(session)
        server.sessions.delete(session.id, None)
        assert session.id in server.cleared
        with pytest.raises(ChatError, match="no conversation"):
            server.sessions.delete(session.id, None)

    def test_files_written_since(self, server: ScriptedServer) -> None:
        """Files are deleted again once nobody uses the session: a tool that was left behind may have written some."""
        session = server.create()
        server.sessions.delete(session.id, None)
        assert server.sessions.open(session.id) is None
        server.cleared.clear()
        server.sessions.release(session)
        assert server.cleared == [session.id]

    def test_nobody_waits_for_another_session(
        self, server: ScriptedServer, store: RefusingStore, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """While the store takes its time to delete or to load one session, others are opened and created."""
        slow, other = server.create(), server.create()
        for session in (slow, other):
            server.sessions.release(session)
        began, may_end = threading.Event(), threading.Event()
        delete = store.delete

        def delete_slowly(session_id: str, command: Command | None = None) -> bool:
            began.set()
            assert may_end.wait(PATIENCE)
            return delete(session_id, command)

        monkeypatch.setattr(store, "delete", delete_slowly)
        thread = threading.Thread(target=server.sessions.delete, args=(slow.id, None))
        thread.start()
        assert began.wait(PATIENCE)
        assert server.open(other.id).id == other.id
        assert server.create().status == "idle"
        assert len(server.sessions.find("", None, 10)) == 3
        may_end.set()
        thread.join(PATIENCE)
        assert server.sessions.open(slow.id) is None

    def test_two_that_load_the_same(
        self, server: ScriptedServer, store: RefusingStore, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """Threads that open the same session at once get the same object, read once."""
        session = server.create()
        server.sessions.release(session)
        reads: list[str] = []
        read = store.session
        everyone = threading.Barrier(5)

        def counted(session_id: str) -> object:
            reads.append(session_id)
            return read(session_id)

        monkeypatch.setattr(store, "session", counted)
        opened: list[Session] = []

        def open_it() -> None:
            everyone.wait(PATIENCE)
            opened.append(server.open(session.id))

        threads = [threading.Thread(target=open_it) for _ in range(5)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(PATIENCE)
        assert len(opened) == 5
        assert len(set(map(id, opened))) == len(reads) == 1


class TestQuestions:
    """Open questions beyond the newest few cost no thread and no agents."""

    def test_the_oldest_is_let_go(self, server: ScriptedServer) -> None:
        """Beyond the limit the oldest question's agents leave memory; its answer brings them back."""
        (oldest, _, request_id, answer), *others = [asking(server) for _ in range(3)]
        with pytest.raises(Stopped):
            answer.result(PATIENCE)
        let_go(oldest)
        assert (oldest.status, oldest.turn_status(1)) == ("waiting", "waiting")
        assert [request["request_id"] for request in oldest.questions.contents] == [request_id]
        assert all(session.turns.asking is None for session, *_ in others)

        oldest.answer(request_id, "yes", "Ada")
        resumed = server.agents.turn()
        told = resumed.start(lambda: resumed.turn.ask_again(request_id)).result(PATIENCE)
        resumed.end()
        until(oldest, "turn_completed")
        assert (told.text, types(oldest).count("turn_started")) == ("yes", 1)

    def test_it_leaves_memory_with_its_session(self, server: ScriptedServer) -> None:
        """Once nobody looks on, the session leaves memory as well; lists still say that it waits."""
        session, *_ = asking(server)
        server.sessions.release(session)
        for _ in range(2):
            asking(server)
        let_go(session)
        assert session not in server.sessions._in_memory()
        listed = {found["id"]: found["status"] for found, _ in server.sessions.find("", None, 10)}
        assert listed[session.id] == "waiting"
        again = server.open(session.id)
        assert (again is not session, again.status) == (True, "waiting")

    def test_it_is_stopped(self, server: ScriptedServer) -> None:
        """A stop brings the turn back to its question, where it ends: the agents know how far they had come."""
        session, _, request_id, _ = asking(server)
        for _ in range(2):
            asking(server)
        let_go(session)
        assert session.stop() == 1
        resumed = server.agents.turn()
        with pytest.raises(Stopped):
            resumed.start(lambda: resumed.turn.ask_again(request_id)).result(PATIENCE)
        until(session, "turn_completed")
        assert statuses(session) == {1: "stopped"}
        with pytest.raises(ChatError, match="no longer"):
            session.answer(request_id, "yes", "Ada")

    def test_messages_wait_behind_it(self, server: ScriptedServer) -> None:
        """A message waits for the answer, as behind any turn."""
        session, _, request_id, _ = asking(server)
        for _ in range(2):
            asking(server)
        let_go(session)
        session.post("And then?", "Ada")
        assert session.turn_status(2) == "queued"
        session.answer(request_id, "yes", "Ada")
        server.agents.turn().end()
        second = server.agents.turn()
        assert second.text == "And then?"
        second.end()
        until(session, "turn_completed", 2)

    def test_an_answer_at_that_moment(self, server: ScriptedServer, monkeypatch: pytest.MonkeyPatch) -> None:
        """An answer that comes while the agents leave memory is not lost."""
        session, _, request_id, _ = asking(server)
        meanwhile(session, monkeypatch, lambda: session.answer(request_id, "yes", "Ada"))
        for _ in range(2):
            asking(server)
        resumed = server.agents.turn()
        told = resumed.start(lambda: resumed.turn.ask_again(request_id)).result(PATIENCE)
        resumed.end()
        until(session, "turn_completed")
        assert told.text == "yes"

    def test_an_answer_while_the_log_is_read(
        self, server: ScriptedServer, store: RefusingStore, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """The answer is not lost either if it comes while the open questions are read from the log."""
        session, _, request_id, _ = asking(server)
        read, is_read, answering = store.read_types, threading.Event(), threading.Event()

        def slowly(session_id: str, types: Collection[str]) -> list[Event]:
            events = read(session_id, types)
            if session_id == session.id and not is_read.is_set():
                is_read.set()
                answering.wait(0.2)  # until then it has to wait for us
            return events

        def answer() -> None:
            assert is_read.wait(PATIENCE)
            session.answer(request_id, "yes", "Ada")
            answering.set()

        monkeypatch.setattr(store, "read_types", slowly)
        thread = threading.Thread(target=answer)
        thread.start()
        for _ in range(2):
            asking(server)
        thread.join(PATIENCE)
        resumed = server.agents.turn()
        assert resumed.start(lambda: resumed.turn.ask_again(request_id)).result(PATIENCE).text == "yes"
        resumed.end()
        until(session, "turn_completed")

    def test_a_password_at_that_moment(self, server: ScriptedServer, monkeypatch: pytest.MonkeyPatch) -> None:
        """A password, which is stored nowhere, reaches its turn if it comes while the agents leave memory."""
        session = server.create()
        session.post("Sign", "Ada")
        request_id, _ = server.agents.turn().ask(password=True)
        until(session, "input_request")
        meanwhile(session, monkeypatch, lambda: session.answer(request_id, "1234", "Ada"))
        for _ in range(2):
            asking(server)
        resumed = server.agents.turn()
        assert resumed.start(lambda: resumed.turn.ask_again(request_id)).result(PATIENCE).text == "1234"
        resumed.end()
        until(session, "turn_completed")

    def test_a_stop_at_that_moment(self, server: ScriptedServer, monkeypatch: pytest.MonkeyPatch) -> None:
        """A stop that comes while the agents leave memory is carried out."""
        session, _, request_id, _ = asking(server)
        meanwhile(session, monkeypatch, session.stop)
        for _ in range(2):
            asking(server)
        resumed = server.agents.turn()
        resumed.start(lambda: resumed.turn.ask_again(request_id))
        until(session, "turn_completed")
        assert statuses(session) == {1: "stopped"}

    def test_a_stop_waits_for_nobody(self, store: RefusingStore) -> None:
        """A stop is carried out although the most turns run, also if the answer had to wait in line."""
        server = ScriptedServer(store, live_questions=0, turns=1)
        stopped, answered = asking(server), asking(server)
        for session, *_ in (stopped, answered):
            let_go(session)
        other = server.create()
        other.post("Meanwhile", "Bob")
        running = server.agents.turn()
        session, _, request_id, _ = answered
        session.answer(request_id, "yes", "Ada")
        assert session.turns.ahead == 0
        for session, *_ in (stopped, answered):
            assert session.stop() == 1
            server.agents.turn().end("stopped")
            until(session, "turn_completed")
            assert session.turns.ahead is None
        running.end()
        until(other, "turn_completed")
        server.sessions.close(PATIENCE)

    def test_a_stop_outlives_the_server(self, server: ScriptedServer, store: RefusingStore) -> None:
        """A stop that a server can't carry out before it ends is carried out by the next one."""
        session, _, request_id, _ = asking(server)
        for _ in range(2):
            asking(server)
        let_go(session)
        server.services.is_closing.set()
        for _ in range(2):
            assert session.stop(id="s1") == 1
        assert session.stop() == 1
        restarted = ScriptedServer(store)
        restarted.sessions.begin()
        resumed = restarted.agents.turn()
        resumed.start(lambda: resumed.turn.ask_again(request_id))
        until(restarted.open(session.id), "turn_completed")
        assert statuses(session) == {1: "stopped"}
        restarted.sessions.close(PATIENCE)

    def test_a_stop_without_agents(self, server: ScriptedServer) -> None:
        """A turn whose agents cannot be built any more can be stopped."""

        def build() -> None:
            raise ChatError("agent_broken", error="it is gone", agent="agent")

        session, *_ = asking(server)
        for _ in range(2):
            asking(server)
        let_go(session)
        server.agents.building = build
        session.stop()
        until(session, "turn_completed")
        assert (statuses(session), "error" in types(session)) == ({1: "stopped"}, False)

    def test_a_store_that_cannot_be_read(
        self, server: ScriptedServer, store: RefusingStore, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """A turn that is to go on waits for a store that fails."""
        session, _, request_id, _ = asking(server)
        for _ in range(2):
            asking(server)
        let_go(session)
        fail_once(monkeypatch, store, "history")
        session.answer(request_id, "yes", "Ada")
        resumed = server.agents.turn()
        assert resumed.start(lambda: resumed.turn.ask_again(request_id)).result(PATIENCE).text == "yes"
        resumed.end()
        until(session, "turn_completed")

    def test_its_time_is_up_while_the_store_fails(self, store: RefusingStore, monkeypatch: pytest.MonkeyPatch) -> None:
        """A question whose time is up while the store cannot be read ends its turn when it can be again."""
        server = ScriptedServer(store, live_questions=0, input_timeout=0.2)
        session, _, request_id, _ = asking(server)
        let_go(session)
        fail_once(monkeypatch, store, "session")
        server.sessions.release(session)
        resumed = server.agents.turn()
        resumed.start(lambda: resumed.turn.ask_again(request_id))
        again = server.open(session.id)
        until(again, "turn_completed")
        assert statuses(again) == {1: "failed"}
        server.sessions.close(PATIENCE)

    def test_its_time_is_up(self, store: RefusingStore) -> None:
        """A question whose time is up ends its turn, wherever its agents are."""
        server = ScriptedServer(store, live_questions=0, input_timeout=0.2)
        session, _, request_id, _ = asking(server)
        server.sessions.release(session)
        resumed = server.agents.turn()
        resumed.start(lambda: resumed.turn.ask_again(request_id))
        again = server.open(session.id)
        assert until(again, "turn_completed").content["status"] == "failed"
        assert until(again, "error").content["code"] == "input_timeout"

    def test_its_time_was_up_before_the_server_started(
        self, store: RefusingStore, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """A question whose time ran out while no server was running ends its turn at the start of the next."""
        server = ScriptedServer(store, input_timeout=600)
        session, _, request_id, _ = asking(server)
        monkeypatch.setattr("agentchat.sessions.pending_questions.elapsed", lambda since: 3600.0)
        following = server.restarted()
        resumed = following.agents.turn()
        resumed.start(lambda: resumed.turn.ask_again(request_id))
        again = following.open(session.id)
        assert until(again, "turn_completed").content["status"] == "failed"
        following.sessions.close(PATIENCE)

    def test_its_session_is_deleted(self, server: ScriptedServer) -> None:
        """A session whose question was let go is deleted like any other."""
        session, _, request_id, _ = asking(server)
        for _ in range(2):
            asking(server)
        let_go(session)
        server.sessions.delete(session.id, None)
        with pytest.raises(ChatError, match="deleted"):
            session.answer(request_id, "yes", "Ada")
        server.sessions.release(session)
        assert session not in server.sessions._in_memory()

    def test_one_that_cannot_be_brought_back_stays(self, server: ScriptedServer) -> None:
        """The agents stay in memory if their turn couldn't be brought back."""
        session = server.create()
        session.post("Book", "Ada")
        request_id, answer = server.agents.turn().ask(history='{"messages": [], "has_ended": false, "journal": null}')
        until(session, "input_request")
        for _ in range(3):
            asking(server)
        session.answer(request_id, "yes", "Ada")
        assert answer.result(PATIENCE).text == "yes"


def test_messages_that_waited_are_answered_a_few_at_a_time(
    server: ScriptedServer, store: RefusingStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The next server answers what waited in a few sessions at a time, until all rest or wait for somebody."""
    monkeypatch.setattr(registry, "AT_ONCE", 2)
    for number in range(5):
        session = server.create()
        session.post(f"{number}", "Ada")
        server.agents.turn()
        session.post(f"{number} again", "Ada")
    server.sessions.close(PATIENCE)
    following = ScriptedServer(store)
    following.sessions.begin()
    running = [following.agents.turn(), following.agents.turn()]
    for count in range(5):
        assert sum(session.status == "running" for session in following.sessions._in_memory()) <= 2
        turn = running.pop(0)
        if count == 0:
            turn.ask()
        else:
            turn.end()
        if count < 3:
            running.append(following.agents.turn())
    following.sessions.close(PATIENCE)


def test_a_message_whose_turn_could_not_begin(
    server: ScriptedServer, store: RefusingStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The next server answers a message if the store refuses the start of its turn until the server ends."""
    append, is_refused = store.append, threading.Event()

    def refusing(session_id: str, drafts: Sequence[Draft], *more: Any, **options: Any) -> list[Event]:
        if drafts[0].type == "turn_started":
            is_refused.set()
            raise StoreError
        return append(session_id, drafts, *more, **options)

    monkeypatch.setattr(store, "append", refusing)
    session = server.create()
    session.post("hello", "Ada")
    assert is_refused.wait(PATIENCE)
    server.sessions.close(PATIENCE)
    assert types(session) == ["user_message"]
    monkeypatch.undo()
    following = server.restarted()
    following.agents.turn().end()
    again = following.open(session.id)
    until(again, "turn_completed")
    assert statuses(again) == {1: "completed"}
    following.sessions.close(PATIENCE)
