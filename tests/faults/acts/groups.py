"""Teams: a GroupChat and a Pattern take the place of the agents (plan.py draws them)."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from tests.faults.acts.kind import Kind
from tests.faults.evidence import Log


class Groups(Kind):
    """The checks of turns, tools and memory are those of all agents."""

    name = "groups"
    reaches = ("speakers chosen in groups",)

    def judge(self, logs: Mapping[str, Log]) -> Iterator[str]:
        for log in logs.values():
            self._figures["speakers chosen in groups"] += sum(f["type"] == "group_chat_run_chat" for f in log)
        return iter(())
