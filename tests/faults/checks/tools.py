"""Checks of tools: each call runs once, after it was announced, and after approval if it needs one."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

from tests.clients import Frame
from tests.faults.agents import ASKING, TOOLS
from tests.faults.evidence import Evidence, Log

NEEDS_YES = "send"


def tools(evidence: Evidence) -> Iterator[str]:
    """Run all checks of tools; `call` arguments are unique within a schedule."""
    runs = Counter(evidence.ran)
    logs = [conversation.log for conversation in evidence.conversations]
    frames = [frame for log in logs for frame in log if "func_name" not in frame["content"] or _is_ours(frame)]
    started = Counter(_call(frame) for frame in frames if frame["type"] == "execute_function")
    done = Counter(_call(frame) for frame in frames if frame["type"] == "executed_function")
    approved = {
        _call_asked(log, frame): frame
        for log in logs
        for frame in log
        if frame["type"] == "input_response" and frame["content"].get("text", "").split(",")[0] in {"approve", "edit"}
    }
    for (tool, call), times in runs.items():
        if not started[tool, call]:
            if evidence.has_gone:
                continue
            yield f"{tool} {call} ran, but its start is in no log"
        if times > 1 and (tool not in ASKING or times > evidence.ends + 1):
            yield f"{tool} {call} ran {times} times; the server was ended {evidence.ends} times"
        if tool == NEEDS_YES and call not in approved:
            yield f"{tool} {call} ran, and nobody had said yes"
    for (tool, call), times in (started | done).items():
        if started[tool, call] > 1 or done[tool, call] > started[tool, call]:
            yield f"{tool} {call} has {started[tool, call]} starts and {done[tool, call]} ends ({times})"
    for frame in frames:
        if frame["type"] == "executed_function":
            yield from _result(frame, runs[_call(frame)], frames)


def _result(frame: Frame, runs: int, frames: list[Frame]) -> Iterator[str]:
    """Check that a tool that succeeded ran, and got people's answers."""
    (tool, call), content = _call(frame), frame["content"]
    if content["is_exec_success"] and not runs:
        yield f"{tool} {call} has a result at {frame['seq']}, and never ran"
    if content["is_exec_success"] and tool in {"book", "book_async"}:
        asked = [f for f in frames if f["type"] == "input_request" and f["content"]["prompt"].endswith(f" {call}?")]
        answers = {f["content"]["request_id"]: f["content"] for f in frames if f["type"] == "input_response"}
        told = [answers.get(f["content"]["request_id"], {}).get("text", "?") for f in asked]
        if content["content"] != f"Booked {call} on {', '.join(told)}":
            yield f"{tool} {call} was told {told}, and returned {content['content']!r}"


def _is_ours(frame: Frame) -> bool:
    return frame["content"]["func_name"] in TOOLS and "call" in (frame["content"]["arguments"] or {})


def _call(frame: Frame) -> tuple[str, str]:
    return frame["content"]["func_name"], (frame["content"]["arguments"] or {}).get("call", "?")


def _call_asked(log: Log, answer: Frame) -> str:
    id = answer["content"]["request_id"]
    asked = next((f for f in log if f["type"] == "input_request" and f["content"]["request_id"] == id), None)
    tool = asked["content"]["tool"] if asked is not None else None
    return str(tool["arguments"].get("call", "?")) if tool else ""
