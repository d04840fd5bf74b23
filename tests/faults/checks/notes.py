"""Checks of notes about people: what a tool was told is remembered, and what was erased is not."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Mapping, Sequence, Set

from tests.faults.evidence import Log

FORGOTTEN = re.compile(r"Forgotten: (c\d+)\.")
UNNAMED = "user"  # whose notes are known only within the session


def remembered(
    logs: Sequence[Log],
    kept: Mapping[str, str],
    asked: Set[str],
    erased: Set[str],
    drops: Collection[str] = (),
) -> Iterator[str]:
    """Check the notes of all people that have a name, given the keys that people wanted erased.

    `drops` are the calls of the tool that forgets a note. If one has no end in these logs, since a server was killed
    or the conversation is gone, nobody can say which note that was.
    """
    noted: set[str] = set()
    dropped: set[str] = set()
    unknown = set(drops)
    for log in logs:
        names = {f["turn"]: f["content"]["name"] for f in log if f["type"] == "user_message"}
        for frame in log:
            name = frame["content"].get("func_name")
            if frame["type"] == "executed_function" and name == "drop":
                unknown.discard(frame["content"]["arguments"]["call"])
            if frame["type"] != "executed_function" or names.get(frame["turn"], UNNAMED) == UNNAMED:
                continue
            content = frame["content"]
            if name == "note" and content["is_exec_success"]:
                noted.add(content["arguments"]["call"])
            elif name == "drop" and (found := FORGOTTEN.search(content["content"])):
                dropped.add(found[1])
    for key in sorted(noted - asked - dropped - kept.keys()):
        if not unknown:
            yield f"{key} was noted, and is not remembered"
    for key in sorted(erased & kept.keys()):
        yield f"{key} was erased, and is still remembered"
    for key, value in kept.items():
        if value != f"value of {key}":
            yield f"{key} is remembered as {value!r}"
