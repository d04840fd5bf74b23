"""Humans in the agents' place: agents ask for one, and an operator takes over, replies and hands back."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from tests.faults.acts.kind import Act, Kind, Stage
from tests.faults.checks.desk import waiting
from tests.faults.evidence import Log
from tests.faults.rest import ask
from tests.faults.talk import Acknowledged, Talk
from tests.rest_client import SESSIONS, Answer

DESK = "/api/agent-chat/desk"
OPERATOR = "Ann"
MOST_TAKEN = 3  # per conversation


class Desk(Kind):
    name = "desk"
    reaches = (
        "operators: take",
        "operators: reply",
        "operators: hand_back",
        "desks compared",
    )
    waits_for_rest = True
    expected = frozenset({"taken", "held", "not_held"})

    def __init__(self, stage: Stage) -> None:
        super().__init__(stage)
        self._taken: dict[str, int] = {}
        self._under_way: set[str] = set()  # sessions in which an operator's request is not answered yet
        self._complaints: list[str] = []

    def choices(self, talk: Talk) -> list[Act]:
        if talk.is_going or talk.id in self._under_way:
            return []
        may_take = talk.held != "taken" and self._taken.get(talk.id, 0) < MOST_TAKEN
        return [
            (self._take, (12 if talk.held else 3) * may_take),
            (self._reply, 15 * (talk.held == "taken")),
            (self._hand_back, 6 * bool(talk.held)),
        ]

    def go_on(self, talk: Talk) -> bool:
        if talk.id in self._under_way:
            return True
        if not talk.held or talk.is_going:
            return False
        if talk.held == "taken" and not self._stage.is_settling and self._chance.random() < 0.4:
            self._reply(talk)
        elif self._stage.is_settling or self._chance.random() < 0.4:
            self._hand_back(talk)
        else:
            return False
        return True

    def is_settled(self) -> bool:
        return not any(talk.id in self._under_way or talk.held for talk in self._stage.live)

    def _operators(self, talk: Talk) -> list[Any]:
        return [p for p in talk.here if p.role == "operator"]

    def _act(self, talk: Talk, what: str, type: str, content: dict[str, str], about: tuple[str, str, str]) -> None:
        """Do it over REST, or as an operator over WebSocket."""
        id = self._stage.command_id(talk, type)
        self._figures[f"operators: {type}"] += 1
        operators = self._operators(talk)
        if operators and talk.held != "waiting" and self._chance.random() < 0.5:
            self._stage.send(talk, operators[0], "message" if type == "reply" else type, id=id, **content)
            return
        self._under_way.add(talk.id)

        def then(answer: Answer) -> None:
            self._under_way.discard(talk.id)
            if answer.status == 200:
                talk.acknowledged.append(Acknowledged(id, answer.json["seq"], *about))

        def gives_up() -> None:
            self._under_way.discard(talk.id)

        body = {**content, "name": OPERATOR}
        self._send(talk, "POST", what, then=then, body=body, key=id, gives_up=gives_up, expected=self.expected)

    def _take(self, talk: Talk) -> None:
        self._taken[talk.id] = self._taken.get(talk.id, 0) + 1
        self._act(talk, "/take", "take", {}, ("handoff", "kind", "taken"))

    def _reply(self, talk: Talk) -> None:
        text = f"Reply {self._stage.next()}."
        self._act(talk, "/reply", "reply", {"text": text}, ("text", "content", text))

    def _hand_back(self, talk: Talk) -> None:
        note = f"Note {self._stage.next()}."
        self._act(talk, "/hand-back", "hand_back", {"note": note}, ("handoff", "reason", note))

    def look(self) -> None:
        """Look at the desk while one conversation is taken, and after it was handed back."""
        page = self._stage.addresses.page if self._stage.addresses is not None else ""
        for talk in self._stage.live[:1]:
            for what, body, held in (("/take", {}, [talk.id]), ("/hand-back", {"note": "Note."}, [])):
                answer = ask(page, "POST", f"{SESSIONS}/{talk.id}{what}", {**body, "name": OPERATOR})
                shown = [each["id"] for each in self._stage.get(DESK).json["conversations"]]
                self._complaints += waiting(answer.status, held, shown)
                self._figures["desks compared"] += 1

    def judge(self, logs: Mapping[str, Log]) -> Iterator[str]:
        yield from self._complaints
