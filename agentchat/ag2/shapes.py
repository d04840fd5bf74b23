"""The shapes in which an agent file gives its agents: a team that `build` returns, or a function `on_message`."""

from __future__ import annotations

import dataclasses
import inspect
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Any

from autogen import ChatResult, ConversableAgent, GroupChat, GroupChatManager, LLMConfig, UserProxyAgent
from autogen.agentchat.group.patterns.pattern import Pattern

from agentchat.runs import Run
from agentchat.teams import manager_of, new_user

ROUNDS_OF_TWO_MODELS = 2
"""Rounds of a pair of models that nothing else limits: they would talk until no more model calls are allowed."""

_WANTED = "return an agent, a pair (user, agent), one of AG2's patterns or a GroupChatManager"


@dataclass(frozen=True)
class Team:
    """Agents that answer a person, and how they are run.

    `user` stands for the person and runs tools; `agent`, or the team behind a GroupChatManager, is talked to.
    """

    user: ConversableAgent
    agent: ConversableAgent
    run: Run = field(default_factory=Run)


@dataclass(frozen=True)
class Program:
    """A function that is called with each message; `name` is the name of its agent file.

    `on_message(message, chat)` returns what the author's function returns: a value, an awaitable or a generator.
    """

    name: str
    on_message: Callable[..., Any]


def groups_of(manager: GroupChatManager) -> list[GroupChat]:
    """Return the group of a manager, and the copies of it that AG2 makes for the functions by which it is run."""
    copies = (reply["config"] for reply in manager._reply_func_list)
    return [manager.groupchat, *(group for group in copies if isinstance(group, GroupChat))]


class Unusable(Exception):
    """An agent file gives something that cannot be used; the sentence says what to write instead."""


def members(team: Team) -> list[ConversableAgent]:
    """Return the two agents of a team and those of its group."""
    group = team.agent.groupchat.agents if isinstance(team.agent, GroupChatManager) else []
    return list(dict.fromkeys([team.user, team.agent, *group]))


def team_of(returned: Any, llm_config: LLMConfig, said: str = "build returned") -> Team:
    """Return the team in what `build` returned.

    `llm_config` is for the manager of a GroupChat. Raises Unusable for anything else, with a sentence that begins
    with `said`.
    """
    given = returned if isinstance(returned, Run) else Run(returned)
    run, agents = dataclasses.replace(given, agents=None), given.agents
    if isinstance(agents, list | tuple) and len(agents) == 2:
        first, second = agents
        if isinstance(first, ConversableAgent) and isinstance(second, ConversableAgent | GroupChat | Pattern):
            return _of_pair(first, second, run, llm_config)
    if isinstance(agents, Pattern):
        return _of_pattern(agents, None, run)
    if isinstance(agents, GroupChat | GroupChatManager):
        manager = _manager(agents, llm_config)
        user = _person_in(manager.groupchat) or new_user([manager, *manager.groupchat.agents])
        return _of_group(user, manager, run)
    if isinstance(agents, UserProxyAgent) and _is_silent(agents):
        raise Unusable(f"{said} a UserProxyAgent alone, which answers nobody: return (user, agent).")
    if isinstance(agents, ConversableAgent):
        return Team(new_user([agents]), agents, run)
    raise Unusable(f"{said} {_instead(agents)}.")


def _of_pair(user: ConversableAgent, agent: Any, run: Run, llm_config: LLMConfig) -> Team:
    if isinstance(agent, Pattern):
        return _of_pattern(agent, user, run)
    if isinstance(agent, UserProxyAgent) and _is_silent(agent) and not _is_silent(user):
        user, agent = agent, user  # the agent came first, as in agent.initiate_chat(user)
    if isinstance(agent, GroupChat | GroupChatManager):
        return _of_group(user, _manager(agent, llm_config), run)
    if run.max_turns is None and user.llm_config and not _ends_by_itself(user) and not _ends_by_itself(agent):
        run = dataclasses.replace(run, max_turns=ROUNDS_OF_TWO_MODELS)
    return Team(user, agent, run)


def _of_pattern(pattern: Pattern, user: ConversableAgent | None, run: Run) -> Team:
    if user is not None and pattern.user_agent not in {None, user}:
        raise Unusable(
            f"The pattern has the user_agent {pattern.user_agent.name}, but {user.name} is returned with it: "
            f"return the pattern alone, or give it user_agent={user.name}."
        )
    pattern.user_agent = pattern.user_agent or user
    manager = manager_of(pattern) if run.max_turns is None else manager_of(pattern, run.max_turns)
    return Team(pattern.user_agent, manager, dataclasses.replace(run, max_turns=None))


