"""Checks of commands that the store refused: they had no effect, not even later."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from tests.faults.evidence import Log


def refused(titles: Sequence[str], sessions: Sequence[Mapping[str, Any]], logs: Sequence[Log]) -> Iterator[str]:
    """Check that no session has, or was given, a title that was refused."""
    given = [f["content"]["title"] for log in logs for f in log if f["type"] == "session_renamed"]
    for title in titles:
        if title in given or title in [session["title"] for session in sessions]:
            yield f"the title {title!r} was refused by the store, and given all the same"
