"""Questions in several conversations at once, of which all but one wait without agents."""

from __future__ import annotations

from typing import Any

from tests.clients import Frame
from tests.faults.acts.kind import Kind
from tests.faults.talk import Talk

LIVE = 1  # questions whose agents stay in memory
ACTS = 0.6  # probability that somebody acts where the agents of an older question are about to leave memory


class Asking(Kind):
    """The check is that nothing else goes wrong: every answer, stop, edit and time limit has its effect."""

    name = "asking"
    reaches = ("questions let go", "acts while questions are let go", "answers to questions let go")
    options = ("--live-questions", str(LIVE))

    def __init__(self, *arguments: Any) -> None:
        super().__init__(*arguments)
        self._let_go: set[str] = set()

    def seen(self, talk: Talk, frame: Frame) -> None:
        if frame["type"] == "input_response" and frame["content"]["request_id"] in self._let_go:
            self._figures["answers to questions let go"] += 1
        if frame["type"] != "input_request":
            return
        for other in self._stage.live:
            if other is talk or not other.questions:
                continue
            new = other.questions.keys() - self._let_go
            self._figures["questions let go"] += len(new)
            self._let_go |= new
            if new and not self._stage.is_settling and self._chance.random() < ACTS:
                self._figures["acts while questions are let go"] += 1
                self._stage.interfere(other)
