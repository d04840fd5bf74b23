"""Let tools that an agent was given alone, as in `ConversableAgent(functions=[…])`, be carried out by somebody."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from autogen import ConversableAgent, GroupChat, GroupChatManager
from autogen.tools import Tool

from agentchat.ag2.shapes import Team


def carry_out(team: Team) -> None:
    """Register each tool that nobody can run: in a pair with the other one, in a group with the user if in it.

    What is registered stays as it is.
    """
    if isinstance(team.agent, GroupChatManager):
        carry_out_in_group(team.agent.groupchat, team.user)
    else:
        _give(team.agent, team.user)
        _give(team.user, team.agent)


def without_executor(agent: ConversableAgent, executors: Iterable[ConversableAgent]) -> list[str]:
    """Return the names of the tools that the agent's model is offered, and none of the executors can run."""
    return [name for name in _offered(agent) if not any(other.can_execute_function(name) for other in executors)]


def lend(caller: ConversableAgent, executor: ConversableAgent, wanted: Iterable[str]) -> None:
    """Register the caller's tools of these names with the agent that is to run them, unless it has such tools."""
    names = set(wanted).intersection(without_executor(caller, [executor]))
    if names:
        _give(caller, executor, names)


def carry_out_in_group(group: GroupChat, user: ConversableAgent | None = None) -> None:
    """Register each tool that no member can run: with `user`, or else a member without a model, or its own agent."""
    members = [agent for agent in group.agents if isinstance(agent, ConversableAgent)]
    user = user or next((agent for agent in members if not agent.llm_config), None)
    for agent in group.agents:
        if isinstance(agent, GroupChatManager):
            carry_out_in_group(agent.groupchat, user)
        elif isinstance(agent, ConversableAgent) and (names := without_executor(agent, group.agents)):
            _give(agent, _executor(group, agent, user), names)


def _executor(group: GroupChat, agent: ConversableAgent, user: ConversableAgent | None) -> ConversableAgent:
    """Return a member that may speak next: AG2 gives the word to one that can run the tool."""
    allowed = group.allowed_speaker_transitions_dict.get(agent, group.agents)
    members = [*([user] if user is not None and user in group.agents else []), agent, *group.agents]
    return next((member for member in members if member in allowed), agent)


def _give(agent: ConversableAgent, executor: ConversableAgent, names: Iterable[str] | None = None) -> None:
    tools = {tool.name: tool for tool in agent.tools}
    for name in without_executor(agent, [executor]) if names is None else names:
        if agent.can_execute_function(name):
            executor.register_function({name: agent.function_map[name]})
        elif isinstance(tools.get(name), Tool):
            tools[name].register_for_execution(executor)


def _offered(agent: ConversableAgent) -> Iterator[str]:
    """Yield the names of all tools that the agent's model is told about, in AG2's newer and older form."""
    if agent.llm_config:
        yield from (tool["function"]["name"] for tool in agent.llm_config.get("tools") or [])
        yield from (function["name"] for function in agent.llm_config.get("functions") or [])
