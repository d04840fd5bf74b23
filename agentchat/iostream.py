"""What AG2 writes during a turn, turned into events; and where a running turn meets its stop token."""

from __future__ import annotations

import json
import logging
import re
import threading
from collections.abc import Mapping
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

    def __init__(self, turn: TurnLog, token: StopToken, person: str, memory: Memory) -> None:
        self._turn = turn
        self._token = token
        self._person = person
        self._message: _StreamedMessage | None = None  # being written by a model
        self._written: _StreamedMessage | None = None  # written, its event still to come
        self._calls_left = MAX_MODEL_CALLS
        self._answers: dict[int, httpx.SyncByteStream] = {}  # by the thread that reads them, the newest of each
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

    def end_message(self) -> None:
        self._message, self._written = None, self._message

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
        self._turn.append(type, content, self.memory.news())

    def _finish(self, content: dict[str, Any]) -> None:
        """The event that ends a streamed message carries its id."""
        written, self._written = self._written, None
        content["message_id"] = written.id if written else uuid4().hex
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

    def input(self, prompt: str = "", *, password: bool = False) -> str:
        self._token.check()
        raise ChatError("agent_asked")


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
