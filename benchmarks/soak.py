"""`python -m benchmarks soak`: many turns of many people, after which the server must hold as much as before.

People come and go: most take some turns with an agent, some leave in the middle of a turn or with a question open, and
some only ask over HTTP. From time to time all of them leave; then the server is looked at.
"""

from __future__ import annotations

import argparse
import itertools
import json
import sys
import urllib.request
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

from benchmarks.load import Conversation, Fleet
from benchmarks.processes import OURS, Process, free_port, serving

TURNS, CLIENTS, LOOKS = 10_000, 50, 5
STAY = 8  # rounds after which a client leaves and another one comes
SETTLED = 30  # seconds in which the server gives back what clients have left behind
MAX_PAUSE = 20.0  # ms that the collector may stop the server
MORE_DESCRIPTORS = 20  # than at the first look: idle connections to the model server
MORE_MEMORY = 20_000  # KiB
MORE_OBJECTS = 1_000


def _directive(**fields: Any) -> str:
    return f"@@{json.dumps(fields)}@@"


def _tool(name: str, **arguments: Any) -> str:
    return _directive(tools=[[name, arguments]], then={"text": "Done."})


TALKS = (
    ("weather", "What is the weather in Oslo?"),
    ("weather", _directive(n=60)),
    ("concierge", _tool("remember", key="home", value="Oslo")),
    ("documents", _tool("write_document", path="a.md", content="Hello\n" * 20)),
    ("tasks", _tool("create_task", title="Paint the fence")),
    ("coding_team", "Say hello"),
    ("knowledge", _tool("search_knowledge", query="how is a turn stopped")),
    ("concierge", "Good morning"),
)
KEPT = (
    "agentchat.sessions.session.Session",
    "agentchat.ag2.conversation.Conversation",
    "agentchat.models.openai_client.DirectClient",
    "agentchat.ws.connection.ClientConnection",
    "autogen.agentchat.conversable_agent.ConversableAgent",
)
"""Classes of which there may be no more objects than at first."""
LEFT = (("travel", _tool("book_train", city="Oslo")), ("weather", _directive(n=1000, delay=0.01)))
"""The messages of people who leave; one of them is asked a question, which stays open."""


@dataclass(frozen=True)
class Look:
    """The resources that the server holds while nobody is connected."""

    turns: int  # taken so far
    threads: int
    descriptors: int
    memory: int  # KiB
    pause: float  # ms; the longest so far
    total: int  # objects
    objects: dict[str, int]  # those of our classes, AG2's and those of their clients, by class

    def __str__(self) -> str:
        return (
            f"{self.turns:6,} turns: {self.threads} threads, {self.descriptors} descriptors, {self.memory:,} KiB, "
            f"{self.total:,} objects, longest pause to collect garbage {self.pause:.1f} ms"
        )


def more(first: Look, last: Look) -> list[str]:
    """Return what the server holds at the last look and did not at the first."""
    found = []
    for name, allowed in (
        ("threads", 0),
        ("descriptors", MORE_DESCRIPTORS),
        ("memory", MORE_MEMORY),
        ("total", MORE_OBJECTS),
    ):
        before, after = getattr(first, name), getattr(last, name)
        if after > before + allowed:
            found.append(f"{name}: {before:,} at first, {after:,} at last")
    for name in KEPT:
        before, after = first.objects.get(name, 0), last.objects.get(name, 0)
        if after > before:
            found.append(f"{name}: {before} at first, {after} at last")
    return found


class People:
    """People who talk to the server."""

    def __init__(self, server: Process, fleet: Fleet, page: str, clients: int) -> None:
        self.turns = 0
        self._server, self._fleet, self._page, self._clients = server, fleet, page, clients
        self._talks = itertools.cycle(TALKS)

    def talk(self, turns: int) -> None:
        """Have people take so many turns, and leave."""
        until = self.turns + turns
        staying: list[tuple[Conversation, str]] = []
        while self.turns < until:
            leaving = staying[: max(self._clients // STAY, 1)] if len(staying) == self._clients else []
            staying = staying[len(leaving) :]
            self._fleet.drop([conversation for conversation, _ in leaving])
            while len(staying) < self._clients:
                agent, text = next(self._talks)
                staying.append((self._fleet.open(path=f"/?agent={agent}")[0], text))
            self._fleet.talk(staying, self._clients)
            self.turns += len(staying)
            self._leave()
            self._ask_over_http()
        self._fleet.drop([conversation for conversation, _ in staying])

    def look(self, first: Look | None = None) -> Look:
        """Look at the server, again and again until it holds no more than at the first look."""
        for _ in range(SETTLED):
            self._fleet.rest(1)
            look = Look(turns=self.turns, **json.loads(self._server.ask()))
            if first is None or not more(first, look):
                break
        return look

    def _leave(self) -> None:
        for agent, text in LEFT:
            opened = self._fleet.open(path=f"/?agent={agent}")
            opened[0].say(text)
            self._fleet.rest(0.05)
            opened[0].busy = False
            self._fleet.drop(opened)

    def _ask_over_http(self) -> None:
        body = json.dumps({"message": "Hello"}).encode()
        headers = {"Content-Type": "application/json"}
        for path, said in (("", None), ("api/agent-chat/sessions", None), ("api/v1/chat/new", body)):
            with urllib.request.urlopen(urllib.request.Request(self._page + path, said, headers)) as answer:
                answer.read()


def soak(turns: int, clients: int, looks: int = LOOKS, is_timed: bool = False) -> list[Look]:
    """Have people take so many turns. Returns what the server held in between and at the end."""
    page = free_port()
    kind = replace(OURS, command=lambda folder: _command(page, folder))
    found: list[Look] = []
    with serving(kind, is_timed=is_timed) as server, Fleet(kind, server) as fleet:
        people = People(server, fleet, f"http://127.0.0.1:{page}/", clients)
        for _ in range(looks):
            people.talk(turns // looks)
            found.append(people.look(*found[:1]))
            print(found[-1], file=sys.stderr, flush=True)
    return found


def _command(page: int, folder: str) -> list[str]:
    ports = ["--port", str(page), "--ws-port", "0"]
    return ["-m", "benchmarks.observed_server", *ports, "--data-dir", folder, "--new-sessions-per-minute", "0"]


def main(arguments: Sequence[str]) -> int:
    parser = argparse.ArgumentParser(prog="python -m benchmarks soak", description=__doc__)
    parser.add_argument("--turns", type=int, default=TURNS)
    parser.add_argument("--clients", type=int, default=CLIENTS)
    options = parser.parse_args(arguments)
    looks = soak(options.turns, options.clients)
    found = more(looks[0], looks[-1])
    if looks[-1].pause > MAX_PAUSE:
        print(f"the collector stopped the server for more than {MAX_PAUSE:g} ms (on a busy machine it takes longer)")
    print("\n".join(found) or "flat")
    return 1 if found else 0
