"""A session's log, as its readers see it: appended to, followed, and read with cursors (cursor.py).

Whatever happens is in the store before anybody sees it. Nobody waits for a reader: readers are woken, and read when
they can.
"""

from __future__ import annotations

import functools
import threading
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from agentchat.protocol import events, handover
from agentchat.protocol.errors import ChatError
from agentchat.protocol.events import Draft, Event
from agentchat.sessions.cursor import Live, Signal, View
from agentchat.store import SessionRecord, Store

TAIL = 64  # newest events kept in memory for cursors that are nearly up to date; older ones are read from the store
SECRET_CHARS = 4  # a shorter password cannot be kept out of texts without breaking them


class Log:
    """The events of one session. `redact` takes out what no session may hold."""

    def __init__(
        self,
        record: SessionRecord,
        store: Store,
        redact: Callable[[str], str],
        held_changed: Callable[[], None] = lambda: None,
    ) -> None:
        self.id = record.id
        self.store = store
        self.held = handover.state(store.read_types(record.id, {"handoff"})) if record.held else None
        """Who has the session, when that is not the agents."""
        self.view = View(record.last_seq)
        self.signals: Mapping[str, Signal] = {}
        self.signal_number = 0
        self.is_deleted = False
        self._redact = redact
        self._held_changed = held_changed
        self._secrets: frozenset[str] = frozenset()
        self._append_lock = threading.Lock()  # keeps `view` in the order of the store; guards it and the signals
        self._follow_lock = threading.Lock()  # guards what follows
        self._followers: tuple[Callable[[], None], ...] = ()

    # Writing

    def append(
        self,
        drafts: Sequence[Draft],
        history: str | None = None,
        completes: Live | None = None,
        check: Callable[[], None] | None = None,
    ) -> list[Event]:
        """Into the store, then for all to see. Raises StoreError, DuplicateMessage, and what `check` raises.

        Between `check` and the append nothing else is appended.
        """
        with self._append_lock:
            if check is not None:
                check()
            if self.is_deleted:
                raise ChatError("session_deleted")
            written = self.store.append(self.id, drafts, history)
            view = self.view
            tail = (*view.tail, *((event, completes) for event in written))[-TAIL:]
            lives = tuple(live for live in view.lives if live is not completes)
            self.view = View(written[-1].seq, tail, lives)
            is_handed_over = any(draft.held is not None for draft in drafts)
            if is_handed_over:
                self.held = functools.reduce(handover.follow, written, self.held)
        self.wake()
        if is_handed_over:
            self._held_changed()
        return written

    def show(self, lives: Sequence[Live]) -> None:
        """These messages are being written, and no others."""
        with self._append_lock:
            view = self.view
            self.view = View(view.last_seq, view.tail, tuple(lives))

    def redact(self, text: str) -> str:
        """The text without what must not be kept."""
        text = self._redact(text)
        for secret in self._secrets:
            text = text.replace(secret, "[password]")
        return text

    def hide(self, secret: str) -> None:
        """From now on this is such a thing."""
        if len(secret) >= SECRET_CHARS:
            self._secrets |= events.spellings(secret)

    def signal(self, about: str, type: str, content: Mapping[str, Any], origin: object = None) -> None:
        """Tell all readers but `origin` the newest state of something that is not in the log."""
        with self._append_lock:
            number = self.signal_number + 1
            self.signals = {**self.signals, about: Signal(number, about, events.live_frame(type, content), origin)}
            self.signal_number = number
        self.wake()

    def forget_signal(self, about: str) -> None:
        with self._append_lock:
            self.signals = {name: signal for name, signal in self.signals.items() if name != about}

    def delete(self) -> None:
        """The session is about to be gone from the store: nothing is appended any more, and its readers are told."""
        with self._append_lock:
            self.is_deleted = True
        self.wake()

    # Reading

    def follow(self, wake: Callable[[], None]) -> None:
        """Call `wake` whenever there is something new, from whatever thread made it so; it must not block."""
        with self._follow_lock:
            self._followers = (*self._followers, wake)

    def unfollow(self, wake: Callable[[], None]) -> None:
        with self._follow_lock:
            self._followers = tuple(follower for follower in self._followers if follower != wake)

    def read(self, after: int, limit: int = 500) -> Sequence[tuple[Event, Live | None]]:
        """Events behind `after`: from memory if they are all there, else a page of them from the store."""
        tail = self.view.tail
        if tail and tail[0][0].seq <= after + 1:
            return tail[after + 1 - tail[0][0].seq :][:limit]
        return [(event, None) for event in self.store.read(self.id, after, limit)]

    def wake(self) -> None:
        """There is something new to see."""
        for wake in self._followers:
            wake()

    @property
    def rewound(self) -> frozenset[int]:
        """The turns that no longer count."""
        rewinds = self.store.read_types(self.id, {"rewind"})
        return frozenset(turn for event in rewinds for turn in event.content["turns"])

    def milestones(self, turn: int) -> list[Event]:
        """Its message (each version of it), its start and its end."""
        return self.store.milestones(self.id, turn)
