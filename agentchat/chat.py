"""What an agent file is given: one small object for one conversation. See docs/agents.md."""

from __future__ import annotations

import contextlib
import contextvars
import logging
import shutil
import threading
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from agentchat.approval import needs_approval as needs_approval  # agent files find all they need here
from agentchat.protocol.errors import ChatError
from agentchat.protocol.events import Event
from agentchat.protocol.tasks import Plan
from agentchat.workspace.changes import Changes
from agentchat.workspace.files import Workspace

if TYPE_CHECKING:
    from autogen.tools import Tool

    from agentchat.knowledge import Knowledge

log = logging.getLogger(__name__)

WORKSPACES, ORIGINALS = "workspaces", "originals"
NOBODY_THERE = (
    "A human was asked to take over. Nobody is there right now: the conversation is kept, and whoever comes first will "
    "answer in it. Say so in one sentence, and no more."
)
SOMEBODY_THERE = (
    "A human was asked to take over, and will answer in this conversation. Say so in one sentence, and no more."
)


class RunningTurn(Protocol):
    """The turn that runs, as far as agents and tools may reach into it."""

    speaker: str
    """The agent that spoke last."""

    def ask(self, prompt: str, choices: Sequence[str] | None, password: bool) -> str:
        """Wait for a person's answer."""

    def allows(self, what: str, details: Mapping[str, Any]) -> bool:
        """Wait for a person's yes or no."""

    def tell(self, type: str, content: Mapping[str, Any]) -> None:
        """Append an event."""

    def progress(self, done: float, total: float | None, text: str) -> None:
        """Show how far the tool is that runs."""


class Notes(Protocol):
    """What is remembered of people."""

    def note(self, user: str, key: str, value: str) -> None:
        """Keep it, in place of what stood under that key."""

    def notes(self, user: str) -> dict[str, str]:
        """All that is kept of a person."""

    def forget(self, user: str, key: str | None = None) -> int:
        """One of them, or all. Returns how many that were."""


class Toolbox(Protocol):
    """The tools of MCP servers."""

    def tools(self, name: str | None = None) -> list[Tool]:
        """Those of one server, or of all."""


@dataclass(frozen=True)
class Author:
    """Who wrote the message that is answered, and what came with it."""

    name: str = "user"
    id: str = ""
    """Whose memory it is: two people may have the same name."""
    context: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class AgentServices:
    """What a server has for all its agents."""

    folder: Path = Path("data")
    """Where conversations are kept."""
    notes: Notes | None = None
    knowledge: Knowledge | None = None
    toolbox: Toolbox | None = None
    can_run_code: bool = False


class SessionView(Protocol):
    """The session that a chat belongs to."""

    plan_lock: threading.Lock
    """Held while the plan is changed, by whomever."""

    def events_of(self, *types: str) -> list[Event]:
        """The events of these types that count, oldest first."""

    @property
    def operators(self) -> int:
        """How many people are there to take conversations over."""


