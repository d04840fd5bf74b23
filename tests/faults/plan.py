"""The plan of a schedule: everything that is drawn before it starts."""

from __future__ import annotations

import random
from collections import deque
from collections.abc import Collection, Sequence
from dataclasses import dataclass, field
from typing import Any

from tests.faults.model import Step, script
from tests.test_old_databases import COMMITS, DATABASES

ALWAYS = "messages"  # the kind of acting without which nothing happens
OTHERS = (
    "rest", "sse", "delete", "expiry", "files", "tasks", "notes", "desk", "groups", "mcp", "timeouts", "upgrades",
    "clocks", "refusals", "repeats", "building", "asking",
)  # fmt: skip
REFUSED = ("rest", "files", "delete", "tasks", "desk", "notes")  # what a store may refuse
MOST_OTHERS = 3  # kinds drawn beside the one whose turn it is
ENDINGS = ("kill", "kill", "kill", "crash", "crash", "term")
TRIGGERS = (
    "frame", "frame", "event", "event", "event", "stream", "request", "request", "token", "token", "sent", "sent",
    "user_message", "turn_started", "tool_call", "execute_function", "executed_function", "tool_response",
    "input_request", "input_request", "input_response", "turn_completed", "rewind", "connection_confirmed",
)  # fmt: skip

FAULTS = {"refusals": ("lock", "full"), "clocks": ("clock",)}
TOOLS: dict[str, tuple[tuple[str, ...], ...]] = {
    "asking": (("book",), ("book_async",), ("send",), ("sign",), ("book", "send")),
    "files": (("write",), ("write",), ("write", "book"), ("erase",)),
    "tasks": (("plan",), ("plan", "plan"), ("plan", "finish")),
    "notes": (("note",), ("note",), ("note", "note"), ("drop",)),
    "desk": (("human",), ("look", "human")),
    "mcp": (("add",), ("add",), ("add", "look"), ("die",), ("add", "add")),
}
"""Tools that the model calls for one kind of acting."""
OLD_AGENTS = {"pair": "pair", "stopped": "pair", "killed": "pair", "asking": "pair", "helped": "pair", "team": "team"}
"""The agents of sessions in the databases of earlier versions, of which not all have all."""


@dataclass
class Fault:
    """Something that breaks once `trigger` has been seen `count` times."""

    what: str
    """kill, term: the server; cut, cut all: connections are reset; tear: one is closed in the middle of a frame.

    Others belong to one kind of acting (FAULTS).
    """
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
    """member, viewer, operator, or sse: a viewer who reads event streams."""


@dataclass
class Plot:
    """One conversation."""

    agent: str
    parts: list[Part]
    messages: deque[str]
    doom: str = ""
    """The kind of acting that ends it: delete or expiry."""
    session: str = ""
    """An old session that it takes up."""


@dataclass
class Plan:
    """One schedule."""

    kinds: list[str]
    lives: deque[Life]
    plots: list[Plot]
    database: str = ""
    """The commit whose database it starts with, if it is an old one."""


def draw(chance: random.Random, seed: int, only: Sequence[str] = ()) -> Plan:
    """Draw a schedule; its seed says which kind of acting is certainly in it."""
    others = [name for name in OTHERS if not only or name in only]
    kinds, database = [ALWAYS], ""
    if others:
        kinds.append(others[seed % len(others)])
        kinds += [name for name in chance.sample(others, min(len(others), MOST_OTHERS)) if name not in kinds]
    if "repeats" in kinds and "rest" not in kinds and "rest" in others:
        kinds.append("rest")
    if "refusals" in kinds:
        kinds += [name for name in chance.sample(REFUSED, 2) if name in others and name not in kinds]
    if kinds[1:2] != ["mcp"] and len(others) > 1 and "mcp" in kinds:
        kinds.remove("mcp")  # which takes seconds for each server
    most = 2 if "mcp" in kinds else 4
    lives = deque(_life(chance, kinds) for _ in range(chance.randint(1, most)))
    several = chance.choice((1, 1, 2)) + ("expiry" in kinds) + ("asking" in kinds)
    plots = [_plot(chance, number, kinds) for number in range(several)]
    if "upgrades" in kinds:
        database = chance.choice(COMMITS)
        text = (DATABASES / f"{database}.sql").read_text()
        there = [session for session in OLD_AGENTS if f"INSERT INTO sessions VALUES ('{session}'" in text]
        plots += [_old(chance, len(plots) + n, session) for n, session in enumerate(chance.sample(there, 2))]
    for doom in ("delete", "expiry"):
        if doom in kinds and not (doom == "expiry" and "clocks" in kinds):
            plots.append(_doomed(chance, len(plots), kinds, doom))
    return Plan(kinds, lives, plots, database)


