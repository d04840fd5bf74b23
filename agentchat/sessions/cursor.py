"""A reader's place in a session, and what a log shows to its readers."""

from __future__ import annotations

import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple, Protocol

from agentchat.protocol import events
from agentchat.protocol.events import Event
from agentchat.protocol.visibility import OUTPUT, VisibilityFilter
from agentchat.sessions.agent_typing import AgentTyping

BATCH_BYTES = 256 * 1024  # size of the pieces in which a cursor that lags catches up, give or take one event


class Frame(NamedTuple):
    """One frame for a client: its JSON text, its `seq` if it is in the log, and the turn that it ends, if any.

    `is_answer` is True for the answer to a question, behind which plain text means something else.
    """

    text: str
    seq: int | None = None
    ends: int | None = None
    is_answer: bool = False


class MessageStream:
    """The text so far of a message that is being written. Only its turn appends to it; any cursor reads it."""

    def __init__(self, message_id: str, sender: str, about: Mapping[str, str]) -> None:
        """`about` holds more fields for each of the message's frames."""
        self.message_id = message_id
        self.sender = sender
        self.kind = about.get("kind", "")
        self.texts: list[str] = []
        self._start = events.encode({"message_id": message_id, "sender": sender})[1:-1]
        self._end = f",{events.encode(about)[1:-1]}" if about else ""

    def frame(self, offset: int, text: str) -> str:
        """Return the frame for a piece of the text. Most hold one token, so nothing else is encoded again."""
        fields = f'"uuid":"{_uuid()}",{self._start},"offset":{offset},"content":{events.encode(text)}{self._end}'
        return f'{{"type":"stream","content":{{{fields}}}}}'


@dataclass(frozen=True)
class LogView:
    """The end of a log as cursors see it, replaced as a whole so that they need no lock.

    `tail` holds the newest events, each with the streams that it ended.
    """

    last_seq: int
    tail: tuple[tuple[Event, Sequence[MessageStream]], ...] = ()
    streaming: tuple[MessageStream, ...] = ()


@dataclass(frozen=True)
class LiveState:
    """The newest state of something that isn't in the log, such as who is present or which messages wait.

    A reader that missed earlier states needs none of them. `origin` is the reader that isn't told.
    """

    number: int
    about: str
    frame: str
    origin: object = None


class ReadableLog(Protocol):
    """The part of a log that a cursor reads."""

    view: LogView
    states: Mapping[str, LiveState]
    """The live states by their subjects; replaced as a whole."""
    state_number: int
    """The number of the newest live state."""
    is_deleted: bool

    def has(self, seq: int, epoch: str) -> bool:
        """Return True if a client that has the events up to `seq`, which it got in that epoch, has those of the log."""

    def read(self, after: int) -> Sequence[tuple[Event, Sequence[MessageStream]]]:
        """Return some of the events after `after`, oldest first; none at the end of the log or once it is deleted."""


class Cursor:
    """A reader's place in a session: the last event sent, and how much of each streaming message was sent."""

    def __init__(
        self,
        log: ReadableLog,
        after: int,
        owner: object = None,
        show: str = "all",
        epoch: str = "",
        tells_agents_typing: bool = False,
    ) -> None:
        """Start after the event `after`, or from the beginning if the log has no such event.

        `epoch` is the one in which the reader got it, if it knows.
        `owner` isn't told the live states that it caused itself; `show` is one of SHOWS. If it `tells_agents_typing`,
        the reader gets `typing` frames for agents, too.
        """
        self._agent_typing = AgentTyping() if tells_agents_typing else None
        self._log = log
        self._filter = VisibilityFilter(show)
        self._owner = owner
        self._state_number = log.state_number
        self.joined = log.view.last_seq  # everything up to here happened before
        self.recovered = 0 <= after <= self.joined and log.has(after, epoch)
        self.seq = after if self.recovered else 0
        self.shown = self.seq  # of the newest event that the reader got, or had before
        self._sent: dict[MessageStream, tuple[int, int]] = {}  # texts and characters sent of each message

    @property
    def has_ended(self) -> bool:
        """True once the session is deleted and nothing more will come."""
        return self._log.is_deleted

    @property
    def is_behind(self) -> bool:
        """True if the log has events that weren't sent."""
        return self.seq < self._log.view.last_seq

    @property
    def is_lagging(self) -> bool:
        """True if the cursor has to read from the store to catch up."""
        view = self._log.view
        return self.seq < view.last_seq and not (view.tail and view.tail[0][0].seq <= self.seq + 1)

    def advance(self) -> list[Frame]:
        """Return the frames that are new since the last call, or one batch of them if there are many."""
        view = self._log.view
        frames: list[Frame] = []
        size = 0
        while self.seq < view.last_seq and size < BATCH_BYTES:
            page = self._log.read(self.seq)
            if not page:
                break  # deleted meanwhile
            for event, ended in page:
                if self._agent_typing is not None:
                    self._agent_typing.feed(event)
                for stream in ended if event.seq > self.joined else ():
                    frames += self._rest_of(stream)
                    self._sent.pop(stream, None)
                for shown in self._filter.feed(event):
                    ends = shown.turn if shown.type == "turn_completed" else None
                    frames.append(Frame(shown.frame, shown.seq, ends, shown.type == "input_response"))
                    self.shown = shown.seq
                    size += len(shown.frame)
                self.seq = event.seq
                if size >= BATCH_BYTES:
                    break
        if self._agent_typing is not None and self.seq == view.last_seq:
            frames += _typing(self._agent_typing, view.streaming)
        if view.streaming and self.seq == view.last_seq:
            frames += [frame for message in view.streaming for frame in self._rest_of(message)]
            self._sent = {message: sent for message, sent in self._sent.items() if message in view.streaming}
        if self._state_number != self._log.state_number and self.seq == view.last_seq:
            frames += self._new_states()
        return frames

    def _new_states(self) -> list[Frame]:
        since, self._state_number = self._state_number, self._log.state_number
        states = sorted(self._log.states.values(), key=lambda state: state.number)
        return [Frame(state.frame) for state in states if state.number > since and self._is_shown(state)]

    def _is_shown(self, state: LiveState) -> bool:
        if state.origin is not None and state.origin is self._owner:
            return False
        return self._filter.shows_progress or not state.about.startswith("progress:")

    def _rest_of(self, message: MessageStream) -> list[Frame]:
        if not self._filter.shows_stream(message.kind):
            return []
        count, offset = self._sent.get(message, (0, 0))
        texts = message.texts[count:]
        if not texts:
            return []
        text = "".join(texts)
        self._sent[message] = (count + len(texts), offset + len(text))
        return [Frame(message.frame(offset, text))]


def _typing(agents: AgentTyping, streaming: Sequence[MessageStream]) -> list[Frame]:
    """Return the frames that say which agent is at work, once everything else in the log was told."""
    for message in streaming:
        if message.kind != OUTPUT:
            agents.writes(message.sender)
    return [Frame(text) for text in agents.news()]


def _uuid() -> str:
    """Return a random id at a tenth of the cost of `uuid4`: every stream frame has one."""
    digits = f"{random.getrandbits(128):032x}"
    return f"{digits[:8]}-{digits[8:12]}-4{digits[13:16]}-8{digits[17:20]}-{digits[20:]}"
