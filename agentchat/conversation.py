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
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any, NamedTuple

from autogen import Agent, ConversableAgent, GroupChatManager
from autogen.io.base import IOStream

from agentchat import journal, stopping, transport
from agentchat.catalogue import Pair
from agentchat.context_window import fit
from agentchat.errors import ChatError
from agentchat.events import clean
from agentchat.iostream import Memory, Partial, TurnLog, TurnStream
from agentchat.journal import Journal
from agentchat.stopping import Stopped, StopToken
from agentchat.tools import guarded

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
    usage: dict[str, Any]
    memory: str | None
    error: ChatError | None = None


class _Usage(NamedTuple):
    """A reading of the agents' counters: tokens, and US dollars."""

    prompt_tokens: int
    completion_tokens: int
    cost: float

    def since(self, before: _Usage, has_price: bool) -> dict[str, int | float | None]:
        # A hand-off makes AG2 start an agent's counters anew, so a difference may come out negative.
        return {
            "prompt_tokens": max(self.prompt_tokens - before.prompt_tokens, 0),
            "completion_tokens": max(self.completion_tokens - before.completion_tokens, 0),
            "cost": max(round(self.cost - before.cost, 6), 0.0) if has_price else None,
        }


class Conversation:
    """A pair of agents that talk to one person, turn by turn."""

    def __init__(
        self,
        pair: Pair,
        memories: Iterable[str],
        explain: Callable[[Exception], ChatError],
        has_price: bool,
        approve: str = "marked",
        context_tokens: int = 100_000,
    ) -> None:
        """`memories` are those of the turns that count. `approve` is that setting."""
        self._user, self._agent = pair
        self._explain = explain
        self._has_price = has_price
        self._approve = approve
        self._context_tokens = context_tokens
        self._stream: TurnStream | None = None
        for agent in self._members():
            self._prepare(agent)
        self._user.register_reply([Agent, None], _fall_silent, position=_LAST)
        self._restore([message for memory in memories for message in self._recalled(json.loads(memory))])

    def run(self, text: str, turn: TurnLog, token: StopToken, memory: str | None = None) -> Outcome:
        """The agents answer `text`. Whatever happens, it is the outcome: nothing is raised.

        With the `memory` of a turn that was left waiting for an answer, they go on from there.
        """
        before = self._usage()
        replay = Journal(json.loads(memory)["journal"] if memory else None)
        stream = self._stream = TurnStream(turn, token, self._user.name, Memory(self._history), replay)
        status, failure = "completed", None
        try:
            with _in_force(stream, token):
                self._chat(clean(text))
                replay.check_end()
        except Stopped as stopped:
            status, failure = stopped.reason, stopped.error
        except BaseException as error:  # noqa: BLE001 - AG2, the model and the agent file may raise anything
            status, failure = "failed", self._explained(error, stream)
        finally:
            stream.close()
            self._stream = None
        if status == "suspended":  # the next server goes on from what was stored with the question
            return Outcome(status, "", self._usage().since(before, self._has_price), None)
        if status != "completed" or _has_open_calls(self._history):
            self._restore(self._closed(self._history, stream.keep_partial(), status))
        usage = self._usage().since(before, self._has_price)
        return Outcome(status, stream.summary, usage, stream.memory.all(has_ended=True), failure)

    def _chat(self, text: str) -> None:
        if self._is_async:
            asyncio.run(self._chat_async(text))
        else:
            self._user.initiate_chat(self._agent, message=text, clear_history=False)

    async def _chat_async(self, text: str) -> None:
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
        members = [self._user, self._agent]
        if isinstance(self._agent, GroupChatManager):
            members += [agent for agent in self._agent.groupchat.agents if agent is not self._user]
        return members

    @property
    def _is_async(self) -> bool:
        """Agents that bring coroutines of their own to answer or to ask with; AG2 leaves those out of other chats."""
        return any(
            type(agent).a_get_human_input is not ConversableAgent.a_get_human_input
            or any(
                inspect.iscoroutinefunction(reply["reply_func"]) and not reply["ignore_async_in_sync_chat"]
                for reply in agent._reply_func_list
            )
            for agent in self._members()
        )

    def _prepare(self, agent: ConversableAgent) -> None:
        """Let us know who speaks and asks, keep broken text out of the histories, and guard the tools."""
        agent.register_hook("safeguard_llm_inputs", functools.partial(self._call_begins, agent.name))
        agent.register_hook("safeguard_llm_outputs", self._call_ended)
        agent.register_hook("process_message_before_send", _cleaned)
        agent.register_hook("process_all_messages_before_reply", self._fitting)
        tools = {n: guarded(n, tool, self._approve, lambda: self._stream) for n, tool in agent.function_map.items()}
        agent.register_function(tools, silent_override=True)
        for method in ("get_human_input", "a_get_human_input"):  # AG2 says that these are there to be overridden
            setattr(agent, method, self._asked_by(agent.name, getattr(agent, method)))

    def _asked_by(self, name: str, ask: Callable[..., Any]) -> Callable[..., Any]:
        @functools.wraps(ask)
        def asked(*args: Any, **kwargs: Any) -> Any:
            if self._stream is not None:
                self._stream.asking = name
            return ask(*args, **kwargs)

        return asked

    def _fitting(self, messages: list[Message]) -> list[Message]:
        return fit(messages, self._context_tokens)

    def _call_begins(self, sender: str, messages: Any) -> Any:
        if self._stream is not None:
            self._stream.begin_message(sender)
        return messages

    def _call_ended(self, response: Any) -> Any:
        if self._stream is not None:
            self._stream.end_message()
        return response

    def _usage(self) -> _Usage:
        readings = [reading for agent in self._members() if (reading := agent.get_total_usage())]
        models = [model for reading in readings for model in reading.values() if isinstance(model, dict)]
        return _Usage(
            sum(model.get("prompt_tokens", 0) for model in models),
            sum(model.get("completion_tokens", 0) for model in models),
            sum(reading.get("total_cost", 0.0) for reading in readings),
        )

    # What the agents remember

    @property
    def _history(self) -> list[Message]:
        if isinstance(self._agent, GroupChatManager):
            return self._agent.groupchat.messages  # type: ignore[no-any-return]
        return self._agent.chat_messages[self._user]  # type: ignore[no-any-return]

    def _restore(self, messages: list[Message]) -> None:
        messages = list(messages)  # may be the very history that is filled anew
        if isinstance(self._agent, GroupChatManager):
            for agent in self._members():
                for history in agent.chat_messages.values():
                    history.clear()
            self._agent.groupchat.messages.clear()
            for message in messages:
                self._tell_everyone(message)
        else:
            self._agent.chat_messages[self._user][:] = messages
            self._mirror()

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

    def _recalled(self, memory: dict[str, Any]) -> list[Message]:
        """A turn's messages from the store, closed if the server went down before the turn had ended."""
        messages: list[Message] = memory["messages"]
        return messages if memory["has_ended"] else self._closed(messages, Partial("", ""), "interrupted")

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


