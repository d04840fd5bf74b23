"""Server-Sent Events: a session as an event stream."""

from __future__ import annotations

import time
from collections.abc import Generator

from agentchat.http import waiting
from agentchat.http.routes import EVENT_STREAM, Stream
from agentchat.http.waiting import Client
from agentchat.protocol import events
from agentchat.protocol.errors import ChatError
from agentchat.sessions.cursor import Cursor
from agentchat.sessions.registry import Session

RETRY = 2000  # ms after which a browser connects anew
HEADERS = {"Cache-Control": "no-cache", "X-Accel-Buffering": "no"}  # the latter for proxies that would collect
SILENCE = ": \n\n"

_LOG_FRAME = '{"seq":'


def stream(pieces: Generator[str, None, None]) -> Stream:
    """The answer that sends these pieces as they come."""
    return Stream(EVENT_STREAM, pieces, HEADERS, is_endless=True)


def message(data: str) -> str:
    """A message with one line of data; its id is its place in the log, if it has one."""
    id = f"id: {data[len(_LOG_FRAME) : data.index(',')]}\n" if data.startswith(_LOG_FRAME) else ""
    return f"{id}data: {data}\n\n"


def place(last_event_id: str | None, after: int) -> int:
    """Where a stream begins. What a browser remembers wins; -1 for a place that no log has."""
    if not last_event_id:
        return after
    is_number = last_event_id.isascii() and last_event_id.isdigit() and len(last_event_id) < 16
    return int(last_event_id) if is_number else -1


def watch(session: Session, client: Client, after: int, name: str, role: str, show: str) -> Generator[str, None, None]:
    """What happens in the session, for as long as there is somebody to tell. Nobody sees a client without a name."""
    if name:
        session.join(name, role)
    try:
        cursor = Cursor(session.log, after, show=show)
        yield f"retry: {RETRY}\n" + message(session.confirmation(cursor, name, role))
        yield from _watch(session, client, cursor)
    finally:
        if name:
            session.part(name, role)


def _watch(session: Session, client: Client, cursor: Cursor) -> Generator[str, None, None]:
    said = time.monotonic()
    session.log.follow(client.wake)
    try:
        while not (client.is_gone or client.is_ending):
            news = [] if cursor.is_over else cursor.advance()
            if cursor.is_over:
                yield message(events.error_frame(ChatError("session_deleted")))
                return
            if not news and time.monotonic() - said >= waiting.HEARTBEAT:
                yield SILENCE
                said = time.monotonic()
            if news:
                yield "".join(map(message, news))
                said = time.monotonic()
            else:
                client.wait(said + waiting.HEARTBEAT - time.monotonic())
    finally:
        session.log.unfollow(client.wake)
