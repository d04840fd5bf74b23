"""What AG2 writes during a turn, turned into events; and where a running turn meets its stop token."""

from __future__ import annotations

import contextlib
import contextvars
import json
import logging
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple, Protocol
from uuid import uuid4

import httpx
from autogen.agentchat.group.targets.transition_target import RandomAgentTarget
from autogen.events.print_event import PrintEvent
from autogen.io.base import IOStream
from pydantic import BaseModel

from agentchat.ag2 import events as wire
from agentchat.ag2.streaming_text import TERMINATE, Thought, Writing
from agentchat.ag2.usage import Usage
from agentchat.cancellation import Stopped, StopToken
from agentchat.protocol.errors import ChatError
from agentchat.protocol.events import clean
from agentchat.protocol.questions import APPROVALS, Answer, Request, is_yes
from agentchat.replay import Journal

log = logging.getLogger(__name__)

MAX_MODEL_CALLS = 30  # for one message, whatever the model does; AG2 itself would go on to 100
MAX_HANDOFFS = 10  # for one message; more than that is a circle

Message = dict[str, Any]


class TurnLog(Protocol):
    """Where a turn's events go."""

    def append(self, type: str, content: Mapping[str, Any], history: str | None) -> None:
        """Into the log, together with what the agents remember of this turn so far, if that changed."""

    def stream(self, message_id: str, sender: str, text: str, about: Mapping[str, str] | None = None) -> None:
        """More text of a message that is being written. `about` goes with each of its frames."""

    def restart(self, message_id: str) -> None:
        """The message begins anew; what was streamed of it does not count."""

    def progress(self, call_id: str, tool: str, done: float, total: float | None, text: str) -> None:
        """How far a running tool is."""

    def ask(self, request: Request, history: str) -> Answer:
        """Ask the people of the session, and wait. Raises Stopped, also when time is up."""

    def ask_again(self, request_id: str) -> Answer:
        """Wait for the answer to a question that was asked before the server was started."""


class Partial(NamedTuple):
    """What had been written of a message when it broke off, and by whom."""

    sender: str
    text: str


class TurnHistory:
    """What a history has gained since the turn began, as JSON text."""

    def __init__(self, history: list[Message], shared: Callable[[], Mapping[str, Any]] = dict) -> None:
        """`shared` gives what a team knows beside its history: AG2's context variables."""
        self._history = history
        self._shared = shared
        self._start = self._saved = len(history)

    def news(self) -> str | None:
        """All of it, if there is more than last time."""
        if len(self._history) == self._saved:
            return None
        self._saved = len(self._history)
        return self.all(has_ended=False)

    def all(self, has_ended: bool) -> str:
        return self._dump(has_ended=has_ended)

    def waiting(self, journal: Journal) -> str:
        """All of it, and what it takes to go on after a restart."""
        return self._dump(has_ended=False, journal=journal.entries())

    def _dump(self, **more: Any) -> str:
        news = {"messages": self._history[self._start :], "shared": dict(self._shared()), **more}
        return json.dumps(news, default=str)


