"""Accepting and reading all WebSocket connections in one thread; what clients send is carried out by a few others.

A connection that says nothing costs a descriptor and no thread, before its handshake and after it. A client that sends
more than is carried out, or doesn't read what it is answered, isn't read until that has changed.
"""

from __future__ import annotations

import contextlib
import logging
import selectors
import socket
import sys
import threading
import time
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from http import HTTPStatus
from typing import TypeVar

from websockets.frames import CloseCode
from websockets.http11 import Request, Response
from websockets.protocol import State

from agentchat.auth.proxies import Proxies
from agentchat.net.access_log import AccessLog
from agentchat.net.admission import Admission, within
from agentchat.net.listener import EXHAUSTED, RETRY
from agentchat.net.resources import Room
from agentchat.net.security_headers import NO_PAGE
from agentchat.net.tls import check_plain
from agentchat.protocol.errors import ChatError
from agentchat.ws.connection import Check, ClientConnection, Message
from agentchat.ws.workers import Workers

log = logging.getLogger(__name__)

HEAD_BYTES = 32 * 1024  # of the request that begins a connection; cookies of other programs on this host are in it
READ_BYTES = 64 * 1024
ACCEPTS = 64  # connections that are accepted before others are read
LINGER = 1.0  # seconds that a refused client has to read why, before its connection is closed
LINGERING = 100  # refused clients that are waited for at once
MESSAGES = 16  # of a client that may wait to be carried out, give or take those that arrive together
FEW_MESSAGES = 4  # at which the client is read again
WAITING_BYTES = 2**20  # of messages of a client that may wait to be carried out
AT_ONCE = 8  # messages of a client that are carried out before it is another one's turn
FREE_BYTES = 64 * 1024  # that each connection may have in memory, whatever others have
MESSAGE_TIMEOUT = 120.0  # seconds that a message may take to arrive
LOOK_INTERVAL = 0.5  # seconds between looks at what takes too long
SPARE_DESCRIPTORS = 100  # for model servers, files and pages
CONNECTION_BYTES = 64 * 1024  # of memory that a connection takes, with its conversation, before anything is said
MOST_CONNECTIONS = 100_000
LEAST_CONNECTIONS = 10
WORKERS = 32
QUIET = 60.0  # seconds between two notes in the log about the same shortage
END = b"\r\n\r\n"  # of the head of a request

T = TypeVar("T", "Arrival", "Inbox")


