"""Checks of the desk: it shows the conversations that humans have or are wanted in, and no others."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from tests.faults.evidence import Log


def waiting(logs: Mapping[str, Log], shown: Sequence[Mapping[str, Any]]) -> Iterator[str]:
    """Check what the desk shows."""
    held = set()
    for id, log in logs.items():
        kinds = [f["content"]["kind"] for f in log if f["type"] == "handoff" and f["content"]["kind"] != "agents"]
        if kinds and kinds[-1] != "returned":
            held.add(id)
    listed = {each["id"] for each in shown}
    if listed != held:
        yield f"the desk shows {sorted(listed)}; by the logs it should be {sorted(held)}"
