"""Sending frames to WebSocket clients without ever waiting for a socket.

The thread that causes something new (a token, an event) sends it to all followers at once. A client that doesn't read,
or has much to catch up on, is left to the one thread of the `Deliverer`. Meanwhile its cursor keeps its place in the
log, and nothing is queued for it.
"""

from __future__ import annotations

import logging
import math
import queue
import random
import threading
import time
from collections import deque
from dataclasses import dataclass

from websockets.protocol import State

from agentchat.protocol import events
from agentchat.protocol.errors import ChatError
from agentchat.sessions.cursor import Cursor
from agentchat.ws.connection import ClientConnection

log = logging.getLogger(__name__)

STALL_TIMEOUT = 60.0  # seconds after which a client that doesn't read is dropped
STALL_LOOK = 0.02  # seconds between looks at the sockets that were full
CHECK_INTERVAL = 1.0  # seconds between looks for silent clients, or less if they are not to be silent for long
SHORTEST_CHECK = 0.05


@dataclass(frozen=True)
class Silence:
    """The seconds of silence after which something is done about a connection."""

    heartbeat: float = 20.0
    """Until a client that was sent nothing gets a heartbeat; 0: never."""
    ping_interval: float = 20.0
    """Until a client that says nothing is pinged; 0: never."""
    ping_timeout: float = 20.0
    """Until a client that doesn't answer the ping is dropped."""

    @property
    def check_interval(self) -> float:
        """The seconds between looks for silent clients."""
        shortest = min(each for each in (self.heartbeat, self.ping_interval, self.ping_timeout, math.inf) if each)
        return min(CHECK_INTERVAL, max(shortest / 4, SHORTEST_CHECK))


class Client:
    """One connection, and its place in its session's log."""

    def __init__(self, connection: ClientConnection, deliverer: Deliverer) -> None:
        self.connection = connection
        connection.stalled = self.wake
        self.cursor: Cursor | None = None  # None before the first frame, and behind the last
        self.is_queued = False  # in the deliverer's queue
        self.closes_behind_turn = False  # the client reads until the connection is closed
        self.is_done = False  # it has got all that it wants; the close frame comes next
        self._deliverer = deliverer
        self._own: deque[str] = deque()  # frames for this connection alone
        self._sending = threading.Lock()  # held by the thread that sends; guards the cursor
        self._is_due = False  # there may be something new that the sending thread doesn't know of
        self._pinged: float | None = None
        # Clients that were sent the same event don't get their heartbeats at the same moment.
        self._patience = deliverer.silence.heartbeat * random.uniform(0.75, 1) or math.inf
        self._turn = 0  # the turn behind which the connection is closed; 0 for none

    def wake(self) -> None:
        """Send what is new, or have the deliverer do it if that may take long."""
        cursor = self.cursor  # another thread may drop it
        if self.connection.is_stalled or (cursor is not None and cursor.is_lagging):
            self._deliverer.due(self)
        else:
            self.deliver()

    def tell(self, frame: str) -> None:
        """Send a frame to this client alone."""
        self.connection.note(len(frame))
        self._own.append(frame)
        self.wake()

    def expect(self, turn: int, end: events.Event | None) -> None:
        """Close the connection behind the end of this turn, unless the client sends something for a later one.

        The turn must not end meanwhile. `end` is its last event if it has ended before: the client repeats itself.
        """
        self._turn = max(self._turn, turn)
        cursor = self.cursor
        if end is not None and turn == self._turn and cursor is not None and end.seq <= cursor.shown:
            self.is_done = True
            self.wake()

    def refuse(self, error: str) -> None:
        """Tell the client that its frame was refused. Close the connection if that leaves no turn to wait for."""
        self.connection.note(len(error))
        self._own.append(error)
        self.is_done = self.is_done or (self.closes_behind_turn and not self._turn)
        self.wake()

    def deliver(self) -> None:
        """Send what is new. If another thread is sending, that thread sends the rest."""
        self._is_due = True
        while self._is_due and self._sending.acquire(blocking=False):
            try:
                self._is_due = False  # before looking, so that nothing new is missed
                self._send_news()
            except Exception:
                # Not even the store can be read. The client reconnects, and everything is still in the log.
                log.exception("A connection was given up")
                self.connection.drop(1011, "internal error")
            finally:
                self._sending.release()

    def _send_news(self) -> None:
        connection = self.connection
        if connection.is_stalled and (not connection.flush() or connection.is_stalled):
            return
        is_done = self.is_done  # before looking, because it is set behind the last frame
        texts = [self._own.popleft() for _ in range(len(self._own))]
        frames = self.cursor.advance() if self.cursor is not None and not is_done else []
        for frame in frames:
            texts.append(frame.text)
            if frame.ends == self._turn:
                is_done = self.is_done = True
                break
        answers = [frame.seq for frame in frames if frame.is_answer and frame.seq is not None]
        if answers:  # first, so that whoever sends something because of the answer has sent the pong before
            connection.write(lambda: connection.protocol.send_ping(b"%d" % answers[-1]))
        if texts:
            connection.write(lambda: connection.send_texts(texts))
        if is_done:
            connection.write(lambda: connection.protocol.send_close(1000))
            self.cursor = None
        if self.cursor is not None and self.cursor.has_ended:
            gone = ChatError("session_deleted")
            connection.write(lambda: connection.send_texts([events.error_frame(gone)]))
            connection.write(lambda: connection.protocol.send_close(1008, gone.message))
        if connection.is_stalled or (self.cursor is not None and self.cursor.is_behind):
            self._deliverer.due(self)

    def check(self, now: float) -> None:
        """Send a heartbeat if nothing else was sent, ping a silent client, and drop one that is gone or doesn't read.

        `now` is by time.monotonic().
        """
        connection, silence = self.connection, self._deliverer.silence
        if connection.closes_by is not None:
            if now > connection.closes_by:
                connection.abort()
        elif connection.stalled_since is not None and now - connection.stalled_since > STALL_TIMEOUT:
            connection.drop(1008, "you do not read")
        elif self._pinged is not None and self._pinged > connection.last_heard:
            if now - self._pinged > silence.ping_timeout:
                connection.drop(1011, "no answer to our ping")
        elif silence.ping_interval and now - connection.last_heard > silence.ping_interval:
            self._pinged = now
            connection.write(lambda: connection.protocol.send_ping(b""))
        is_silent = now - connection.last_told > self._patience
        if is_silent and self.cursor is not None and not connection.is_stalled:
            connection.write(lambda: connection.send_texts([self._deliverer.heartbeat]))


