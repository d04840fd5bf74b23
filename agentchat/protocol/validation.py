"""Checks of what people send. Each raises ChatError if it can't be accepted."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Any, Literal, get_args

from agentchat.protocol.errors import ChatError
from agentchat.protocol.events import clean

MESSAGE_CHARS = 200_000  # the longest message; about what the largest models read in one go
ID_CHARS = 100
NAME_CHARS = 100
TITLE_CHARS = 200  # of a session or a task
COMMENT_CHARS = 2000
SCORES = (1, -1, 0)
BusyMode = Literal["enqueue", "reject", "interrupt", "rollback"]
"""The ways to treat a message that arrives while the agents work."""
BUSY_MODES: tuple[str, ...] = get_args(BusyMode)


def check_id(id: str | None) -> None:
    """Check a message's id; None is one that the server will choose."""
    if id is not None and not 0 < len(id) <= ID_CHARS:
        raise ChatError("bad_frame", problem=f"its id does not have 1 to {ID_CHARS} characters")
    if id is not None and id != clean(id):
        raise ChatError("bad_frame", problem="its id is not valid text")


def check_title(title: str) -> None:
    """Check a session's title."""
    if not one_line(title) or len(title) > TITLE_CHARS:
        raise ChatError("bad_frame", problem=f"its title does not have 1 to {TITLE_CHARS} characters")


def check_text(text: str) -> None:
    """Check the text of a message."""
    if not text.strip():
        raise ChatError("message_empty")
    check_length(text)


def check_length(text: str) -> None:
    """Check the length of a message or an answer."""
    if len(text) > MESSAGE_CHARS:
        raise ChatError("message_too_long", length=f"{len(text):,}", limit=f"{MESSAGE_CHARS:,}")


def check_feedback(score: int, comment: str) -> None:
    """Check the feedback on an answer."""
    if score not in SCORES:
        raise ChatError("bad_frame", problem=f"its score is not one of {', '.join(map(str, SCORES))}")
    if len(comment) > COMMENT_CHARS:
        raise ChatError("bad_frame", problem=f"its comment has more than {COMMENT_CHARS:,} characters")


def cleaned(value: Mapping[str, Any] | None) -> dict[str, Any] | None:
    """Return an object that somebody sent, with broken text in it replaced.

    Python reads and writes numbers that JSON doesn't have; they would break the frames of everybody who reads them.
    """
    if value is None:
        return None
    try:
        text = json.dumps(value, ensure_ascii=False, allow_nan=False)
    except ValueError as error:
        raise ChatError("bad_frame", problem="it has a number that JSON cannot hold") from error
    return dict(json.loads(clean(text)))


def one_line(text: str) -> str:
    """Return a name or a title without characters that break a line, are invisible, or change the text direction."""
    return " ".join(_UNSEEN.sub(" ", clean(text)).split())


_UNSEEN = re.compile("[\x00-\x1f\x7f-\x9f\u2028-\u202e\u2066-\u2069]")
