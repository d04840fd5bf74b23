"""Wraps the tools of agents: asks for a person's yes, replays results, and lets a stop leave a tool behind."""

from __future__ import annotations

import functools
import inspect
import json
from collections.abc import Callable, Mapping
from typing import Any, Protocol

from autogen.agentchat.group import AgentNameTarget, ReplyResult

from agentchat import cancellation
from agentchat.ag2 import scope
from agentchat.ag2.model_output import ModelOutput
from agentchat.ag2.scope import Scope
from agentchat.approval import needs_yes
from agentchat.cancellation import Stopped
from agentchat.journal import Journal
from agentchat.protocol.questions import Answer

Tool = Callable[..., Any]

_GUARDED = "is_guarded"


class ToolHost(Protocol):
    """The part of the running turn that its tools need."""

    journal: Journal
    approvals: str
    """The setting `approve`."""
    model_output: ModelOutput

    def approve(self, tool: str, arguments: Mapping[str, Any]) -> Answer:
        """Ask whether the tool may run, and wait for the answer."""


class Denied(Exception):
    """Raised when a person says no. AG2 makes it the tool's result."""


def is_guarded(tool: Tool) -> bool:
    """Return True for a tool that `wrap_tool` has returned."""
    return getattr(tool, _GUARDED, False)


def wrap_tool(name: str, tool: Tool, turn: Callable[[], ToolHost | None]) -> Tool:
    """Return the tool as agents may call it. `turn` returns the running turn, if any."""
    stoppable = _stoppable(tool)

    @functools.wraps(tool)
    def run(*args: Any, **kwargs: Any) -> Any:
        running = turn()
        if running is None:
            return stoppable(*args, **kwargs)
        answer = running.approve(name, kwargs) if needs_yes(tool, running.approvals) else None
        if answer is not None and answer.text == "deny":
            reason = f": {answer.reason}" if answer.reason else ""
            raise Denied(f"The person did not allow this call{reason}. Do not try it again unless they ask for it.")
        here = scope.current.get()
        caller = here.caller or here.within
        with scope.at(Scope(within=caller, caller=caller, call=here.call, level=here.level)):
            if answer is None or answer.arguments is None:
                call = functools.partial(stoppable, *args, **kwargs)
            else:
                call = functools.partial(stoppable, **answer.arguments)
            result = recorded(running.journal, name, call)
        running.model_output.release(about={"within": caller})
        if answer is None or answer.arguments is None:
            return result
        changed = json.dumps(answer.arguments, ensure_ascii=False)
        return f"[The person changed the arguments to {changed}.]\n{result}" if isinstance(result, str) else result

    vars(run)[_GUARDED] = True
    return run


def recorded(journal: Journal, name: str, call: Callable[[], Any]) -> Any:
    """Return or raise the result of the call, from the journal if it is there. A call that broke off is repeated."""
    if journal.next_is("tool"):
        entry = journal.replay("tool", name) or {}
        if "error" in entry:
            raise RuntimeError(entry["error"])
        return _as_returned(entry)
    start = journal.position
    if journal.replay("tool begun", name) is None:
        journal.record("tool begun", name)
    try:
        result = call()
    except Exception as error:
        journal.record("tool", name, since=start, error=str(error))
        raise
    kept = _as_kept(result)
    journal.record("tool", name, since=start, **(kept or {"result": None}))
    if kept is None:
        journal.is_complete = False
    return result


def _as_kept(result: Any) -> dict[str, Any] | None:
    """Return a tool's result as JSON values from which `_as_returned` restores it; None if that is impossible."""
    if isinstance(result, ReplyResult):
        taker = getattr(result.target, "agent_name", None)
        is_plain = result.context_variables is None and (result.target is None or taker is not None)
        return {"result": result.message, "taker": taker} if is_plain else None
    try:
        return {"result": result} if json.loads(json.dumps(result, allow_nan=False)) == result else None
    except (TypeError, ValueError, RecursionError):
        return None


def _as_returned(kept: Mapping[str, Any]) -> Any:
    if "taker" not in kept:
        return kept["result"]
    return ReplyResult(message=kept["result"], target=AgentNameTarget(kept["taker"]) if kept["taker"] else None)


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
