"""Server-Sent Events: the format of event streams."""

from __future__ import annotations

from collections.abc import Generator

from agentchat.http.routes import EVENT_STREAM, Stream
from agentchat.protocol import events

RETRY = "retry: 2000\n"  # ms after which a browser reconnects
COMMENT = ": \n\n"  # for proxies; clients skip it

_HEADERS = {"Cache-Control": "no-cache", "X-Accel-Buffering": "no"}  # the latter keeps proxies from buffering


def event_stream(pieces: Generator[str, None, None]) -> Stream:
    """A response that sends these messages as they come."""
    return Stream(EVENT_STREAM, pieces, _HEADERS, is_endless=True)


def silence(interval: float, heartbeat: str | None = None) -> str:
    """Format what is sent when there is nothing else to send: a heartbeat, or a comment if there are none."""
    return message(heartbeat or events.heartbeat_frame(interval), event="heartbeat") if interval else COMMENT


def message(data: str, id: str = "", event: str = "") -> str:
    """Format a message. `data` must be a single line."""
    fields = {"id": id, "event": event}
    return "".join(f"{name}: {value}\n" for name, value in fields.items() if value) + f"data: {data}\n\n"
