"""A WebSocket connection without threads: receiving.py feeds it what the client sends, and its writes never block."""

from __future__ import annotations

import contextlib
import logging
import socket
import threading
import time
from collections import deque
from collections.abc import Callable, Iterable
from http import HTTPStatus

from websockets.frames import CloseCode, Frame, Opcode
from websockets.http11 import Request, Response
from websockets.protocol import State
from websockets.server import ServerProtocol

from agentchat.net.security_headers import NO_PAGE
from agentchat.protocol.identity import Caller

MAX_MESSAGE = 4 * 2**20  # bytes; the longest message of a person fits, whatever its script
CLOSE_TIMEOUT = 10.0  # seconds that a client has to close the connection once it was sent a close frame
MAX_UNREAD = 256 * 1024  # bytes of pongs and errors for a client that doesn't read, after which it isn't read either
MAX_DISCARDED = 2 * MAX_MESSAGE  # bytes that are read behind a close frame, so that the client gets it

VERSION = "13"  # of the protocol; there is no other

DATA = frozenset({Opcode.TEXT, Opcode.BINARY, Opcode.CONT})

Message = str | bytes
Check = Callable[["ClientConnection", Request], Response | None]

log = logging.getLogger("agentchat.websockets")


def _nothing() -> None:
    """There is nobody to tell."""


def _ignore(message: Message) -> None:
    """There is nobody to carry it out."""


