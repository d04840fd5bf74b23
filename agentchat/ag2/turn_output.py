"""The protocol through which a running turn writes to its session and asks people."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Protocol

from agentchat.protocol.questions import Answer, Request
from agentchat.protocol.redaction import Redaction


class TurnOutput(Protocol):
    """The session's side of a turn: its log, its readers, and the people who answer questions."""

    redaction: Redaction
    """Keeps secrets out of streamed text."""

    def append(self, type: str, content: Mapping[str, Any], history: str | None) -> None:
        """Append an event to the log, together with what the agents keep of the turn so far if that has changed."""

    def stream(self, message_id: str, sender: str, text: str, about: Mapping[str, str] | None = None) -> None:
        """Show more text, without secrets, of a message that is being written. `about` is added to each frame."""

    def restart(self, message_id: str) -> None:
        """Discard what was streamed of a message, which begins again."""

    def progress(self, call_id: str, tool: str, done: float, total: float | None, text: str) -> None:
        """Show how far a running tool is."""

    def ask(self, request: Request, history: Callable[[float], str]) -> Answer:
        """Ask the people of the session, and wait. Raises Stopped, also when time is up."""

    def ask_again(self, request_id: str) -> Answer:
        """Wait for the answer to a question that was asked before the server was started."""
