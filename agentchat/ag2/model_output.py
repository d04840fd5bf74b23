"""The output of a turn's models: text and reasoning as they stream, the number of calls, and their cost.

Models may answer at the same time, in threads and tasks of their own, so each answer has an object of its own.
"""

from __future__ import annotations

import contextlib
import re
import threading
import time
import weakref
from collections.abc import Iterator, Mapping
from typing import Any, Protocol
from uuid import uuid4

import httpx

from agentchat.ag2.turn_output import TurnOutput
from agentchat.ag2.usage import Usage
from agentchat.cancellation import Stopped, StopToken
from agentchat.journal import Journal
from agentchat.models import transport
from agentchat.protocol.errors import ChatError
from agentchat.protocol.events import clean
from agentchat.protocol.redaction import Redaction

MAX_MODEL_CALLS = 30  # for one message, whatever the model does; AG2 itself would go on to 100

About = Mapping[str, str]

# AG2's word for "the chat is over", which people need not see: at the end of a text, or what may become it.
TERMINATE = re.compile(r"(?<!\w)TERMINATE[\s.]*$")
_MAYBE_TERMINATE = re.compile(r"(?<!\w)(?:T|TE|TER|TERM|TERMI|TERMIN|TERMINA|TERMINAT|TERMINATE[\s.]*)$")
_NO_WORD = re.compile("(?!)")


class StreamingMessage:
    """An answer, or the reasoning before it, that a model is writing.

    Its end is withheld while it may turn out to be a secret or, in an answer, a TERMINATE.
    """

    def __init__(self, sender: str, about: Mapping[str, str], redaction: Redaction, is_reasoning: bool = False) -> None:
        """`about` is added to its frames and its event."""
        self.id = uuid4().hex
        self.sender = sender
        self.about = about
        self.frame_fields = {"kind": "reasoning", **about} if is_reasoning else about
        self.notice = ""  # what people should know about it
        self.is_cut_off = False  # by the model's limit of tokens, so it can be continued
        self.has_streamed = False  # text came from our own transport, so AG2's StreamEvents repeat it
        self.texts: list[str] = []  # as shown
        self._redaction = redaction
        self._word = _NO_WORD if is_reasoning else _MAYBE_TERMINATE
        self._withheld = ""

    def add(self, text: str) -> str:
        """Add a piece and return what can be shown now."""
        text = self._withheld + text
        maybe = self._word.search(text)
        visible, self._withheld = self._redaction.split(text, maybe.start() if maybe else len(text))
        self.texts.append(visible)
        return visible

    def end(self) -> str:
        """Return what was withheld and turned out to be neither a secret nor a TERMINATE."""
        text, self._withheld = self._withheld, ""
        maybe = self._word.search(text)
        visible = self._redaction.redact(text[: maybe.start()] if maybe else text)
        self.texts.append(visible)
        return visible

    def reset(self) -> None:
        self.texts.clear()
        self._withheld = ""

    @property
    def text(self) -> str:
        return "".join(self.texts)


class AnswerHost(Protocol):
    """The part of the running turn that the output of its models needs."""

    def append(self, type: str, content: Mapping[str, Any]) -> None:
        """Log an event."""

    def author(self) -> tuple[str, About] | None:
        """Return the agent for whose answer a model is called now, and `about` of that answer.

        None for calls that belong to no answer, such as the choice of a speaker: nobody sees their text.
        """

    def payer(self) -> str:
        """Return the agent that is charged for such a call."""


