"""One conversation with AG2: a pair of agents that remember, run a turn and can be stopped.

`Conversation.run` is called once per turn, in the turn's own thread; iostream.py takes what AG2 writes meanwhile.
"""

from __future__ import annotations

import asyncio
import contextlib
import contextvars
import copy
import functools
import inspect
import json
import logging
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

from autogen import Agent, ConversableAgent, GroupChat, GroupChatManager
from autogen.io.base import IOStream

from agentchat import cancellation
from agentchat import replay as journal
from agentchat.ag2.catalogue import Pair
from agentchat.ag2.context_window import fit
from agentchat.ag2.iostream import Partial, TurnHistory, TurnLog, TurnStream
from agentchat.ag2.tools import guarded
from agentchat.ag2.usage import Usage
from agentchat.cancellation import Stopped, StopToken
from agentchat.chat import Chat
from agentchat.models import transport
from agentchat.models.sanitize import without_pictures
from agentchat.protocol.errors import ChatError
from agentchat.protocol.events import clean
from agentchat.replay import Journal

log = logging.getLogger(__name__)

Message = dict[str, Any]

NOTES = {
    "stopped": "[The person stopped this answer.]",
    "interrupted": "[This answer was interrupted: the server went down.]",
    "failed": "[This answer failed.]",
    "completed": "[The person ended this answer here.]",
}


@dataclass(frozen=True)
class Outcome:
    """How a turn ended. `memory` is what the agents remember of it."""

    status: str
    summary: str
    usage: Mapping[str, Any]
    history: str | None
    error: ChatError | None = None
    code_changes: Sequence[Mapping[str, str]] = ()


