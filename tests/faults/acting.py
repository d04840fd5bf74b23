"""The actions of people: writing, answering, stopping, retrying, editing."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Callable
from typing import Any

from tests.clients import Frame
from tests.faults import plan
from tests.faults.person import Person
from tests.faults.talk import Sent, Talk

BUSY = ("enqueue", "enqueue", "enqueue", "interrupt", "rollback", "reject")
MOST_TURNS = 9  # actions per conversation; turns cause actions, whose events cause more turns
ANSWERS_PER_TURN = 4  # for agents that never stop asking


class Actor:
    """Acts in a conversation at random; each command is passed to `tell`."""

    def __init__(self, chance: random.Random, figures: Counter[str], tell: Callable[[str], None]) -> None:
        self._chance = chance
        self._figures = figures
        self._tell = tell
        self._number = 0
        self.passwords: list[str] = []

    def go_on(self, talk: Talk, is_settling: bool) -> bool:
        """Answer, or send the next message, in an idle conversation; return False if nothing is left to do."""
        members = talk.members
        if talk.questions:
            if members:
                self._answer(talk, self._chance.choice(members))
            return True
        if talk.to_say and not is_settling:
            if members:
                self._say(talk, self._chance.choice(members))
            return True
        return False

    def interfere(self, talk: Talk) -> None:
        """Do something while the agents work."""
        if not talk.members:
            return
        may_make_turns = len(talk.turns) < MOST_TURNS
        actions: list[tuple[Callable[[Talk, Person], None], int]] = [
            (self._answer, 30 * bool(talk.questions)),
            (self._say, 8 * bool(talk.to_say)),
            (self._edit_waiting, 4 * len(talk.with_state("waiting"))),
            (self._withdraw, 3 * len(talk.with_state("waiting"))),
            (self._stop, 2 * len(talk.with_state("running"))),
            (self._retry, (1 + talk.is_idle) * may_make_turns),
            (self._edit, (1 + talk.is_idle) * may_make_turns),
            (self._resend, 3 * bool(talk.sent)),
            (self._rename, 1),
            (self._type, 1),
            (lambda _talk, _person: None, 30),
        ]
        weights = [weight for _, weight in actions]
        action = self._chance.choices([action for action, _ in actions], weights)[0]
        action(talk, self._chance.choice(talk.members))

    def resend(self, talk: Talk, person: Person) -> None:
        """Resend, after reconnecting, what this person has not seen in the log."""
        for id, sent in talk.sent.items():
            if sent.owner is person and sent.state == "pending":
                self._figures["messages resent"] += 1
                self._post(id, sent)

    def _command(self, person: Person, type: str, **content: object) -> None:
        person.send(type, **content)
        self._tell("sent")

    def _say(self, talk: Talk, person: Person) -> None:
        self._number += 1
        text = talk.to_say.popleft()
        sent = Sent(person, text, self._chance.choice(BUSY))
        talk.sent[f"id{self._number}"] = sent
        talk.texts.add(text)
        self._post(f"id{self._number}", sent)

    def _post(self, id: str, sent: Sent) -> None:
        self._command(sent.owner, "message", text=sent.text, id=id, busy=sent.busy)

    def _resend(self, talk: Talk, person: Person) -> None:
        """Resend a message needlessly: it was seen, or is on its way."""
        id, sent = self._chance.choice(list(talk.sent.items()))
        if sent.state != "refused" and sent.owner.is_here:
            self._post(id, sent)

    def _answer(self, talk: Talk, person: Person) -> None:
        request_id, asked = self._chance.choice(list(talk.questions.items()))
        talk.answering[request_id] = person
        self._command(person, "input_response", request_id=request_id, **self._words(talk, asked))
        others = [other for other in talk.members if other is not person]
        if others and self._chance.random() < 0.2:  # two people are asked, and both answer
            other = self._chance.choice(others)
            self._command(other, "input_response", request_id=request_id, **self._words(talk, asked))

    def _words(self, talk: Talk, asked: Frame) -> dict[str, Any]:
        content = asked["content"]
        if content["tool"] is not None:
            text = self._chance.choice(("approve", "approve", "approve", "deny", "deny, too dear", "edit"))
            arguments = content["tool"]["arguments"]
            return {"text": text, **({"arguments": arguments | {"times": 2}} if text == "edit" else {})}
        self._number += 1
        if content["password"]:
            self.passwords.append(f"secret{self._number:04}")
            return {"text": self.passwords[-1]}
        if content["choices"] is None:
            return {"text": f"Answer {self._number}"}
        answered = sum(f["type"] == "input_response" and f["turn"] == asked["turn"] for f in talk.log)
        often = answered < ANSWERS_PER_TURN
        return {"text": self._chance.choice(("", "", "exit", f"Words {self._number}")) if often else "exit"}

    def _new_text(self, talk: Talk) -> str:
        self._number += 1
        text = plan.message(self._chance, f"mx{self._number}")
        talk.texts.add(text)
        return text

    def _edit_waiting(self, talk: Talk, person: Person) -> None:
        self._edit_one(talk, person, {"waiting"})

    def _edit(self, talk: Talk, person: Person) -> None:
        self._edit_one(talk, person, {"running", "done"})

    def _edit_one(self, talk: Talk, person: Person, states: set[str]) -> None:
        messages = talk.messages(states)[-3:]
        if messages:
            self._command(person, "edit", seq=self._chance.choice(messages)["seq"], text=self._new_text(talk))

    def _withdraw(self, talk: Talk, person: Person) -> None:
        self._command(person, "stop", turn=self._chance.choice(talk.with_state("waiting")))

    def _stop(self, talk: Talk, person: Person) -> None:
        named = {"turn": talk.with_state("running")[0]} if self._chance.random() < 0.5 else {}
        self._command(person, "stop", **named)

    def _retry(self, talk: Talk, person: Person) -> None:
        self._command(person, "retry")

    def _rename(self, talk: Talk, person: Person) -> None:
        self._number += 1
        self._command(person, "rename", title=f"Title {self._number}")

    def _type(self, talk: Talk, person: Person) -> None:
        self._command(person, "typing", is_typing=True)