class ModelOutput:
    """The output of one turn's models. Their wrapper begins an `Answer` for each of its calls."""

    def __init__(
        self,
        turn: TurnOutput,
        token: StopToken,
        journal: Journal,
        usage: Usage,
        host: AnswerHost,
        answer_chars: int = 0,
        max_calls: int = MAX_MODEL_CALLS,
        call_ids: set[str] | None = None,
    ) -> None:
        """`answer_chars` and `max_calls` are settings; `call_ids` holds those of the tool calls before this turn."""
        self.turn = turn
        self.token = token
        self.journal = journal
        self.usage = usage
        self.host: AnswerHost = weakref.proxy(host)  # which has this output
        self.answer_chars = answer_chars
        self._max_calls = max_calls
        self._call_ids = call_ids if call_ids is not None else set()
        self._lock = threading.Lock()  # guards the fields below
        self._calls_left = max_calls
        self._writing: list[Answer] = []
        self._broken: Answer | None = None  # the newest whose call failed
        self._written: dict[tuple[str, str], StreamingMessage] = {}  # complete, their events still to come
        self._opened: dict[int, httpx.SyncByteStream] = {}  # the newest answer of each thread that reads one
        self._is_closed = False

    @property
    def is_calling(self) -> bool:
        """True while a model is called, and after a call that failed."""
        return bool(self._writing) or self._broken is not None

    @contextlib.contextmanager
    def answering(self) -> Iterator[None]:
        """Let the model calls in the context write an answer of their own."""
        author = self.host.author()
        message = StreamingMessage(*author, self.turn.redaction) if author is not None else None
        if message is not None:
            self.release(message.sender, message.about)
        answer, start = Answer(self, message, self.host.payer()), self.journal.position
        with self._lock:
            self._writing.append(answer)
            self._broken = None
        token = transport.current.set(answer)
        try:
            yield
        except BaseException:
            with self._lock:
                self._writing.remove(answer)
                self._broken = answer
            raise
        finally:
            transport.current.reset(token)
        answer.end()
        with self._lock:
            self._writing.remove(answer)
            if message is not None:
                self._written[_place(message.sender, message.about)] = message
        if self.journal.position == start:  # a client that is not ours (Anthropic, Gemini), or AG2's cache
            self.journal.is_complete = False

    # Called by the answers

    def count_call(self) -> None:
        """Count a call. Raises ChatError if there were too many in this turn, and Stopped once it is over."""
        self.token.check()
        with self._lock:
            if self._is_closed:
                raise Stopped("stopped")
            if self._calls_left == 0:
                raise ChatError("model_calls", limit=self._max_calls)
            self._calls_left -= 1
        self._close_opened(threading.get_ident())
        self.usage.begin_call()

    def own_call_id(self, id: str) -> str:
        """Return an id that no other tool call of the conversation has: AG2 hides hand-offs from models by their ids.

        Some servers number the calls that a request shows them, and so give ids twice.
        """
        with self._lock:
            own = id if id not in self._call_ids else f"call_{uuid4().hex}"
            self._call_ids.add(own)
        return own

    def opened(self, stream: httpx.SyncByteStream) -> None:
        self._opened[threading.get_ident()] = stream

    # Called by the turn

    def take(self, sender: str, about: About) -> StreamingMessage | None:
        """Return the answer that an event of this agent completes, if a model wrote it."""
        with self._lock:
            return self._written.pop(_place(sender, about), None)

    def take_equal(self, text: str) -> StreamingMessage | None:
        """Return the answer with this text in the turn's own chat whose event did not come."""
        with self._lock:
            for place, message in self._written.items():
                if not message.about and message.text.strip() == text.strip():
                    return self._written.pop(place)
        return None

    def release(self, sender: str | None = None, about: About | None = None) -> None:
        """Log answers whose event did not come, as inner steps of their agents: they were asked for and not sent.

        Those of one agent, those within `about`, or all.
        """
        with self._lock:
            places = [
                place
                for place in self._written
                if (sender is None or place[0] == sender) and (about is None or place[1] == about.get("within", ""))
            ]
            messages = [self._written.pop(place) for place in places]
        for message in messages:
            if message.text.strip():
                content = {"content": message.text, "sender": message.sender, "recipient": message.sender}
                about = message.about or {"within": message.sender}
                self.host.append("text", {"uuid": str(uuid4()), **content, "message_id": message.id, **about})

    def add_stream_event(self, text: str) -> None:
        """Show text that came through AG2: from clients of other protocols, since ours has shown it already."""
        answer = transport.current.get()
        if isinstance(answer, Answer):
            answer.add_stream_event(text)

    def break_off(self) -> list[StreamingMessage]:
        """Log the reasoning so far. Return the messages that were being written, oldest first, if they were shown.

        Nothing that was withheld gets out: it may be most of a secret.
        """
        with self._lock:
            answers = [*([self._broken] if self._broken else []), *self._writing]
            messages = [*self._written.values(), *(answer.message for answer in answers if answer.message)]
            self._written.clear()
        for answer in answers:
            answer.append_reasoning(is_partial=True)
        return [message for message in messages if message.text]

    def close(self) -> None:
        """Refuse further calls, and close the answers that earlier ones may have left open."""
        with self._lock:
            self._is_closed = True
        for thread in list(self._opened):
            self._close_opened(thread)

    def _close_opened(self, thread: int) -> None:
        if opened := self._opened.pop(thread, None):
            opened.close()


