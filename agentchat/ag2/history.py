"""The message lists in which agents keep a conversation: filled, closed and stored turn by turn.

stored_history.py has the form in which they are stored.
"""

from __future__ import annotations

import copy
from collections.abc import Mapping, MutableMapping, Sequence
from typing import Any, NamedTuple

from autogen import ConversableAgent, GroupChatManager

from agentchat import clock
from agentchat.ag2 import named_pictures, stored_history
from agentchat.ag2.pictures import Memo
from agentchat.ag2.stored_history import begun as begun
from agentchat.ag2.stored_history import can_go_on as can_go_on
from agentchat.ag2.stored_history import handed_back as handed_back
from agentchat.ag2.stored_history import heard as heard
from agentchat.journal import Journal
from agentchat.protocol.errors import ChatError

Message = dict[str, Any]

NOTES = {
    "stopped": "[The person stopped this answer.]",
    "interrupted": "[This answer was interrupted: the server went down.]",
    "failed": "[This answer failed.]",
    "completed": "[The person ended this answer here.]",
}
VARIABLE = "The context variable '{name}'"
STATE = "chat.state['{name}']"
_SWAPPED = {"user": "assistant", "assistant": "user"}


class PartialMessage(NamedTuple):
    """The shown part of a message that broke off."""

    sender: str
    text: str


class Memory:
    """The messages of a conversation that its agents remember, and the values kept beside them."""

    has_open_calls = False

    def __init__(self, state: MutableMapping[str, Any]) -> None:
        """`state` is `chat.state`, kept with the turns."""
        self.state = state
        self._built = {"shared": self.context_variables, "state": dict(state)}
        self._lost: list[ChatError] = []  # what could not be brought back, and was not told yet
        self._told: set[str] = set()

    @property
    def messages(self) -> list[Message]:
        """The list to which the turns' messages are appended."""
        raise NotImplementedError

    @property
    def context_variables(self) -> dict[str, Any]:
        """The variables that a team shares beside its messages."""
        return {}

    def set_variables(self, values: Mapping[str, Any]) -> None:
        """Give these variables their values."""

    def hear(self, text: str) -> None:
        """Add a message of the person that the agents haven't received."""
        raise NotImplementedError

    def close(self, partial: PartialMessage, status: str) -> None:
        """Make the history of a turn that broke off valid for the next one."""
        raise NotImplementedError

    def bring_back_newest(self, turns: Sequence[Mapping[str, Any]]) -> None:
        """Give the variables and the state the values that they had after the last of these turns."""
        for part in ("shared", "state"):
            newest: Mapping[str, Any] = next((turn for turn in reversed(turns) if turn.get(part)), {})
            kept = newest.get(part, {})
            if newest.get("has_plain_values"):
                kept = self._without_texts(kept)
            self.bring_back({part: kept})

    def kept(self, memo: Memo) -> tuple[dict[str, Any], list[ChatError]]:
        """Return the variables and the state as JSON values, and what cannot be kept.

        Connections and the like that `build` put there are left out without a word: `build` does so again.
        """
        refused: list[ChatError] = []
        values = {"shared": (VARIABLE, self.context_variables), "state": (STATE, self.state)}
        kept = {
            part: stored_history.kept_values(name, of, self._built[part], refused.append, memo)
            for part, (name, of) in values.items()
        }
        return kept, refused

    def bring_back(self, kept: Mapping[str, Any]) -> None:
        """Give the variables and the state the values that they had when `kept` returned this."""
        lose = self._lost.append
        self.set_variables(stored_history.restored_values(VARIABLE, kept.get("shared") or {}, lose))
        self.state.update(stored_history.restored_values(STATE, kept.get("state") or {}, lose))

    def _without_texts(self, kept: Mapping[str, Any]) -> dict[str, Any]:
        """Return old values without texts that stand for something else: `build` gave the variable another type."""
        lost = [name for name, value in kept.items() if isinstance(value, str) and self._is_no_text(name)]
        reason = "an older version of this server kept it as text"
        self._lost += [ChatError("not_restored", what=VARIABLE.format(name=name), reason=reason) for name in lost]
        return {name: value for name, value in kept.items() if name not in lost}

    def _is_no_text(self, name: str) -> bool:
        built = self._built["shared"].get(name)
        return built is not None and not isinstance(built, str)

    def news(self, refused: list[ChatError]) -> list[ChatError]:
        """Return what was lost since the last call, and what of `refused` wasn't told by it."""
        new = [error for error in refused if error.message not in self._told]
        self._told.update(error.message for error in new)
        lost, self._lost = self._lost, []
        return lost + new


