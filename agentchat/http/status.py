"""The server as those see it who run it: metrics for Prometheus, and the figures of the page `/status`."""

from __future__ import annotations

from datetime import datetime, timedelta, timezone

from agentchat import __version__
from agentchat.access import Need
from agentchat.auth.connections import Connections
from agentchat.http import requests, responses
from agentchat.http.limits import Limits
from agentchat.http.routes import Call, Reply, route
from agentchat.measures import Now
from agentchat.measures.exposition import CONTENT_TYPE, Exposition, is_available
from agentchat.measures.last_hour import LastHour
from agentchat.protocol import events
from agentchat.protocol.errors import ChatError, StoreError
from agentchat.sessions.registry import Sessions
from agentchat.store import Store
from agentchat.store.usage import Usage

TEXT = "text/plain"


class Look:
    """Looks at what is so at the moment, without waiting for anything but a read of the store."""

    def __init__(self, sessions: Sessions, store: Store, connections: Connections, limits: Limits) -> None:
        self._sessions = sessions
        self._store = store
        self._connections = connections
        self._limits = limits

    def __call__(self) -> Now:
        kinds = [connection.kind for connection in self._connections.all]
        websockets, streams = kinds.count("websocket"), kinds.count("stream")
        at = self._sessions.figures()
        try:
            stored = self._store.count()
        except StoreError:
            stored = None
        return Now(
            {"websocket": websockets, "sse": streams, "http": self._limits.connections.total},
            {"running": at.running, "waiting": at.waiting, "queued": at.queued},
            at.waiting_messages,
            at.in_memory,
            stored,
        )


class StatusRoutes:
    def __init__(self, exposition: Exposition, last_hour: LastHour, usage: Usage) -> None:
        self._exposition = exposition
        self._last_hour = last_hour
        self._usage = usage
        self._started = events.now()

    @route("GET", "/metrics", Need.METRICS, answers={200: responses.Metrics}, errors=("not_allowed", "metrics_missing"),
           types=(TEXT,))  # fmt: skip
    def read_metrics(self, call: Call) -> Reply:
        """Return all metrics in Prometheus' text format."""
        if not is_available():
            raise ChatError("metrics_missing")
        return Reply(200, self._exposition.text(), type=CONTENT_TYPE)

    @route("GET", "/api/agent-chat/status", Need.STATUS, answers={200: responses.StatusFigures},
           errors=("not_found", "not_allowed"))  # fmt: skip
    def read_status(self, call: Call, query: requests.StatusQuery) -> Reply:
        """Return the figures of the last hour, and what agents were used for, day by day."""
        since = events.time(datetime.now(timezone.utc) - timedelta(days=query.days - 1))[:10]
        about = {"version": __version__, "started": self._started, **self._last_hour.told()}
        return Reply(200, {**about, "usage": self._usage.by_day(since), "usage_since": since})
