"""Logs in one SQLite file (WAL): one connection writes, another reads, and a few search (search.py).

A change counts as made once its commit has reached the disk (`synchronous=FULL`). Changes that arrive while others are
being committed share the next commit, so that many conversations at once cost few commits; and while another process
keeps the file locked they share one wait, so that nobody queues for it.
"""

from __future__ import annotations

import contextlib
import functools
import json
import secrets
import sqlite3
import threading
import time
from collections import deque
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timezone
from pathlib import Path
from typing import Any, Generic, TypeVar, cast

from agentchat.measures import StoreMeasures
from agentchat.protocol import events
from agentchat.protocol.commands import Accepted, Command
from agentchat.protocol.errors import DuplicateCommand, DuplicateMessage, SettingsError, StoreError
from agentchat.protocol.events import Draft, Event, now
from agentchat.protocol.identity import UNNAMED, user_id
from agentchat.store import (
    COMMANDS_KEPT,
    INDEXED,
    MAX_COMMANDS_KEPT,
    PAGE_CHARS,
    SEARCH_PLACES,
    TITLE_CHARS,
    Found,
    Note,
    SessionRecord,
    failures,
    opening,
    search,
    usage,
)
from agentchat.store.reserve import Reserve
from agentchat.store.schema import MIGRATIONS
from agentchat.store.search import Searches
from agentchat.store.sharing import Sharing
from agentchat.store.traces import Traces
from agentchat.store.usage import Usage

BUSY_TIMEOUT = 5_000  # ms that a statement waits for another process that uses the file, such as a backup

DONE_LOOK = 0.1  # seconds between looks whether somebody else has committed a change, or failed to
CHECK_TIMEOUT = 500  # ms that a check waits for another process
SLOW_COMMIT = 10.0  # seconds after which a commit of this server counts as a failure of the disk
EPOCHS_KEPT = 10_000  # newest starts whose epochs are known
SEQ_BITS = 24  # a row of `words` has the number (session's number << 24) + seq; seq 0 is the title

# SQLite uses a partial index only for a query with the very condition of the index, and only when told to: it would
# rather read the whole log. These are the conditions of `event_turns` and `event_marks`.
TURN_BOUND = "type IN ('user_message', 'turn_started', 'turn_completed')"
IS_INDEXED = "type IN ('rewind', 'input_request', 'input_response', 'handoff', 'task_created', 'task_updated')"
TURNS = "INDEXED BY event_turns"
MARKS = "INDEXED BY event_marks"

EMPTY_WAL = "PRAGMA wal_checkpoint(TRUNCATE)"
INSERT_EVENT = "INSERT INTO events (session, seq, ts, turn, type, body, key) VALUES (?, ?, ?, ?, ?, ?, ?)"
EVENT = "seq, ts, turn, type, body"
ACCEPTED = "digest, result, person"
SESSION = (
    "id, agent, created, (SELECT coalesce(max(seq), 0) FROM events WHERE session = sessions.id),"
    " max((SELECT coalesce(max(turn), 0) FROM events WHERE session = sessions.id"
    f"      AND {TURN_BOUND}),"
    "     (SELECT coalesce(max(turn), 0) FROM memories WHERE session = sessions.id)),"
    f" coalesce(nullif(title, ''), (SELECT substr(coalesce(nullif(json_extract(body, '$.text'), ''),"
    f"   json_extract(body, '$.attachments[0].path'), ''), 1, {TITLE_CHARS}) FROM events"
    f"  {TURNS} WHERE session = sessions.id AND {TURN_BOUND} AND type = 'user_message' ORDER BY turn LIMIT 1), ''),"
    " updated, held,"
    f" (SELECT count(*) FROM (SELECT turn FROM events {TURNS}"
    f"   WHERE session = sessions.id AND {TURN_BOUND} AND type = 'user_message'"
    "   EXCEPT SELECT value FROM"  # the two names of `type` must not meet
    f"   (SELECT body AS rewind FROM events {MARKS} WHERE session = sessions.id AND {IS_INDEXED} AND type = 'rewind'),"
    "   json_each(rewind, '$.turns'))), folder, called"
)
IS_MEMBER = "user = ? AND (members.expires = '' OR members.expires > ?)"
MINE = f"(owner = ? OR id IN (SELECT session FROM members WHERE {IS_MEMBER}))"
UNANSWERED = (
    f"FROM events AS asked {TURNS} WHERE {TURN_BOUND} AND type = 'user_message' AND NOT EXISTS (SELECT 1 FROM events"
    f" {TURNS} WHERE session = asked.session AND turn = asked.turn AND {TURN_BOUND} AND type <> 'user_message')"
)


