"""A store in memory: the reference for the others, and the quick one for tests."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from dataclasses import dataclass, field, replace

from agentchat.errors import DuplicateMessage
from agentchat.events import Draft, Event, now
from agentchat.store import SessionRecord


@dataclass
class _Log:
    record: SessionRecord
    events: list[Event] = field(default_factory=list)
    keys: dict[str, Event] = field(default_factory=dict)
    memories: dict[int, str] = field(default_factory=dict)

    def turns(self, type: str) -> set[int]:
        return {event.turn for event in self.events if event.type == type}


class MemoryStore:
    """Keeps logs until it is gone."""

    def __init__(self) -> None:
        self._lock = threading.Lock()  # guards `_logs` and all in it
        self._logs: dict[str, _Log] = {}

    def create(self, session: SessionRecord) -> None:
        with self._lock:
            self._logs[session.id] = _Log(session)

    def session(self, session_id: str) -> SessionRecord | None:
        with self._lock:
            log = self._logs.get(session_id)
            if log is None:
                return None
            last_turn = max((event.turn for event in log.events), default=0)
            return replace(log.record, last_seq=len(log.events), last_turn=last_turn)

    def append(self, session_id: str, drafts: Sequence[Draft], memory: str | None = None) -> list[Event]:
        with self._lock:
            log = self._logs[session_id]
            for draft in drafts:
                if draft.key is not None and draft.key in log.keys:
                    raise DuplicateMessage(log.keys[draft.key])
            ts = now()
            first = len(log.events) + 1
            events = [Event(seq, ts, draft.turn, draft.type, draft.body) for seq, draft in enumerate(drafts, first)]
            log.events += events
            log.keys |= {d.key: e for d, e in zip(drafts, events, strict=True) if d.key is not None}
            if memory is not None:
                log.memories[drafts[-1].turn] = memory
            return events

    def read(self, session_id: str, after: int = 0, limit: int = 500) -> list[Event]:
        with self._lock:
            log = self._logs.get(session_id)
            return log.events[after : after + limit] if log else []

    def memories(self, session_id: str) -> list[str]:
        with self._lock:
            return [memory for _, memory in sorted(self._logs[session_id].memories.items())]

    def open_turns(self) -> list[tuple[str, int]]:
        with self._lock:
            return [
                (id, turn)
                for id, log in self._logs.items()
                for turn in sorted(log.turns("turn_started") - log.turns("turn_completed"))
            ]

    def unanswered(self, session_id: str) -> list[Event]:
        with self._lock:
            log = self._logs[session_id]
            begun = log.turns("turn_started") | log.turns("turn_completed")
            return [e for e in log.events if e.type == "user_message" and e.turn not in begun]

    def discard_empty(self, before: str) -> None:
        with self._lock:
            self._logs = {id: log for id, log in self._logs.items() if log.events or log.record.created >= before}

    def close(self) -> None:
        """Nothing is held."""