class Deliverer:
    """The thread that writes to clients that lag or stall, and checks on silent ones."""

    def __init__(self, silence: Silence = Silence()) -> None:
        self.silence = silence
        self.heartbeat = events.heartbeat_frame(silence.heartbeat)
        self._due: queue.SimpleQueue[Client | None] = queue.SimpleQueue()
        self._lock = threading.Lock()  # guards `_clients`
        self._clients: set[Client] = set()
        self._stalled: set[Client] = set()  # those whose sockets were full; used by the thread alone
        self._thread = threading.Thread(target=self._run, name="deliver", daemon=True)

    def __enter__(self) -> Deliverer:
        self._thread.start()
        return self

    def __exit__(self, *exception: object) -> None:
        self._due.put(None)
        self._thread.join()

    def due(self, client: Client) -> None:
        """Have the thread send to a client."""
        if not client.is_queued:
            client.is_queued = True
            self._due.put(client)

    def add(self, client: Client) -> None:
        """Check on a client from now on."""
        with self._lock:
            self._clients.add(client)

    def remove(self, client: Client) -> None:
        """Stop checking on a client."""
        with self._lock:
            self._clients.discard(client)

    def clients(self) -> list[Client]:
        """Return all connected clients."""
        with self._lock:
            return list(self._clients)

    def _run(self) -> None:
        next_look = time.monotonic()
        check_interval = self.silence.check_interval
        next_check = next_look + check_interval
        while self._deliver_next(STALL_LOOK if self._stalled else check_interval):
            now = time.monotonic()
            if self._stalled and now >= next_look:
                next_look = now + STALL_LOOK
                self._retry_stalled()
            if now >= next_check:
                next_check = now + check_interval
                self._check(now)

    # Functions of their own, so that the thread holds no client that has gone while it waits.

    def _deliver_next(self, timeout: float) -> bool:
        """Send to the next client that is due within this time. Returns False if there will be none any more."""
        try:
            client = self._due.get(timeout=timeout)
        except queue.Empty:
            return True
        if client is None:
            return False
        client.is_queued = False
        self._deliver(client)
        return True

    def _retry_stalled(self) -> None:
        for client in list(self._stalled):
            self._deliver(client)

    def _check(self, now: float) -> None:
        for client in self.clients():
            client.check(now)

    def _deliver(self, client: Client) -> None:
        client.deliver()
        is_stalled = client.connection.is_stalled and client.connection.state is not State.CLOSED
        (self._stalled.add if is_stalled else self._stalled.discard)(client)