Result = TypeVar("Result")


@dataclass
class _Change(Generic[Result]):
    """One change on its way to the disk."""

    make: Callable[[sqlite3.Connection], Result]
    """Makes the change in a transaction, perhaps more than once. It raises REFUSALS before it has changed anything."""
    result: Result | None = None
    error: Exception | None = field(default_factory=StoreError)  # until it is made
    is_done: bool = False

    def outcome(self) -> Result:
        """Return the result, or raise the error."""
        if self.error is not None:
            raise self.error
        return cast(Result, self.result)


REFUSALS = (DuplicateCommand, DuplicateMessage, KeyError)


class SqliteStore:
    """Keeps logs in the file `agentchat.db` of a folder, which no other server may use meanwhile.

    Raises SettingsError if the folder cannot be used.
    """

    def __init__(self, folder: Path, search_timeout: float = 3.0, may_be_new: bool = True) -> None:
        """`search_timeout` is in seconds. Unless it `may_be_new`, a folder without a database cannot be used."""
        with contextlib.ExitStack() as opened:
            try:
                folder.mkdir(parents=True, exist_ok=True)
                opened.enter_context(contextlib.closing(opening.claim(folder / opening.LOCK)))
                connect = functools.partial(opening.connect, folder / opening.DATABASE, BUSY_TIMEOUT)
                self._writer = opened.enter_context(contextlib.closing(connect()))
                opening.migrate(self._writer, folder, MIGRATIONS, may_be_new)
                self.epoch = secrets.token_hex(8)
                self._writer.execute("PRAGMA secure_delete = ON")  # nothing of what is deleted stays in free pages
                self._start = _begin_epoch(self._writer, self.epoch)
                checker = opening.connect(folder / opening.DATABASE, CHECK_TIMEOUT)
                self._checker = opened.enter_context(contextlib.closing(checker))
                self._reader = opened.enter_context(contextlib.closing(connect()))
                self._searches = opened.enter_context(contextlib.closing(Searches(connect, search_timeout)))
            except (OSError, sqlite3.Error) as error:
                raise SettingsError(f"The data folder {folder} cannot be used: {failures.advice(error)}.") from error
            self._opened = opened.pop_all()
        self.measures = StoreMeasures()
        self.sharing = Sharing(self._write, self._remove, self._select)
        self.usage = Usage(self._select)
        self.traces = Traces(self._write, self._remove, self._select)
        names = (opening.LOCK, opening.DATABASE, f"{opening.DATABASE}-wal")
        self._files = opening.OpenFiles(*(folder / name for name in names))
        self._reserve = Reserve(folder / "agentchat.reserve")
        self._check_lock = threading.Lock()  # guards `_checker`
        self._commit_begun: float | None = None  # when the commit that is being made began
        self._committed = 0.0  # when the newest commit ended
        self._has_failed = False  # True after a commit that failed, until one that did not
        self._is_damaged = False  # True once SQLite has said so
        self._pending: deque[_Change[Any]] = deque()
        self._write_lock = threading.Lock()  # guards `_writer`, and taking from `_pending`
        self._read_lock = threading.Lock()  # guards `_reader`

    # Writing

    def create(self, session: SessionRecord, owner: str = "", command: Command | None = None) -> None:
        self._write(lambda db: _create(db, session, owner, command))

    def delete(self, session_id: str, command: Command | None = None) -> bool:
        return self._remove(lambda db: _delete(db, session_id, command))

    def append(
        self, session_id: str, drafts: Sequence[Draft], history: str | None = None, command: Command | None = None
    ) -> list[Event]:
        searchable = [draft.searchable for draft in drafts]  # made before any lock is taken
        with self.measures.append():
            return self._write(lambda db: _append(db, self._start, session_id, drafts, searchable, history, command))

    def accept(self, command: Command) -> None:
        self._write(lambda db: _accept_in_session(db, command))

    def discard_empty(self, before: str) -> None:
        self._remove(lambda db: _discard_empty(db, before))

    def note(self, user: str, key: str, value: str, session_id: str | None = None) -> None:
        def note(db: sqlite3.Connection) -> None:
            if session_id is not None and _numbers(db, session_id) is None:
                raise KeyError(session_id)
            db.execute("REPLACE INTO notes VALUES (?, ?, ?, ?)", (user, key, value, now()))

        self._write(note)

    def forget(self, user: str, key: str | None = None, command: Command | None = None) -> int:
        return self._remove(lambda db: _forget(db, user, key, command))

    def wipe(self) -> None:
        """Empty the write-ahead log, in which deleted words are still written. Raises StoreError."""
        try:
            with self._write_lock:
                self._writer.execute(EMPTY_WAL)
        except sqlite3.Error as error:
            raise self._noted(error) from error

    def _remove(self, make: Callable[[sqlite3.Connection], Result]) -> Result:
        """Make a change that removes something, also on a full disk."""
        try:
            return self._write(make)
        except StoreError as error:
            if error.code != "store_failed":
                raise
        change = _Change(make)
        with self._write_lock:
            self._reserve.give_up()
            try:
                self._writer.execute(EMPTY_WAL)  # what it holds goes into the room of the reserve
                self._pending.appendleft(change)
                self._commit_pending()
                self._writer.execute(EMPTY_WAL)
            except sqlite3.Error as error:
                raise self._noted(error) from error
            finally:
                self._reserve.keep()
        return change.outcome()

    def _write(self, make: Callable[[sqlite3.Connection], Result]) -> Result:
        """Make a change, alone or together with others; durable on return."""
        change = _Change(make)
        self._pending.append(change)
        while not change.is_done:
            if self._write_lock.acquire(timeout=DONE_LOOK):  # whoever gets it first commits for all that are waiting
                try:
                    if not change.is_done:
                        self._commit_pending()
                finally:
                    self._write_lock.release()
        return change.outcome()

    def _commit_pending(self) -> None:
        """Commit all changes that wait, or that come while another process keeps the file locked."""
        assert self._write_lock.locked()
        changes: list[_Change[Any]] = []
        is_committed = False
        while not is_committed:
            is_committed = self._commit(changes)
        for change in changes:
            change.is_done = True

    def _commit(self, changes: list[_Change[Any]]) -> bool:
        """Commit these changes and, once the file can be written, all that wait by then; or none, with its error.

        Returns False after taking out a change that fails in itself: the others are committed without it.
        """
        assert self._write_lock.locked()
        try:
            self._writer.execute("BEGIN IMMEDIATE")
        except sqlite3.Error as error:
            return self._refuse(changes, error)
        change: _Change[Any] | None = None
        self._commit_begun = time.monotonic()
        changes += self._waiting()
        try:
            for change in changes:
                _make(change, self._writer)
            change = None
            self._files.check()  # before the commit: nothing is acknowledged that goes into a removed file
            self._writer.execute("COMMIT")
        except BaseException as error:  # raised again by the writes it belongs to
            if self._writer.in_transaction:  # SQLite may have rolled back by itself when the disk failed
                self._writer.execute("ROLLBACK")
            if not isinstance(error, Exception):
                raise
            if change is None or failures.is_of_storage(error):
                return self._refuse(changes, error)
            changes.remove(change)
            change.error, change.is_done = self._noted(error), True
            return False
        finally:
            self._commit_begun = None
        self._has_failed = False
        self._committed = time.monotonic()
        return True

    def _refuse(self, changes: list[_Change[Any]], error: Exception) -> bool:
        """Give all these changes, and those that wait by now, the same error."""
        self._has_failed = True
        changes += self._waiting()
        for change in changes:
            change.error = self._noted(error)
        return True

    def _waiting(self) -> list[_Change[Any]]:
        """Take all changes that wait."""
        assert self._write_lock.locked()
        return [self._pending.popleft() for _ in range(len(self._pending))]

    # Reading

    def session(self, session_id: str) -> SessionRecord | None:
        rows = self._select(f"SELECT {SESSION} FROM sessions WHERE id = ?", session_id)
        return SessionRecord(*rows[0]) if rows else None

    def read(self, session_id: str, after: int = 0, limit: int = 500) -> list[Event]:
        query = f"SELECT {EVENT} FROM events WHERE session = ? AND seq > ? ORDER BY seq LIMIT ?"
        page: list[Event] = []
        chars = 0
        try:
            with self._read_lock, contextlib.closing(self._reader.execute(query, (session_id, after, limit))) as rows:
                for row in rows:
                    page.append(event := Event(*row))
                    chars += len(event.body)
                    if chars >= PAGE_CHARS:
                        break
        except sqlite3.Error as error:
            raise self._noted(error) from error
        return page

    def reached(self, session_id: str, epoch: str) -> int | None:
        rows = self._select(
            "SELECT coalesce("
            " (SELECT first_seq - 1 FROM session_starts WHERE session = ? AND start > number ORDER BY start LIMIT 1),"
            " (SELECT max(seq) FROM events WHERE session = ?), 0) FROM starts WHERE epoch = ?",
            session_id, session_id, epoch,
        )  # fmt: skip
        return rows[0][0] if rows else None

    def read_types(self, session_id: str, types: Collection[str]) -> list[Event]:
        listed = ", ".join("?" * len(types))
        index, condition = (MARKS, IS_INDEXED) if INDEXED.issuperset(types) else ("", "true")
        rows = self._select(
            f"SELECT {EVENT} FROM events {index} WHERE session = ? AND {condition} AND type IN ({listed}) ORDER BY seq",
            session_id, *types,
        )  # fmt: skip
        return [Event(*row) for row in rows]

    def histories(self, session_id: str) -> dict[int, str]:
        return dict(self._select("SELECT turn, memory FROM memories WHERE session = ? ORDER BY turn", session_id))

    def history(self, session_id: str, turn: int) -> str | None:
        rows = self._select("SELECT memory FROM memories WHERE session = ? AND turn = ?", session_id, turn)
        return rows[0][0] if rows else None

    def open_turns(self) -> list[tuple[str, int]]:
        return self._select(
            f"SELECT session, turn FROM events AS begun {TURNS} WHERE {TURN_BOUND} AND type = 'turn_started'"
            f" AND NOT EXISTS (SELECT 1 FROM events {TURNS} WHERE session = begun.session AND turn = begun.turn"
            f"                 AND {TURN_BOUND} AND type = 'turn_completed') ORDER BY session, turn"
        )

    def unanswered(self, session_id: str) -> list[Event]:
        query = f"SELECT {EVENT} {UNANSWERED} AND session = ? ORDER BY seq"
        return [Event(*row) for row in self._select(query, session_id)]

    def turn_bounds(self, session_id: str, turn: int) -> list[Event]:
        query = f"SELECT {EVENT} FROM events {TURNS} WHERE session = ? AND turn = ? AND {TURN_BOUND} ORDER BY seq"
        return [Event(*row) for row in self._select(query, session_id, turn)]

    def keyed(self, session_id: str, key: str) -> Event | None:
        rows = self._select(f"SELECT {EVENT} FROM events WHERE session = ? AND key = ?", session_id, key)
        return Event(*rows[0]) if rows else None

    def accepted(self, scope: str, id: str) -> Accepted | None:
        rows = self._select(f"SELECT {ACCEPTED} FROM commands WHERE scope = ? AND id = ?", scope, id)
        return Accepted(*rows[0]) if rows else None

    def sessions_unanswered(self) -> list[str]:
        rows = self._select(f"SELECT DISTINCT session {UNANSWERED}")
        return [id for (id,) in rows]

    def find(self, words: str, before: tuple[str, str] | None, limit: int, person: str | None = None) -> list[Found]:
        updated, id = before or ("~", "")  # "~" sorts behind every time
        mine, person_values = ("true", ()) if person is None else (MINE, (person, person, now()))
        expression = search.match(words)
        if expression:
            return self._search(expression, words, (updated, id), limit, mine, person_values)
        if words:
            return []
        query = (
            f"SELECT {SESSION} FROM sessions WHERE {mine} AND (updated, id) < (?, ?)"
            " ORDER BY updated DESC, id DESC LIMIT ?"
        )
        return [Found(SessionRecord(*row)) for row in self._select(query, *person_values, updated, id, limit)]

    def _search(
        self,
        expression: str,
        words: str,
        before: tuple[str, str],
        limit: int,
        mine: str,
        person_values: tuple[str, ...],
    ) -> list[Found]:
        # The index is asked once: for the beginning of a word it has to merge the rows of all words that begin so.
        hits: dict[int, list[int]] = {}  # by session's number, its first rows of `words`
        try:
            with self._searches.begin() as running:
                query = "SELECT rowid FROM words WHERE words MATCH ? ORDER BY rowid"
                for (row,) in running.db.execute(query, (expression,)):
                    places = hits.setdefault(row >> SEQ_BITS, [])
                    if len(places) < SEARCH_PLACES:
                        places.append(row)
                found = running.db.execute(
                    f"SELECT number, {SESSION} FROM sessions WHERE number IN (SELECT number FROM sessions"
                    f"  WHERE number IN (SELECT value FROM json_each(?)) AND {mine} AND (updated, id) < (?, ?)"
                    "  ORDER BY updated DESC, id DESC LIMIT ?) ORDER BY updated DESC, id DESC",
                    (json.dumps(list(hits)), *person_values, *before, limit),
                ).fetchall()
                return [Found(SessionRecord(*row), _places(running, hits[number], words)) for number, *row in found]
        except sqlite3.Error as error:
            raise self._noted(error) from error

    def held(self) -> list[SessionRecord]:
        return [
            SessionRecord(*row)
            for row in self._select(f"SELECT {SESSION} FROM sessions WHERE held <> '' OR asks <> ''")
        ]

    def notes(self, user: str) -> list[Note]:
        return [Note(*row) for row in self._select("SELECT key, value, updated FROM notes WHERE user = ?", user)]

    def newest(self) -> str:
        [(time,)] = self._select("SELECT coalesce(max(updated), '') FROM sessions")
        return str(time)

    def count(self, before: str = "~") -> int:
        [(number,)] = self._select("SELECT count(*) FROM sessions WHERE updated < ?", before)
        return int(number)

    def owned(self, owner: str) -> int:
        [(number,)] = self._select("SELECT count(*) FROM sessions WHERE owner = ? AND owner <> ''", owner)
        return int(number)

    def in_folder(self, folder: str, called: str = "") -> list[str]:
        query = "SELECT id FROM sessions WHERE folder = ? AND folder <> '' AND ? IN ('', called) ORDER BY number"
        return [id for (id,) in self._select(query, folder, called)]

    def owner(self, session_id: str) -> str:
        return next((owner for (owner,) in self._select("SELECT owner FROM sessions WHERE id = ?", session_id)), "")

    def expired(self, before: str, limit: int) -> list[str]:
        query = "SELECT id FROM sessions WHERE updated < ? ORDER BY updated, id LIMIT ?"
        return [id for (id,) in self._select(query, before, limit)]

    def _select(self, query: str, *parameters: object) -> list[Any]:
        try:
            with self._read_lock:
                return self._reader.execute(query, parameters).fetchall()
        except sqlite3.Error as error:
            raise self._noted(error) from error

    def _noted(self, error: Exception) -> Exception:
        """Return the error for whoever called, and remember that the database is damaged if it says so."""
        told = failures.told(error)
        if isinstance(told, StoreError):
            self.measures.errors.add(told.code)
        self._is_damaged |= isinstance(told, StoreError) and told.code == "store_damaged"
        return told

    def check(self) -> None:
        self._files.check()
        if self._is_damaged:
            raise StoreError("store_damaged")
        start = time.monotonic()
        try:
            with self._check_lock:
                self._try_to_write()
        except sqlite3.Error as error:
            told = self._noted(error)
            is_locked = isinstance(told, StoreError) and told.code == "store_locked"
            if not (is_locked and self._has_committed(start)):
                raise told from error

    def _has_committed(self, since: float) -> bool:
        """Return True if it is this server's own commits that keep the database locked."""
        begun = self._commit_begun
        return self._committed >= since or (begun is not None and time.monotonic() - begun < SLOW_COMMIT)

    def _try_to_write(self) -> None:
        """Make a change that changes nothing, and take it back; or commit it if the last commit failed."""
        assert self._check_lock.locked()
        self._checker.execute("BEGIN IMMEDIATE")
        try:
            self._checker.execute("UPDATE starts SET epoch = epoch WHERE number = ?", (self._start,))
            if self._has_failed:
                self._checker.execute("COMMIT")
                self._has_failed = False
        finally:
            if self._checker.in_transaction:
                self._checker.execute("ROLLBACK")

    def close(self) -> None:
        with self._write_lock, self._read_lock, self._check_lock:
            self._opened.close()


