"""`/healthz` and `/readyz`: what monitors and load balancers are told, while things fail for real."""

from __future__ import annotations

import contextlib
import socket
import sqlite3
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from agentchat.http.health import HealthRoutes
from agentchat.protocol.errors import ChatError, StoreError
from agentchat.store import SessionRecord
from agentchat.store.sqlite import SqliteStore
from tests.clients import PATIENCE
from tests.conftest import Serve
from tests.model_server import ModelServer
from tests.rest_client import RestClient
from tests.scripted_sessions import ScriptedServer
from tests.store_contract import CREATED, draft

DATABASE = "agentchat.db"
WITHIN = 5.0  # seconds; 1 on a machine that has nothing else to do


@contextlib.contextmanager
def locked(folder: Path) -> Iterator[None]:
    """Keep the database locked, as another program would."""
    with contextlib.closing(sqlite3.connect(folder / DATABASE, isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        yield


def told(rest: RestClient, path: str) -> str:
    """Return the status of a server that is well, or the code of what is not."""
    start = time.monotonic()
    answer = rest.get(path)
    assert time.monotonic() - start < WITHIN
    assert answer.status == (200 if "status" in answer.json else 503)
    return str(answer.json["status"]) if answer.status == 200 else answer.code


@pytest.mark.own_server
def test_any_name(serve: Serve, model: ModelServer) -> None:
    """Monitors may call the server by any name, such as that of its service; nobody else may."""
    rest, name = RestClient(serve(model=model)), {"Host": "chat.internal"}
    for path in ("/livez", "/healthz", "/readyz"):
        assert rest.ask("GET", path, headers=name).status == 200
        assert rest.ask("GET", path, headers={**name, "Origin": "http://chat.internal"}).code == "host_refused"
    assert rest.ask("GET", "/api/config", headers=name).code == "host_refused"


def test_health(serve: Serve, model: ModelServer, tmp_path: Path) -> None:
    """Monitors learn which part is not well, and that it is again."""
    rest, folder = RestClient(serve(model=model)), tmp_path / "data"

    def both() -> tuple[str, str]:
        return told(rest, "/healthz"), told(rest, "/readyz")

    assert both() == ("ok", "ready")
    with locked(folder):
        assert both() == ("store_locked", "store_locked")
        with ThreadPoolExecutor(8) as pool:  # who asks at the same time does not queue
            assert set(pool.map(lambda _: told(rest, "/healthz"), range(8))) == {"store_locked"}
    assert both() == ("ok", "ready")
    (folder / DATABASE).rename(folder / "aside")
    assert both() == ("store_removed", "store_removed")
    (folder / "aside").rename(folder / DATABASE)
    assert both() == ("ok", "ready")


@pytest.fixture
def store(tmp_path: Path) -> Iterator[SqliteStore]:
    with contextlib.closing(SqliteStore(tmp_path)) as store:
        store.create(SessionRecord("s", "weather", CREATED))
        yield store


def test_a_full_disk(store: SqliteStore) -> None:
    """After a write that failed, the store is well again as soon as something can be written, without a person."""
    for db in (store._writer, store._checker):
        (pages,) = db.execute("PRAGMA page_count").fetchone()
        db.execute(f"PRAGMA max_page_count = {pages}")
    store.check()
    with pytest.raises(StoreError):
        store.append("s", [draft(text="x" * 100_000)])
    store._checker.execute("CREATE TEMP TRIGGER full BEFORE UPDATE ON starts BEGIN SELECT raise(FAIL, 'full'); END")
    with pytest.raises(StoreError):
        store.check()
    store._checker.execute("DROP TRIGGER full")
    store.check()
    assert not store._has_failed


def test_its_own_commits_are_no_failure(store: SqliteStore) -> None:
    """While the server itself writes something long, the store is well."""
    entered, leave = threading.Event(), threading.Event()

    def write(db: sqlite3.Connection) -> None:
        db.execute("UPDATE sessions SET title = 'Long'")
        entered.set()
        leave.wait(PATIENCE)

    writing = threading.Thread(target=store._write, args=(write,))
    writing.start()
    assert entered.wait(PATIENCE)
    store.check()
    assert store._commit_begun is not None
    store._commit_begun -= 60  # as if it had begun a minute ago
    with pytest.raises(StoreError):
        store.check()
    leave.set()
    writing.join()
    store.check()


def test_a_damaged_database(store: SqliteStore, tmp_path: Path) -> None:
    """Once a damaged page was come upon, the server is not well until somebody looks at it."""
    store.append("s", [draft("text", content="x" * 50_000, message_id="m")])
    store.close()
    with (tmp_path / DATABASE).open("r+b") as file:
        size = file.seek(0, 2)
        file.seek(size - 3 * 4096)
        file.write(b"rubbish!" * 512 * 3)
    with contextlib.closing(SqliteStore(tmp_path)) as damaged:
        damaged.check()
        with pytest.raises(StoreError, match="damaged"):
            damaged.find("x", None, 10)
        with pytest.raises(StoreError, match="damaged"):
            damaged.check()


def test_the_websocket_port(store: SqliteStore) -> None:
    """A port that takes connections into its queue, but never out of it, is not well; nor is one that is closed."""
    sessions = ScriptedServer()
    try:
        with socket.create_server(("127.0.0.1", 0)) as silent:
            address = silent.getsockname()
            health = HealthRoutes(store, sessions.sessions, address)
            start = time.monotonic()
            assert health._look()[1] is not None
            assert time.monotonic() - start < WITHIN
        [store_problem, problem] = health._look()
        assert (store_problem, problem and problem.code) == (None, "websocket_down")
    finally:
        sessions.sessions.close(1)


def test_readiness_while_closing(store: SqliteStore) -> None:
    """A server that is about to end takes no new work, and says so."""
    sessions = ScriptedServer()
    with socket.create_server(("127.0.0.1", 0)) as silent:
        health = HealthRoutes(store, sessions.sessions, silent.getsockname())
        sessions.sessions.close(1)
        with pytest.raises(ChatError) as error:
            health.read_readiness(None)  # type: ignore[arg-type]  # looks at nothing in the call
        assert error.value.code == "closing"
