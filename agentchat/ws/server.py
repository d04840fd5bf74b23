"""The WebSocket server: who may connect, to which session, and what their frames mean.

Two threads serve a connection: `websockets` reads its socket in one, and `on_connect` carries out its commands in
another. What goes out is written by delivery.py.
"""

from __future__ import annotations

import contextlib
import json
import logging
import time
from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple
from urllib.parse import parse_qs, urlsplit

from autogen.io.websockets import IOWebsockets
from websockets.datastructures import MultipleValuesError
from websockets.exceptions import ConnectionClosed
from websockets.http11 import Request, Response
from websockets.sync.server import ServerConnection

from agentchat.ag2.catalogue import Catalogue
from agentchat.net.listener import Listener
from agentchat.net.origins import Origins
from agentchat.protocol import events, handover, identity
from agentchat.protocol.errors import ChatError
from agentchat.protocol.validation import one_line
from agentchat.protocol.visibility import SHOWS
from agentchat.sessions.cursor import Cursor
from agentchat.sessions.presence import ROLES
from agentchat.sessions.registry import Session, Sessions
from agentchat.sessions.services import BUSY
from agentchat.ws.sending import Client, ClientConnection, Deliverer

log = logging.getLogger(__name__)

MAX_FRAME = 4 * 2**20  # bytes; a message of the longest text fits, whatever its script
CLOSE_TIMEOUT = 2.0  # seconds a client has to agree to the end
COMMANDS = frozenset(
    {
        "message",
        "input_response",
        "stop",
        "retry",
        "edit",
        "rename",
        "typing",
        "task",
        "take",
        "hand_back",
        "feedback",
    }
)


class Server:
    """The WebSocket side of the chat server."""

    def __init__(self, sessions: Sessions, catalogue: Catalogue, origins: Origins) -> None:
        self._sessions = sessions
        self._catalogue = catalogue
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
                create_connection=ClientConnection,
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

    def _serve(self, connection: ClientConnection, client: Client) -> None:
        assert connection.request is not None
        query = _Query(connection.request.path, "; ".join(connection.request.headers.get_all("Cookie")))
        session, replaced = self._enter(query)
        try:
            session.join(query.name, query.role)
            cursor = Cursor(session.log, query.after, owner=client, show=query.show)
            client.tell(session.confirmation(cursor, query.name, query.role, replaced))
            client.cursor = cursor  # after the first frame was put in its place
            session.log.follow(client.wake)
            client.wake()
            for frame in connection:
                _receive(frame, session, client, query)
        finally:
            session.log.unfollow(client.wake)
            session.part(query.name, query.role)
            self._sessions.leave(session)

    def _enter(self, query: _Query) -> tuple[Session, str | None]:
        """The session a connection asks for, and the id it replaces if that is another one."""
        if query.session:
            session = self._sessions.open(query.session)
            if session is not None:
                return session, None
        agent = self._catalogue.choose(query.agent)
        return self._sessions.create(agent), query.session or None


class _Query:
    """What a client asks for in the address it connects to."""

    def __init__(self, path: str, cookie: str) -> None:
        values = parse_qs(urlsplit(path).query)
        self.agent = values.get("agent", [""])[0]
        self.session = values.get("session", [""])[0]
        self.name = one_line(values.get("name", [""])[0])[:100] or "user"
        self.role = _one_of("role", values, ROLES) or "member"
        self.busy = _one_of("busy", values, BUSY)
        self.show = _one_of("show", values, SHOWS) or "all"
        self.browser = identity.browser(cookie)
        after = values.get("after", ["0"])[0]
        self.after = int(after) if after.isascii() and after.isdigit() and len(after) < 16 else -1


def _one_of(name: str, values: dict[str, list[str]], known: Sequence[str]) -> str | None:
    value = values.get(name, [""])[0]
    if value and value not in known:
        raise ChatError("bad_query", problem=f"{name} is none of {', '.join(known)}")
    return value or None