def _begin_epoch(db: sqlite3.Connection, epoch: str) -> int:
    """Begin an epoch, and return the number of this start."""
    db.execute("BEGIN IMMEDIATE")
    number = db.execute("INSERT INTO starts (epoch) VALUES (?)", (epoch,)).lastrowid
    assert number is not None
    db.execute("DELETE FROM starts WHERE number <= ?", (number - EPOCHS_KEPT,))
    db.execute("COMMIT")
    db.execute("PRAGMA wal_checkpoint")  # so that the file has a schema and this epoch whatever happens to the WAL
    return number


def _make(change: _Change[Any], db: sqlite3.Connection) -> None:
    change.result, change.error = None, None
    try:
        change.result = change.make(db)
    except REFUSALS as error:
        change.error = error


def _create(db: sqlite3.Connection, session: SessionRecord, owner: str, command: Command | None) -> None:
    _refuse_accepted(db, command)
    db.execute(
        "INSERT INTO sessions (id, agent, created, updated, owner, folder, called, number)"
        " VALUES (?, ?, ?, ?, ?, ?, ?, (SELECT coalesce(max(number), 0) + 1 FROM sessions))",
        (session.id, session.agent, session.created, session.created, owner, session.folder, session.called),
    )
    _accept_for_a_while(db, command)


