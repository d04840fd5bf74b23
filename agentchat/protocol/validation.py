"""What people may send. Each check raises ChatError for what they may not."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Any

from agentchat.protocol.errors import ChatError
from agentchat.protocol.events import clean

MESSAGE_CHARS = 200_000  # the longest message; about what the largest models read in one go
ID_CHARS = 100
TITLE_CHARS = 200


def check_id(id: str | None) -> None:
    """Of a message; None for one that is to be made."""
    if id is not None and not 0 < len(id) <= ID_CHARS:
        raise ChatError("bad_frame", problem=f"its id has not 1 to {ID_CHARS} characters")
    if id is not None and id != clean(id):
        raise ChatError("bad_frame", problem="its id is no valid text")


def check_title(title: str) -> None:
    """Of a session."""
    if not one_line(title) or len(title) > TITLE_CHARS:
        raise ChatError("bad_frame", problem=f"its title has not 1 to {TITLE_CHARS} characters")


def cleaned(value: Mapping[str, Any] | None) -> dict[str, Any] | None:
    """An object that people send along, with broken text in it replaced.

    Python reads and writes numbers that JSON does not have; they would break the frames of all who read them.
    """
    if value is None:
        return None
    try:
        text = json.dumps(value, ensure_ascii=False, allow_nan=False)
    except ValueError as error:
        raise ChatError("bad_frame", problem="it has a number that JSON cannot hold") from error
    return dict(json.loads(clean(text)))


def one_line(text: str) -> str:
    """A name or a title, without what would break a line, hide, or turn the direction of what follows."""
    return " ".join(_UNSEEN.sub(" ", clean(text)).split())


_UNSEEN = re.compile("[\x00-\x1f\x7f-\x9f\u2028-\u202e\u2066-\u2069]")


def check_text(text: str) -> None:
    """Of a message."""
    if not text.strip():
        raise ChatError("message_empty")
    check_length(text)


def check_length(text: str) -> None:
    """Of a message or an answer."""
    if len(text) > MESSAGE_CHARS:
        raise ChatError("message_too_long", length=f"{len(text):,}", limit=f"{MESSAGE_CHARS:,}")
