"""Use one of AG2's group patterns, and make the proxy that stands for a person."""

from __future__ import annotations

from collections.abc import Iterable

from autogen import Agent, GroupChatManager, UserProxyAgent
from autogen.agentchat.group.patterns.pattern import Pattern


def manager_of(pattern: Pattern, max_rounds: int = 30) -> GroupChatManager:
    """Return a manager through which the pattern's agents answer any number of messages.

    `max_rounds` limits the messages and tool results in the answer to one of them. A pattern without a `user_agent`
    gets one.
    """
    if pattern.user_agent is None:
        pattern.user_agent = new_user(pattern.agents)
    # AG2 asks for a first message only to see who it is from; nothing is said.
    prepared = pattern.prepare_group_chat(max_rounds=max_rounds, messages="Hello")
    return next(part for part in prepared if isinstance(part, GroupChatManager))


def new_user(agents: Iterable[Agent]) -> UserProxyAgent:
    """Return a proxy that stands for the person who talks to these agents; its name is none of theirs."""
    taken = {agent.name for agent in agents}
    name = next(name for name in ("user", "person", *(f"user_{n}" for n in range(len(taken)))) if name not in taken)
    return UserProxyAgent(name, human_input_mode="NEVER", code_execution_config=False, default_auto_reply=None)