def _discard_empty(db: sqlite3.Connection, before: str) -> None:
    condition = "created < ? AND NOT EXISTS (SELECT 1 FROM events WHERE events.session = sessions.id)"
    for table, column in (("commands", "scope"), ("members", "session"), ("invitations", "session")):
        db.execute(f"DELETE FROM {table} WHERE {column} IN (SELECT id FROM sessions WHERE {condition})", (before,))
    db.execute(f"DELETE FROM sessions WHERE {condition}", (before,))


def _forget(db: sqlite3.Connection, user: str, key: str | None, command: Command | None) -> int:
    _refuse_accepted(db, command)
    which = "user = ?" if key is None else "user = ? AND key = ?"
    parameters = (user,) if key is None else (user, key)
    count = db.execute(f"DELETE FROM notes WHERE {which}", parameters).rowcount
    if count:
        _accept_for_a_while(db, command)
    return count


def _delete(db: sqlite3.Connection, session_id: str, command: Command | None) -> bool:
    _refuse_accepted(db, command)
    row = _numbers(db, session_id)
    if row is None:
        return False
    number, _ = row
    db.execute("DELETE FROM words WHERE rowid BETWEEN ? AND ?", _rows(number))
    db.execute("DELETE FROM notes WHERE user = ?", (user_id(UNNAMED, "", session_id),))
    for table in ("memories", "events", "session_starts", "members", "invitations"):
        db.execute(f"DELETE FROM {table} WHERE session = ?", (session_id,))
    db.execute("DELETE FROM commands WHERE scope = ?", (session_id,))
    db.execute("DELETE FROM sessions WHERE id = ?", (session_id,))
    _accept_for_a_while(db, command)
    return True


