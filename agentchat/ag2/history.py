"""The message lists in which agents keep a conversation: filled, closed and stored turn by turn."""

from __future__ import annotations

import copy
import json
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple, Protocol

from autogen import ConversableAgent, GroupChatManager

from agentchat.journal import Journal
from agentchat.protocol.events import clean

Message = dict[str, Any]

NOTES = {
    "stopped": "[The person stopped this answer.]",
    "interrupted": "[This answer was interrupted: the server went down.]",
    "failed": "[This answer failed.]",
    "completed": "[The person ended this answer here.]",
}
_SWAPPED = {"user": "assistant", "assistant": "user"}


class PartialMessage(NamedTuple):
    """The shown part of a message that broke off."""

    sender: str
    text: str


class History:
    """The message lists of a pair, which AG2 appends to. In a group they are those of all its members."""

    def __init__(self, pair: tuple[ConversableAgent, ConversableAgent], agents: Sequence[ConversableAgent]) -> None:
        """`agents` are all that may speak, the pair included."""
        self._user, self._agent = pair
        self._agents = agents

    @property
    def messages(self) -> list[Message]:
        """AG2's own list, as the agent sees the conversation."""
        if isinstance(self._agent, GroupChatManager):
            return self._agent.groupchat.messages  # type: ignore[no-any-return]
        return self._agent.chat_messages[self._user]  # type: ignore[no-any-return]

    @property
    def context_variables(self) -> dict[str, Any]:
        """The variables that a team shares beside its messages."""
        return self._agent.context_variables.to_dict()  # type: ignore[no-any-return]

    @property
    def has_open_calls(self) -> bool:
        """True if a tool call has no result, which models refuse. Answering AG2 with `exit` leaves one, too."""
        return _has_open_calls(self.messages)

    def restore(self, turns: Sequence[Mapping[str, Any]]) -> None:
        """Fill the lists from stored turns, closing those that the server did not survive."""
        self._fill([message for turn in turns for message in self._restored(turn)])
        if isinstance(self._agent, GroupChatManager):
            variables = [turn["shared"] for turn in turns if turn.get("shared")]
            self._agent.context_variables.update(variables[-1] if variables else {})

    def clear(self) -> None:
        """Forget all messages."""
        self._fill([])

    def share(self) -> None:
        """Give all members of a group all messages. AG2's asynchronous group chats keep the last one from them."""
        if isinstance(self._agent, GroupChatManager):
            self._fill(self.messages)

    def close(self, partial: PartialMessage, status: str) -> None:
        """Make the history of a turn that broke off valid for the next one."""
        self._fill(self._closed(self.messages, partial, status))

    def _fill(self, messages: list[Message]) -> None:
        messages = list(messages)  # may be the very list that is emptied
        if isinstance(self._agent, GroupChatManager):
            for agent in self._agents:
                for history in agent.chat_messages.values():
                    history.clear()
            self._agent.groupchat.messages.clear()
            for message in messages:
                self._add_to_group(message)
        else:
            self._agent.chat_messages[self._user][:] = messages
            self._fill_user_side()

    def _add_to_group(self, message: Message) -> None:
        """Put a message into every list of a group, as if it had just been said."""
        manager = self._agent
        members = manager.groupchat.agents
        speaker = next((agent for agent in members if agent.name == message.get("name")), self._user)
        manager.groupchat.append(copy.deepcopy(message), speaker)
        speaker.send(copy.deepcopy(message), manager, request_reply=False, silent=True)
        for agent in members:
            if agent is not speaker:
                manager.send(copy.deepcopy(message), agent, request_reply=False, silent=True)

    def _fill_user_side(self) -> None:
        """Give the proxy the agent's list with their two roles exchanged."""
        messages = copy.deepcopy(self._agent.chat_messages[self._user])
        for message in messages:
            if message["role"] in _SWAPPED and not message.get("tool_calls"):
                message["role"] = _SWAPPED[message["role"]]
        self._user.chat_messages[self._agent][:] = messages

    def _restored(self, turn: Mapping[str, Any]) -> list[Message]:
        messages: list[Message] = turn["messages"]
        if turn.get("is_heard"):
            return [self._overheard(message) for message in messages]
        return messages if turn["has_ended"] else self._closed(messages, PartialMessage("", ""), "interrupted")

    def _overheard(self, message: Message) -> Message:
        """Return what people said to each other as messages the agents could have received."""
        is_group = isinstance(self._agent, GroupChatManager)
        if message["role"] == "assistant" and not is_group:
            return {**message, "name": self._agent.name}
        return {**message, "role": "user", "name": self._user.name}

    def _closed(self, messages: list[Message], partial: PartialMessage, status: str) -> list[Message]:
        """Answer open calls, keep what was said, and note that the turn broke off."""
        note = NOTES[status]
        if _has_open_calls(messages):
            messages = [*messages, _without_result(messages[-1], self._user.name, note)]
        if not messages or messages[-1]["role"] not in {"user", "tool"}:
            return messages
        role = "user" if isinstance(self._agent, GroupChatManager) else "assistant"
        content = f"{partial.text}\n\n{note}".strip()
        return [*messages, {"role": role, "name": partial.sender or self._agent.name, "content": content}]


