"""The base of all kinds of acting, and what they share."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence, Set
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, ClassVar

from tests.clients import Frame
from tests.faults import plan
from tests.faults.evidence import Log
from tests.faults.person import Addresses, Person
from tests.faults.rest import Caller, Request, ask
from tests.faults.talk import Talk
from tests.rest_client import Answer

ANSWERS_PER_TURN = 4  # for agents that never stop asking

Act = tuple[Callable[[Talk], None], int]
"""Something to do in a conversation, and how often."""


@dataclass
class Stage:
    """The parts of a schedule that all kinds of acting share."""

    chance: random.Random
    figures: Counter[str]
    folder: Path
    talks: list[Talk]
    caller: Caller
    tell: Callable[[str], None]
    complaints: list[str]
    kinds: Sequence[str]
    passwords: list[str] = field(default_factory=list)
    number: int = 0
    addresses: Addresses | None = None
    """The addresses of the server, if it is up."""
    pid: int = 0
    is_settling: bool = False
    database: str = ""
    """The commit whose database it starts with (plan.Plan)."""
    interfere: Callable[[Talk], None] = lambda talk: None
    """Lets somebody do something in a conversation."""
    on_command: Callable[[Talk, Person, str, dict[str, object]], None] = lambda talk, person, type, content: None

    def send(self, talk: Talk, person: Person, type: str, **content: object) -> None:
        """Send a command over WebSocket."""
        person.send(type, **content)
        self.tell("sent")
        self.on_command(talk, person, type, content)

    @property
    def data(self) -> Path:
        return self.folder / "data"

    @property
    def live(self) -> list[Talk]:
        return [talk for talk in self.talks if not talk.is_going]

    def next(self) -> int:
        self.number += 1
        return self.number

    def get(self, path: str) -> Answer:
        """Ask the last server, which nobody breaks, and wait."""
        assert self.addresses is not None
        return ask(self.addresses.page, "GET", path)

    def command_id(self, talk: Talk, type: str) -> str:
        """Return the id of a new command."""
        id = f"k{self.next()}"
        talk.commands[id] = type
        return id

    def new_text(self, talk: Talk) -> str:
        text = plan.message_for(self.chance, talk.agent, f"mx{self.next()}", self.kinds)
        talk.texts.add(text)
        return text

    def words(self, talk: Talk, asked: Frame) -> dict[str, Any]:
        """Return an answer to a question."""
        content = asked["content"]
        if content["tool"] is not None:
            text = self.chance.choice(("approve", "approve", "approve", "deny", "deny, too dear", "edit"))
            arguments = content["tool"]["arguments"]
            return {"text": text, **({"arguments": arguments | {"times": 2}} if text == "edit" else {})}
        if content["password"]:
            self.passwords.append(f"secret{self.next():04}")
            return {"text": self.passwords[-1]}
        if content["choices"] is None:
            return {"text": f"Answer {self.next()}"}
        answered = sum(f["type"] == "input_response" and f["turn"] == asked["turn"] for f in talk.log)
        often = answered < ANSWERS_PER_TURN
        return {"text": self.chance.choice(("", "", "exit", f"Words {self.next()}")) if often else "exit"}


class Kind:
    """One kind of acting: everything it does goes through these methods, in the schedule's thread."""

    name: ClassVar[str]
    reaches: Sequence[str] = ()
    """The figures that must not be zero after some schedules."""
    options: Sequence[str] = ()
    """Further options of the servers."""
    expected: frozenset[str] = frozenset()
    """Codes of errors that are no fault when it acts."""
    turn_errors: frozenset[str] = frozenset()
    """Codes of errors with which turns may fail."""
    excuses: Sequence[str] = ()
    """Words in entries of the server's log that are no fault."""
    waits_for_rest: bool = False
    """It goes on only in conversations that stand still."""
    sessions: Set[str] = frozenset()
    """Sessions in the data folder that nobody is in."""

    def __init__(self, stage: Stage) -> None:
        self._stage = stage
        self._chance = stage.chance
        self._figures = stage.figures

    def prepare(self) -> None:
        """Set up the data folder before the first server starts."""

    def inside(self) -> dict[str, Any]:
        """Return what is to be broken inside the next server (broken.py)."""
        return {}

    def choices(self, talk: Talk) -> list[Act]:
        """Return what may be done while the agents work."""
        return []

    def go_on(self, talk: Talk) -> bool:
        """Do something in an idle conversation, and return True if anything was done."""
        return False

    def seen(self, talk: Talk, frame: Frame) -> None:
        """Take note of a new event."""

    def refused(self, talk: Talk, error: Mapping[str, Any]) -> None:
        """Take note of an error that a WebSocket client got."""

    def server_ended(self) -> None:
        """Do something while no server runs."""

    def breaks(self, what: str) -> None:
        """Carry out one of its faults (plan.FAULTS)."""

    def settle(self) -> None:
        """Stop breaking things; called before the last server starts."""

    def is_settled(self) -> bool:
        """Return True when nothing of its own is under way."""
        return True

    def look(self) -> None:
        """Gather evidence while the last server is up and idle."""

    def judge(self, logs: Mapping[str, Log]) -> Iterator[str]:
        """Describe what is wrong, given the logs by session, after the last server has ended."""
        return iter(())

    def _send(self, talk: Talk, method: str, what: str, **more: Any) -> None:
        self._stage.caller.send(Request(talk, method, what, **more))
        self._stage.tell("sent")
