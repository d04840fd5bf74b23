"""Answers to monitors and load balancers: is the server well, and does it take new work?"""

from __future__ import annotations

import socket
import threading
import time

from agentchat.access import Need
from agentchat.http import responses
from agentchat.http.routes import Call, Reply, route
from agentchat.net.listener import EXHAUSTED
from agentchat.protocol.errors import ChatError
from agentchat.sessions.registry import Sessions
from agentchat.store import Store

ANSWERS_WITHIN = 0.8  # seconds for the WebSocket port to answer

# It asks for no upgrade, so that it is refused at once.
_REQUEST = b"GET / HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n"
_WILDCARDS = {"0.0.0.0": "127.0.0.1", "::": "::1"}  # noqa: S104 - where a socket that is bound to it can be reached


class HealthRoutes:
    """Looks at the parts of the server, one look at a time: requests that come meanwhile share the next one."""

    def __init__(self, store: Store, sessions: Sessions, websocket: tuple[str, int]) -> None:
        """`websocket` is the address that the WebSocket server listens on."""
        self._store = store
        self._sessions = sessions
        self._websocket = (_WILDCARDS.get(websocket[0], websocket[0]), websocket[1])
        self._lock = threading.Lock()  # guards what follows
        self._begun = 0.0
        self._store_problem: ChatError | None = None
        self._websocket_problem: ChatError | None = None

    @route("GET", "/livez", Need.NOTHING, answers={200: responses.Alive})
    def read_liveness(self, call: Call) -> Reply:
        """Check that the process answers; nothing else is looked at."""
        return Reply(200, {"status": "alive"})

    @route("GET", "/healthz", Need.NOTHING, answers={200: responses.Health}, errors=("websocket_down",))
    def read_health(self, call: Call) -> Reply:
        """Check that the server is well: the store, this port and the WebSocket port."""
        for problem in self._look():
            if problem is not None:
                raise problem.with_traceback(None)  # others raise it as well
        return Reply(200, {"status": "ok"})

    @route("GET", "/readyz", Need.NOTHING, answers={200: responses.Ready}, errors=("closing",))
    def read_readiness(self, call: Call) -> Reply:
        """Check that the server takes new work."""
        store_problem, _ = self._look()
        if self._sessions.is_draining.is_set():
            raise ChatError("closing")
        if store_problem is not None:
            raise store_problem.with_traceback(None)
        return Reply(200, {"status": "ready"})

    def _look(self) -> tuple[ChatError | None, ChatError | None]:
        """Return what is wrong with the store and with the WebSocket port, as a look that begins from now on finds."""
        now = time.monotonic()
        with self._lock:
            if self._begun < now:
                self._begun = time.monotonic()
                self._look_at_all()
            return self._store_problem, self._websocket_problem

    def _look_at_all(self) -> None:
        deadline = time.monotonic() + ANSWERS_WITHIN
        self._store_problem = self._websocket_problem = None
        try:
            with socket.create_connection(self._websocket, ANSWERS_WITHIN) as connection:
                connection.sendall(_REQUEST)
                self._look_at_store()  # meanwhile
                connection.settimeout(max(deadline - time.monotonic(), 0.1))
                connection.recv(1)  # any answer will do: it took the connection from the port's queue
        except OSError as error:
            if error.errno not in EXHAUSTED:  # without a descriptor to ask with, nothing is known of the port
                self._websocket_problem = ChatError("websocket_down")
            if self._store_problem is None:
                self._look_at_store()

    def _look_at_store(self) -> None:
        try:
            self._store.check()
        except ChatError as error:
            self._store_problem = error
