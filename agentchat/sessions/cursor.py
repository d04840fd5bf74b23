"""A reader's place in a session, and what a session shows to its readers."""

from __future__ import annotations

import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from agentchat.protocol import events
from agentchat.protocol.events import Event
from agentchat.protocol.visibility import Filter

BATCH_BYTES = 256 * 1024  # a cursor that lags catches up in pieces of about this size


class Live:
    """A message that is being written. Only its turn appends, any cursor reads."""

    def __init__(self, message_id: str, sender: str, about: Mapping[str, str]) -> None:
        self.message_id = message_id
        self.sender = sender
        self.about = about  # what else each of its frames says
        self.texts: list[str] = []


@dataclass(frozen=True)
class View:
    """What cursors see of a session, replaced as a whole so that they need no lock.

    `tail` holds the newest events, each with the live message that it completed; `lives` are being written.
    """

    last_seq: int
    tail: tuple[tuple[Event, Live | None], ...] = ()
    lives: tuple[Live, ...] = ()


@dataclass(frozen=True)
class Signal:
    """The newest state of something that is not in the log: who is here, who types, what waits.

    Whoever missed earlier ones needs none of them. `origin` is the reader that need not be told.
    """

    number: int
    about: str
    frame: str
    origin: object = None


class Readable(Protocol):
    """What a cursor needs of a session."""

    view: View
    signals: Mapping[str, Signal]
    """By what they are about; replaced as a whole."""
    signal_number: int
    """The newest of them."""
    is_deleted: bool

    def read(self, after: int) -> Sequence[tuple[Event, Live | None]]:
        """Some of the events behind `after`, oldest first; none if there are none, or none any more."""


class Cursor:
    """A reader's place in a session: the last event sent, and how much of the live message was sent."""

    def __init__(self, session: Readable, after: int, owner: object = None, show: str = "all") -> None:
        """`owner` is not told of what it has said itself; `show` is one of SHOWS."""
        self.session = session
        self._filter = Filter(show)
        self._owner = owner
        self._signal = session.signal_number
        self._joined = session.view.last_seq
        self.recovered = 0 <= after <= self._joined
        self.seq = after if self.recovered else 0
        self._sent: dict[Live, tuple[int, int]] = {}  # how many texts of a live message, and characters in them

    @property
    def is_over(self) -> bool:
        """There will be nothing more: the session was deleted."""
        return self.session.is_deleted

    @property
    def is_behind(self) -> bool:
        return self.seq < self.session.view.last_seq

    @property
    def is_lagging(self) -> bool:
        """It has to read the store to catch up."""
        view = self.session.view
        return self.seq < view.last_seq and not (view.tail and view.tail[0][0].seq <= self.seq + 1)

    def advance(self) -> list[str]:
        """The frames that are new since the last call, or a batch of them when there are many."""
        view = self.session.view
        frames: list[str] = []
        size = 0
        while self.seq < view.last_seq and size < BATCH_BYTES:
            page = self.session.read(self.seq)
            if not page:
                break  # deleted meanwhile
            for event, live in page:
                if live is not None and event.seq > self._joined:
                    frames += self._rest_of(live)
                    self._sent.pop(live, None)
                shown = [each.frame for each in self._filter.take(event)]
                frames += shown
                size += sum(map(len, shown))
                self.seq = event.seq
                if size >= BATCH_BYTES:
                    break
        if view.lives and self.seq == view.last_seq:
            frames += [frame for live in view.lives for frame in self._rest_of(live)]
            self._sent = {live: sent for live, sent in self._sent.items() if live in view.lives}
        if self._signal != self.session.signal_number and self.seq == view.last_seq:
            frames += self._new_signals()
        return frames

    def _new_signals(self) -> list[str]:
        since, self._signal = self._signal, self.session.signal_number
        signals = sorted(self.session.signals.values(), key=lambda signal: signal.number)
        new = [signal for signal in signals if signal.number > since and self._has(signal)]
        return [signal.frame for signal in new if signal.origin is None or signal.origin is not self._owner]

    def _has(self, signal: Signal) -> bool:
        return self._filter.has_progress or not signal.about.startswith("progress:")

    def _rest_of(self, live: Live) -> list[str]:
        if not self._filter.has_streams:
            return []
        count, offset = self._sent.get(live, (0, 0))
        texts = live.texts[count:]
        if not texts:
            return []
        text = "".join(texts)
        content = {
            "uuid": _uuid(),
            "message_id": live.message_id,
            "sender": live.sender,
            "offset": offset,
            "content": text,
            **live.about,
        }
        self._sent[live] = (count + len(texts), offset + len(text))
        return [events.live_frame("stream", content)]


def _uuid() -> str:
    """As random as a name must be, at a tenth of what uuid4 costs: there is one in every frame."""
    digits = f"{random.getrandbits(128):032x}"
    return f"{digits[:8]}-{digits[8:12]}-4{digits[13:16]}-8{digits[17:20]}-{digits[20:]}"
