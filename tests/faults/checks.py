"""The checks: each takes the evidence of a schedule and describes what is wrong."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from tests.faults.check_questions import questions
from tests.faults.check_tools import tools
from tests.faults.check_turns import messages, turns
from tests.faults.evidence import Conversation, Evidence, Log

Check = Callable[[Conversation], Iterator[str]]


def violations(evidence: Evidence) -> list[str]:
    """Run all checks."""
    found: list[str] = []
    for conversation in evidence.conversations:
        for check in CHECKS:
            found += check(conversation)
    found += tools(evidence)
    interrupted = [f for c in evidence.conversations for f in c.log if f["content"].get("status") == "interrupted"]
    if len(interrupted) > evidence.ends * max(len(evidence.conversations), 1):
        found.append(f"{len(interrupted)} turns were interrupted, but the server ended {evidence.ends} times only")
    return found


def numbering(conversation: Conversation) -> Iterator[str]:
    """Check that events are numbered 1, 2, 3 … without gaps."""
    for place, frame in enumerate(conversation.log, 1):
        if frame["seq"] != place:
            yield f"event {place} of the log has the seq {frame['seq']}"
            return


def views(conversation: Conversation) -> Iterator[str]:
    """Check that each client saw each event once, in order, as logged, and in the end all of them."""
    log = conversation.log
    for name, view in conversation.views.items():
        for place, frame in enumerate(view, 1):
            if frame["seq"] != place:
                yield f"{name} saw event {frame['seq']} ({frame['type']}) where {place} was due"
                break
            if place > len(log):
                yield f"{name} saw {frame}, but the log ends at {len(log)}"
                break
            if frame != log[place - 1]:
                yield f"{name} saw {frame}, but the log has {log[place - 1]}"
        else:
            if len(view) < len(log):
                yield f"{name} saw {len(view)} events of {len(log)}"


def confirmations(conversation: Conversation) -> Iterator[str]:
    """Check that the first frame's open questions and queue agree with the log at about that seq."""
    for content in conversation.confirmations:
        last = content["last_seq"]
        near = range(max(last - BEFORE, 0), min(last + BEHIND, len(conversation.log)) + 1)
        if last > len(conversation.log):
            yield f"a first frame said that the log ends at {last}; it ends at {len(conversation.log)}"
            continue
        asked = {request["request_id"] for request in content["open_requests"]}
        if all(asked != _open(conversation.log[:seq]) for seq in near):
            yield f"at {last} a first frame had the open questions {asked or 'none'}, the log has others"
        queue = {entry["turn"] for entry in content["queue"]}
        if all(queue != _waiting(conversation.log[:seq]) for seq in near):
            yield f"at {last} a first frame had turns {queue or 'none'} in the queue, the log has others"


BEFORE, BEHIND = 12, 6  # events by which a first frame may lag or lead, since it is made while the agents work


def _open(log: Log) -> set[str]:
    done = {f["turn"] for f in log if f["type"] == "turn_completed"}
    answered = {f["content"]["request_id"] for f in log if f["type"] == "input_response"}
    asked = {f["content"]["request_id"] for f in log if f["type"] == "input_request" and f["turn"] not in done}
    return asked - answered


def _waiting(log: Log) -> set[int]:
    begun = {f["turn"] for f in log if f["type"] in {"turn_started", "turn_completed"}}
    return {f["turn"] for f in log if f["type"] == "user_message"} - begun


def memory(conversation: Conversation) -> Iterator[str]:
    """Check that the agents remember exactly the completed turns that count, in order."""
    if conversation.reminded is None:
        return
    log = conversation.log
    rewound = {turn for f in log if f["type"] == "rewind" for turn in f["content"]["turns"]}
    status = {f["turn"]: f["content"]["status"] for f in log if f["type"] == "turn_completed"}
    texts = {f["turn"]: f["content"]["text"] for f in log if f["type"] == "user_message"}
    labels = {turn: text[1 : text.index(">")] for turn, text in sorted(texts.items()) if text.startswith("<")}
    expected = [label for turn, label in labels.items() if turn not in rewound and status.get(turn) == "completed"]
    may_be = [label for turn, label in labels.items() if turn not in rewound]
    reminded = list(conversation.reminded)
    if [label for label in reminded if label in expected] != expected or [
        x for x in may_be if x in reminded
    ] != reminded:
        yield f"the model was reminded of {reminded}; completed and counting were {expected}, counting {may_be}"


CHECKS: tuple[Check, ...] = (numbering, views, confirmations, messages, turns, questions, memory)
