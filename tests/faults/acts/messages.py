"""The actions of people over WebSocket: writing, answering, stopping, retrying, editing."""

from __future__ import annotations

from collections.abc import Callable

from tests.faults.acts.kind import Act, Kind
from tests.faults.person import Person
from tests.faults.talk import Sent, Talk

BUSY = ("enqueue", "enqueue", "enqueue", "interrupt", "rollback", "reject")
MOST_TURNS = 9  # actions per conversation; turns cause actions, whose events cause more turns


class Messages(Kind):
    name = "messages"
    reaches = (
        "messages accepted",
        "messages resent",
        "kills",
        "cuts",
        "terms",
        "input_responses",
        "rewinds",
        "memories compared",
        "servers back to their baseline",
    )

    def go_on(self, talk: Talk) -> bool:
        """Answer, or send the next message, in an idle conversation."""
        if talk.open_questions:
            if talk.members:
                self._answer(talk, self._chance.choice(talk.members))
            return True
        if talk.to_say and not self._stage.is_settling:
            if talk.members:
                self.say(talk, self._chance.choice(talk.members))
            return True
        return False

    def choices(self, talk: Talk) -> list[Act]:
        if not talk.members:
            return []
        may_make_turns = len(talk.turns) < MOST_TURNS and not talk.held
        actions: list[tuple[Callable[[Talk, Person], None], int]] = [
            (self._answer, 30 * bool(talk.open_questions)),
            (self.say, 8 * bool(talk.to_say)),
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
        person = self._chance.choice(talk.members)
        return [(lambda talk, action=action: action(talk, person), weight) for action, weight in actions]  # type: ignore[misc]

    def resend(self, talk: Talk, person: Person) -> None:
        """Resend, after reconnecting, what this person has not seen in the log."""
        for id, sent in talk.sent.items():
            if sent.owner is person and sent.state == "pending":
                self._figures["messages resent"] += 1
                self._post(talk, id, sent, person)

    def say(self, talk: Talk, person: Person) -> None:
        id, text = f"id{self._stage.next()}", talk.to_say.popleft()
        sent = Sent(person, text, self._chance.choice(BUSY))
        talk.sent[id] = sent
        talk.texts.add(text)
        self._post(talk, id, sent, person)

    def _command(self, talk: Talk, person: Person, type: str, **content: object) -> str:
        """Send a command with a new id and return the id."""
        id = self._stage.command_id(talk, type)
        self._stage.send(talk, person, type, id=id, **content)
        return id

    def _post(self, talk: Talk, id: str, sent: Sent, person: Person) -> None:
        self._stage.send(talk, person, "message", text=sent.text, id=id, busy=sent.busy)

    def _resend(self, talk: Talk, person: Person) -> None:
        """Resend a message needlessly: it was seen, or is on its way."""
        id, sent = self._chance.choice(list(talk.sent.items()))
        if sent.state == "refused":
            return
        if sent.owner is None:
            if sent.state == "seen":
                self._post(talk, id, sent, person)
        elif sent.owner.is_here:
            self._post(talk, id, sent, sent.owner)

    def _answer(self, talk: Talk, person: Person) -> None:
        request_id = self._chance.choice(talk.open_questions)
        asked = talk.questions[request_id]
        talk.answering[request_id] = person
        self._command(talk, person, "input_response", request_id=request_id, **self._stage.words(talk, asked))
        others = [other for other in talk.members if other is not person]
        if others and self._chance.random() < 0.2:  # two people are asked, and both answer
            other = self._chance.choice(others)
            self._command(talk, other, "input_response", request_id=request_id, **self._stage.words(talk, asked))

    def _edit_waiting(self, talk: Talk, person: Person) -> None:
        self._edit_one(talk, person, {"waiting"})

    def _edit(self, talk: Talk, person: Person) -> None:
        self._edit_one(talk, person, {"running", "done"})

    def _edit_one(self, talk: Talk, person: Person, states: set[str]) -> None:
        messages = talk.messages(states)[-3:]
        if messages:
            text = self._stage.new_text(talk)
            id = self._command(talk, person, "edit", seq=self._chance.choice(messages)["seq"], text=text)
            talk.edits[id] = text

    def _withdraw(self, talk: Talk, person: Person) -> None:
        self._command(talk, person, "stop", turn=self._chance.choice(talk.with_state("waiting")))

    def _stop(self, talk: Talk, person: Person) -> None:
        named = {"turn": talk.with_state("running")[0]} if self._chance.random() < 0.5 else {}
        self._command(talk, person, "stop", **named)

    def _retry(self, talk: Talk, person: Person) -> None:
        self._command(talk, person, "retry")

    def _rename(self, talk: Talk, person: Person) -> None:
        self._command(talk, person, "rename", title=f"Title {self._stage.next()}")

    def _type(self, talk: Talk, person: Person) -> None:
        self._stage.send(talk, person, "typing", is_typing=True)
