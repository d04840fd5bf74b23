"""Time-outs: questions that nobody answers, and models that take too long for the turn."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping

from tests.clients import Frame
from tests.faults.acts.kind import Kind, Stage
from tests.faults.checks.timeouts import timeouts
from tests.faults.evidence import Log
from tests.faults.talk import Talk

INPUT, TURN = 1.5, 3.0  # seconds
IGNORED = 0.3  # probability that nobody answers a question
CODES = frozenset({"input_timeout", "turn_timeout"})


class Timeouts(Kind):
    name = "timeouts"
    reaches = (
        "turns ended by input_timeout",
        "turns ended by turn_timeout",
    )
    turn_errors = CODES
    options = ("--input-timeout", str(INPUT), "--turn-timeout", str(TURN))

    def __init__(self, stage: Stage) -> None:
        super().__init__(stage)
        self._asked: dict[str, float] = {}  # when people saw a question, by time.monotonic()
        self._waited: dict[str, float] = {}  # how long those waited that were open at their turn's end

    def seen(self, talk: Talk, frame: Frame) -> None:
        """Measure by a clock of our own: the server's may be wrong."""
        if frame["type"] == "input_request":
            id = frame["content"]["request_id"]
            self._asked.setdefault(id, time.monotonic())
            has_end = bool(frame["content"].get("expires"))  # those of an earlier server may have none
            if not self._stage.is_settling and self._chance.random() < IGNORED and has_end:
                talk.ignored.add(id)
        elif frame["type"] == "error" and frame["content"]["code"] == "input_timeout":
            for id, asked in talk.questions.items():
                if asked["turn"] == frame["turn"]:
                    self._waited[id] = time.monotonic() - self._asked[id]

    def judge(self, logs: Mapping[str, Log]) -> Iterator[str]:
        for log in logs.values():
            for frame in log:
                if frame["type"] == "error" and frame["content"]["code"] in CODES:
                    self._figures[f"turns ended by {frame['content']['code']}"] += 1
        yield from timeouts(self._waited, INPUT)
