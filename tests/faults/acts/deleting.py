"""Deleting a conversation in the middle of whatever happens in it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from tests.faults.acts.kind import Act, Kind, Stage
from tests.faults.checks.gone import Remains, remains
from tests.faults.evidence import Log
from tests.faults.talk import Talk
from tests.rest_client import Answer


class Deleting(Kind):
    name = "delete"
    reaches = (
        "sessions deleted",
        "deleted sessions looked for",
        "sessions asked for in vain",
    )

    def __init__(self, stage: Stage) -> None:
        super().__init__(stage)
        self._looked: list[Remains] = []

    def _is_doomed(self, talk: Talk) -> bool:
        return talk.doom == self.name and bool(talk.id) and not talk.is_going

    def choices(self, talk: Talk) -> list[Act]:
        return [(self._delete, 4 * self._is_doomed(talk))]

    def go_on(self, talk: Talk) -> bool:
        if self._is_doomed(talk) and not talk.to_say:
            self._delete(talk)
        return talk.state == "going"

    def settle(self) -> None:
        for talk in self._stage.live:
            if self._is_doomed(talk):
                self._delete(talk)

    def _delete(self, talk: Talk) -> None:
        talk.state = "going"
        self._figures["sessions deleted"] += 1

        def then(answer: Answer) -> None:
            talk.state = "gone"
            for person in talk.people:
                person.leave()

        def gives_up() -> None:
            talk.state = "live"
            self._figures["deletions refused by the store"] += 1
            told = [person.name for person in talk.people if person.was_told_gone]
            if told:
                self._stage.complaints.append(f"{told} were told that {talk.id} is gone, but its deletion was refused")

        expected = frozenset({"session_unknown"})
        key = self._stage.command_id(talk, "delete")
        self._send(talk, "DELETE", "", then=then, key=key, gives_up=gives_up, expected=expected)

    def look(self) -> None:
        for talk in self._stage.talks:
            if talk.state == "gone" and talk.doom == self.name:
                self._looked.append(Remains.look(talk, self._stage.get))

    def judge(self, logs: Mapping[str, Log]) -> Iterator[str]:
        for each in self._looked:
            self._figures["deleted sessions looked for"] += 1
            yield from remains(each, self._stage.data)
