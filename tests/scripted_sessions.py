"""Sessions without sockets or AG2: logs in memory, and agents that a test drives step by step."""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import Future
from pathlib import Path
from typing import Any

import pytest

from agentchat.ag2.conversation import Outcome
from agentchat.audit import Audit
from agentchat.cancellation import Stopped, StopToken
from agentchat.chat import Chat
from agentchat.protocol.commands import Command
from agentchat.protocol.errors import ChatError, StoreError
from agentchat.protocol.events import Draft, Event
from agentchat.protocol.questions import Answer, Request
from agentchat.protocol.session_events import NO_USAGE
from agentchat.sessions.registry import Sessions
from agentchat.sessions.rules import SessionRules
from agentchat.sessions.services import Agents, Services
from agentchat.sessions.session import Session
from agentchat.sessions.turn import Turn
from agentchat.workspace.folders import Folders
from tests.clients import PATIENCE
from tests.memory_store import MemoryStore

JOURNAL = '{"messages": [], "has_ended": false, "journal": []}'  # a history from which a turn can be run again


class FailingStore(MemoryStore):
    """A store whose next appends can be made to fail."""

    def __init__(self) -> None:
        super().__init__()
        self.failures = 0.0
        self.failed = threading.Event()

    def append(
        self, session_id: str, drafts: Sequence[Draft], history: str | None = None, command: Command | None = None
    ) -> list[Event]:
        if self.failures > 0:
            self.failures -= 1
            self.failed.set()
            raise StoreError
        return super().append(session_id, drafts, history, command)


class ScriptedTurn:
    """A running turn, whose steps run in the turn's own thread when the test says so."""

    def __init__(self, text: str, turn: Turn, token: StopToken, history: str | None) -> None:
        self.text = text
        self.turn = turn
        self.history = history
        self._token = token
        self._steps: queue.SimpleQueue[Callable[[], Outcome | None]] = queue.SimpleQueue()

    def run(self) -> Outcome:
        try:
            while True:
                with self._token.interruptible(lambda: self._steps.put(lambda: None)):
                    step = self._steps.get()
                if (outcome := step()) is not None:
                    return outcome
        except Stopped as stopped:
            return Outcome(stopped.reason, "", NO_USAGE, None, stopped.error)

    def start(self, step: Callable[[], Any]) -> Future[Any]:
        """Start a step and return a future of its result; a stop ends the turn as it would end AG2."""
        result: Future[Any] = Future()

        def run() -> None:
            try:
                result.set_result(step())
            except Exception as error:  # noqa: BLE001 - raised again in the test
                result.set_exception(error)
            except Stopped as stopped:
                result.set_exception(stopped)
                raise

        self._steps.put(run)
        return result

    def say(self, text: str, message_id: str = "m", history: str | None = None, **more: object) -> None:
        """Append an answer."""
        content = {"uuid": "u", "content": text, "sender": "agent", "recipient": "user", "message_id": message_id}
        self.start(lambda: self.turn.append("text", {**content, **more}, history)).result(PATIENCE)

    def ask(self, prompt: str = "Really?", history: str = JOURNAL, **more: Any) -> tuple[str, Future[Answer]]:
        """Ask the people, and return the question's id and a future of the answer."""
        request = Request("agent", prompt, **more)
        return request.id, self.start(lambda: self.turn.ask(request, lambda limit: history))

    def end(self, status: str = "completed", history: str | None = None, error: ChatError | None = None) -> None:
        self._steps.put(lambda: Outcome(status, "done", NO_USAGE, history, error))


class ScriptedAgents:
    """The agents of all sessions of a test."""

    def __init__(self) -> None:
        self.built: list[list[str]] = []
        """The histories that agents were built from."""
        self.building: Callable[[], object] = lambda: None
        """Called in the turn's thread while agents are being built."""
        self._turns: queue.SimpleQueue[ScriptedTurn] = queue.SimpleQueue()

    def build(self, agent: str, chat: Chat, histories: Iterable[str]) -> Agents:
        self.built.append(list(histories))
        self.building()
        return self

    def run(self, text: str, turn: Turn, token: StopToken, history: str | None) -> Outcome:
        running = ScriptedTurn(text, turn, token, history)
        self._turns.put(running)
        return running.run()

    def close(self) -> None:
        """Do nothing: all sessions share these agents."""

    def turn(self) -> ScriptedTurn:
        """Wait for the next turn to run."""
        return self._turns.get(timeout=PATIENCE)


class CountedFolders(Folders):
    """No folders, but a list of those that were cleared."""

    def __init__(self, cleared: list[str]) -> None:
        super().__init__(Path("data-of-nobody"))
        self._cleared = cleared

    def clear(self, session_id: str) -> None:
        self._cleared.append(session_id)


class ScriptedServer:
    """The sessions of one server."""

    def __init__(self, store: FailingStore | None = None, **rules: Any) -> None:
        self.store = store or FailingStore()
        self.agents = ScriptedAgents()
        self.cleared: list[str] = []
        self.services = Services(
            self.store,
            self.agents.build,
            lambda session_id, session: Chat(session_id, session=session),
            keys=lambda: frozenset({"sk-secret"}),
            folders=CountedFolders(self.cleared),
            model=lambda: {"name": "scripted", "demo": False, "vision": None},
            audit=Audit(Path("audit.jsonl")),
            rules=SessionRules(**rules),
        )
        self.sessions = Sessions(self.services)

    def create(self) -> Session:
        return self.sessions.create("agent")

    def open(self, session_id: str) -> Session:
        session = self.sessions.open(session_id)
        assert session is not None
        return session

    def restarted(self) -> ScriptedServer:
        """End this server, and return the next one on the same store."""
        self.sessions.close(PATIENCE)
        server = ScriptedServer(self.store)
        server.sessions.begin()
        return server


def log(session: Session) -> list[Event]:
    """Return all events of a session."""
    return session.log.store.read(session.id)


def types(session: Session) -> list[str]:
    return [event.type for event in log(session)]


def statuses(session: Session) -> dict[int, str]:
    """Return how each turn ended."""
    return {event.turn: event.content["status"] for event in log(session) if event.type == "turn_completed"}


def until(session: Session, type: str, turn: int | None = None) -> Event:
    """Wait for an event of that type and turn."""
    woken = threading.Event()
    session.log.follow(woken.set)
    try:
        while True:
            woken.clear()
            for event in log(session):
                if event.type == type and turn in {None, event.turn}:
                    return event
            assert woken.wait(PATIENCE), f"there is no {type}"
    finally:
        session.log.unfollow(woken.set)


def code(act: Callable[..., object], *arguments: Any) -> str:
    """Return the code of the error that this raises."""
    with pytest.raises(ChatError) as raised:
        act(*arguments)
    return raised.value.code


def finish(session: Session, turn: ScriptedTurn, **how: Any) -> None:
    turn.end(**how)
    until(session, "turn_completed", turn.turn.number)
