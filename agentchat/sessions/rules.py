"""The settings that apply to all sessions."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class SessionRules:
    """The settings that apply to all sessions. 0 means no limit."""

    busy: str = "enqueue"
    """One of BUSY_MODES, for messages that arrive while a turn runs."""
    input_timeout: float = 0
    """Seconds that a question waits for its answer."""
    turn_timeout: float = 0
    """Seconds that a turn may work."""
    max_messages: int = 1000
    """People's messages that count, in one session."""
    waiting_messages: int = 20
    """Messages that wait for their turns in one session."""
    waiting_chars: int = 1_000_000
    """Characters of the messages that wait in one session."""
    waiting_messages_per_person: int = 50
    """Messages of one person that wait."""
    waiting_chars_per_person: int = 2_000_000
    """Characters of the messages of one person that wait."""
    waiting_messages_in_all: int = 2000
    """Messages that wait in all sessions."""
    waiting_chars_in_all: int = 40_000_000
    """Characters of all messages that wait."""
    messages_per_second: float = 40
    """Messages and other changes of one person in a second, over 10 seconds."""
    messages_per_second_in_all: float = 1000
    """Messages and other changes of everybody in a second, over 10 seconds."""
    new_sessions_per_minute: float = 20
    """Sessions that one person creates in a minute, over 10 minutes."""
    new_sessions_per_minute_in_all: float = 1000
    """Sessions that everybody creates in a minute, over 10 minutes."""
    sessions_per_person: int = 1000
    """Sessions that one person has created and that exist."""
    sessions_in_all: int = 100_000
    """Sessions that exist."""
    turns_per_day: int = 0
    """Turns of one person in a day."""
    tokens_per_day: int = 0
    """Tokens of one person in a day."""
    cost_per_day: float = 0
    """US dollars of one person in a day."""
    live_questions: int = 4
    """Open questions whose turns wait in memory; the others are brought back by their answers."""
    turns: int = 0
    """Turns that run at once."""
    turns_per_person: int = 0
    """Turns of one person that run at once."""
    heartbeat: float = 20
    """Seconds without anything else to send, after which a client is sent a heartbeat."""
    ttl_hours: float = 0
    """Hours for which a session is kept after its last event."""
