"""Searches have connections of their own and a deadline: whatever the texts hold, they keep nobody waiting."""

from __future__ import annotations

import contextlib
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from agentchat.protocol.errors import ChatError
from agentchat.protocol.events import Draft
from agentchat.store import SessionRecord
from agentchat.store.search import AFTER, BEFORE, SEARCHES, excerpt
from agentchat.store.sqlite import SqliteStore
from tests.clients import wait_until
from tests.conftest import Serve
from tests.model_server import ModelServer
from tests.rest_client import RestClient
from tests.store_contract import CREATED, draft

SESSIONS = "/api/agent-chat/sessions"
LONG = 12  # sessions with one long message
WORDS = 30_000  # in each
HASTY = 0.02  # seconds in which they cannot be searched
EXCERPT = BEFORE + AFTER + 2


def words(number: int) -> str:
    """Return a message of the maximum length, of different words that begin with the same letter."""
    return " ".join(f"a{number}x{word:x}" for word in range(WORDS))[:200_000]


def answered(text: str) -> Draft:
    return draft("text", content=text, message_id="m")


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder with sessions of long messages, and some with short ones."""
    folder = tmp_path_factory.mktemp("search")
    with contextlib.closing(SqliteStore(folder)) as store:
        for number in range(LONG):
            store.create(SessionRecord(f"long{number}", "weather", CREATED))
            store.append(f"long{number}", [answered(words(number))])
        store.create(SessionRecord("short", "weather", CREATED))
        store.append("short", [answered("It is sunny in Oslo.")])
    return folder


@pytest.fixture
def store(folder: Path) -> Iterator[SqliteStore]:
    with contextlib.closing(SqliteStore(folder)) as store:
        yield store


@pytest.fixture
def hasty(folder: Path) -> Iterator[SqliteStore]:
    """Open the store with a deadline that is too short for a search of the long messages."""
    with contextlib.closing(SqliteStore(folder, search_timeout=HASTY)) as store:
        yield store


def refused(store: SqliteStore, text: str) -> str:
    with pytest.raises(ChatError) as error:
        store.find(text, None, 50)
    return error.value.code


def found_in_time(store: SqliteStore, text: str) -> list[str]:
    """Return the sessions found; none if this machine was busy with something else."""
    try:
        return [found.session.id for found in store.find(text, None, 50)]
    except ChatError:
        return []


def test_the_work_of_a_hit_is_bounded(store: SqliteStore) -> None:
    """One letter that thousands of words in a text begin with is found as quickly as anything else."""
    start = time.monotonic()
    found = store.find("a", None, 50)
    assert time.monotonic() - start < 2.0  # it took half a minute
    assert len(found) == LONG
    assert all(place[1].startswith("a") and len(place[1]) <= EXCERPT for each in found for place in each.places)


def test_a_search_ends_at_its_deadline(hasty: SqliteStore) -> None:
    """A search that takes too long is given up in words; the next one is none the worse."""
    start = time.monotonic()
    assert refused(hasty, "a") == "search_timeout"
    assert time.monotonic() - start < 0.5
    wait_until(lambda: found_in_time(hasty, "oslo") == ["short"])


def test_searches_keep_nobody_waiting(store: SqliteStore) -> None:
    """While all connections for searches are in use, reads and writes go on, and another search waits its time."""
    with contextlib.ExitStack() as running:
        for _ in range(SEARCHES):
            search = running.enter_context(store._searches.begin())
            search.db.execute("SELECT rowid FROM words")  # which is not read to its end
        start = time.monotonic()
        assert store.session("short") is not None
        assert store.find("", None, 10)
        store.append("short", [draft(content="echo")])
        assert time.monotonic() - start < 1.0
        waiting = threading.Thread(target=store.find, args=("oslo", None, 50))
        waiting.start()
        assert waiting.is_alive()
    waiting.join(10)
    assert not waiting.is_alive()


def test_who_waits_for_other_searches_is_told_in_time(hasty: SqliteStore) -> None:
    """Searches that wait for others in vain are given up at their own deadline."""
    with contextlib.ExitStack() as running:
        for _ in range(SEARCHES):
            running.enter_context(hasty._searches.begin())
        start = time.monotonic()
        assert refused(hasty, "oslo") == "search_timeout"
        assert time.monotonic() - start < 0.5
    wait_until(lambda: found_in_time(hasty, "oslo") == ["short"])


@pytest.mark.parametrize(
    ("text", "query", "found"),
    [
        ("About zeppelins", "zepp", "About zeppelins"),
        ("x " * 300 + "A Zeppelin is an airship. " + "y " * 300, "zeppelin", "A Zeppelin is an airship. y"),
        ("x " * 300 + "el Árbol verde " + "y " * 300, "arbol", "el Árbol verde"),
        ("x " * 300 + "el A\u0301rbol verde " + "y " * 300, "árbol", "verde"),
        ("zoslo oslos " * 300 + "in Oslo now " + "y " * 300, "oslo now", "in Oslo now"),
        ("x " * 300 + "snake_case here " + "y " * 300, "case", "snake_case here"),
        ("İ" * 300 + " Oslo " + "İ" * 300, "oslo", "Oslo"),
        ("x " * 5_000 + "at the end", "end", "at the end"),
        ("x" * 199_000 + " Oslo", "oslo", "Oslo"),
        ("漢字 " * 300 + "東京 " + "漢字 " * 300, "東", "東京"),
        ("nothing of it", "oslo", "nothing of it"),
        ("", "oslo", ""),
    ],
)
def test_the_text_around_the_words(text: str, query: str, found: str) -> None:
    """An excerpt shows the words in their surroundings, cut between words."""
    shown = excerpt(text, query)
    assert found in shown
    assert len(shown) <= EXCERPT
    assert shown.startswith("…") or text.startswith(shown[:10])


@pytest.mark.parametrize("text", ["a" * 200_000, "ba" * 100_000, "ä" * 200_000, "b " * 100_000, "a" * 10_000_000])
@pytest.mark.parametrize("query", ["a", "c", "ab " * 300, "a" * 1000])
def test_the_work_of_an_excerpt_is_bounded(text: str, query: str) -> None:
    """No text makes its excerpt slow."""
    start = time.process_time()
    assert len(excerpt(text, query)) <= EXCERPT
    assert time.process_time() - start < 1.0


@pytest.mark.own_server
def test_a_search_over_rest(folder: Path, serve: Serve, model: ModelServer) -> None:
    """A search that is given up is an error of its own, which says what to do."""
    rest = RestClient(serve("--data-dir", str(folder), "--search-timeout", str(HASTY), model=model))
    answer = rest.get(SESSIONS, q="a")
    assert (answer.status, answer.json["error"]["code"]) == (503, "search_timeout")
    assert answer.json["error"]["message"] == (
        f"The search took longer than {HASTY} seconds. Search for longer or rarer words."
    )
    wait_until(lambda: rest.get(SESSIONS, q="oslo").status == 200)