class Conversation:
    """A pair of agents that talk to one person, turn by turn."""

    def __init__(
        self,
        pair: Pair,
        chat: Chat,
        histories: Iterable[str],
        explain: Callable[[Exception], ChatError],
        has_price: bool,
        approve: str = "marked",
        context_tokens: int = 100_000,
    ) -> None:
        """`memories` are those of the turns that count. `approve` is that setting."""
        self._user, self._agent = pair
        self._chat = chat
        self._explain = explain
        self._has_price = has_price
        self._approve = approve
        self._context_tokens = context_tokens
        self._stream: TurnStream | None = None
        self._everybody = self._members()
        for agent in self._everybody:
            self._prepare(agent)
        self._user.register_reply([Agent, None], _fall_silent, position=_LAST)
        remembered = [json.loads(history) for history in histories]
        self._restore([message for history in remembered for message in self._recalled(history)])
        if isinstance(self._agent, GroupChatManager):
            shared = [history["shared"] for history in remembered if history.get("shared")]
            self._agent.context_variables.update(shared[-1] if shared else {})

    def run(self, text: str, turn: TurnLog, token: StopToken, history: str | None = None) -> Outcome:
        """The agents answer `text`. Whatever happens, it is the outcome: nothing is raised.

        With the `memory` of a turn that was left waiting for an answer, they go on from there.
        """
        replay = Journal(json.loads(history)["journal"] if history else None)
        cost = Usage(self._has_price)
        stream = self._stream = TurnStream(
            turn, token, self._user.name, TurnHistory(self._history, self._shared), replay, cost, self._agent.name
        )
        self._begin_changes(is_resumed=history is not None)
        status, failure = "completed", None
        try:
            with _in_force(stream, token), self._chat.in_turn(stream):
                self._talk(clean(text))
                replay.check_end()
        except Stopped as stopped:
            status, failure = stopped.reason, stopped.error
        except BaseException as error:  # noqa: BLE001 - AG2, the model and the agent file may raise anything
            status, failure = "failed", self._explained(error, stream)
        finally:
            stream.close()
            self._stream = None
        if status == "suspended":  # the next server goes on from what was stored with the question
            return Outcome(status, "", cost.content, None)
        if status != "completed" or _has_open_calls(self._history):
            self._restore(self._closed(self._history, stream.keep_partial(), status))
        history = stream.history.all(has_ended=True)
        return Outcome(status, stream.summary, cost.content, history, failure, self._changes())

    def _begin_changes(self, is_resumed: bool) -> None:
        try:
            self._chat.changes.begin(is_resumed)
        except OSError:
            log.exception("What this turn changes in the workspace may be told wrongly")

    def _changes(self) -> Sequence[Mapping[str, str]]:
        try:
            return self._chat.changes.take()
        except (OSError, ChatError):
            log.exception("What the turn changed in the workspace cannot be told")
            return ()

    def _talk(self, text: str) -> None:
        self._choose_first()
        if self._is_async:
            asyncio.run(self._talk_async(text))
        else:
            self._user.initiate_chat(self._agent, message=text, clear_history=False)

    async def _talk_async(self, text: str) -> None:
        asyncio.get_running_loop().set_default_executor(_ContextExecutor())
        await self._user.a_initiate_chat(self._agent, message=text, clear_history=False)

    def _explained(self, error: BaseException, stream: TurnStream) -> ChatError:
        ours = error if isinstance(error, ChatError) else error.__cause__  # the openai package wraps what it meets
        if isinstance(ours, ChatError):
            return ours
        if stream.is_calling_model and isinstance(error, Exception):
            log.warning("A model call failed with %s", type(error).__name__)
            log.debug("The failed model call", exc_info=True)
            return self._explain(error)
        log.exception("The agent failed")
        return ChatError("agent_failed", error=type(error).__name__)

    # The agents

    def _members(self) -> list[ConversableAgent]:
        """All agents that may speak, those of nested chats included."""
        found: list[ConversableAgent] = []
        waiting: list[ConversableAgent] = [self._user, self._agent]
        while waiting:
            agent = waiting.pop(0)
            if agent in found:
                continue
            found.append(agent)
            if isinstance(agent, GroupChatManager):
                waiting += agent.groupchat.agents
            waiting += [partner for reply in agent._reply_func_list for partner in _partners(reply["reply_func"])]
        return found

    @property
    def _is_async(self) -> bool:
        """Agents that bring coroutines of their own to answer or to ask with; AG2 leaves those out of other chats."""
        return any(
            type(agent).a_get_human_input is not ConversableAgent.a_get_human_input
            or any(
                inspect.iscoroutinefunction(reply["reply_func"]) and not reply["ignore_async_in_sync_chat"]
                for reply in agent._reply_func_list
            )
            for agent in self._everybody
        )

    def _prepare(self, agent: ConversableAgent) -> None:
        """Let us know who speaks and asks, keep broken text out of the histories, and guard the tools."""
        agent.register_hook("safeguard_llm_inputs", functools.partial(self._call_begins, agent.name))
        agent.register_hook("safeguard_llm_outputs", self._call_ended)
        agent.register_hook("process_message_before_send", _cleaned)
        agent.register_hook("process_all_messages_before_reply", self._fitting)
        tools = {n: guarded(n, tool, self._approve, lambda: self._stream) for n, tool in agent.function_map.items()}
        agent.register_function(tools, silent_override=True)
        for reply in agent._reply_func_list:
            if _partners(reply["reply_func"]):
                reply["reply_func"] = self._nested(agent.name, reply["reply_func"])
            if isinstance(reply["config"], GroupChat):  # nobody sees how speakers are chosen, and AG2 fails to tell it
                reply["config"].select_speaker_auto_verbose = False
        for method in ("get_human_input", "a_get_human_input"):  # AG2 says that these are there to be overridden
            setattr(agent, method, self._asked_by(agent.name, getattr(agent, method)))

    def _nested(self, name: str, hold: Callable[..., Any]) -> Callable[..., Any]:
        """A reply for which an agent first talks to others."""

        @functools.wraps(hold)
        def held(*args: Any, **kwargs: Any) -> Any:
            with self._stream.nested(name) if self._stream is not None else contextlib.nullcontext():
                return hold(*args, **kwargs)

        @functools.wraps(hold)
        async def held_async(*args: Any, **kwargs: Any) -> Any:
            with self._stream.nested(name) if self._stream is not None else contextlib.nullcontext():
                return await hold(*args, **kwargs)

        return held_async if inspect.iscoroutinefunction(hold) else held

    def _asked_by(self, name: str, ask: Callable[..., Any]) -> Callable[..., Any]:
        @functools.wraps(ask)
        def asked(*args: Any, **kwargs: Any) -> Any:
            if self._stream is not None:
                self._stream.asking = name
            return ask(*args, **kwargs)

        return asked

    def _fitting(self, messages: list[Message]) -> list[Message]:
        return fit(without_pictures(messages), self._context_tokens)

    def _call_begins(self, sender: str, messages: Any) -> Any:
        if self._stream is not None:
            self._stream.begin_message(sender)
        return messages

    def _call_ended(self, response: Any) -> Any:
        if self._stream is not None:
            self._stream.end_message()
        return response

    # What the agents remember

    @property
    def _history(self) -> list[Message]:
        if isinstance(self._agent, GroupChatManager):
            return self._agent.groupchat.messages  # type: ignore[no-any-return]
        return self._agent.chat_messages[self._user]  # type: ignore[no-any-return]

    def _restore(self, messages: list[Message]) -> None:
        messages = list(messages)  # may be the very history that is filled anew
        if isinstance(self._agent, GroupChatManager):
            for agent in self._everybody:
                for history in agent.chat_messages.values():
                    history.clear()
            self._agent.groupchat.messages.clear()
            for message in messages:
                self._tell_everyone(message)
        else:
            self._agent.chat_messages[self._user][:] = messages
            self._mirror()

    def _shared(self) -> Mapping[str, Any]:
        variables: Mapping[str, Any] = self._agent.context_variables.to_dict()
        return variables

    def _choose_first(self) -> None:
        """Whoever spoke last goes on. AG2's patterns have their first agent speak first, once, whatever was said."""
        if not isinstance(self._agent, GroupChatManager):
            return
        state = _enclosed(self._agent.groupchat.speaker_selection_method, "state")
        if isinstance(state, dict) and "use_initial_agent" in state:
            members = {agent.name for agent in self._agent.groupchat.agents} - {self._user.name}
            state["use_initial_agent"] = not any(message.get("name") in members for message in self._history)

    def _tell_everyone(self, message: Message) -> None:
        """Put a message into every history of a group, as if it had just been said."""
        manager = self._agent
        members = manager.groupchat.agents
        speaker = next((agent for agent in members if agent.name == message.get("name")), self._user)
        manager.groupchat.append(copy.deepcopy(message), speaker)
        speaker.send(copy.deepcopy(message), manager, request_reply=False, silent=True)
        for agent in members:
            if agent is not speaker:
                manager.send(copy.deepcopy(message), agent, request_reply=False, silent=True)

    def _mirror(self) -> None:
        """The proxy's view of the history is the agent's with the roles of the two exchanged."""
        view = copy.deepcopy(self._agent.chat_messages[self._user])
        for message in view:
            if message["role"] in _SWAPPED and not message.get("tool_calls"):
                message["role"] = _SWAPPED[message["role"]]
        self._user.chat_messages[self._agent][:] = view

    def _recalled(self, history: dict[str, Any]) -> list[Message]:
        """A turn's messages from the store, closed if the server went down before the turn had ended."""
        messages: list[Message] = history["messages"]
        if history.get("is_heard"):
            return [self._heard(message) for message in messages]
        return messages if history["has_ended"] else self._closed(messages, Partial("", ""), "interrupted")

    def _heard(self, message: Message) -> Message:
        """What people said to each other, as the agents may have heard it."""
        is_group = isinstance(self._agent, GroupChatManager)
        if message["role"] == "assistant" and not is_group:
            return {**message, "name": self._agent.name}
        return {**message, "role": "user", "name": self._user.name}

    def _closed(self, messages: list[Message], partial: Partial, status: str) -> list[Message]:
        """The messages of a turn that broke off: calls answered, what was said kept, and a note that it was cut."""
        note = NOTES[status]
        if _has_open_calls(messages):
            messages = [*messages, _unanswered(messages[-1], self._user.name, note)]
        if not messages or messages[-1]["role"] not in {"user", "tool"}:
            return messages
        role = "user" if isinstance(self._agent, GroupChatManager) else "assistant"
        content = f"{partial.text}\n\n{note}".strip()
        return [*messages, {"role": role, "name": partial.sender or self._agent.name, "content": content}]


