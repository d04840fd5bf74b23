"""The HTTP server: one thread takes connections and reads the heads of requests; others answer the requests.

So connections that are idle, or send their request slowly, cost no thread. When there are too many of them, the oldest
is dropped. It is an `HTTPServer` with a `serve_forever` of its own: the standard library reads a head in the thread
that answers it, for as long as its client likes, and takes heads that have two meanings.
"""

from __future__ import annotations

import contextlib
import logging
import queue
import selectors
import socket
import threading
import time
from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import replace
from http.server import HTTPServer

from agentchat.access import Access
from agentchat.auth.connections import Connections
from agentchat.auth.identification import Identification
from agentchat.auth.live import Live
from agentchat.http import limits, request_head
from agentchat.http.connection import Connection, Disconnected
from agentchat.http.handler import SOCKET, Handler, Request, refusal
from agentchat.http.limits import Limits, Rules, Slot
from agentchat.http.public_files import File
from agentchat.http.request_head import Head
from agentchat.http.routes import Table
from agentchat.http.waiting import Waiters
from agentchat.net.access_log import AccessLog
from agentchat.net.listener import EXHAUSTED, RETRY
from agentchat.net.origins import Origins
from agentchat.protocol.errors import ChatError
from agentchat.protocol.identity import Caller

log = logging.getLogger(__name__)

END_TIMEOUT = 0.5  # seconds that streams have to end when the server does
LINGER = 2.0  # seconds for which a client may go on sending what nobody reads, so that it sees its response
AT_ONCE = 64  # connections that are accepted before others have their turn
CHUNK = 2**16  # bytes
IDLE_SECONDS = 1.0  # for which a thread waits for another request
BUSY, IDLE = "http-request", "http-idle"  # names of threads
HEALTH = frozenset({"/livez", "/healthz", "/readyz", "/metrics"})


