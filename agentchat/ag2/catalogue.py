"""The agents that can be talked to: every module that has a function `build` or `on_message`.

Files are checked whenever the list is asked for, so a new or changed file takes effect in the next conversation.
"""

from __future__ import annotations

import logging
import threading
import traceback
import weakref
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType

from autogen import ConversableAgent, LLMConfig

from agentchat.ag2 import appearance, code_execution
from agentchat.ag2.agent_file import AgentFile, holds_agents
from agentchat.ag2.places import Place
from agentchat.ag2.shapes import Program, Team, Unusable, members
from agentchat.chat import AgentServices, Chat
from agentchat.net.listener import EXHAUSTED
from agentchat.protocol.errors import ChatError, SettingsError

log = logging.getLogger(__name__)

Pair = tuple[ConversableAgent, ConversableAgent]

OLDER_NAMES = {"rag": "knowledge", "document": "documents", "task": "tasks"}
"""Names by which older clients ask for our agents, where there are no agents of these names."""


@dataclass(frozen=True)
class AgentInfo:
    """An agent as the picker shows it. `reason` says why it is unavailable, `problems` what is wrong with its looks."""

    name: str
    description: str
    suggestions: list[str]
    icon: str | None
    color: str | None
    available: bool
    reason: str | None
    problems: list[str]

    def public(self) -> dict[str, object]:
        """Return what clients are told."""
        return {name: value for name, value in vars(self).items() if name != "problems"}


@dataclass(frozen=True)
class _Loaded:
    """An agent file as it was when it had that stamp."""

    file: AgentFile
    stamp: tuple[int, int]  # modification time in nanoseconds, size
    module: ModuleType | None
    info: AgentInfo | None  # None for a module that is not an agent


# The files that were built successfully. A process imports and tries an unchanged file once.
_usable: dict[AgentFile, _Loaded] = {}


class Catalogue:
    """Finds agent files and builds teams of agents from them."""

    def __init__(self, place: Place, llm_config: LLMConfig, services: AgentServices, default: str = "") -> None:
        """Raises SettingsError if the place cannot be read."""
        self._place = place
        self._llm_config = llm_config
        self._services = services
        self._default = default
        self._loading = threading.Lock()  # guards changes of `_loaded`: one thread looks for new files at a time
        self._loaded: dict[str, _Loaded] = {}  # never changed, only replaced
        self._giving = threading.Lock()  # guards `_given`
        self._given: weakref.WeakSet[ConversableAgent] = weakref.WeakSet()  # agents of conversations so far
        try:
            self._refresh()
        except ChatError as error:
            raise SettingsError(error.message) from error

    def agents(self) -> list[AgentInfo]:
        """Return all agents, available ones first. Raises ChatError if the place cannot be read."""
        if self._loading.acquire(blocking=False):  # a file that is slow to import delays nobody else
            try:
                self._refresh()
            finally:
                self._loading.release()
        infos = [loaded.info for loaded in self._loaded.values() if loaded.info]
        return sorted(infos, key=lambda info: (not info.available, info.name))

    @property
    def default(self) -> str | None:
        """The agent for clients that don't specify one: the configured default, else the first by name."""
        agents = self.agents()
        names = [info.name for info in agents if info.available] or [info.name for info in agents]
        return self._default if self._default in names else next(iter(names), None)

    def choose(self, name: str | None) -> str:
        """Return the name of the agent that a client asks for, or of the default for None.

        Raises ChatError if there is no such agent.
        """
        names = [info.name for info in self.agents()]
        chosen = name or self.default or ""
        ours = OLDER_NAMES.get(chosen)
        return self._known(ours if chosen not in names and ours in names else chosen, names)

    def _known(self, name: str, names: Sequence[str]) -> str:
        if name not in names:
            raise ChatError("agent_unknown", agent=name, agents=", ".join(names) or "none")
        return name

    def build(self, name: str, chat: Chat) -> Team | Program:
        """Return the agents for one conversation. Raises ChatError if they cannot be built."""
        self._known(name, [info.name for info in self.agents()])
        loaded = self._loaded[name]
        if loaded.module is None:
            assert loaded.info is not None
            raise ChatError("agent_unavailable", agent=name, reason=loaded.info.reason)
        try:
            # What conversations share would tell one person what another has said.
            module = loaded.file.load_apart() if holds_agents(loaded.module) else loaded.module
            made = _made(loaded.file, module, self._llm_config, chat)
            if isinstance(made, Program) and module is loaded.module:
                made = _made(loaded.file, loaded.file.load_apart(), self._llm_config, chat)
            assert made is not None
            self._give(made)
        except (Exception, SystemExit) as error:
            if _is_shortage(error):
                raise _unreadable(error) from error
            log.exception("The agent %s cannot be built", name)
            raise ChatError("agent_unavailable", agent=name, reason=reason(error, loaded.file.path)) from error
        return made

    def try_out(self, file: AgentFile) -> Team | Program | None:
        """Import a file again and return the agents it makes, or None if it makes none. May raise anything."""
        return _made(file, file.load(), self._llm_config, Chat("probe", services=self._services))

    def _give(self, made: Team | Program) -> None:
        """Raise Unusable if another conversation has one of the agents."""
        agents = members(made) if isinstance(made, Team) else []
        with self._giving:
            shared = next((agent.name for agent in agents if agent in self._given), None)
            if shared is not None:
                raise Unusable(f"Another conversation has the agent {shared} as well: make a new one in build.")
            self._given.update(agents)

    def _refresh(self) -> None:
        try:
            files = self._place()
            stats = {name: file.path.stat() for name, file in files.items()}
        except OSError as error:
            raise _unreadable(error) from error
        self._loaded = {name: loaded for name, loaded in self._loaded.items() if name in files}
        for name, file in files.items():
            stamp = (stats[name].st_mtime_ns, stats[name].st_size)
            if name not in self._loaded or self._loaded[name].stamp != stamp:
                self._loaded = {**self._loaded, name: self._load(file, stamp)}

    def _load(self, file: AgentFile, stamp: tuple[int, int]) -> _Loaded:
        known = _usable.get(file)
        if known is not None and known.stamp == stamp:
            return known
        module = ModuleType(file.name)
        try:
            module = file.load()
            if _made(file, module, self._llm_config, Chat("probe", services=self._services)) is None:
                return _Loaded(file, stamp, None, None)
        except (Exception, SystemExit) as error:
            if _is_shortage(error):
                raise _unreadable(error) from error
            log.warning("The agent %s is unavailable", file.name, exc_info=True)
            return _Loaded(file, stamp, None, _about(file, module, reason(error, file.path)))
        info = _about(file, module)
        for problem in info.problems:
            log.warning("%s", problem)
        _usable[file] = _Loaded(file, stamp, module, info)
        return _usable[file]


