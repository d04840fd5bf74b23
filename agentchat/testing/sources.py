"""The agents that a test talks to: from a file, a module or a function, or given as they are."""

from __future__ import annotations

import contextvars
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from types import ModuleType
from typing import Any

from autogen import LLMConfig

from agentchat.ag2 import places
from agentchat.ag2.agent_file import AgentFile, Maker, holds_agents
from agentchat.ag2.shapes import Program, Team, Unusable
from agentchat.chat import Chat

Source = Callable[[], Maker]
"""Returns what makes the agents, as a server does that has just been started."""


def source_of(given: Any) -> tuple[str, Source]:
    """Return the name of the agents and their source. Raises SettingsError and FileNotFoundError."""
    if isinstance(given, str | Path):
        return _of_file(given)
    if isinstance(given, ModuleType):
        path = Path(getattr(given, "__file__", None) or given.__name__)
        file = AgentFile(given.__name__.rpartition(".")[2], path, given.__name__, must_be_agent=True)
        return file.name, lambda: _maker(file, given)
    attribute = getattr(given, "__name__", "agents")
    module = ModuleType(getattr(given, "__module__", None) or "agents")
    setattr(module, attribute, given)
    file = AgentFile(module.__name__.rpartition(".")[2], Path(), module.__name__, attribute)
    return file.name, lambda: _maker(replace(file), module)


def _of_file(given: str | Path) -> tuple[str, Source]:
    if str(given).endswith(".py") and not Path(given).is_file():
        raise FileNotFoundError(f"There is no agent file {Path(given).absolute()}.")
    [file] = places.place(str(given), Path())().values()
    return file.name, lambda: _maker(file, _imported(file))


def _maker(file: AgentFile, module: ModuleType) -> Maker:
    """Return what makes the agents of a module. Raises Unusable."""

    def make(llm_config: LLMConfig, chat: Chat) -> Team | Program:
        # Agents that are variables of the module would bring what they said in one talk to the next.
        fresh = _imported(file) if file.path.is_file() and holds_agents(module) else module
        maker = file.maker(fresh)
        if maker is None:
            raise Unusable(f"{file.name} has neither a function build nor a function on_message.")
        return maker(llm_config, chat)

    return make


def _imported(file: AgentFile) -> ModuleType:
    """Import a file again, leaving in place the module that others have imported under its name."""
    known = sys.modules.get(file.module)
    try:
        # AG2 keeps the stream of whoever makes agents in the context.
        return contextvars.copy_context().run(file.load)
    finally:
        if known is not None:
            sys.modules[file.module] = known