@dataclass
class Chat:
    """The conversation that an agent is built for.

    What speaks to people or writes into the conversation works in a turn only, and raises ChatError elsewhere.
    """

    session_id: str
    services: AgentServices = field(default_factory=AgentServices, repr=False)
    session: SessionView | None = field(default=None, repr=False)
    author: Author = field(default_factory=Author, repr=False)
    """For whom the agents are built, or answer now."""

    def __post_init__(self) -> None:
        self.plan = Plan(self._events_of, self._tell, self.session.plan_lock if self.session else threading.Lock())
        self.files = Workspace(self.folder, self._file_changed)
        self.changes = Changes(self.files, self._originals)
        self.files.changing = self._file_changing
        self._running: RunningTurn | None = None

    # What there is

    @property
    def user(self) -> str:
        """Who wrote the message that is answered."""
        return (_author.get() or self.author).name

    @property
    def context(self) -> Mapping[str, Any]:
        """What the client sent along with it."""
        return (_author.get() or self.author).context

    @property
    def folder(self) -> Path:
        """Where its files are, made with the first of them."""
        return self.services.folder / WORKSPACES / self.session_id

    @property
    def workspace(self) -> Path:
        """A folder of this conversation's own, made when it is first asked for. `files` is the safe way into it."""
        self.folder.mkdir(parents=True, exist_ok=True)
        return self.folder

    @property
    def knowledge(self) -> Knowledge:
        """The documents that AGENTCHAT_KNOWLEDGE names."""
        if self.services.knowledge is None:
            raise ChatError("outside_turn")
        return self.services.knowledge

    @property
    def can_run_code(self) -> bool:
        """See AGENTCHAT_RUN_CODE."""
        return self.services.can_run_code

    def tools(self, server: str | None = None) -> list[Tool]:
        """The tools of the MCP servers that are configured, or of that one; none without any."""
        return self.services.toolbox.tools(server) if self.services.toolbox else []

    # People

    def ask(self, prompt: str, choices: Sequence[str] | None = None, password: bool = False) -> str:
        """Ask the person, and wait for the answer. Other answers than the `choices` are possible."""
        return self._turn.ask(prompt, choices, password)

    def approve(self, what: str, details: Mapping[str, Any] | None = None) -> bool:
        """Ask the person for a yes, and wait."""
        return self._turn.allows(what, details or {})

    def progress(self, done: float, total: float | None = None, text: str = "") -> None:
        """Show a bar with the tool that runs: `done` of `total`, or without an end."""
        self._turn.progress(done, total, text)

    def hand_to_human(self, reason: str) -> str:
        """Ask for a human: after this turn the agents are silent until one has come and handed back.

        Returns what the agent should know about it.
        """
        turn = self._turn
        turn.tell("handoff", {"from": turn.speaker, "to": "human", "reason": reason, "kind": "wanted"})
        return SOMEBODY_THERE if self.session is not None and self.session.operators else NOBODY_THERE

    # Memory

    def remember(self, key: str, value: str) -> str:
        """Keep something about the person, for all conversations with them. Returns a sentence about it."""
        self._notes.note(self._whose, key, value)
        return f"Remembered: {key}: {value}."

    def recall(self) -> dict[str, str]:
        """All that is remembered of who wrote the newest message."""
        return self._notes.notes(self._whose)

    def forget(self, key: str) -> str:
        """Remember that no longer. Returns a sentence about it."""
        is_known = self._notes.forget(self._whose, key)
        return f"Forgotten: {key}." if is_known else f"Nothing was remembered as {key}."

    # For the server

    @contextlib.contextmanager
    def in_turn(self, turn: RunningTurn) -> Iterator[None]:
        """While that turn runs."""
        token, author = _current.set(turn), _author.set(self.author)
        self._running = turn
        try:
            yield
        finally:
            self._running = None
            _current.reset(token)
            _author.reset(author)

    @property
    def _originals(self) -> Path:
        return self.services.folder / ORIGINALS / self.session_id

    @property
    def _notes(self) -> Notes:
        if self.services.notes is None:
            raise ChatError("outside_turn")
        return self.services.notes

    @property
    def _whose(self) -> str:
        # Never of whoever happens to write now: a tool that was left behind would tell one person about another.
        author = _author.get()
        if author is None:
            raise ChatError("outside_turn")
        return author.id

    @property
    def _turn(self) -> RunningTurn:
        # A tool that was left behind keeps the turn that it belongs to; threads of its own know only what runs now.
        turn = _current.get() or self._running
        if turn is None:
            raise ChatError("outside_turn")
        return turn

    def _tell(self, type: str, content: Mapping[str, Any]) -> None:
        turn = self._turn
        turn.tell(type, {"by": turn.speaker, **content})

    def _file_changing(self, path: str, original: bytes | None) -> None:
        """Before anything is written. Raises ChatError outside a turn."""
        if self._turn:
            self.changes.keep(path, original)

    def _file_changed(self, path: str, kind: str, size: int) -> None:
        self._tell("file_changed", {"path": path, "kind": kind, "size": size})

    def _events_of(self, *types: str) -> list[Event]:
        return self.session.events_of(*types) if self.session else []


def clear(folder: Path, session_id: str) -> None:
    """The conversation was deleted: so are its files. `folder` is that of Offers."""
    for part in (WORKSPACES, ORIGINALS):
        try:
            shutil.rmtree(folder / part / session_id)
        except FileNotFoundError:
            continue  # it never had any
        except OSError:
            log.exception("Not all files of the deleted conversation %s are gone; remove what is left", session_id)


_current: contextvars.ContextVar[RunningTurn | None] = contextvars.ContextVar("running_turn", default=None)
_author: contextvars.ContextVar[Author | None] = contextvars.ContextVar("asker", default=None)
