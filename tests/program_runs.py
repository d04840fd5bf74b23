"""Runs the programs in ag2_programs as their users do: over a WebSocket, through a restart and a stop.

Each has five turns: the first two on two connections, a third after a restart of the server (in the middle of a turn
that does not count), a fourth that is stopped, and one more. A program's `answers` says what its models answer, its
`EXPECTED` and `check` what must come of it.
"""

from __future__ import annotations

import contextlib
import functools
import importlib.util
import json
import os
import re
import signal
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from types import ModuleType
from typing import Any

from tests.clients import ChatClient, Frame
from tests.faults.servers import ForkedServer, Zygote
from tests.model_server import Body, ModelServer, Reply

FOLDER = Path(__file__).parent / "ag2_programs"
WORD = "Plum"  # said in the first turn, and known in the third
TEXTS = [
    f"Turn 1: my cat is called {WORD}.",
    "Turn 2: go on.",
    "Turn 3: and once more.",
    "Turn 4: this is going to be stopped.",
    "Turn 5: are you still there?",
]
INTERRUPTED = "The server goes away in the middle of this turn."
PATIENCE = 20.0  # seconds until a turn is given up; never reached when the tests pass
NAME = re.compile(r"You are (?:the |an |a )?([\w-]+)")


@dataclass(frozen=True)
class Asked:
    """A request to the model, as a program's `answers` gets it."""

    body: Body
    turn: int
    number: int
    """Its place among the turn's requests, from 1."""

    @property
    def messages(self) -> list[Body]:
        messages: list[Body] = self.body["messages"]
        return messages

    @property
    def system(self) -> str:
        return " ".join(text(message) for message in self.messages if message["role"] == "system")

    @property
    def last(self) -> str:
        return text(self.messages[-1])

    @property
    def tells(self) -> bool:
        """True if the model is told results of tools."""
        return bool(self.messages[-1]["role"] == "tool")

    @property
    def tools(self) -> list[str]:
        return [tool["function"]["name"] for tool in self.body.get("tools") or ()]

    def tool(self, part: str) -> str:
        """Return the offered tool with that text in its name, or an empty text."""
        return next((name for name in self.tools if part in name), "")

    @property
    def name(self) -> str:
        """The agent that asks, by its system message "You are NAME …"."""
        found = NAME.search(self.system)
        return found[1] if found else "somebody"


@dataclass
class Turn:
    """A turn as the client and the model saw it."""

    number: int
    folder: Path
    """The folder in which programs write their files."""
    frames: list[Frame] = field(default_factory=list)
    requests: list[Asked] = field(default_factory=list)
    answers: list[str] = field(default_factory=list)
    """The texts that the model answered."""
    questions: list[dict[str, Any]] = field(default_factory=list)
    unexpected: list[str] = field(default_factory=list)
    """The questions for which the program expects no answer."""
    stopped_at: int | None = None
    """The number of requests when the stop was sent."""
    problem: str = ""

    @property
    def end(self) -> dict[str, Any]:
        """The content of its `turn_completed`, empty if it never came."""
        return next((frame["content"] for frame in self.frames if frame["type"] == "turn_completed"), {})

    @property
    def status(self) -> str:
        return str(self.end.get("status", "no turn_completed"))

    @property
    def summary(self) -> str:
        return str(self.end.get("summary", ""))

    def contents(self, *types: str) -> list[dict[str, Any]]:
        return [frame["content"] for frame in self.frames if frame["type"] in types]

    @property
    def errors(self) -> list[str]:
        return [f"{content['code']}: {content['message']}" for content in self.contents("error")]

    @property
    def texts(self) -> list[dict[str, Any]]:
        """The `text` events without the person's own message."""
        return [content for content in self.contents("text") if content.get("message_id")]

    @property
    def said(self) -> list[str]:
        """The agents that spoke with the words of a model, in order, as "agent" or "agent<holder"."""
        own = {plain(answer) for answer in self.answers}
        heard = [content for content in self.texts if plain(content["content"]) in own]
        return [content["sender"] + ("<" + content["within"] if content.get("within") else "") for content in heard]

    @property
    def output(self) -> str:
        """All that was printed."""
        return "".join(content["content"] for content in self.contents("stream") if content.get("kind") == "output")

    @property
    def results(self) -> list[str]:
        """The results of its tools, in order."""
        return [str(content["content"]) for content in self.contents("executed_function")]

    def streamed(self) -> dict[str, str]:
        """Return the text streamed for each message, by its id."""
        messages: dict[str, str] = {}
        for content in self.contents("stream"):
            if content.get("kind") is None:
                so_far = messages.get(content["message_id"], "")
                messages[content["message_id"]] = so_far[: content["offset"]] + content["content"]
        return messages


