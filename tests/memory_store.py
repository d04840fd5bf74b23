"""A store in memory: the reference for the others, and fast for tests."""

from __future__ import annotations

import itertools
import re
import secrets
import threading
from collections.abc import Collection, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from agentchat.protocol.commands import Accepted, Command
from agentchat.protocol.errors import DuplicateCommand, DuplicateMessage
from agentchat.protocol.events import Draft, Event, now
from agentchat.protocol.identity import UNNAMED, user_id
from agentchat.store import PAGE_CHARS, SEARCH_PLACES, TITLE_CHARS, Found, Note, SessionRecord

TURN_BOUNDS = frozenset({"user_message", "turn_started", "turn_completed"})


@dataclass
class _Log:
    record: SessionRecord
    owner: str = ""
    events: list[Event] = field(default_factory=list)
    keys: dict[str, Event] = field(default_factory=dict)
    histories: dict[int, str] = field(default_factory=dict)
    drafts: list[Draft] = field(default_factory=list)
    words: dict[int, str] = field(default_factory=dict)  # by seq; 0 for the title

    @property
    def now(self) -> SessionRecord:
        last_turn = max((*self.histories, *(e.turn for e in self.events if e.type in TURN_BOUNDS)), default=0)
        held = next((h for d in reversed(self.drafts) if (h := d.held) is not None), "")
        updated = self.events[-1].ts if self.events else self.record.created
        said: Any = next((e.content for e in self.events if e.type == "user_message"), {"text": ""})
        named = [each["path"] for each in said.get("attachments", ())]
        first = (said["text"] or next(iter(named), ""))[:TITLE_CHARS]
        title = self.words.get(0) or first
        rewound = {turn for e in self.events if e.type == "rewind" for turn in e.content["turns"]}
        return replace(
            self.record,
            last_seq=len(self.events),
            last_turn=last_turn,
            title=title,
            updated=updated,
            held=held,
            messages=len(self.turns("user_message") - rewound),
        )

    @property
    def unanswered(self) -> list[Event]:
        begun = self.turns("turn_started") | self.turns("turn_completed")
        return [e for e in self.events if e.type == "user_message" and e.turn not in begun]

    def turns(self, type: str) -> set[int]:
        return {event.turn for event in self.events if event.type == type}


