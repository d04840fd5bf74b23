"""AG2's events as they stand in the log, and the names by which to tell them."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

import pydantic_core
from autogen import Agent
from autogen.agentchat.group import ReplyResult
from pydantic import BaseModel

_INNER = frozenset({"checking_agent", "speaker_selection_agent"})  # AG2's own, who choose the next speaker
_TOOL_EXECUTOR = "_Group_Tool_Executor"  # what AG2 calls it
AFTER_WORK = "after_works_transition"
HANDOFFS = frozenset(
    {
        AFTER_WORK,
        "on_context_condition_transition",
        "on_condition_l_l_m_transition",
        "reply_result_transition",
    }
)

_TRANSFER = re.compile(r"\[Handing off to .+\]")
_WRAPPER = re.compile(r"wrapped_nested_(.+)_\d+")  # how AG2 names the agents that it makes to hold nested chats


def dump(event: BaseModel) -> tuple[str, dict[str, Any]]:
    """Type and content as AG2 would send them; what it cannot serialise (hand-offs hold agents) goes by its name."""
    if isinstance(getattr(getattr(event, "content", None), "content", None), ReplyResult):
        event = event.model_copy(deep=True)
        event.content.content = str(event.content.content)  # type: ignore[attr-defined]
    try:
        data = event.model_dump(mode="json")
    except (pydantic_core.PydanticSerializationError, UnicodeError, TypeError, ValueError, AttributeError):
        data = pydantic_core.to_jsonable_python(dict(event), fallback=_described, bytes_mode="base64")
    type, content = data["type"], data["content"]
    for role in ("sender", "recipient"):
        if isinstance(content.get(role), str):
            content[role] = holder(content[role])
    return type, content


def _described(value: object) -> Any:
    if isinstance(value, BaseModel):
        return dict(value)
    return value.name if isinstance(value, Agent) else str(value)


def is_inner(type: str, content: Mapping[str, Any]) -> bool:
    """It is about the choice of the next speaker, or nothing at all: some models choose who carries out the tools."""
    sender = content.get("sender")
    if type == "text" and sender == _TOOL_EXECUTOR and not content.get("content"):
        return True
    return sender in _INNER or content.get("recipient") in _INNER


def is_transfer(type: str, content: Mapping[str, Any]) -> bool:
    """What AG2 says in the name of an agent that hands over without a model; there is an event of its own for it."""
    text = content.get("content")
    return type == "text" and isinstance(text, str) and _TRANSFER.fullmatch(text) is not None


def is_wrapper(agent: str) -> bool:
    """AG2 made this agent to hold a nested chat."""
    return _WRAPPER.fullmatch(agent) is not None


def holder(agent: str) -> str:
    """The agent for which this one holds a nested chat: most often itself."""
    wrapper = _WRAPPER.fullmatch(agent)
    return wrapper[1] if wrapper else agent
