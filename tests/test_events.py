"""The order of events in several logs."""

from __future__ import annotations

from agentchat.protocol.events import in_order


def test_logs_are_merged_by_time() -> None:
    """Entries of different logs go by their times, those of one log by its order, whatever its clock said."""
    assert list(in_order()) == []
    assert list(in_order([("1", "a"), ("4", "b")], [], [("2", "c"), ("3", "d")])) == ["a", "c", "d", "b"]
    assert list(in_order([("5", "a"), ("1", "b"), ("6", "c")], [("2", "d")])) == ["d", "a", "b", "c"]
