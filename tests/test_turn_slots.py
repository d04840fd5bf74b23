"""Turns that run at once: the others wait in line, are told their place, and lose nothing."""

from __future__ import annotations

import threading
from collections.abc import Iterator

import pytest

from agentchat.sessions.session import Session
from agentchat.sessions.turn_slots import TurnSlots
from tests.clients import PATIENCE
from tests.scripted_sessions import ScriptedServer, statuses, until


@pytest.fixture
def server() -> Iterator[ScriptedServer]:
    server = ScriptedServer(turns=2, turns_per_person=1)
    yield server
    server.sessions.close(PATIENCE)


def posted(server: ScriptedServer, name: str, text: str = "hello") -> Session:
    session = server.create()
    session.post(text, name)
    return session


def test_the_others_wait_in_line(server: ScriptedServer) -> None:
    """Beyond the limit turns wait in order, without a thread; they are told how many are ahead."""
    first, second = posted(server, "Ada"), posted(server, "Bob")
    running = [server.agents.turn(), server.agents.turn()]
    third, fourth = posted(server, "Cy", "third"), posted(server, "Di", "fourth")
    assert [session.about()["ahead"] for session in (first, third, fourth)] == [None, 0, 1]
    assert (third.status, third.turn_status(1)) == ("running", "queued")
    assert '"ahead":1' in fourth.log.states["place"].frame
    names = {thread.name for thread in threading.enumerate()}
    assert f"turn-{first.id}" in names
    assert not names & {f"turn-{third.id}", f"turn-{fourth.id}"}

    running[0].end()
    turn = server.agents.turn()
    assert (turn.text, fourth.about()["ahead"], "place" in third.log.states) == ("third", 0, False)
    running[1].end()
    last = server.agents.turn()
    for each in (turn, last):
        each.end()
    for session in (first, second, third, fourth):
        assert until(session, "turn_completed").content["status"] == "completed"
        session.turns.join(PATIENCE)


def test_one_person_leaves_room_for_others(server: ScriptedServer) -> None:
    """A person who has as many as they may waits, and others go first."""
    posted(server, "Ada", "first")
    waiting = posted(server, "Ada", "second")
    posted(server, "Bob", "from Bob")
    texts = {server.agents.turn().text, server.agents.turn().text}
    assert texts == {"first", "from Bob"}
    assert waiting.turn_status(1) == "queued"


def test_a_long_queue_lets_others_in_between(server: ScriptedServer) -> None:
    """A session with many messages gets in line again after each turn if somebody waits."""
    busy, _ = posted(server, "Ada", "first"), posted(server, "Bob")
    first, bob = server.agents.turn(), server.agents.turn()
    busy.post("second", "Ada")
    posted(server, "Cy", "from Cy")
    first.end()
    between = server.agents.turn()
    assert between.text == "from Cy"
    bob.end()
    second = server.agents.turn()
    assert second.text == "second"
    second.end()
    until(busy, "turn_completed", 2)


def test_whoever_waits_for_a_person_gives_way(server: ScriptedServer) -> None:
    """A turn that asks leaves its slot to others, and goes on with the answer in any case."""
    asking = posted(server, "Ada")
    running = server.agents.turn()
    posted(server, "Bob")
    server.agents.turn()
    posted(server, "Cy", "from Cy")
    request_id, answer = running.ask()
    assert server.agents.turn().text == "from Cy"
    asking.answer(request_id, "yes", "Ada")
    assert answer.result(PATIENCE).text == "yes"
    running.end()
    until(asking, "turn_completed")


def test_a_message_is_withdrawn_from_the_line(server: ScriptedServer) -> None:
    """A session whose message was withdrawn, or that was deleted, leaves the line and memory."""
    posted(server, "Ada"), posted(server, "Bob")
    running = server.agents.turn()
    withdrawn, deleted, last = (posted(server, name, text=name) for name in ("Cy", "Di", "Ed"))
    assert withdrawn.stop(1) == 1
    server.sessions.delete(deleted.id, None)
    assert (statuses(withdrawn), last.about()["ahead"], withdrawn.about()["ahead"]) == ({1: "stopped"}, 0, None)
    for session in (withdrawn, deleted):
        server.sessions.release(session)
        assert session not in server.sessions._in_memory()
    running.end()
    next(turn for turn in (server.agents.turn(), server.agents.turn()) if turn.text == "Ed").end()
    until(last, "turn_completed")


def test_a_thread_that_cannot_start(server: ScriptedServer, monkeypatch: pytest.MonkeyPatch) -> None:
    """A turn whose thread cannot be started, because the process has as many as it may, is begun later."""
    start, refused = threading.Thread.start, threading.Event()

    def start_later(thread: threading.Thread) -> None:
        if thread.name.startswith("turn-") and not refused.is_set():
            refused.set()
            raise RuntimeError("can't start new thread")
        start(thread)

    server.sessions.begin()
    monkeypatch.setattr("agentchat.sessions.turn_runner.THREAD_RETRY", 0.0)
    monkeypatch.setattr(threading.Thread, "start", start_later)
    session = posted(server, "Ada")
    assert refused.is_set()
    server.agents.turn().end()
    until(session, "turn_completed")


def test_places_are_told_where_they_matter() -> None:
    """Sessions in front are told each step, those far behind each tenth."""
    slots = TurnSlots(in_all=1, per_person=0)
    running = slots.enter("p", lambda: None, lambda ahead: None)
    told: list[tuple[int, int]] = []
    for number in range(25):
        slots.enter(f"{number}", lambda: None, lambda ahead, number=number: told.append((number, ahead)))  # type: ignore[misc]
    running.leave()
    assert told == [*((number, number - 1) for number in range(1, 11)), (11, 10), (21, 20)]
    assert slots.running == 1
