"""One schedule: play conversations, break things as planned, then let everything finish and check it."""

from __future__ import annotations

import json
import queue
import random
import signal
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from tests.clients import Frame
from tests.conftest import config_list
from tests.faults import agents, evidence, plan
from tests.faults.acting import Actor
from tests.faults.checks import violations
from tests.faults.evidence import Conversation, Evidence
from tests.faults.model import ScriptedModel, labels, script
from tests.faults.person import Person, Seen
from tests.faults.plan import Fault, Life
from tests.faults.servers import News, Zygote
from tests.faults.talk import Talk

PATIENCE = 15  # seconds without news after which a schedule is stuck; not its total time
LULL = 0.02  # seconds without news after which absent people come back
INTERFERENCE = 0.3  # probability that somebody acts when an event was seen
EXPECTED = frozenset({"busy", "closing", "request_closed", "already_answered", "message_unknown", "nothing_to_retry"})

Note = Seen | News | str
"""A frame a client received, a change of a server, or an action of the model or a person."""


class Stuck(Exception):
    """Something expected does not happen."""


class Schedule:
    """Plays a schedule: every occurrence is a note in one queue, processed by one thread."""

    def __init__(self, seed: int, zygote: Zygote, folder: Path, figures: Counter[str]) -> None:
        self._chance = random.Random(seed)
        self._zygote = zygote
        self._folder = folder
        self._figures = figures
        self._notes: queue.SimpleQueue[Note] = queue.SimpleQueue()
        self._model = ScriptedModel(self._notes.put)
        drawn = plan.draw(self._chance)
        self._lives = drawn.lives
        self._life = Life()
        self._counted: Counter[str] = Counter()  # since the last fault
        self._talks = [
            Talk([Person(part, plot.agent, self._notes.put) for part in plot.parts], plot.messages)
            for plot in drawn.plots
        ]
        self._people = [person for talk in self._talks for person in talk.people]
        self._actor = Actor(self._chance, figures, self._count)
        self._server = 0
        self._address = ""  # of a server that is up, as far as we know
        self._is_up = False
        self._is_settling = False
        self._is_leaving = False
        self._ends = 0
        self._status: int | None = None
        self._open_at_end: dict[int, set[str]] = {}
        self._complaints: list[str] = []
        self._history: list[str] = []

    # Running it

    def play(self) -> list[str]:
        """Play the schedule and return what is wrong, in words."""
        self._agents = agents.write(self._folder)
        with self._model:
            try:
                self._random_phase()
                self._settle()
                reminded = self._remind()
                self._read_all_again()
            except Stuck as stuck:
                self._complaints.append(f"stuck: {stuck}\n{self._state()}")
                if self._is_up:
                    self._zygote.signal(self._server, signal.SIGUSR1)  # its threads are in server.log
                reminded = None
            self._end()
        found = self._judge(reminded)
        if found:
            found.append("what broke: " + "; ".join(self._history))
        return found

    def _random_phase(self) -> None:
        self._start(self._lives.popleft())
        while not (self._is_up and all(self._is_played(talk) for talk in self._talks)):
            self._take_next()

    def _is_played(self, talk: Talk) -> bool:
        return bool(talk.id) and talk.stands_still and not talk.questions and not talk.to_say

    def _settle(self) -> None:
        """Finish without faults: all questions are answered, all turns end, everybody sees everything."""
        self._is_settling = True
        self._life = Life()
        if self._address:
            self._break_server("kill")
        self._wait(lambda: not self._is_up)
        self._start(Life())
        self._wait(lambda: all(self._is_settled(talk) for talk in self._talks))

    def _is_settled(self, talk: Talk) -> bool:
        return (
            all(person.is_here and person.last == len(talk.log) for person in talk.people)
            and all(person.confirmations[-1]["last_seq"] <= person.last for person in talk.people)
            and talk.stands_still
            and not talk.questions
        )

    def _remind(self) -> list[list[str] | None]:
        """Send one more message in each conversation to see what the agents remember."""
        reminded: list[list[str] | None] = []
        for number, talk in enumerate(self._talks):
            before = len(self._model.requests)
            talk.to_say.clear()
            label = f"mlast{number}"
            talk.to_say.append(script(label, [{"text": "Yes."}]))
            self._actor.go_on(talk, is_settling=False)
            self._wait(lambda talk=talk: self._is_settled(talk))
            requests = [labels(request["body"]) for request in self._model.requests[before:]]
            # A retry already on its way when everything was idle may come first.
            reminded.append(next((found for found in requests if label in found), None))
        return reminded

    def _read_all_again(self) -> None:
        """Reconnect everybody once more, and let a new client read from the beginning."""
        for person in self._people:
            person.cut()
        self._wait(lambda: all(self._is_settled(talk) for talk in self._talks))
        for talk in self._talks:
            reader = Person(plan.Part("Eve", "viewer"), "", self._notes.put)
            reader.session = talk.id
            talk.people.append(reader)
            reader.connect(self._address)
        self._wait(lambda: all(self._is_settled(talk) for talk in self._talks))

    def _end(self) -> None:
        """Shut the last server down, if it is running."""
        self._is_leaving = True
        for talk in self._talks:
            for person in talk.people:
                person.leave()
        if self._is_up:
            self._zygote.signal(self._server, signal.SIGTERM)
        try:
            while self._is_up:
                self._take_next()
        except Stuck:
            self._complaints.append("SIGTERM did not end the last server")
            self._zygote.signal(self._server, signal.SIGKILL)
            while self._is_up:
                self._take_next()
        if self._status != 0:
            self._complaints.append(f"the last server ended with status {self._status}")

    # Notes

    def _wait(self, condition: Any) -> None:
        while not condition():
            self._take_next()

    def _take_next(self) -> None:
        away = [person for person in self._people if person.away and not person.is_connected]
        try:
            note = self._notes.get(timeout=LULL if away else PATIENCE)
        except queue.Empty:
            if not away:
                raise Stuck(f"nothing happens for {PATIENCE} seconds") from None
            for person in away:
                self._come_back(person)
            return
        for person in away:
            person.away -= 1
            if not person.away:
                self._come_back(person)
        if isinstance(note, Seen):
            self._see(note.person, note.frame)
        elif isinstance(note, str):
            self._count(note)
        else:
            self._hear(note)
        for talk in self._talks:
            self._go_on(talk)

    def _see(self, person: Person, frame: Frame | None) -> None:
        talk = next(talk for talk in self._talks if person in talk.people)
        if frame is None:
            person.gone()
            talk.forget(person)
            if not person.away:
                self._come_back(person)
            return
        is_first = not person.is_here
        person.take(frame)
        self._count("frame")
        if is_first:
            self._count("connection_confirmed")
            self._confirmed(talk, person)
        elif "seq" in frame:
            if talk.learn(frame):
                self._count("event")
                self._count(frame["type"])
                if not self._is_settling and self._chance.random() < INTERFERENCE:
                    self._actor.interfere(talk)
        elif frame["type"] == "error":
            self._refused(talk, person, frame["content"])
        elif frame["type"] == "stream":
            self._count("stream")

    def _confirmed(self, talk: Talk, person: Person) -> None:
        content = person.confirmations[-1]
        survived = self._open_at_end.get(id(talk), set()) & {r["request_id"] for r in content["open_requests"]}
        self._figures["questions that survived a restart"] += len(survived)
        self._open_at_end.pop(id(talk), None)
        for other in talk.people:
            if not other.session:
                other.session = person.session
                self._come_back(other)
        if person.is_member:
            self._actor.resend(talk, person)

    def _refused(self, talk: Talk, person: Person, error: Any) -> None:
        self._figures["refusals"] += 1
        if error["code"] not in EXPECTED:
            self._complaints.append(f"{person.name} got the error {error}")
        talk.refused(error)

    def _go_on(self, talk: Talk) -> None:
        """Act in an idle conversation, or trigger the next planned fault."""
        if self._is_leaving or not talk.id or not talk.stands_still:
            return
        if self._life.faults and talk.questions and self._chance.random() < 0.15:
            self._break(self._life.faults.popleft())
        has_more = self._actor.go_on(talk, self._is_settling)
        is_over = not has_more and all(self._is_played(talk) for talk in self._talks)
        if is_over and self._life.faults and self._chance.random() < 0.5:
            self._break(self._life.faults.popleft())

    # Servers

    def _start(self, life: Life) -> None:
        self._life = life
        self._counted.clear()
        self._is_up = True
        environment = config_list(self._model)
        options = ["--port", "0", "--ws-port", "0", "--agents", self._agents, "--data-dir", str(self._folder / "data")]
        self._server = self._zygote.start(self._folder, options, environment, life.crash, self._notes.put)
        self._figures["servers"] += 1

    def _hear(self, news: News) -> None:
        if "address" in news:
            self._address = news["address"]
            arriving = [person for person in self._people if not person.is_connected]
            self._chance.shuffle(arriving)
            for person in arriving:
                self._come_back(person)
            return
        self._address, self._is_up, self._status = "", False, news["ended"]
        if self._is_leaving:
            return
        self._ends += 1
        if self._status not in {-signal.SIGKILL, 0}:
            self._complaints.append(f"a server ended with status {self._status}")
        if self._status == -signal.SIGKILL:
            self._figures["kills"] += 1
        self._open_at_end = {id(talk): set(talk.questions) for talk in self._talks}
        if self._life.crash:
            self._history.append(f"crash {self._life.crash}")
        if not self._is_settling:
            self._start(self._lives.popleft() if self._lives else Life())

    def _come_back(self, person: Person) -> None:
        """Reconnect people; a session's first client creates it, and the others wait for its id."""
        person.away = 0
        talk = next(talk for talk in self._talks if person in talk.people)
        is_founder = person is next(p for p in talk.people if p.is_member)
        if self._address and not self._is_leaving and (person.session or is_founder) and not person.is_connected:
            person.connect(self._address)

    # Faults

    def _count(self, what: str) -> None:
        self._counted[what] += 1
        faults = self._life.faults
        if faults and faults[0].trigger == what and self._counted[what] >= faults[0].count:
            self._break(faults.popleft())

    def _break(self, fault: Fault) -> None:
        self._history.append(f"{fault.what} at {fault.trigger} {fault.count}")
        self._counted.clear()
        connected = [person for person in self._people if person.is_connected]
        if fault.what in {"kill", "term"}:
            self._break_server(fault.what)
        elif connected:
            chosen = connected if fault.what == "cut all" else [self._chance.choice(connected)]
            for person in chosen:
                self._figures["cuts"] += 1
                person.away = self._chance.randint(0, 8)
                (person.tear if fault.what == "tear" else person.cut)()

    def _break_server(self, how: str) -> None:
        self._address = ""
        if how == "term":
            self._figures["terms"] += 1
        self._zygote.signal(self._server, signal.SIGTERM if how == "term" else signal.SIGKILL)

    # Checking

    def _told_by_clients(self) -> Iterator[str]:
        for talk in self._talks:
            yield from talk.complaints
            for person in talk.people:
                yield from person.complaints

    def _judge(self, reminded: list[list[str] | None] | None) -> list[str]:
        data = self._folder / "data"
        logs = evidence.logs(data)
        conversations = [
            _conversation(talk, logs.pop(talk.id, []), reminded[number] if reminded else None)
            for number, talk in enumerate(self._talks)
        ]
        found = self._complaints + self._model.complaints[:1] + list(self._told_by_clients())
        found += [f"nobody knows the conversation {id}: {log}" for id, log in logs.items() if log]
        ran = evidence.ran(data)
        found += violations(Evidence(conversations, ran, self._ends))
        found += evidence.damage(data, self._actor.passwords)
        log = (self._folder / "server.log").read_text()
        found += [
            f"a server's log has: {log[log.index(word) :][:1500]}" for word in ("Traceback", "ERROR") if word in log
        ][:1]
        self._sum_up(conversations, len(ran))
        if "most recent call first" in log:
            found.append(f"the threads of the server that was stuck:\n{log[log.index('Thread 0x') :]}")
        if found:
            found += [_account(conversation) for conversation in conversations]
        return found

    def _sum_up(self, conversations: list[Conversation], ran: int) -> None:
        self._figures["tools run"] += ran
        self._figures["sessions"] += len(conversations)
        for conversation in conversations:
            self._figures["messages accepted"] += len(conversation.accepted)
            self._figures["messages refused"] += len(conversation.refused)
            self._figures["events"] += len(conversation.log)
            self._figures["events seen and compared"] += sum(len(view) for view in conversation.views.values())
            for frame in conversation.log:
                if frame["type"] == "turn_completed":
                    self._figures[f"turns {frame['content']['status']}"] += 1
                elif frame["type"] in {"input_request", "input_response", "rewind"}:
                    self._figures[f"{frame['type']}s"] += 1

    def _state(self) -> str:
        """Describe the state of a schedule that is stuck."""
        lines = [f"server {'up' if self._is_up else 'down'} at {self._address!r}, settling: {self._is_settling}"]
        for talk in self._talks:
            waiting = {id: sent.state for id, sent in talk.sent.items() if sent.state == "pending"}
            lines.append(f"{talk.id}: turns {talk.turns}, questions {list(talk.questions)}, pending {waiting}")
            lines.append(f"  answering {list(talk.answering)}, rewound {talk.rewound}, to say {len(talk.to_say)}")
            lines += [f"  {p.name}: here {p.is_here}, at {p.last} of {len(talk.log)}" for p in talk.people]
        return "\n".join(lines)


def _conversation(talk: Talk, log: list[Frame], reminded: list[str] | None) -> Conversation:
    return Conversation(
        log=log,
        views={person.name: person.seen for person in talk.people},
        accepted=[id for id, sent in talk.sent.items() if sent.state == "seen"],
        refused=[id for id, sent in talk.sent.items() if sent.state == "refused"],
        texts=frozenset(talk.texts),
        confirmations=[content for person in talk.people for content in person.confirmations],
        reminded=reminded,
    )


def _account(conversation: Conversation) -> str:
    """Return a readable account of a log."""
    lines = []
    for frame in conversation.log:
        content = {
            name: value for name, value in frame["content"].items() if name not in {"uuid", "sender", "recipient"}
        }
        place = f"  {frame['seq']:3} {frame['ts'][14:23]} turn {frame['turn']} {frame['type']:17}"
        lines.append(f"{place} {json.dumps(content)[:170]}")
    return "\n".join(["the log:", *lines])
