"""The known state of a conversation: the longest part of its log seen by any client, and what was sent."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field
from typing import Any

from tests.clients import Frame
from tests.faults.person import Person


@dataclass
class Sent:
    """A message sent under an id of our own."""

    owner: Person | None
    """None: it was sent over REST."""
    text: str
    busy: str
    state: str = "pending"
    """pending, seen (in the log) or refused."""


@dataclass(frozen=True)
class Acknowledged:
    """The server said that an event is in the log."""

    key: str
    """The id of the command."""
    seq: int
    type: str
    field: str
    value: str
    """Return the value of `field` in the content of the event."""


@dataclass(eq=False)
class Talk:
    """One conversation."""

    people: list[Person]
    to_say: deque[str]
    agent: str = ""
    doom: str = ""
    """The kind of acting that will end it: delete or expiry."""
    state: str = "live"
    """live, going (its deletion is under way), or gone."""
    held: str = ""
    """waiting (for a human) or taken."""
    is_old: bool = False
    """It comes with a database of an earlier version."""
    old: frozenset[str] = frozenset()
    """Ids of messages from before the schedule."""
    ignored: set[str] = field(default_factory=set)
    """Questions that nobody is going to answer."""
    commands: dict[str, str] = field(default_factory=dict)
    """The types of the commands sent, by their ids."""
    edits: dict[str, str] = field(default_factory=dict)
    """The new texts of edits, by the commands' ids."""
    acknowledged: list[Acknowledged] = field(default_factory=list)
    log: list[Frame] = field(default_factory=list)
    sent: dict[str, Sent] = field(default_factory=dict)
    texts: set[str] = field(default_factory=set)
    """All texts a message may have."""
    turns: dict[int, str] = field(default_factory=dict)
    """waiting, running or done."""
    questions: dict[str, Frame] = field(default_factory=dict)
    """The open questions."""
    answering: dict[str, Person | None] = field(default_factory=dict)
    """Questions with an answer on its way, and its author; None: over REST."""
    rewound: set[int] = field(default_factory=set)
    complaints: list[str] = field(default_factory=list)

    @property
    def id(self) -> str:
        return next((person.session for person in self.people if person.session), "")

    def learn(self, frame: Frame) -> bool:
        """Take in an event that someone saw, and return True if it is new."""
        seq = frame["seq"]
        if seq <= len(self.log):
            if self.log[seq - 1] != frame:
                self.complaints.append(f"two people saw {self.log[seq - 1]} and {frame}")
            return False
        self.log.append(frame)
        self._follow(frame)
        return True

    def _follow(self, frame: Frame) -> None:
        type, turn, content = frame["type"], frame["turn"], frame["content"]
        if type == "user_message":
            self.turns.setdefault(turn, "waiting")
            if content["id"] in self.sent:
                self.sent[content["id"]].state = "seen"
        elif type == "turn_started":
            self.turns[turn] = "running"
        elif type == "turn_completed":
            self.turns[turn] = "done"
            for id in [id for id, asked in self.questions.items() if asked["turn"] == turn]:
                self._close(id)
        elif type == "input_request":
            self.questions[content["request_id"]] = frame
        elif type == "input_response":
            self._close(content["request_id"])
        elif type == "rewind":
            self.rewound |= set(content["turns"])
        elif type == "handoff":
            self.held = {"wanted": self.held or "waiting", "taken": "taken", "returned": ""}.get(
                content["kind"], self.held
            )

    def _close(self, request_id: str) -> None:
        self.questions.pop(request_id, None)
        self.answering.pop(request_id, None)

    def refused(self, error: Any) -> None:
        """Note that the server refused what was sent."""
        self.answering.pop(error.get("request_id", ""), None)
        if error["code"] == "busy" and error.get("id") in self.sent:
            self.sent[error["id"]].state = "refused"

    def forget(self, person: Person) -> None:
        """Note that a connection is gone, perhaps with what was just sent."""
        self.answering = {id: by for id, by in self.answering.items() if by is not person}

    @property
    def is_going(self) -> bool:
        """Return True if it is being deleted, or has been."""
        return self.state != "live"

    @property
    def here(self) -> list[Person]:
        """Return those who have seen all that anybody saw."""
        return [p for p in self.people if p.is_here and p.last == len(self.log)]

    @property
    def members(self) -> list[Person]:
        """Return the members who can act now."""
        return [p for p in self.here if p.is_member]

    @property
    def stands_still(self) -> bool:
        """Return True if nothing more happens until somebody acts."""
        if any(sent.state == "pending" for sent in self.sent.values()) or self.answering:
            return False
        return bool(self.questions.keys() - self.ignored) or self.is_idle

    @property
    def open_questions(self) -> list[str]:
        """Return the questions that somebody is going to answer."""
        return [id for id in self.questions if id not in self.ignored]

    @property
    def is_idle(self) -> bool:
        return self.state != "going" and all(state == "done" for state in self.turns.values())

    def with_state(self, state: str) -> list[int]:
        return [turn for turn, now in self.turns.items() if now == state]

    def messages(self, states: set[str]) -> list[Frame]:
        """Return each version of the messages whose turns count and are in one of these states."""
        asked = [frame for frame in self.log if frame["type"] == "user_message"]
        return [f for f in asked if self.turns[f["turn"]] in states and f["turn"] not in self.rewound]