class PageServer(HTTPServer):
    """Serves the page and the routes."""

    def __init__(self, listener: socket.socket, files: Mapping[str, File], rules: Rules) -> None:
        """`listener` is bound and listens already; closing the server closes it."""
        address, port = listener.getsockname()[:2]
        super().__init__((address, port), Handler, bind_and_activate=False)
        self.socket.close()
        self.socket = listener
        self.files = files
        self.table = Table()
        self.origins = Origins(port, address)
        self.ws_port = 0
        self.adopt: Callable[[socket.socket, str, bytes], None]
        """Takes over a connection that becomes a WebSocket: its socket, the address there, and what has come of it."""
        self.waiters = Waiters()
        self.limits = Limits(rules)
        self.check_rate: Callable[[Caller], None] = lambda caller: None
        self.has_sent: Callable[[str, str, str], bool] = lambda person, session_id, id: False
        self.identification: Identification
        self.access: Access
        self.live = Live()
        self.connections = Connections()
        self.access_log = AccessLog()
        self._selector = selectors.DefaultSelector()
        self._waker, self._wakened = socket.socketpair()
        for each in (listener, self._waker, self._wakened):
            each.setblocking(False)
        self._selector.register(listener, selectors.EVENT_READ, self._accept)
        self._selector.register(self._wakened, selectors.EVENT_READ, self._take_back)
        # Only the server's own thread uses these, which are in the order of their deadlines:
        self._waiting: dict[Connection, None] = {}  # for a request, or for the rest of its head
        self._leaving: dict[Connection, None] = {}  # until they have read their last response
        self._returned: deque[Connection] = deque()  # by the threads of requests
        self._requests: queue.SimpleQueue[Request] = queue.SimpleQueue()  # each for a thread that was idle
        self._spare: queue.SimpleQueue[Request | None] = queue.SimpleQueue()
        self._accepts_again: float | None = None  # the moment at which it does, if it doesn't
        self._lock = threading.Lock()  # guards what follows
        self._answering: set[Connection] = set()
        self._idle = 0  # threads that wait for a request, less the requests that wait for them
        self._is_ending = False
        self._has_ended = threading.Event()

    @property
    def port(self) -> int:
        return int(self.socket.getsockname()[1])

    def serve_forever(self, poll_interval: float = 0) -> None:
        """Serve until `shutdown`."""
        spare = threading.Thread(target=self._answer_spared, name="http-spare", daemon=True)
        spare.start()
        try:
            while not self._is_ending:
                try:
                    self._serve_once()
                except Exception:  # such as MemoryError: one connection suffers, the others are served
                    log.exception("The HTTP server goes on after an error")
                    time.sleep(RETRY)
        finally:
            for connection in [*self._waiting, *self._leaving]:
                self._drop(connection)
            for connection in self._returned:
                self._close(connection)
            self._spare.put(None)
            self._has_ended.set()

    def shutdown(self) -> None:
        """Take no more requests, end streams, and let the requests that are being answered be the last."""
        with self._lock:
            self._is_ending = True
        self._wake()
        self._has_ended.wait()
        self.waiters.end(END_TIMEOUT)
        with self._lock:
            for connection in self._answering:  # kept connections get no more answers
                with contextlib.suppress(OSError):
                    connection.socket.shutdown(socket.SHUT_RD)

    def server_close(self) -> None:
        self._selector.close()
        self.socket.close()
        self._wakened.close()
        self._waker.close()

    # The server's own thread

    def _serve_once(self) -> None:
        for key, _ in self._selector.select(self._seconds_to_wait()):
            if not isinstance(key.data, Connection):
                key.data()
            elif key.data in self._waiting or key.data in self._leaving:  # not dropped since
                self._read(key.data)
        now = time.monotonic()
        for connection in _late(self._waiting, now):
            if connection.unread:
                self._refuse(connection, ChatError("request_timeout", seconds=f"{self.limits.timeout:g}"))
            else:
                self._drop(connection)
        for connection in _late(self._leaving, now):
            self._drop(connection)
        if self._accepts_again is not None and now >= self._accepts_again:
            self._accepts_again = None
            self._selector.register(self.socket, selectors.EVENT_READ, self._accept)

    def _seconds_to_wait(self) -> float | None:
        moments = [next(iter(each)).deadline for each in (self._waiting, self._leaving) if each]
        moments += [] if self._accepts_again is None else [self._accepts_again]
        return max(min(moments) - time.monotonic(), 0) if moments else None

    def _accept(self) -> None:
        for _ in range(AT_ONCE):
            try:
                client, address = self.socket.accept()
            except BlockingIOError:
                return
            except OSError as error:
                if error.errno not in EXHAUSTED:
                    return  # the client was gone before it was accepted
                if not self._drop_oldest():
                    self._selector.unregister(self.socket)  # else it would be ready all the time
                    self._accepts_again = time.monotonic() + RETRY
                    return
                continue
            self._admit(Connection(client, address[0], self.identification.proxies.holder_of(address[0])))

    def _admit(self, connection: Connection) -> None:
        connection.socket.setblocking(False)
        with contextlib.suppress(OSError):
            connection.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, True)
        held = self.limits.connections
        while not held.enter(connection.address):
            is_own_limit = held.exceeds_own(connection.address)
            if not self._drop_oldest(connection.address if is_own_limit else None):
                own = limits.refusal(held, connection.address, 1, limits.CONNECTIONS)
                self._send_at_once(connection, own if is_own_limit else ChatError("too_many_connections"))
                connection.close()
                return
        self._wait(connection)

    def _wait(self, connection: Connection) -> None:
        """Wait for the next request, or for the rest of its head."""
        self._selector.register(connection.socket, selectors.EVENT_READ, connection)
        connection.deadline = time.monotonic() + self.limits.timeout
        self._waiting[connection] = None

    def _read(self, connection: Connection) -> None:
        try:
            received = connection.socket.recv(CHUNK)
        except BlockingIOError:
            return
        except OSError:
            received = b""
        if not received:
            self._drop(connection)
        elif connection in self._waiting:
            if not connection.unread:  # the deadline counts from the first byte
                del self._waiting[connection]
                connection.deadline = time.monotonic() + self.limits.timeout
                self._waiting[connection] = None
            known = len(connection.unread)
            connection.unread += received
            self._look(connection, known)

    def _look(self, connection: Connection, known: int = 0) -> None:
        """Begin to answer a request if its head has arrived."""
        try:
            received = request_head.cut(connection.unread, known)
            if received is not None:
                head = self._without_prefix(request_head.parse(received))
                if head.path == SOCKET and head.asks_for("websocket"):
                    self._hand_over(connection, received)
                else:
                    self._begin(connection, head)
        except ChatError as error:
            self._refuse(connection, error)

    def _begin(self, connection: Connection, head: Head) -> None:
        """Answer a request in a thread. Raises ChatError if there is no room for it."""
        proxies, peer = self.identification.proxies, connection.peer
        own = proxies.own_address(peer, head.headers, head.prefix)
        self._count_for(connection, proxies.address_of(peer, head.headers))
        slot, is_public = self._slot(connection.address, head)
        self._selector.unregister(connection.socket)
        del self._waiting[connection]
        request = Request(connection, head, slot, own)
        with self._lock:
            self._answering.add(connection)
            is_taken = self._idle > 0
            self._idle -= is_taken
        if is_taken:
            self._requests.put(request)
            return
        try:
            threading.Thread(target=self._answer_all, args=(request,), name=BUSY, daemon=True).start()
        except (RuntimeError, MemoryError) as error:  # the process has all the threads that it may have
            if is_public:
                self._spare.put(request)
                return
            slot.leave()
            with self._lock:
                self._answering.discard(connection)
            self._wait(connection)
            raise ChatError("server_full", what=limits.REQUESTS) from error

    def _without_prefix(self, head: Head) -> Head:
        """Return a request to a path below that of the public address as one to what is there; proxies may cut it off.

        A path that means something as it is, stays.
        """
        prefix = self.identification.proxies.public.prefix
        is_below = bool(prefix) and head.path.startswith(f"{prefix}/")
        if not is_below or head.path in self.files or self.table.find(head.path)[0]:
            return head
        return replace(head, path=head.path.removeprefix(prefix), prefix=prefix)

    def _hand_over(self, connection: Connection, head: bytes) -> None:
        """Leave a connection that becomes a WebSocket, and all that has come of it, to the server for those."""
        self._selector.unregister(connection.socket)
        del self._waiting[connection]
        self.limits.connections.leave(connection.address)
        self.adopt(connection.socket, connection.peer, head + bytes(connection.unread))

    def _count_for(self, connection: Connection, client: str) -> None:
        """Count a connection for a client, who may be behind a proxy. Raises ChatError if the client has too many."""
        held = self.limits.connections
        while not held.move(connection.address, client):
            if not self._drop_oldest(client):
                raise limits.refusal(held, client, 1, limits.CONNECTIONS)
        connection.address = client

    def _slot(self, address: str, head: Head) -> tuple[Slot, bool]:
        """Return a slot for a request, and True if it is for something that is always answered. Raises ChatError."""
        held = self.limits.requests
        is_public = head.method in {"GET", "HEAD"} and (head.path in self.files or head.path in HEALTH)
        for admission in (held, self.limits.reserve) if is_public else (held,):
            if admission.enter(address):
                return Slot(admission, address), is_public
        raise limits.refusal(held, address, 1, limits.REQUESTS)

    def _refuse(self, connection: Connection, error: ChatError) -> None:
        self._send_at_once(connection, error)
        self._waiting.pop(connection)
        self._let_leave(connection)

    def _send_at_once(self, connection: Connection, error: ChatError) -> None:
        answer, begun, address = refusal(error), time.monotonic(), connection.address or connection.peer
        with contextlib.suppress(OSError):
            connection.socket.send(answer)
        self.access_log.request(
            "", "", "", status=error.row.status, size=len(answer), begun=begun, address=address, user=""
        )

    def _let_leave(self, connection: Connection) -> None:
        """Close a connection once its client has read the response; closing at once could take it away again."""
        connection.unread.clear()
        connection.end()
        connection.deadline = time.monotonic() + LINGER
        self._leaving[connection] = None

    def _take_back(self) -> None:
        """Take back the connections whose requests have been answered."""
        with contextlib.suppress(BlockingIOError):
            self._wakened.recv(CHUNK)
        while self._returned:
            connection = self._returned.popleft()
            connection.socket.setblocking(False)
            connection.take_decrypted()
            self._count_for(connection, self.identification.proxies.holder_of(connection.peer))
            self._wait(connection)
            if connection.is_ending:
                del self._waiting[connection]
                self._let_leave(connection)
            elif connection.unread:
                self._look(connection)

    def _drop_oldest(self, address: str | None = None) -> bool:
        """Drop the connection that has waited longest, of one address or of all. Returns False if none waits."""
        for connections in (self._leaving, self._waiting):
            for connection in connections:
                if address in {None, connection.address}:
                    self._drop(connection)
                    return True
        return False

    def _drop(self, connection: Connection) -> None:
        self._waiting.pop(connection, None)
        self._leaving.pop(connection, None)
        self._selector.unregister(connection.socket)
        self._close(connection)

    def _close(self, connection: Connection) -> None:
        connection.close()
        self.limits.connections.leave(connection.address)

    # The threads of requests

    def _answer_all(self, request: Request) -> None:
        """Answer a request, and others as long as they come soon; starting a thread takes as long as many answers."""
        thread = threading.current_thread()
        while True:
            thread.name = BUSY
            self._answer(request)
            thread.name = IDLE
            with self._lock:
                self._idle += 1
            try:
                request = self._requests.get(timeout=IDLE_SECONDS)
            except queue.Empty:
                with self._lock:
                    if self._idle:
                        self._idle -= 1
                        return
                request = self._requests.get()  # one was meant for this thread just now

    def _answer_spared(self) -> None:
        """Answer requests for the page and its health for which no thread could be started."""
        while (request := self._spare.get()) is not None:
            self._answer(request)

    def _answer(self, request: Request) -> None:
        connection = request.connection
        is_usable = False
        try:
            self.finish_request(request, connection.address)  # type: ignore[arg-type]  # a handler for it
            is_usable = True
        except (OSError, Disconnected):
            log.debug("A client went away", exc_info=True)
        except MemoryError:
            log.exception("There was no memory to answer a request")
        finally:
            request.slot.leave()
            with self._lock:
                self._answering.discard(connection)
                is_kept = is_usable and not self._is_ending
                if is_kept:
                    self._returned.append(connection)
            if is_kept:
                self._wake()
            else:
                self._close(connection)

    def _wake(self) -> None:
        with contextlib.suppress(OSError):  # it has been woken often enough, or has ended
            self._waker.send(b"\0")


def _late(connections: dict[Connection, None], now: float) -> list[Connection]:
    """The connections whose deadline has passed; they are in the order of their deadlines."""
    late = []
    for connection in connections:
        if connection.deadline > now:
            break
        late.append(connection)
    return late
