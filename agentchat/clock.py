"""A clock that nobody sets: it goes on while the machine sleeps, and from one process to the next."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

_BOOT, _UPTIME = Path("/proc/sys/kernel/random/boot_id"), Path("/proc/uptime")  # Linux has them


class Moment(NamedTuple):
    """A moment since the machine was started."""

    boot: str
    """The id of that start."""
    seconds: float


def moment() -> Moment | None:
    """Return this moment, or None where the system doesn't say."""
    try:
        return Moment(_BOOT.read_text().strip(), float(_UPTIME.read_text().split()[0]))
    except (OSError, ValueError, IndexError):
        return None


def elapsed(since: Moment | None) -> float | None:
    """Return the seconds since that moment, or None if they can't be told: the machine was started again."""
    now = moment()
    if now is None or since is None or now.boot != since.boot:
        return None
    return now.seconds - since.seconds
