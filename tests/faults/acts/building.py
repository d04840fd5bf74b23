"""Agents that cannot be built for a while: turns fail before any agent has heard of them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from tests.clients import Frame
from tests.faults.acts.kind import Kind, Stage
from tests.faults.evidence import Log
from tests.faults.talk import Talk

CODES = frozenset({"agent_unavailable", "agent_failed"})


class Building(Kind):
    """The check is that of memory: the agents learn of these turns once they can be built."""

    name = "building"
    reaches = ("turns failed in building",)
    turn_errors = CODES
    excuses = ("broken on purpose",)

    def __init__(self, stage: Stage) -> None:
        super().__init__(stage)
        self._mark = stage.data / "broken"

    def server_ended(self) -> None:
        if not self._stage.is_settling:
            self._mark.parent.mkdir(exist_ok=True)
            self._mark.touch()  # agents that are built already go on, so only those of a new server fail

    def seen(self, talk: Talk, frame: Frame) -> None:
        if frame["type"] == "turn_completed" and frame["content"]["status"] == "failed":
            self._mark.unlink(missing_ok=True)

    def settle(self) -> None:
        self._mark.unlink(missing_ok=True)

    def judge(self, logs: Mapping[str, Log]) -> Iterator[str]:
        for log in logs.values():
            self._figures["turns failed in building"] += sum(
                f["type"] == "error" and f["content"]["code"] in CODES for f in log
            )
        return iter(())
