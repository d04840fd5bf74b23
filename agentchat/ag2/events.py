"""AG2's events as the log has them, and the names by which to recognise AG2's own agents."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

import pydantic_core
from autogen import Agent
from autogen.agentchat.group import ReplyResult
from autogen.events.agent_events import TextEvent
from pydantic import BaseModel

from agentchat.ag2 import pictures

_INNER = frozenset({"checking_agent", "speaker_selection_agent"})  # AG2's own agents, which choose the next speaker
_TOOL_EXECUTOR = "_Group_Tool_Executor"
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
_TOLD = re.compile(r"\[FUNCTION_HANDOFF\] - Reply from function .+?: \n\n (.*)", re.DOTALL)
_WRAPPER = re.compile(r"wrapped_(?:nested|group)_(.+)_\d+")  # AG2 makes such agents to hold nested chats


def install() -> None:
    """Let AG2's `text` events keep pictures. They would put "<image>" in their place, and in the agents' history."""
    said: Any = TextEvent.model_fields["content"].annotation
    said._replace_pil_image_with_placeholder = classmethod(lambda cls, image_url: None)


def dump(event: BaseModel) -> tuple[str, dict[str, Any]]:
    """Return type and content as AG2 would send them.

    Of what it cannot serialise, agents become their names, and pictures `data:` addresses. Those of large pictures
    show smaller copies.
    """
    if isinstance(getattr(getattr(event, "content", None), "content", None), ReplyResult):
        inner: BaseModel = event.content  # type: ignore[attr-defined]
        event = event.model_copy(update={"content": inner.model_copy(update={"content": str(inner.content)})})  # type: ignore[attr-defined]
    try:
        data = event.model_dump(mode="json")
    except (pydantic_core.PydanticSerializationError, UnicodeError, TypeError, ValueError, AttributeError):
        data = pydantic_core.to_jsonable_python(dict(event), fallback=_described, bytes_mode="base64")
    type, content = data["type"], data["content"]
    for part in content["content"] if isinstance(content.get("content"), list) else ():
        if isinstance(part, dict) and isinstance(address := part.get("image_url"), dict):
            address["url"] = pictures.shortened(address.get("url"))
    for role in ("sender", "recipient"):
        if isinstance(content.get(role), str):
            content[role] = nesting_agent(content[role])
    return type, content


def _described(value: object) -> Any:
    if pictures.is_picture(value):
        return pictures.shown(value)
    if isinstance(value, BaseModel):
        return dict(value)
    return value.name if isinstance(value, Agent) else str(value)


def is_inner(type: str, content: Mapping[str, Any]) -> bool:
    """Return True for events that choose a speaker, or are empty: some models choose the tools' executor."""
    sender = content.get("sender")
    if type == "text" and sender == _TOOL_EXECUTOR and not content.get("content"):
        return True
    return sender in _INNER or content.get("recipient") in _INNER


def chooses_speakers(agent: str) -> bool:
    """Return True for AG2's own agents that choose the next speaker."""
    return agent in _INNER


def is_inner_member(agent: str) -> bool:
    """Return True for a member of a group that AG2 made to carry out tool calls or to hold a nested chat."""
    return agent == _TOOL_EXECUTOR or is_nesting_wrapper(agent)


def is_transfer(type: str, content: Mapping[str, Any]) -> bool:
    """Return True for what AG2 says for an agent that hands over without a model, which has an event of its own."""
    text = content.get("content")
    return type == "text" and isinstance(text, str) and _TRANSFER.fullmatch(text) is not None


def told_by_function(content: Mapping[str, Any]) -> str | None:
    """Return the text that the function of a FunctionTarget tells a member, which AG2 sends as the manager's."""
    text = content.get("content")
    match = _TOLD.fullmatch(text) if isinstance(text, str) else None
    return match[1] if match else None


def is_nesting_wrapper(agent: str) -> bool:
    """Return True if AG2 made this agent to hold a nested chat."""
    return _WRAPPER.fullmatch(agent) is not None


def nesting_agent(agent: str) -> str:
    """Return the agent on whose behalf this one runs a nested chat (usually itself)."""
    match = _WRAPPER.fullmatch(agent)
    return match[1] if match else agent
