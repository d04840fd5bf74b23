"""What AG2 writes during a turn, turned into events; and where a running turn meets its stop token."""

from __future__ import annotations

import json
import logging
import re
import threading
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple, Protocol
from uuid import uuid4

import httpx
import pydantic_core
from autogen import Agent
from autogen.events.print_event import PrintEvent
from autogen.io.base import IOStream
from pydantic import BaseModel

from agentchat.errors import ChatError
from agentchat.events import clean
from agentchat.journal import Journal
from agentchat.questions import APPROVALS, Answer, Request
from agentchat.stopping import StopToken

log = logging.getLogger(__name__)

MAX_MODEL_CALLS = 30  # for one message, whatever the model does; AG2 itself would go on to 100

Message = dict[str, Any]

# AG2's word for "the chat is over", which people need not see: at the end of a text, or what may become it.
_TERMINATE = re.compile(r"(?<!\w)TERMINATE[\s.]*$")
_MAYBE_TERMINATE = re.compile(r"(?<!\w)(?:T|TE|TER|TERM|TERMI|TERMIN|TERMINA|TERMINAT|TERMINATE[\s.]*)$")


class TurnLog(Protocol):
    """Where a turn's events go."""

    def append(self, type: str, content: Mapping[str, Any], memory: str | None) -> None:
        """Into the log, together with what the agents remember of this turn so far, if that changed."""

    def stream(self, message_id: str, sender: str, text: str) -> None:
        """More text of a message that is being written."""

    def restart(self, message_id: str) -> None:
        """The message begins anew; what was streamed of it does not count."""

    def ask(self, request: Request, memory: str) -> Answer:
        """Ask the people of the session, and wait. Raises Stopped, also when time is up."""

    def ask_again(self, request_id: str) -> Answer:
        """Wait for the answer to a question that was asked before the server was started."""


class Partial(NamedTuple):
    """What had been written of a message when it broke off, and by whom."""

    sender: str
    text: str


class Memory:
    """What a history has gained since the turn began, as JSON text."""

    def __init__(self, history: list[Message]) -> None:
        self._history = history
        self._start = self._saved = len(history)

    def news(self) -> str | None:
        """All of it, if there is more than last time."""
        if len(self._history) == self._saved:
            return None
        self._saved = len(self._history)
        return self.all(has_ended=False)

    def all(self, has_ended: bool) -> str:
        return json.dumps({"messages": self._history[self._start :], "has_ended": has_ended}, default=str)

    def waiting(self, journal: Journal) -> str:
        """All of it, and what it takes to go on after a restart."""
        news = {"messages": self._history[self._start :], "has_ended": False, "journal": journal.entries()}
        return json.dumps(news, default=str)


class _StreamedMessage:
    """One answer of a model on its way: its text as shown, without a trailing TERMINATE."""

    def __init__(self, sender: str) -> None:
        self.id = uuid4().hex
        self.sender = sender
        self.is_tapped = False
        self._shown: list[str] = []
        self._held = ""  # may turn out to be a TERMINATE

    def add(self, text: str) -> str:
        """What of the message can be shown now."""
        text = self._held + text
        maybe = _MAYBE_TERMINATE.search(text)
        cut = maybe.start() if maybe else len(text)
        visible, self._held = text[:cut], text[cut:]
        self._shown.append(visible)
        return visible

    def reset(self) -> None:
        self._shown.clear()
        self._held = ""

    @property
    def text(self) -> str:
        return "".join(self._shown)


