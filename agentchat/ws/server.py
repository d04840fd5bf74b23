"""The WebSocket server: handshakes, and connecting clients to sessions.

AG2's `IOWebsockets` runs it (hosting.py) and begins each conversation. receiving.py reads what clients send,
commands.py carries it out, and sending.py sends them what is new.
"""

from __future__ import annotations

import contextlib
import logging
import socket
from collections.abc import Iterator, Sequence
from urllib.parse import parse_qs, urlsplit

from autogen.io.websockets import IOWebsockets
from websockets.datastructures import MultipleValuesError
from websockets.frames import CloseCode
from websockets.http11 import Request, Response

from agentchat.ag2.catalogue import Catalogue
from agentchat.net.origins import Origins
from agentchat.protocol import events, identity
from agentchat.protocol.errors import ChatError
from agentchat.protocol.identity import Caller, network
from agentchat.protocol.validation import BUSY_MODES, NAME_CHARS, one_line
from agentchat.protocol.visibility import SHOWS
from agentchat.sessions.cursor import Cursor
from agentchat.sessions.presence import ROLES
from agentchat.sessions.registry import Session, Sessions
from agentchat.ws import hosting
from agentchat.ws.commands import Sender, receive
from agentchat.ws.connection import ClientConnection, Message
from agentchat.ws.receiving import Limits, Receiver
from agentchat.ws.sending import Client, Deliverer
from agentchat.ws.workers import Workers

log = logging.getLogger(__name__)

GOODBYE_TIMEOUT = 2.0  # seconds that clients have to close their connections when the server ends


class Server:
    """The WebSocket side of the chat server."""

    def __init__(self, sessions: Sessions, catalogue: Catalogue, origins: Origins, limits: Limits) -> None:
        self._sessions = sessions
        self._catalogue = catalogue
        self._origins = origins
        self._limits = limits
        self._deliverer = Deliverer()
        self._workers = Workers(limits.workers)

    @contextlib.contextmanager
    def run(self, listener: socket.socket) -> Iterator[None]:
        """Serve on `listener` until the context ends; then tell all clients that the server is going away.

        It is bound already: a port in use is an error before anything slow is loaded.
        """
        receiver = Receiver(listener, self._limits, self._workers, self._check)
        with self._deliverer, self._workers, hosting.run(receiver, self._on_connect):
            try:
                yield
            finally:
                for client in self._deliverer.clients():  # all at once, because rude clients take their time
                    client.connection.leave()
                receiver.hang_up(GOODBYE_TIMEOUT)

    def _check(self, connection: ClientConnection, request: Request) -> Response | None:
        """Return the answer to a handshake that is refused."""
        if not request.path.isprintable():
            return connection.respond(400, "The address has characters that belong in no address.\n")
        try:
            self._origins.check(request.headers.get("Host"), request.headers.get("Origin"))
        except MultipleValuesError:
            return connection.respond(400, "A header that can be sent only once was sent twice.\n")
        except ChatError as error:
            return connection.respond(error.row.status, error.message + "\n")
        return None

    def _on_connect(self, stream: IOWebsockets) -> None:
        """Begin a conversation. It ends when the connection does."""
        connection: ClientConnection = stream.websocket
        client = Client(connection, self._deliverer)
        self._deliverer.add(client)
        connection.ended = lambda: self._deliverer.remove(client)
        try:
            self._begin(connection, client)
        except ChatError as error:
            _end(connection, error)
        except Exception:
            log.exception("A connection failed")
            _end(connection, ChatError("internal"))

    def _begin(self, connection: ClientConnection, client: Client) -> None:
        assert connection.request is not None
        query = _Query(connection.request.path, "; ".join(connection.request.headers.get_all("Cookie")))
        caller = Caller(identity.user_id(query.name, query.browser), network(connection.address))
        session, replaced = self._enter(query, caller)

        def end() -> None:
            self._deliverer.remove(client)
            session.log.unfollow(client.wake)
            client.cursor = None  # which has the client as its owner
            session.leave(query.name, query.role)
            self._sessions.release(session)

        connection.ended = end
        session.join(query.name, query.role)
        cursor = Cursor(session.log, query.after, owner=client, show=query.show, epoch=query.epoch)
        client.tell(session.confirmation(cursor, query.name, query.role, replaced))
        client.closes_behind_turn = query.closes_behind_turn
        client.cursor = cursor  # from now on frames follow the first one
        session.log.follow(client.wake)
        client.wake()
        sender = Sender(
            session, client, query.name, query.role, query.busy, query.browser, caller, self._sessions.check_rate
        )

        def carry_out(message: Message) -> None:
            connection.begin_message()
            try:
                receive(message, sender)
            except Exception:
                log.exception("A connection failed")
                _end(connection, ChatError("internal"))

        connection.receive = carry_out

    def _enter(self, query: _Query, caller: Caller) -> tuple[Session, str | None]:
        """Return the session that a client asks for, and the unknown id that a new session replaces, if any."""
        if query.session:
            session = self._sessions.open(query.session)
            if session is not None:
                return session, None
        agent = self._catalogue.choose(query.agent)
        return self._sessions.begin_unsaid(agent, caller), query.session or None


class _Query:
    """The parameters in the address that a client connects to."""

    def __init__(self, path: str, cookie: str) -> None:
        values = parse_qs(urlsplit(path).query)
        self.agent = values.get("agent", [""])[0]
        self.session = values.get("session", [""])[0]
        name = values.get("name", [""])[0]
        if len(name) > NAME_CHARS:  # cut off, it could be the name of somebody else
            raise ChatError("bad_query", problem=f"its name has more than {NAME_CHARS} characters")
        self.name = one_line(name) or identity.UNNAMED
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
    connection.receive = lambda message: None
    connection.write(lambda: connection.send_texts([events.error_frame(error)]))
    connection.write(lambda: connection.protocol.send_close(error.row.close or CloseCode.INTERNAL_ERROR))
