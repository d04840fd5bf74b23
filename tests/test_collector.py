"""Garbage is collected while nothing else happens, and conversations leave memory without that."""

from __future__ import annotations

import gc
import threading
import weakref

import pytest

from agentchat import collector
from tests.clients import PATIENCE, ChatClient, wait_until
from tests.conftest import Serve
from tests.model_server import ModelServer


class Ring:
    """An object that refers to itself."""

    def __init__(self) -> None:
        self.itself = self


def test_garbage_waits_for_an_idle_moment() -> None:
    """Old garbage is collected once the server is idle, and the thresholds come back afterwards."""
    before, idle, asked = gc.get_threshold(), threading.Event(), threading.Event()

    def is_idle() -> bool:
        asked.set()
        return idle.is_set()

    with collector.tuned(is_idle, interval=0.001):
        ring = Ring()
        gc.collect(1)
        gc.collect(1)  # now it is old
        gone = weakref.ref(ring)
        del ring
        assert asked.wait(PATIENCE)
        assert gone() is not None
        idle.set()
        wait_until(lambda: gone() is None)
    assert gc.get_threshold() == before
    assert gc.get_freeze_count() == 0
    assert collector.pauses.longest > 0


@pytest.mark.parametrize(
    ("count", "is_idle", "due"),
    [(0, True, False), (1, True, True), (99, False, False), (collector.OVERDUE, False, True)],
)
def test_when_a_collection_is_due(count: int, is_idle: bool, due: bool) -> None:
    """A full collection waits for an idle moment, though not for ever; without garbage there is none."""
    assert collector.is_due(count, is_idle) == due


@pytest.mark.all_agents
@pytest.mark.parametrize("agent", ["weather", "concierge", "coding_team"])
def test_conversations_leave_memory_without_it(serve: Serve, model: ModelServer, agent: str) -> None:
    """The agents and everything else of a conversation leave memory with it, without a collection."""
    server = serve(model=model)

    def objects() -> int:
        kinds = ("agentchat.sessions", "agentchat.chat", "autogen.agentchat", "agentchat.models.openai_client")
        return sum(str(type(each).__module__).startswith(kinds) for each in gc.get_objects())

    def talk() -> None:
        with ChatClient(server.websocket, agent=agent) as client:
            client.confirmed()
            client.ask("hello")

    talk()  # loads what stays
    gc.collect()
    gc.disable()
    try:
        before = objects()
        for _ in range(3):
            talk()
        wait_until(lambda: objects() <= before)
    finally:
        gc.enable()


def test_turns_leave_no_garbage(serve: Serve, model: ModelServer) -> None:
    """A turn leaves nothing for the collector to find."""
    server = serve(model=model)
    with ChatClient(server.websocket, agent="weather") as client:
        client.confirmed()
        client.ask("What is the weather in Oslo?")  # builds the agents
        gc.collect()
        gc.disable()
        try:
            for _ in range(5):
                client.ask("What is the weather in Oslo?")
            assert gc.collect() < 100
        finally:
            gc.enable()