def _is_shortage(error: BaseException) -> bool:
    """Return True if the process has run out of something, which says nothing about the agent."""
    return isinstance(error, OSError) and error.errno in EXHAUSTED


def _unreadable(error: BaseException) -> ChatError:
    problem = error.strerror if isinstance(error, OSError) else None
    return ChatError("agents_unreadable", problem=problem or error)


def _made(file: AgentFile, module: ModuleType, llm_config: LLMConfig, chat: Chat) -> Team | Program | None:
    """Return the agents that an imported file makes, or None if it makes none. May raise anything."""
    maker = file.maker(module)
    if maker is None:
        return None
    chat.llm_config = llm_config
    return maker(llm_config, chat)


def _about(file: AgentFile, module: ModuleType, unavailable: str | None = None) -> AgentInfo:
    looks = appearance.of(module, file.path.name)
    return AgentInfo(
        name=file.name,
        description=_description(module),
        suggestions=_suggestions(module),
        icon=looks.icon,
        color=looks.color,
        available=unavailable is None,
        reason=unavailable,
        problems=looks.problems,
    )


def _description(module: ModuleType) -> str:
    return (module.__doc__ or "").strip().partition("\n\n")[0].replace("\n", " ")


def _suggestions(module: ModuleType) -> list[str]:
    return [str(suggestion) for suggestion in getattr(module, "SUGGESTIONS", [])]


def reason(error: BaseException, file: Path) -> str:
    """Return the error in one line, with its line number in the agent's own file if it has one there."""
    path = str(file)
    if isinstance(error, Unusable):
        return str(error)
    if advice := code_execution.advice(error):
        return advice
    lines = [frame.lineno for frame in traceback.extract_tb(error.__traceback__) if frame.filename == path]
    if isinstance(error, SyntaxError) and error.filename == path:
        return f"SyntaxError: {error.msg} (line {error.lineno})"
    place = f" (line {lines[-1]})" if lines else ""
    return f"{type(error).__name__}: {error}{place}"
