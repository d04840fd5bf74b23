"""Checks of the tools of MCP servers: their results are right, and after a kill they work again."""

from __future__ import annotations

from collections.abc import Iterator

from tests.faults.evidence import Log


def results(log: Log) -> Iterator[str]:
    """Check each sum; that of the last turn, asked for when nothing is broken any more, must have succeeded.

    There is none if a person answered in place of the tool.
    """
    added = [f for f in log if f["type"] == "executed_function" and f["content"]["func_name"] == "add"]
    for frame in added:
        content = frame["content"]
        if content["is_exec_success"] and content["content"] != str(content["arguments"]["a"] + 1):
            yield f"{content['arguments']} were added to {content['content']!r} at {frame['seq']}"
    last = [frame for frame in added if frame["turn"] == log[-1]["turn"]]
    if last and not last[-1]["content"]["is_exec_success"]:
        yield f"the MCP server does not come back: {added[-1]['content']['content'][:300]!r}"
