"""A conversation with a pair of AG2 agents, which can be stopped and restored.

`Conversation.run` is called once per turn, in the turn's own thread; iostream.py takes what AG2 writes meanwhile.
"""

from __future__ import annotations

import asyncio
import contextlib
import contextvars
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

from agentchat import cancellation, journal
from agentchat.ag2.catalogue import Pair
from agentchat.ag2.history import History, TurnHistory
from agentchat.ag2.iostream import TurnStream
from agentchat.ag2.tools import wrap_tool
from agentchat.ag2.turn_output import TurnOutput
from agentchat.ag2.usage import Usage
from agentchat.cancellation import Stopped, StopToken
from agentchat.chat import Chat
from agentchat.journal import Journal
from agentchat.models import context_window, transport
from agentchat.models.sanitize import without_pictures
from agentchat.protocol.errors import ChatError
from agentchat.protocol.events import clean

log = logging.getLogger(__name__)

Message = dict[str, Any]

_LAST = 1_000_000  # a position behind all of AG2's own reply functions; register_reply inserts


@dataclass(frozen=True)
class Outcome:
    """The end of a turn. `history` is what the agents keep of it."""

    status: str
    summary: str
    usage: Mapping[str, Any]
    history: str | None
    error: ChatError | None = None
    code_changes: Sequence[Mapping[str, str]] = ()


@dataclass(frozen=True)
class Limits:
    """The settings of these names."""

    context_tokens: int = 0
    answer_chars: int = 0


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
        limits: Limits | None = None,
    ) -> None:
        """Prepare the agents and restore what they knew.

        `histories` are those of the turns that count, oldest first. `explain` puts the error of a model call into
        words. `approve` is the setting of that name.
        """
        self._user, self._agent = pair
        self._chat = chat
        self._explain = explain
        self._has_price = has_price
        self._approve = approve
        self._limits = limits or Limits()
        self._stream: TurnStream | None = None
        self._all_agents = self._find_agents()
        for agent in self._all_agents:
            self._prepare(agent)
        self._user.register_reply([Agent, None], _end_turn, position=_LAST)
        self._history = History(pair, self._all_agents)
        self._history.restore([json.loads(history) for history in histories])

    def run(self, text: str, turn: TurnOutput, token: StopToken, history: str | None = None) -> Outcome:
        """Let the agents answer `text`. Never raises: whatever happens becomes the outcome.

        With the `history` of a turn that was left waiting for an answer, they resume that turn.
        """
        replay = Journal(json.loads(history)["journal"] if history else None)
        usage = Usage(self._has_price)
        stream = self._stream = TurnStream(
            turn,
            token,
            self._user.name,
            TurnHistory(self._history),
            replay,
            usage,
            self._agent.name,
            self._limits.answer_chars,
        )
        self._begin_changes(is_resumed=history is not None)
        status, failure = "completed", None
        try:
            with _in_force(stream, token, self._limits.context_tokens), self._chat.in_turn(stream):
                self._talk(clean(text))
                replay.check_end()
        except Stopped as stopped:
            status, failure = stopped.reason, stopped.error
        except BaseException as error:  # noqa: BLE001 - AG2, the model and the agent file may raise anything
            status, failure = "failed", self._explained(error, stream)
        finally:
            stream.model_output.close()
            self._stream = None
        if status == "suspended":  # the next server resumes from what was stored with the question
            return Outcome(status, "", usage.content, None)
        if status != "completed" or self._history.has_open_calls:
            self._history.close(stream.keep_partial(), status)
        history = stream.history.ended()
        return Outcome(status, stream.summary, usage.content, history, failure, self._changes())

    def _begin_changes(self, is_resumed: bool) -> None:
        try:
            self._chat.changes.begin(is_resumed)
        except OSError:
            log.exception("The changes of this turn to the workspace may be reported wrongly")

    def _changes(self) -> Sequence[Mapping[str, str]]:
        try:
            return self._chat.changes.take()
        except (OSError, ChatError):
            log.exception("The changes of the turn to the workspace cannot be reported")
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

    def _choose_first(self) -> None:
        """Let the last speaker go on. AG2's patterns let their first agent begin once, whatever was said before."""
        if not isinstance(self._agent, GroupChatManager):
            return
        state = _enclosed(self._agent.groupchat.speaker_selection_method, "state")
        if isinstance(state, dict) and "use_initial_agent" in state:
            members = {agent.name for agent in self._agent.groupchat.agents} - {self._user.name}
            state["use_initial_agent"] = not any(message.get("name") in members for message in self._history.messages)

    def _explained(self, error: BaseException, stream: TurnStream) -> ChatError:
        ours = error if isinstance(error, ChatError) else error.__cause__  # the openai package wraps what it meets
        if isinstance(ours, ChatError):
            return ours
        if stream.model_output.is_calling and isinstance(error, Exception):
            explained = self._explain(error)
            log.warning("A model call failed: %s", explained.message)
            log.debug("The failed model call", exc_info=True)
            return explained
        log.exception("The agent failed")
        return ChatError("agent_failed", error=type(error).__name__)

    # The agents

    def _find_agents(self) -> list[ConversableAgent]:
        """Return all agents that may speak, those of nested chats included."""
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
        """True if agents bring coroutines of their own to answer or ask with; AG2 skips those in synchronous chats."""
        return any(
            type(agent).a_get_human_input is not ConversableAgent.a_get_human_input
            or any(
                inspect.iscoroutinefunction(reply["reply_func"]) and not reply["ignore_async_in_sync_chat"]
                for reply in agent._reply_func_list
            )
            for agent in self._all_agents
        )

    def _prepare(self, agent: ConversableAgent) -> None:
        """Register the hooks that tell us who speaks and asks, and wrap its messages and tools."""
        agent.register_hook("safeguard_llm_inputs", functools.partial(self._begin_message, agent.name))
        agent.register_hook("safeguard_llm_outputs", self._end_message)
        agent.register_hook("process_message_before_send", _cleaned)
        agent.register_hook("process_all_messages_before_reply", without_pictures)
        tools = {n: wrap_tool(n, tool, self._approve, lambda: self._stream) for n, tool in agent.function_map.items()}
        agent.register_function(tools, silent_override=True)
        for reply in agent._reply_func_list:
            if _partners(reply["reply_func"]):
                reply["reply_func"] = self._nested(agent.name, reply["reply_func"])
            if isinstance(reply["config"], GroupChat):  # AG2 fails to serialise these events
                reply["config"].select_speaker_auto_verbose = False
        for method in ("get_human_input", "a_get_human_input"):  # documented by AG2 as meant to be overridden
            setattr(agent, method, self._asked_by(agent.name, getattr(agent, method)))

    def _nested(self, name: str, reply: Callable[..., Any]) -> Callable[..., Any]:
        """Wrap a reply function that first holds a nested chat with other agents."""

        @functools.wraps(reply)
        def nested_reply(*args: Any, **kwargs: Any) -> Any:
            with self._stream.nested(name) if self._stream is not None else contextlib.nullcontext():
                return reply(*args, **kwargs)

        @functools.wraps(reply)
        async def nested_reply_async(*args: Any, **kwargs: Any) -> Any:
            with self._stream.nested(name) if self._stream is not None else contextlib.nullcontext():
                return await reply(*args, **kwargs)

        return nested_reply_async if inspect.iscoroutinefunction(reply) else nested_reply

    def _asked_by(self, name: str, ask: Callable[..., Any]) -> Callable[..., Any]:
        @functools.wraps(ask)
        def asked(*args: Any, **kwargs: Any) -> Any:
            if self._stream is not None:
                self._stream.asking = name
            return ask(*args, **kwargs)

        return asked

    def _begin_message(self, sender: str, messages: Any) -> Any:
        if self._stream is not None:
            self._stream.begin_message(sender)
        return messages

    def _end_message(self, response: Any) -> Any:
        if self._stream is not None:
            self._stream.model_output.end_message()
        return response


