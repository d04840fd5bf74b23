"""The turns that run, wait for an answer or wait to begin, in all sessions of a server, and how many there are."""

from __future__ import annotations

from dataclasses import dataclass

ORDER = ("running", "queued", "waiting")


@dataclass(frozen=True)
class Figures:
    """The number of turns, waiting messages and sessions in memory."""

    in_memory: int
    running: int
    waiting: int
    """Turns that wait for an answer."""
    queued: int
    """Turns that wait for others to end."""
    waiting_messages: int


@dataclass(frozen=True)
class RunningTurn:
    """The turn that a session is at."""

    session: str
    turn: int
    status: str
    """`running`, `queued` for its turn to begin, or `waiting` for an answer."""
    agent: str
    title: str
    user: str
    """The id of whoever wrote the message."""
    name: str
    """The name of whoever wrote the message."""
    since: str
    """When it began, or the message came."""
