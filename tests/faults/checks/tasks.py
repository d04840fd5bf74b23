"""Checks of the plan: it is what the log's events make of it, without those that no longer count."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from tests.faults.evidence import Log


def plan(log: Log, tasks: Sequence[Mapping[str, Any]]) -> Iterator[str]:
    """Check the tasks that the server lists."""
    rewound = {turn for f in log if f["type"] == "rewind" for turn in f["content"]["turns"]}
    expected: dict[int, str] = {}
    for frame in log:
        content = frame["content"]
        is_known = frame["type"] == "task_created" or content.get("id") in expected
        if frame["type"] in {"task_created", "task_updated"} and frame["turn"] not in rewound and is_known:
            expected[content["id"]] = content.get("status", expected.get(content["id"]))
    listed = {task["id"]: task["status"] for task in tasks}
    if listed != expected:
        yield f"the plan is {listed}; by the log it is {expected}"
