"""The shapes in which an agent file gives its agents: a team that `build` returns, or a function `on_message`."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from autogen import ConversableAgent

from agentchat.runs import Run


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
    """A function that is called with each message; `name` is the name of its agent file."""

    name: str
    on_message: Callable[..., Any]
