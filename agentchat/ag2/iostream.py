"""Turns what AG2 and tools write during a turn into events, and passes their questions on to people.

Every method that writes or asks raises Stopped once the turn is stopped: this is where AG2's loop ends.
"""

from __future__ import annotations

import contextlib
import contextvars
import logging
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from uuid import uuid4

from autogen.agentchat.group.targets.transition_target import RandomAgentTarget
from autogen.events.print_event import PrintEvent
from autogen.io.base import IOStream
from pydantic import BaseModel

from agentchat.ag2 import events as ag2_events
from agentchat.ag2.history import PartialMessage, TurnHistory
from agentchat.ag2.model_output import TERMINATE, ModelOutput
from agentchat.ag2.turn_output import TurnOutput
from agentchat.ag2.usage import Usage
from agentchat.cancellation import Stopped, StopToken
from agentchat.journal import Journal
from agentchat.protocol.errors import ChatError
from agentchat.protocol.events import clean
from agentchat.protocol.questions import APPROVALS, Answer, Request, is_yes

log = logging.getLogger(__name__)

MAX_HANDOFFS = 10  # for one message; more than that is a circle


class TurnStream(IOStream):
    """AG2's IOStream for one turn, and the turn as tools see it (chat.RunningTurn)."""

    def __init__(
        self,
        turn: TurnOutput,
        token: StopToken,
        person: str,
        history: TurnHistory,
        journal: Journal,
        usage: Usage,
        payer: str,
        answer_chars: int = 0,
    ) -> None:
        """`person` is the agent that stands for the person; `payer` is charged for calls that belong to no agent."""
        self.journal = journal
        self.asking = person  # the agent for whom a person is asked now
        self._turn = turn
        self._token = token
        self._person = person
        self._nesting: list[str] = []  # agents that hold nested chats, the innermost last
        self._handoffs: list[str] = []  # the agents that had the turn, in order
        self._reason = ""  # the `reason` argument of the newest tool call
        self._leaving: tuple[str, str] | None = None  # the agent that hands over to whoever speaks next, and why
        self.model_output = ModelOutput(
            turn,
            token,
            journal,
            usage,
            self._append,
            lambda: self._about_said().get("within", payer),
            answer_chars,
        )
        self.speaker = ""
        self._executing: Mapping[str, Any] = {}  # the newest tool call
        self._candidates: list[str] = []  # agents that can be chosen to speak next
        self.history = history
        self.summary = ""

    # Called by the conversation

    def begin_message(self, sender: str) -> None:
        """Attribute what models write from now on to this agent."""
        if self._leaving is not None:
            (giver, reason), self._leaving = self._leaving, None
            self._handed_over(giver, sender, reason)
        self.model_output.begin_message(sender, self._about())

    @contextlib.contextmanager
    def nested(self, agent: str) -> Iterator[None]:
        """Mark everything within the context as part of a nested chat that this agent holds."""
        self._nesting.append(ag2_events.nesting_agent(agent))
        try:
            yield
        finally:
            self._nesting.pop()

    def keep_partial(self) -> PartialMessage:
        """Log the part of an interrupted message that was already shown."""
        message = self.model_output.break_off()
        if message is None:
            return PartialMessage("", "")
        content = {
            "uuid": str(uuid4()),
            "content": message.text,
            "sender": message.sender,
            "recipient": self._person,
            "message_id": message.id,
            "partial": True,
            **({"notice": message.notice} if message.notice else {}),
        }
        self._turn.append("text", {**content, **message.about}, None)
        if message.about:  # part of a nested chat, of which the agents keep only the outcome
            return PartialMessage("", "")
        self.summary = message.text.strip()
        return PartialMessage(message.sender, message.text)

    def _about(self) -> dict[str, str]:
        return {"within": self._nesting[-1]} if self._nesting else {}

    def _about_said(self) -> dict[str, str]:
        """Return the `within` of an event of AG2's, which may come from agents that a tool has of its own."""
        return {"within": self._caller} if self._caller else self._about()

    # Called by AG2

    def send(self, message: BaseModel) -> None:
        self._token.check()
        type, content = ag2_events.dump(message)
        if type == "stream":
            self.model_output.add_stream_event(content["content"])
            return
        is_written = self.model_output.written is not None
        if ag2_events.is_inner(type, content) or (not is_written and ag2_events.is_transfer(type, content)):
            return
        if type in {"text", "tool_call"} and content.get("sender") != self._person:
            self._finish(content)
        elif type == "executed_function":
            self._executed(content)
        elif type == "select_speaker":
            self._candidates = [str(agent) for agent in content.get("agents") or ()]
        if type in ag2_events.HANDOFFS:
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
            self._turn.append(type, {**self._about(), **content}, self.history.changed())

    def _hand_over(self, type: str, event: Any) -> None:
        """Report a hand-off from one agent to another. Raises Stopped if they hand over in circles."""
        giver, target = event.source_agent.name, event.transition_target
        if isinstance(target, RandomAgentTarget) and type != ag2_events.AFTER_WORK:  # AG2 chooses only after this event
            self._leaving = giver, self._reason
        elif taker := getattr(target, "agent_name", None) or getattr(target, "nominated_name", None):
            self._handed_over(giver, taker, self._reason)

    def _handed_over(self, giver: str, taker: str, reason: str) -> None:
        if taker == giver or ag2_events.is_nesting_wrapper(giver) or ag2_events.is_nesting_wrapper(taker):
            return
        self.add_event("handoff", {"from": giver, "to": taker, "reason": reason, "kind": "agents"})
        self._handoffs += [taker] if self._handoffs else [giver, taker]
        if len(self._handoffs) > MAX_HANDOFFS:
            raise Stopped("failed", ChatError("handoff_circle", agents=" → ".join(self._handoffs[-4:])))

    def _finish(self, content: dict[str, Any]) -> None:
        """Complete the event that ends a streamed message: it carries the message's id."""
        written, self.model_output.written = self.model_output.written, None
        content["message_id"] = written.id if written else uuid4().hex
        if written is not None and written.notice:
            content["notice"] = written.notice
            if written.is_cut_off:
                content["cut_off"] = True
        self._reason = ""
        self._executing = {}
        if not self._caller:
            self.speaker = content["sender"]
        if isinstance(content.get("content"), str):
            content["content"] = TERMINATE.sub("", content["content"])
            self.summary = (not self._about_said() and content["content"].strip()) or self.summary

    def print(self, *objects: Any, sep: str = " ", end: str = "\n", flush: bool = False) -> None:
        self.send(PrintEvent(*objects, sep=sep, end=end))

    # Called by tools

    def add_event(self, type: str, content: Mapping[str, Any]) -> None:
        """Append an event that is not AG2's."""
        self._token.check()
        self._append(type, {"uuid": str(uuid4()), **content})

    @property
    def _call(self) -> Mapping[str, Any]:
        """The tool call that this thread (or task) carries out; in a tool's other threads, the newest one."""
        call = _executing.get()
        return call.content if call is not None and call.stream is self else self._executing

    @property
    def _caller(self) -> str:
        """The agent whose tool this thread (or task) carries out; empty outside tools."""
        call = _executing.get()
        return call.agent if call is not None and call.stream is self else ""

    def _execute(self, content: Mapping[str, Any]) -> None:
        self._executing = content
        arguments = content.get("arguments")
        self._reason = str(arguments.get("reason", "")) if isinstance(arguments, dict) else ""
        outer = _executing.get()
        is_ours = outer is not None and outer.stream is self  # else it belongs to a turn that was stopped in it
        _executing.set(_Call(self, content, self.speaker, outer if is_ours else None))

    def _executed(self, content: Mapping[str, Any]) -> None:
        call = _executing.get()
        if call is not None and call.content.get("call_id") == content.get("call_id"):
            _executing.set(call.outer)

    def progress(self, done: float, total: float | None, text: str) -> None:
        """Show how far the running tool is."""
        self._token.check()
        running = self._call
        call_id, tool = str(running.get("call_id") or ""), str(running.get("func_name") or "")
        self._turn.progress(call_id, tool, done, total, clean(text))

    # Asking people

    def input(self, prompt: str = "", *, password: bool = False) -> str:
        agent, self.asking = self.asking, self._person
        labels = _known_answers(prompt, self._candidates)
        # The proxy stands for the person, so the question comes from the agent that spoke last.
        agent = self.speaker if agent == self._person and self.speaker else agent
        choices = list(labels) if labels and not password else None
        return self._ask(Request(agent, prompt, password, choices, labels)).text

    def ask(self, prompt: str, choices: Sequence[str] | None, password: bool) -> str:
        """Ask a tool's question. Raises Stopped, also when time is up."""
        return self._ask(Request(self.speaker or self._person, prompt, password, choices)).text

    def confirm(self, what: str, details: Mapping[str, Any]) -> bool:
        """Ask a tool's yes-or-no question. Raises Stopped, also when time is up."""
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
            self.journal.is_complete = False  # passwords are kept nowhere
        else:
            entry.update(text=answer.text, name=answer.name, arguments=answer.arguments, reason=answer.reason)
        return answer


