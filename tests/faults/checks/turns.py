"""Checks of messages and turns: each message is answered once, in one complete turn."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator

from tests.clients import Frame
from tests.faults.evidence import Conversation, Log

# These may come before the start, or after the end.
OUTSIDE = frozenset({"user_message", "rewind", "session_renamed"})
STATUSES = frozenset({"completed", "stopped", "failed", "interrupted"})


def messages(conversation: Conversation) -> Iterator[str]:
    """Check that each message resent until seen is in the log, in one turn, and that none was made up."""
    turns_of: dict[str, set[int]] = defaultdict(set)
    for place, frame in enumerate(conversation.log):
        if frame["type"] != "user_message":
            continue
        id, text = frame["content"]["id"], frame["content"]["text"]
        turns_of[id].add(frame["turn"])
        before = conversation.log[place - 1] if place else None
        if id not in conversation.accepted and not _is_made_anew(id, before, conversation.log[:place]):
            yield f"nobody sent the message {frame}"
        if conversation.texts and text not in conversation.texts:
            yield f"nobody wrote {frame}"
    for id in conversation.accepted:
        if len(turns_of[id]) != 1:
            yield f"the message {id} was sent until it was seen, and has the turns {sorted(turns_of[id])}"
    for id in conversation.refused:
        if turns_of[id]:
            yield f"the message {id} was refused, and has the turns {sorted(turns_of[id])}"


def _is_made_anew(id: str, before: Frame | None, log: Log) -> bool:
    """Return True for a message that replaces another after a retry or an edit, or a later version of one."""
    if any(f["type"] == "user_message" and f["content"]["id"] == id for f in log):
        return True
    return before is not None and before["type"] == "rewind" and before["content"]["reason"] in {"retry", "edit"}


def turns(conversation: Conversation) -> Iterator[str]:
    """Check that each turn has a message, at most one start, and one end.

    Turns start in order and never overlap.
    """
    by_turn: dict[int, list[Frame]] = defaultdict(list)
    for frame in conversation.log:
        if frame["turn"]:
            by_turn[frame["turn"]].append(frame)
    if sorted(by_turn) != list(range(1, len(by_turn) + 1)):
        yield f"the turns are {sorted(by_turn)}"
    for turn, frames in by_turn.items():
        if not all(map(_is_spoken, frames)):
            yield from (f"turn {turn}: {problem}" for problem in _one(frames, conversation.allowed))
    yield from _order(conversation.log)
    yield from _rewinds(conversation.log, conversation.allowed)


def _is_spoken(frame: Frame) -> bool:
    """Return True for what an operator says in a turn that no agent runs."""
    content = frame["content"]
    if frame["type"] == "handoff":
        return bool(content["kind"] == "returned")
    return frame["type"] == "text" and bool(content.get("operator"))


def _one(frames: list[Frame], allowed: frozenset[str]) -> Iterator[str]:
    of = {type: [f for f in frames if f["type"] == type] for type in ("user_message", "turn_started", "turn_completed")}
    asked, started, completed = of["user_message"], of["turn_started"], of["turn_completed"]
    if not asked:
        yield f"it has no message, but {[f['type'] for f in frames]}"
        return
    if len({f["content"]["id"] for f in asked}) > 1:
        yield f"it has several messages: {[f['content']['id'] for f in asked]}"
    if len(started) > 1:
        yield f"it started {len(started)} times, at {[f['seq'] for f in started]}"
    if len(completed) != 1:
        yield f"it was completed {len(completed)} times, at {[f['seq'] for f in completed]}"
        return
    begin, end = started[0]["seq"] if started else 0, completed[0]["seq"]
    status = completed[0]["content"]["status"]
    if status not in STATUSES or (not started and status != "stopped"):
        yield f"it ended {status}" + ("" if started else " without having started")
    if started and started[0]["content"]["message_id"] != asked[0]["content"]["id"]:
        yield f"it answers {started[0]['content']['message_id']} in place of {asked[0]['content']['id']}"
    for frame in frames:
        seq, type = frame["seq"], frame["type"]
        if type == "user_message" and seq > (begin or end):
            yield f"its message was changed at {seq}, after it had begun at {begin or end}"
        if type not in OUTSIDE and not begin <= seq <= end:
            yield f"{type} at {seq} is outside of {begin} to {end}"
        if type not in OUTSIDE and not started and type != "turn_completed":
            yield f"it never started, and has {type} at {seq}"
        if type == "error" and frame["content"]["code"] not in allowed:
            yield f"it has the error {frame['content']}"
    if (status == "failed") != any(f["type"] == "error" for f in frames):
        yield f"it ended {status}, with the errors {[f['content'] for f in frames if f['type'] == 'error']}"


def _rewinds(log: Log, allowed: frozenset[str]) -> Iterator[str]:
    """Check that a turn is rewound at most once.

    A turn that starts after its rewind was already due, and is stopped at once, if it doesn't fail even sooner.
    """
    failed = {f["turn"] for f in log if f["type"] == "error" and f["content"]["code"] in allowed}
    status = {f["turn"]: f["content"]["status"] for f in log if f["type"] == "turn_completed"}
    rewound: dict[int, int] = {}
    for frame in log:
        if frame["type"] == "rewind":
            again = [turn for turn in frame["content"]["turns"] if turn in rewound]
            if again:
                yield f"turns {again} were rewound again at {frame['seq']} ({frame['content']['reason']})"
            rewound.update(dict.fromkeys(frame["content"]["turns"], frame["seq"]))
        elif frame["type"] == "turn_started" and frame["turn"] in rewound:
            turn, how = frame["turn"], status.get(frame["turn"])
            if how not in {"stopped", "interrupted"} and turn not in failed:
                yield f"turn {turn} was rewound at {rewound[turn]}, started at {frame['seq']} and ended {how}"


def _order(log: Log) -> Iterator[str]:
    running, last = 0, 0
    for frame in log:
        if frame["type"] == "turn_started":
            if running:
                yield f"turn {frame['turn']} started while turn {running} was running"
            if frame["turn"] <= last:
                yield f"turn {frame['turn']} started after turn {last}"
            running, last = frame["turn"], max(frame["turn"], last)
        elif frame["type"] == "turn_completed" and frame["turn"] == running:
            running = 0
