"""Notes about people: agents remember and forget with tools, people erase theirs over REST."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from urllib.parse import quote

from tests.clients import Frame
from tests.faults.acts.kind import Act, Kind, Stage
from tests.faults.checks.notes import UNNAMED, remembered
from tests.faults.evidence import Log, ran
from tests.faults.talk import Talk
from tests.rest_client import Answer

MEMORY = "/api/agent-chat/memory"
ERASED = 0.5  # probability that somebody wants a note erased


class Notes(Kind):
    name = "notes"
    reaches = (
        "notes erased",
        "notes compared",
    )
    waits_for_rest = True

    def __init__(self, stage: Stage) -> None:
        super().__init__(stage)
        self._erasable: dict[str, str] = {}  # the person's name, by key, of those that somebody wants erased
        self._asked: set[str] = set()  # keys that people wanted erased
        self._erased: set[str] = set()
        self._kept: dict[str, str] = {}

    def seen(self, talk: Talk, frame: Frame) -> None:
        content = frame["content"]
        if frame["type"] == "executed_function" and content["func_name"] == "note" and content["is_exec_success"]:
            said = next(f for f in reversed(talk.log) if f["type"] == "user_message" and f["turn"] == frame["turn"])
            if said["content"]["name"] != UNNAMED and self._chance.random() < ERASED:
                self._erasable[content["arguments"]["call"]] = said["content"]["name"]

    def choices(self, talk: Talk) -> list[Act]:
        return [(self._erase, 8 * bool(self._erasable.keys() - self._asked))]

    def go_on(self, talk: Talk) -> bool:
        if not self._stage.is_settling and self._erasable.keys() - self._asked and self._chance.random() < 0.3:
            self._erase(talk)
        return False

    def _erase(self, talk: Talk) -> None:
        key = self._chance.choice(sorted(self._erasable.keys() - self._asked))
        self._asked.add(key)
        self._figures["notes erased"] += 1

        def then(answer: Answer) -> None:
            self._erased.add(key)  # also if there was none

        what = f"{MEMORY}/{key}?name={quote(self._erasable[key])}"
        id, expected = self._stage.command_id(talk, "forget"), frozenset({"not_found"})
        self._send(talk, "DELETE", what, then=then, key=id, expected=expected)

    def look(self) -> None:
        names = {f["content"]["name"] for talk in self._stage.talks for f in talk.log if f["type"] == "user_message"}
        for name in names - {UNNAMED}:
            for note in self._stage.get(f"{MEMORY}?name={quote(name)}").json["notes"]:
                self._kept[note["key"]] = note["value"]
        self._figures["notes compared"] += len(self._kept)

    def judge(self, logs: Mapping[str, Log]) -> Iterator[str]:
        drops = [call for tool, call in ran(self._stage.data) if tool == "drop"]
        yield from remembered(list(logs.values()), self._kept, self._asked, self._erased, drops)