@dataclass(frozen=True)
class Limits:
    """The limits of clients, for each address and in all."""

    connections: Admission
    handshakes: Admission
    """Connections whose handshake is not complete."""
    unfinished: Admission
    """Bytes of messages that are not complete, or wait to be carried out, beyond FREE_BYTES of each connection."""
    handshake_timeout: float
    """Seconds that a handshake may take."""
    workers: int
    """Threads that carry out handshakes and what clients send."""
    lingering: int = LINGERING
    """Refused clients that are waited for at once; each has a descriptor."""

    @classmethod
    def within(
        cls,
        room: Room,
        connections: tuple[int, int],
        handshakes: tuple[int, int],
        handshake_timeout: float,
        memory: int,
    ) -> Limits:
        """Return these limits, in all and per address, or lower ones if there is no room for them."""
        most = min(room.descriptors - SPARE_DESCRIPTORS, room.memory // 2 // CONNECTION_BYTES, MOST_CONNECTIONS)
        memory = min(memory or room.memory, room.memory // 4)
        return cls(
            within(max(most, LEAST_CONNECTIONS), *connections),
            Admission(*handshakes),
            within(memory, 0, 0) if memory < sys.maxsize // 4 else Admission(0),
            handshake_timeout,
            max(min(room.threads // 4, WORKERS), 1),
            min(room.descriptors // 8, LINGERING),
        )


class Receiver:
    """The server that AG2 runs: `serve_forever` in one thread, until `shutdown`."""

    def __init__(
        self, listener: socket.socket, limits: Limits, workers: Workers, check: Check, proxies: Proxies
    ) -> None:
        """`check` answers handshakes that are refused. `listener` is bound and listens; the receiver closes it.

        What comes through one of `proxies` counts for the client behind it, as soon as that is known.
        """
        self.limits = limits
        self.workers = workers
        self.begin: Callable[[ClientConnection], None] = lambda connection: None
        """Begins the conversation on a connection that was opened."""
        self.access_log = AccessLog()
        self._check = check
        self._proxies = proxies
        self._listener = listener
        self._listener.setblocking(False)
        self._selector = selectors.DefaultSelector()
        self._waker, self._wakened = socket.socketpair()
        for end in (self._waker, self._wakened):
            end.setblocking(False)
        self._posted: deque[Callable[[], None]] = deque()
        self._lock = threading.Condition()  # guards `_inboxes` and `_has_ended`
        self._inboxes: set[Inbox] = set()
        self._has_ended = False
        self._is_leaving = False
        self._is_closing = False
        # used by the reading thread alone
        self._arrivals: set[Arrival] = set()
        self._refused: set[Arrival] = set()  # that are given time to read why
        self._unfinished: dict[Inbox, float] = {}  # since when a message of theirs is incomplete
        self._accepts_at: float | None = None  # when to accept again, after a shortage
        self._looks_at = 0.0
        self._noted: dict[str, float] = {}

    # In the thread that AG2 starts

    def __enter__(self) -> Receiver:
        return self

    def __exit__(self, *exception: object) -> None:
        """Close all that is open."""
        with self._lock:
            self._has_ended = True
            inboxes = list(self._inboxes)
        while self._posted:
            self._posted.popleft()()
        for arrival in [*self._arrivals, *self._refused]:
            self._close_arrival(arrival)
        self._selector.close()
        for inbox in inboxes:
            self._close(inbox)
        for end in (self._listener, self._waker, self._wakened):
            end.close()

    def serve_forever(self) -> None:
        """Accept and read connections until `shutdown`."""
        threading.current_thread().name = "receive"
        self._selector.register(self._wakened, selectors.EVENT_READ)
        self._selector.register(self._listener, selectors.EVENT_READ)
        while not self._is_closing:
            self._read_ready()
            while self._posted:
                self._posted.popleft()()
            self._look(time.monotonic())

    def _read_ready(self) -> None:
        """Wait until something can be read, and read it. On its own, so that waiting holds no closed connection."""
        for key, _ in self._selector.select(RETRY if self._accepts_at else LOOK_INTERVAL):
            if isinstance(key.data, Inbox):
                self._guarded(self._read, key.data)
            elif isinstance(key.data, Arrival):
                self._guarded(self._read_head, key.data)
            elif key.fileobj is self._listener:
                self._accept()
            else:
                with contextlib.suppress(BlockingIOError):
                    self._wakened.recv(4096)

    def _guarded(self, read: Callable[[T], None], source: T) -> None:
        """Read; whatever goes wrong ends this one connection."""
        try:
            read(source)
        except Exception:
            log.exception("A connection could not be read")
            if isinstance(source, Inbox):
                source.connection.abort()
                self._close(source)
            else:
                self._close_arrival(source)

    # New connections

    def _accept(self) -> None:
        for _ in range(ACCEPTS):
            try:
                sock, address = self._listener.accept()
            except BlockingIOError:
                return
            except OSError as error:
                if error.errno in EXHAUSTED:
                    self._note("Out of file descriptors or memory; new connections wait")
                    self._selector.unregister(self._listener)
                    self._accepts_at = time.monotonic() + RETRY
                return  # or a client that has gone already
            sock.setblocking(False)
            with contextlib.suppress(OSError):  # gone already
                sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, True)
            self._begin_arrival(sock, address[0])

    def adopt(self, sock: socket.socket, peer: str, received: bytes) -> None:
        """Take a connection over from another server, with the head of its request and whatever came behind it.

        `sock` does not block. Any thread may call this.
        """
        self._post(partial(self._begin_arrival, sock, peer, received))

    def _begin_arrival(self, sock: socket.socket, peer: str, received: bytes = b"") -> None:
        deadline = time.monotonic() + self.limits.handshake_timeout
        arrival = Arrival(sock, peer, self._proxies.holder_of(peer), deadline, received)
        try:
            self._admit(arrival)
        except (OSError, MemoryError):
            self._note("Out of memory; a connection is refused")
            self._close_arrival(arrival)

    def _admit(self, arrival: Arrival) -> None:
        limits, address = self.limits, arrival.address
        if self._is_leaving:
            self._refuse(arrival, ChatError("closing"))
        elif not limits.connections.enter(address):
            self._refuse(arrival, _too_many(limits.connections, address, "connections"))
        elif not limits.handshakes.enter(address):
            limits.connections.leave(address)
            self._refuse(arrival, _too_many(limits.handshakes, address, "handshakes"))
        elif arrival.is_complete:
            arrival.is_counted = True
            self.workers.do(partial(self._shake_hands, arrival))
        else:
            arrival.is_counted = True
            self._arrivals.add(arrival)
            self._selector.register(arrival.socket, selectors.EVENT_READ, arrival)

    def _read_head(self, arrival: Arrival) -> None:
        try:
            data = arrival.socket.recv(4096)
        except BlockingIOError:
            return
        except OSError:
            data = b""
        if not data:
            self._close_arrival(arrival)
        elif arrival.answer:
            self._answer(arrival)
        elif arrival not in self._refused:
            arrival.head += data
            try:
                check_plain(arrival.head)
            except ChatError as error:
                self._refuse(arrival, error)
                return
            if arrival.is_complete:
                self._forget_arrival(arrival)
                self.workers.do(partial(self._shake_hands, arrival))
            elif len(arrival.head) > HEAD_BYTES:
                self._refuse(arrival, ChatError("head_too_large", limit=HEAD_BYTES))

    def _refuse(self, arrival: Arrival, error: ChatError) -> None:
        """Answer with an error, once the client has said something: some don't expect an answer before."""
        body = error.message + "\n"
        status = HTTPStatus(error.row.status)
        about = {
            "Content-Type": "text/plain; charset=utf-8",
            "Content-Length": len(body.encode()),
            "Connection": "close",
        }
        lines = [f"{name}: {value}" for name, value in {**NO_PAGE, **about}.items()]
        arrival.answer = "\r\n".join([f"HTTP/1.1 {status} {status.phrase}", *lines, "", body]).encode()
        size, address = len(arrival.answer), arrival.address or arrival.peer
        self.access_log.request(
            "", "", "", status=int(status), size=size, begun=time.monotonic(), address=address, user=""
        )
        if arrival.head or not self._linger(arrival):
            self._answer(arrival)

    def _answer(self, arrival: Arrival) -> None:
        """Send the answer, and close our side of the connection."""
        self._give_back(arrival)
        arrival.deadline = time.monotonic() + LINGER
        with contextlib.suppress(OSError):  # it has gone, or has not shaken hands over TLS
            arrival.socket.send(arrival.answer)
        with contextlib.suppress(OSError):
            arrival.socket.shutdown(socket.SHUT_WR)
        arrival.answer = b""
        if arrival not in self._refused and not self._linger(arrival):
            arrival.socket.close()

    def _linger(self, arrival: Arrival) -> bool:
        """Wait a while until the client closes the connection. Returns False if too many are waited for.

        If it were closed while there is something to read, it would be reset, and the answer lost.
        """
        self._forget_arrival(arrival)
        self._give_back(arrival)
        if self._has_ended or len(self._refused) >= self.limits.lingering:
            return False
        arrival.deadline = time.monotonic() + LINGER
        self._refused.add(arrival)
        self._selector.register(arrival.socket, selectors.EVENT_READ, arrival)
        return True

    def _give_back(self, arrival: Arrival) -> None:
        if arrival.is_counted:
            arrival.is_counted = False
            self.limits.handshakes.leave(arrival.address)
            self.limits.connections.leave(arrival.address)

    def _forget_arrival(self, arrival: Arrival) -> None:
        if arrival in self._arrivals or arrival in self._refused:
            self._arrivals.discard(arrival)
            self._refused.discard(arrival)
            self._selector.unregister(arrival.socket)

    def _close_arrival(self, arrival: Arrival) -> None:
        self._forget_arrival(arrival)
        self._give_back(arrival)
        arrival.socket.close()

    def _shake_hands(self, arrival: Arrival) -> None:
        """Answer the handshake and begin the conversation, in a worker."""
        if time.monotonic() > arrival.deadline:
            self._post(partial(self._refuse, arrival, ChatError("too_many_connections")))
            return
        inbox = Inbox(ClientConnection(arrival.socket, arrival.address, arrival.peer), self)
        head, separator, rest = bytes(arrival.head).partition(END)
        try:
            if not inbox.connection.shake_hands(head + separator, partial(self._check_arrival, arrival)):
                self._post(partial(self._answer, arrival))  # which is sent: what is left is to close
                return
            self.begin(inbox.connection)
        except Exception:
            log.exception("A handshake failed")
            inbox.connection.abort()
        inbox.connection.request = None
        self._post(partial(self._add, inbox, arrival, rest))

    def _check_arrival(self, arrival: Arrival, connection: ClientConnection, request: Request) -> Response | None:
        """Return the answer to a handshake that is refused, and log it."""
        begun = time.monotonic()
        answer = self._refusal(arrival, connection, request)
        if answer is not None:
            path, _, query = request.path.partition("?")
            size, address = len(answer.body or b""), connection.address or arrival.peer
            self.access_log.request(
                "GET", path, query, status=answer.status_code, size=size, begun=begun, address=address, user=""
            )
        return answer

    def _refusal(self, arrival: Arrival, connection: ClientConnection, request: Request) -> Response | None:
        """Return the answer to a handshake that is refused: its client has too much, or the server says so."""
        try:
            connection.address = self._proxies.address_of(arrival.peer, request.headers)
            self._count_for(arrival, connection.address)
        except ChatError as error:
            return connection.respond(error.row.status, error.message + "\n")
        return self._check(connection, request)

    def _count_for(self, arrival: Arrival, client: str) -> None:
        """Count an arrival for its client, who may be behind a proxy. Raises ChatError if the client has too much."""
        limits = self.limits
        if not limits.connections.move(arrival.address, client):
            raise _too_many(limits.connections, client, "connections")
        if not limits.handshakes.move(arrival.address, client):
            limits.connections.move(client, arrival.address)
            raise _too_many(limits.handshakes, client, "handshakes")
        arrival.address = client

    def _add(self, inbox: Inbox, arrival: Arrival, rest: bytes) -> None:
        """Read a connection from now on. `rest` is what came behind the handshake."""
        with self._lock:
            self._inboxes.add(inbox)
            has_ended = self._has_ended
        self.limits.handshakes.leave(arrival.address)
        arrival.is_counted = False
        if has_ended:
            self._close(inbox)
            return
        inbox.connection.changed = inbox.look
        self._selector.register(inbox.connection.socket, selectors.EVENT_READ, inbox)
        if rest:
            self._take(inbox, rest)

    # Connections

    def _read(self, inbox: Inbox) -> None:
        try:
            data = inbox.connection.socket.recv(READ_BYTES)
        except BlockingIOError:
            return
        except OSError:
            data = b""
        self._take(inbox, data)

    def _take(self, inbox: Inbox, data: bytes) -> None:
        connection = inbox.connection
        messages = connection.feed(data)
        if not inbox.put(messages, connection.unfinished):
            connection.fail(CloseCode.TRY_AGAIN_LATER, "too many unfinished messages; try again later")
            inbox.put((), connection.unfinished)
        if not data or connection.state is State.CLOSED:
            self._close(inbox)
            return
        if not connection.unfinished:
            self._unfinished.pop(inbox, None)
        elif messages or inbox not in self._unfinished:
            self._unfinished[inbox] = time.monotonic()
        if inbox.pauses():
            self._selector.unregister(connection.socket)

    def resume(self, inbox: Inbox) -> None:
        """Read a client again that was not read for a while. Any thread may call this."""
        self._post(partial(self._resume, inbox))

    def _resume(self, inbox: Inbox) -> None:
        if inbox in self._inboxes and not self._has_ended:
            self._selector.register(inbox.connection.socket, selectors.EVENT_READ, inbox)

    def _close(self, inbox: Inbox) -> None:
        if inbox not in self._inboxes:
            return
        if not self._has_ended:
            with contextlib.suppress(KeyError, ValueError):  # it was not being read
                self._selector.unregister(inbox.connection.socket)
        inbox.connection.close_socket()
        self._unfinished.pop(inbox, None)
        self.limits.connections.leave(inbox.connection.address)
        inbox.end(_now if self._has_ended else self.workers.do)
        with self._lock:
            self._inboxes.discard(inbox)
            self._lock.notify_all()

    def _look(self, now: float) -> None:
        """Accept again after a shortage, and end what takes too long."""
        if self._accepts_at is not None and now >= self._accepts_at and not self._is_leaving:
            self._accepts_at = None
            self._selector.register(self._listener, selectors.EVENT_READ)
        if now < self._looks_at:
            return
        self._looks_at = now + LOOK_INTERVAL
        for arrival in [arrival for arrival in self._refused if arrival.deadline < now]:
            if arrival.answer:
                self._answer(arrival)
            else:
                self._close_arrival(arrival)
        for arrival in [arrival for arrival in self._arrivals if arrival.deadline < now]:
            self._refuse(arrival, ChatError("request_timeout", seconds=self.limits.handshake_timeout))
        for inbox in [inbox for inbox, since in self._unfinished.items() if now - since > MESSAGE_TIMEOUT]:
            self._unfinished.pop(inbox)
            inbox.connection.fail(CloseCode.POLICY_VIOLATION, "a message took too long to arrive")

    def _note(self, problem: str) -> None:
        """Log this, unless it was said a short while ago."""
        now = time.monotonic()
        if now - self._noted.get(problem, -QUIET) >= QUIET:
            self._noted[problem] = now
            log.warning(problem)

    # In other threads

    def shutdown(self) -> None:
        """End `serve_forever`."""
        self._is_closing = True
        self._wake()

    def stop_accepting(self, timeout: float) -> None:
        """Leave new connections in the queue of the port, from which another process with the same socket takes them.

        Whoever is told afterwards to come back does so there.
        """
        self._is_leaving = True
        has_stopped = threading.Event()

        def stop() -> None:
            with contextlib.suppress(KeyError):  # out of descriptors, it is not registered
                self._selector.unregister(self._listener)
            has_stopped.set()

        self._post(stop)
        has_stopped.wait(timeout)

    def hang_up(self, timeout: float) -> None:
        """Accept no more connections, end those without a handshake, and wait for the others to end."""
        self._is_leaving = True
        self._post(self._end_arrivals)
        with self._lock:
            self._lock.wait_for(lambda: not self._inboxes, timeout)

    def _end_arrivals(self) -> None:
        for arrival in list(self._arrivals):
            self._close_arrival(arrival)

    def _post(self, act: Callable[[], None]) -> None:
        """Have the reading thread do this, or do it now if there is none any more."""
        with self._lock:
            if not self._has_ended:
                self._posted.append(act)
                self._wake()
                return
        act()

    def _wake(self) -> None:
        with contextlib.suppress(OSError):  # it is awake, or closed
            self._waker.send(b"x")


class Arrival:
    """A connection that has not begun, and as much of its request as has arrived."""

    def __init__(self, sock: socket.socket, peer: str, address: str, deadline: float, received: bytes = b"") -> None:
        self.socket = sock
        self.peer = peer  # the address at the other end
        self.address = address  # for which it counts
        self.deadline = deadline  # by time.monotonic()
        self.head = bytearray(received)
        self.answer = b""  # why it is refused, until the client has said something
        self.is_counted = False  # among the connections and the handshakes of its address

    @property
    def is_complete(self) -> bool:
        """True once the head of the request has arrived."""
        return END in self.head


class Inbox:
    """The messages of a client, carried out in order by whichever worker is free."""

    def __init__(self, connection: ClientConnection, receiver: Receiver) -> None:
        self.connection = connection
        self._receiver = receiver
        self._lock = threading.Lock()  # guards what follows
        self._messages: deque[Message] = deque()
        self._size = 0  # bytes of these messages
        self._unfinished = 0  # bytes of a message that is not complete
        self._counted = 0  # bytes that are counted against the limit for all
        self._is_worked_on = False
        self._is_paused = False
        self._has_ended = False

    def put(self, messages: Sequence[Message], unfinished: int) -> bool:
        """Have these carried out. Returns False if that is over the limit; then the messages are dropped."""
        size = sum(map(len, messages))
        with self._lock:
            self._size += size
            self._unfinished = unfinished
            is_within = self._count()
            if is_within:
                self._messages += messages
            else:
                self._size -= size
        self.look()
        return is_within

    def pauses(self) -> bool:
        """Return True if the client must not be read for a while; then the receiver is told when it may be again."""
        with self._lock:
            self._is_paused = self._is_full(MESSAGES)
            return self._is_paused

    def end(self, do: Callable[[Callable[[], None]], None]) -> None:
        """Tell whoever began the conversation that the connection has ended, behind the last message.

        `do` carries out what is left, unless a worker is at it.
        """
        with self._lock:
            self._has_ended = True
            self._unfinished = 0
            self._count()
            is_worked_on, self._is_worked_on = self._is_worked_on, True
        if not is_worked_on:
            do(self._work)

    def look(self) -> None:
        """See whether messages can be carried out, and whether the client can be read again."""
        with self._lock:
            can_resume = self._is_paused and not self._is_full(FEW_MESSAGES)
            self._is_paused = self._is_paused and not can_resume
            can_work = not self._is_worked_on and self._can_work()
            self._is_worked_on = self._is_worked_on or can_work
        if can_resume:
            self._receiver.resume(self)
        if can_work:
            self._receiver.workers.do(self._work)

    def _is_full(self, messages: int) -> bool:
        assert self._lock.locked()
        if self.connection.is_aborted:
            return False  # its end has to be read
        return len(self._messages) > messages or self._size > WAITING_BYTES or self.connection.is_congested

    def _can_work(self) -> bool:
        assert self._lock.locked()
        return bool(self._messages) and not self.connection.is_congested

    def _count(self) -> bool:
        """Count what is in memory against the limit for all. Returns False if it is over."""
        assert self._lock.locked()
        unfinished, address = self._receiver.limits.unfinished, self.connection.address
        counted = max(self._size + self._unfinished - FREE_BYTES, 0)
        if counted > self._counted and not unfinished.enter(address, counted - self._counted):
            return False
        if counted < self._counted:
            unfinished.leave(address, self._counted - counted)
        self._counted = counted
        return True

    def _work(self) -> None:
        """Carry out a few messages, in a worker."""
        for _ in range(AT_ONCE):
            with self._lock:
                if not self._can_work():
                    is_over = self._has_ended and not self._messages
                    self._is_worked_on = is_over  # then for good
                    break
                message = self._messages.popleft()
                self._size -= len(message)
                self._count()
            try:
                self.connection.receive(message)
            except Exception:
                log.exception("A connection failed")
                self.connection.drop(CloseCode.INTERNAL_ERROR, "internal error")
            del message
            self.look()
        else:
            self._receiver.workers.do(self._work)
            return
        if is_over:
            self.connection.end()


def _now(job: Callable[[], None]) -> None:
    """Do this at once: when the server ends, handing thousands of jobs to other threads would take seconds."""
    job()


def _too_many(admission: Admission, address: str, things: str) -> ChatError:
    """Return the error for an address that was not admitted."""
    if admission.exceeds_own(address):
        return ChatError("too_many_requests", what=things, limit=admission.per_address)
    return ChatError("too_many_connections")