class History(Memory):
    """The message lists of a pair, which AG2 appends to. In a group they are those of all its members."""

    def __init__(
        self,
        pair: tuple[ConversableAgent, ConversableAgent],
        agents: Sequence[ConversableAgent],
        state: MutableMapping[str, Any] | None = None,
    ) -> None:
        """`agents` are all that may speak, the pair included. `state` is `chat.state`, kept with the turns."""
        self._user, self._agent = pair
        self._agents = agents
        super().__init__(state if state is not None else {})

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

    def set_variables(self, values: Mapping[str, Any]) -> None:
        if isinstance(self._agent, GroupChatManager):
            self._agent.context_variables.update(values)

    @property
    def has_open_calls(self) -> bool:  # type: ignore[override]
        """True if a tool call has no result, which models refuse. Answering AG2 with `exit` leaves one, too."""
        return _has_open_calls(self.messages)

    def restore(self, turns: Sequence[Mapping[str, Any]]) -> None:
        """Fill the lists from stored turns, closing those that the server did not survive."""
        self._fill([message for turn in turns for message in self._restored(turn)])
        self.bring_back_newest(turns)

    def clear(self) -> None:
        """Forget all messages."""
        self._fill([])

    def share(self) -> None:
        """Give all members of a group all messages. AG2's asynchronous group chats keep the last one from them."""
        if isinstance(self._agent, GroupChatManager):
            self._fill(self.messages)

    def hear(self, text: str) -> None:
        self._fill([*self.messages, {"role": "user", "name": self._user.name, "content": text}])

    def close(self, partial: PartialMessage, status: str) -> None:
        self._fill(self._closed(self.messages, partial, status))

    def _fill(self, messages: list[Message]) -> None:
        messages = list(messages)  # may be the very list that is emptied
        if isinstance(self._agent, GroupChatManager):
            for agent in self._agents:
                for history in agent.chat_messages.values():
                    history.clear()
            self._agent.groupchat.messages.clear()
            by_person = [str(each.get("content")) for each in messages if each.get("name") == self._user.name]
            with named_pictures.named_in("\n".join(by_person)):
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
        messages = [stored_history.restored_message(message, self._lost.append) for message in turn["messages"]]
        if turn.get("is_heard"):
            messages = [self._overheard(message) for message in messages]
        if turn["has_ended"]:
            return messages
        return self._closed(messages, PartialMessage("", ""), turn.get("broke_off", "interrupted"))

    def _overheard(self, message: Message) -> Message:
        """Return what people, or agents of another time, said as messages that the agents could have received."""
        is_group = isinstance(self._agent, GroupChatManager)
        if message["role"] == "assistant" and not is_group:
            return {**message, "name": self._agent.name}
        return {**message, "role": "user", "name": message.get("name", self._user.name)}

    def _closed(self, messages: list[Message], partial: PartialMessage, status: str) -> list[Message]:
        """Answer open calls, keep what was said, and note that the turn broke off."""
        note = NOTES.get(status, NOTES["interrupted"])
        if _has_open_calls(messages):
            messages = [*messages, _without_result(messages[-1], self._user.name, note)]
        if not messages or messages[-1]["role"] not in {"user", "tool"}:
            return messages
        role = "user" if isinstance(self._agent, GroupChatManager) else "assistant"
        content = f"{partial.text}\n\n{note}".strip()
        return [*messages, {"role": role, "name": partial.sender or self._agent.name, "content": content}]


class TurnHistory:
    """The part of a history that belongs to one turn, as JSON text to be stored with it."""

    def __init__(self, history: Memory) -> None:
        self._history = history
        self._start = self._saved = len(history.messages)
        self._memo: Memo = {}
        self._recorded, _ = history.kept(self._memo)
        self.refused: Sequence[ChatError] = ()
        """Values of the turn that couldn't be kept, or couldn't be restored before it; empty until it has ended."""

    def changed(self) -> str | None:
        """Return all of it if it has grown since the last call, else None."""
        length = len(self._history.messages)
        if length == self._saved:
            return None
        self._saved = length
        return self._dump(has_ended=False)

    def close(self, text: str, partial: PartialMessage, status: str) -> None:
        """Make that of a turn that broke off valid for the next one, maybe before its agents received `text`."""
        if len(self._history.messages) == self._start:
            self._history.hear(text)
        self._history.close(partial, status)

    def ended(self) -> str:
        """Return all of it, as that of a turn that has ended."""
        refused: list[ChatError] = []
        text = self._dump(refused, has_ended=True)
        self.refused = self._history.news(refused)
        return text

    def waiting(self, journal: Journal, limit: float) -> str:
        """Return all of it, with what it takes to resume the turn after a restart.

        `limit` is how many seconds people have to answer; 0: as many as they want.
        """
        return self._dump(has_ended=False, journal=journal.entries(), asked=clock.moment(), limit=limit)

    def variables(self) -> dict[str, Any]:
        """Return the variables and the state as JSON values if they have changed since the last call, else {}.

        Raises ChatError if some of it cannot be kept.
        """
        kept, refused = self._history.kept(self._memo)
        if refused:
            raise refused[0]
        if kept == self._recorded:
            return {}
        self._recorded = kept
        return kept

    def bring_back(self, variables: Mapping[str, Any]) -> None:
        """Give the variables and the state the values that they had when `variables` returned this."""
        self._history.bring_back(variables)

    def _dump(self, refused: list[ChatError] | None = None, **more: Any) -> str:
        refused = refused if refused is not None else []
        messages = self._history.messages[self._start :]
        kept, unkept = self._history.kept(self._memo)
        texts = [stored_history.kept_message(message, refused.append, self._memo) for message in messages]
        refused += unkept
        return stored_history.write(messages=texts, **kept, **more)


def _has_open_calls(messages: list[Message]) -> bool:
    return bool(messages and messages[-1].get("tool_calls"))


def _without_result(call: Message, executor: str, note: str) -> Message:
    """Return a tool message that gives the note as the result of every call."""
    responses = [{"tool_call_id": c["id"], "role": "tool", "content": note} for c in call["tool_calls"]]
    content = "\n\n".join(response["content"] for response in responses)
    return {"role": "tool", "name": executor, "content": content, "tool_responses": responses}
