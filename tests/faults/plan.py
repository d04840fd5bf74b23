"""The plan of a schedule: everything that is drawn before it starts."""

from __future__ import annotations

import random
from collections import deque
from dataclasses import dataclass, field
from typing import Any

from tests.faults.model import Step, script

ENDINGS = ("kill", "kill", "kill", "crash", "crash", "term")
TRIGGERS = (
    "frame", "frame", "event", "event", "event", "stream", "request", "request", "token", "token", "sent", "sent",
    "user_message", "turn_started", "tool_call", "execute_function", "executed_function", "tool_response",
    "input_request", "input_request", "input_response", "turn_completed", "rewind", "connection_confirmed",
)  # fmt: skip


@dataclass
class Fault:
    """Something that breaks once `trigger` has been seen `count` times."""

    what: str
    """kill, term: the server; cut, cut all: connections are reset; tear: one is closed in the middle of a frame."""
    trigger: str
    count: int


@dataclass
class Life:
    """One life of the server: the connections that break, and finally its end, in this order."""

    faults: deque[Fault] = field(default_factory=deque)
    crash: dict[str, Any] | None = None
    """Alternatively, the server kills itself at an append of its store."""


@dataclass(frozen=True)
class Part:
    """A person's part in a conversation."""

    name: str
    role: str


@dataclass
class Plot:
    """One conversation."""

    agent: str
    parts: list[Part]
    messages: deque[str]


@dataclass
class Plan:
    """One schedule."""

    lives: deque[Life]
    plots: list[Plot]


def draw(chance: random.Random) -> Plan:
    """Draw a schedule."""
    lives = deque(_life(chance) for _ in range(chance.randint(1, 4)))
    return Plan(lives, [_plot(chance, number) for number in range(chance.choice((1, 1, 2)))])


def _life(chance: random.Random) -> Life:
    cuts = [Fault(what, *_moment(chance)) for what in chance.choices(("cut", "cut", "cut all", "tear"), k=2)]
    life = Life(deque(cuts[: chance.randint(0, 2)]))
    ending = chance.choice(ENDINGS)
    if ending == "crash":
        append = int(2 ** chance.uniform(0, 5.5))  # often one of the first, some of which belong to the start
        life.crash = {"append": append, "when": chance.choice(("before", "after"))}
    else:
        life.faults.append(Fault(ending, *_moment(chance)))
    return life


def _moment(chance: random.Random) -> tuple[str, int]:
    trigger = chance.choice(TRIGGERS)
    most = {"frame": 60, "event": 30, "token": 40, "stream": 20, "request": 6, "sent": 6}.get(trigger, 3)
    return trigger, chance.randint(1, most)


def _plot(chance: random.Random, number: int) -> Plot:
    agent = chance.choice(("clerk", "clerk", "clerk", "always"))
    parts = [Part(name, "member") for name in ("Ada", "Bob", "Cem")[: chance.choice((1, 1, 2, 3))]]
    if len(parts) > 1 and chance.random() < 0.5:
        parts[-1] = Part("Viv", "viewer")
    return Plot(agent, parts, deque(message(chance, f"m{number}.{n}") for n in range(chance.randint(2, 5))))


def message(chance: random.Random, label: str) -> str:
    """Return a message together with the script of its answer."""
    kinds = ((), (), ("look",), ("look",), ("book",), ("book",), ("send",), ("send",), ("fail",), ("book_async",))
    more = (("look", "book"), ("send", "look"), ("look", "send"), ("book", "book"), ("sign",))
    steps: list[Step] = [{"tools": list(tools)} for tools in chance.choices(kinds + more, k=2) if tools]
    pause = chance.choice((0.0, 0.0, 0.001, 0.003))
    words = " ".join(f"word{n}" for n in range(chance.randint(2, 12)))
    return script(label, [*steps, {"text": f"On {label}: {words}", "delay": pause}])
