"""The agents that `build` returned, as a conversation runs them."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import Any

from autogen import Agent, ConversableAgent, GroupChat, GroupChatManager

from agentchat import cancellation
from agentchat.ag2.history import History
from agentchat.ag2.iostream import TurnStream
from agentchat.ag2.shapes import Team, groups_of

_LAST = 1_000_000  # a position behind all of AG2's own reply functions; register_reply inserts


class RunningTeam:
    """A team that answers one person, turn by turn."""

    def __init__(self, team: Team, state: dict[str, Any]) -> None:
        """`state` is `chat.state`."""
        self._user, self._agent, self._run = team.user, team.agent, team.run
        members = self._agent.groupchat.agents if isinstance(self._agent, GroupChatManager) else []
        self._agents = [self._user, self._agent, *(agent for agent in members if agent is not self._user)]
        self._user.register_reply([Agent, None], _end_turn, position=_LAST)
        self.history = History((self._user, self._agent), self._agents, state)
        self.person: str = self._user.name
        self.name: str = self._agent.name
        self._start = 0
        if isinstance(self._agent, GroupChatManager):
            for group in groups_of(self._agent):
                _show_turns_alone(group, lambda: self._start)

    def begin(self) -> None:
        """Prepare for a turn."""
        if self._run.fresh:
            self.history.clear()
        self._start = len(self.history.messages)

    def talk(self, text: str, stream: TurnStream) -> str | None:
        """Let the agents answer. Return the turn's answer if it is more than the last word."""
        self._choose_first()
        options = {
            "message": text,
            "clear_history": False,
            "max_turns": self._run.max_turns,
            "summary_method": self._run.summary_method,
        }
        if self._is_async:
            result = cancellation.run_async(self._user.a_initiate_chat(self._agent, **options))
            self.history.share()
        else:
            result = self._user.initiate_chat(self._agent, **options)
        return None if self._run.summary_method == "last_msg" else str(result.summary or "")

    def end(self, text: str, summary: str) -> None:
        """Finish a turn."""

    def close(self) -> None:
        """Empty the agents, which refer to each other and to themselves. No other conversation has them."""
        for agent in self._agents:
            vars(agent).clear()

    def _choose_first(self) -> None:
        """Let the last speaker go on. AG2's patterns let their first agent begin once, whatever was said before."""
        if not isinstance(self._agent, GroupChatManager):
            return
        state = _enclosed(self._agent.groupchat.speaker_selection_method, "state")
        if isinstance(state, dict) and "use_initial_agent" in state:
            members = {agent.name for agent in self._agent.groupchat.agents} - {self._user.name}
            state["use_initial_agent"] = not any(message.get("name") in members for message in self.history.messages)

    @property
    def _is_async(self) -> bool:
        """True if agents bring coroutines of their own to answer or ask with; AG2 skips those in synchronous chats."""
        return any(
            asks_itself(type(agent))
            or any(
                inspect.iscoroutinefunction(reply["reply_func"]) and not reply["ignore_async_in_sync_chat"]
                for reply in agent._reply_func_list
            )
            for agent in self._agents
        )


def asks_itself(kind: type[ConversableAgent]) -> bool:
    """Return True for a class of agents that ask people with a coroutine of their own."""
    return kind.a_get_human_input is not ConversableAgent.a_get_human_input


def _end_turn(recipient: ConversableAgent, messages: Any, sender: Any, config: Any) -> tuple[bool, str | None]:
    """End the turn by not replying to the agent's text. AG2 would send empty messages, up to a hundred."""
    return True, recipient._default_auto_reply or None


def _show_turns_alone(group: GroupChat, start: Callable[[], int]) -> None:
    """Let a file's own function that chooses speakers see the messages of its turn only.

    Such functions count messages, and programs run them once: with those of earlier turns nobody would be chosen.
    """
    choose = group.speaker_selection_method
    if callable(choose) and not choose.__module__.startswith("autogen."):
        group.speaker_selection_method = lambda last, group: choose(last, _TurnOfGroup(group, start()))


class _TurnOfGroup:
    """A GroupChat with the messages of one turn."""

    def __init__(self, group: GroupChat, start: int) -> None:
        vars(self).update(_group=group, messages=group.messages[start:])

    def __getattr__(self, name: str) -> Any:
        return getattr(self._group, name)

    def __setattr__(self, name: str, value: Any) -> None:
        setattr(self._group, name, value)


def _enclosed(function: Any, name: str) -> Any:
    """Return the variable of that name in a function's closure, where AG2 keeps what it exposes nowhere else."""
    names = function.__code__.co_freevars if inspect.isfunction(function) else ()
    return function.__closure__[names.index(name)].cell_contents if name in names else None
