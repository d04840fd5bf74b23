"""The WebSocket server: handshakes, and connecting clients to sessions.

AG2's `IOWebsockets` runs it (hosting.py) and begins each conversation. receiving.py reads what clients send,
commands.py carries it out, and sending.py sends them what is new.
"""

from __future__ import annotations

import contextlib
import logging
import socket
from collections.abc import Callable, Iterator, Sequence
from urllib.parse import parse_qs, urlsplit

from autogen.io.websockets import IOWebsockets
from websockets.datastructures import MultipleValuesError
from websockets.frames import CloseCode
from websockets.http11 import Request, Response

from agentchat.access import Access, Need
from agentchat.ag2.catalogue import Catalogue
from agentchat.auth.connections import Connections
from agentchat.auth.identification import Asked, Identification
from agentchat.auth.live import Live
from agentchat.net.access_log import AccessLog, Visit
from agentchat.net.origins import Origins
from agentchat.protocol import events, identity
from agentchat.protocol.errors import ChatError
from agentchat.protocol.identity import OPERATOR, Caller
from agentchat.protocol.validation import BUSY_MODES, NAME_CHARS, one_line
from agentchat.protocol.visibility import SHOWS
from agentchat.sessions.cursor import Cursor
from agentchat.sessions.presence import ROLES
from agentchat.sessions.registry import Session, Sessions
from agentchat.ws import hosting
from agentchat.ws.commands import Sender, receive
from agentchat.ws.connection import ClientConnection, Message
from agentchat.ws.receiving import Limits, Receiver
from agentchat.ws.sending import Client, Deliverer, Silence
from agentchat.ws.workers import Workers

log = logging.getLogger(__name__)

GOODBYE_TIMEOUT = 2.0  # seconds that clients have to close their connections when the server ends


