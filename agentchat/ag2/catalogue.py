"""The agents: every module in the agents folder that has a `build` function.

Files are checked whenever the list is asked for, so a new or changed file takes effect in the next conversation.
"""

from __future__ import annotations

import importlib.util
import logging
import sys
import threading
import traceback
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Any

from autogen import ConversableAgent, LLMConfig

from agentchat.chat import AgentServices, Chat
from agentchat.protocol.errors import ChatError, SettingsError

log = logging.getLogger(__name__)

Pair = tuple[ConversableAgent, ConversableAgent]


@dataclass(frozen=True)
class AgentInfo:
    """An agent as the picker shows it. `reason` says why it is unavailable."""

    name: str
    description: str
    suggestions: list[str]
    available: bool
    reason: str | None


@dataclass(frozen=True)
class _Loaded:
    """An agent file as it was when it had that stamp."""

    stamp: tuple[int, int]  # modification time in nanoseconds, size
    module: ModuleType | None
    info: AgentInfo | None  # None for a module without `build`, which is not an agent


# The files that were built successfully, by path. A process imports and tries an unchanged file once.
_usable: dict[Path, _Loaded] = {}


class Catalogue:
    """Finds agent files and builds pairs of agents from them."""

    def __init__(self, folder: Path, llm_config: LLMConfig, services: AgentServices, default: str = "") -> None:
        """Raises SettingsError if the folder cannot be read."""
        if not folder.is_dir():
            raise SettingsError(f"The agents folder {folder} does not exist. Name another with --agents.")
        self._folder = folder.absolute()
        self._llm_config = llm_config
        self._services = services
        self._default = default
        self._loading = threading.Lock()  # guards changes of `_loaded`: one thread looks for new files at a time
        self._loaded: dict[str, _Loaded] = {}  # never changed, only replaced
        if str(self._folder) not in sys.path:
            sys.path.append(str(self._folder))  # agent files may share modules
        self._refresh()

    def agents(self) -> list[AgentInfo]:
        """Return all agents, available ones first."""
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
        names = [info.name for info in self.agents() if info.available]
        return self._default if self._default in names else next(iter(names), None)

    def choose(self, name: str | None) -> str:
        """Return the name, or the default for None. Raises ChatError if there is no such agent."""
        names = [info.name for info in self.agents()]
        chosen = name or self.default
        if chosen not in names:
            raise ChatError("agent_unknown", agent=chosen or "", agents=", ".join(names) or "none")
        return chosen

    def build(self, name: str, chat: Chat) -> Pair:
        """Return a (user, agent) pair for one conversation. Raises ChatError if it cannot be built."""
        self.choose(name)
        loaded = self._loaded[name]
        if loaded.module is None:
            assert loaded.info is not None
            raise ChatError("agent_unavailable", agent=name, reason=loaded.info.reason)
        try:
            return _pair(loaded.module, self._llm_config, chat)
        except (Exception, SystemExit) as error:
            log.exception("The agent %s cannot be built", name)
            raise ChatError("agent_unavailable", agent=name, reason=_reason(error, loaded.module)) from error

    def _refresh(self) -> None:
        try:
            files = dict(_agent_files(self._folder))
        except OSError as error:
            raise SettingsError(f"The agents folder {self._folder} cannot be read: {error}.") from error
        self._loaded = {name: loaded for name, loaded in self._loaded.items() if name in files}
        for name, path in files.items():
            stat = path.stat()
            stamp = (stat.st_mtime_ns, stat.st_size)
            if name not in self._loaded or self._loaded[name].stamp != stamp:
                self._loaded = {**self._loaded, name: self._load(name, path, stamp)}

    def _load(self, name: str, path: Path, stamp: tuple[int, int]) -> _Loaded:
        known = _usable.get(path)
        if known is not None and known.stamp == stamp:
            return known
        module = ModuleType(name)
        try:
            module = _import(name, path)
            if not callable(getattr(module, "build", None)):
                return _Loaded(stamp, None, None)
            _pair(module, self._llm_config, Chat("probe", services=self._services))
        except (Exception, SystemExit) as error:
            log.warning("The agent %s is unavailable", name, exc_info=True)
            info = AgentInfo(name, _description(module), _suggestions(module), False, _reason(error, path))
            return _Loaded(stamp, None, info)
        info = AgentInfo(name, _description(module), _suggestions(module), True, None)
        _usable[path] = _Loaded(stamp, module, info)
        return _usable[path]


def _agent_files(folder: Path) -> list[tuple[str, Path]]:
    files = [(path.stem, path) for path in folder.glob("*.py")]
    packages = [(path.parent.name, path) for path in folder.glob("*/__init__.py")]
    return [(name, path) for name, path in sorted(files + packages) if name[0] not in "_."]


def _import(name: str, path: Path) -> ModuleType:
    qualified = f"agents.{name}"
    spec = importlib.util.spec_from_file_location(qualified, path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[qualified] = module  # pydantic looks up the module of a tool's annotations by name
    spec.loader.exec_module(module)
    return module


def _pair(module: Any, llm_config: LLMConfig, chat: Chat) -> Pair:
    pair = module.build(llm_config, chat)
    is_pair = isinstance(pair, tuple) and len(pair) == 2
    if not is_pair or not all(isinstance(agent, ConversableAgent) for agent in pair):
        raise TypeError("build must return (user, agent), two of AG2's agents")
    user, agent = pair
    return user, agent


def _description(module: ModuleType) -> str:
    return (module.__doc__ or "").strip().partition("\n\n")[0].replace("\n", " ")


def _suggestions(module: ModuleType) -> list[str]:
    return [str(suggestion) for suggestion in getattr(module, "SUGGESTIONS", [])]


def _reason(error: BaseException, where: Any) -> str:
    """Return the error in one line, with its line number in the agent's own file if it has one there."""
    path = str(getattr(where, "__file__", where))
    lines = [frame.lineno for frame in traceback.extract_tb(error.__traceback__) if frame.filename == path]
    if isinstance(error, SyntaxError) and error.filename == path:
        return f"SyntaxError: {error.msg} (line {error.lineno})"
    place = f" (line {lines[-1]})" if lines else ""
    return f"{type(error).__name__}: {error}{place}"