def _place(sender: str, about: About) -> tuple[str, str]:
    return sender, about.get("within", "")


class Answer:
    """One answer of a model, written by the calls that are made for it (transport.ModelCalls)."""

    def __init__(self, output: ModelOutput, message: StreamingMessage | None, payer: str) -> None:
        """`message` is None for an answer that nobody sees; `payer` is charged for it."""
        self.message = message
        self.answer_chars = output.answer_chars
        self._output = output
        self._payer = message.sender if message is not None else payer
        self._reasoning: StreamingMessage | None = None  # not yet in the log
        self._thought_since = self._thought_until = 0.0  # by the monotonic clock, 0: not known

    def answering(self) -> contextlib.AbstractContextManager[None]:
        """Begin another answer, for a client that calls a model through another wrapper."""
        return self._output.answering()

    def begin_call(self) -> None:
        """Count the call. Raises ChatError if there were too many in this turn."""
        self._output.count_call()
        if self.message is not None:
            if self.message.text:  # another entry of the list takes over
                self._output.turn.restart(self.message.id)
            self.message.reset()
        if self._reasoning is not None:
            self._output.turn.restart(self._reasoning.id)
            self._reasoning, self._thought_until = None, 0.0

    def answer_opened(self, stream: httpx.SyncByteStream) -> None:
        self._output.opened(stream)

    def on_text(self, text: str, is_reasoning: bool) -> None:
        """Show a piece of text."""
        self._output.token.check()
        if self.message is None:
            return
        if is_reasoning:
            self._stream_reasoning(self.message, text)
        else:
            self.message.has_streamed = True
            self._thought_until = self._thought_until or time.monotonic()
            self._stream(self.message, text)

    def on_reasoning(self, text: str) -> None:
        """Show the reasoning of an answer that came in one piece."""
        if self.message is not None and self._reasoning is None and text:
            self._stream_reasoning(self.message, text)

    def on_notice(self, text: str, is_cut_off: bool = False) -> None:
        """Add what people should know about the message that is being written."""
        if self.message is not None and text not in self.message.notice:
            self.message.notice = f"{self.message.notice} {text}".strip()
            self.message.is_cut_off = is_cut_off

    def own_call_id(self, id: str) -> str:
        return self._output.own_call_id(id)

    def on_usage(self, usage: Mapping[str, Any]) -> None:
        """Add what a call has cost, now that it has an answer."""
        self._output.usage.add(self._payer, usage)

    def add_stream_event(self, text: str) -> None:
        """Show text of a client that is not ours."""
        if self.message is not None and not self.message.has_streamed:
            self._stream(self.message, text)

    def end(self) -> None:
        """Show what was withheld."""
        if self.message is not None:
            self._show(self.message, self.message.end())
        self.append_reasoning()

    def append_reasoning(self, is_partial: bool = False) -> None:
        """Log the reasoning."""
        reasoning, self._reasoning = self._reasoning, None
        if reasoning is None:
            return
        if not is_partial:
            self._show(reasoning, reasoning.end())
        if reasoning.text.strip():
            content = {"message_id": reasoning.id, "sender": reasoning.sender, "content": reasoning.text}
            took = max((self._thought_until or time.monotonic()) - self._thought_since, 0.0)
            about = {"duration_ms": round(took * 1000), **reasoning.about}
            flags = {"partial": True} if is_partial else {}
            self._output.host.append("reasoning", {"uuid": str(uuid4()), **content, **about, **flags})

    def _stream(self, message: StreamingMessage, text: str) -> None:
        self._show(message, message.add(clean(text)))

    def _stream_reasoning(self, message: StreamingMessage, text: str) -> None:
        if self._reasoning is None:
            self._thought_since = time.monotonic()
            redaction = self._output.turn.redaction
            self._reasoning = StreamingMessage(message.sender, message.about, redaction, is_reasoning=True)
        self._stream(self._reasoning, text)

    def _show(self, message: StreamingMessage, visible: str) -> None:
        if visible:
            self._output.turn.stream(message.id, message.sender, visible, message.frame_fields)
