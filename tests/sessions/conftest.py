"""A session without sockets, and its running turn, for a test that drives them step by step."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from agentchat.sessions.session import Session
from tests.clients import PATIENCE
from tests.scripted_sessions import ScriptedServer, ScriptedTurn


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
