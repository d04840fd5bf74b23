"""The room that is left for this process: descriptors, threads and memory, by its limits and those of its container."""

from __future__ import annotations

import contextlib
import os
import sys
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

try:
    import resource
except ImportError:  # Windows has no such limits
    resource = None  # type: ignore[assignment]

PROC = Path("/proc")  # Linux has it
CGROUPS = Path("/sys/fs/cgroup")
STACK = 8 * 2**20  # bytes of address space that a thread takes, unless a limit on stacks says otherwise
ARENA = 8 * 2**20  # bytes of address space that its memory takes, on average
FEW_DESCRIPTORS = 1000
FEW_THREADS = 300
LITTLE_MEMORY = 2**30  # bytes
CAN_EXCEED = 1 << 24  # CAP_SYS_RESOURCE, which lifts the limit on the threads of a user


@dataclass(frozen=True)
class Room:
    """The room that is left for this process; sys.maxsize where nothing limits it."""

    descriptors: int = sys.maxsize
    threads: int = sys.maxsize
    memory: int = sys.maxsize
    """Bytes."""

    @property
    def shortage(self) -> str:
        """The things that are scarce, in words; "" if there is plenty of everything."""
        short = [(self.descriptors, FEW_DESCRIPTORS, "{} file descriptors"), (self.threads, FEW_THREADS, "{} threads")]
        words = [text.format(left) for left, few, text in short if left < few]
        if self.memory < LITTLE_MEMORY:
            words.append(f"{self.memory // 2**20} MiB of memory")
        return ", ".join(words)


def room() -> Room:
    """Raise the process's limit on descriptors as far as it goes, and return what is left of everything now."""
    threads: dict[str, int] = {}  # what is left by each limit
    memory: dict[str, int] = {}
    if resource is not None:
        if (most := _soft(resource.RLIMIT_AS)) is not None:
            left = max(most - _status("VmSize") * 1024, 0)
            memory["RLIMIT_AS"] = left
            threads["RLIMIT_AS"] = left // ((_soft(resource.RLIMIT_STACK) or STACK) + ARENA)
        if hasattr(resource, "RLIMIT_NPROC") and (most := _soft(resource.RLIMIT_NPROC)) is not None and _is_bound():
            threads["RLIMIT_NPROC"] = max(most - _threads_of_user(), 0)
    for name, kind, most, used in _container():
        lefts = threads if kind == "pids" else memory
        lefts[name] = min(lefts.get(name, sys.maxsize), max(most - used, 0))  # groups lie within groups
    return Room(_descriptors(), min(threads.values(), default=sys.maxsize), min(memory.values(), default=sys.maxsize))


def _descriptors() -> int:
    if resource is None:
        return sys.maxsize
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    with contextlib.suppress(OSError, ValueError):  # macOS refuses an unlimited number
        resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
        soft = hard
    return sys.maxsize if soft == resource.RLIM_INFINITY else max(soft - _open_descriptors(), 0)


def _open_descriptors() -> int:
    for folder in (PROC / "self" / "fd", Path("/dev/fd")):
        with contextlib.suppress(OSError):
            return len(os.listdir(folder))
    return 0


def _soft(kind: int) -> int | None:
    soft = resource.getrlimit(kind)[0]
    return None if soft == resource.RLIM_INFINITY else soft


def _is_bound() -> bool:
    """Return True if the limit on the threads of a user counts for this process; for the administrator it doesn't."""
    with contextlib.suppress(OSError, ValueError, IndexError):
        [capabilities] = [line.split()[1] for line in _lines(PROC / "self" / "status") if line.startswith("CapEff:")]
        return not int(capabilities, 16) & CAN_EXCEED and os.getuid() != 0
    return os.getuid() != 0


def _threads_of_user() -> int:
    """Return the number of threads of all programs of this user, which share the limit."""
    count = 0
    with contextlib.suppress(OSError):
        for folder in PROC.iterdir():
            with contextlib.suppress(OSError):  # a process that has ended
                if folder.name.isdigit() and folder.stat().st_uid == os.getuid():
                    count += len(os.listdir(folder / "task"))
    return count or threading.active_count()


def _status(field: str) -> int:
    with contextlib.suppress(OSError):
        for line in _lines(PROC / "self" / "status"):
            if line.startswith(f"{field}:"):
                return int(line.split()[1])
    return 0


def _container() -> Iterator[tuple[str, str, int, int]]:
    """Yield (name, kind, limit, used) of the limits on this process's control groups and those around them."""
    with contextlib.suppress(OSError):
        for line in _lines(PROC / "self" / "cgroup"):
            _, kinds, path = line.rstrip("\n").split(":", 2)
            if not kinds:  # version 2: one group for everything
                for base in (CGROUPS, CGROUPS / "unified"):
                    yield from _limits(base, path, "pids", "pids.max", "pids.current")
                    yield from _limits(base, path, "memory", "memory.max", "memory.current")
            elif "pids" in kinds.split(","):
                yield from _limits(CGROUPS / "pids", path, "pids", "pids.max", "pids.current")
            elif "memory" in kinds.split(","):
                yield from _limits(CGROUPS / "memory", path, "memory", "memory.limit_in_bytes", "memory.usage_in_bytes")


def _limits(base: Path, path: str, kind: str, limit: str, used: str) -> Iterator[tuple[str, str, int, int]]:
    group = base / path.lstrip("/")
    for folder in (group, *group.parents):  # inside a container the path may be one outside it
        if not folder.is_relative_to(base):
            return
        with contextlib.suppress(OSError, ValueError):  # there is no such group, or its limit is "max"
            most = int((folder / limit).read_text())
            if most < 2**60:  # version 1 has a number for "no limit"
                yield f"cgroup {limit}", kind, most, int((folder / used).read_text())


def _lines(file: Path) -> list[str]:
    return file.read_text().splitlines()
