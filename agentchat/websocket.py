"""The WebSocket server: who may connect, to which session, and what their frames mean.

Two threads serve a connection: `websockets` reads its socket in one, and `on_connect` carries out its commands in
another. What goes out is written by delivery.py.
"""

from __future__ import annotations

import contextlib
import json
import logging
import time
from collections.abc import Iterator
from typing import Any
from urllib.parse import parse_qs, urlsplit

from autogen.io.websockets import IOWebsockets
from websockets.datastructures import MultipleValuesError
from websockets.exceptions import ConnectionClosed
from websockets.http11 import Request, Response
from websockets.sync.server import ServerConnection

from agentchat import __version__, events
from agentchat.catalogue import Catalogue
from agentchat.cursor import Cursor
from agentchat.delivery import Client, Connection, Deliverer
from agentchat.errors import ChatError
from agentchat.listener import Listener
from agentchat.models import Models
from agentchat.origins import Origins
from agentchat.sessions import Session, Sessions

log = logging.getLogger(__name__)

MAX_FRAME = 4 * 2**20  # bytes; a message of the longest text fits, whatever its script
CLOSE_TIMEOUT = 2.0  # seconds a client has to agree to the end
COMMANDS = frozenset({"message", "stop", "input_response", "retry", "edit", "typing", "feedback"})


class Server:
    """The WebSocket side of the chat server."""

    def __init__(self, sessions: Sessions, catalogue: Catalogue, models: Models, origins: Origins) -> None:
        self._sessions = sessions
        self._catalogue = catalogue
        self._models = models
        self._origins = origins
        self._deliverer = Deliverer()

    @contextlib.contextmanager
    def run(self, listener: Listener) -> Iterator[None]:
        """Serve on `listener` until the context ends; then all clients are told that the server goes away."""
        with (
            self._deliverer,
            IOWebsockets.run_server_in_thread(
                host=None,  # `sock` stands for both: bound before any thread starts, so a taken port is an error
                port=None,
                sock=listener,
                on_connect=self._on_connect,
                create_connection=Connection,
                process_request=self._process_request,
                compression=None,  # costs 64 KiB a connection and a third of the time a token takes
                max_size=MAX_FRAME,
                ping_interval=None,  # the deliverer pings, without a thread for each connection
                close_timeout=CLOSE_TIMEOUT,
                server_header=None,
                logger=logging.getLogger("agentchat.websockets"),
            ),
        ):
            try:
                yield
            finally:
                self._say_goodbye()
                listener.hang_up()

    def _say_goodbye(self) -> None:
        """Close all connections at once; one after another, rude clients would each cost the close timeout."""
        deadline = time.monotonic() + CLOSE_TIMEOUT
        clients = self._deliverer.clients()
        for client in clients:
            client.connection.leave()
        for client in clients:
            client.connection.recv_events_thread.join(max(deadline - time.monotonic(), 0))

    def _process_request(self, connection: ServerConnection, request: Request) -> Response | None:
        try:
            self._origins.check(request.headers.get("Host"), request.headers.get("Origin"))
        except MultipleValuesError:
            return connection.respond(400, "A header that may stand once stands twice.\n")
        except ChatError as error:
            return connection.respond(error.row.status, error.message + "\n")
        return None

    def _on_connect(self, stream: IOWebsockets) -> None:
        connection = stream.websocket
        client = Client(connection, self._deliverer)
        self._deliverer.add(client)
        try:
            self._serve(connection, client)
        except ConnectionClosed:
            log.debug("A client went away")
        except ChatError as error:
            _end(connection, error)
        except Exception:
            log.exception("A connection failed")
            _end(connection, ChatError("internal"))
        finally:
            self._deliverer.remove(client)

    def _serve(self, connection: Connection, client: Client) -> None:
        assert connection.request is not None
        query = _Query(connection.request.path)
        session, replaced = self._enter(query)
        try:
            cursor = Cursor(session, query.after)
            client.tell(self._confirmation(session, cursor, replaced))
            client.cursor = cursor  # after the first frame was put in its place
            session.follow(client.wake)
            client.wake()
            for frame in connection:
                self._receive(frame, session, client, query.name)
        finally:
            session.unfollow(client.wake)
            self._sessions.leave(session)

    def _enter(self, query: _Query) -> tuple[Session, str | None]:
        """The session a connection asks for, and the id it replaces if that is another one."""
        if query.session:
            session = self._sessions.open(query.session)
            if session is not None:
                return session, None
        agent = query.agent or self._catalogue.default
        if agent is None:
            agents = ", ".join(info.name for info in self._catalogue.agents()) or "none"
            raise ChatError("agent_unknown", agent="", agents=agents)
        self._catalogue.check(agent)
        return self._sessions.create(agent), query.session or None

    def _confirmation(self, session: Session, cursor: Cursor, replaced: str | None) -> str:
        type, content = events.own(
            events.ConnectionConfirmedEvent(
                session_id=session.id,
                agent=session.agent,
                last_seq=session.view.last_seq,
                status="running" if session.is_running else "idle",
                recovered=cursor.recovered,
                replaced=replaced,
                open_requests=[],
                queue=session.queue,
                participants=[],
                model={"name": self._models.name, "demo": self._models.is_demo},
                server={"name": "agentchat", "version": __version__},
            )
        )
        return events.live_frame(type, content)

    def _receive(self, frame: str | bytes, session: Session, client: Client, name: str) -> None:
        try:
            _carry_out(frame, session, name)
        except ChatError as error:
            client.tell(_error_frame(error))