def _append(
    db: sqlite3.Connection,
    start: int,
    session_id: str,
    drafts: Sequence[Draft],
    searchable: Sequence[str | None],
    history: str | None,
    command: Command | None,
) -> list[Event]:
    """Append drafts, each with the text by which it can be found. Raises REFUSALS."""
    _refuse_accepted(db, command)
    duplicate = _duplicate(db, session_id, drafts)
    if duplicate is not None:
        raise DuplicateMessage(duplicate)
    row = _numbers(db, session_id)
    if row is None:
        raise KeyError(session_id)
    number, last_start = row
    (last,) = db.execute("SELECT max(seq) FROM events WHERE session = ?", (session_id,)).fetchone()
    if last_start != start:
        db.execute("INSERT INTO session_starts VALUES (?, ?, ?)", (session_id, start, (last or 0) + 1))
    ts = now()
    written: list[Event] = []
    for seq, (draft, text) in enumerate(zip(drafts, searchable, strict=True), (last or 0) + 1):
        usage.count(db, session_id, draft, ts)
        db.execute(INSERT_EVENT, (session_id, seq, ts, draft.turn, draft.type, draft.body, draft.key))
        written.append(Event(seq, ts, draft.turn, draft.type, draft.body))
        if text is not None:
            db.execute("INSERT INTO words (rowid, text) VALUES (?, ?)", (_rows(number)[0] + seq, text))
        if (title := draft.title) is not None:
            db.execute("UPDATE sessions SET title = ? WHERE id = ?", (title, session_id))
            db.execute("REPLACE INTO words (rowid, text) VALUES (?, ?)", (_rows(number)[0], title))
        if (asks := draft.asks) is not None:
            db.execute("UPDATE sessions SET asks = ? WHERE id = ? AND asks <> ?", (asks, session_id, asks))
        if (held := draft.held) is not None:
            db.execute("UPDATE sessions SET held = ?, holder = ? WHERE id = ?", (held, draft.holder, session_id))
    db.execute("UPDATE sessions SET updated = ?, start = ? WHERE id = ?", (ts, start, session_id))
    if history is not None:
        db.execute("REPLACE INTO memories VALUES (?, ?, ?)", (session_id, drafts[-1].turn, history))
    if command is not None:
        _accept(db, command, str(written[-1].seq))
    return written


