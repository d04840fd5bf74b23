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
    live_questions: int = 4
    """Open questions whose turns wait in memory; the others are brought back by their answers."""
    turns: int = 0
    """Turns that run at once."""
    turns_per_person: int = 0
    """Of them, those of one person."""
    ttl_hours: float = 0
    """Hours for which a session is kept after its last event."""
