"""A session's log: appended to, followed, and read with cursors (cursor.py).

Everything is in the store before anybody sees it. Nobody waits for a reader: readers are woken, and read when they can.
"""

from __future__ import annotations

import functools
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

from agentchat.protocol import commands, events, handover, session_events
from agentchat.protocol.commands import Command
from agentchat.protocol.errors import ChatError
from agentchat.protocol.events import Draft, Event
from agentchat.protocol.redaction import Redaction
from agentchat.protocol.session_events import UserMessage
from agentchat.sessions.commands import once
from agentchat.sessions.cursor import LiveState, LogView, MessageStream
from agentchat.store import SessionRecord, Store

TAIL = 64  # newest events kept in memory for cursors that are nearly up to date; older ones are read from the store


class Log:
    """The events of one session, and the live states beside them."""

    def __init__(
        self,
        record: SessionRecord,
        store: Store,
        keys: Callable[[], frozenset[str]],
        held_changed: Callable[[], None] = lambda: None,
    ) -> None:
        """`keys` returns those that no session may hold; `held_changed` is called after each handover."""
        self.id = record.id
        self.store = store
        self.held = handover.state(store.read_types(record.id, {"handoff"})) if record.held else None
        """The handover in force; None while the agents have the session."""
        self.epoch = store.epoch
        """The epoch in which readers get events. See Store.reached."""
        self.redaction = Redaction(keys)
        """Keeps keys and passwords out of the session."""
        self.view = LogView(record.last_seq)
        self.states: Mapping[str, LiveState] = {}
        self.state_number = 0
        self.is_deleted = False
        self.keep: Callable[[], None] | None = None
        """Writes the session to the store, before its first event; None once it has been written. Raises ChatError."""
        self._record = record
        self._held_changed = held_changed
        self._append_lock = threading.Lock()  # guards `view`, `held` and the states; keeps them in the store's order
        self._follow_lock = threading.Lock()  # guards `_followers`
        self._followers: tuple[Callable[[], None], ...] = ()

    @property
    def record(self) -> SessionRecord | None:
        """The session as the store knows it, or will know it; None if it was deleted."""
        if self.is_deleted:
            return None
        return self.store.session(self.id) if self.is_kept else self._record

    @property
    def is_kept(self) -> bool:
        """True if the store knows the session."""
        return self.keep is None

    # Writing

    def append(
        self,
        drafts: Sequence[Draft],
        history: str | None = None,
        completes: Sequence[MessageStream] = (),
        check: Callable[[], None] | None = None,
        command: Command | None = None,
    ) -> list[Event]:
        """Store events, then show them. Raises StoreError, DuplicateMessage, DuplicateCommand, and what `check` raises.

        Nothing else is appended between `check` and the events. `completes` are the streams that they end. `command`
        is recorded with them.
        """
        with self._append_lock:
            if check is not None:
                check()
            if self.is_deleted:
                raise ChatError("session_deleted")
            self._keep()
            written = self.store.append(self.id, drafts, history, command)
            view = self.view
            ended = tuple(completes)
            tail = (*view.tail, *((event, ended) for event in written))[-TAIL:]
            streaming = tuple(message for message in view.streaming if message not in ended)
            self.view = LogView(written[-1].seq, tail, streaming)
            is_handed_over = any(draft.held is not None for draft in drafts)
            if is_handed_over:
                self.held = functools.reduce(handover.follow, written, self.held)
        self.wake()
        if is_handed_over:
            self._held_changed()
        return written

    def keep_session(self) -> None:
        """Write the session to the store, unless it is there. Raises ChatError."""
        with self._append_lock:
            if self.is_deleted:
                raise ChatError("session_deleted")
            self._keep()

    def _keep(self) -> None:
        assert self._append_lock.locked()
        if self.keep is not None:
            self.keep()
            self.keep = None

    def once(self, id: str | None, digest: str, act: Callable[[Command | None], Event], person: str = "") -> Event:
        """Carry out a command unless that id was; return its event. `act` appends it with the command.

        With a `person`, they may repeat it even if it has ended their access.
        """
        command = commands.command(self.id, id, digest, person=person)
        return once(self.store, command, lambda: act(command), self._recall)

    def set_streaming(self, messages: Sequence[MessageStream]) -> None:
        """Show these messages, and no others, as being written."""
        with self._append_lock:
            self.view = LogView(self.view.last_seq, self.view.tail, tuple(messages))

    def set_state(self, about: str, type: str, content: Mapping[str, Any], origin: object = None) -> None:
        """Tell all readers but `origin` the newest state of something that isn't in the log."""
        with self._append_lock:
            number = self.state_number + 1
            self.states = {**self.states, about: LiveState(number, about, events.live_frame(type, content), origin)}
            self.state_number = number
        self.wake()

    def clear_state(self, about: str) -> None:
        """Forget the state of something that is over."""
        with self._append_lock:
            self.states = {name: state for name, state in self.states.items() if name != about}

    def delete(self, command: Command | None = None) -> bool:
        """Delete the session from the store, then refuse further events and tell the readers.

        Returns False if it is gone already. Raises StoreError, and then nothing has changed.
        """
        with self._append_lock:
            if self.is_deleted:
                return False
            self.is_deleted = self.store.delete(self.id, command) or not self.is_kept
        self.wake()
        return self.is_deleted

    def take_out(self, user: str, from_store: Callable[[], None]) -> None:
        """Take a person's id out of the events, in memory and `from_store`."""
        with self._append_lock:
            from_store()
            tail = tuple((replace(event, body=event.body.replace(user, "")), ended) for event, ended in self.view.tail)
            self.view = LogView(self.view.last_seq, tail, self.view.streaming)

    # Reading

    def follow(self, wake: Callable[[], None]) -> None:
        """Call `wake` whenever there is something new, on the thread that caused it. It must not block."""
        with self._follow_lock:
            self._followers = (*self._followers, wake)

    def unfollow(self, wake: Callable[[], None]) -> None:
        """Stop calling `wake`."""
        with self._follow_lock:
            self._followers = tuple(follower for follower in self._followers if follower != wake)

    def read(self, after: int, limit: int = 500) -> Sequence[tuple[Event, Sequence[MessageStream]]]:
        """Return the events after `after` if all are in memory, else a page of them from the store."""
        tail = self.view.tail
        if tail and tail[0][0].seq <= after + 1:
            return tail[after + 1 - tail[0][0].seq :][:limit]
        return [(event, ()) for event in self.store.read(self.id, after, limit)]

    def has(self, seq: int, epoch: str) -> bool:
        """Return True if a client that has the events up to `seq`, which it got in that epoch, has those of the log.

        Without an epoch only the length of the log can tell.
        """
        if not 0 <= seq <= self.view.last_seq:
            return False
        if epoch in {"", self.epoch}:
            return True
        reached = self.store.reached(self.id, epoch)
        return reached is not None and seq <= reached

    def event(self, seq: int) -> Event | None:
        """Return the event with that `seq`, if there is one."""
        return next((event for event, _ in self.read(seq - 1, 1)), None) if seq > 0 else None

    def _recall(self, seq: str) -> Event:
        found = self.store.read(self.id, int(seq) - 1, 1)  # not `event`: perhaps it isn't shown yet
        if not found:
            raise ChatError("session_deleted")
        return found[0]

    def wake(self) -> None:
        """Call the followers."""
        for wake in self._followers:
            wake()

    @property
    def rewound(self) -> frozenset[int]:
        """The turns that no longer count, as the store knows them."""
        rewinds = self.store.read_types(self.id, {"rewind"})
        return frozenset(turn for event in rewinds for turn in event.content["turns"])

    # One turn

    def message(self, turn: int) -> UserMessage:
        """Return the message of a turn as it was last edited. Raises ChatError if the session was deleted."""
        versions = [event for event in self._begun(turn) if event.type == "user_message"]
        return session_events.user_message(versions[-1])

    def events_of(self, turn: int) -> Iterator[Event]:
        """Yield all events of a turn, oldest first. Reads the log from where the turn begins, all of it if need be."""
        bounds = self._bounds(turn)
        page = self.store.read(self.id, bounds[0].seq - 1 if bounds else 0)
        while page:
            for event in page:
                if event.turn == turn:
                    yield event
                    if event.type == "turn_completed":
                        return
            page = self.store.read(self.id, page[-1].seq)

    def has_started(self, turn: int) -> bool:
        """Return True once the agents began to answer that turn's message."""
        return any(event.type == "turn_started" for event in self._bounds(turn))

    def end(self, turn: int) -> Event | None:
        """Return the event that ended a turn, or None if it hasn't ended."""
        return next((event for event in self._bounds(turn) if event.type == "turn_completed"), None)

    def final_status(self, turn: int) -> str | None:
        """Return how a turn ended, or None if it hasn't."""
        end = self.end(turn)
        return str(end.content["status"]) if end is not None else None

    def first_seq(self, turn: int) -> int:
        """Return the `seq` of a turn's message. Raises ChatError if the session was deleted."""
        return self._begun(turn)[0].seq

    def _begun(self, turn: int) -> list[Event]:
        """Return the bounds of a turn that has been: none are there if the session is deleted just now."""
        if bounds := self._bounds(turn):
            return bounds
        raise ChatError("session_deleted")

    def _bounds(self, turn: int) -> list[Event]:
        return self.store.turn_bounds(self.id, turn)
