"""Sessions that an operator takes over."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from typing import Any

import pytest

from agentchat.protocol.events import Draft, Event
from agentchat.protocol.identity import Caller
from agentchat.sessions.session import Session
from agentchat.sessions.turn_runner import Snapshot
from tests.clients import PATIENCE
from tests.scripted_sessions import ScriptedServer, ScriptedTurn, code, finish, log, statuses, until

ANN, BOB = Caller(name="Ann"), Caller(name="Bob")


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
