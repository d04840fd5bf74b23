"""A client that reads a session as Server-Sent Events, and comes back with Last-Event-ID."""

from __future__ import annotations

import contextlib
import http.client
import socket
import threading
from urllib.parse import urlsplit

from tests.faults.person import Addresses, Person, Seen
from tests.rest_client import EventStream, with_query


class EventReader(Person):
    """A person who only reads, and over HTTP."""

    resumes = 0
    """The number of times it came back with Last-Event-ID."""
    _stream_now: EventStream | None = None

    @property
    def is_connected(self) -> bool:
        return self._stream_now is not None

    def connect(self, addresses: Addresses) -> None:
        self.asked_for = self.session
        headers = {"Last-Event-ID": str(self.last)} if self.last else {}
        path = with_query(f"/api/agent-chat/sessions/{self.session}/events", {"name": self.name, "role": "viewer"})
        stream = EventStream(urlsplit(addresses.page).netloc, path, headers)
        try:
            stream.__enter__()
        except (OSError, http.client.HTTPException):
            return
        if stream.response.status != 200:
            self.refused = stream.response.status
            stream.__exit__()
            return
        self.resumes += bool(headers)
        self._stream_now = stream
        self._streams.clear()
        threading.Thread(target=self._read_events, args=(stream,), name=f"reads-{self.name}", daemon=True).start()

    def cut(self) -> None:
        if self._stream_now is not None:
            with contextlib.suppress(OSError):
                self._stream_now.socket.shutdown(socket.SHUT_RDWR)

    tear = leave = cut  # it sends nothing that could be torn

    def gone(self) -> None:
        self._stream_now = None
        self.is_here = self.is_late = False

    def _read_events(self, stream: EventStream) -> None:
        try:
            while True:
                self._tell(Seen(self, stream.receive()))
        except (OSError, ValueError, AttributeError, StopIteration, http.client.HTTPException):
            pass  # it ended, or was cut in the middle of a message
        except AssertionError:
            self.complaints.append(f"{self.name} got an event whose id is not its seq")
        stream.__exit__()
        self._tell(Seen(self, None))
