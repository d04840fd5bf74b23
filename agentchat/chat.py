"""The `chat` object that agent files are given, one for each conversation. See docs/agents.md."""

from __future__ import annotations

import contextlib
import contextvars
import threading
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from agentchat.approval import needs_approval as needs_approval  # so that agent files find everything here
from agentchat.protocol.errors import ChatError
from agentchat.protocol.events import Event
from agentchat.protocol.identity import ROLES, USER_ID
from agentchat.protocol.tasks import Plan
from agentchat.runs import Run as Run
from agentchat.workspace.changes import Changes
from agentchat.workspace.files import Workspace
from agentchat.workspace.folders import ORIGINALS, WORKSPACES, versions_of
from agentchat.workspace.retention import Retention
from agentchat.workspace.storage import Storage

if TYPE_CHECKING:
    from autogen.tools import Tool

    from agentchat.knowledge import Knowledge

NOBODY_THERE = (
    "A human was asked to take over. Nobody is there right now: the conversation is kept, and whoever comes first will "
    "answer in it. Say so in one sentence, and no more."
)
SOMEBODY_THERE = (
    "A human was asked to take over, and will answer in this conversation. Say so in one sentence, and no more."
)


class User(str):
    """The name of a person, and the id under which they are known."""

    id: str
    """Proved by a login if `is_known`; else made from the name, and perhaps a cookie."""

    def __new__(cls, name: str, id: str = "") -> User:
        user = super().__new__(cls, name)
        user.id = id
        return user

    @property
    def name(self) -> str:
        """The name, as text."""
        return str(self)

    @property
    def is_known(self) -> bool:
        """True if the person has logged in, so that id and name are proved."""
        return self.id.startswith(USER_ID)


class RunningTurn(Protocol):
    """The running turn, as agents and tools may use it."""

    speaker: str
    """The agent that spoke last."""

    def ask(self, prompt: str, choices: Sequence[str] | None, password: bool) -> str:
        """Ask a person and return the answer."""

    def confirm(self, what: str, details: Mapping[str, Any]) -> bool:
        """Ask a person for a yes or no."""

    def add_event(self, type: str, content: Mapping[str, Any]) -> None:
        """Append an event to the log."""

    def progress(self, done: float, total: float | None, text: str) -> None:
        """Show how far the running tool is."""


class Notes(Protocol):
    """The notes about people, by their ids."""

    def note(self, user: str, key: str, value: str, session_id: str | None = None) -> None:
        """Keep a value, replacing the one under that key, unless the session in which it was learned is gone."""

    def notes(self, user: str) -> dict[str, str]:
        """Return all that is kept about a person."""

    def forget(self, user: str, key: str | None = None) -> int:
        """Delete one note, or all. Return how many there were."""


class Toolbox(Protocol):
    """The tools of MCP servers."""

    def tools(self, name: str | None = None) -> list[Tool]:
        """Return those of one server, or of all."""


@dataclass(frozen=True)
class Author:
    """The person who wrote the message being answered, and the context sent with it."""

    name: str = "user"
    id: str = ""
    """The key of the person's notes; two people may have the same name."""
    context: Mapping[str, Any] = field(default_factory=dict)
    roles: frozenset[str] = frozenset(ROLES)
    """The person's roles: operator, admin. Where nobody logs in, everybody has all."""


@dataclass(frozen=True)
class AgentServices:
    """The parts of a server that all its agents share."""

    folder: Path = Path("data")
    """The data folder, in which conversations have theirs."""
    notes: Notes | None = None
    knowledge: Knowledge | None = None
    toolbox: Toolbox | None = None
    can_run_code: bool = False
    storage: Storage | None = None
    """Counts what the files of all conversations take on disk; None: they may take any room."""


class SessionView(Protocol):
    """The session that a chat belongs to."""

    plan_lock: threading.Lock
    """Guards the plan, which agents and people change."""
    folder_name: str
    """The name of the folder of its files: its id, or the folder of its project."""

    def events_of(self, *types: str) -> list[Event]:
        """Return the events of these types that still count, oldest first."""

    @property
    def operators(self) -> int:
        """The number of people present who can take conversations over."""


