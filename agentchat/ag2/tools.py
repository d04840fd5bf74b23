"""Wraps the tools of agents: asks for a person's yes, replays results, and lets a stop leave a tool behind."""

from __future__ import annotations

import asyncio
import contextlib
import functools
import inspect
import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from autogen.agentchat.group import ReplyResult
from autogen.tools import serialize_to_str
from pydantic import BaseModel

from agentchat import cancellation, measures
from agentchat.ag2 import scope, stored_values
from agentchat.ag2.console import Console
from agentchat.ag2.model_output import ModelOutput
from agentchat.ag2.scope import Scope
from agentchat.ag2.stored_values import NotKept, NotRestored
from agentchat.ag2.tool_slots import ToolSlots
from agentchat.approval import approver, needs_yes
from agentchat.cancellation import Stopped
from agentchat.journal import Journal
from agentchat.protocol.errors import ChatError
from agentchat.protocol.events import clean, pictures_in
from agentchat.protocol.questions import Answer

Tool = Callable[..., Any]

_GUARDED = "is_guarded"


class Variables(Protocol):
    """The values that agents share beside their messages, which tools change."""

    def variables(self) -> dict[str, Any]:
        """Return all of them as JSON values, or {} if none has changed. Raises ChatError if one cannot be kept."""

    def bring_back(self, variables: Mapping[str, Any]) -> None:
        """Give them the values that they had when `variables` returned this."""


class ToolHost(Protocol):
    """The part of the running turn that its tools need."""

    journal: Journal
    approvals: str
    """The setting `approve`."""
    result_chars: int
    """The setting of that name."""
    model_output: ModelOutput
    console: Console
    tool_slots: ToolSlots

    @property
    def history(self) -> Variables:
        """The values that agents share."""

    def approve(self, tool: str, arguments: Mapping[str, Any], by: str = "") -> Answer:
        """Ask whether the tool may run, and wait for the answer of somebody with the role `by`, if there is one."""


class Denied(Exception):
    """Raised when a person says no. AG2 makes it the tool's result."""


def is_guarded(tool: Tool) -> bool:
    """Return True for a tool that `wrap_tool` has returned."""
    return getattr(tool, _GUARDED, False)


def wrap_tool(name: str, tool: Tool, turn: Callable[[], ToolHost | None]) -> Tool:
    """Return the tool as agents may call it. `turn` returns the running turn, if any."""
    stoppable = _stoppable(tool)
    is_async = inspect.iscoroutinefunction(tool)

    @functools.wraps(tool)
    def run(*args: Any, **kwargs: Any) -> Any:
        running = turn()
        if running is None:
            return stoppable(*args, **kwargs)
        if is_async and scope.current.get().awaits:
            return run_in_loop(running, args, kwargs)
        answer = _allowed(running, name, tool, kwargs)
        with _called(running):
            call = _in_slot(running, name, _bound(stoppable, answer, args, kwargs))
            result = recorded(running, name, lambda: _short(call, running.result_chars))
        return _told(result, answer)

    async def run_in_loop(running: ToolHost, args: Any, kwargs: Any) -> Any:
        """Call the tool in the event loop of its chat, to which the tool's connections may belong."""
        answer = await asyncio.to_thread(_allowed, running, name, tool, kwargs)
        with _called(running), _recording(running, name) as record:
            if not record.is_replayed:
                async with running.tool_slots.running_async(running):
                    call = _bound(tool, answer, args, kwargs)
                    with _measured(name, call) as span, _short_errors(running.result_chars):
                        result = await call()
                        _keep_words(span, result)
                    record.result = _cut(result, running.result_chars)
        return _told(record.result, answer)

    vars(run)[_GUARDED] = True
    return run


def _allowed(running: ToolHost, name: str, tool: Tool, arguments: Mapping[str, Any]) -> Answer | None:
    """Return the person's answer, or None if nobody has to be asked. Raises Denied."""
    answer = running.approve(name, arguments, approver(tool)) if needs_yes(tool, running.approvals) else None
    if answer is not None and answer.text == "deny":
        reason = f": {answer.reason}" if answer.reason else ""
        raise Denied(f"The person did not allow this call{reason}. Do not try it again unless they ask for it.")
    return answer


@contextlib.contextmanager
def _called(running: ToolHost) -> Iterator[None]:
    """Attribute what is said during the call to a chat that the caller holds."""
    here = scope.current.get()
    caller = here.caller or here.within
    with scope.at(Scope(within=caller, caller=caller, call=here.call, level=here.level)):
        yield
    running.console.flush()
    running.model_output.release(about={"within": caller})


def _bound(tool: Tool, answer: Answer | None, args: Any, kwargs: Any) -> functools.partial[Any]:
    """Return the call with the model's arguments, or those that the person has changed."""
    if answer is None or answer.arguments is None:
        return functools.partial(tool, *args, **kwargs)
    return functools.partial(tool, **answer.arguments)


def _short(call: Callable[[], Any], limit: int) -> Any:
    """Return or raise the result of the call, cut if it has more than `limit` characters."""
    with _short_errors(limit):
        result = call()
    return _cut(result, limit)


@contextlib.contextmanager
def _short_errors(limit: int) -> Iterator[None]:
    """Replace an error of which the model would be told more than `limit` characters."""
    try:
        yield
    except Exception as error:
        text = str(error)
        if not limit or len(text) <= limit:
            raise
        raise RuntimeError(_cut(text, limit)) from None