def _accept(db: sqlite3.Connection, command: Command, result: str = "", expires: str = "") -> None:
    """Record a command, until its session is deleted or the time `expires`. Raises DuplicateCommand."""
    _refuse_accepted(db, command)
    result = result if command.result is None else command.result
    row = (command.scope, command.id, command.digest, result, expires, command.person)
    db.execute("INSERT INTO commands (scope, id, digest, result, expires, person) VALUES (?, ?, ?, ?, ?, ?)", row)


def _accept_in_session(db: sqlite3.Connection, command: Command) -> None:
    """Record a command until its session is deleted, unless it is. Raises DuplicateCommand."""
    if _numbers(db, command.scope) is not None:
        _accept(db, command)


def _accept_for_a_while(db: sqlite3.Connection, command: Command | None) -> None:
    """Record a command that no session keeps, if there is one, and drop those that are too old or too many."""
    if command is None:
        return
    moment = datetime.now(timezone.utc)
    _accept(db, command, expires=events.time(moment + COMMANDS_KEPT))
    query = "SELECT expires FROM commands WHERE expires <> '' ORDER BY expires DESC LIMIT 1 OFFSET ?"
    surplus = db.execute(query, (MAX_COMMANDS_KEPT,)).fetchone()
    oldest = max(events.time(moment), surplus[0] if surplus else "")
    db.execute("DELETE FROM commands WHERE expires <> '' AND expires <= ?", (oldest,))


