"""Taking part over REST: messages with and without waiting, answers, stops, retries, edits, names."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from tests.faults.acts.kind import Act, Kind, Stage
from tests.faults.acts.messages import BUSY, MOST_TURNS
from tests.faults.checks.pages import pages
from tests.faults.evidence import Log
from tests.faults.talk import Acknowledged, Sent, Talk
from tests.rest_client import SESSIONS, Answer

WAIT = 20  # seconds for the end of a turn


class Rest(Kind):
    name = "rest"
    reaches = (
        "messages over REST",
        "messages over REST with wait",
        "answers over REST",
        "stops over REST",
        "retries over REST",
        "edits over REST",
        "names over REST",
        "acknowledgements compared",
        "REST requests sent again",
    )
    waits_for_rest = True

    def __init__(self, stage: Stage) -> None:
        super().__init__(stage)
        self._pages: dict[str, list[Answer]] = {}

    def go_on(self, talk: Talk) -> bool:
        if self._chance.random() < 0.5 or talk.is_going:
            return False
        if talk.open_questions:
            self._answer(talk)
            return True
        if talk.to_say and not self._stage.is_settling and talk.members:
            self._say(talk)
            return True
        return False

    def choices(self, talk: Talk) -> list[Act]:
        may_make_turns = len(talk.turns) < MOST_TURNS and not talk.held
        return [
            (self._answer, 15 * bool(talk.open_questions)),
            (self._say, 8 * bool(talk.to_say)),
            (self._stop, 2 * len(talk.with_state("running"))),
            (self._retry, 2 * (1 + talk.is_idle) * may_make_turns * bool(talk.turns)),
            (self._edit, 2 * (1 + talk.is_idle) * may_make_turns * bool(talk.messages({"running", "done"}))),
            (self._rename, 1),
        ]

    def look(self) -> None:
        """Read each log in pages."""
        for talk in self._stage.live:
            answers, after = [], 0
            while True:
                answer = self._stage.get(f"{SESSIONS}/{talk.id}/events?after={after}&limit=7")
                answers.append(answer)
                if answer.status != 200 or not (events := answer.json["events"]):
                    break
                after = events[-1]["seq"]
            self._pages[talk.id] = answers

    def judge(self, logs: Mapping[str, Log]) -> Iterator[str]:
        for id, answers in self._pages.items():
            yield from pages(logs.get(id, []), answers)

    def _say(self, talk: Talk) -> None:
        id, text = f"id{self._stage.next()}", talk.to_say.popleft()
        busy = self._chance.choice(BUSY)
        sent = talk.sent[id] = Sent(None, text, busy)
        talk.texts.add(text)
        must_wait = self._chance.random() < 0.5
        self._figures["messages over REST" + (" with wait" if must_wait else "")] += 1

        def then(answer: Answer) -> None:
            if answer.status == 409:
                sent.state = "refused"
                return
            body = answer.json
            talk.acknowledged.append(Acknowledged(id, body["seq"], "user_message", "id", id))
            if body["id"] != id or (answer.status == 200 and body["events"][-1]["turn"] != body["turn"]):
                self._stage.complaints.append(f"the message {id} was answered with {body}")

        def gives_up() -> None:
            sent.state = "refused"

        what = f"/messages?wait={WAIT}" if must_wait else "/messages"
        body = {"text": text, "name": "Rex", "busy": busy}
        self._send(talk, "POST", what, then=then, body=body, key=id, gives_up=gives_up)

    def _answer(self, talk: Talk) -> None:
        request_id = self._chance.choice(talk.open_questions)
        asked = talk.questions[request_id]
        talk.ignored.discard(request_id)
        talk.answering[request_id] = None
        self._figures["answers over REST"] += 1

        def then(answer: Answer) -> None:
            talk.answering.pop(request_id, None)
            if answer.status == 200:
                seq = answer.json["seq"]
                talk.acknowledged.append(Acknowledged(key, seq, "input_response", "request_id", request_id))
            else:  # it is closed, and the store may take a second to say so: it is not asked again at once
                talk.ignored.add(request_id)

        key = self._stage.command_id(talk, "input_response")
        body = {"request_id": request_id, "name": "Rex", **self._stage.words(talk, asked)}
        self._send(talk, "POST", "/input", then=then, body=body, key=key)

    def _stop(self, talk: Talk) -> None:
        self._figures["stops over REST"] += 1
        named = {"turn": talk.with_state("running")[0]} if self._chance.random() < 0.5 else {}
        self._send(talk, "POST", "/stop", body=named, key=self._stage.command_id(talk, "stop"))

    def _retry(self, talk: Talk) -> None:
        self._figures["retries over REST"] += 1
        key = self._stage.command_id(talk, "retry")

        def then(answer: Answer) -> None:
            if answer.status == 202:
                id = answer.json["id"]
                talk.acknowledged.append(Acknowledged(key, answer.json["seq"], "user_message", "id", id))

        self._send(talk, "POST", "/retry", then=then, body={}, key=key, expected=frozenset({"held"}))

    def _edit(self, talk: Talk) -> None:
        messages = talk.messages({"running", "done"})[-3:]
        if not messages:
            return
        self._figures["edits over REST"] += 1
        key, text = self._stage.command_id(talk, "edit"), self._stage.new_text(talk)
        talk.edits[key] = text

        def then(answer: Answer) -> None:
            if answer.status == 202:
                talk.acknowledged.append(Acknowledged(key, answer.json["seq"], "user_message", "text", text))

        body = {"seq": self._chance.choice(messages)["seq"], "text": text, "name": "Rex"}
        self._send(talk, "POST", "/edit", then=then, body=body, key=key, expected=frozenset({"held"}))

    def _rename(self, talk: Talk) -> None:
        self._figures["names over REST"] += 1
        key, title = self._stage.command_id(talk, "rename"), f"Title {self._stage.next()}"
        self._send(talk, "PATCH", "", body={"title": title}, key=key)
