"""The limits of the system on this process."""

from __future__ import annotations

from collections.abc import Iterator

from agentchat.doctor.finding import OK, PROBLEM, WARNING, Finding, Setup
from agentchat.net import resources

LIMITS = "limits"
LEAST_DESCRIPTORS = 128
LEAST_THREADS = 40
LEAST_MEMORY = 256 * 2**20  # bytes

MEND = (
    "Raise the limits: ulimit -n, -u and -v, LimitNOFILE, TasksMax and MemoryMax of a systemd unit, or --ulimit, "
    "--pids-limit and --memory of a container."
)


def look(setup: Setup) -> Iterator[Finding]:
    """Yield what is scarce."""
    room = resources.room()
    if not room.shortage:
        yield Finding(LIMITS, OK, "There are enough descriptors, threads and memory.")
        return
    is_severe = room.descriptors < LEAST_DESCRIPTORS or room.threads < LEAST_THREADS or room.memory < LEAST_MEMORY
    message = f"This process can only have {room.shortage} more; connections that do not fit are refused."
    yield Finding(LIMITS, PROBLEM if is_severe else WARNING, message, MEND)