class _ContextExecutor(ThreadPoolExecutor):
    """Gives our context variables to the threads in which AG2 makes the model calls of an asynchronous chat."""

    def submit(self, fn: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Future[Any]:
        return super().submit(contextvars.copy_context().run, fn, *args, **kwargs)


@contextlib.contextmanager
def _in_force(stream: TurnStream, token: StopToken, context_tokens: int) -> Iterator[None]:
    """Set the context variables by which AG2, tools and models find the turn, its stop token and its journal."""
    stop = cancellation.current.set(token)
    calls = transport.current.set(stream.model_output)
    replay = journal.current.set(stream.journal)
    setting = context_window.setting.set(context_tokens)
    try:
        with IOStream.set_default(stream):
            yield
    finally:
        cancellation.current.reset(stop)
        transport.current.reset(calls)
        journal.current.reset(replay)
        context_window.setting.reset(setting)


def _end_turn(recipient: ConversableAgent, messages: Any, sender: Any, config: Any) -> tuple[bool, str | None]:
    """End the turn by not replying to the agent's text. AG2 would send empty messages, up to a hundred."""
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
    """Return the agents of the nested chats that a reply function holds, which AG2 keeps in a closure."""
    chats = _enclosed(reply, "chat_queue") or []
    return [chat[role] for chat in chats for role in ("sender", "recipient") if chat.get(role) is not None]


def _enclosed(function: Any, name: str) -> Any:
    """Return the variable of that name in a function's closure, where AG2 keeps what it exposes nowhere else."""
    names = function.__code__.co_freevars if inspect.isfunction(function) else ()
    return function.__closure__[names.index(name)].cell_contents if name in names else None