class TurnStream(IOStream):
    """AG2's IOStream for one turn.

    The model's transport writes here, too (`begin` and `show`), and tools reach into the turn by it (chat.RunningTurn).
    """

    def __init__(
        self,
        turn: TurnLog,
        token: StopToken,
        person: str,
        history: TurnHistory,
        journal: Journal,
        usage: Usage,
        chooser: str,
    ) -> None:
        """`person` is the agent that stands for the person; `chooser` pays for calls that are no agent's own."""
        self.journal = journal
        self.asking = person  # the agent for whom a person is asked now
        self._turn = turn
        self._token = token
        self._person = person
        self._message: Writing | None = None  # being written by a model
        self._written: Writing | None = None  # written, its event still to come
        self._thought: Thought | None = None  # what was thought before it, not yet in the log
        self._within: list[str] = []  # agents that hold nested chats, the innermost last
        self._handoffs: list[str] = []  # who had the turn, one after another
        self._reason = ""  # what the newest tool call gives as its reason
        self._leaving: tuple[str, str] | None = None  # who hands over to whoever speaks next, and why
        self._usage = usage
        self._chooser = chooser
        self._calls_left = MAX_MODEL_CALLS
        self._is_calling = False
        self._answers: dict[int, httpx.SyncByteStream] = {}  # by the thread that reads them, the newest of each
        self._call_start = 0  # where the journal stood when the model was called
        self.speaker = ""
        self._executing: Mapping[str, Any] = {}  # the newest tool call
        self._candidates: list[str] = []  # who can be chosen to speak next
        self.history = history
        self.summary = ""

    # The model's side

    def begin_call(self) -> None:
        """A model is called. Raises ChatError when that happens too often in one turn."""
        self._token.check()
        self._close_answer(threading.get_ident())
        if self._calls_left == 0:
            raise ChatError("model_calls", limit=MAX_MODEL_CALLS)
        self._calls_left -= 1
        self._is_calling = True
        if self._message is not None and self._message.text:  # another entry of the list takes over
            self._message.reset()
            self._turn.restart(self._message.id)
        if self._thought is not None:
            self._turn.restart(self._thought.id)
            self._thought = None

    def answer_opened(self, stream: httpx.SyncByteStream) -> None:
        self._answers[threading.get_ident()] = stream

    def close(self) -> None:
        """Give back what the turn's model calls may have left open."""
        for thread in list(self._answers):
            self._close_answer(thread)

    def _close_answer(self, thread: int) -> None:
        if answer := self._answers.pop(thread, None):
            answer.close()

    def on_text(self, text: str, is_reasoning: bool) -> None:
        """A token, straight from the wire. Outside an agent's own call (speaker selection) nobody sees it."""
        self._token.check()
        if self._message is None:
            return
        if is_reasoning:
            self._think(self._message, text)
        else:
            self._message.is_tapped = True
            self._write(self._message, text)

    def on_reasoning(self, text: str) -> None:
        """What a model thought before an answer that came in one piece."""
        if self._message is not None and self._thought is None and text:
            self._think(self._message, text)

    def on_usage(self, call: Mapping[str, Any]) -> None:
        """What a model call has cost, which has an answer now."""
        self._is_calling = False
        holder = self._about_said().get("within", self._chooser)
        self._usage.add(self._message.sender if self._message is not None else holder, call)

    @property
    def is_calling_model(self) -> bool:
        return self._is_calling or self._message is not None

    def begin_message(self, sender: str) -> None:
        if self._leaving is not None:
            (giver, reason), self._leaving = self._leaving, None
            self._handed_over(giver, sender, reason)
        self._message = Writing(sender, self._about())
        self._call_start = self.journal.position

    def end_message(self) -> None:
        self._message, self._written = None, self._message
        self._keep_thought()
        if self.journal.position == self._call_start:  # a client that is not ours (Anthropic, Gemini): not recorded
            self.journal.is_complete = False

    def _write(self, message: Writing, text: str) -> None:
        visible = message.add(clean(text))
        if visible:
            self._turn.stream(message.id, message.sender, visible, message.about)

    def _think(self, message: Writing, text: str) -> None:
        if self._thought is None:
            self._thought = Thought(message.sender, message.about)
        thought, text = self._thought, clean(text)
        thought.texts.append(text)
        self._turn.stream(thought.id, thought.sender, text, {"kind": "reasoning", **thought.about})

    def _keep_thought(self, **about: bool) -> None:
        thought, self._thought = self._thought, None
        text = "".join(thought.texts) if thought is not None else ""
        if thought is not None and text.strip():
            content = {"message_id": thought.id, "sender": thought.sender, "content": text, **thought.about, **about}
            self._append("reasoning", {"uuid": str(uuid4()), **content})

    def _about(self) -> dict[str, str]:
        return {"within": self._within[-1]} if self._within else {}

    def _about_said(self) -> dict[str, str]:
        """Of what AG2 tells, which may come from the agents of a tool."""
        return {"within": self._caller} if self._caller else self._about()

    # AG2's side

    def send(self, message: BaseModel) -> None:
        self._token.check()
        type, content = wire.dump(message)
        if type == "stream":
            # Clients of other protocols (Anthropic, Gemini) stream through here; ours have shown the text already.
            if self._message is not None and not self._message.is_tapped:
                self._write(self._message, content["content"])
            return
        if wire.is_inner(type, content) or (self._written is None and wire.is_transfer(type, content)):
            return
        if type in {"text", "tool_call"} and content.get("sender") != self._person:
            self._finish(content)
        elif type == "executed_function":
            self._executed(content)
        elif type == "select_speaker":
            self._candidates = [str(agent) for agent in content.get("agents") or ()]
        if type in wire.HANDOFFS:
            event: Any = message
            event = getattr(event, "content", event)  # AG2 wraps its events, ours are plain
            self._append(type, {**content, "transition_target": str(event.transition_target)})
            self._hand_over(type, event)
        else:
            self._append(type, {**self._about_said(), **content})
        if type == "execute_function":
            self._execute(content)

    def _append(self, type: str, content: Mapping[str, Any]) -> None:
        if not self.journal.is_replaying:  # else it is in the log already
            self._turn.append(type, {**self._about(), **content}, self.history.news())

    def _hand_over(self, type: str, event: Any) -> None:
        """One agent gives the turn to another. Raises Stopped when they do so in circles."""
        giver, target = event.source_agent.name, event.transition_target
        if isinstance(target, RandomAgentTarget) and type != wire.AFTER_WORK:  # AG2 draws the lot when all this is over
            self._leaving = giver, self._reason
        elif taker := getattr(target, "agent_name", None) or getattr(target, "nominated_name", None):
            self._handed_over(giver, taker, self._reason)

    def _handed_over(self, giver: str, taker: str, reason: str) -> None:
        if taker == giver or wire.is_wrapper(giver) or wire.is_wrapper(taker):  # these hold nested chats for others
            return
        self.tell("handoff", {"from": giver, "to": taker, "reason": reason, "kind": "agents"})
        self._handoffs += [taker] if self._handoffs else [giver, taker]
        if len(self._handoffs) > MAX_HANDOFFS:
            raise Stopped("failed", ChatError("handoff_circle", agents=" → ".join(self._handoffs[-4:])))

    @contextlib.contextmanager
    def nested(self, agent: str) -> Iterator[None]:
        """While that agent holds a chat of its own with others."""
        self._within.append(wire.holder(agent))
        try:
            yield
        finally:
            self._within.pop()

    def _finish(self, content: dict[str, Any]) -> None:
        """The event that ends a streamed message carries its id."""
        written, self._written = self._written, None
        content["message_id"] = written.id if written else uuid4().hex
        self._reason = ""
        self._executing = {}
        if not self._caller:
            self.speaker = content["sender"]
        if isinstance(content.get("content"), str):
            content["content"] = TERMINATE.sub("", content["content"])
            self.summary = (not self._about_said() and content["content"].strip()) or self.summary

    def keep_partial(self) -> Partial:
        """Put what was shown of a message that broke off into the log."""
        self._keep_thought(partial=True)
        message = self._message or self._written
        if message is None or not message.text:
            return Partial("", "")
        content = {
            "uuid": str(uuid4()),
            "content": message.text,
            "sender": message.sender,
            "recipient": self._person,
            "message_id": message.id,
            "partial": True,
        }
        self._turn.append("text", {**content, **message.about}, None)
        if message.about:  # it was said within a nested chat, of which the agents remember the outcome only
            return Partial("", "")
        self.summary = message.text.strip()
        return Partial(message.sender, message.text)

    def print(self, *objects: Any, sep: str = " ", end: str = "\n", flush: bool = False) -> None:
        self.send(PrintEvent(*objects, sep=sep, end=end))

    # What tools do beside their work

    def tell(self, type: str, content: Mapping[str, Any]) -> None:
        """An event of ours."""
        self._token.check()
        self._append(type, {"uuid": str(uuid4()), **content})

    @property
    def _call(self) -> Mapping[str, Any]:
        """The tool call that this thread (or task) works for; other threads of a tool know the newest one only."""
        call = _executing.get()
        return call.content if call is not None and call.stream is self else self._executing

    @property
    def _caller(self) -> str:
        """The agent whose tool this thread (or task) carries out. A tool may have agents of its own."""
        call = _executing.get()
        return call.agent if call is not None and call.stream is self else ""

    def _execute(self, content: Mapping[str, Any]) -> None:
        self._executing = content
        arguments = content.get("arguments")
        self._reason = str(arguments.get("reason", "")) if isinstance(arguments, dict) else ""
        around = _executing.get()
        is_ours = around is not None and around.stream is self  # else a turn was stopped in the middle of it
        _executing.set(_Call(self, content, self.speaker, around if is_ours else None))

    def _executed(self, content: Mapping[str, Any]) -> None:
        call = _executing.get()
        if call is not None and call.content.get("call_id") == content.get("call_id"):
            _executing.set(call.around)

    def progress(self, done: float, total: float | None, text: str) -> None:
        """How far the tool is that runs."""
        self._token.check()
        running = self._call
        call_id, tool = str(running.get("call_id") or ""), str(running.get("func_name") or "")
        self._turn.progress(call_id, tool, done, total, clean(text))

    # Asking people

    def input(self, prompt: str = "", *, password: bool = False) -> str:
        agent, self.asking = self.asking, self._person
        labels = _known_answers(prompt, self._candidates)
        # The proxy stands for the person, so it is the agent that spoke last who wants to know.
        agent = self.speaker if agent == self._person and self.speaker else agent
        choices = list(labels) if labels and not password else None
        return self._ask(Request(agent, prompt, password, choices, labels)).text

    def ask(self, prompt: str, choices: Sequence[str] | None, password: bool) -> str:
        """For tools. Raises Stopped, also when time is up."""
        return self._ask(Request(self.speaker or self._person, prompt, password, choices)).text

    def allows(self, what: str, details: Mapping[str, Any]) -> bool:
        """For tools. Raises Stopped, also when time is up."""
        lines = [what, *(f"{name}: {value}" for name, value in details.items())]
        answer = self._ask(Request(self.speaker or self._person, "\n".join(lines), choices=("approve", "deny")))
        return is_yes(answer.text)

    def approve(self, tool: str, arguments: Mapping[str, Any]) -> Answer:
        """Ask whether a tool may run. Raises Stopped, also when time is up."""
        call = {"name": tool, "arguments": dict(arguments), "call_id": self._call.get("call_id")}
        return self._ask(Request(self.speaker, f"May {tool} run?", choices=APPROVALS, tool=call))

    def _ask(self, request: Request) -> Answer:
        self._token.check()
        entry = self.journal.replay("input", request.prompt)
        if entry is not None and "text" in entry:
            return Answer(entry["text"], entry["name"], entry["arguments"], entry["reason"])
        if entry is None:
            entry = self.journal.record("input", request.prompt, request_id=request.id)
            answer = self._turn.ask(request, self.history.waiting(self.journal))
        else:
            answer = self._turn.ask_again(entry["request_id"])
        if request.password:
            self.journal.is_complete = False  # it is kept nowhere
        else:
            entry.update(text=answer.text, name=answer.name, arguments=answer.arguments, reason=answer.reason)
        return answer