class Memory(Protocol):
    """The history of a team or of a program."""

    @property
    def messages(self) -> list[Message]:
        """The list to which the turns' messages are appended."""

    @property
    def context_variables(self) -> dict[str, Any]:
        """The values that are kept beside the messages."""


class TurnHistory:
    """The part of a history that belongs to one turn, as JSON text to be stored with it."""

    def __init__(self, history: Memory) -> None:
        self._history = history
        self._start = self._saved = len(history.messages)

    def changed(self) -> str | None:
        """Return all of it if it has grown since the last call, else None."""
        length = len(self._history.messages)
        if length == self._saved:
            return None
        self._saved = length
        return self._dump(has_ended=False)

    def ended(self) -> str:
        """Return all of it, as that of a turn that has ended."""
        return self._dump(has_ended=True)

    def waiting(self, journal: Journal) -> str:
        """Return all of it, with what it takes to resume the turn after a restart."""
        return self._dump(has_ended=False, journal=journal.entries())

    def _dump(self, **more: Any) -> str:
        messages = self._history.messages[self._start :]
        return json.dumps({"messages": messages, "shared": self._history.context_variables, **more}, default=str)


def can_go_on(history: str) -> bool:
    """Return True if a turn with this history, left waiting for an answer, can be brought back to its question."""
    return json.loads(history).get("journal") is not None


def heard(text: str, operator: str = "") -> str:
    """Return the history of words that no agent answered: the person's, or an operator's in the agents' place."""
    if not operator:
        return _heard_history("user", text)
    return _heard_history("assistant", f"[{operator}, a human, answered here:] {text}")


def handed_back(note: str, operator: str) -> str:
    """Return the history of handing the conversation back to the agents. `operator` is empty if nobody had come."""
    who = f"{operator}, a human, has handed the conversation back to you" if operator else "Nobody came"
    return _heard_history("user", f"[{who}. You answer again.{' Note: ' + note if note else ''}]")


def _heard_history(role: str, content: str) -> str:
    return json.dumps({"messages": [{"role": role, "content": clean(content)}], "has_ended": True, "is_heard": True})


def _has_open_calls(messages: list[Message]) -> bool:
    return bool(messages and messages[-1].get("tool_calls"))


def _without_result(call: Message, executor: str, note: str) -> Message:
    """Return a tool message that gives the note as the result of every call."""
    responses = [{"tool_call_id": c["id"], "role": "tool", "content": note} for c in call["tool_calls"]]
    content = "\n\n".join(response["content"] for response in responses)
    return {"role": "tool", "name": executor, "content": content, "tool_responses": responses}
