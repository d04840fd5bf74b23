"""Turns what AG2 and tools write during a turn into events, and passes their questions on to people.

Every method that writes or asks raises Stopped once the turn is stopped: this is where AG2's loop ends.
"""

from __future__ import annotations

import contextvars
import json
import logging
from collections.abc import Mapping, Sequence
from typing import Any
from uuid import uuid4

from autogen.agentchat.group.targets.transition_target import RandomAgentTarget, TransitionTarget
from autogen.events.print_event import PrintEvent
from autogen.io.base import IOStream
from pydantic import BaseModel

from agentchat.ag2 import events as ag2_events
from agentchat.ag2 import prompts as ag2_prompts
from agentchat.ag2 import scope, tool_slots
from agentchat.ag2.console import Console
from agentchat.ag2.history import PartialMessage, TurnHistory
from agentchat.ag2.limits import Limits
from agentchat.ag2.model_output import MAX_MODEL_CALLS, TERMINATE, ModelOutput, StreamingMessage
from agentchat.ag2.turn_output import TurnOutput
from agentchat.ag2.usage import Usage
from agentchat.cancellation import Stopped, StopToken
from agentchat.journal import Journal
from agentchat.protocol.errors import ChatError
from agentchat.protocol.events import clean, is_blank, text_of
from agentchat.protocol.questions import APPROVALS, YES_OR_NO, Answer, Request, is_yes

log = logging.getLogger(__name__)

MAX_HANDOFFS = 10  # for one message; more than that is a circle

TEMPORARY_USER = "_User"  # made by AG2 to pass on the first message of a group that has no user

_MESSAGES = frozenset(
    {"text", "tool_call", "tool_response", "function_call", "function_response", "post_carryover_processing"}
)
"""The events that say something in a chat; others report of the agent that replies."""


