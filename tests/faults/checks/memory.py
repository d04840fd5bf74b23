"""Checks of what the agents remember: every counting turn that was started, in order, however it ended."""

from __future__ import annotations

from collections.abc import Iterator

from tests.faults.evidence import Conversation
from tests.faults.model import label


def memory(conversation: Conversation) -> Iterator[str]:
    """Check the model's request for a last message: kill -9 behind `turn_started` must not cost a turn's words."""
    if conversation.reminded is None:
        return
    log = conversation.log
    rewound = {turn for f in log if f["type"] == "rewind" for turn in f["content"]["turns"]}
    started = {f["turn"] for f in log if f["type"] == "turn_started"}
    said = {f["turn"]: label(f["content"]["text"]) for f in log if f["type"] == "user_message"}
    counting = [said[turn] for turn in sorted(said) if turn not in rewound]  # some were stopped before their start
    expected = [said[turn] for turn in sorted(said) if turn in started - rewound]
    reminded = [each for each in conversation.reminded if each in said.values()]
    has_all = [each for each in reminded if each in expected] == expected
    if not has_all or reminded != [each for each in counting if each in reminded]:
        yield f"the model was reminded of {reminded}; started and counting were {expected}, counting {counting}"
    replies = [f for f in log if f["type"] == "text" and f["content"].get("operator") and f["turn"] not in rewound]
    for frame in replies:
        if not any(frame["content"]["content"] in text for text in conversation.told):
            yield f"the agents do not know what the operator said at {frame['seq']}"
