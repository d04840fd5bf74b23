"""Tickets: one use within a minute."""

from __future__ import annotations

import threading

import pytest

from agentchat.auth import tickets as module
from agentchat.auth.tickets import VALID, Tickets


def test_a_ticket_is_for_one_use() -> None:
    """The first use returns the holder; a second one, or another ticket, nobody."""
    tickets: Tickets[str] = Tickets()
    ticket, other = tickets.issue("ada"), tickets.issue("bob")

    assert len(ticket) == 43
    assert tickets.redeem(ticket) == "ada"
    assert tickets.redeem(ticket) is None
    assert [tickets.redeem(wrong) for wrong in ("", ticket[:-1], "\ud800")] == [None] * 3
    assert tickets.redeem(other) == "bob"


def test_a_ticket_is_valid_for_a_minute() -> None:
    """It ends by a clock that nobody sets, also when it is shown too late."""
    now = 1000.0
    tickets: Tickets[str] = Tickets(lambda: now)
    first, second = tickets.issue("ada"), tickets.issue("ada")
    now += VALID - 0.1
    assert tickets.redeem(first) == "ada"
    now += 0.1
    assert tickets.redeem(second) is None
    assert tickets.redeem(tickets.issue("bob")) == "bob"


def test_memory_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    """The oldest ticket makes room."""
    monkeypatch.setattr(module, "KEPT", 3)
    tickets: Tickets[int] = Tickets()
    issued = [tickets.issue(number) for number in range(4)]
    assert [tickets.redeem(ticket) for ticket in issued] == [None, 1, 2, 3]


def test_threads_cannot_share_a_ticket() -> None:
    """One of many that use it at once succeeds."""
    tickets: Tickets[str] = Tickets()
    ticket = tickets.issue("ada")
    start = threading.Barrier(8)
    found: list[str | None] = []

    def redeem() -> None:
        start.wait()
        found.append(tickets.redeem(ticket))

    threads = [threading.Thread(target=redeem) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(map(str, found)) == ["None"] * 7 + ["ada"]