def _refuse_accepted(db: sqlite3.Connection, command: Command | None) -> None:
    """Raise DuplicateCommand if that command was recorded before. To be called before anything is changed."""
    if command is not None:
        query = f"SELECT {ACCEPTED} FROM commands WHERE scope = ? AND id = ?"
        row = db.execute(query, (command.scope, command.id)).fetchone()
        if row is not None:
            raise DuplicateCommand(Accepted(*row))


def _duplicate(db: sqlite3.Connection, session_id: str, drafts: Sequence[Draft]) -> Event | None:
    for draft in drafts:
        if draft.key is not None:
            query = f"SELECT {EVENT} FROM events WHERE session = ? AND key = ?"
            row = db.execute(query, (session_id, draft.key)).fetchone()
            if row is not None:
                return Event(*row)
    return None


def _numbers(db: sqlite3.Connection, session_id: str) -> tuple[int, int] | None:
    """Return the session's number, and that of the last start in which it got events."""
    row: tuple[int, int] | None
    row = db.execute("SELECT number, start FROM sessions WHERE id = ?", (session_id,)).fetchone()
    return row


def _rows(number: int) -> tuple[int, int]:
    """Return the first and the last row of a session in `words`."""
    return number << SEQ_BITS, ((number + 1) << SEQ_BITS) - 1


def _places(running: search.Search, rows: Sequence[int], words: str) -> list[tuple[int, str]]:
    """Return the place of each of these rows of `words`: its seq, and the text around the words."""
    places: list[tuple[int, str]] = []
    for row in rows:
        running.check()
        query = "SELECT substr(text, 1, ?) FROM words WHERE rowid = ?"
        for (text,) in running.db.execute(query, (search.TEXT_CHARS, row)):
            places.append((row & ((1 << SEQ_BITS) - 1), search.excerpt(text, words)))
    return places
