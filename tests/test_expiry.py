"""Sessions expire by what the store and the running time say, whatever the clock says."""

from __future__ import annotations

from datetime import datetime, timedelta, timezone

import pytest

from agentchat.protocol import events
from agentchat.sessions import expiry
from agentchat.sessions.expiry import Expiry
from agentchat.store import SessionRecord
from tests.memory_store import MemoryStore

START = datetime(2026, 11, 20, tzinfo=timezone.utc)
HOUR = 3600.0
DOUBT = expiry.DOUBT.total_seconds()


class Clocks:
    """A wall clock that a test can set, and one that only goes on."""

    def __init__(self) -> None:
        self.now = START
        self.seconds = 0.0

    def advance(self, seconds: float) -> None:
        """Let time pass on both."""
        self.now += timedelta(seconds=seconds)
        self.seconds += seconds


@pytest.fixture
def store() -> MemoryStore:
    return MemoryStore()


@pytest.fixture
def clocks() -> Clocks:
    return Clocks()


def rested(store: MemoryStore, id: str, hours: float) -> None:
    """Create a session whose last event was so many hours before the start."""
    store.create(SessionRecord(id, "agent", events.time(START - timedelta(hours=hours))))


def settled(store: MemoryStore, clocks: Clocks) -> Expiry:
    """Return the choice of a server that has been running for a while."""
    choice = of(store, clocks)
    clocks.advance(DOUBT)
    return choice


def of(store: MemoryStore, clocks: Clocks, hours: float = 48) -> Expiry:
    return Expiry(store, hours, lambda: clocks.seconds, lambda: clocks.now)


def test_what_has_rested_longest_goes_first(
    store: MemoryStore, clocks: Clocks, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Sessions that have rested longest go first, a portion at a time."""
    monkeypatch.setattr(expiry, "PORTION", 2)
    for hours in (60, 90, 70, 0):
        rested(store, f"{hours}", hours)
    assert settled(store, clocks).due() == ["90", "70"]


def test_time_that_runs_counts(store: MemoryStore, clocks: Clocks) -> None:
    """A session expires while the server runs, even if nothing else happens."""
    rested(store, "only", 0)
    choice = settled(store, clocks)
    clocks.advance(47 * HOUR)
    assert choice.due() == []
    clocks.advance(HOUR)
    assert choice.due() == ["only"]


@pytest.mark.parametrize("days", [3, 400, -1])
def test_a_wrong_clock_deletes_nothing(store: MemoryStore, clocks: Clocks, days: float) -> None:
    """A clock that was wrong when the server started, or is set while it runs, deletes nothing."""
    for hours in range(5):
        rested(store, f"{hours}", hours)
    clocks.now += timedelta(days=days)
    choice = settled(store, clocks)
    assert choice.due() == []
    clocks.now -= timedelta(days=2 * days)
    clocks.advance(HOUR)
    assert choice.due() == []


@pytest.mark.parametrize("others", [1, 5])
def test_a_wrong_clock_that_got_into_the_store(
    store: MemoryStore, clocks: Clocks, caplog: pytest.LogCaptureFixture, others: int
) -> None:
    """If an event has a wrong time, people have time to mend that; they are warned if most of all sessions would go."""
    for hours in range(others):
        rested(store, f"{hours}", hours)
    choice = settled(store, clocks)
    clocks.now += timedelta(days=3)
    rested(store, "from tomorrow", -72)
    assert choice.due() == []
    assert (f"{others} of {others + 1} conversations" in caplog.text) == (others > 1)
    clocks.advance(DOUBT - 1)
    assert choice.due() == []
    clocks.now -= timedelta(days=3)  # mended
    assert choice.due() == []
    clocks.now += timedelta(days=3)  # wrong again: the time to mend it begins again
    clocks.advance(2)
    assert choice.due() == []
    clocks.advance(DOUBT)
    assert len(choice.due()) == others


def test_nothing_is_deleted_at_once_after_a_start(store: MemoryStore, clocks: Clocks) -> None:
    """The newest event may have a wrong time when the server starts."""
    rested(store, "old", 72)
    rested(store, "new", 0)
    choice = of(store, clocks)
    assert choice.due() == []
    clocks.advance(DOUBT)
    assert choice.due() == ["old"]


def test_a_short_time(store: MemoryStore, clocks: Clocks) -> None:
    """Where conversations are kept for a short time, the doubt is short as well."""
    rested(store, "only", 0)
    choice = of(store, clocks, hours=0.001)
    clocks.advance(3.5)
    assert choice.due() == []
    clocks.advance(0.2)
    assert choice.due() == ["only"]


def test_an_empty_store(store: MemoryStore, clocks: Clocks) -> None:
    """Nothing expires in an empty store."""
    assert settled(store, clocks).due() == []