def _of_group(user: ConversableAgent, manager: GroupChatManager, run: Run) -> Team:
    if run.max_turns is not None:
        manager.groupchat.max_round = run.max_turns
    return Team(user, manager, dataclasses.replace(run, max_turns=None))


def _manager(group: GroupChat | GroupChatManager, llm_config: LLMConfig) -> GroupChatManager:
    """Return the manager of a group, whose model is asked who speaks next where the group leaves that to a model."""
    if isinstance(group, GroupChatManager):
        return group
    return GroupChatManager(group, llm_config=llm_config, human_input_mode="NEVER")


def _person_in(group: GroupChat) -> ConversableAgent | None:
    """Return the member that stands for the person: a proxy, rather one who is asked than one who runs code."""
    return max(
        (agent for agent in group.agents if isinstance(agent, ConversableAgent) and _may_be_person(agent)),
        key=lambda agent: (
            isinstance(agent, UserProxyAgent),
            agent.human_input_mode != "NEVER",
            agent._code_execution_config is False,
        ),
        default=None,
    )


def _may_be_person(agent: ConversableAgent) -> bool:
    if isinstance(agent, UserProxyAgent):
        return not agent.llm_config
    return _is_silent(agent) and agent._code_execution_config is False and not agent.function_map


def _is_silent(agent: ConversableAgent) -> bool:
    """Return True if an agent has neither a model nor reply functions of its own."""
    known = list(vars(ConversableAgent).values())
    return not agent.llm_config and all(reply["reply_func"] in known for reply in agent._reply_func_list)


def _ends_by_itself(agent: ConversableAgent) -> bool:
    """Return True if an agent was told when a talk of two models is over, or asks the person before each reply."""
    has_limit = agent.max_consecutive_auto_reply() != type(agent).MAX_CONSECUTIVE_AUTO_REPLY
    has_end = not agent._is_termination_msg.__module__.startswith("autogen.")
    return has_limit or has_end or agent.human_input_mode == "ALWAYS"


def _instead(value: Any) -> str:
    """Return what `build` returned, in words, and what to do instead."""
    parts = list(value) if isinstance(value, list | tuple) else []
    kind = type(value).__name__
    if value is None:
        return "None: did you forget `return`?"
    if isinstance(value, type):
        return f"the class {value.__name__}: {_WANTED}"
    if _is_talk(value) or any(_is_talk(part) for part in parts):
        talk = value if _is_talk(value) else next(part for part in parts if _is_talk(part))
        return f"a {type(talk).__name__}: put what talks to the agents into on_message(message, chat), and remove build"
    if any(inspect.isawaitable(part) for part in parts):
        _close(parts)
        return "a coroutine that was not awaited: write `async def build` and await it"
    if inspect.isgenerator(value) or inspect.isasyncgen(value):
        return f"a generator: {_WANTED}, or write on_message(message, chat), which may yield"
    if isinstance(value, str):
        return "text: to answer with text of your own, write on_message(message, chat)"
    if isinstance(value, LLMConfig):
        return f"an LLMConfig: give it to an agent; {_WANTED}"
    if parts and all(isinstance(part, ConversableAgent) for part in parts):
        count = f"a {kind} of {len(parts)} agents" if len(parts) > 1 else f"a {kind} of one agent"
        return f"{count}: return manager_of(pattern) from agentchat.teams for a team, or a pair (user, agent)"
    if parts and all(isinstance(part, dict) for part in parts):
        return "a list of chats: put initiate_chats into on_message(message, chat), and remove build"
    if foreign := next((each for each in [value, *parts] if _is_of_another_ag2(each)), None):
        name = f"{type(foreign).__module__}.{type(foreign).__name__}"
        return f"a {name}, which is not of AG2's classic API: ask it in on_message(message, chat), and remove build"
    if callable(value):
        return "a function: call it on_message(message, chat), and remove build"
    return f"a value of the type {kind}: {_WANTED}"


def _is_talk(value: Any) -> bool:
    """Return True if a value is the result of a conversation."""
    is_run = type(value).__module__ == "autogen.io.run_response"
    return isinstance(value, ChatResult) or is_run


def _is_of_another_ag2(value: Any) -> bool:
    return type(value).__module__.startswith(("autogen.beta", "ag2.", "autogen_agentchat", "autogen_core"))


def _close(values: Iterable[Any]) -> None:
    """Close coroutines, about which Python would complain."""
    for value in values:
        if inspect.iscoroutine(value):
            value.close()
