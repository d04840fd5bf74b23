"""A client whose events were lost with a part of the log is told, however long the log has become since."""

from __future__ import annotations

import contextlib
import signal
import sqlite3
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
from playwright.sync_api import Page, expect

from agentchat.app import Running
from agentchat.store import SessionRecord
from agentchat.store.sqlite import EPOCHS_KEPT, SqliteStore
from tests.clients import ChatClient
from tests.conftest import Fork, Serve, config_list
from tests.faults.servers import ForkedServer
from tests.model_server import ModelServer
from tests.pages import answers, say, session_of
from tests.rest_client import Conversation, RestClient
from tests.store_contract import CREATED, draft

pytest_plugins = ["tests.browser"]

PORTS = ("--port", "0", "--ws-port", "0")
DATABASE = "agentchat.db"


def back_up(folder: Path) -> Path:
    """Copy the database of a running server as docs/settings.md says, and return the copy."""
    copy = folder.parent / "backup.db"
    with contextlib.closing(sqlite3.connect(folder / DATABASE)) as db, contextlib.closing(sqlite3.connect(copy)) as to:
        db.backup(to)
    return copy


def restore(copy: Path, folder: Path) -> None:
    for leftover in ("-wal", "-shm"):
        (folder / f"{DATABASE}{leftover}").unlink(missing_ok=True)
    (folder / DATABASE).write_bytes(copy.read_bytes())


def grow(server: Running | ForkedServer, session: str, seq: int) -> int:
    """Talk until the log has that event, and return its last seq."""
    conversation = Conversation(RestClient(server), session)
    while (last := int(conversation.get().json["last_seq"])) < seq:
        conversation.ask("hello")
    return last


def epoch_of(server: Running | ForkedServer, session: str) -> str:
    with ChatClient(server.websocket, session=session) as client:
        return str(client.confirmed()["epoch"])


def first_seqs(server: Running | ForkedServer, session: str, **query: Any) -> Iterator[tuple[bool, int | None]]:
    """Yield, for each protocol, whether a client that comes back was told `recovered`, and the first event it gets."""
    conversation = Conversation(RestClient(server), session)
    last = conversation.get().json["last_seq"]
    with ChatClient(server.websocket, session=session, **query) as client:
        confirmed = client.confirmed()
        is_current = confirmed["recovered"] and int(query["after"]) == last
        yield confirmed["recovered"], None if is_current else client.receive()["seq"]
    page = conversation.get("/events", **query).json
    yield page["recovered"], page["events"][0]["seq"] if page["events"] else None
    with conversation.stream(**query) as stream:
        recovered = stream.receive()["content"]["recovered"]
        yield recovered, None if is_current else stream.receive()["seq"]
    with conversation.stream() as stream:
        stream.headers["Last-Event-ID"] = "-".join(str(query[name]) for name in ("epoch", "after") if name in query)
    with stream:
        recovered = stream.receive()["content"]["recovered"]
        yield recovered, None if is_current else stream.receive()["seq"]


def came_back(server: Running | ForkedServer, session: str, **query: Any) -> tuple[bool, int | None]:
    """Return what all protocols agree on. See first_seqs."""
    [told] = set(first_seqs(server, session, **query))
    return told


def test_a_restored_backup(serve: Serve, model: ModelServer, tmp_path: Path) -> None:
    """After a restored backup clients with newer events start over, also when the log has grown past them."""
    folder = tmp_path / "data"
    first = serve("--port", "0", model=model)
    session = RestClient(first).new_session().id
    kept = grow(first, session, 10)
    copy = back_up(folder)
    seen = grow(first, session, kept + 10)
    old = epoch_of(first, session)
    assert came_back(first, session, after=seen, epoch=old) == (True, None)
    first.close()
    restore(copy, folder)
    second = serve(model=model)
    assert came_back(second, session, after=seen, epoch=old) == (False, 1)
    assert came_back(second, session, after=kept, epoch=old) == (True, None)
    last = grow(second, session, seen + 3)
    new = epoch_of(second, session)
    assert new != old
    for after, epoch, told in [
        (seen, old, (False, 1)), (kept + 1, old, (False, 1)), (kept, old, (True, kept + 1)), (1, old, (True, 2)),
        (seen, new, (True, seen + 1)), (last, new, (True, None)), (last + 1, new, (False, 1)),
        (2, "0123456789abcdef", (False, 1)), (2, "ø" * 1000, (False, 1)), (2, "x-2", (False, 1)),
    ]:  # fmt: skip
        assert came_back(second, session, after=after, epoch=epoch) == told, (after, epoch)
    assert came_back(second, session, after=seen) == (True, seen + 1)  # as ever, for clients that know no epochs


