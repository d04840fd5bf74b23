"""The output of a turn's models: text and reasoning as they stream, the number of calls, and their cost."""

from __future__ import annotations

import re
import threading
from collections.abc import Callable, Mapping
from typing import Any
from uuid import uuid4

import httpx

from agentchat.ag2.turn_output import TurnOutput
from agentchat.ag2.usage import Usage
from agentchat.cancellation import StopToken
from agentchat.journal import Journal
from agentchat.protocol.errors import ChatError
from agentchat.protocol.events import clean
from agentchat.protocol.redaction import Redaction

MAX_MODEL_CALLS = 30  # for one message, whatever the model does; AG2 itself would go on to 100

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


class ModelOutput:
    """The output of one turn's models. Their transport reports to it (transport.ModelCalls)."""

    def __init__(
        self,
        turn: TurnOutput,
        token: StopToken,
        journal: Journal,
        usage: Usage,
        append: Callable[[str, Mapping[str, Any]], None],
        payer: Callable[[], str],
        answer_chars: int = 0,
    ) -> None:
        """`append` logs an event; `payer` names the agent that is charged for calls that belong to no agent.

        `answer_chars` is the setting of that name.
        """
        self.message: StreamingMessage | None = None  # being written
        self.written: StreamingMessage | None = None  # complete, its event still to come
        self._reasoning: StreamingMessage | None = None  # of the message, not yet in the log
        self._turn = turn
        self._token = token
        self._journal = journal
        self._usage = usage
        self._append = append
        self._payer = payer
        self._calls_left = MAX_MODEL_CALLS
        self.answer_chars = answer_chars
        self._has_open_call = False
        self._answers: dict[int, httpx.SyncByteStream] = {}  # the newest of each thread that reads one
        self._call_start = 0  # the journal's position when the model was called

    @property
    def is_calling(self) -> bool:
        return self._has_open_call or self.message is not None

    # Called by the transport

    def begin_call(self) -> None:
        """Count the call. Raises ChatError if there were too many in this turn."""
        self._token.check()
        self._close_answer(threading.get_ident())
        if self._calls_left == 0:
            raise ChatError("model_calls", limit=MAX_MODEL_CALLS)
        self._calls_left -= 1
        self._has_open_call = True
        self._usage.begin_call()
        if self.message is not None:
            if self.message.text:  # another entry of the list takes over
                self._turn.restart(self.message.id)
            self.message.reset()
        if self._reasoning is not None:
            self._turn.restart(self._reasoning.id)
            self._reasoning = None

    def answer_opened(self, stream: httpx.SyncByteStream) -> None:
        self._answers[threading.get_ident()] = stream

    def on_text(self, text: str, is_reasoning: bool) -> None:
        """Show a piece of text. Outside an agent's own call (the choice of a speaker) nobody sees it."""
        self._token.check()
        if self.message is None:
            return
        if is_reasoning:
            self._stream_reasoning(self.message, text)
        else:
            self.message.has_streamed = True
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

    def on_usage(self, usage: Mapping[str, Any]) -> None:
        """Add what a call has cost, now that it has an answer."""
        self._has_open_call = False
        self._usage.add(self.message.sender if self.message is not None else self._payer(), usage)

    # Called by the turn

    def begin_message(self, sender: str, about: Mapping[str, str]) -> None:
        """Attribute what is written from now on to this agent. `about` is added to its frames and its event."""
        self.message = StreamingMessage(sender, about, self._turn.redaction)
        self._call_start = self._journal.position

    def end_message(self) -> None:
        if self.message is not None:
            self._show(self.message, self.message.end())
        self.message, self.written = None, self.message
        self._append_reasoning()
        if self._journal.position == self._call_start:  # a client that is not ours (Anthropic, Gemini): not recorded
            self._journal.is_complete = False

    def add_stream_event(self, text: str) -> None:
        """Show text that came through AG2: from clients of other protocols, since ours has shown it already."""
        if self.message is not None and not self.message.has_streamed:
            self._stream(self.message, text)

    def break_off(self) -> StreamingMessage | None:
        """Log the reasoning so far. Return the message that was being written, if any of it was shown.

        Nothing that was withheld gets out: it may be most of a secret.
        """
        self._append_reasoning(is_partial=True)
        message = self.message or self.written
        return message if message is not None and message.text else None

    def close(self) -> None:
        """Close the answers that the turn's calls may have left open."""
        for thread in list(self._answers):
            self._close_answer(thread)

    def _close_answer(self, thread: int) -> None:
        if answer := self._answers.pop(thread, None):
            answer.close()

    def _stream(self, message: StreamingMessage, text: str) -> None:
        self._show(message, message.add(clean(text)))

    def _stream_reasoning(self, message: StreamingMessage, text: str) -> None:
        if self._reasoning is None:
            self._reasoning = StreamingMessage(message.sender, message.about, self._turn.redaction, is_reasoning=True)
        self._stream(self._reasoning, text)

    def _show(self, message: StreamingMessage, visible: str) -> None:
        if visible:
            self._turn.stream(message.id, message.sender, visible, message.frame_fields)

    def _append_reasoning(self, is_partial: bool = False) -> None:
        reasoning, self._reasoning = self._reasoning, None
        if reasoning is None:
            return
        if not is_partial:
            self._show(reasoning, reasoning.end())
        if reasoning.text.strip():
            content = {"message_id": reasoning.id, "sender": reasoning.sender, "content": reasoning.text}
            flags = {"partial": True} if is_partial else {}
            self._append("reasoning", {"uuid": str(uuid4()), **content, **reasoning.about, **flags})
