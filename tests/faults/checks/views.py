"""Checks of what clients saw: each event once, in order, as logged, and first frames that agree with the log."""

from __future__ import annotations

from collections.abc import Iterator

from tests.faults.evidence import Conversation, Log


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
        is_busy = content["status"] != "idle"
        if all(queue not in _queues(conversation.log[:seq], is_busy) for seq in near):
            yield f"at {last} a first frame had turns {queue or 'none'} in the queue, the log has others"


BEFORE, BEHIND = 12, 6  # events by which a first frame may lag or lead, since it is made while the agents work


def _open(log: Log) -> set[str]:
    done = {f["turn"] for f in log if f["type"] == "turn_completed"}
    answered = {f["content"]["request_id"] for f in log if f["type"] == "input_response"}
    asked = {f["content"]["request_id"] for f in log if f["type"] == "input_request" and f["turn"] not in done}
    return asked - answered


def _queues(log: Log, is_busy: bool) -> list[set[int]]:
    """Return the queues that there may be: while the session is busy, the first turn may wait for the store alone."""
    begun = {f["turn"] for f in log if f["type"] in {"turn_started", "turn_completed"}}
    waiting = {f["turn"] for f in log if f["type"] == "user_message"} - begun
    return [waiting, waiting - {min(waiting, default=0)}] if is_busy else [waiting]
