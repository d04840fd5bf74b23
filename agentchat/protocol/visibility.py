"""The part of a session that a reader sees: `show=final|agents|tools|all` in docs/protocol.md."""

from __future__ import annotations

from typing import Literal, get_args

from agentchat.protocol.events import Event, is_answer, is_blank

Show = Literal["final", "agents", "tools", "all"]
SHOWS: tuple[str, ...] = get_args(Show)
OUTPUT = "output"
"""The `kind` of streams that hold what programs print, and not a part of an answer."""

_PEOPLE = frozenset(
    {
        "user_message",
        "turn_started",
        "turn_completed",
        "input_request",
        "input_response",
        "rewind",
        "session_renamed",
        "handoff",
        "task_created",
        "task_updated",
        "file_changed",
        "feedback",
        "error",
    }
)
_AGENTS = _PEOPLE | {"reasoning", "post_carryover_processing"}
_TOOLS = _AGENTS | {
    "tool_call",
    "execute_function",
    "executed_function",
    "tool_response",
    "function_call",
    "function_response",
    "execute_code_block",
    "generate_code_execution_reply",
    "print",
}
_TYPES = {"final": _PEOPLE, "agents": _AGENTS, "tools": _TOOLS}
_LIVE = frozenset({"tools", "all"})  # these show what running tools report and print
_FINALIZING = frozenset({"turn_completed", "input_request"})  # these make the text before them the last word


class VisibilityFilter:
    """Passes on what one reader sees, event by event, in the order of the log."""

    def __init__(self, show: str = "all") -> None:
        self._show = show
        self._types = _TYPES.get(show)
        # An answer that may be its turn's last, which becomes known later, and the events since.
        self._pending: list[Event] = []

    def shows_stream(self, kind: str) -> bool:
        """Return True if the reader sees streams of this kind: answers as they are written, or output of programs."""
        return self._show in _LIVE if kind == OUTPUT else self._show != "final"

    @property
    def shows_progress(self) -> bool:
        """True if the reader sees how far running tools are."""
        return self._show in _LIVE

    def feed(self, event: Event) -> list[Event]:
        """Take the next event of the log and return the events that can be shown now."""
        if self._types is None or event.type in self._types:
            return self._in_order(event)
        if event.type == "text":
            return self._text(event)
        if event.type == "tool_call" and self._show == "agents" and not is_blank(event.content.get("content")):
            return [event]  # it ends what was streamed
        return []

    def _text(self, event: Event) -> list[Event]:
        if not event.is_said:
            return []
        if self._show != "final":
            return [event]
        content = event.content
        if content.get("operator"):
            return self._in_order(event)
        if not is_answer(content) or (self._pending and is_blank(content.get("content"))):
            return []
        shown = self._pending[1:]  # the answer before it was not the last
        self._pending = [event]
        return shown

    def _in_order(self, event: Event) -> list[Event]:
        if not self._pending:
            return [event]
        self._pending.append(event)
        if event.type not in _FINALIZING or event.turn != self._pending[0].turn:
            return []
        shown, self._pending = self._pending, []
        return shown
