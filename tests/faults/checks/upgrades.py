"""Checks of databases of earlier versions: what they had is still there, unchanged."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from tests.faults.evidence import Log


def kept(session: str, old: Sequence[dict[str, Any]], log: Log) -> Iterator[str]:
    """Check that the log of a session begins with the old events."""
    for before, now in zip(old, [*log, *[None] * len(old)], strict=False):
        if before != now:
            yield f"event {before['seq']} of the old session {session} was {before}, and is {now}"
            return
