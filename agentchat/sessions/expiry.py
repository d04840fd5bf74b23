"""Choosing the sessions that have expired, without trusting the clock.

A wrong wall clock must not delete conversations. So time is taken from the newest event in the store, and from how long
the server has been running since. After a start, and when an event's time is far ahead of that, nothing is deleted for
a while: people may notice that the clock is wrong.
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
DOUBT = timedelta(minutes=15)  # that pass before a new time is believed, at most
AHEAD = timedelta(minutes=5)  # by which an event's time may be ahead without raising doubt


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
        self._monotonic = monotonic
        self._now = now
        self._doubt = min(DOUBT, self._kept).total_seconds()
        self.interval = min(INTERVAL, self._kept).total_seconds() + 0.1
        """Seconds to wait before looking again."""
        self._base, self._since = self.newest(), monotonic()  # a time, and the moment at which it was believed
        self._quiet_until = self._since + self._doubt  # nothing is removed before that
        self._is_ahead = False  # an event's time is far ahead of what is believed
        self._has_warned = False

    def newest(self) -> datetime:
        """Return a time that is surely past unless the clock was wrong: that of the newest event."""
        newest = self._store.newest()
        return min(self._now(), events.moment(newest)) if newest else self._now()

    def due(self) -> list[str]:
        """Return the sessions to be removed now, those that have rested longest first. Raises StoreError."""
        now, newest = self._monotonic(), self.newest()
        believed = self._base + timedelta(seconds=now - self._since)
        if newest <= believed + AHEAD:
            self._is_ahead = False
        elif not self._is_ahead:
            self._is_ahead, self._quiet_until = True, now + self._doubt
        elif now >= self._quiet_until:
            self._is_ahead, self._base, self._since = False, newest, now
            believed = newest
        if now < self._quiet_until:
            self._warn(max(believed, newest))
            return []
        self._has_warned = False
        return self._store.expired(events.time(min(believed, self._now()) - self._kept), PORTION)

    def _warn(self, time: datetime) -> None:
        """Warn once if most of all sessions are to be removed, should this be the time."""
        expired, total = self._store.count(events.time(time - self._kept)), self._store.count()
        if not self._has_warned and 2 * expired > total:
            self._has_warned = True
            log.warning(
                "By the clock (%s) %d of %d conversations are older than --session-ttl-hours. They will be deleted in "
                "%d minutes; if the clock is wrong, stop the server and set it",
                events.time(self._now()), expired, total, self._doubt / 60,
            )  # fmt: skip