class TurnStream(IOStream):
    """AG2's IOStream for one turn, and the turn as tools see it (chat.RunningTurn)."""

    def __init__(
        self,
        turn: TurnOutput,
        token: StopToken,
        person: str,
        text: str,
        history: TurnHistory,
        journal: Journal,
        usage: Usage,
        payer: str,
        limits: Limits,
        approvals: str = "marked",
        call_ids: set[str] | None = None,
    ) -> None:
        """`person` is the agent that stands for the person, who wrote `text`; it is empty if none is known.

        `payer` is charged for calls that belong to no agent. `approvals` is the setting `approve`; `call_ids`
        holds the ids of the tool calls before this turn.
        """
        self.journal = journal
        self.approvals = approvals
        self.result_chars = limits.result_chars
        self.person = person
        self.speaker = ""
        self.history = history
        self.summary = ""
        self.answers: dict[str, str] = {}  # to prompts in a run that end it, unless its program answers them
        self._turn = turn
        self._token = token
        self._payer = payer
        self._words = {text}  # of the person, which agents pass on
        self._handoffs: list[str] = []  # the agents that had the turn, in order
        self._reason = ""  # the `reason` argument of the newest tool call
        self._leaving: tuple[str, str] | None = None  # the agent that hands over to whoever speaks next, and why
        self._candidates: list[str] = []  # agents that can be chosen to speak next
        self._result: tuple[str, str] | None = None  # an agent and its newest tool's result, if nobody spoke since
        self.model_output = ModelOutput(
            turn, token, journal, usage, self, limits.answer_chars, limits.model_calls or MAX_MODEL_CALLS, call_ids
        )
        self.console = Console(turn)
        self.tool_slots = limits.tool_slots

    # Called by the conversation

    def conclude(self, answer: str | None, author: str) -> None:
        """Say the turn's last word unless it has been said: `answer`, by `author`, or else a tool's result."""
        said = self.model_output.take_equal(answer) if answer else None
        self.model_output.release()
        if answer and answer.strip() and answer.strip() != self.summary:
            self.say(answer, said.sender if said else author, said.id if said else None)
        elif not answer and self._result is not None:
            agent, text = self._result
            self.say(text, agent)

    def say(self, text: str, sender: str, message_id: str | None = None) -> None:
        """Log a text that AG2 does not send. `message_id` is that of its stream, if it was streamed."""
        content = {"content": clean(text), "sender": sender, "recipient": self.person}
        self.append("text", {"uuid": str(uuid4()), **content, "message_id": message_id or uuid4().hex})
        self.summary, self.speaker = text.strip(), sender

    def say_reply(self, agent: str, about: Mapping[str, str]) -> None:
        """Log what a model wrote for an agent that was asked directly, outside of AG2's chats."""
        written = self.model_output.take(agent, about)
        if written is None or not written.text.strip():
            return
        content = {"content": TERMINATE.sub("", written.text), "sender": agent, "recipient": self.person}
        self.append("text", {"uuid": str(uuid4()), **content, "message_id": written.id, **about})
        if not about:
            self.summary, self.speaker, self._result = content["content"].strip(), agent, None

    def streamed(self, sender: str) -> StreamingMessage:
        """Return a new message whose text is shown with `show`."""
        return StreamingMessage(sender, {}, self._turn.redaction)

    def show(self, message: StreamingMessage, text: str) -> None:
        """Show more text of a message."""
        self._token.check()
        if visible := message.add(clean(text)):
            self._turn.stream(message.id, message.sender, visible)

    def end_streamed(self, message: StreamingMessage) -> str:
        """Complete a message that was shown piece by piece. Return its text."""
        if rest := message.end():
            self._turn.stream(message.id, message.sender, rest)
        if message.text.strip():
            self.say(message.text, message.sender, message.id)
        return message.text

    def close(self) -> None:
        """Refuse further model calls, and show the rest of what was printed."""
        self.console.flush()
        self.model_output.close()

    def keep_partial(self) -> PartialMessage:
        """Log the parts of interrupted messages that were already shown. Return that of the turn's own chat."""
        kept = PartialMessage("", "")
        for message in self.model_output.break_off():
            content = {
                "uuid": str(uuid4()),
                "content": message.text,
                "sender": message.sender,
                "recipient": self.person,
                "message_id": message.id,
                "partial": True,
                **({"notice": message.notice} if message.notice else {}),
            }
            self._turn.append("text", {**content, **message.about}, None)
            if not message.about:  # of an inner chat the agents keep only the outcome
                self.summary = message.text.strip()
                kept = PartialMessage(message.sender, message.text)
        return kept

    # Called by the models' output

    def author(self) -> tuple[str, Mapping[str, str]] | None:
        here = scope.current.get()
        if not here.agent or ag2_events.chooses_speakers(here.agent):
            return None
        if self._leaving is not None:
            (giver, reason), self._leaving = self._leaving, None
            self._handed_over(giver, here.agent, reason)
        return here.agent, here.about_level

    def payer(self) -> str:
        here = scope.current.get()
        return (here.level if here.agent else here.within) or self._payer

    # Called by AG2

    def send(self, message: BaseModel) -> None:
        self._token.check()
        type, content = ag2_events.dump(message)
        if type == "stream":
            self.model_output.add_stream_event(content["content"])
            return
        if ag2_events.is_inner(type, content):
            return
        here = scope.current.get()
        about = here.about if type in _MESSAGES else here.about_level
        event: Any = getattr(message, "content", message)  # AG2 wraps its events, ours are plain
        if type in {"text", "tool_call"} and not self._finish(type, content, about):
            return
        if type == "executed_function" and not about:
            self._keep_result(here.caller, event.content, content["content"])
        elif type == "execute_function":
            arguments = content.get("arguments")
            self._reason = str(arguments.get("reason", "")) if isinstance(arguments, dict) else ""
        elif type == "select_speaker":
            agents = [str(agent) for agent in content.get("agents") or ()]
            self._candidates = ["" if ag2_events.is_inner_member(name) else name for name in agents]
            content["agents"] = [name for name in self._candidates if name]
        if type in ag2_events.HANDOFFS:
            self.append(type, {**content, "transition_target": str(event.transition_target), **about})
            self._hand_over(type, event)
        else:
            self.append(type, {**content, **about})

    def append(self, type: str, content: Mapping[str, Any]) -> None:
        """Log an event."""
        if not self.journal.is_replaying:  # else it is in the log already
            self._turn.append(type, content, self.history.changed())

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

    def _finish(self, type: str, content: dict[str, Any], about: Mapping[str, str]) -> bool:
        """Complete an event that says something. Returns False if nobody should see it.

        With a `message_id`, that of what was streamed, it is said to people; without, it passes on their own words.
        """
        sender, text = content["sender"], content.get("content")
        written = self.model_output.take(sender, about)
        if written is None and type == "text":
            if ag2_events.is_transfer(type, content):
                return False
            if (told := ag2_events.told_by_function(content)) is not None:
                if content.get("recipient") != self.person:
                    return False  # it is for the next agent
                sender, text = content["sender"], content["content"] = self.speaker or sender, told
            if (
                not text
                or sender == TEMPORARY_USER
                or (isinstance(text, str) and text in self._words and not scope.current.get().agent)
            ):
                return True
        content["message_id"] = written.id if written else uuid4().hex
        if written is not None and written.notice:
            content["notice"] = written.notice
            if written.is_cut_off:
                content["cut_off"] = True
        self._reason = ""
        if isinstance(text, str):
            content["content"] = text = TERMINATE.sub("", text)
        if about:
            return True
        said = text_of(text).strip()
        if written is not None or sender != self.person:
            self.speaker = sender
        if not is_blank(text):
            self._result = None
        if said:
            self.summary = said
        return True

    def _keep_result(self, agent: str, result: Any, text: Any) -> None:
        """Keep a tool's result, which is the turn's answer if nobody says anything after it."""
        if not isinstance(result, TransitionTarget):
            text = text if isinstance(text, str) else json.dumps(text, ensure_ascii=False)
            self._result = (agent, text) if text.strip() else None

    def print(self, *objects: Any, sep: str = " ", end: str = "\n", flush: bool = False) -> None:
        self.send(PrintEvent(*objects, sep=sep, end=end))

    # Called by tools

    def add_event(self, type: str, content: Mapping[str, Any]) -> None:
        """Append an event that is not AG2's."""
        self._token.check()
        self.append(type, {"uuid": str(uuid4()), **content, **scope.current.get().about_level})

    def progress(self, done: float, total: float | None, text: str) -> None:
        """Show how far the running tool is."""
        self._token.check()
        call = scope.current.get().call
        call_id, tool = str(call.get("call_id") or ""), str(call.get("func_name") or "")
        self._turn.progress(call_id, tool, done, total, clean(text))

    # Asking people

    def input(self, prompt: str = "", *, password: bool = False) -> str:
        self.console.flush()
        here = scope.current.get()
        # The proxy stands for the person, so the question comes from the agent that it replies to, or spoke last.
        is_proxy = here.agent in {"", self.person or here.initiator}
        agent = (here.caller if here.agent else "") or self.speaker or self._payer if is_proxy else here.agent
        prompt, labels = ag2_prompts.in_words(prompt, here.answered, self._candidates)
        answer = self._ask(Request(agent, prompt, password, list(labels) if labels and not password else None, labels))
        if answer.text and not password:
            self._words.add(answer.text)
        return answer.text

    def ends_here(self) -> bool:
        """Return True if AG2 asks for the person's next message, which ends the turn: they write it when they like."""
        here = scope.current.get()
        is_person = here.agent and here.agent == (self.person or here.initiator) and not here.level
        message = here.answered
        return bool(is_person and not (message.get("tool_calls") or message.get("function_call")))

    def ask(self, prompt: str, choices: Sequence[str] | None, password: bool) -> str:
        """Ask a tool's question. Raises Stopped, also when time is up."""
        return self._ask(Request(self.speaker or self.person, prompt, password, choices)).text

    def confirm(self, what: str, details: Mapping[str, Any]) -> bool:
        """Ask a tool's yes-or-no question. Raises Stopped, also when time is up."""
        lines = [what, *(f"{name}: {value}" for name, value in details.items())]
        answer = self._ask(Request(self.speaker or self.person, "\n".join(lines), choices=YES_OR_NO))
        return is_yes(answer.text)

    def approve(self, tool: str, arguments: Mapping[str, Any], by: str = "") -> Answer:
        """Ask people, or those with the role `by`, whether a tool may run. Raises Stopped, also when time is up."""
        here = scope.current.get()
        call = {"name": tool, "arguments": dict(arguments), "call_id": here.call.get("call_id")}
        return self._ask(Request(here.caller or self.speaker, f"May {tool} run?", choices=APPROVALS, tool=call, by=by))

    def _ask(self, request: Request) -> Answer:
        self._token.check()
        self.model_output.release()  # people see it before they answer, and after a restart
        entry = self.journal.replay("input", request.prompt)
        if entry is not None and "text" in entry:
            return Answer(entry["text"], entry["name"], entry["arguments"], entry["reason"])
        if entry is None:
            entry = self.journal.record("input", request.prompt, request_id=request.id)
            with tool_slots.asking():
                answer = self._turn.ask(request, lambda limit: self.history.waiting(self.journal, limit))
        else:
            with tool_slots.asking():
                answer = self._turn.ask_again(entry["request_id"])
        if request.password:
            self.journal.is_complete = False  # passwords are kept nowhere
        else:
            entry.update(text=answer.text, name=answer.name, arguments=answer.arguments, reason=answer.reason)
        return answer


current: contextvars.ContextVar[TurnStream | None] = contextvars.ContextVar("turn_stream", default=None)
"""The running turn of this thread or task."""


class NullStream(IOStream):
    """Swallows what AG2 writes outside a turn, which would otherwise go to the server's terminal."""

    def send(self, message: BaseModel) -> None:
        log.debug("Outside a turn: %s", type(message).__name__)

    def print(self, *objects: Any, sep: str = " ", end: str = "\n", flush: bool = False) -> None:
        log.debug("Outside a turn: %s", sep.join(map(str, objects)))

    def input(self, prompt: str = "", *, password: bool = False) -> str:
        raise ChatError("agent_asked")
