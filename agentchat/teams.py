"""Use one of AG2's group patterns as the `agent` of a pair."""

from __future__ import annotations

from autogen import GroupChatManager
from autogen.agentchat.group.patterns.pattern import Pattern


def manager_of(pattern: Pattern, max_rounds: int = 30) -> GroupChatManager:
    """Return a manager through which the pattern's agents answer any number of messages.

    `max_rounds` limits the messages and tool results in the answer to one of them. The pattern needs a `user_agent`,
    the user of the pair.
    """
    # AG2 asks for a first message only to see who it is from; nothing is said.
    prepared = pattern.prepare_group_chat(max_rounds=max_rounds, messages="Hello")
    return next(part for part in prepared if isinstance(part, GroupChatManager))
