"""The agent that works on a turn, as `typing` frames: `?typing=agents` in docs/protocol.md."""

from __future__ import annotations

from agentchat.protocol import events
from agentchat.protocol.events import Event


class AgentTyping:
    """Knows from the events of a session which agent is at work, and tells one reader of each change."""

    def __init__(self) -> None:
        self._working = ""  # the agent's name
        self._told = ""
        self._asked = ""  # the agent that waits for an answer
        self._proxy = ""  # speaks for people, and is no agent

    def feed(self, event: Event) -> None:
        """Take the next event of the log."""
        content = event.content
        match event.type:
            case "text" if event.is_said:
                self._working = ""
            case "text":
                self._proxy = _name(content, "sender")
                self._begin(_name(content, "recipient"))
            case "group_chat_run_chat":
                self._begin(_name(content, "speaker"))
            case "tool_call" | "reasoning":
                self._begin(_name(content, "sender"))
            case "handoff" if content["kind"] == "agents":
                self._begin(_name(content, "to"))
            case "input_request":
                self._working, self._asked = "", _name(content, "agent")
            case "input_response":
                self._begin(self._asked)
            case "turn_completed":
                self._working = self._asked = ""

    def writes(self, sender: str) -> None:
        """Take note that this agent writes a message."""
        self._begin(sender)

    def _begin(self, name: str) -> None:
        if name != self._proxy and not name.startswith("_"):  # AG2's own helpers, such as _Group_Tool_Executor
            self._working = name

    def news(self) -> list[str]:
        """Return the frames that the reader has to get now."""
        told, self._told = self._told, self._working
        changes = [(told, False), (self._told, True)] if told != self._told else []
        return [_frame(name, is_typing) for name, is_typing in changes if name]


def _name(content: events.Content, field: str) -> str:
    name = content.get(field)
    return name if isinstance(name, str) else ""


def _frame(name: str, is_typing: bool) -> str:
    return events.live_frame("typing", {"name": name, "is_typing": is_typing, "agent": True})
