"""The SQLite store: the contract, and what only happens to files."""

from __future__ import annotations

import contextlib
import json
import sqlite3
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from agentchat.protocol.commands import Command
from agentchat.protocol.errors import SettingsError, StoreError
from agentchat.protocol.events import now
from agentchat.store import INDEXED, SessionRecord, Store, sqlite
from agentchat.store.schema import MIGRATIONS
from agentchat.store.sqlite import SqliteStore
from tests.clients import PATIENCE, wait_until
from tests.processes import ROOT
from tests.store_contract import CREATED, StoreContract, draft, found, said, titles

WRITER = """
import sys
from pathlib import Path
from agentchat.protocol.events import Draft
from agentchat.store.schema import MIGRATIONS
from agentchat.store.sqlite import SqliteStore
store = SqliteStore(Path(sys.argv[1]))
number = store.session("s").last_seq
while True:
    number += 1
    store.append("s", [Draft("text", "{}", 1, key=str(number))], history=str(number))
    print(number, flush=True)
"""


class TestSqliteStore(StoreContract):
    """The SQLite store fulfils the contract."""

    @pytest.fixture
    def store(self, tmp_path: Path) -> Iterator[Store]:
        store = SqliteStore(tmp_path)
        yield store
        store.close()


def open_store(folder: Path) -> SqliteStore:
    return SqliteStore(folder)


def test_what_was_appended_is_there_after_a_restart(tmp_path: Path) -> None:
    """Events are the same after closing and reopening the store."""
    first = open_store(tmp_path)
    first.create(SessionRecord("s", "weather", CREATED))
    appended = first.append("s", [draft("input_response", key="k")], history="m")
    first.close()
    second = open_store(tmp_path)

    assert second.read("s") == appended
    assert second.histories("s") == {1: "m"}
    second.close()


def test_an_acknowledged_event_survives_kill_9(tmp_path: Path) -> None:
    """Killing the writing process again and again loses no acknowledged event and leaves no gaps."""
    store = open_store(tmp_path)
    store.create(SessionRecord("s", "weather", CREATED))
    store.close()
    acknowledged = 0
    for _ in range(5):
        command = [sys.executable, "-c", WRITER, str(tmp_path)]
        with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True) as writer:
            assert writer.stdout is not None
            for _ in range(40):
                acknowledged = int(writer.stdout.readline())
            writer.kill()
        store = open_store(tmp_path)
        events = store.read("s", limit=100_000)
        assert [event.seq for event in events] == list(range(1, len(events) + 1))
        assert len(events) >= acknowledged
        assert store.histories("s") == {1: str(len(events))}
        store.close()
    with sqlite3.connect(tmp_path / "agentchat.db") as db:
        assert db.execute("PRAGMA integrity_check").fetchone() == ("ok",)
    db.close()


def test_a_second_server_on_the_same_folder_is_refused(tmp_path: Path) -> None:
    """A second server on the same folder is refused, since two writers would each number events on their own."""
    store = open_store(tmp_path)
    with pytest.raises(SettingsError, match="Another server uses the data folder"):
        open_store(tmp_path)
    store.close()
    open_store(tmp_path).close()


def test_a_folder_of_a_newer_version_is_refused(tmp_path: Path) -> None:
    """A folder of a newer version is refused, since this version may be unable to read it."""
    open_store(tmp_path).close()
    db = sqlite3.connect(tmp_path / "agentchat.db")
    db.execute(f"PRAGMA user_version = {len(MIGRATIONS) + 1}")
    db.close()
    with pytest.raises(SettingsError, match="newer version"):
        open_store(tmp_path)


def test_a_folder_that_cannot_be_used(tmp_path: Path) -> None:
    """An unusable folder is an error of one sentence that names it."""
    (tmp_path / "file").touch()
    with pytest.raises(SettingsError, match="cannot be used"):
        open_store(tmp_path / "file" / "data")


