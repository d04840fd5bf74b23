"""Commands that are sent again: at once, after a reconnect or a restart, or with another text under the same id."""

from __future__ import annotations

import dataclasses

from tests.faults.acts.kind import Act, Kind, Stage
from tests.faults.person import Person
from tests.faults.rest import Request
from tests.faults.talk import Talk
from tests.rest_client import Answer

REPEATED = 0.4  # probability that a command is sent twice
LATER = 5  # newest commands of which one is repeated later


class Repeats(Kind):
    """Repeats what others send; that each counts once is a check of every schedule (checks/commands.py)."""

    name = "repeats"
    reaches = ("commands repeated over WebSocket", "commands repeated over REST", "ids reused")
    expected = frozenset({"id_reused"})
    waits_for_rest = True

    def __init__(self, stage: Stage) -> None:
        super().__init__(stage)
        self._requests: list[Request] = []
        """The commands that were carried out."""
        self._commands: list[tuple[Talk, str, str, dict[str, object]]] = []
        """The commands that were sent, each with its conversation and the role of who sent it."""
        stage.caller.on_send = self._requested
        stage.on_command = self._commanded

    def _commanded(self, talk: Talk, person: Person, type: str, content: dict[str, object]) -> None:
        if ("command_id" if type == "task" else "id") in content and type != "message":  # all resend those
            self._commands.append((talk, person.role, type, content))
            if self._chance.random() < REPEATED:
                self._command_again(person, type, content)

    def _requested(self, request: Request) -> None:
        if not request.key:
            return
        then = request.then
        again = dataclasses.replace(request, tries=1, gives_up=None)

        def noted(answer: Answer) -> None:
            then(answer)
            if answer.status < 300:
                self._requests.append(again)

        request.then = noted
        if self._chance.random() < REPEATED and request.gives_up is None:
            self._request_again(again)

    def choices(self, talk: Talk) -> list[Act]:
        here = talk.here
        roles = {person.role for person in here}
        commands = [each for each in self._commands[-LATER:] if each[0] is talk and each[1] in roles]
        requests = [request for request in self._requests[-LATER:] if request.talk is talk]
        texts = [request for request in requests if self._has_text(request)]

        def again(talk: Talk) -> None:
            """Let somebody else's connection repeat it, as after a reload of the page."""
            _, role, type, content = self._chance.choice(commands)
            self._command_again(self._chance.choice([p for p in here if p.role == role]), type, content)

        return [
            (again, 6 * bool(commands)),
            (lambda talk: self._request_again(self._chance.choice(requests)), 6 * bool(requests)),
            (lambda talk: self._reuse(self._chance.choice(texts)), 6 * bool(texts)),
        ]

    def _has_text(self, request: Request) -> bool:
        """Return True if the request has a text that the server keeps, and can compare with another."""
        return isinstance(request.body, dict) and request.body.get("text", None) not in {None, *self._stage.passwords}

    def go_on(self, talk: Talk) -> bool:
        if talk.to_say and not self._stage.is_settling and self._chance.random() < 0.3:
            acts = [act for act, weight in self.choices(talk) if weight]
            if acts:
                self._chance.choice(acts)(talk)
        return False

    def _command_again(self, person: Person, type: str, content: dict[str, object]) -> None:
        self._figures["commands repeated over WebSocket"] += 1
        person.send(type, **content)

    def _request_again(self, request: Request) -> None:
        self._figures["commands repeated over REST"] += 1
        self._stage.caller.dispatch(dataclasses.replace(request))

    def _reuse(self, request: Request) -> None:
        """Send another text under an id that counts: it must be refused."""
        assert isinstance(request.body, dict)
        self._figures["ids reused"] += 1

        def then(answer: Answer) -> None:
            if answer.status != 409 or answer.code != "id_reused":
                self._stage.complaints.append(f"{request} with another text was answered {answer.status}")

        body = {**request.body, "text": "Something else."}
        again = dataclasses.replace(request, then=then, body=body, expected=self.expected)
        self._stage.caller.dispatch(again)
