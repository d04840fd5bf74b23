"""Following one turn from its message to its end."""

from __future__ import annotations

import math
import time
from collections.abc import Iterator

from agentchat.http import waiting
from agentchat.http.waiting import Client
from agentchat.protocol.errors import ChatError
from agentchat.protocol.events import Event
from agentchat.sessions.registry import Session


def follow(session: Session, message: Event, client: Client, seconds: float = math.inf) -> Iterator[list[Event]]:
    """The events of the message's turn as they come, that of the message first.

    Ends with the turn, or when time is up, the client is gone or the server ends. What is yielded may be empty: then
    nothing happened, for no longer than a heartbeat. Raises ChatError when the session is deleted.
    """
    deadline = time.monotonic() + seconds
    seq = message.seq - 1
    session.log.follow(client.wake)
    try:
        while True:
            news, seq = _news(session, message.turn, seq)
            yield news
            if has_ended(news):
                return
            if session.log.is_deleted:
                raise ChatError("session_deleted")
            left = deadline - time.monotonic()
            if client.is_gone or client.is_ending or left <= 0:
                return
            client.wait(min(left, waiting.HEARTBEAT))
    finally:
        session.log.unfollow(client.wake)


def has_ended(events: list[Event]) -> bool:
    return any(event.type == "turn_completed" for event in events)


def asks(events: list[Event]) -> list[Event]:
    """The questions among a turn's events that have no answer among them."""
    answered = {event.content["request_id"] for event in events if event.type == "input_response"}
    asked = [event for event in events if event.type == "input_request"]
    return [event for event in asked if event.content["request_id"] not in answered]


def _news(session: Session, turn: int, seq: int) -> tuple[list[Event], int]:
    """The turn's events behind `seq`, and how far the log was read."""
    found: list[Event] = []
    while seq < session.log.view.last_seq and not has_ended(found):
        page = [event for event, _ in session.log.read(seq)]
        if not page:
            break  # deleted meanwhile
        seq = page[-1].seq
        found += [event for event in page if event.turn == turn]
    return found, seq