def _life(chance: random.Random, kinds: Collection[str]) -> Life:
    cuts = [Fault(what, *_moment(chance)) for what in chance.choices(("cut", "cut", "cut all", "tear"), k=2)]
    faults = cuts[: chance.randint(0, 2)]
    for kind, ways in FAULTS.items():
        if kind in kinds:
            faults.insert(chance.randint(0, len(faults)), Fault(chance.choice(ways), *_moment(chance)))
    life = Life(deque(faults))
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


def _plot(chance: random.Random, number: int, kinds: Collection[str]) -> Plot:
    agent = chance.choice(("clerk", "clerk", "clerk", "always"))
    if "groups" in kinds and number == 0:
        agent = chance.choice(("group", "pattern"))
    parts = [Part(name, "member") for name in ("Ada", "Bob", "Cem")[: chance.choice((1, 1, 2, 3))]]
    if len(parts) > 1 and chance.random() < 0.5:
        parts[-1] = Part("Viv", "viewer")
    if "desk" in kinds and chance.random() < 0.7:
        parts.append(Part("Ann", "operator"))
    if "sse" in kinds:
        parts.append(Part("Ed", "sse"))
    texts = (message_for(chance, agent, f"m{number}.{n}", kinds) for n in range(chance.randint(2, 5)))
    return Plot(agent, parts, deque(texts))


def _doomed(chance: random.Random, number: int, kinds: Collection[str], doom: str) -> Plot:
    """Return a conversation that is going to end; what agents note about a person without a name goes with it."""
    plot = _plot(chance, number, [kind for kind in kinds if kind not in {"groups", "desk"}])
    plot.agent, plot.doom = "clerk", doom
    plot.parts[0] = Part("user", "member")
    if doom == "expiry":
        plot.messages = deque([script(f"m{number}.0", [{"tools": ["write"]}, {"text": "Long ago."}])])
    return plot


def _old(chance: random.Random, number: int, session: str) -> Plot:
    parts = [Part(name, "member") for name in ("Ada", "Bob")[: chance.choice((1, 2))]]
    agent = OLD_AGENTS[session]
    texts = (message_for(chance, agent, f"m{number}.{n}", ()) for n in range(chance.randint(1, 3)))
    return Plot(agent, parts, deque(texts), session=session)


def message_for(chance: random.Random, agent: str, label: str, kinds: Collection[str]) -> str:
    """Return a message that suits the agent."""
    if agent in {"group", "pair", "team"}:
        return script(label, [{"text": f"On {label}: word word.", "delay": 0.001}])
    if agent == "pattern":
        looks: list[Step] = [{"tools": ["look"]}] * chance.randint(0, 2)
        return script(label, [*looks, {"text": f"On {label}: word."}])
    return message(chance, label, kinds)


def message(chance: random.Random, label: str, kinds: Collection[str] = ()) -> str:
    """Return a message together with the script of its answer."""
    plain = ((), (), ("look",), ("look",), ("book",), ("book",), ("send",), ("send",), ("fail",), ("book_async",))
    more = (("look", "book"), ("send", "look"), ("look", "send"), ("book", "book"), ("sign",))
    own = tuple(tools for kind in kinds for tools in TOOLS.get(kind, ()))
    steps: list[Step] = [{"tools": list(tools)} for tools in chance.choices(plain + more + own * 4, k=2) if tools]
    pause = chance.choice((0.0, 0.0, 0.001, 0.003))
    words = " ".join(f"word{n}" for n in range(chance.randint(2, 12)))
    last: Step = {"text": f"On {label}: {words}", "delay": pause}
    if "timeouts" in kinds and chance.random() < 0.4:
        last["gate"] = 4.0  # seconds, longer than a turn may take
    return script(label, [*steps, last])
