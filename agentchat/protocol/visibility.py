"""How much of a session a reader wants to see: `show=final|agents|tools|all` of docs/protocol.md."""

from __future__ import annotations

from agentchat.protocol.events import Event

SHOWS = ("final", "agents", "tools", "all")

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
_BEHIND_THE_LAST = frozenset({"turn_completed", "input_request"})  # what makes the text before it the last word


class Filter:
    """What of a session passes to one reader, event by event, in the order of the log."""

    def __init__(self, show: str = "all") -> None:
        self._show = show
        self._types = _TYPES.get(show)
        self._pending: list[Event] = []  # what may be its turn's last word, which is known later, and what came since

    @property
    def has_streams(self) -> bool:
        return self._show != "final"

    @property
    def has_progress(self) -> bool:
        return self._show in {"tools", "all"}

    def take(self, event: Event) -> list[Event]:
        """What is to be shown now that this event is there."""
        if self._types is None or event.type in self._types:
            return self._in_order(event)
        if event.type == "text" and '"message_id"' in event.body:  # else a person's words on their way to the agent
            return self._words(event)
        if event.type == "tool_call" and self._show == "agents" and event.content.get("content"):
            return [event]  # the end of what was streamed
        return []

    def _words(self, event: Event) -> list[Event]:
        if self._show != "final":
            return [event]
        content = event.content
        if content.get("operator"):
            return self._in_order(event)
        if "within" in content or not content.get("content"):
            return []
        shown = self._pending[1:]  # the word before it was not the last one
        self._pending = [event]
        return shown

    def _in_order(self, event: Event) -> list[Event]:
        if not self._pending:
            return [event]
        self._pending.append(event)
        if event.type not in _BEHIND_THE_LAST or event.turn != self._pending[0].turn:
            return []
        shown, self._pending = self._pending, []
        return shown
