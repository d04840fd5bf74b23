"""HTTP clients for tests: RestClient reads whole responses, EventStream follows a stream."""

from __future__ import annotations

import http.client
import json
import socket
import struct
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, Protocol
from urllib.parse import urlencode, urlsplit

from tests.certificates import trust
from tests.clients import PATIENCE, Frame

SESSIONS = "/api/agent-chat/sessions"
JSON_TYPE = {"Content-Type": "application/json"}


class Server(Protocol):
    """A running server, in this process or another."""

    @property
    def page(self) -> str: ...


@dataclass(frozen=True)
class Answer:
    """A whole response."""

    status: int
    headers: http.client.HTTPMessage
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)

    @property
    def code(self) -> str:
        """Return the error's code and assert that the error has the usual shape."""
        assert set(self.json) == {"error"}
        assert set(self.json["error"]) == {"code", "message"}
        return str(self.json["error"]["code"])


class RestClient:
    """Sends requests to one server, each on a new connection."""

    def __init__(self, server: Server) -> None:
        self.netloc = urlsplit(server.page).netloc
        self.is_secure = server.page.startswith("https:")

    def ask(self, method: str, path: str, body: object = None, headers: dict[str, str] | None = None) -> Answer:
        """Send a request and return the response. `body` is sent as JSON unless it is bytes."""
        connection = new_connection(self.netloc, self.is_secure)
        data = body if isinstance(body, bytes) or body is None else json.dumps(body).encode()
        connection.request(method, path, data, {**(JSON_TYPE if body is not None else {}), **(headers or {})})
        response = connection.getresponse()
        answer = Answer(response.status, response.headers, response.read())
        connection.close()
        return answer

    def get(self, path: str, **query: object) -> Answer:
        return self.ask("GET", with_query(path, query))

    def post(self, path: str, body: object = None, **query: object) -> Answer:
        return self.ask("POST", with_query(path, query), body)

    def new_session(self, **body: object) -> Conversation:
        answer = self.post(SESSIONS, {"agent": "weather", **body})
        assert answer.status == 201
        return Conversation(self, answer.json["id"])


@dataclass(frozen=True)
class Conversation:
    """A session, as a client sees it."""

    client: RestClient
    id: str

    @property
    def path(self) -> str:
        return f"{SESSIONS}/{self.id}"

    def get(self, what: str = "", **query: object) -> Answer:
        return self.client.get(self.path + what, **query)

    def post(self, what: str, body: object = None, **query: object) -> Answer:
        return self.client.post(f"{self.path}/{what}", body, **query)

    def ask(self, text: str, **body: object) -> Any:
        """Send a message and return the turn that answers it."""
        answer = self.post("messages", {"text": text, **body}, wait=PATIENCE)
        assert answer.status == 200
        return answer.json

    @property
    def log(self) -> list[Frame]:
        events: list[Frame] = self.get("/events", limit=1000).json["events"]
        return events

    def stream(self, **query: object) -> EventStream:
        path = with_query(f"{self.path}/events", query)
        return EventStream(self.client.netloc, path, is_secure=self.client.is_secure)


@dataclass
class Message:
    """A message of an event stream."""

    id: str = ""
    data: str = ""
    retry: str = ""
    event: str = ""
    comment: str | None = None

    @property
    def frame(self) -> Any:
        return json.loads(self.data)


@dataclass
class EventStream:
    """A connection that reads an event stream line by line, strictly by its format."""

    netloc: str
    path: str
    headers: dict[str, str] = field(default_factory=dict)
    body: object = None
    frames: list[Frame] = field(default_factory=list)
    receive_buffer: int = 0  # bytes; 0 for the system's default
    is_secure: bool = False

    def __enter__(self) -> EventStream:
        self.connection = new_connection(self.netloc, self.is_secure)
        if self.receive_buffer:
            self.connection.sock = socket.socket()
            self.connection.sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, self.receive_buffer)
            self.connection.sock.settimeout(PATIENCE)
            self.connection.sock.connect((self.connection.host, self.connection.port))
        headers = {"Accept": "text/event-stream", **JSON_TYPE, **self.headers}
        data = None if self.body is None else json.dumps(self.body)
        self.connection.request("GET" if data is None else "POST", self.path, data, headers)
        self.socket = self.connection.sock
        self.response = self.connection.getresponse()
        return self

    def __exit__(self, *exception: object) -> None:
        self.response.close()
        self.connection.close()

    def messages(self) -> Iterator[Message]:
        """Yield messages until the stream ends."""
        message = Message()
        for line in self.response:
            name, _, value = line.decode().rstrip("\n").partition(": ")
            if name:
                setattr(message, name.rstrip(":"), value)
            elif line == b"\n":
                yield message
                message = Message()
            else:
                message.comment = value

    def receive(self) -> Frame:
        """Return the next frame, skipping heartbeats."""
        message = next(message for message in self.messages() if message.data and not message.event)
        frame: Frame = message.frame
        assert message.id.rpartition("-")[2] == str(frame.get("seq", ""))
        self.frames.append(frame)
        return frame

    def until(self, type: str) -> Frame:
        while True:
            frame = self.receive()
            if frame["type"] == type:
                return frame

    @property
    def log(self) -> list[Frame]:
        """The frames received so far that are in the log."""
        return [frame for frame in self.frames if "seq" in frame]

    def cut(self) -> None:
        """Reset the TCP connection, as a broken network does."""
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.response.close()
        self.connection.close()


def new_connection(netloc: str, is_secure: bool) -> http.client.HTTPConnection:
    """Return a connection to that host and port, which must show a certificate of the tests if it `is_secure`."""
    if is_secure:
        return http.client.HTTPSConnection(netloc, timeout=PATIENCE, context=trust())
    return http.client.HTTPConnection(netloc, timeout=PATIENCE)


def with_query(path: str, query: dict[str, object]) -> str:
    return f"{path}?{urlencode(query)}" if query else path