def _cut(result: Any, limit: int) -> Any:
    """Return a result, or the beginning of what the model would be told if that has more than `limit` characters.

    Pictures are not counted.
    """
    if not limit:
        return result
    if pictures_in(result):
        return _cut_texts(result, limit)
    if isinstance(result, ReplyResult):
        return result.model_copy(update={"message": _cut(result.message, limit)})
    if not isinstance(result, (str, dict, list, tuple, set, BaseModel)):
        return result
    text = serialize_to_str(result)
    if len(text) <= limit:
        return result
    return f"{text[:limit]}\n[… The result has {len(text):,} characters; this is the beginning. Ask for less.]"


def _cut_texts(parts: Sequence[Any], limit: int) -> list[Any]:
    """Return the parts of a result with pictures, with `limit` characters of all their texts."""
    short, room = [], limit
    for part in parts:
        text = part if isinstance(part, str) else part.get("text") if isinstance(part, dict) else None
        if not isinstance(text, str):
            short.append(part)
        elif room:
            short.append(_cut(text, room) if part is text else {**part, "text": _cut(text, room)})
            room = max(room - len(text), 0)
    return short


def _in_slot(running: ToolHost, name: str, call: functools.partial[Any]) -> Callable[[], Any]:
    """Return the call, which waits while too many tools run, and is measured from its start."""

    def run() -> Any:
        with running.tool_slots.running(running), _measured(name, call) as span:
            result = call()
            _keep_words(span, result)
            return result

    return run


@contextlib.contextmanager
def _measured(name: str, call: functools.partial[Any]) -> Iterator[measures.Span]:
    """Measure a call during the context."""
    turn, id = measures.current.get(), scope.current.get().call.get("call_id")
    with turn.tool_call(name, str(id or "")) as span:
        if span.has_words:
            arguments = json.dumps(call.keywords or list(call.args), ensure_ascii=False, default=str)
            span.add({"gen_ai.tool.call.arguments": turn.redact(arguments)})
        yield span


def _keep_words(span: measures.Span, result: Any) -> None:
    if span.has_words:
        said = result.message if isinstance(result, ReplyResult) else result
        span.add({"gen_ai.tool.call.result": measures.current.get().redact(clean(serialize_to_str(said)))})


def _told(result: Any, answer: Answer | None) -> Any:
    """Return the result, with the person's changes if it is text."""
    if answer is None or answer.arguments is None or not isinstance(result, str):
        return result
    changed = json.dumps(answer.arguments, ensure_ascii=False)
    return f"[The person changed the arguments to {changed}.]\n{result}"


def recorded(turn: ToolHost, name: str, call: Callable[[], Any]) -> Any:
    """Return or raise the result of the call, from the journal if it is there. A call that broke off is repeated."""
    with _recording(turn, name) as record:
        if not record.is_replayed:
            record.result = call()
    return record.result


@dataclass
class _Record:
    """The result of a tool call. `is_replayed` is true if it came from the journal."""

    result: Any = None
    is_replayed: bool = False


@contextlib.contextmanager
def _recording(turn: ToolHost, name: str) -> Iterator[_Record]:
    """Take the result of a call from the journal, or record the result or the error that the context makes."""
    journal = turn.journal
    if journal.next_is("tool"):
        entry = journal.replay("tool", name) or {}
        yield _Record(_replayed(turn, entry), is_replayed=True)
        return
    start = journal.position
    if journal.replay("tool begun", name) is None:
        journal.record("tool begun", name)
    record = _Record()
    with journal.holding():
        try:
            yield record
        except Exception as error:
            journal.record("tool", name, since=start, error=str(error), **_kept_variables(turn))
            raise
    try:
        kept = stored_values.to_json(record.result)
    except NotKept:
        kept, journal.is_complete = None, False
    journal.record("tool", name, since=start, result=kept, **_kept_variables(turn))


def _replayed(turn: ToolHost, entry: Mapping[str, Any]) -> Any:
    turn.history.bring_back(entry.get("variables") or {})
    if "error" in entry:
        raise RuntimeError(entry["error"])
    try:
        return stored_values.from_json(entry["result"])
    except NotRestored as error:
        raise Stopped("failed", ChatError("not_resumed")) from error


def _kept_variables(turn: ToolHost) -> dict[str, Any]:
    """Return what a call changed beside its result, for the journal, which is incomplete if that cannot be kept."""
    try:
        changed = turn.history.variables()
    except ChatError:
        turn.journal.is_complete = False
        return {}
    return {"variables": changed} if changed else {}


def _stoppable(tool: Tool) -> Tool:
    """Return the tool running in a thread of its own, so that stopping the turn need not wait for it."""
    is_async = inspect.iscoroutinefunction(tool)

    def run(*args: Any, **kwargs: Any) -> Any:
        def call() -> Any:
            return cancellation.run_async(tool(*args, **kwargs)) if is_async else tool(*args, **kwargs)

        try:
            return cancellation.call(call, f"tool-{tool.__name__}")
        except (Stopped, Exception):
            raise
        except BaseException as error:  # SystemExit, CancelledError: AG2 only handles Exceptions
            raise RuntimeError(f"{type(error).__name__}: {error}") from error

    return run