class _Query:
    """What a client asks for in the address it connects to."""

    def __init__(self, path: str) -> None:
        values = parse_qs(urlsplit(path).query)
        self.agent = values.get("agent", [""])[0]
        self.session = values.get("session", [""])[0]
        self.name = values.get("name", [""])[0].strip()[:100] or "user"
        after = values.get("after", ["0"])[0]
        self.after = int(after) if after.isascii() and after.isdigit() and len(after) < 16 else -1


def _carry_out(frame: str | bytes, session: Session, name: str) -> None:
    """A text frame is a message, unless it is a JSON object of a known type: then it is a command."""
    if isinstance(frame, bytes):
        raise ChatError("bad_frame", problem="it is binary; send text")
    command = _command(frame)
    if command is None:
        session.post(frame, name)
        return
    content = command.get("content", {})
    if not isinstance(content, dict):
        raise ChatError("bad_frame", problem="its content is not an object")
    if command["type"] == "message":
        text = _field(content, "text", str)
        context = _field(content, "context", dict, {})
        session.post(text, name, _message_id(content), context)
    elif command["type"] == "stop":
        session.stop(_field(content, "turn", int, None))
    else:
        raise ChatError("unsupported", type=command["type"])


def _command(frame: str) -> dict[str, Any] | None:
    if not frame.lstrip().startswith("{"):
        return None
    try:
        value = json.loads(frame)
    except (ValueError, RecursionError):
        return None
    is_command = isinstance(value, dict) and isinstance(value.get("type"), str) and value["type"] in COMMANDS
    return value if is_command else None


_REQUIRED = object()


def _field(content: dict[str, Any], name: str, kind: type, default: Any = _REQUIRED) -> Any:
    value = content.get(name)
    if value is None and default is not _REQUIRED:
        return default
    if not isinstance(value, kind) or isinstance(value, bool):
        kinds = {str: "text", dict: "an object", int: "a number"}
        raise ChatError("bad_frame", problem=f"its {name} is not {kinds[kind]}")
    return value


def _message_id(content: dict[str, Any]) -> str | None:
    id: str | None = _field(content, "id", str, None)
    if id is not None and not 0 < len(id) <= 100:
        raise ChatError("bad_frame", problem="its id has not 1 to 100 characters")
    return id


def _error_frame(error: ChatError) -> str:
    return events.live_frame("error", events.error_content(error.code, error.message, error.row.retryable))


def _end(connection: Connection, error: ChatError) -> None:
    """Say why, then end the connection with the close code of the error's row."""
    connection.write(lambda: connection.send_texts([_error_frame(error)]))
    connection.close(error.row.close or 1011)
