"""Checks of questions: each is answered at most once, and stays open until it is answered or its turn is stopped."""

from __future__ import annotations

from collections.abc import Iterator

from tests.clients import Frame
from tests.faults.evidence import Conversation


def questions(conversation: Conversation) -> Iterator[str]:
    """Check that only an answer or a stop closes a question."""
    log = conversation.log
    status = {f["turn"]: f["content"]["status"] for f in log if f["type"] == "turn_completed"}
    rewound = {turn for f in log if f["type"] == "rewind" for turn in f["content"]["turns"]}
    asked: dict[str, Frame] = {}
    for frame in log:
        if frame["type"] == "input_request":
            id = frame["content"]["request_id"]
            if id in asked:
                yield f"question {id} was asked at {asked[id]['seq']}, and again at {frame['seq']}"
            asked[id] = frame
    answers = [f for f in log if f["type"] == "input_response"]
    answered = [f["content"]["request_id"] for f in answers]
    for answer in answers:
        request = asked.get(answer["content"]["request_id"])
        if request is None or request["seq"] > answer["seq"] or request["turn"] != answer["turn"]:
            yield f"the answer at {answer['seq']} has no question before it"
        elif request["content"]["password"] and "text" in answer["content"]:
            yield f"the answer at {answer['seq']} keeps a password"
    for id, request in asked.items():
        if answered.count(id) > 1:
            yield f"question {id} has {answered.count(id)} answers"
        # Passwords are never stored, so a turn that was given one can't be resumed (docs/protocol.md).
        told = any(
            r["content"]["password"] and r["turn"] == request["turn"] for r in asked.values() if r is not request
        )
        if not answered.count(id) and request["turn"] not in rewound:
            how = status.get(request["turn"])
            timed_out = how == "failed" and any(
                f["type"] == "error" and f["turn"] == request["turn"] and f["content"]["code"] in conversation.allowed
                for f in log
            )
            if how != "stopped" and not timed_out and not (told and how == "interrupted"):
                yield f"question {id} (turn {request['turn']}) was open, and its turn ended {how}"
