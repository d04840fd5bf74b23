"""Marks tools that wait for a person's yes, and says what else waits for one."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar, overload

from agentchat.protocol.identity import OPERATOR

Tool = TypeVar("Tool", bound=Callable[..., Any])

_MARK = "needs_approval"
_BY = "needs_approval_by"
_HANDOFFS = "autogen.agentchat.group.group_utils"  # where AG2 makes the tools with which agents hand over


@overload
def needs_approval(tool: Tool) -> Tool: ...
@overload
def needs_approval(*, always: bool = ..., by: str = ...) -> Callable[[Tool], Tool]: ...
def needs_approval(tool: Tool | None = None, *, always: bool = False, by: str = "") -> Tool | Callable[[Tool], Tool]:
    """Mark a tool: before it runs, a person is asked whether it may. See AGENTCHAT_APPROVE.

    With `always` it never runs without a yes, whatever that setting says. With `by="operator"` an operator is asked, at
    the desk, and never the people who talk with the agents.
    """
    if by not in {"", OPERATOR}:
        raise ValueError(f"by can be {OPERATOR!r} or left out, not {by!r}")

    def mark(tool: Tool) -> Tool:
        vars(tool)[_MARK] = "always" if always or by else "marked"
        vars(tool)[_BY] = by
        return tool

    return mark if tool is None else mark(tool)


def needs_yes(tool: Callable[..., Any], approve: str) -> bool:
    """Return True if the tool needs a yes; `approve` is the setting. A wrapper such as AG2's keeps the mark.

    AG2's own tools, with which agents hand over to each other, never do.
    """
    if getattr(tool, "__module__", None) == _HANDOFFS:
        return False
    mark = getattr(tool, _MARK, None)
    return mark == "always" or approve == "all" or (approve == "marked" and mark is not None)


def approver(tool: Callable[..., Any]) -> str:
    """Return the role of those who are asked about the tool; "" for the people who talk with the agents."""
    return str(getattr(tool, _BY, ""))


def code_needs_yes(approve: str) -> bool:
    """Return True if code that AG2's executors run needs a yes; `approve` is the setting."""
    return approve != "none"
