"""Server-Sent Events: the format of event streams."""

from __future__ import annotations

from collections.abc import Generator

from agentchat.http.routes import EVENT_STREAM, Stream

RETRY = "retry: 2000\n"  # ms after which a browser reconnects
SILENCE = ": \n\n"  # a comment

_HEADERS = {"Cache-Control": "no-cache", "X-Accel-Buffering": "no"}  # the latter keeps proxies from buffering


def event_stream(pieces: Generator[str, None, None]) -> Stream:
    """A response that sends these messages as they come."""
    return Stream(EVENT_STREAM, pieces, _HEADERS, is_endless=True)


def message(data: str, id: str = "", event: str = "") -> str:
    """Format a message. `data` must be a single line."""
    fields = {"id": id, "event": event}
    return "".join(f"{name}: {value}\n" for name, value in fields.items() if value) + f"data: {data}\n\n"