@dataclass
class Record:
    """Everything that came of a program."""

    turns: list[Turn] = field(default_factory=list)
    late: list[str] = field(default_factory=list)
    """The requests that came after their turn had ended."""
    left: Turn | None = None
    """The turn in which the server was restarted, if it went on at its question."""
    threads: int = 0
    """The threads that it left in the server."""
    log: str = ""
    """Its part of the server's standard output and standard error."""
    problem: str = ""


class Program:
    """An agent file in ag2_programs, with what its models answer and what is expected of it.

    `answers(asked)` returns a text, a list of tool calls `(name, arguments)`, or None for a sentence with the agent's
    name. `check(turns)` asserts. In `EXPECTED`, a tuple has one value for each of the first three turns:

    - `calls`: the model calls of a turn
    - `says`: those who speak with a model's words, in order, as "agent" or "agent<holder"
    - `summary`: part of the turn's answer; `{turn}` is its number
    - `asks`: the questions in a turn, as (part of the prompt, answer); "=NAME" is the choice with that name
    - `stop`: what the stop in the fourth turn waits for: a number of model calls (1), "question", "output", an event's
      type, a file; None for no stop
    - `memory`: False if the third turn need not know the first
    - `edited`: True if what agents say is changed after it was streamed
    - `first`: the first message; `left`: False for no turn during the restart; `needs`: a package
    """

    def __init__(self, path: Path) -> None:
        self.name = path.stem
        self._path = path

    @cached_property
    def module(self) -> ModuleType:
        spec = importlib.util.spec_from_file_location(f"tests.ag2_programs.{self.name}", self._path)
        assert spec is not None
        assert spec.loader is not None
        module = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(module)
        return module

    @property
    def expected(self) -> dict[str, Any]:
        expected: dict[str, Any] = self.module.EXPECTED
        return expected

    def of_turn(self, key: str, turn: int, default: Any = None) -> Any:
        """Return what is expected of that turn: one value for all turns, or a tuple of one for each."""
        value = self.expected.get(key, default)
        return value[min(turn, len(value)) - 1] if isinstance(value, tuple) else value

    def reply(self, asked: Asked) -> Reply:
        """Return the answer of the program's model: its own, else a sentence with the agent's name."""
        answers = getattr(self.module, "answers", None)
        answer = answers(asked) if answers is not None else None
        if answer is None:
            answer = f"{asked.name} gives answer {asked.number} in turn {asked.turn}."
        if isinstance(answer, str):
            return Reply(answer)
        ids = [f"call_{asked.turn}_{asked.number}_{place}" for place in range(len(answer))]
        return Reply(tools=answer, ids=ids)


