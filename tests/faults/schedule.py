"""One schedule: play conversations, break things as planned, then let everything finish and look at it."""

from __future__ import annotations

import contextlib
import queue
import random
import signal
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from tests.clients import Frame
from tests.conftest import config_list
from tests.faults import agents, plan
from tests.faults.acts import KINDS
from tests.faults.acts.kind import Stage
from tests.faults.acts.messages import Messages
from tests.faults.event_reader import EventReader
from tests.faults.model import ScriptedModel, Step, labels, script
from tests.faults.person import Addresses, Person, Seen
from tests.faults.plan import Fault, Life
from tests.faults.resources import Resources
from tests.faults.rest import EXPECTED as EXPECTED_OVER_REST
from tests.faults.rest import Answered, Caller
from tests.faults.servers import STARTS_WITHIN, News, Zygote
from tests.faults.talk import Talk
from tests.faults.verdict import Reminded, Verdict
from tests.model_server import words

PATIENCE = 15  # seconds without news from a server that is up after which a schedule is stuck; not its total time
LULL = 0.02  # seconds without news after which absent people come back
PULSE = 0.25  # seconds without news after which kinds of acting that wait for time to pass are asked again
INTERFERENCE = 0.3  # probability that somebody acts when an event was seen
EXPECTED = EXPECTED_OVER_REST | {"closing"}

Note = Seen | Answered | News | str
"""A frame a client received, an answer over REST, a change of a server, or an action of the model or a person."""


class Stuck(Exception):
    """Something expected does not happen."""