def test_a_lost_wal(fork: Fork, model: ModelServer, tmp_path: Path) -> None:
    """After a kill and the loss of what was not yet in the database itself, clients with newer events start over."""
    environment = config_list(model)
    with fork(*PORTS, environment=environment) as server:
        session = RestClient(server).new_session().id
        kept = grow(server, session, 9)
        older = epoch_of(server, session)
        server.signal(signal.SIGTERM)
        server.end()
    with fork(*PORTS, environment=environment) as server:
        assert came_back(server, session, after=kept, epoch=older) == (True, None)  # a normal restart
        seen = grow(server, session, kept + 8)
        old = epoch_of(server, session)
        server.signal(signal.SIGKILL)
        server.end()
    for leftover in ("-wal", "-shm"):
        (tmp_path / "data" / f"{DATABASE}{leftover}").unlink()
    with fork(*PORTS, environment=environment) as server:
        assert came_back(server, session, after=seen, epoch=old) == (False, 1)
        grow(server, session, seen + 1)
        assert came_back(server, session, after=seen, epoch=old) == (False, 1)
        assert came_back(server, session, after=kept, epoch=older) == (True, kept + 1)


@pytest.mark.own_server
def test_restarts(serve: Serve, model: ModelServer) -> None:
    """Restarts cost clients nothing: a place in the log stays one through any number of them."""
    places: list[tuple[int, str]] = []
    session = ""
    for _ in range(3):
        server = serve(model=model)
        session = session or RestClient(server).new_session().id
        last = grow(server, session, len(places) * 9 + 1)
        places.append((last, epoch_of(server, session)))
        for after, epoch in places:
            assert came_back(server, session, after=after, epoch=epoch)[0] is True
        for (after, _), (_, epoch) in zip(places[1:], places, strict=False):
            assert came_back(server, session, after=after, epoch=epoch) == (False, 1)  # newer than its epoch
        server.close()


def test_old_epochs_are_forgotten(tmp_path: Path) -> None:
    """The list of epochs doesn't grow for ever; a client of a forgotten one starts over."""
    with contextlib.closing(SqliteStore(tmp_path)) as store:
        store.create(SessionRecord("s", "weather", CREATED))
        store.append("s", [draft()])
        first = store.epoch
        store._writer.execute("UPDATE starts SET number = number - 5")
        store._writer.execute(f"INSERT INTO starts VALUES ({EPOCHS_KEPT - 5}, 'newer')")
    with contextlib.closing(SqliteStore(tmp_path)) as store:
        assert store.reached("s", "newer") == store.reached("s", store.epoch) == 1
        assert store.reached("s", first) is None


def test_the_page_starts_over(serve: Serve, model: ModelServer, tmp_path: Path, page: Page) -> None:
    """A page that comes back after a restored backup shows the log as it is, not what it has seen before."""
    first = serve("--port", "0", model=model)
    page.goto(f"{first.page}?agent=weather")
    for number in range(3):
        say(page, f"lost {number}" if number else "kept")
        expect(page.locator('.message[data-role="agent"]')).to_have_count(number + 1)
        expect(page.get_by_role("button", name="Send", exact=True)).to_be_visible()
        if number == 0:
            copy = back_up(tmp_path / "data")
    session, shown = session_of(page), len(answers(page))
    ports = [str(urlsplit(address).port) for address in (first.page, first.websocket)]
    seen = RestClient(first).get(f"/api/agent-chat/sessions/{session}").json["last_seq"]
    first.close()
    restore(copy, tmp_path / "data")
    second = serve(model=model)  # where the page does not look for it
    grow(second, session, seen + 1)
    second.close()
    serve("--port", ports[0], "--ws-port", ports[1], model=model)
    person = page.locator('.message[data-role="person"]')
    expect(person.nth(1)).to_contain_text("hello")
    expect(person.first).to_contain_text("kept")
    assert shown == 3
