"""Progress reports: each tool's newest, at a limited rate. No test waits for a clock."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from agentchat.sessions import progress
from agentchat.sessions.log import Log
from agentchat.sessions.progress import ProgressReports
from agentchat.store import SessionRecord
from tests.memory_store import MemoryStore


class Timer:
    """A timer that fires when the test says so."""

    started: list[Timer]

    def __init__(self, seconds: float, act: Callable[[], None]) -> None:
        self.go_off = act
        self.daemon = False
        self.is_cancelled = False

    def start(self) -> None:
        self.started.append(self)

    def cancel(self) -> None:
        self.is_cancelled = True


@pytest.fixture
def timers(monkeypatch: pytest.MonkeyPatch) -> list[Timer]:
    Timer.started = []
    monkeypatch.setattr("threading.Timer", Timer)
    monkeypatch.setattr(progress, "INTERVAL", 3600)
    return Timer.started


@pytest.fixture
def log() -> Log:
    store, record = MemoryStore(), SessionRecord("s", "agent", "2026-11-20T00:00:00.000Z")
    store.create(record)
    return Log(record, store, frozenset)


def shown(log: Log) -> dict[str, str]:
    return {about: state.frame.partition('"done":')[2].rstrip("}") for about, state in log.states.items()}


def test_the_first_report_is_shown_at_once_and_the_next_ones_together(log: Log, timers: list[Timer]) -> None:
    """The first report is shown at once; one timer collects later ones, the newest of each tool."""
    reports = ProgressReports(log)
    for done in (1, 2, 3):
        reports.set("a", {"done": done})
    reports.set("b", {"done": 4})
    assert shown(log) == {"progress:a": "1"}
    assert reports.contents == [{"done": 3}, {"done": 4}]
    [timer] = timers
    timer.go_off()
    assert shown(log) == {"progress:a": "3", "progress:b": "4"}


def test_a_tool_that_is_done_is_shown_no_more(log: Log, timers: list[Timer]) -> None:
    """A finished tool's progress is not shown, even if the timer fires after its end."""
    reports = ProgressReports(log)
    reports.set("a", {"done": 1})
    reports.set("a", {"done": 2})
    reports.end("a")
    reports.end("unknown")
    timers[0].go_off()
    assert (shown(log), reports.contents) == ({}, [])


def test_nothing_is_reported_after_the_turn(log: Log, timers: list[Timer]) -> None:
    """A tool left running can't report after its turn, and is told so."""
    reports = ProgressReports(log)
    reports.set("a", {"done": 1})
    reports.set("b", {"done": 1})
    reports.close()
    assert timers[0].is_cancelled
    timers[0].go_off()  # too late to be cancelled
    assert (reports.set("a", {"done": 2}), shown(log), reports.contents) == (False, {}, [])
