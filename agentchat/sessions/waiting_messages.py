"""The messages that wait for their turns, in all sessions: how many, and of how many characters."""

from __future__ import annotations

import threading
from collections.abc import Iterable
from dataclasses import dataclass

from agentchat.protocol.errors import ChatError
from agentchat.protocol.identity import PEOPLE_PER_ADDRESS
from agentchat.protocol.session_events import UserMessage
from agentchat.sessions.rules import SessionRules

_ALL = "all"


@dataclass(frozen=True)
class _Size:
    """A number of messages, and of their characters."""

    messages: int = 0
    chars: int = 0

    def __add__(self, other: _Size) -> _Size:
        return _Size(self.messages + other.messages, self.chars + other.chars)

    def __sub__(self, other: _Size) -> _Size:
        return _Size(self.messages - other.messages, self.chars - other.chars)


class WaitingMessages:
    """Counts the messages that wait, in each session, of each person and address, and in all."""

    def __init__(self, rules: SessionRules) -> None:
        person = _Size(rules.waiting_messages_per_person, rules.waiting_chars_per_person)
        self._limits = {
            "session": (_Size(rules.waiting_messages, rules.waiting_chars), "in this conversation"),
            "person": (person, "of one person"),
            "address": (
                _Size(person.messages * PEOPLE_PER_ADDRESS, person.chars * PEOPLE_PER_ADDRESS), "from one address"
            ),
            _ALL: (_Size(rules.waiting_messages_in_all, rules.waiting_chars_in_all), "in all"),
        }  # fmt: skip
        self._lock = threading.Lock()  # guards what follows
        self._sessions: dict[str, list[tuple[list[str], int]]] = {}  # of each message: whose it is, and its characters
        self._sizes: dict[str, _Size] = {}

    def check(self, session_id: str, message: UserMessage, replaced: UserMessage | None = None) -> None:
        """Raise ChatError if the message may not wait, perhaps in the place of another."""
        more = _Size(1, len(message.text)) - (_Size(1, len(replaced.text)) if replaced is not None else _Size())
        with self._lock:
            for key in _keys(session_id, message):
                limit, where = self._limits[key.partition(" ")[0]]
                size = self._sizes.get(key, _Size()) + more
                if limit.messages and more.messages > 0 and size.messages > limit.messages:
                    raise ChatError("queue_full", limit=f"{limit.messages:,} messages {where}")
                if limit.chars and more.chars > 0 and size.chars > limit.chars:
                    raise ChatError("queue_full", limit=f"{limit.chars:,} characters {where}")

    def update(self, session_id: str, waiting: Iterable[UserMessage]) -> None:
        """Count these messages, and no others, as waiting in that session."""
        now = [(_keys(session_id, message), len(message.text)) for message in waiting]
        with self._lock:
            for keys, chars in self._sessions.pop(session_id, ()):
                for key in keys:
                    left = self._sizes.pop(key) - _Size(1, chars)
                    if left.messages:
                        self._sizes[key] = left
            for keys, chars in now:
                for key in keys:
                    self._sizes[key] = self._sizes.get(key, _Size()) + _Size(1, chars)
            if now:
                self._sessions[session_id] = now

    def __len__(self) -> int:
        """Return the number of all messages that wait."""
        with self._lock:
            return self._sizes.get(_ALL, _Size()).messages


def _keys(session_id: str, message: UserMessage) -> list[str]:
    """Return those for whom a message counts."""
    keys = [f"session {session_id}", f"person {message.user}"]
    return [*keys, *([f"address {message.address}"] if message.address else []), _ALL]
