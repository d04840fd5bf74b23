"""What a turn was told by the world outside: models, tools, people. With it the turn can be run again.

A turn that waits for a person's answer may outlive the server. Its agents do not: they are built anew and run again,
and what they ask of the outside is answered from the journal until they stand at the open question.
"""

from __future__ import annotations

import contextvars
from typing import Any

from agentchat.cancellation import Stopped
from agentchat.protocol.errors import ChatError

Entry = dict[str, Any]


class Journal:
    """The answers that a turn got, in order; those that are given are replayed first."""

    def __init__(self, entries: list[Entry] | None = None) -> None:
        self._entries = list(entries or ())
        self.position = 0
        self.is_complete = True  # false once the turn was told something that cannot be written down

    @property
    def is_replaying(self) -> bool:
        """The turn is still on its way to the place where it was."""
        return self.position < len(self._entries)

    def replay(self, kind: str, what: str) -> Entry | None:
        """The entry that answers this, or None from where the journal ends.

        Raises Stopped when the turn asks for something else than it did before.
        """
        if not self.is_replaying:
            return None
        if not self.next_is(kind) or self._entries[self.position]["what"] != what:
            raise _lost()
        self.position += 1
        return self._entries[self.position - 1]

    def next_is(self, kind: str) -> bool:
        """The next entry to be replayed is of that kind."""
        return self.is_replaying and self._entries[self.position]["kind"] == kind

    def check_end(self) -> None:
        """Raises Stopped when the turn ended before it was back where it was."""
        if self.is_replaying:
            raise _lost()

    def record(self, kind: str, what: str, since: int | None = None, **answer: Any) -> Entry:
        """Add an entry, in place of all `since` that position. A callable is called when the journal is written."""
        if since is not None:
            del self._entries[since:]
        entry = {"kind": kind, "what": what, **answer}
        self._entries.append(entry)
        self.position = len(self._entries)
        return entry

    def entries(self) -> list[Entry] | None:
        """All of it as JSON values; None when the turn cannot be run again from it."""
        if not self.is_complete:
            return None
        return [{name: value() if callable(value) else value for name, value in e.items()} for e in self._entries]


def _lost() -> Stopped:
    return Stopped("failed", ChatError("not_resumed"))  # AG2 would go on after an Exception in a tool


current: contextvars.ContextVar[Journal | None] = contextvars.ContextVar("journal", default=None)