class Runs:
    """All programs on one server, one after another, so that every request to the model has a known cause."""

    def __init__(self, programs: Sequence[Program], model: ModelServer, folder: Path) -> None:
        self.records = {program.name: Record() for program in programs}
        self._programs = list(programs)
        self._model = model
        self._folder = folder
        self._sessions: dict[str, str] = {}

    def run(self) -> None:
        # The address is for programs with models of their own.
        environment = {"MODEL_URL": self._model.base_url, "PROGRAM_FOLDER": str(self._folder)}
        with Zygote(environment) as zygote:
            with self._serving(zygote) as server:
                self._each(server, self._before)
                with contextlib.ExitStack() as gates:
                    self._each(server, functools.partial(self._leave, gates), counts_threads=False)
                    server.signal(signal.SIGTERM)
                    server.end()
            with self._serving(zygote) as server:
                self._each(server, self._after)

    @contextlib.contextmanager
    def _serving(self, zygote: Zygote) -> Iterator[ForkedServer]:
        entry = {"model": "scripted", "api_key": "sk-test-0123456789abcdef", "base_url": self._model.base_url}
        environment = {"OAI_CONFIG_LIST": json.dumps([entry])}
        options = ["--agents", str(FOLDER), "--port", "0", "--ws-port", "0", "--local-servers", "none"]
        with ForkedServer(zygote, self._folder, *options, environment=environment) as server:
            yield server

    def _each(self, server: ForkedServer, run: Callable[..., None], counts_threads: bool = True) -> None:
        before = None
        for program in self._programs:
            record, start = self.records[program.name], len(server.log)
            if record.problem:
                continue
            try:
                run(server, program, record)
            except (OSError, AssertionError, ImportError, TimeoutError) as error:
                record.problem = f"{type(error).__name__}: {error}"
            if counts_threads:
                now = _settled(server.pid, before)
                record.threads += max(now - before, 0) if before is not None else 0
                if before is not None or any(turn.status == "completed" for turn in record.turns):
                    before = now  # the server's own threads are there since the first answer
            record.log += server.log[start:]

    def _before(self, server: ForkedServer, program: Program, record: Record) -> None:
        """Take the first two turns, on two connections."""
        with ChatClient(server.websocket, agent=program.name) as client:
            confirmed = client.receive()
            assert confirmed["type"] == "connection_confirmed", confirmed
            self._sessions[program.name] = confirmed["content"]["session_id"]
            self._turn(client, program, record, 1)
            seq = max(frame.get("seq", 0) for frame in client.frames)
        with ChatClient(server.websocket, session=self._sessions[program.name], after=seq) as client:
            client.confirmed()
            self._turn(client, program, record, 2)

    def _leave(self, gates: contextlib.ExitStack, server: ForkedServer, program: Program, record: Record) -> None:
        """Begin a turn that the server does not survive: at its first question, or while a model is asked."""
        asked, gate = threading.Event(), threading.Event()
        gates.callback(gate.set)

        def rule(body: Body) -> Reply:
            asked.set()
            return Reply("Never said.", gate=gate)

        works = all(turn.status == "completed" for turn in record.turns)
        if not works or program.expected.get("calls") == 0 or not program.expected.get("left", True):
            return
        self._model.rule = rule
        with ChatClient(server.websocket, session=self._sessions[program.name]) as client:
            last = client.confirmed()["last_seq"]
            client.command("message", text=INTERRUPTED)
            types: set[str] = set()  # of the turn's events; only a turn that began has a request of its own
            deadline = time.monotonic() + PATIENCE
            while not (asked.is_set() and "turn_started" in types) and "input_request" not in types:
                assert time.monotonic() < deadline, "the turn that the server does not survive never asks a model"
                with contextlib.suppress(TimeoutError):
                    frame = json.loads(client.socket.recv(timeout=0.01))
                    types |= {frame["type"]} if frame.get("seq", 0) > last else set()

    def _after(self, server: ForkedServer, program: Program, record: Record) -> None:
        """Take the third turn after the restart, a fourth that is stopped, and one more."""
        with ChatClient(server.websocket, session=self._sessions[program.name]) as client:
            confirmed = client.confirmed()
            assert confirmed["replaced"] is None
            while len(client.log) < confirmed["last_seq"]:
                client.receive()
            shown = [frame for turn in record.turns for frame in turn.frames if "seq" in frame]
            assert client.log[: len(shown)] == shown, "the log is not what was shown"
            if confirmed["status"] == "idle":
                ends = [frame["content"]["status"] for frame in client.log if frame["type"] == "turn_completed"][2:]
                assert ends in ([], ["interrupted"]), [(f["type"], f["ts"], f["content"]) for f in client.log[-12:]]
            else:  # it waits at the question still
                record.left = Turn(0, self._folder)
                answer = functools.partial(self._answer, client, record.left, confirmed["open_requests"][0])
                self._follow(client, program, record, record.left, answer)
            for number in (3, 4, 5):
                if program.expected.get("stop", 1) is not None or number < 4:
                    self._turn(client, program, record, number)

    def _turn(self, client: ChatClient, program: Program, record: Record, number: int) -> None:
        """Say the turn's text and follow the turn; the fourth is stopped."""
        text = program.expected.get("first", TEXTS[0]) if number == 1 else TEXTS[number - 1]
        record.turns.append(Turn(number, self._folder))
        self._follow(client, program, record, record.turns[-1], lambda _: client.command("message", text=text))

    def _follow(
        self, client: ChatClient, program: Program, record: Record, turn: Turn, begin: Callable[[list[Any]], None]
    ) -> None:
        """Let the turn begin, receive its frames up to its end, and answer its questions. Raises TimeoutError."""
        gate, stopping = threading.Event(), threading.Event()
        stop = program.expected.get("stop", 1) if turn.number == 4 else None

        def rule(body: Body) -> Reply | None:
            asked = Asked(body, turn.number, len(turn.requests) + 1)
            turn.requests.append(asked)
            try:
                reply = program.reply(asked)
            except Exception as error:  # noqa: BLE001 - whatever is wrong with `answers` is told in the test
                turn.problem = f"`answers` failed: {error!r}"
                return Reply("")
            if stop == asked.number:
                stopping.set()
                if body.get("stream") and not reply.tools:
                    reply.gate_after = (1, gate)
                else:
                    reply.gate = gate
            elif reply.text:
                turn.answers.append(reply.text)
            return reply

        def late(body: Body) -> Reply | None:
            asked = Asked(body, turn.number, 0)
            record.late.append(f"turn {turn.number}: {asked.name} was asked «{asked.last[:80]}»")
            return Reply("late")

        self._model.rule = rule
        answers = list(program.of_turn("asks", turn.number, []))
        begin(answers)
        deadline = time.monotonic() + PATIENCE
        try:
            while not turn.end:
                if stop is not None and turn.stopped_at is None and (stopping.is_set() or _is_reached(stop, turn)):
                    turn.stopped_at = len(turn.requests)
                    client.command("stop")
                is_polling = stop is not None and turn.stopped_at is None
                try:
                    received = client.socket.recv(timeout=0.01 if is_polling else deadline - time.monotonic())
                except TimeoutError:
                    if time.monotonic() < deadline:
                        continue
                    last = [frame["type"] for frame in turn.frames[-3:]]
                    raise TimeoutError(
                        f"turn {turn.number} did not end within {PATIENCE:.0f} s, after {last}"
                    ) from None
                frame: Frame = json.loads(received)
                client.frames.append(frame)
                turn.frames.append(frame)
                if frame["type"] == "input_request" and stop != "question":
                    self._answer(client, turn, frame["content"], answers)
        finally:
            self._model.rule = late
            gate.set()
        if answers and stop is None:
            turn.problem = turn.problem or f"not asked: {answers}"

    def _answer(self, client: ChatClient, turn: Turn, question: dict[str, Any], answers: list[Any]) -> None:
        turn.questions.append(question)
        if answers and answers[0][0] in question["prompt"]:
            answer = _choice(answers.pop(0)[1], question)
        else:
            turn.unexpected.append(question["prompt"])
            answer = "exit" if len(turn.unexpected) > 1 else (question.get("choices") or [""])[0]
        if len(turn.unexpected) > 6:
            client.command("stop")
        else:
            client.command("input_response", request_id=question["request_id"], text=answer)


