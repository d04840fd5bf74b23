"""Checks of the tools of MCP servers: their results are right, and after a kill they work again."""

from __future__ import annotations

from collections.abc import Iterator

from tests.faults.evidence import Log


def results(log: Log) -> Iterator[str]:
    """Check each sum; the last one, asked for when nothing is broken any more, must have succeeded."""
    added = [f for f in log if f["type"] == "executed_function" and f["content"]["func_name"] == "add"]
    for frame in added:
        content = frame["content"]
        if content["is_exec_success"] and content["content"] != str(content["arguments"]["a"] + 1):
            yield f"{content['arguments']} were added to {content['content']!r} at {frame['seq']}"
    if added and not added[-1]["content"]["is_exec_success"]:
        yield f"the MCP server does not come back: {added[-1]['content']['content'][:300]!r}"