@dataclass(frozen=True)
class _Call:
    """A tool call that is carried out, for an agent; `around` is the one within which that happens."""

    stream: TurnStream
    content: Mapping[str, Any]
    agent: str
    around: _Call | None


_executing: contextvars.ContextVar[_Call | None] = contextvars.ContextVar("executing", default=None)


def _known_answers(prompt: str, candidates: Sequence[str]) -> dict[str, str]:
    """The answers that AG2's own questions take, and what they mean."""
    if "Press enter to skip and use auto-reply" in prompt:
        return {"": "Continue", "exit": "End"}
    if "Press enter or type 'exit' to stop" in prompt:
        return {"exit": "End"}
    if prompt.startswith("Enter the number of the next speaker"):
        return {str(number): name for number, name in enumerate(candidates, 1)} | {"": "Let the agents choose"}
    return {}


class NullStream(IOStream):
    """For whatever AG2 writes outside a turn: nowhere, rather than on the server's terminal."""

    def send(self, message: BaseModel) -> None:
        log.debug("Outside a turn: %s", type(message).__name__)

    def print(self, *objects: Any, sep: str = " ", end: str = "\n", flush: bool = False) -> None:
        log.debug("Outside a turn: %s", sep.join(map(str, objects)))

    def input(self, prompt: str = "", *, password: bool = False) -> str:
        raise ChatError("agent_asked")
