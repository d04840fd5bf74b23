"""The clock of this machine, beside the newest event in the store and the clock of the model server."""

from __future__ import annotations

import email.utils
import sqlite3
import time
from collections.abc import Iterator
from datetime import datetime, timedelta, timezone

from agentchat.doctor import databases
from agentchat.doctor.finding import OK, PROBLEM, WARNING, Finding, Setup
from agentchat.protocol import events
from agentchat.store import opening

CLOCK = "clock"
BUILT = datetime(2025, 1, 1, tzinfo=timezone.utc)  # no clock that is right shows less
AHEAD = timedelta(minutes=1)  # by which the newest event may be ahead
APART = 30.0  # seconds by which two clocks may differ
FAR_APART = 300.0

MEND = "Set the clock of this machine, and let it be kept right (timedatectl set-ntp true)."


def look(setup: Setup) -> Iterator[Finding]:
    """Yield how the clock is, as far as this machine knows."""
    now = datetime.now(timezone.utc)
    newest = _newest(setup)
    if now < BUILT:
        yield Finding(CLOCK, PROBLEM, f"The clock shows {events.time(now)}, which is long past.", MEND)
    elif newest is not None and newest > now + AHEAD:
        message = (
            f"The clock shows {events.time(now)}, but the newest conversation is from {events.time(newest)}: one of "
            "the two is wrong."
        )
        yield Finding(CLOCK, WARNING, message, MEND)
    else:
        later = "" if newest is None else ", later than all conversations"
        yield Finding(CLOCK, OK, f"The clock shows {events.time(now)}{later}.")


def beside(date: str, at: float, server: str) -> Finding | None:
    """Return how the clock is beside the `Date` that a server sent when it was `at` by time.time()."""
    try:
        theirs = email.utils.parsedate_to_datetime(date).timestamp()
    except (TypeError, ValueError, OverflowError):
        return None
    apart = at - theirs
    if abs(apart) <= APART:
        return Finding(CLOCK, OK, f"The clock agrees with that of {server}.")
    way = "ahead of" if apart > 0 else "behind"
    message = f"The clock is {abs(apart):,.0f} seconds {way} that of {server}."
    return Finding(CLOCK, PROBLEM if abs(apart) > FAR_APART else WARNING, message, MEND)


def _newest(setup: Setup) -> datetime | None:
    path = setup.chosen.data_dir.absolute() / opening.DATABASE
    if not path.exists():
        return None
    try:
        with databases.opened(path) as db:
            (newest,) = db.execute("SELECT max(updated) FROM sessions").fetchone()
            return events.moment(newest) if newest else None
    except (sqlite3.Error, ValueError):  # what is wrong with it is said elsewhere
        return None


def now() -> float:
    """Return the time for `beside`."""
    return time.time()
