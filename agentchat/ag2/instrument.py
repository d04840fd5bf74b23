"""The only place that patches AG2's agents, so that whatever speaks in a turn is heard, guarded and stopped.

Programs make agents at run time, hold chats in reply functions, in tools and in threads: no structure tells beforehand
who will speak. So the methods through which every agent works are wrapped once per process; outside turns they do what
they always did.
"""

from __future__ import annotations

import contextlib
import functools
import inspect
import logging
import queue
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

from autogen import ConversableAgent, GroupChat, GroupChatManager
from autogen.agentchat.group.group_tool_executor import GroupToolExecutor
from autogen.events import base_event
from autogen.events.agent_events import ErrorEvent, InputRequestEvent, RunCompletionEvent
from autogen.io.base import IOStream
from autogen.io.processors import AsyncConsoleEventProcessor, ConsoleEventProcessor
from autogen.io.thread_io_stream import AsyncThreadIOStream, ThreadIOStream
from autogen.logger import file_logger

from agentchat import cancellation, inheritance
from agentchat.ag2 import code_execution, console, events, named_pictures, scope, tool_models
from agentchat.ag2 import iostream as streams
from agentchat.ag2.iostream import NullStream, TurnStream
from agentchat.ag2.own_tools import carry_out_in_group, lend
from agentchat.ag2.shapes import groups_of
from agentchat.ag2.tools import is_guarded, wrap_tool
from agentchat.models.sanitize import without_pictures
from agentchat.protocol.events import clean

Message = dict[str, Any]
Method = Callable[..., Any]
Around = Callable[[TurnStream, Any, Mapping[str, Any]], contextlib.AbstractContextManager[None]]

_ENDS = "exit"  # AG2's word for the end of a chat

_TALKS = "_agentchat_talks"  # set on agents for which a person talks within a run

_NOT_SAID = (InputRequestEvent, RunCompletionEvent, ErrorEvent)  # between AG2's `run` and its caller


def install() -> None:
    """Patch AG2, threads and the console. Calling it again has no effect."""
    console.install(streams.current.get)
    inheritance.install()
    IOStream.set_global_default(NullStream())
    if hasattr(ConversableAgent.generate_reply, "__wrapped__"):
        return
    code_execution.install()
    tool_models.install()
    events.install()
    named_pictures.install()
    for name in ("generate_reply", "a_generate_reply"):
        _wrap(ConversableAgent, name, _replying, _reply)
    for name in ("initiate_chat", "a_initiate_chat"):
        _wrap(ConversableAgent, name, _initiating)
    for name in ("receive", "a_receive"):
        _wrap(ConversableAgent, name, lambda *_: scope.moved(is_in_chat=True))
    _wrap(ConversableAgent, "execute_function", _executing)
    _wrap(ConversableAgent, "a_execute_function", functools.partial(_executing, awaits=True))
    _wrap(ConversableAgent, "_create_or_get_executor", _no_change, _run_with_person)
    for name in ("select_speaker_msg", "select_speaker_prompt"):
        _hide_inner_members(name)
    for name in ("get_human_input", "a_get_human_input"):
        _answer_at_end(name)
    _change_result(ConversableAgent, "_process_message_before_send", _cleaned)
    _change_result(ConversableAgent, "process_all_messages_before_reply", without_pictures)
    for stream in (ThreadIOStream, AsyncThreadIOStream):
        _tee(stream)
    _answer_at_ends()
    _make_stoppable(ThreadIOStream)
    logging.getLogger(file_logger.__name__).propagate = False  # what a program logs to its file
    for event_class in base_event.get_event_classes().values():
        event_class.print = _shown_already(event_class.print)


# Replies


@contextlib.contextmanager
def _replying(stream: TurnStream, agent: ConversableAgent, arguments: Mapping[str, Any]) -> Any:
    """Attribute models that are called to this agent, and what others say meanwhile to a chat that it holds."""
    sender, messages = arguments.get("sender"), arguments.get("messages")
    if messages is None:
        messages = agent.chat_messages[sender] if sender is not None else []
    answered = messages[-1] if messages else {}
    partner = sender.last_speaker if isinstance(sender, GroupChatManager) else sender
    is_manager = isinstance(agent, GroupChatManager)
    if is_manager:
        _prepare(agent)
    if answered.get("tool_calls") or answered.get("function_call"):
        if isinstance(partner, ConversableAgent) and partner is not agent:
            lend(partner, agent, [call.get("function", {}).get("name") for call in answered.get("tool_calls") or ()])
        _guard_tools(agent)
    here = scope.current.get()
    name = events.nesting_agent(agent.name)
    with scope.at(
        replace(
            here,
            within=here.within if is_manager else name,
            agent=name,
            level=here.within,
            answered=answered,
            caller=events.nesting_agent(partner.name) if partner is not None else "",
            is_in_chat=is_manager,
        )
    ):
        yield
    if not is_manager:
        stream.model_output.release(about={"within": name})
    if not here.is_in_chat:
        stream.say_reply(name, here.about)