class TurnStream(IOStream):
    """AG2's IOStream for one turn.

    The model's transport writes here, too: `begin` and `show`.
    """

    def __init__(self, turn: TurnLog, token: StopToken, person: str, memory: Memory, journal: Journal) -> None:
        self.journal = journal
        self.asking = person  # the agent for whom a person is asked now
        self._turn = turn
        self._token = token
        self._person = person
        self._message: _StreamedMessage | None = None  # being written by a model
        self._written: _StreamedMessage | None = None  # written, its event still to come
        self._calls_left = MAX_MODEL_CALLS
        self._answers: dict[int, httpx.SyncByteStream] = {}  # by the thread that reads them, the newest of each
        self._call_start = 0  # where the journal stood when the model was called
        self._speaker = ""
        self._executing: dict[str, Any] = {}  # the newest tool call
        self._candidates: list[str] = []  # who can be chosen to speak next
        self.memory = memory
        self.summary = ""

    # The model's side

    def begin(self) -> None:
        """A model is called. Raises ChatError when that happens too often in one turn."""
        self._token.check()
        self._close_answer(threading.get_ident())
        if self._calls_left == 0:
            raise ChatError("model_calls", limit=MAX_MODEL_CALLS)
        self._calls_left -= 1
        if self._message is not None and self._message.text:  # another entry of the list takes over
            self._message.reset()
            self._turn.restart(self._message.id)

    def opened(self, stream: httpx.SyncByteStream) -> None:
        self._answers[threading.get_ident()] = stream

    def close(self) -> None:
        """Give back what the turn's model calls may have left open."""
        for thread in list(self._answers):
            self._close_answer(thread)

    def _close_answer(self, thread: int) -> None:
        if answer := self._answers.pop(thread, None):
            answer.close()

    def show(self, text: str) -> None:
        """A token, straight from the wire. Outside an agent's own call (speaker selection) nobody sees it."""
        self._token.check()
        if self._message is not None:
            self._message.is_tapped = True
            self._write(self._message, text)

    @property
    def is_calling_model(self) -> bool:
        return self._message is not None

    def begin_message(self, sender: str) -> None:
        self._message = _StreamedMessage(sender)
        self._call_start = self.journal.position

    def end_message(self) -> None:
        self._message, self._written = None, self._message
        if self.journal.position == self._call_start:  # a client that is not ours (Anthropic, Gemini): not recorded
            self.journal.is_complete = False

    def _write(self, message: _StreamedMessage, text: str) -> None:
        visible = message.add(clean(text))
        if visible:
            self._turn.stream(message.id, message.sender, visible)

    # AG2's side

    def send(self, message: BaseModel) -> None:
        self._token.check()
        type, content = _dump(message)
        if type == "stream":
            # Clients of other protocols (Anthropic, Gemini) stream through here; ours have shown the text already.
            if self._message is not None and not self._message.is_tapped:
                self._write(self._message, content["content"])
            return
        if type in {"text", "tool_call"} and content.get("sender") != self._person:
            self._finish(content)
        elif type == "execute_function":
            self._executing = content
        elif type == "select_speaker":
            self._candidates = [str(agent) for agent in content.get("agents") or ()]
        if self.journal.is_replaying:  # it is in the log already
            return
        self._turn.append(type, content, self.memory.news())

    def _finish(self, content: dict[str, Any]) -> None:
        """The event that ends a streamed message carries its id."""
        written, self._written = self._written, None
        content["message_id"] = written.id if written else uuid4().hex
        self._speaker = content["sender"]
        if isinstance(content.get("content"), str):
            content["content"] = _TERMINATE.sub("", content["content"])
            self.summary = content["content"].strip() or self.summary

    def keep_partial(self) -> Partial:
        """Put what was shown of a message that broke off into the log."""
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
        self._turn.append("text", content, None)
        self.summary = message.text.strip()
        return Partial(message.sender, message.text)

    def print(self, *objects: Any, sep: str = " ", end: str = "\n", flush: bool = False) -> None:
        self.send(PrintEvent(*objects, sep=sep, end=end))

    # Asking people

    def input(self, prompt: str = "", *, password: bool = False) -> str:
        agent, self.asking = self.asking, self._person
        labels = _known_answers(prompt, self._candidates)
        # The proxy stands for the person, so it is the agent that spoke last who wants to know.
        agent = self._speaker if agent == self._person and self._speaker else agent
        choices = list(labels) if labels and not password else None
        return self._ask(Request(agent, prompt, password, choices, labels)).text

    def approve(self, tool: str, arguments: Mapping[str, Any]) -> Answer:
        """Ask whether a tool may run. Raises Stopped, also when time is up."""
        call = {"name": tool, "arguments": dict(arguments), "call_id": self._executing.get("call_id")}
        return self._ask(Request(self._speaker, f"May {tool} run?", choices=APPROVALS, tool=call))

    def _ask(self, request: Request) -> Answer:
        self._token.check()
        entry = self.journal.replay("input", request.prompt)
        if entry is not None and "text" in entry:
            return Answer(entry["text"], entry["name"], entry["arguments"], entry["reason"])
        if entry is None:
            entry = self.journal.record("input", request.prompt, request_id=request.id)
            answer = self._turn.ask(request, self.memory.waiting(self.journal))
        else:
            answer = self._turn.ask_again(entry["request_id"])
        if request.password:
            self.journal.is_complete = False  # it is kept nowhere
        else:
            entry.update(text=answer.text, name=answer.name, arguments=answer.arguments, reason=answer.reason)
        return answer


def _known_answers(prompt: str, candidates: Sequence[str]) -> dict[str, str]:
    """The answers that AG2's own questions take, and what they mean."""
    if "Press enter to skip and use auto-reply" in prompt:
        return {"": "Continue", "exit": "End"}
    if "Press enter or type 'exit' to stop" in prompt:
        return {"exit": "End"}
    if prompt.startswith("Enter the number of the next speaker"):
        return {str(number): name for number, name in enumerate(candidates, 1)} | {"": "Let the agents choose"}
    return {}


def _dump(event: BaseModel) -> tuple[str, dict[str, Any]]:
    """Type and content as AG2 would send them; what it cannot serialise (hand-offs hold agents) goes by its name."""
    try:
        data = event.model_dump(mode="json")
    except (pydantic_core.PydanticSerializationError, UnicodeError, TypeError, ValueError, AttributeError):
        data = pydantic_core.to_jsonable_python(dict(event), fallback=_described, bytes_mode="base64")
    return data["type"], data["content"]


def _described(value: object) -> Any:
    if isinstance(value, BaseModel):
        return dict(value)
    return value.name if isinstance(value, Agent) else str(value)


class NullStream(IOStream):
    """For whatever AG2 writes outside a turn: nowhere, rather than on the server's terminal."""

    def send(self, message: BaseModel) -> None:
        log.debug("Outside a turn: %s", type(message).__name__)

    def print(self, *objects: Any, sep: str = " ", end: str = "\n", flush: bool = False) -> None:
        log.debug("Outside a turn: %s", sep.join(map(str, objects)))

    def input(self, prompt: str = "", *, password: bool = False) -> str:
        raise ChatError("agent_asked")
