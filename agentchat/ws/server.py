"""The WebSocket server: handshakes, and connecting clients to sessions.

Two threads serve a connection: `websockets` reads its socket in one, and `on_connect` carries out its commands
(commands.py) in the other. Frames to clients are sent by sending.py.
"""

from __future__ import annotations

import contextlib
import logging
import time
from collections.abc import Iterator, Sequence
from urllib.parse import parse_qs, urlsplit

from autogen.io.websockets import IOWebsockets
from websockets.datastructures import MultipleValuesError
from websockets.exceptions import ConnectionClosed
from websockets.http11 import Request, Response
from websockets.sync.server import ServerConnection

from agentchat.ag2.catalogue import Catalogue
from agentchat.net.listener import Listener
from agentchat.net.origins import Origins
from agentchat.protocol import events, identity
from agentchat.protocol.errors import ChatError
from agentchat.protocol.validation import BUSY_MODES, NAME_CHARS, one_line
from agentchat.protocol.visibility import SHOWS
from agentchat.sessions.cursor import Cursor
from agentchat.sessions.presence import ROLES
from agentchat.sessions.registry import Session, Sessions
from agentchat.ws.commands import Sender, receive
from agentchat.ws.sending import Client, ClientConnection, Deliverer

log = logging.getLogger(__name__)

MAX_FRAME = 4 * 2**20  # bytes; the longest message fits, whatever its script
CLOSE_TIMEOUT = 2.0  # seconds that a client has to answer a close frame


class Server:
    """The WebSocket side of the chat server."""

    def __init__(self, sessions: Sessions, catalogue: Catalogue, origins: Origins) -> None:
        self._sessions = sessions
        self._catalogue = catalogue
        self._origins = origins
        self._deliverer = Deliverer()

    @contextlib.contextmanager
    def run(self, listener: Listener) -> Iterator[None]:
        """Serve on `listener` until the context ends; then tell all clients that the server is going away."""
        with (
            self._deliverer,
            IOWebsockets.run_server_in_thread(
                host=None,
                port=None,
                sock=listener,  # bound before any thread starts, so that a port in use is an error at start-up
                on_connect=self._on_connect,
                create_connection=ClientConnection,
                process_request=self._process_request,
                compression=None,  # it would cost 64 KiB per connection and a third of the time per token
                max_size=MAX_FRAME,
                ping_interval=None,  # the deliverer pings, without a thread per connection
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
            return connection.respond(400, "A header that can be sent only once was sent twice.\n")
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
            cursor = Cursor(session.log, query.after, owner=client, show=query.show, epoch=query.epoch)
            client.tell(session.confirmation(cursor, query.name, query.role, replaced))
            client.closes_behind_turn = query.closes_behind_turn
            client.cursor = cursor  # from now on frames follow the first one
            session.log.follow(client.wake)
            client.wake()
            sender = Sender(session, client, query.name, query.role, query.busy, query.browser)
            for frame in connection:
                receive(frame, sender)
        finally:
            session.log.unfollow(client.wake)
            client.cursor = None  # which has the client as its owner
            session.leave(query.name, query.role)
            self._sessions.release(session)

    def _enter(self, query: _Query) -> tuple[Session, str | None]:
        """Return the session that a client asks for, and the unknown id that a new session replaces, if any."""
        if query.session:
            session = self._sessions.open(query.session)
            if session is not None:
                return session, None
        agent = self._catalogue.choose(query.agent)
        return self._sessions.create(agent), query.session or None


class _Query:
    """The parameters in the address that a client connects to."""

    def __init__(self, path: str, cookie: str) -> None:
        values = parse_qs(urlsplit(path).query)
        self.agent = values.get("agent", [""])[0]
        self.session = values.get("session", [""])[0]
        self.name = one_line(values.get("name", [""])[0])[:NAME_CHARS] or identity.UNNAMED
        self.role = _one_of("role", values, ROLES) or "member"
        self.busy = _one_of("busy", values, BUSY_MODES)
        self.show = _one_of("show", values, SHOWS) or "all"
        self.closes_behind_turn = _one_of("close", values, ("turn",)) is not None
        if self.closes_behind_turn and self.role != "member":
            raise ChatError("bad_query", problem="close=turn is only for members, whose messages begin turns")
        self.browser = identity.browser(cookie)
        self.epoch = values.get("epoch", [""])[0]
        after = values.get("after", ["0"])[0]
        self.after = int(after) if after.isascii() and after.isdigit() and len(after) < 16 else -1


def _one_of(name: str, values: dict[str, list[str]], known: Sequence[str]) -> str | None:
    value = values.get(name, [""])[0]
    if value and value not in known:
        raise ChatError("bad_query", problem=f"{name} can only be {', '.join(known)}")
    return value or None


def _end(connection: ClientConnection, error: ChatError) -> None:
    """Send the error, then close the connection with its close code."""
    connection.write(lambda: connection.send_texts([events.error_frame(error)]))
    connection.close(error.row.close or 1011)
