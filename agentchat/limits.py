"""What people may send. Each check raises ChatError for what they may not."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from agentchat.errors import ChatError

MESSAGE_CHARS = 200_000  # the longest message; about what the largest models read in one go
ID_CHARS = 100
TITLE_CHARS = 200


def check_id(id: str | None) -> None:
    """Of a message; None for one that is to be made."""
    if id is not None and not 0 < len(id) <= ID_CHARS:
        raise ChatError("bad_frame", problem=f"its id has not 1 to {ID_CHARS} characters")


def check_title(title: str) -> None:
    """Of a session."""
    if not title.strip() or len(title) > TITLE_CHARS:
        raise ChatError("bad_frame", problem=f"its title has not 1 to {TITLE_CHARS} characters")


def check_numbers(value: Mapping[str, Any] | None) -> None:
    """Python reads and writes numbers that JSON does not have; they would break the frames of all who read them."""
    try:
        json.dumps(value, allow_nan=False)
    except ValueError as error:
        raise ChatError("bad_frame", problem="it has a number that JSON cannot hold") from error


def check_text(text: str) -> None:
    """Of a message."""
    if not text.strip():
        raise ChatError("message_empty")
    check_length(text)


def check_length(text: str) -> None:
    """Of a message or an answer."""
    if len(text) > MESSAGE_CHARS:
        raise ChatError("message_too_long", length=f"{len(text):,}", limit=f"{MESSAGE_CHARS:,}")