def test_a_store_that_fails_loses_no_event(tmp_path: Path) -> None:
    """While the file cannot grow, appends are refused as a whole; afterwards, numbering continues without loss."""
    store = open_store(tmp_path)
    store.create(SessionRecord("s", "weather", CREATED))
    store.append("s", [draft()])
    (pages,) = store._writer.execute("PRAGMA page_count").fetchone()
    store._writer.execute(f"PRAGMA max_page_count = {pages}")
    with pytest.raises(StoreError):
        store.append("s", [draft(), draft(text="x" * 100_000)])
    store._writer.execute("PRAGMA max_page_count = 1000000")

    assert [event.seq for event in store.append("s", [draft()])] == [2]
    store.close()


def test_a_folder_of_the_first_version_is_brought_up_to_date(tmp_path: Path) -> None:
    """A folder of the first version is upgraded: sessions from before titles and search are listed and found."""
    with contextlib.closing(sqlite3.connect(tmp_path / "agentchat.db")) as db:
        db.executescript(f"{MIGRATIONS[0]} PRAGMA user_version = 1")
        for number, id in enumerate("ba"):
            db.execute("INSERT INTO sessions VALUES (?, 'weather', ?)", (id, CREATED))
            rows = [
                (1, "user_message", {"text": f"Oslo {number}"}),
                (2, "text", {"content": "Oslo, an echo"}),
                (3, "text", {"content": "Oslo again", "message_id": "m"}),
            ]
            for seq, type, content in rows:
                db.execute(
                    "INSERT INTO events VALUES (?, ?, ?, 1, ?, ?, NULL)", (id, seq, CREATED, type, json.dumps(content))
                )
        db.commit()
    store = open_store(tmp_path)

    assert titles(store) == ["Oslo 0", "Oslo 1"]
    assert found(store, "oslo") == {"b": [1, 3], "a": [1, 3]}
    store.create(SessionRecord("c", "weather", CREATED))
    store.close()


def test_a_folder_of_the_second_version_is_brought_up_to_date(tmp_path: Path) -> None:
    """A folder of the second version is upgraded: its sessions are held by nobody and can be taken."""
    first = open_store(tmp_path)
    first.create(SessionRecord("s", "weather", CREATED))
    first.append("s", [said("Oslo", turn=1), draft("rewind", turn=2), draft("text", content="Rain", message_id="m")])
    first.append("s", [draft("input_request", turn=3)], history="m")
    before = (first.session("s"), first.read("s"), first.histories("s"))
    first.close()
    with contextlib.closing(sqlite3.connect(tmp_path / "agentchat.db")) as db, db:  # back to the second version
        db.executescript(f"""
            DROP TABLE starts; DROP TABLE session_starts; ALTER TABLE sessions DROP COLUMN start;
            DROP TABLE commands;
            DROP TABLE notes; DROP INDEX held_sessions; DROP INDEX event_marks; ALTER TABLE sessions DROP COLUMN held;
            DROP INDEX shared_folders; ALTER TABLE sessions DROP COLUMN folder; ALTER TABLE sessions DROP COLUMN called;
            DROP INDEX session_owners; ALTER TABLE sessions DROP COLUMN owner;
            DROP INDEX asking_sessions; ALTER TABLE sessions DROP COLUMN asks; ALTER TABLE sessions DROP COLUMN holder;
            DROP TABLE members; DROP TABLE invitations; DROP TABLE usage;
            {next(line for line in MIGRATIONS[1].split(";") if "event_marks" in line)};
            PRAGMA user_version = 2;
        """)
    with contextlib.closing(sqlite3.connect(tmp_path / "agentchat.db")) as db:
        written = {name for (name,) in db.execute("SELECT name FROM sqlite_master")}
    with contextlib.closing(sqlite3.connect(":memory:")) as db:
        db.executescript("".join(MIGRATIONS[:2]))
        assert written == {name for (name,) in db.execute("SELECT name FROM sqlite_master")}
    store = open_store(tmp_path)

    assert (store.session("s"), store.read("s"), store.histories("s")) == before
    assert [event.type for event in store.read_types("s", INDEXED)] == ["rewind", "input_request"]
    assert (store.held(), store.notes("a")) == ([], [])
    store.append("s", [draft("handoff", turn=0, kind="taken")])
    store.note("a", "x", "1")
    store.close()
    again = open_store(tmp_path)
    assert [(record.id, record.held) for record in again.held()] == [("s", "taken")]
    assert [note.value for note in again.notes("a")] == ["1"]
    again.close()


