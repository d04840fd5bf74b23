"""The index of the documents: passages, terms and vectors in an SQLite database that can be rebuilt at any time."""

from __future__ import annotations

import contextlib
import json
import logging
import sqlite3
import threading
from array import array
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from agentchat.knowledge.chunking import Chunk
from agentchat.knowledge.words import Query, terms

log = logging.getLogger(__name__)

VERSION = 2  # raise it whenever documents are read, split or stored differently
BUSY_TIMEOUT = 10_000  # milliseconds
WEIGHTS = (2.0, 2.0, 1.0)  # of title, headings and text
SCHEMA = f"""
    CREATE TABLE sources (
        id TEXT PRIMARY KEY, type TEXT, signature TEXT, hash TEXT, title TEXT, size INTEGER, problem TEXT
    ) WITHOUT ROWID;
    CREATE TABLE chunks (
        number INTEGER PRIMARY KEY, source TEXT, headings TEXT, text TEXT, line INTEGER, page INTEGER, hash TEXT
    );
    CREATE INDEX chunks_of_source ON chunks (source);
    CREATE INDEX chunks_by_hash ON chunks (hash);
    CREATE VIRTUAL TABLE words USING fts5 (title, headings, text, tokenize = "porter");
    CREATE VIRTUAL TABLE trigrams USING fts5 (text, tokenize = "trigram");
    CREATE TABLE vectors (model TEXT, hash TEXT, vector BLOB, PRIMARY KEY (model, hash)) WITHOUT ROWID;
    PRAGMA user_version = {VERSION};
"""
AMONG = "(SELECT value FROM json_each(?))"


@dataclass(frozen=True)
class Source:
    """A document in the index."""

    id: str
    type: str
    signature: str
    hash: str
    title: str
    size: int
    problem: str
    """Why it cannot be searched; empty if it can."""


