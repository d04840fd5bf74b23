"""Logs in one SQLite file (WAL): one connection writes, another reads.

An event counts as written when its commit has reached the disk (`synchronous=FULL`). Appends that arrive while another
is being committed share the next commit, so many conversations at once cost few of them.
"""

from __future__ import annotations

import contextlib
import sqlite3
import threading
from collections import deque
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from agentchat.errors import DuplicateMessage, SettingsError, StoreError
from agentchat.events import Draft, Event, now
from agentchat.store import SessionRecord

BUSY_TIMEOUT = 10_000  # ms a statement waits for another process that reads the file, a backup for example

MIGRATIONS = [
    """
    CREATE TABLE sessions (
        id TEXT PRIMARY KEY, agent TEXT NOT NULL, created TEXT NOT NULL
    ) WITHOUT ROWID;
    CREATE TABLE events (
        session TEXT NOT NULL, seq INTEGER NOT NULL, ts TEXT NOT NULL, turn INTEGER NOT NULL,
        type TEXT NOT NULL, body TEXT NOT NULL, key TEXT,
        PRIMARY KEY (session, seq)
    ) WITHOUT ROWID;
    CREATE UNIQUE INDEX event_keys ON events (session, key) WHERE key IS NOT NULL;
    CREATE INDEX event_turns ON events (session, turn, type)
        WHERE type IN ('user_message', 'turn_started', 'turn_completed');
    CREATE TABLE memories (
        session TEXT NOT NULL, turn INTEGER NOT NULL, memory TEXT NOT NULL,
        PRIMARY KEY (session, turn)
    ) WITHOUT ROWID;
    """,
]

INSERT_EVENT = "INSERT INTO events (session, seq, ts, turn, type, body, key) VALUES (?, ?, ?, ?, ?, ?, ?)"
EVENT = "seq, ts, turn, type, body"


@dataclass
class _Append:
    """One append on its way to the disk."""

    session_id: str
    drafts: Sequence[Draft]
    memory: str | None
    events: list[Event] = field(default_factory=list)
    error: Exception | None = None
    is_done: bool = False


class SqliteStore:
    """Logs in the file `agentchat.db` of a folder that this process has for itself.

    Raises SettingsError when the folder cannot be used.
    """

    def __init__(self, folder: Path) -> None:
        with contextlib.ExitStack() as opened:
            try:
                folder.mkdir(parents=True, exist_ok=True)
                self._guard = opened.enter_context(contextlib.closing(_claim(folder / "agentchat.lock")))
                self._writer = opened.enter_context(contextlib.closing(_connect(folder / "agentchat.db")))
                self._reader = opened.enter_context(contextlib.closing(_connect(folder / "agentchat.db")))
                _migrate(self._writer)
            except (OSError, sqlite3.Error) as error:
                raise SettingsError(f"The data folder {folder} cannot be used: {error}.") from error
            self._opened = opened.pop_all()
        self._pending: deque[_Append] = deque()
        self._write_lock = threading.Lock()  # guards `_writer`
        self._read_lock = threading.Lock()  # guards `_reader`

    # Writing

    def create(self, session: SessionRecord) -> None:
        with self._transaction() as db:
            db.execute("INSERT INTO sessions VALUES (?, ?, ?)", (session.id, session.agent, session.created))

    def append(self, session_id: str, drafts: Sequence[Draft], memory: str | None = None) -> list[Event]:
        job = _Append(session_id, drafts, memory)
        self._pending.append(job)
        with self._write_lock:  # whoever gets here first commits for all that are waiting
            if not job.is_done:
                self._commit_pending()
        if job.error is not None:
            raise job.error
        return job.events

    def discard_empty(self, before: str) -> None:
        with self._transaction() as db:
            db.execute(
                "DELETE FROM sessions WHERE created < ?"
                " AND NOT EXISTS (SELECT 1 FROM events WHERE events.session = sessions.id)",
                (before,),
            )

    def _commit_pending(self) -> None:
        jobs = [self._pending.popleft() for _ in range(len(self._pending))]
        try:
            with _begin(self._writer) as db:
                for job in jobs:
                    _write(db, job)
        except sqlite3.Error as error:
            for job in jobs:
                job.error = StoreError()
                job.error.__cause__ = error
        for job in jobs:
            job.is_done = True

    @contextlib.contextmanager
    def _transaction(self) -> Iterator[sqlite3.Connection]:
        try:
            with self._write_lock, _begin(self._writer) as db:
                yield db
        except sqlite3.Error as error:
            raise StoreError from error

    # Reading

    def session(self, session_id: str) -> SessionRecord | None:
        rows = self._select(
            "SELECT id, agent, created,"
            " (SELECT coalesce(max(seq), 0) FROM events WHERE session = sessions.id),"
            " (SELECT coalesce(max(turn), 0) FROM events WHERE session = sessions.id"
            "  AND type IN ('user_message', 'turn_started', 'turn_completed'))"
            " FROM sessions WHERE id = ?",
            session_id,
        )
        return SessionRecord(*rows[0]) if rows else None

    def read(self, session_id: str, after: int = 0, limit: int = 500) -> list[Event]:
        rows = self._select(
            f"SELECT {EVENT} FROM events WHERE session = ? AND seq > ? ORDER BY seq LIMIT ?",
            session_id, after, limit,
        )  # fmt: skip
        return [Event(*row) for row in rows]

    def memories(self, session_id: str) -> list[str]:
        rows = self._select("SELECT memory FROM memories WHERE session = ? ORDER BY turn", session_id)
        return [memory for (memory,) in rows]

    def open_turns(self) -> list[tuple[str, int]]:
        return self._select(
            "SELECT session, turn FROM events AS begun WHERE type = 'turn_started'"
            " AND NOT EXISTS (SELECT 1 FROM events WHERE session = begun.session AND turn = begun.turn"
            "                 AND type = 'turn_completed') ORDER BY session, turn"
        )

    def unanswered(self, session_id: str) -> list[Event]:
        rows = self._select(
            f"SELECT {EVENT} FROM events AS asked WHERE session = ? AND type = 'user_message'"
            " AND NOT EXISTS (SELECT 1 FROM events WHERE session = asked.session AND turn = asked.turn"
            "                 AND type IN ('turn_started', 'turn_completed')) ORDER BY seq",
            session_id,
        )
        return [Event(*row) for row in rows]

    def _select(self, query: str, *parameters: object) -> list[Any]:
        try:
            with self._read_lock:
                return self._reader.execute(query, parameters).fetchall()
        except sqlite3.Error as error:
            raise StoreError from error

    def close(self) -> None:
        with self._write_lock, self._read_lock:
            self._opened.close()