@dataclass(frozen=True)
class _Call:
    """A tool call being carried out for `agent`; `outer` is the one whose tool made it, if any."""

    stream: TurnStream
    content: Mapping[str, Any]
    agent: str
    outer: _Call | None


_executing: contextvars.ContextVar[_Call | None] = contextvars.ContextVar("executing", default=None)


def _known_answers(prompt: str, candidates: Sequence[str]) -> dict[str, str]:
    """Return the answers that one of AG2's own prompts accepts, with their meanings."""
    if "Press enter to skip and use auto-reply" in prompt:
        return {"": "Continue", "exit": "End"}
    if "Press enter or type 'exit' to stop" in prompt:
        return {"exit": "End"}
    if prompt.startswith("Enter the number of the next speaker"):
        return {str(number): name for number, name in enumerate(candidates, 1)} | {"": "Let the agents choose"}
    return {}


class NullStream(IOStream):
    """Swallows what AG2 writes outside a turn, which would otherwise go to the server's terminal."""

    def send(self, message: BaseModel) -> None:
        log.debug("Outside a turn: %s", type(message).__name__)

    def print(self, *objects: Any, sep: str = " ", end: str = "\n", flush: bool = False) -> None:
        log.debug("Outside a turn: %s", sep.join(map(str, objects)))

    def input(self, prompt: str = "", *, password: bool = False) -> str:
        raise ChatError("agent_asked")