def _reply(agent: ConversableAgent, arguments: Mapping[str, Any], reply: Any) -> Any:
    """Return the reply, or None, which ends a chat, for the empty one of an agent without a model.

    AG2 would send it up to a hundred times, and the other agent would answer each time.
    """
    is_in_group = isinstance(arguments.get("sender"), GroupChatManager)
    return None if reply == "" and agent.client is None and not is_in_group else reply


def _prepare(manager: GroupChatManager) -> None:
    for group in groups_of(manager):
        group.select_speaker_auto_verbose = False  # AG2 fails to serialise these events
    if not any(isinstance(agent, GroupToolExecutor) for agent in manager.groupchat.agents):
        carry_out_in_group(manager.groupchat)


def _guard_tools(agent: ConversableAgent) -> None:
    for name, tool in agent._function_map.items():
        if not is_guarded(tool):
            agent._function_map[name] = wrap_tool(name, tool, streams.current.get)


def _initiating(
    stream: TurnStream, agent: ConversableAgent, arguments: Mapping[str, Any]
) -> contextlib.AbstractContextManager[None]:
    level = scope.current.get().within
    return scope.moved(agent="", answered={}, initiator=agent.name, level=level, is_in_chat=True)


def _executing(
    stream: TurnStream, agent: ConversableAgent, arguments: Mapping[str, Any], awaits: bool = False
) -> contextlib.AbstractContextManager[None]:
    call = arguments["func_call"]
    _guard_tools(agent)
    return scope.moved(call={"call_id": arguments.get("call_id"), "func_name": call.get("name")}, awaits=awaits)


@contextlib.contextmanager
def _run_with_person(agent: ConversableAgent, arguments: Mapping[str, Any], executors: Any) -> Any:
    """Mark the executor of a `run(user_input=True)`, in which the person talks until they end it."""
    with executors as executor:
        vars(executor)[_TALKS] = arguments.get("agent_human_input_mode") == "ALWAYS"
        yield executor


def _hide_inner_members(name: str) -> None:
    """Keep AG2's own members of a group from being offered to a model that chooses the next speaker."""
    say = getattr(GroupChat, name)

    @functools.wraps(say)
    def said(group: GroupChat, agents: list[Any] | None = None) -> Any:
        offered = group.agents if agents is None else agents
        return say(group, [agent for agent in offered if not events.is_inner_member(agent.name)])

    setattr(GroupChat, name, said)


def _answer_at_end(name: str) -> None:
    """Let the turn end where AG2 would ask for the person's next message."""
    ask = getattr(ConversableAgent, name)

    def answer(agent: ConversableAgent, prompt: str) -> str | None:
        stream = streams.current.get()
        if stream is None or vars(agent).get(_TALKS) or not stream.ends_here():
            return None
        known = "" if _would_run_code(agent) else _ENDS
        if isinstance(IOStream.get_default(), (ThreadIOStream, AsyncThreadIOStream)):
            stream.answers[prompt] = known
            return None  # the program may answer itself
        return known

    if inspect.iscoroutinefunction(ask):

        @functools.wraps(ask)
        async def asked_async(agent: ConversableAgent, prompt: str, **kwargs: Any) -> Any:
            known = answer(agent, prompt)
            return known if known is not None else await ask(agent, prompt, **kwargs)

        setattr(ConversableAgent, name, asked_async)
        return

    @functools.wraps(ask)
    def asked(agent: ConversableAgent, prompt: str, **kwargs: Any) -> Any:
        known = answer(agent, prompt)
        return known if known is not None else ask(agent, prompt, **kwargs)

    setattr(ConversableAgent, name, asked)


def _would_run_code(agent: ConversableAgent) -> bool:
    content = scope.current.get().answered.get("content")
    return agent._code_execution_config is not False and isinstance(content, str) and "```" in content


def _cleaned(message: Any) -> Any:
    if isinstance(message, str):
        return clean(message)
    if isinstance(message, dict):
        results = message.get("tool_responses")
        more = {"tool_responses": [_clean_content(result) for result in results]} if results else {}
        return _clean_content({**message, **more})
    return message