@dataclass
class Chat:
    """The conversation that a pair of agents is built for.

    Methods that ask people or write into the conversation work only during a turn, and raise ChatError otherwise.
    """

    session_id: str
    services: AgentServices = field(default_factory=AgentServices, repr=False)
    session: SessionView | None = field(default=None, repr=False)
    author: Author = field(default_factory=Author, repr=False)
    """The person for whom the agents are built, or whom they are answering."""
    llm_config: Any = field(default=None, repr=False)
    """AG2's LLMConfig for the models in use."""
    history: list[dict[str, Any]] = field(default_factory=list, repr=False)
    """The messages of the earlier turns that count, for `on_message`: each has a `role` and a `content`."""
    state: dict[str, Any] = field(default_factory=dict, repr=False)
    """Values of `on_message` that are kept with the conversation."""

    def __post_init__(self) -> None:
        self._folder_name = self.session.folder_name if self.session else self.session_id
        self.plan = Plan(self._events_of, self._add_event, self.session.plan_lock if self.session else threading.Lock())
        storage = self.services.storage
        room = storage.room(self._folder_name) if storage is not None else None
        retention = Retention(self.services.folder, self._folder_name)
        versions = versions_of(self.services.folder, self._folder_name, storage) if storage is not None else None
        self.files = Workspace(self.folder, self._file_changed, room=room, retention=retention, versions=versions)
        self.changes = Changes(self.files, self._originals)
        self.files.changing = self._file_changing
        self._running: RunningTurn | None = None

    # Its parts

    @property
    def user(self) -> User:
        """The person who wrote the message being answered: their name, with an `id`."""
        author = _author.get() or self.author
        return User(author.name, author.id)

    def may(self, role: str) -> bool:
        """Return True if that person has the role: `operator` or `admin`. Where nobody logs in, everybody does."""
        if role not in ROLES:
            raise ValueError(f"there is no role {role!r}; there are {' and '.join(ROLES)}")
        return role in (_author.get() or self.author).roles

    @property
    def context(self) -> Mapping[str, Any]:
        """The object that the client sent with that message."""
        return (_author.get() or self.author).context

    @property
    def folder(self) -> Path:
        """The folder of its files, which exists once it has any."""
        return self.services.folder / WORKSPACES / self._folder_name

    @property
    def workspace(self) -> Path:
        """The folder of its files, created on first use. `files` is the safe way to use it."""
        return self.files.path

    @property
    def knowledge(self) -> Knowledge:
        """The documents in AGENTCHAT_KNOWLEDGE."""
        if self.services.knowledge is None:
            raise RuntimeError("This chat was built without documents (AgentServices.knowledge).")
        return self.services.knowledge

    @property
    def can_run_code(self) -> bool:
        """True if AGENTCHAT_RUN_CODE is on."""
        return self.services.can_run_code

    def tools(self, server: str | None = None) -> list[Tool]:
        """Return the tools of all configured MCP servers, or of one."""
        return self.services.toolbox.tools(server) if self.services.toolbox else []

    # People

    def ask(self, prompt: str, choices: Sequence[str] | None = None, password: bool = False) -> str:
        """Ask the person and return the answer, which need not be one of the `choices`."""
        return self._turn.ask(prompt, choices, password)

    def approve(self, what: str, details: Mapping[str, Any] | None = None) -> bool:
        """Ask the person for a yes or no."""
        return self._turn.confirm(what, details or {})

    def progress(self, done: float, total: float | None = None, text: str = "") -> None:
        """Show a progress bar with the running tool: `done` of `total`, indeterminate if `total` is None."""
        self._turn.progress(done, total, text)

    def hand_to_human(self, reason: str) -> str:
        """Ask for a human. After this turn the agents are silent until one has come and handed back.

        Returns what the agent should be told.
        """
        turn = self._turn
        turn.add_event("handoff", {"from": turn.speaker, "to": "human", "reason": reason, "kind": "wanted"})
        return SOMEBODY_THERE if self.session is not None and self.session.operators else NOBODY_THERE

    # Memory

    def remember(self, key: str, value: str) -> str:
        """Keep something about the person, for all their conversations. Return a sentence for the model."""
        self._notes.note(self._person_id, key, value, self.session_id)
        return f"Remembered: {key}: {value}."

    def recall(self) -> dict[str, str]:
        """Return all that is remembered about the person who wrote the newest message."""
        return self._notes.notes(self._person_id)

    def forget(self, key: str) -> str:
        """Delete what is remembered under that key. Return a sentence for the model."""
        is_known = self._notes.forget(self._person_id, key)
        return f"Forgotten: {key}." if is_known else f"Nothing was remembered as {key}."

    # For the server

    @contextlib.contextmanager
    def in_turn(self, turn: RunningTurn) -> Iterator[None]:
        """Connect the chat to a turn while it runs."""
        token, author = _current.set(turn), _author.set(self.author)
        self._running = turn
        try:
            yield
        finally:
            self._running = None
            _current.reset(token)
            _author.reset(author)

    def close(self) -> None:
        """Cut the references that run in circles. The chat is not used any more."""
        self.session = None
        del self.plan, self.files, self.changes

    @property
    def _originals(self) -> Path:
        folder = self.services.folder / ORIGINALS / self._folder_name
        return folder if self._folder_name == self.session_id else folder / self.session_id

    @property
    def _notes(self) -> Notes:
        if self.services.notes is None:
            raise RuntimeError("This chat was built without a memory (AgentServices.notes).")
        return self.services.notes

    @property
    def _person_id(self) -> str:
        # Not that of the person answered now: a tool that was left behind would tell one person about another.
        author = _author.get()
        if author is None:
            raise ChatError("outside_turn")
        return author.id

    @property
    def _turn(self) -> RunningTurn:
        # A tool that was left behind keeps its own turn; threads that it started see the one that runs now.
        turn = _current.get() or self._running
        if turn is None:
            raise ChatError("outside_turn")
        return turn

    def _add_event(self, type: str, content: Mapping[str, Any]) -> None:
        turn = self._turn
        turn.add_event(type, {"by": turn.speaker, **content})

    def _file_changing(self, path: str, original: bytes | None) -> None:
        """Called before a file is written. Raises ChatError outside a turn."""
        if self._turn:
            self.changes.keep(path, original)

    def _file_changed(self, path: str, kind: str, size: int, sha256: str | None) -> None:
        self._add_event("file_changed", {"path": path, "kind": kind, "size": size, "sha256": sha256})

    def _events_of(self, *types: str) -> list[Event]:
        return self.session.events_of(*types) if self.session else []


_current: contextvars.ContextVar[RunningTurn | None] = contextvars.ContextVar("running_turn", default=None)
_author: contextvars.ContextVar[Author | None] = contextvars.ContextVar("author", default=None)
