"""Choosing the sessions that have expired, without trusting the clock.

A wrong wall clock must not delete conversations. So time is taken from the newest event in the store, and from how long
the server has been running; if most of the sessions seem to have expired, people get time to look at the clock.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from datetime import datetime, timedelta, timezone

from agentchat.protocol import events
from agentchat.store import Store

log = logging.getLogger(__name__)

PORTION = 50  # sessions that are removed at a time
INTERVAL = timedelta(minutes=1)  # between two times, at most
DOUBT = timedelta(hours=1)  # that passes before most of all sessions are removed, at most


class Expiry:
    """The choice of one server, made again and again."""

    def __init__(
        self,
        store: Store,
        hours: float,
        monotonic: Callable[[], float] = time.monotonic,
        now: Callable[[], datetime] = lambda: datetime.now(timezone.utc),
    ) -> None:
        """`hours` is how long a session is kept after its last event."""
        self._store = store
        self._kept = timedelta(hours=hours)
        self._doubt = min(DOUBT, self._kept)
        self.interval = min(INTERVAL, self._kept).total_seconds() + 0.1
        """Seconds to wait before looking again."""
        self._monotonic = monotonic
        self._now = now
        self._began = monotonic()
        self._newest_before = store.newest()
        self._doubted: float | None = None  # since when most sessions seem to have expired

    def due(self) -> list[str]:
        """Return the sessions to be removed now, those that have rested longest first. Raises StoreError."""
        before = self.trusted() - self._kept
        expired, total = self._store.count(events.time(before)), self._store.count()
        if 2 * expired <= total:
            self._doubted = None
        elif self._is_doubtful(expired, total):
            return []
        return self._store.expired(events.time(before), PORTION) if expired else []

    def trusted(self) -> datetime:
        """Return a time that is surely past: that of the newest event, or what has gone by while the server ran."""
        now, newest = self._now(), self._store.newest()
        running = timedelta(seconds=self._monotonic() - self._began)
        known = [events.moment(newest)] if newest else []
        known += [events.moment(self._newest_before) + running] if self._newest_before else []
        return min(now, max(known)) if known else now

    def _is_doubtful(self, expired: int, total: int) -> bool:
        if self._doubted is None:
            self._doubted = self._monotonic()
            log.warning(
                "By the clock (%s) %d of %d conversations are older than --session-ttl-hours. They will be deleted in "
                "%d minutes; if the clock is wrong, stop the server and set it",
                events.time(self._now()), expired, total, self._doubt.total_seconds() / 60,
            )  # fmt: skip
        return self._monotonic() - self._doubted < self._doubt.total_seconds()