class Server:
    """The WebSocket side of the chat server."""

    def __init__(
        self,
        sessions: Sessions,
        catalogue: Catalogue,
        origins: Origins,
        limits: Limits,
        identification: Identification,
        access: Access,
        live: Live,
        connections: Connections,
        access_log: AccessLog,
        silence: Silence,
    ) -> None:
        self._sessions = sessions
        self._catalogue = catalogue
        self._origins = origins
        self._identification = identification
        self._access = access
        self._live = live
        self._connections = connections
        self._access_log = access_log
        self._limits = limits
        self._deliverer = Deliverer(silence)
        self._workers = Workers(limits.workers)
        self.adopt: Callable[[socket.socket, str, bytes], None]
        """Takes a connection over from another server, while this one runs (Receiver.adopt)."""

    @contextlib.contextmanager
    def run(self, listener: socket.socket, is_kept: bool = False) -> Iterator[None]:
        """Serve on `listener` until the context ends; then tell all clients that the server is going away.

        It is bound already: a port in use is an error before anything slow is loaded. If it `is_kept`, another process
        has it as well, and takes whoever comes at the end; else they are told that the server is going away.
        """
        receiver = Receiver(listener, self._limits, self._workers, self._check, self._identification.proxies)
        receiver.access_log = self._access_log
        self.adopt = receiver.adopt
        with self._deliverer, self._workers, hosting.run(receiver, self._on_connect):
            try:
                yield
            finally:
                if is_kept:
                    receiver.stop_accepting(GOODBYE_TIMEOUT)
                for client in self._deliverer.clients():  # all at once, because rude clients take their time
                    client.connection.leave()
                receiver.hang_up(GOODBYE_TIMEOUT)

    def _check(self, connection: ClientConnection, request: Request) -> Response | None:
        """Return the answer to a handshake that is refused."""
        if not request.path.isprintable():
            return connection.respond(400, "The address has characters that belong in no address.\n")
        try:
            origin, _ = request.headers.get("Origin"), request.headers.get("Host")
            own = self._identification.proxies.own_address(connection.peer, request.headers)
            self._origins.check(own, origin)
            if not self._access.is_open:
                connection.caller = self._known_caller(connection, request, origin)
        except MultipleValuesError:
            return connection.respond(400, "A header that can be sent only once was sent twice.\n")
        except ChatError as error:
            return connection.respond(error.row.status, error.message + "\n")
        return None

    def _known_caller(self, connection: ClientConnection, request: Request, origin: str | None) -> Caller:
        """Return who sends a handshake. Raises ChatError for somebody unknown, and for a page that does not say so."""
        ticket = parse_qs(urlsplit(request.path).query).get("ticket", [""])[0]
        caller = self._identification.caller(Asked(connection.peer, request.headers, ticket))
        if not caller.is_known:
            raise ChatError("login_needed")
        if caller.is_in_browser and origin is None:
            raise ChatError("request_foreign")
        return caller

    def _on_connect(self, stream: IOWebsockets) -> None:
        """Begin a conversation. It ends when the connection does."""
        connection: ClientConnection = stream.websocket
        client = Client(connection, self._deliverer)
        self._deliverer.add(client)
        assert connection.request is not None
        visit = self._access_log.visit(connection.request.path, connection.address)

        def end() -> None:
            self._deliverer.remove(client)
            visit.closes(connection.close_code)

        connection.ended = end
        try:
            self._begin(connection, client, visit)
        except ChatError as error:
            _end(connection, error)
        except Exception:
            log.exception("A connection failed")
            _end(connection, ChatError("internal"))
        visit.opens()

    def _begin(self, connection: ClientConnection, client: Client, visit: Visit) -> None:
        assert connection.request is not None
        query = _Query(connection.request.path)
        asked = Asked(connection.peer, connection.request.headers, name=query.name)
        caller = connection.caller or self._identification.caller(asked)
        visit.user = caller.person
        session, replaced = self._enter(query, caller)
        visit.session = session.id
        name = caller.name if caller.is_known else query.name
        with contextlib.ExitStack() as until_held:
            until_held.callback(self._sessions.release, session)
            role = self._role(query.role, caller, session)
            leave = self._live.hold(self._check_still(caller, session.id, role), lambda error: _end(connection, error))
            until_held.pop_all()

        def end() -> None:
            leave()
            self._deliverer.remove(client)
            session.log.unfollow(client.wake)
            client.cursor = None  # which has the client as its owner
            session.leave(name, role)
            self._sessions.release(session)
            self._connections.remove(counted)
            visit.closes(connection.close_code)

        counted = self._connections.add(caller, "websocket", session.id)
        connection.ended = end
        session.join(name, role)
        cursor = Cursor(session.log, query.after, client, query.show, query.epoch, query.tells_agents_typing)
        client.tell(session.confirmation(cursor, name, role, replaced))
        client.closes_behind_turn = query.closes_behind_turn
        client.cursor = cursor  # from now on frames follow the first one
        session.log.follow(client.wake)
        client.wake()
        sender = Sender(session, client, name, role, query.busy, caller, self._access, self._sessions.check_rate)

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
        if query.session and self._access.roles(caller, query.session):
            session = self._sessions.open(query.session)
            if session is not None:
                return session, None
        self._access.check(caller, Need.KNOWN, writes=True)
        agent = self._catalogue.choose(query.agent)
        return self._sessions.begin_unsaid(agent, caller), query.session or None

    def _role(self, wanted: str, caller: Caller, session: Session) -> str:
        """Return the role that a client has in a session. Raises ChatError if it may not be an operator there."""
        if self._access.is_open:
            return wanted
        if wanted == OPERATOR and not self._access.may(caller, Need.OPERATE, session.id):
            raise ChatError("bad_query", problem="role=operator is for the operators of this conversation")
        return wanted if wanted == OPERATOR or self._access.may(caller, Need.WRITE, session.id) else "viewer"

    def _check_still(self, caller: Caller, session_id: str, role: str) -> Callable[[], None]:
        need = {OPERATOR: Need.OPERATE, "viewer": Need.READ}.get(role, Need.WRITE)

        def check() -> None:
            self._identification.check_still(caller)
            self._access.check(caller, need, session_id)

        return check


class _Query:
    """The parameters in the address that a client connects to."""

    def __init__(self, path: str) -> None:
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
        self.tells_agents_typing = _one_of("typing", values, ("agents",)) is not None
        self.closes_behind_turn = _one_of("close", values, ("turn",)) is not None
        if self.closes_behind_turn and self.role != "member":
            raise ChatError("bad_query", problem="close=turn is only for members, whose messages begin turns")
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
