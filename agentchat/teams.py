"""AG2's patterns (agents that hand over to each other) as the agent of a pair."""

from __future__ import annotations

from autogen import GroupChatManager
from autogen.agentchat.group.patterns.pattern import Pattern


def manager_of(pattern: Pattern, max_rounds: int = 30) -> GroupChatManager:
    """The manager that lets the pattern's agents answer, for as many messages as there come.

    `max_rounds` counts what is said and done for one of them. The pattern needs a `user_agent`, the user of the pair.
    """
    # AG2 wants the first message here only to see from whom it is: nothing is said.
    prepared = pattern.prepare_group_chat(max_rounds=max_rounds, messages="Hello")
    return next(part for part in prepared if isinstance(part, GroupChatManager))