def test_nothing_reads_a_whole_log(tmp_path: Path) -> None:
    """No query reads a whole log: turns, hand-offs, tasks and other rare events are found by an index."""
    store = open_store(tmp_path)
    store.create(SessionRecord("s", "weather", CREATED))
    queries: list[str] = []
    store._reader.set_trace_callback(queries.append)
    for types in (INDEXED, {"handoff"}, {"task_created", "task_updated"}):
        store.read_types("s", types)
    store.turn_bounds("s", 1)
    store.open_turns()
    store.unanswered("s")
    store.sessions_unanswered()
    store.held()
    store.session("s")
    store.find("", None, 10)
    store._reader.set_trace_callback(None)
    for query in list(queries):
        steps = [row[3] for row in store._reader.execute(f"EXPLAIN QUERY PLAN {query}")]
        scans = [step for step in steps if step.startswith("SCAN") and not step.startswith("SCAN (subquery")]
        whole = [step for step in scans if "INDEX" not in step and "sessions" not in step]
        whole += [step for step in steps if step == "SEARCH events USING PRIMARY KEY (session=?)"]
        newest = query.count("max(seq)")  # is one step from the end
        assert len(whole) == newest, (query, steps)
    assert len(queries) == 10
    store.close()


def test_one_that_cannot_be_written_harms_no_other(tmp_path: Path) -> None:
    """An append that fails harms no other: appends share a commit, but each has its own error."""
    store = open_store(tmp_path)
    store.create(SessionRecord("s", "weather", CREATED))
    start = threading.Barrier(8)
    refused: list[Exception] = []

    def append(number: int) -> None:
        start.wait()
        for turn in range(20):
            try:
                store.append("s", [draft(turn=turn, number=number, key="\ud800" if number % 2 else None)])
            except UnicodeEncodeError as error:
                refused.append(error)

    threads = [threading.Thread(target=append, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    events = store.read("s", limit=1000)

    assert len(refused) == 80
    assert [event.seq for event in events] == list(range(1, 81))
    assert all(event.content["number"] % 2 == 0 for event in events)
    store.close()


def all_writes(store: SqliteStore) -> list[Callable[[], object]]:
    """Return one write of each kind, and some appends, for a session named s."""
    return [
        *(lambda number=number: store.create(SessionRecord(f"n{number}", "weather", CREATED)) for number in range(3)),
        *(lambda number=number: store.append("s", [draft(number=number)]) for number in range(3)),
        lambda: store.delete("old"),
        lambda: store.note("Ann", "city", "Oslo"),
        lambda: store.forget("Bob"),
        lambda: store.discard_empty(before="2026-01-01T00:00:00.000Z"),
    ]


def in_threads(calls: list[Callable[[], object]]) -> tuple[list[threading.Thread], list[Exception | None], list[float]]:
    """Start each call in a thread. Returns the threads, and for each call that has ended its error and its time."""
    errors: list[Exception | None] = []
    ends: list[float] = []

    def run(call: Callable[[], object]) -> None:
        error = None
        try:
            call()
        except Exception as raised:  # noqa: BLE001 - the test looks at it
            error = raised
        errors.append(error)
        ends.append(time.monotonic())

    threads = [threading.Thread(target=run, args=(call,)) for call in calls]
    for thread in threads:
        thread.start()
    return threads, errors, ends


def test_nobody_queues_for_a_busy_store(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """While another process keeps the file locked, all writes fail together, and reads go on at once."""
    monkeypatch.setattr(sqlite, "BUSY_TIMEOUT", 1000)
    with contextlib.closing(open_store(tmp_path)) as store:
        for id in ("s", "old"):
            store.create(SessionRecord(id, "weather", CREATED))
        with contextlib.closing(sqlite3.connect(tmp_path / "agentchat.db", isolation_level=None)) as other:
            other.execute("BEGIN IMMEDIATE")
            start = time.monotonic()
            threads, errors, ends = in_threads(all_writes(store))
            assert store.session("s") is not None
            assert store.find("", None, 10)
            assert time.monotonic() - start < 0.5
            for thread in threads:
                thread.join()
            assert all(isinstance(error, StoreError) for error in errors), errors
            assert max(ends) - start < 2.5
            other.execute("ROLLBACK")
        assert {found.session.id for found in store.find("", None, 10)} == {"s", "old"}
        assert (store.read("s"), store.notes("Ann")) == ([], [])
        assert [event.seq for event in store.append("s", [draft()])] == [1]


def test_a_refused_write_waits_for_no_other(tmp_path: Path) -> None:
    """Once a write has failed with others, it doesn't wait for the next ones, which wait for a busy store again."""
    with contextlib.closing(open_store(tmp_path)) as store:
        store.create(SessionRecord("s", "weather", CREATED))
        with store._write_lock:
            [thread], errors, _ = in_threads([lambda: store.append("s", [draft()])])
            wait_until(lambda: len(store._pending) == 1)
            refused: list[Any] = []
            store._refuse(refused, sqlite3.OperationalError("database is locked"))
            refused[0].is_done = True
            thread.join(PATIENCE)
            assert isinstance(errors[0], StoreError)


def test_a_store_that_was_busy_writes_all_that_waited(tmp_path: Path) -> None:
    """Once the other process lets go, all that waited is written at once, none of it twice."""
    with contextlib.closing(open_store(tmp_path)) as store:
        for id in ("s", "old"):
            store.create(SessionRecord(id, "weather", CREATED))
        with contextlib.closing(sqlite3.connect(tmp_path / "agentchat.db", isolation_level=None)) as other:
            other.execute("BEGIN IMMEDIATE")
            threads, errors, _ = in_threads(all_writes(store))
            wait_until(lambda: len(store._pending) == len(threads))
            other.execute("ROLLBACK")
            for thread in threads:
                thread.join()
        assert errors == [None] * len(threads)
        assert {found.session.id for found in store.find("", None, 10)} == {"s", "n0", "n1", "n2"}
        assert [event.seq for event in store.read("s")] == [1, 2, 3]
        assert [note.value for note in store.notes("Ann")] == ["Oslo"]


def test_a_change_that_fails_harms_no_other_kind(tmp_path: Path) -> None:
    """A session that exists already is an error of its caller, whatever is written with it."""
    with contextlib.closing(open_store(tmp_path)) as store:
        store.create(SessionRecord("s", "weather", CREATED))
        with contextlib.closing(sqlite3.connect(tmp_path / "agentchat.db", isolation_level=None)) as other:
            other.execute("BEGIN IMMEDIATE")
            again: Callable[[], object] = lambda: store.create(SessionRecord("s", "weather", CREATED))  # noqa: E731
            threads, errors, _ = in_threads([*all_writes(store), again, again])
            wait_until(lambda: len(store._pending) == len(threads))
            other.execute("ROLLBACK")
            for thread in threads:
                thread.join()
        assert sum(error is not None for error in errors) == 2
        assert [event.seq for event in store.read("s")] == [1, 2, 3]


def test_commands_that_no_session_keeps_are_few(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The newest of the commands that no session keeps are known, for a while."""
    monkeypatch.setattr(sqlite, "MAX_COMMANDS_KEPT", 3)
    with contextlib.closing(open_store(tmp_path)) as store:
        for number in range(6):
            record = SessionRecord(str(number), "weather", CREATED)
            store.create(record, command=Command("creator", f"c{number}", "digest", record.id))
            wait_for_the_next_millisecond()
        assert [store.accepted("creator", f"c{number}") is not None for number in range(6)] == [False] * 3 + [True] * 3
        monkeypatch.setattr(sqlite, "COMMANDS_KEPT", -timedelta(seconds=1))
        store.delete("5", Command("5", "d", "digest", ""))
        assert store.accepted("5", "d") is None


def wait_for_the_next_millisecond() -> None:
    moment = now()
    wait_until(lambda: now() > moment)
