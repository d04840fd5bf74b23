"""One client across all its connections: the part of the log it saw, in the order received."""

from __future__ import annotations

import contextlib
import json
import threading
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from websockets.exceptions import ConnectionClosed, InvalidHandshake

from tests.clients import ChatClient, Frame
from tests.faults.plan import Part

TORN = b"\x81\xfe\x10\x00\x01\x02\x03\x04half"  # the start of a frame of 4096 bytes


@dataclass(frozen=True)
class Seen:
    """A person received a frame, or lost the connection if there is none."""

    person: Person
    frame: Frame | None


@dataclass(frozen=True)
class Addresses:
    """The addresses of a server that is up."""

    websocket: str
    page: str


class Person:
    """A client that reconnects with the last seq it saw; everything but reading happens in one thread."""

    def __init__(self, part: Part, agent: str, tell: Callable[[Seen], None]) -> None:
        self.name = part.name
        self.role = part.role
        self.is_member = part.role == "member"
        self.session = ""
        self.seen: list[Frame] = []
        """Events of the log, over all connections."""
        self.confirmations: list[Any] = []
        self.complaints: list[str] = []
        self.is_here = False
        """Connected, and confirmed."""
        self.replaced = False
        """The session was asked for again, and another one came in its place."""
        self.asked_for = ""
        """The session that this connection asked for."""
        self.is_late = False
        """The others have gone on in another session than this connection asked for; whatever it brings is ignored."""
        self.was_told_gone = False
        self.refused = 0
        """The status of a request that was refused."""
        self.away = 0
        """The number of events before it comes back."""
        self._query = {"agent": agent, "name": part.name, "role": part.role}
        self._tell = tell
        self._client: ChatClient | None = None
        self._offered: Any = None
        self._streams: dict[str, str] = {}  # by message, on this connection

    @property
    def is_connected(self) -> bool:
        return self._client is not None

    @property
    def last(self) -> int:
        return int(self.seen[-1]["seq"]) if self.seen else 0

    def connect(self, addresses: Addresses) -> None:
        """Connect or reconnect; if the server has died in the meantime, nothing happens."""
        self.asked_for = self.session
        place: dict[str, Any] = {"session": self.session, "after": self.last} if self.session else {}
        try:
            self._client = ChatClient(addresses.websocket, **self._query, **place)
        except (OSError, EOFError, ConnectionClosed, InvalidHandshake, TimeoutError):
            return
        self._streams.clear()
        threading.Thread(target=self._read, args=(self._client,), name=f"reads-{self.name}", daemon=True).start()

    def send(self, type: str, **content: object) -> None:
        """Send a frame; it is lost if the connection is, as for any client."""
        assert self._client is not None
        with contextlib.suppress(ConnectionClosed, OSError):  # the reading thread reports it
            self._client.command(type, **content)

    def cut(self) -> None:
        """Reset the connection."""
        if self._client is not None:
            with contextlib.suppress(OSError):  # the server closed it first
                self._client.cut()

    def tear(self) -> None:
        """Cut the connection in the middle of a frame."""
        if self._client is not None:
            try:
                self._client.socket.socket.sendall(TORN)
            except OSError:
                return
            self.cut()

    def leave(self) -> None:
        """Close the connection properly."""
        if self._client is not None:
            self._client.socket.close()

    def gone(self) -> None:
        """Note that the connection is gone and all it received was processed."""
        if self._client is not None:
            self._client.socket.close()
        self._client = None
        self.is_here = self.is_late = False

    def take(self, frame: Frame) -> None:
        """Process a frame."""
        if not self.is_here:
            self._confirm(frame)
        elif "seq" in frame:
            if frame["seq"] != self.last + 1:
                self.complaints.append(f"{self.name} saw {self.last}, then {frame['seq']} {frame['type']}")
            self._end_stream(frame)
            self.seen.append(frame)
        elif frame["type"] == "stream":
            self._stream(frame["content"])

    def come_again(self) -> None:
        """Ask again, for the session in which the others are."""
        self.replaced, self.is_late = False, True
        self.cut()

    def adopt(self) -> str:
        """Go on in the session that came in place of another; return its id."""
        self.replaced, self.is_here = False, True
        self.session = str(self._offered["session_id"])
        self.confirmations.append(self._offered)
        return self.session

    def _confirm(self, frame: Frame) -> None:
        content = frame["content"]
        if frame["type"] != "connection_confirmed":
            self.complaints.append(f"the first frame for {self.name} was {frame}")
            return
        if self.asked_for and content["replaced"] == self.asked_for:
            self.replaced = True
            self._offered = content
            return
        self.is_here = True
        self.confirmations.append(content)
        if self.asked_for and content["session_id"] != self.asked_for:
            self.complaints.append(f"{self.name} came back to {self.asked_for} and got {content['session_id']}")
        elif self.asked_for and not content["recovered"]:
            self.complaints.append(f"{self.name} had seen {self.last}, but the log ends at {content['last_seq']}")
        self.session = content["session_id"]

    def _stream(self, content: Any) -> None:
        so_far = self._streams.get(content["message_id"], "")
        if content["offset"] == 0:
            so_far = ""
        elif content["offset"] != len(so_far):
            self.complaints.append(f"{self.name} had {len(so_far)} characters, then got {content}")
        self._streams[content["message_id"]] = so_far + content["content"]

    def _end_stream(self, frame: Frame) -> None:
        """Check that a streamed message is repeated whole on the same connection."""
        streamed = self._streams.pop(frame["content"].get("message_id", ""), None)
        if streamed is not None and streamed != frame["content"]["content"]:
            self.complaints.append(f"{self.name} saw {streamed!r} as a stream, and then {frame}")

    def _read(self, client: ChatClient) -> None:
        try:
            while True:
                self._tell(Seen(self, json.loads(client.socket.recv())))
        except (ConnectionClosed, OSError, EOFError):
            self._tell(Seen(self, None))