class Schedule:
    """Plays a schedule: every occurrence is a note in one queue, processed by one thread."""

    def __init__(
        self, seed: int, zygote: Zygote, folder: Path, figures: Counter[str], only: Sequence[str] = ()
    ) -> None:
        self._chance = random.Random(seed)
        self._zygote = zygote
        self._folder = folder
        self._figures = figures
        self._notes: queue.SimpleQueue[Note] = queue.SimpleQueue()
        self._model = ScriptedModel(self._notes.put)
        drawn = plan.draw(self._chance, seed, only)
        self._lives = drawn.lives
        self._life = Life()
        self._counted: Counter[str] = Counter()  # since the last fault
        self._complaints: list[str] = []
        self._talks = [self._talk(plot) for plot in drawn.plots]
        self._caller = Caller(self._notes.put, figures, self._complaints)
        self._stage = Stage(
            self._chance, figures, folder, self._talks, self._caller, self._count, self._complaints, drawn.kinds
        )
        self._stage.database = drawn.database
        self._kinds = [KINDS[name](self._stage) for name in drawn.kinds]
        self._messages = next(kind for kind in self._kinds if isinstance(kind, Messages))
        self._expected = EXPECTED.union(*(kind.expected for kind in self._kinds))
        for kind in self._kinds:
            figures[f"schedules with {kind.name}"] += 1
        self._stage.interfere = self._interfere
        self._resources = Resources()
        self._server = 0
        self._is_up = False
        self._is_leaving = False
        self._has_stacks = False
        self._ends = 0
        self._status: int | None = None
        self._open_at_end: dict[int, set[str]] = {}
        self._history: list[str] = [f"kinds {', '.join(drawn.kinds)}"]

    def _talk(self, plot: plan.Plot) -> Talk:
        people = [
            (EventReader if part.role == "sse" else Person)(part, plot.agent, self._notes.put) for part in plot.parts
        ]
        for person in people:
            person.session = plot.session
        return Talk(people, plot.messages, plot.agent, plot.doom, is_old=bool(plot.session))

    # Running it

    def play(self) -> list[str]:
        """Play the schedule and return what is wrong, in words."""
        self._agents = agents.write(self._folder)
        reminded: dict[str, Reminded] = {}
        with self._model:
            try:
                for kind in self._kinds:
                    kind.prepare()
                self._random_phase()
                self._settle()
                reminded = self._remind()
                for kind in self._kinds:
                    kind.look()
                self._read_all_again()
                self._leave()
            except Stuck as stuck:
                self._complaints.append(f"stuck: {stuck}\n{self._state()}")
                self._ask_for_stacks()
            self._end()
        self._complaints += self._model.complaints[:1]
        verdict = Verdict(self._stage, self._kinds, self._complaints, self._ends, reminded)
        found = verdict.violations()
        if found:
            found.append("what broke: " + "; ".join(self._history))
        return found

    def _random_phase(self) -> None:
        self._start(self._lives.popleft())
        while not (self._is_serving and self._caller.is_idle and all(map(self._is_played, self._stage.talks))):
            self._take_next()

    @property
    def _is_serving(self) -> bool:
        """Return True if a server is up that is neither starting nor told to end."""
        return self._stage.addresses is not None

    def _is_played(self, talk: Talk) -> bool:
        if talk.state == "gone":
            return True
        is_quiet = bool(talk.id) and talk.stands_still and not talk.open_questions and not talk.to_say
        return is_quiet and not (talk.held and self._stage.addresses is not None)

    def _settle(self) -> None:
        """Finish without faults: all questions are answered, all turns end, everybody sees everything."""
        self._stage.is_settling = True
        self._life = Life()
        for talk in self._talks:
            talk.ignored.clear()
        for kind in self._kinds:
            kind.settle()
        self._break_server("kill")
        self._wait(lambda: not self._is_up)
        self._start(Life())
        self._wait(self._is_settled)

    def _is_settled(self) -> bool:
        return (
            self._is_serving
            and self._caller.is_idle
            and all(kind.is_settled() for kind in self._kinds)
            and all(self._is_finished(talk) for talk in self._talks)
        )

    def _is_finished(self, talk: Talk) -> bool:
        if talk.state == "gone":
            return all(person.replaced or not person.is_connected for person in talk.people)
        return (
            talk.state == "live"
            and all(person.is_here and person.last == len(talk.log) for person in talk.people)
            and all(person.confirmations[-1]["last_seq"] <= person.last for person in talk.people)
            and talk.stands_still
            and not talk.questions
            and not talk.held
        )

    def _remind(self) -> dict[str, Reminded]:
        """Send one more message in each conversation to see what the agents remember."""
        reminded: dict[str, Reminded] = {}
        for number, talk in enumerate(self._talks):
            if talk.is_going:
                continue
            before = len(self._model.requests)
            label = f"mlast{number}"
            steps: list[Step] = [{"text": "Yes."}]
            if "mcp" in self._stage.kinds and talk.agent in {"clerk", "always"}:
                steps = [{"tools": ["add"]}, *steps]
            talk.to_say.clear()
            talk.to_say.append(script(label, steps))
            self._messages.say(talk, next(person for person in talk.people if person.is_member))
            self._wait(self._is_settled)
            requests = [request["body"] for request in self._model.requests[before:]]
            # A retry already on its way when everything was idle may come first.
            asked = next((body for body in requests if label in labels(body)), None)
            if asked is not None:
                reminded[talk.id] = Reminded(labels(asked), [words(message) for message in asked["messages"]])
            else:
                self._complaints.append(f"the model was not asked about the last message in {talk.id}")
        return reminded

    def _read_all_again(self) -> None:
        """Reconnect everybody once more, and let new clients read from the beginning."""
        for talk in self._stage.live:
            for person in talk.people:
                person.cut()
        self._wait(self._is_settled)
        assert self._stage.addresses is not None
        for talk in self._stage.live:
            for reader in (Person(plan.Part("Eve", "viewer"), "", self._notes.put),) + (
                (EventReader(plan.Part("Eva", "sse"), "", self._notes.put),) if "sse" in self._stage.kinds else ()
            ):
                reader.session = talk.id
                talk.people.append(reader)
                reader.connect(self._stage.addresses)
        for talk in self._talks:
            if talk.state == "gone":  # whoever asks for it gets another one
                late = Person(plan.Part("Lea", "member"), talk.agent, self._notes.put)
                late.session = talk.id
                talk.people.append(late)
                late.connect(self._stage.addresses)
                self._wait(lambda late=late: late.replaced or late.is_here)
                if late.is_here:
                    late.complaints.append(f"{talk.id} is gone, and {late.name} came back to it")
                    late.leave()
        self._wait(self._is_settled)

    def _leave(self) -> None:
        """Let everybody leave, and see whether the server gives back what they took."""
        self._is_leaving = True
        for talk in self._talks:
            for person in talk.people:
                person.leave()
        self._complaints += self._resources.wait(self._figures)

    def _ask_for_stacks(self) -> None:
        """Have the server write what its threads do to its log, before they do anything else."""
        self._is_leaving = True
        self._zygote.signal(self._server, signal.SIGUSR1)
        with contextlib.suppress(Stuck):  # it cannot even do that
            self._wait(lambda: self._has_stacks or not self._is_up)

    def _end(self) -> None:
        """Shut the last server down, if it is running."""
        self._is_leaving = True
        for kind in self._kinds:
            kind.settle()
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
        away = [p for talk in self._talks for p in talk.people if p.away and not p.is_connected]
        note = self._next(is_anybody_away=bool(away))
        if note is None:
            for person in away:
                self._come_back(person)
            return
        for person in away:
            person.away -= 1
            if not person.away:
                self._come_back(person)
        if isinstance(note, Seen):
            self._see(note.person, note.frame)
        elif isinstance(note, Answered):
            self._caller.take(note)
        elif isinstance(note, str):
            self._count(note)
        else:
            self._hear(note)
        for talk in self._talks:
            self._go_on(talk)

    def _next(self, is_anybody_away: bool) -> Note | None:
        """Wait for news; return None if absent people should come back."""
        if is_anybody_away:
            try:
                return self._notes.get(timeout=LULL)
            except queue.Empty:
                return None
        patience = PATIENCE if self._is_serving else STARTS_WITHIN
        for _ in range(round(patience / PULSE)):
            try:
                return self._notes.get(timeout=PULSE)
            except queue.Empty:
                for talk in self._talks:  # some wait for time to pass
                    self._go_on(talk)
        raise Stuck(f"nothing happens for {patience} seconds")

    def _see(self, person: Person, frame: Frame | None) -> None:
        talk = next(talk for talk in self._talks if person in talk.people)
        if frame is None:
            person.gone()
            talk.forget(person)
            if not person.away:
                self._come_back(person)
            return
        if frame["type"] == "error" and frame["content"]["code"] in {"session_deleted", "closing"}:
            self._told_to_leave(talk, person, frame["content"]["code"])
            return
        if person.is_late:
            return
        is_first = not person.is_here
        person.take(frame)
        self._count("frame")
        if person.replaced:
            self._replaced(talk, person)
        elif is_first:
            self._count("connection_confirmed")
            self._confirmed(talk, person)
        elif "seq" in frame:
            if talk.learn(frame):
                self._count("event")
                self._count(frame["type"])
                for kind in self._kinds:
                    kind.seen(talk, frame)
                if not self._stage.is_settling and self._chance.random() < INTERFERENCE:
                    self._interfere(talk)
        elif frame["type"] == "error":
            self._refused(talk, person, frame["content"])
        elif frame["type"] == "stream":
            self._count("stream")

    def _interfere(self, talk: Talk) -> None:
        """Let somebody do something while the agents work."""
        if talk.is_going:
            return
        choices = [choice for kind in self._kinds for choice in kind.choices(talk)]
        acts, weights = [act for act, _ in choices], [int(weight) for _, weight in choices]
        if any(weights):
            self._chance.choices(acts, weights)[0](talk)

    def _told_to_leave(self, talk: Talk, person: Person, code: str) -> None:
        if code == "session_deleted":
            person.was_told_gone = True
            if not talk.is_going:
                self._complaints.append(f"{person.name} was told that {talk.id} is gone, and it is not")

    def _replaced(self, talk: Talk, person: Person) -> None:
        """Note that a session was not found, which is right only if it is gone or may be."""
        if person.asked_for != talk.id:
            person.come_again()
            return
        if not (talk.is_going or talk.log or talk.acknowledged):  # it was not kept, since nothing was said in it
            self._figures["empty sessions replaced"] += 1
            self._adopt(talk, person)
            return
        self._figures["sessions asked for in vain"] += 1
        if not talk.is_going:
            self._complaints.append(f"{person.name} came back to {talk.id} and was told that it does not exist")
        person.leave()

    def _adopt(self, talk: Talk, person: Person) -> None:
        """Let everybody go on in the session that came in place of an empty one."""
        session = person.adopt()
        for other in talk.people:
            other.session = session
            if other is not person:
                other.cut()
        self._confirmed(talk, person)
        if self._stage.addresses is not None:
            self._caller.up(self._stage.addresses.page)

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
            self._messages.resend(talk, person)

    def _refused(self, talk: Talk, person: Person, error: Any) -> None:
        self._figures["refusals"] += 1
        if error["code"] not in self._expected:
            self._complaints.append(f"{person.name} got the error {error}")
        talk.refused(error)
        for kind in self._kinds:
            kind.refused(talk, error)

    def _go_on(self, talk: Talk) -> None:
        """Act in an idle conversation, or trigger the next planned fault."""
        if self._is_leaving or not talk.id or not self._is_up or talk.state == "gone":
            return
        others = [kind for kind in self._kinds if kind is not self._messages]
        if any(kind.go_on(talk) for kind in others if not kind.waits_for_rest):
            return
        if not talk.stands_still or talk.is_going:
            return
        if self._life.faults and talk.open_questions and self._chance.random() < 0.15:
            self._break(self._life.faults.popleft())
        has_more = any(kind.go_on(talk) for kind in (*(k for k in others if k.waits_for_rest), self._messages))
        is_over = not has_more and all(self._is_played(talk) for talk in self._talks)
        if is_over and self._life.faults and self._chance.random() < 0.5:
            self._break(self._life.faults.popleft())

    # Servers

    def _start(self, life: Life) -> None:
        self._life = life
        self._counted.clear()
        self._is_up = True
        inside: dict[str, Any] = {"crash": life.crash} if life.crash else {}
        options = ["--port", "0", "--ws-port", "0", "--agents", self._agents, "--data-dir", str(self._folder / "data")]
        for kind in self._kinds:
            inside |= kind.inside()
            options += kind.options
        environment = config_list(self._model)
        self._server = self._zygote.start(self._folder, options, environment, inside, self._notes.put)
        self._figures["servers"] += 1

    def _hear(self, news: News) -> None:
        if "address" in news:
            self._stage.addresses, self._stage.pid = Addresses(news["address"], news["page"]), news["pid"]
            self._resources.begin(news["pid"])
            self._caller.up(news["page"])
            arriving = [p for talk in self._talks for p in talk.people if not p.is_connected]
            self._chance.shuffle(arriving)
            for person in arriving:
                self._come_back(person)
            return
        if "stacks" in news:
            self._has_stacks = True
            return
        self._down()
        self._is_up, self._status = False, news["ended"]
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
        for kind in self._kinds:
            kind.server_ended()
        if not self._stage.is_settling:
            self._start(self._lives.popleft() if self._lives else Life())

    def _down(self) -> None:
        self._stage.addresses = None
        self._caller.down()

    def _come_back(self, person: Person) -> None:
        """Reconnect people; a session's first client creates it, and the others wait for its id."""
        person.away = 0
        talk = next(talk for talk in self._talks if person in talk.people)
        if talk.is_going or person.replaced or self._is_leaving or self._stage.addresses is None:
            return
        is_founder = person is next(p for p in talk.people if p.is_member)
        if (person.session or is_founder) and not person.is_connected:
            person.connect(self._stage.addresses)

    # Faults

    def _count(self, what: str) -> None:
        self._counted[what] += 1
        faults = self._life.faults
        if faults and faults[0].trigger == what and self._counted[what] >= faults[0].count:
            self._break(faults.popleft())

    def _break(self, fault: Fault) -> None:
        self._history.append(f"{fault.what} at {fault.trigger} {fault.count}")
        self._counted.clear()
        connected = [p for talk in self._talks for p in talk.people if p.is_connected]
        if fault.what in {"kill", "term"}:
            self._break_server(fault.what)
        elif fault.what not in {"cut", "cut all", "tear"}:
            for kind in self._kinds:
                kind.breaks(fault.what)
        elif connected:
            chosen = connected if fault.what == "cut all" else [self._chance.choice(connected)]
            for person in chosen:
                self._figures["cuts"] += 1
                person.away = self._chance.randint(0, 8)
                (person.tear if fault.what == "tear" else person.cut)()

    def _break_server(self, how: str) -> None:
        self._down()
        if how == "term":
            self._figures["terms"] += 1
        self._zygote.signal(self._server, signal.SIGTERM if how == "term" else signal.SIGKILL)

    def _state(self) -> str:
        """Describe the state of a schedule that is stuck."""
        address = self._stage.addresses
        lines = [f"server {'up' if self._is_up else 'down'} at {address}, settling: {self._stage.is_settling}"]
        lines.append(f"requests without an answer: {[str(request) for request in self._caller.unanswered]}")
        lines += [f"not settled: {kind.name}" for kind in self._kinds if not kind.is_settled()]
        for talk in self._talks:
            waiting = {id: sent.state for id, sent in talk.sent.items() if sent.state == "pending"}
            lines.append(f"{talk.id} {talk.state} {talk.held} {talk.doom}: turns {talk.turns}, pending {waiting}")
            lines.append(
                f"  questions {list(talk.questions)}, ignored {talk.ignored}, answering {list(talk.answering)}"
            )
            lines.append(f"  rewound {talk.rewound}, to say {len(talk.to_say)}, answering {list(talk.answering)}")
            lines += [f"  {p.name}: here {p.is_here}, at {p.last} of {len(talk.log)}" for p in talk.people]
        return "\n".join(lines)
