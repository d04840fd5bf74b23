"""What all sessions of a server share."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from agentchat.ag2.conversation import Conversation
from agentchat.chat import Chat, SessionView
from agentchat.sessions.presence import Desk
from agentchat.settings import CHOICES
from agentchat.store import Store

BUSY = CHOICES["busy"]

NewConversation = Callable[[str, Chat, Iterable[str]], Conversation]
NewChat = Callable[[str, SessionView], Chat]


@dataclass(frozen=True)
class Policy:
    """What people settled for all sessions. 0 means no limit."""

    busy: str = "enqueue"
    """One of BUSY: what becomes of a message while a turn runs."""
    input_timeout: float = 0
    """Seconds a question waits for its answer."""
    max_messages: int = 1000
    ttl_hours: float = 0
    """Hours after its last event for which a session is kept."""


@dataclass(frozen=True)
class Services:
    """What all sessions of a server share."""

    store: Store
    new_conversation: NewConversation
    new_chat: NewChat
    redact: Callable[[str], str]
    clear: Callable[[str], None]
    """Removes what else a session has left."""
    model: Mapping[str, Any]
    rules: Policy = Policy()
    desk: Desk = field(default_factory=Desk)
    is_closing: threading.Event = field(default_factory=threading.Event)