def _receive(frame: str | bytes, session: Session, client: Client, query: _Query) -> None:
    about: dict[str, str] = {}
    try:
        command = _command(frame)
        about = {name: id for name in ("id", "request_id") if isinstance(id := command.content.get(name), str)}
        _carry_out(command, session, client, query)
    except ChatError as error:
        client.tell(events.error_frame(error, **about))


class _Command(NamedTuple):
    type: str
    content: dict[str, Any]


def _command(frame: str | bytes) -> _Command:
    """A JSON object of a known type is a command; any other text is said by the person. Raises ChatError."""
    if isinstance(frame, bytes):
        raise ChatError("bad_frame", problem="it is binary; send text")
    value = _json_object(frame)
    if value is None or value.get("type") not in COMMANDS:
        return _Command("said", {"text": frame})
    content = value.get("content", {})
    if not isinstance(content, dict):
        raise ChatError("bad_frame", problem="its content is not an object")
    return _Command(value["type"], content)


def _say(text: str, session: Session, client: Client, query: _Query) -> None:
    """The answer to a question that this client was shown, if there is one; else a message."""
    question = session.questions.shown(client.cursor.seq) if client.cursor else None
    if question is not None:
        session.answer(question, text, query.name)
    else:
        session.post(text, query.name, busy=query.busy, browser=query.browser)


def _carry_out(command: _Command, session: Session, client: Client, query: _Query) -> None:
    if query.role == "viewer":
        raise ChatError("read_only")
    (type, content), name = command, query.name
    if query.role == "operator" and type in {"said", "message"}:
        session.reply(_field(content, "text", str), name, _field(content, "id", str, None))
    elif type == "said":
        _say(content["text"], session, client, query)
    elif type == "message":
        text, id = _field(content, "text", str), _field(content, "id", str, None)
        context, busy = _field(content, "context", dict, {}), _field(content, "busy", str, query.busy)
        session.post(text, name, id, context, busy, query.browser)
    elif type == "input_response":
        request, text = _field(content, "request_id", str), _field(content, "text", str)
        session.answer(request, text, name, _field(content, "arguments", dict, None))
    elif type == "stop":
        session.stop(_field(content, "turn", int, None))
    elif type == "retry":
        session.retry()
    elif type == "edit":
        session.edit(_field(content, "seq", int), _field(content, "text", str), name, query.browser)
    elif type == "rename":
        session.rename(_field(content, "title", str), name)
    elif type == "typing":
        session.typing(name, _field(content, "is_typing", bool), origin=client)
    elif type == "task":
        session.tick(_field(content, "id", int), _field(content, "status", str), name)
    elif type == "take":
        _check_operator(query)
        session.take(name)
    elif type == "hand_back":
        now = session.log.held
        if now is not None and now.state == handover.TAKEN and query.role != "operator":
            raise ChatError("taken", name=now.operator)
        session.hand_back(_field(content, "note", str, ""), name)
    else:
        raise ChatError("unsupported", type=type)


def _check_operator(query: _Query) -> None:
    if query.role != "operator":
        raise ChatError("bad_frame", problem="only who connects with role=operator can take a conversation over")


def _json_object(frame: str) -> dict[Any, Any] | None:
    if not frame.lstrip().startswith("{"):
        return None
    try:
        value = json.loads(frame)
    except (ValueError, RecursionError):
        return None
    is_object = isinstance(value, dict) and isinstance(value.get("type"), str)
    return value if is_object else None


_REQUIRED = object()


def _field(content: dict[str, Any], name: str, kind: type, default: Any = _REQUIRED) -> Any:
    value = content.get(name)
    if value is None and default is not _REQUIRED:
        return default
    if not isinstance(value, kind) or (isinstance(value, bool) and kind is not bool):
        kinds = {str: "text", dict: "an object", int: "a number", bool: "true or false"}
        raise ChatError("bad_frame", problem=f"its {name} is not {kinds[kind]}")
    return value


def _end(connection: ClientConnection, error: ChatError) -> None:
    """Say why, then end the connection with the close code of the error's row."""
    connection.write(lambda: connection.send_texts([events.error_frame(error)]))
    connection.close(error.row.close or 1011)
