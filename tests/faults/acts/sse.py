"""Readers of event streams, who are cut like everybody else and come back with Last-Event-ID."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from tests.faults.acts.kind import Kind
from tests.faults.event_reader import EventReader
from tests.faults.evidence import Log


class EventStreams(Kind):
    """The readers are drawn with the conversation's other people (plan.py); the check of views compares all alike."""

    name = "sse"
    reaches = (
        "SSE resumes",
        "SSE events compared",
    )

    def judge(self, logs: Mapping[str, Log]) -> Iterator[str]:
        for talk in self._stage.talks:
            for person in talk.people:
                if isinstance(person, EventReader):
                    self._figures["SSE resumes"] += person.resumes
                    self._figures["SSE events compared"] += len(person.seen)
        return iter(())