def can_go_on(memory: str) -> bool:
    """A turn with this memory, left waiting for an answer, can be brought back to its question."""
    return json.loads(memory).get("journal") is not None


class _ContextExecutor(ThreadPoolExecutor):
    """AG2 makes the model calls of an asynchronous chat in threads, in which our stop token must be known, too."""

    def submit(self, fn: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Future[Any]:
        return super().submit(contextvars.copy_context().run, fn, *args, **kwargs)


@contextlib.contextmanager
def _in_force(stream: TurnStream, token: StopToken) -> Iterator[None]:
    """What AG2, tools and models find by their context: where to write, when to stop, what was said before."""
    stop = stopping.current.set(token)
    calls = transport.current.set(stream)
    replay = journal.current.set(stream.journal)
    try:
        with IOStream.set_default(stream):
            yield
    finally:
        stopping.current.reset(stop)
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
    if isinstance(message, dict) and isinstance(message.get("content"), str):
        return {**message, "content": clean(message["content"])}
    return message


def _has_open_calls(messages: list[Message]) -> bool:
    """Models refuse a history in which a call has no result. Who answers AG2 with `exit` leaves one, too."""
    return bool(messages and messages[-1].get("tool_calls"))


def _unanswered(call: Message, executor: str, note: str) -> Message:
    responses = [{"tool_call_id": c["id"], "role": "tool", "content": note} for c in call["tool_calls"]]
    content = "\n\n".join(response["content"] for response in responses)
    return {"role": "tool", "name": executor, "content": content, "tool_responses": responses}
