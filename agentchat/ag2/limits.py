"""The limits of a turn that are settings."""

from __future__ import annotations

from dataclasses import dataclass, field

from agentchat.ag2.tool_slots import ToolSlots


@dataclass(frozen=True)
class Limits:
    """The settings of these names. 0 means no limit, or the default of what has one."""

    context_tokens: int = 0
    answer_chars: int = 0
    model_calls: int = 0
    result_chars: int = 0
    tool_slots: ToolSlots = field(default_factory=ToolSlots)
    """The slots for tools (`tools_at_once`, `tools_at_once_in_all`), which all conversations share."""
