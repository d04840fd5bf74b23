"""What events say, as people read it."""

from __future__ import annotations

import json
from typing import Any

from agentchat.protocol.events import Event


def is_said(event: Event) -> bool:
    """A `text` that an agent said; not a person's words on their way to the agents, and not an empty one."""
    content = event.content
    return "message_id" in content and bool(text_of(content["content"]).strip())


def text_of(content: Any) -> str:
    """What was said, as text: contents of several parts hold it in some of them."""
    if isinstance(content, list):
        return "".join(str(part.get("text", "")) for part in content if isinstance(part, dict))
    return "" if content is None else str(content)


def arguments_of(arguments: Any) -> Any:
    """As an object where a model wrote one; as its text where it wrote nonsense."""
    try:
        return json.loads(arguments)
    except (TypeError, ValueError, RecursionError):
        return arguments