def _claim(path: Path) -> sqlite3.Connection:
    """Hold `path` until the connection is closed or the process dies; a second server must not write to our log."""
    guard = sqlite3.connect(path, timeout=0, isolation_level=None, check_same_thread=False)
    try:
        guard.execute("BEGIN EXCLUSIVE")
    except sqlite3.OperationalError as error:
        guard.close()
        if "locked" in str(error):
            raise SettingsError(
                f"Another server uses the data folder {path.parent}. Stop it, or choose another with --data-dir."
            ) from error
        raise
    return guard


def _connect(path: Path) -> sqlite3.Connection:
    db = sqlite3.connect(path, isolation_level=None, check_same_thread=False)
    db.execute(f"PRAGMA busy_timeout = {BUSY_TIMEOUT}")
    db.execute("PRAGMA journal_mode = WAL")
    db.execute("PRAGMA synchronous = FULL")
    return db


def _migrate(db: sqlite3.Connection) -> None:
    (version,) = db.execute("PRAGMA user_version").fetchone()
    if version > len(MIGRATIONS):
        raise SettingsError("The data folder was written by a newer version of this server. Use that one.")
    for number, script in enumerate(MIGRATIONS[version:], version + 1):
        db.executescript(f"BEGIN; {script} PRAGMA user_version = {number}; COMMIT;")


@contextlib.contextmanager
def _begin(db: sqlite3.Connection) -> Iterator[sqlite3.Connection]:
    db.execute("BEGIN IMMEDIATE")
    try:
        yield db
        db.execute("COMMIT")
    except BaseException:
        if db.in_transaction:  # a failing disk may have rolled back by itself
            db.execute("ROLLBACK")
        raise


def _write(db: sqlite3.Connection, job: _Append) -> None:
    """Add one append to the transaction; what is wrong with it is its own error, not its neighbours'."""
    duplicate = _duplicate(db, job)
    if duplicate is not None:
        job.error = DuplicateMessage(duplicate)
        return
    (last,) = db.execute("SELECT max(seq) FROM events WHERE session = ?", (job.session_id,)).fetchone()
    if last is None and not _exists(db, job.session_id):
        job.error = KeyError(job.session_id)
        return
    ts = now()
    for seq, draft in enumerate(job.drafts, (last or 0) + 1):
        db.execute(INSERT_EVENT, (job.session_id, seq, ts, draft.turn, draft.type, draft.body, draft.key))
        job.events.append(Event(seq, ts, draft.turn, draft.type, draft.body))
    if job.memory is not None:
        turn = job.drafts[-1].turn
        db.execute("REPLACE INTO memories VALUES (?, ?, ?)", (job.session_id, turn, job.memory))


def _duplicate(db: sqlite3.Connection, job: _Append) -> Event | None:
    for draft in job.drafts:
        if draft.key is not None:
            query = f"SELECT {EVENT} FROM events WHERE session = ? AND key = ?"
            row = db.execute(query, (job.session_id, draft.key)).fetchone()
            if row is not None:
                return Event(*row)
    return None


def _exists(db: sqlite3.Connection, session_id: str) -> bool:
    return db.execute("SELECT 1 FROM sessions WHERE id = ?", (session_id,)).fetchone() is not None
