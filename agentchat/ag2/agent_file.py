"""Import an agent file, and make from it what answers a person: a Team or a Program."""

from __future__ import annotations

import asyncio
import contextvars
import functools
import importlib.util
import inspect
import os
import sys
import threading
from collections.abc import Awaitable, Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Any

from autogen import ConversableAgent, GroupChat, LLMConfig
from autogen.agentchat.group.patterns.pattern import Pattern

from agentchat.ag2.own_tools import carry_out
from agentchat.ag2.shapes import Program, Team, Unusable, team_of
from agentchat.chat import Chat

BUILD, ON_MESSAGE = ("llm_config", "chat"), ("message", "chat")
"""The parameters of the two functions."""

_importing = threading.RLock()  # guards the modules beside agent files in `sys.modules`
_NOT_BESIDE = frozenset({"__main__", "__mp_main__", "main", "agentchat", "tests", "agents"})
"""Packages that may be in the same folder as an agent file, and do not belong to it."""

Maker = Callable[[LLMConfig, Chat], Team | Program]
"""Makes agents for one conversation after another."""


@dataclass(frozen=True)
class AgentFile:
    """A Python file that may hold an agent.

    `module` is the name under which it is imported. `attribute` names the object that answers; without it, that is
    the function `build` or `on_message`.
    """

    name: str
    path: Path
    module: str
    attribute: str = ""
    must_be_agent: bool = False
    """False if a file without either function holds code that agent files share."""

    def load_apart(self) -> ModuleType:
        """Import the file and the modules beside it again, so that nothing in them is shared with what was before.

        May raise anything.
        """
        with _importing:
            for name in self._beside():
                del sys.modules[name]
            return self.load()

    def _beside(self) -> list[str]:
        """Return the names of the imported modules in the file's folder."""
        folder = f"{self.path.parent}{os.sep}"
        found = ((name, getattr(module, "__file__", None)) for name, module in list(sys.modules.items()))
        return [
            name
            for name, path in found
            if path
            and path.startswith(folder)
            and "site-packages" not in path
            and name.partition(".")[0] not in _NOT_BESIDE
        ]

    def load(self) -> ModuleType:
        """Import the file, even if it was imported before. May raise anything."""
        spec = importlib.util.spec_from_file_location(self.module, self.path)
        assert spec is not None
        assert spec.loader is not None
        module = importlib.util.module_from_spec(spec)
        sys.modules[self.module] = module  # pydantic looks up the module of a tool's annotations by name
        spec.loader.exec_module(module)
        return module

    def maker(self, module: ModuleType) -> Maker | None:
        """Return the function that makes the file's agents, or None if there is none. Raises Unusable."""
        if self.attribute:
            return _named(self, module)
        build, on_message = (getattr(module, name, None) for name in ("build", "on_message"))
        if callable(build) and callable(on_message):
            raise Unusable("The file has both build and on_message: keep one of them.")
        if callable(on_message):
            return _program_maker(self.name, "on_message", on_message)
        if callable(build):
            return _team_maker("build returned", fitted("build", build, BUILD))
        if self.must_be_agent:
            raise Unusable(
                f"{self.path.name} has neither build nor on_message. Put what your program does with a message into"
                " on_message(message, chat), and return the result."
            )
        return None


def holds_agents(module: ModuleType) -> bool:
    """Return True if agents are variables of the module, which conversations would share."""
    return any(isinstance(value, ConversableAgent | GroupChat | Pattern) for value in vars(module).values())


def _named(file: AgentFile, module: ModuleType) -> Maker:
    try:
        value = functools.reduce(getattr, file.attribute.split("."), module)
    except AttributeError:
        raise Unusable(f"{file.path.name} has no {file.attribute}.") from None
    if not inspect.isroutine(value) and not isinstance(value, functools.partial):
        return _team_maker(f"{file.attribute} is", lambda llm_config, chat: value)
    needed = [each.name for each in _parameters(value) or [] if each.default is each.empty]
    if file.attribute == "build" or not needed or needed[0] in {*BUILD, "config", "cfg"}:
        return _team_maker(f"{file.attribute} returned", fitted(file.attribute, value, BUILD))
    return _program_maker(file.name, file.attribute, value)


def _team_maker(said: str, build: Callable[..., Any]) -> Maker:
    def make(llm_config: LLMConfig, chat: Chat) -> Team:
        returned = build(llm_config, chat)
        team = team_of(_awaited(returned) if inspect.isawaitable(returned) else returned, llm_config, said)
        carry_out(team)
        return team

    return make


def _program_maker(agent: str, name: str, on_message: Callable[..., Any]) -> Maker:
    program = Program(agent, fitted(name, on_message, ON_MESSAGE))
    return lambda llm_config, chat: program


def fitted(name: str, function: Callable[..., Any], takes: tuple[str, str]) -> Callable[..., Any]:
    """Return the function as one of two arguments, which are called what `takes` says.

    It may take them in any order, by keyword only, or not at all; parameters of other names get what is left. Raises
    Unusable if it needs more, or does not take a message.
    """
    parameters = _parameters(function)
    if parameters is None:
        return function
    left = [each for each in takes if each not in {parameter.name for parameter in parameters}]
    positional: list[str] = []
    named: dict[str, str] = {}
    has_gap = False
    for parameter in parameters:
        is_keyword, is_needed = parameter.kind is parameter.KEYWORD_ONLY, parameter.default is parameter.empty
        if parameter.kind is parameter.VAR_POSITIONAL:
            positional, left = [*positional, *left], []
        elif parameter.kind is parameter.VAR_KEYWORD:
            named, left = named | {each: each for each in left}, []
        elif parameter.name in takes or (is_needed and left and not is_keyword):
            value = parameter.name if parameter.name in takes else left.pop(0)
            if is_keyword or has_gap:
                named[parameter.name] = value
            else:
                positional.append(value)
        elif is_needed:
            raise Unusable(f"{name} needs {parameter.name}, which it does not get: write {name}({', '.join(takes)}).")
        else:
            has_gap = True
    if takes == ON_MESSAGE and "message" not in {*positional, *named.values()}:
        raise Unusable(f"{name} does not take the message: write {name}({', '.join(takes)}).")
    if positional == list(takes) and not named:
        return function

    @functools.wraps(function)
    def call(*arguments: Any) -> Any:
        given = dict(zip(takes, arguments, strict=True))
        return function(*(given[each] for each in positional), **{key: given[each] for key, each in named.items()})

    return call


def _parameters(function: Callable[..., Any]) -> list[inspect.Parameter] | None:
    """Return the parameters of a function, or None for one of which Python does not know them."""
    try:
        return list(inspect.signature(function).parameters.values())
    except (TypeError, ValueError):
        return None


def _awaited(result: Awaitable[Any]) -> Any:
    async def wait() -> Any:
        return await result

    try:
        asyncio.get_running_loop()
    except RuntimeError:
        return asyncio.run(wait())
    with ThreadPoolExecutor(1) as pool:  # in a notebook, this thread's own loop runs already
        return pool.submit(contextvars.copy_context().run, asyncio.run, wait()).result()
