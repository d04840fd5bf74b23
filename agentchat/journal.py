"""The journal of a turn: the answers it got from models, tools and people, with which it can be run again.

A turn that waits for a person's answer can outlive the server. Its agents don't: they are rebuilt and run again, and
everything they ask for is answered from the journal until they are back at the open question.
"""

from __future__ import annotations

import contextlib
import contextvars
from collections.abc import Iterator
from typing import Any

from agentchat.cancellation import Stopped
from agentchat.protocol.errors import ChatError

Entry = dict[str, Any]


class Journal:
    """The answers that a turn got, in order."""

    def __init__(self, entries: list[Entry] | None = None) -> None:
        """Replay `entries` first."""
        self._entries = list(entries or ())
        self.position = 0
        self.is_complete = True  # false once the turn got an answer that cannot be recorded
        self._held: list[object] = []  # the calls that hold the journal, the outer ones first

    @property
    def is_replaying(self) -> bool:
        """True until the turn is back where it was."""
        return self.position < len(self._entries)

    def replay(self, kind: str, what: str) -> Entry | None:
        """Return the entry that answers this, or None once the journal has ended.

        Raises Stopped if the turn asks for something other than before.
        """
        if not self.is_replaying:
            return None
        if not self.next_is(kind) or self._entries[self.position]["what"] != what:
            raise _lost()
        self.position += 1
        return self._entries[self.position - 1]

    def next_is(self, kind: str) -> bool:
        """Return True if the next entry to be replayed is of that kind."""
        return self.is_replaying and self._entries[self.position]["kind"] == kind

    def check_end(self) -> None:
        """Raise Stopped if the turn ended before it was back where it was."""
        if self.is_replaying:
            raise _lost()

    def record(self, kind: str, what: str, since: int | None = None, **answer: Any) -> Entry:
        """Add an entry, replacing all entries from `since` on. Callables in it are called when it is written."""
        if since is not None:
            del self._entries[since:]
        entry = {"kind": kind, "what": what, **answer}
        self._entries.append(entry)
        self.position = len(self._entries)
        return entry

    @contextlib.contextmanager
    def holding(self) -> Iterator[None]:
        """Note that a call that makes others is under way. Calls that cross have no order that could be replayed."""
        call = object()
        self._held.append(call)
        try:
            yield
        finally:
            if self._held[-1] is not call:
                self.is_complete = False
            self._held.remove(call)

    def entries(self) -> list[Entry] | None:
        """Return all entries as JSON values, or None if the turn cannot be run again from them."""
        if not self.is_complete:
            return None
        return [{name: value() if callable(value) else value for name, value in e.items()} for e in self._entries]


def _lost() -> Stopped:
    return Stopped("failed", ChatError("not_resumed"))  # AG2 would go on after an Exception in a tool


current: contextvars.ContextVar[Journal | None] = contextvars.ContextVar("journal", default=None)