class MemoryStore:
    """A store that keeps logs as long as it lives."""

    def __init__(self) -> None:
        self.epoch = secrets.token_hex(8)
        self._lock = threading.Lock()  # guards the fields below
        self._logs: dict[str, _Log] = {}
        self._notes: dict[str, dict[str, Note]] = {}  # by user and key
        self._commands: dict[tuple[str, str], Accepted] = {}  # by scope and id

    def create(self, session: SessionRecord, owner: str = "", command: Command | None = None) -> None:
        with self._lock:
            self._accept(command)
            self._logs[session.id] = _Log(session, owner)

    def session(self, session_id: str) -> SessionRecord | None:
        with self._lock:
            log = self._logs.get(session_id)
            return log.now if log else None

    def append(
        self, session_id: str, drafts: Sequence[Draft], history: str | None = None, command: Command | None = None
    ) -> list[Event]:
        with self._lock:
            log = self._logs[session_id]
            self._check_new(command)
            for draft in drafts:
                if draft.key is not None and draft.key in log.keys:
                    raise DuplicateMessage(log.keys[draft.key])
            ts = now()
            first = len(log.events) + 1
            events = [Event(seq, ts, draft.turn, draft.type, draft.body) for seq, draft in enumerate(drafts, first)]
            log.events += events
            log.drafts += drafts
            log.keys |= {d.key: e for d, e in zip(drafts, events, strict=True) if d.key is not None}
            for draft, event in zip(drafts, events, strict=True):
                if draft.searchable is not None:
                    log.words[event.seq] = draft.searchable
                if draft.title is not None:
                    log.words[0] = draft.title
            if history is not None:
                log.histories[drafts[-1].turn] = history
            self._accept(command, str(events[-1].seq))
            return events

    def accept(self, command: Command) -> None:
        with self._lock:
            self._accept(command)

    def accepted(self, scope: str, id: str) -> Accepted | None:
        with self._lock:
            return self._commands.get((scope, id))

    def _check_new(self, command: Command | None) -> None:
        if command is not None and (accepted := self._commands.get((command.scope, command.id))) is not None:
            raise DuplicateCommand(accepted)

    def _accept(self, command: Command | None, result: str = "") -> None:
        self._check_new(command)
        if command is not None:
            result = result if command.result is None else command.result
            self._commands[command.scope, command.id] = Accepted(command.digest, result, command.person)

    def read(self, session_id: str, after: int = 0, limit: int = 500) -> list[Event]:
        with self._lock:
            log = self._logs.get(session_id)
            events = log.events[after : after + limit] if log else []
        before = itertools.accumulate((len(event.body) for event in events), initial=0)
        return [event for event, chars in zip(events, before, strict=False) if chars < PAGE_CHARS]

    def reached(self, session_id: str, epoch: str) -> int | None:
        with self._lock:
            log = self._logs.get(session_id)
            return (len(log.events) if log else 0) if epoch == self.epoch else None

    def read_types(self, session_id: str, types: Collection[str]) -> list[Event]:
        with self._lock:
            return [event for event in self._logs[session_id].events if event.type in types]

    def histories(self, session_id: str) -> dict[int, str]:
        with self._lock:
            return dict(sorted(self._logs[session_id].histories.items()))

    def history(self, session_id: str, turn: int) -> str | None:
        with self._lock:
            return self._logs[session_id].histories.get(turn)

    def open_turns(self) -> list[tuple[str, int]]:
        with self._lock:
            return [
                (id, turn)
                for id, log in self._logs.items()
                for turn in sorted(log.turns("turn_started") - log.turns("turn_completed"))
            ]

    def unanswered(self, session_id: str) -> list[Event]:
        with self._lock:
            return self._logs[session_id].unanswered

    def turn_bounds(self, session_id: str, turn: int) -> list[Event]:
        with self._lock:
            return [e for e in self._logs[session_id].events if e.turn == turn and e.type in TURN_BOUNDS]

    def keyed(self, session_id: str, key: str) -> Event | None:
        with self._lock:
            log = self._logs.get(session_id)
            return log.keys.get(key) if log else None

    def sessions_unanswered(self) -> list[str]:
        with self._lock:
            return [id for id, log in self._logs.items() if log.unanswered]

    def find(self, words: str, before: tuple[str, str] | None, limit: int, person: str | None = None) -> list[Found]:
        wanted = re.findall(r"\w+", words.lower())
        with self._lock:
            logs = sorted(self._logs.items(), key=lambda entry: (entry[1].now.updated, entry[0]), reverse=True)
            found: list[Found] = []
            for id, log in logs:
                if before is not None and (log.now.updated, id) >= before:
                    continue
                if person is not None and log.owner != person:
                    continue
                places = [(seq, text) for seq, text in log.words.items() if _has(text, wanted)] if wanted else []
                if places or not words:
                    found.append(Found(log.now, places[:SEARCH_PLACES]))
            return found[:limit]

    def delete(self, session_id: str, command: Command | None = None) -> bool:
        with self._lock:
            self._notes.pop(user_id(UNNAMED, "", session_id), None)
            if self._logs.pop(session_id, None) is None:
                return False
            self._commands = {key: known for key, known in self._commands.items() if key[0] != session_id}
            self._accept(command)
            return True

    def held(self) -> list[SessionRecord]:
        with self._lock:
            return [log.now for log in self._logs.values() if log.now.held]

    def note(self, user: str, key: str, value: str, session_id: str | None = None) -> None:
        with self._lock:
            if session_id is not None and session_id not in self._logs:
                raise KeyError(session_id)
            self._notes.setdefault(user, {})[key] = Note(key, value, now())

    def notes(self, user: str) -> list[Note]:
        with self._lock:
            return [note for _, note in sorted(self._notes.get(user, {}).items())]

    def forget(self, user: str, key: str | None = None, command: Command | None = None) -> int:
        with self._lock:
            known = self._notes.get(user, {})
            gone = [key] if key in known else [] if key is not None else list(known)
            if gone:
                self._accept(command)
            for each in gone:
                del known[each]
            return len(gone)

    def newest(self) -> str:
        with self._lock:
            return max((log.now.updated for log in self._logs.values()), default="")

    def count(self, before: str = "~") -> int:
        with self._lock:
            return sum(log.now.updated < before for log in self._logs.values())

    def owned(self, owner: str) -> int:
        with self._lock:
            return sum(log.owner == owner != "" for log in self._logs.values())

    def in_folder(self, folder: str, called: str = "") -> list[str]:
        with self._lock:
            records = [log.record for log in self._logs.values() if log.record.folder == folder != ""]
            return [record.id for record in records if called in {"", record.called}]

    def owner(self, session_id: str) -> str:
        with self._lock:
            log = self._logs.get(session_id)
            return log.owner if log else ""

    def expired(self, before: str, limit: int) -> list[str]:
        with self._lock:
            resting = sorted((log.now.updated, id) for id, log in self._logs.items() if log.now.updated < before)
            return [id for _, id in resting[:limit]]

    def discard_empty(self, before: str) -> None:
        with self._lock:
            self._logs = {id: log for id, log in self._logs.items() if log.events or log.record.created >= before}

    def check(self) -> None:
        """Do nothing: memory is always well."""

    def close(self) -> None:
        """Do nothing: there is nothing to close."""


def _has(text: str, wanted: Sequence[str]) -> bool:
    """Return True if all words are in the text, the last one as the beginning of a word."""
    words = re.findall(r"\w+", text.lower())
    return all(word in words for word in wanted[:-1]) and any(word.startswith(wanted[-1]) for word in words)