def _clean_content(message: Message) -> Message:
    return {**message, "content": clean(message["content"])} if isinstance(message.get("content"), str) else message


# Runs: AG2's `run` and `run_group_chat` work in a thread and pass their events to the caller in a queue


def _answer_at_ends() -> None:
    """Let AG2's own way to process a run end it where a chat would end."""
    answer, answer_async = ConsoleEventProcessor.process_event, AsyncConsoleEventProcessor.process_event

    def known(event: Any) -> str | None:
        turn = streams.current.get()
        if turn is None or not isinstance(event, InputRequestEvent):
            return None
        return turn.answers.pop(event.content.prompt, None)

    @functools.wraps(answer)
    def answered(processor: Any, event: Any) -> None:
        end = known(event)
        answer(processor, event) if end is None else event.content.respond(end)

    @functools.wraps(answer_async)
    async def answered_async(processor: Any, event: Any) -> None:
        end = known(event)
        await (answer_async(processor, event) if end is None else event.content.respond(end))

    ConsoleEventProcessor.process_event = answered
    AsyncConsoleEventProcessor.process_event = answered_async


def _tee(stream_class: type[Any]) -> None:
    send = stream_class.send

    @functools.wraps(send)
    def send_both(stream: Any, message: Any) -> None:
        turn = streams.current.get()
        if turn is not None and not isinstance(message, _NOT_SAID):
            turn.send(message)
        send(stream, message)

    stream_class.send = send_both


def _make_stoppable(stream_class: type[Any]) -> None:
    begin = stream_class.__init__

    @functools.wraps(begin)
    def begin_stoppable(stream: Any, *args: Any, **kwargs: Any) -> None:
        begin(stream, *args, **kwargs)
        if streams.current.get() is not None:
            stream._input_stream, stream._output_stream = _StoppableQueue(), _StoppableQueue()

    stream_class.__init__ = begin_stoppable


class _StoppableQueue(queue.Queue[Any]):
    """A queue on which nobody waits any longer once the turn is stopped."""

    def get(self, block: bool = True, timeout: float | None = None) -> Any:
        """Return the next item. Raises queue.Empty and Stopped."""
        with cancellation.current.get().interruptible(functools.partial(self.put, None)):
            return super().get(block, timeout)


def _shown_already(event_print: Callable[..., None]) -> Callable[..., None]:
    """Keep programs that print the events of a run from showing them again."""

    @functools.wraps(event_print)
    def printed(event: Any, *args: Any, **kwargs: Any) -> None:
        if streams.current.get() is None:
            event_print(event, *args, **kwargs)

    return printed


# Wrapping


def _wrap(
    owner: type[Any], name: str, around: Around, result: Callable[[Any, Mapping[str, Any], Any], Any] | None = None
) -> None:
    """Wrap a method: during a turn it runs in the context `around`, and `result` changes what it returns."""
    method: Method = getattr(owner, name)
    signature = inspect.signature(method)

    def bound(agent: Any, args: Any, kwargs: Any) -> Mapping[str, Any]:
        return signature.bind(agent, *args, **kwargs).arguments

    if inspect.iscoroutinefunction(method):

        @functools.wraps(method)
        async def wrapped_async(agent: Any, *args: Any, **kwargs: Any) -> Any:
            stream = streams.current.get()
            if stream is None:
                return await method(agent, *args, **kwargs)
            arguments = bound(agent, args, kwargs)
            with around(stream, agent, arguments):
                returned = await method(agent, *args, **kwargs)
            return result(agent, arguments, returned) if result is not None else returned

        setattr(owner, name, wrapped_async)
        return

    @functools.wraps(method)
    def wrapped(agent: Any, *args: Any, **kwargs: Any) -> Any:
        stream = streams.current.get()
        if stream is None:
            return method(agent, *args, **kwargs)
        arguments = bound(agent, args, kwargs)
        with around(stream, agent, arguments):
            returned = method(agent, *args, **kwargs)
        return result(agent, arguments, returned) if result is not None else returned

    setattr(owner, name, wrapped)


def _change_result(owner: type[Any], name: str, change: Callable[[Any], Any]) -> None:
    """Change what a method returns during a turn."""
    _wrap(owner, name, _no_change, lambda agent, arguments, returned: change(returned))


def _no_change(*_: Any) -> contextlib.AbstractContextManager[None]:
    return contextlib.nullcontext()
