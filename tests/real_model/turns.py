"""A turn as a client saw it."""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from typing import Any

from tests.clients import ChatClient, Frame, contents


@dataclass
class Turn:
    frames: list[Frame] = field(default_factory=list)
    first_after: float = 0.0
    """Seconds from the message to the first word of the answer."""
    seconds: float = 0.0

    @property
    def status(self) -> str:
        return str(self._end["status"])

    @property
    def usage(self) -> Any:
        return self._end["usage"]

    @property
    def _end(self) -> Any:
        return contents(self.frames, "turn_completed")[0]

    @property
    def pieces(self) -> list[str]:
        """The texts of the stream frames."""
        return [content["content"] for content in contents(self.frames, "stream")]

    @property
    def answer(self) -> Any:
        """The content of the last text of an agent, or an empty one."""
        answers = [content for content in contents(self.frames, "text") if "message_id" in content]
        return answers[-1] if answers else {"content": ""}

    @property
    def errors(self) -> list[str]:
        return [content["message"] for content in contents(self.frames, "error")]


def begin(person: ChatClient, text: str, pieces: int) -> Turn:
    """Send the message and receive until so many stream frames are there, or the turn is over."""
    turn = Turn()
    began = time.monotonic()
    person.say(text)
    while len(turn.pieces) < pieces and not contents(turn.frames, "turn_completed"):
        turn.frames.append(person.receive())
        if turn.pieces and not turn.first_after:
            turn.first_after = time.monotonic() - began
    turn.seconds = time.monotonic() - began
    return turn


def finish(person: ChatClient, turn: Turn) -> Turn:
    """Receive the rest of the turn; `seconds` grows by the time that takes."""
    began = time.monotonic()
    while not contents(turn.frames, "turn_completed"):
        turn.frames.append(person.receive())
    turn.seconds += time.monotonic() - began
    return turn


def take(person: ChatClient, text: str) -> Turn:
    """Send the message and receive the whole turn."""
    return finish(person, begin(person, text, pieces=1))