def _choice(answer: str, question: dict[str, Any]) -> str:
    """Return the answer; for "=NAME" the choice with that name."""
    if not answer.startswith("="):
        return answer
    labels = {**{choice: choice for choice in question.get("choices") or ()}, **(question.get("labels") or {})}
    found = [choice for choice, label in labels.items() if answer[1:] in label]
    found += re.findall(rf"(\d+): {answer[1:]}\b", question["prompt"])
    return found[0] if found else answer[1:]


def _is_reached(stop: Any, turn: Turn) -> bool:
    """Return True if the event at which the turn is to be stopped has come."""
    if isinstance(stop, str) and "." in stop:  # a file
        return (turn.folder / stop).exists()
    if stop == "output":
        return bool(turn.output)
    return isinstance(stop, str) and bool(turn.contents("input_request" if stop == "question" else stop))


def _settled(pid: int, before: int | None) -> int:
    """Return the number of the server's threads, once it is no greater than before, or has not changed for a while."""
    start, threads = time.monotonic(), 0
    while True:
        now = len(os.listdir(f"/proc/{pid}/task"))
        if now != threads:
            start, threads = time.monotonic(), now
        if (before is not None and now <= before) or time.monotonic() - start > (0.2 if before is None else 3):
            return now
        time.sleep(0.01)


def text(message: Body) -> str:
    content = message.get("content") or ""
    return content if isinstance(content, str) else " ".join(str(part.get("text", "")) for part in content)


def plain(content: Any) -> str:
    """Return a text as people see it: without the word that ends a chat."""
    return re.sub(r"\s*TERMINATE\s*$", "", content if isinstance(content, str) else json.dumps(content)).strip()


def programs() -> list[Program]:
    return [Program(path) for path in sorted(FOLDER.glob("*.py")) if not path.name.startswith("_")]