def can_go_on(history: str) -> bool:
    """A turn with this memory, left waiting for an answer, can be brought back to its question."""
    return json.loads(history).get("journal") is not None


def heard(text: str, operator: str = "") -> str:
    """The memory of words that no agent answered: of the person, or of an operator in the agents' place."""
    if not operator:
        return _heard_history("user", text)
    return _heard_history("assistant", f"[{operator}, a human, answered here:] {text}")


def handed_back(note: str, operator: str) -> str:
    """The memory of a conversation that the agents have again."""
    who = f"{operator}, a human, has handed the conversation back to you" if operator else "Nobody came"
    return _heard_history("user", f"[{who}. You answer again.{' Note: ' + note if note else ''}]")


def _heard_history(role: str, content: str) -> str:
    return json.dumps({"messages": [{"role": role, "content": clean(content)}], "has_ended": True, "is_heard": True})


class _ContextExecutor(ThreadPoolExecutor):
    """AG2 makes the model calls of an asynchronous chat in threads, in which our stop token must be known, too."""

    def submit(self, fn: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Future[Any]:
        return super().submit(contextvars.copy_context().run, fn, *args, **kwargs)


@contextlib.contextmanager
def _in_force(stream: TurnStream, token: StopToken) -> Iterator[None]:
    """What AG2, tools and models find by their context: where to write, when to stop, what was said before."""
    stop = cancellation.current.set(token)
    calls = transport.current.set(stream)
    replay = journal.current.set(stream.journal)
    try:
        with IOStream.set_default(stream):
            yield
    finally:
        cancellation.current.reset(stop)
        transport.current.reset(calls)
        journal.current.reset(replay)


_LAST = 1_000_000  # register_reply inserts: behind all of AG2's own reply functions
_SWAPPED = {"user": "assistant", "assistant": "user"}


def _fall_silent(recipient: ConversableAgent, messages: Any, sender: Any, config: Any) -> tuple[bool, str | None]:
    """Nothing else answers the agent's text, so the turn is over; AG2 would send an empty message, again and again."""
    return True, recipient._default_auto_reply or None


def _cleaned(sender: Agent, message: Any, recipient: Agent, silent: bool) -> Any:
    if isinstance(message, str):
        return clean(message)
    if isinstance(message, dict):
        results = message.get("tool_responses")
        more = {"tool_responses": [_clean_content(result) for result in results]} if results else {}
        return _clean_content({**message, **more})
    return message


def _clean_content(message: Message) -> Message:
    return {**message, "content": clean(message["content"])} if isinstance(message.get("content"), str) else message


def _partners(reply: Callable[..., Any]) -> list[ConversableAgent]:
    """With whom an agent talks before it gives this reply: AG2 keeps its nested chats in a closure."""
    chats = _enclosed(reply, "chat_queue") or []
    return [chat[role] for chat in chats for role in ("sender", "recipient") if chat.get(role) is not None]


def _enclosed(function: Any, name: str) -> Any:
    """What a function keeps under that name in its closure, where AG2 keeps what it shows nowhere else."""
    names = function.__code__.co_freevars if inspect.isfunction(function) else ()
    return function.__closure__[names.index(name)].cell_contents if name in names else None


def _has_open_calls(messages: list[Message]) -> bool:
    """Models refuse a history in which a call has no result. Who answers AG2 with `exit` leaves one, too."""
    return bool(messages and messages[-1].get("tool_calls"))


def _unanswered(call: Message, executor: str, note: str) -> Message:
    responses = [{"tool_call_id": c["id"], "role": "tool", "content": note} for c in call["tool_calls"]]
    content = "\n\n".join(response["content"] for response in responses)
    return {"role": "tool", "name": executor, "content": content, "tool_responses": responses}
