"""A WebSocket client for tests that collects frames and waits for the ones a test names."""

from __future__ import annotations

import json
import socket
import struct
import time
from collections.abc import Callable
from typing import Any
from urllib.parse import urlencode

from websockets.exceptions import ConnectionClosed
from websockets.sync.client import ClientConnection, connect

from tests.certificates import trust

Frame = dict[str, Any]

PATIENCE = 60  # seconds until a waiting test gives up; never reached when it passes


class ChatClient:
    """One connection. `frames` holds everything received so far."""

    def __init__(self, address: str, origin: str | None = None, cookie: str | None = None, **query: object) -> None:
        url = address + ("?" + urlencode(query) if query else "")
        headers = {name: value for name, value in (("Origin", origin), ("Cookie", cookie)) if value is not None}
        context = trust() if url.startswith("wss:") else None
        self.socket: ClientConnection = connect(
            url,
            ssl=context,
            compression=None,
            additional_headers=headers,
            max_size=None,
            max_queue=None,
            proxy=None,
            open_timeout=PATIENCE,
        ).__enter__()
        self.frames: list[Frame] = []
        self.heartbeats = 0  # which are not in `frames`: a slow test gets some, a quick one none

    def __enter__(self) -> ChatClient:
        return self

    def __exit__(self, *exception: object) -> None:
        self.socket.close()

    def receive(self) -> Frame:
        frame: Frame = json.loads(self.socket.recv(timeout=PATIENCE))
        while frame["type"] == "heartbeat":
            self.heartbeats += 1
            frame = json.loads(self.socket.recv(timeout=PATIENCE))
        self.frames.append(frame)
        return frame

    def until(self, type: str, where: Callable[[Any], bool] = lambda content: True, turn: int | None = None) -> Frame:
        """Return the next frame with this type, content and turn."""
        while True:
            frame = self.receive()
            if frame["type"] == type and where(frame["content"]) and turn in {None, frame.get("turn")}:
                return frame

    def confirmed(self) -> Any:
        """Return the content of the first frame, which must be connection_confirmed."""
        first = self.receive()
        assert first["type"] == "connection_confirmed"
        return first["content"]

    def say(self, text: str) -> None:
        """Send a plain text frame, as wscat does."""
        self.socket.send(text)

    def command(self, type: str, **content: object) -> None:
        self.socket.send(json.dumps({"type": type, "content": content}))

    def ask(self, text: str) -> list[Frame]:
        """Say something, and return the frames up to the end of the turn that answers it."""
        start = len(self.frames)
        self.say(text)
        self.until("turn_completed")
        return self.frames[start:]

    def cut(self) -> None:
        """Reset the TCP connection, as a broken network does."""
        self.socket.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.socket.socket.shutdown(socket.SHUT_RD)  # wakes the reading thread, which then closes: a reset
        self.socket.recv_events_thread.join(PATIENCE)

    def close_code(self) -> int | None:
        """Receive until the server closes the connection and return the close code."""
        try:
            while True:
                self.receive()
        except ConnectionClosed as closed:
            return closed.rcvd.code if closed.rcvd else None

    @property
    def log(self) -> list[Frame]:
        """Return the frames received so far that are in the log."""
        return [frame for frame in self.frames if "seq" in frame]

    @property
    def streamed(self) -> str:
        return "".join(frame["content"]["content"] for frame in self.frames if frame["type"] == "stream")


def types(frames: list[Frame]) -> list[str]:
    """Return the types of those frames, counting the chunks of a stream once."""
    names = [frame["type"] for frame in frames]
    return [name for place, name in enumerate(names) if name != "stream" or names[place - 1] != "stream"]


def contents(frames: list[Frame], type: str) -> list[Any]:
    return [frame["content"] for frame in frames if frame["type"] == type]


def wait_until(condition: Callable[[], bool]) -> None:
    """Wait for something that no event announces, such as closed threads and descriptors."""
    deadline = time.monotonic() + PATIENCE
    while not condition():
        assert time.monotonic() < deadline, "still not"
        time.sleep(0.01)