class Index:
    """The index database. Thread-safe; each call is atomic. A broken or outdated database is built again."""

    def __init__(self, path: Path) -> None:
        self._lock = threading.Lock()  # guards `_db`
        path.parent.mkdir(parents=True, exist_ok=True)
        try:
            self._db = _opened(path)
        except sqlite3.DatabaseError as error:
            if isinstance(error, sqlite3.OperationalError):  # not broken: a full disk, a read-only folder
                raise
            log.warning("The index %s is broken and is built again: %s", path, error)
            _remove(path)
            self._db = _opened(path)

    def close(self) -> None:
        with self._lock:
            self._db.close()

    # Contents

    def sources(self) -> dict[str, Source]:
        with self._using() as db:
            return {row[0]: Source(*row) for row in db.execute("SELECT * FROM sources")}

    def put(self, source: Source, chunks: Sequence[Chunk] = ()) -> None:
        """Store a source and its passages, replacing what it had."""
        title = _terms(f"{source.title} {source.id}")
        with self._writing() as db:
            _drop(db, source.id)
            db.execute("INSERT INTO sources VALUES (?, ?, ?, ?, ?, ?, ?)", tuple(vars(source).values()))
            for chunk in chunks:
                row = (source.id, json.dumps(chunk.headings), chunk.text, chunk.line, chunk.page, chunk.hash)
                number = db.execute(
                    "INSERT INTO chunks (source, headings, text, line, page, hash) VALUES (?, ?, ?, ?, ?, ?)", row
                ).lastrowid
                headings, text = _terms(" ".join(chunk.headings)), _terms(chunk.text)
                db.execute(
                    "INSERT INTO words (rowid, title, headings, text) VALUES (?, ?, ?, ?)",
                    (number, title, headings, text),
                )
                db.execute("INSERT INTO trigrams (rowid, text) VALUES (?, ?)", (number, f"{headings} {text}"))

    def touch(self, source_id: str, signature: str) -> None:
        """Store the new signature of a file whose content is unchanged."""
        with self._writing() as db:
            db.execute("UPDATE sources SET signature = ? WHERE id = ?", (signature, source_id))

    def remove(self, source_id: str) -> None:
        with self._writing() as db:
            _drop(db, source_id)

    # Search by words

    def by_words(self, query: Query, sources: Sequence[str], limit: int) -> list[int]:
        """Rank the passages of these sources by BM25 over their words."""
        weights = ", ".join(map(str, WEIGHTS))
        return [number for number, _ in self._ranked("words", weights, query.words, sources, limit)]

    def by_spelling(self, query: Query, sources: Sequence[str], limit: int) -> list[int]:
        """Rank the passages that have similar words, by BM25 over pieces of three letters."""
        rows = self._ranked("trigrams", "1.0", query.trigrams, sources, limit)
        return [number for number, text in rows if query.resembles(text)]

    def _ranked(
        self, table: str, weights: str, expression: str, sources: Sequence[str], limit: int
    ) -> list[tuple[int, str]]:
        if not expression:
            return []
        with self._using() as db:
            return db.execute(
                f"SELECT {table}.rowid, {table}.text FROM {table} JOIN chunks ON chunks.number = {table}.rowid"
                f" WHERE {table} MATCH ? AND source IN {AMONG}"
                f" ORDER BY bm25({table}, {weights}), number LIMIT ?",
                (expression, json.dumps(sources), limit),
            ).fetchall()

    def chunks(self, numbers: Sequence[int]) -> dict[int, tuple[str, Chunk]]:
        """Return passages by number, each with its source; those removed meanwhile are left out."""
        with self._using() as db:
            rows = db.execute(
                f"SELECT number, source, headings, text, line, page FROM chunks WHERE number IN {AMONG}",
                (json.dumps(numbers),),
            )
            return {
                number: (source, Chunk(tuple(json.loads(headings)), text, line, page))
                for number, source, headings, text, line, page in rows
            }

    # Search by meaning

    def hashes(self, sources: Sequence[str]) -> list[tuple[int, str]]:
        """Return the number and hash of each passage of these sources."""
        with self._using() as db:
            query = f"SELECT number, hash FROM chunks WHERE source IN {AMONG} ORDER BY number"
            return db.execute(query, (json.dumps(sources),)).fetchall()

    def without_vector(self, model: str, limit: int) -> list[tuple[str, int]]:
        """Return up to `limit` hashes without a vector, each with the number of a passage that has it."""
        with self._using() as db:
            query = (
                "SELECT hash, min(number) FROM chunks WHERE hash NOT IN (SELECT hash FROM vectors WHERE model = ?)"
                " GROUP BY hash ORDER BY min(number) LIMIT ?"
            )
            return db.execute(query, (model, limit)).fetchall()

    def count_without_vector(self, model: str) -> int:
        """Return how many passages have no vector."""
        with self._using() as db:
            query = "SELECT count(*) FROM chunks WHERE hash NOT IN (SELECT hash FROM vectors WHERE model = ?)"
            (count,) = db.execute(query, (model,)).fetchone()
            return int(count)

    def put_vectors(self, model: str, vectors: dict[str, array[float]]) -> None:
        rows = [(model, hash, vector.tobytes()) for hash, vector in vectors.items()]
        with self._writing() as db:
            db.executemany("INSERT OR REPLACE INTO vectors VALUES (?, ?, ?)", rows)

    def vectors(self, model: str, hashes: Sequence[str]) -> dict[str, array[float]]:
        with self._using() as db:
            query = f"SELECT hash, vector FROM vectors WHERE model = ? AND hash IN {AMONG}"
            return {hash: array("f", data) for hash, data in db.execute(query, (model, json.dumps(hashes)))}

    def drop_unused_vectors(self) -> None:
        """Drop the vectors of passages that no longer exist."""
        with self._writing() as db:
            db.execute("DELETE FROM vectors WHERE hash NOT IN (SELECT hash FROM chunks)")

    @contextlib.contextmanager
    def _using(self) -> Iterator[sqlite3.Connection]:
        with self._lock:
            yield self._db

    @contextlib.contextmanager
    def _writing(self) -> Iterator[sqlite3.Connection]:
        with self._lock:
            self._db.execute("BEGIN IMMEDIATE")
            try:
                yield self._db
                self._db.execute("COMMIT")
            except BaseException:
                if self._db.in_transaction:
                    self._db.execute("ROLLBACK")
                raise


def _opened(path: Path) -> sqlite3.Connection:
    db = sqlite3.connect(path, isolation_level=None, check_same_thread=False)
    try:
        db.execute(f"PRAGMA busy_timeout = {BUSY_TIMEOUT}")
        (version,) = db.execute("PRAGMA user_version").fetchone()
        is_new = db.execute("SELECT count(*) FROM sqlite_master").fetchone() == (0,)
        if not is_new and (version != VERSION or db.execute("PRAGMA quick_check").fetchone() != ("ok",)):
            db.close()
            _remove(path)
            return _opened(path)
        db.execute("PRAGMA journal_mode = WAL")
        db.execute("PRAGMA synchronous = NORMAL")
        if is_new:
            db.executescript(f"BEGIN; {SCHEMA} COMMIT;")
    except BaseException:
        db.close()
        raise
    return db


def _terms(text: str) -> str:
    return " ".join(terms(text))


def _remove(path: Path) -> None:
    for ending in ("", "-wal", "-shm", "-journal"):
        path.with_name(path.name + ending).unlink(missing_ok=True)


def _drop(db: sqlite3.Connection, source_id: str) -> None:
    for table in ("words", "trigrams"):
        db.execute(f"DELETE FROM {table} WHERE rowid IN (SELECT number FROM chunks WHERE source = ?)", (source_id,))
    db.execute("DELETE FROM chunks WHERE source = ?", (source_id,))
    db.execute("DELETE FROM sources WHERE id = ?", (source_id,))