class ClientConnection:
    """A client at the other end of a socket. What the socket doesn't take at once waits in `_unsent`."""

    def __init__(self, sock: socket.socket, address: str, peer: str) -> None:
        self.socket = sock  # doesn't block
        self.address = address
        """The address for which it counts: behind a proxy, that of the client."""
        self.peer = peer
        """The address at the other end of the socket."""
        self.protocol = ServerProtocol(max_size=MAX_MESSAGE, logger=log)
        self.protocol_mutex = threading.Lock()  # guards `protocol`, `_unsent` and `_is_ending`
        self.request: Request | None = None  # until the conversation has begun
        self.caller: Caller | None = None  # who is at the other end, if that was shown
        self.last_heard = self.last_told = time.monotonic()  # something came from the client, or was sent to it
        self.stalled_since: float | None = None  # by time.monotonic(); None while the socket takes data
        self.closes_by: float | None = None  # by time.monotonic(), once a close frame was sent
        self.is_aborted = False
        self.unread = 0  # bytes of pongs and errors that were added while the socket was full
        self.receive: Callable[[Message], None] = _ignore
        """Carries out a message. Set by whoever begins the conversation."""
        self.ended: Callable[[], None] = _nothing
        """Called once, behind the last message of a connection that has ended."""
        self.changed: Callable[[], None] = _nothing
        """Called when the socket takes data again, or is shut down; it must not block."""
        self.stalled: Callable[[], None] = _nothing
        """Called when an answer to what was read has found the socket full, so that somebody sends the rest."""
        self._unsent = bytearray()
        self._is_ending = False  # shut our side of the connection down after `_unsent`
        self._fragments: bytearray | None = None  # of an unfinished message; used by the reader alone
        self._is_text = False
        self._discarded = 0  # bytes that came behind a close frame
        self._has_failed = False  # whatever else comes is ignored
        self._messages = 0  # that have arrived
        self._pongs: deque[tuple[int, int]] = deque()  # the messages that came before each, and the `seq` in it
        self._carried_out = 0  # messages, with the one that is being carried out
        self.acknowledged = 0  # the newest `seq` that the client knew when it sent that message, as its pongs show

    @property
    def state(self) -> State:
        """The state of the protocol."""
        return self.protocol.state

    @property
    def close_code(self) -> int | None:
        """The code that the client closed with, or else ours; None while there is none, or if it was cut."""
        frame = self.protocol.close_rcvd or self.protocol.close_sent
        return int(frame.code) if frame is not None else None

    @property
    def is_stalled(self) -> bool:
        """True while the socket is full."""
        return self.stalled_since is not None

    @property
    def is_congested(self) -> bool:
        """True if the client should not be read: it doesn't read what it is answered, or that it was closed."""
        is_too_much = self.unread > MAX_UNREAD or self._discarded > MAX_DISCARDED
        return is_too_much and not self.is_aborted and self.protocol.state is not State.CLOSED

    # Receiving

    def shake_hands(self, head: bytes, check: Check) -> bool:
        """Answer the request that begins a connection, unless `check` answers it. Returns True if it is open now."""
        with self.protocol_mutex:
            self.protocol.receive_data(head)
            for request in self.protocol.events_received():
                assert isinstance(request, Request)
                self.request = request
                answer = check(self, request) or self._other_version(request) or self.protocol.accept(request)
                if answer.status_code != HTTPStatus.SWITCHING_PROTOCOLS:
                    answer.headers.update(NO_PAGE)
                self.protocol.send_response(answer)
            if not any(self.protocol.writes):  # it is no request at all, and the protocol says nothing about it
                refusal = self.respond(400, "This is not a WebSocket handshake.\n")
                refusal.headers.update(NO_PAGE)
                self.protocol.writes.insert(0, refusal.serialize())
            return self._try_to_send() and self.protocol.state is State.OPEN

    def _other_version(self, request: Request) -> Response | None:
        """Return the answer to a client of another version of the protocol (RFC 6455, 4.4)."""
        if all(version == VERSION for version in request.headers.get_all("Sec-WebSocket-Version")):
            return None
        response = self.respond(426, f"This server speaks version {VERSION} of the WebSocket protocol.\n")
        response.headers["Upgrade"] = "websocket"
        response.headers["Sec-WebSocket-Version"] = VERSION
        return response

    def respond(self, status: int, text: str) -> Response:
        """Return the answer to a handshake that is refused."""
        return self.protocol.reject(status, text)

    def feed(self, data: bytes) -> list[Message]:
        """Take what was read from the socket, answer pings and close frames, and return the messages it completes.

        No data is the end of the connection.
        """
        self.last_heard = time.monotonic()
        with self.protocol_mutex:
            if self.protocol.state is State.CLOSED:
                return []
            before = len(self._unsent)
            if self.protocol.state is State.CLOSING:
                self._discarded += len(data)
            if data:
                self.protocol.receive_data(data)
            else:
                self.protocol.receive_eof()
            events = self.protocol.events_received()
            self._try_to_send()
            self.unread += max(len(self._unsent) - before, 0)
        if self.is_stalled:
            self.stalled()
        messages: list[Message] = []
        for frame in events:
            if isinstance(frame, Frame) and frame.opcode in DATA and not self._has_failed:
                message = self._assembled(frame)
                messages += [] if message is None else [message]
            elif isinstance(frame, Frame) and frame.opcode is Opcode.PONG and bytes(frame.data).isdigit():
                self._note_pong(self._messages + len(messages), int(bytes(frame.data)))
        self._messages += len(messages)
        return messages

    def _note_pong(self, messages: int, seq: int) -> None:
        if not self._pongs or self._pongs[-1][0] < messages:
            self._pongs.append((messages, seq))

    def begin_message(self) -> None:
        """Note that the next message is being carried out, and what the client knew when it sent that one."""
        while self._pongs and self._pongs[0][0] <= self._carried_out:
            self.acknowledge(self._pongs.popleft()[1])
        self._carried_out += 1

    def acknowledge(self, seq: int) -> None:
        """Note that the client knows of the event `seq`."""
        self.acknowledged = max(self.acknowledged, seq)

    @property
    def unfinished(self) -> int:
        """The bytes of a message that has not arrived completely."""
        return len(self.protocol.reader.buffer) + len(self._fragments or b"")

    def _assembled(self, frame: Frame) -> Message | None:
        """Return the message that this frame completes, if it does."""
        if frame.opcode is not Opcode.CONT:
            self._is_text = frame.opcode is Opcode.TEXT
            if not frame.fin:
                self._fragments = bytearray(frame.data)
                return None
            whole = bytes(frame.data)
        else:
            assert self._fragments is not None
            self._fragments += frame.data
            if not frame.fin:
                return None
            whole, self._fragments = bytes(self._fragments), None
        if not self._is_text:
            return whole
        try:
            return whole.decode()
        except UnicodeDecodeError as error:
            self.fail(CloseCode.INVALID_DATA, f"{error.reason} at position {error.start}")
            return None

    # Sending

    def send_data(self) -> None:
        """Send as much as the socket takes. Requires `protocol_mutex`."""
        assert self.protocol_mutex.locked()
        for data in self.protocol.data_to_send():
            self._unsent += data
            self._is_ending = self._is_ending or not data
        while self._unsent:
            try:
                sent = self.socket.send(self._unsent)
            except BlockingIOError:
                self.stalled_since = self.stalled_since or time.monotonic()
                return
            del self._unsent[:sent]
            self.stalled_since = None
        if self.unread:
            self.unread = 0
            self.changed()
        if self.closes_by is None and self.protocol.close_expected():
            self.closes_by = time.monotonic() + CLOSE_TIMEOUT
        if self._is_ending:
            with contextlib.suppress(OSError):  # closed already
                self.socket.shutdown(socket.SHUT_WR)

    def write(self, act: Callable[[], None] = _nothing) -> bool:
        """Let `act` use the protocol, and send the result. Returns False once the connection isn't open."""
        with self.protocol_mutex:
            if self.protocol.state is not State.OPEN:
                return False
            act()
            return self._try_to_send()

    def flush(self) -> bool:
        """Send what the socket has not taken yet, up to a close frame. Returns False if the connection is gone."""
        with self.protocol_mutex:
            return self.protocol.state is not State.CLOSED and self._try_to_send()

    def _try_to_send(self) -> bool:
        try:
            self.send_data()
        except OSError:
            self.abort()
            return False
        return True

    def note(self, size: int) -> None:
        """Note that this many bytes are to be sent to this client alone, which it may not read."""
        if self.is_stalled:
            self.unread += size

    def send(self, text: str) -> None:
        """Send a text frame; AG2's stream of a connection does."""
        self.write(lambda: self.send_texts([text]))

    def send_texts(self, texts: Iterable[str]) -> None:
        """Send a text frame for each of `texts`, within `write`."""
        self.last_told = time.monotonic()
        for text in texts:
            self.protocol.send_text(text.encode())

    # Ending

    def end(self) -> None:
        """Call `ended`, and forget everybody who is told something, so that all of it leaves memory."""
        ended = self.ended
        self.receive = _ignore
        self.ended = self.changed = self.stalled = _nothing
        ended()

    def leave(self) -> None:
        """Tell the client that the server is going away, without waiting for its answer."""
        self.write(lambda: self.protocol.send_close(CloseCode.GOING_AWAY, "server going away"))

    def fail(self, code: int, reason: str) -> None:
        """Send a close frame, and ignore whatever else comes."""
        self._has_failed = True
        self._fragments = None
        self.write(lambda: self.protocol.fail(code, reason))

    def drop(self, code: int, reason: str) -> None:
        """End the connection without waiting for the client's answer."""
        self.write(lambda: self.protocol.fail(code, reason))
        self.abort()

    def abort(self) -> None:
        """Shut the socket down: the reader finds its end and closes it."""
        self.is_aborted = True
        with contextlib.suppress(OSError):  # closed already
            self.socket.shutdown(socket.SHUT_RDWR)
        self.changed()

    def close_socket(self) -> None:
        """Close the socket, in the thread that reads it or before anybody else knows it."""
        with self.protocol_mutex:
            self.protocol.receive_eof()  # idempotent; the state is CLOSED afterwards
            self.socket.close()
