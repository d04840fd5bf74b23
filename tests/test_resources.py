"""The room that is left for a process, by limits that are set for it."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from agentchat.net import resources
from agentchat.net.resources import Room, room
from tests.processes import ROOT


def room_within(limits: str) -> tuple[int, int, int]:
    """Return the room for descriptors, threads and memory in a process with these limits."""
    program = f"import os, resource\nfrom agentchat.net.resources import room\n{limits}\n" + (
        "left = room()\nprint(left.descriptors, left.threads, left.memory)"
    )
    command = [sys.executable, "-c", program]
    output = subprocess.check_output(command, env={**os.environ, "PYTHONPATH": str(ROOT)}, text=True)
    descriptors, threads, memory = map(int, output.split())
    return descriptors, threads, memory


def test_descriptors() -> None:
    """The limit on descriptors is raised as far as it goes; those that are open don't count."""
    descriptors, _, _ = room_within("resource.setrlimit(resource.RLIMIT_NOFILE, (64, 1000))")
    assert 900 < descriptors < 1000


def test_address_space() -> None:
    """A limit on the address space is one on memory, and on threads, which take some for their stacks."""
    _, threads, memory = room_within("resource.setrlimit(resource.RLIMIT_AS, (2**30, 2**30))")
    assert 2**29 < memory < 2**30
    assert 20 < threads < 128


@pytest.mark.skipif(os.getuid() != 0, reason="only the administrator can become somebody who has no threads yet")
def test_threads_of_a_user() -> None:
    """All programs of a user share a limit on threads, which is none for the administrator."""
    limit = "resource.setrlimit(resource.RLIMIT_NPROC, (100, 100))"
    assert room_within(f"{limit}; os.setuid(54321)")[1] == 99
    assert room_within(limit)[1] == sys.maxsize


@pytest.mark.parametrize(
    ("group", "files", "expected"),
    [
        (
            "0::/a/b",
            {"a/pids.max": 100, "a/pids.current": 40, "a/b/pids.max": "max", "a/b/pids.current": 5},
            (60, None),
        ),
        ("0::/a", {"memory.max": 2**30, "memory.current": 2**29, "pids.max": 10, "pids.current": 3}, (7, 2**29)),
        ("0::/a", {"a/pids.max": 10, "a/pids.current": 30}, (0, None)),
        ("8:pids:/a", {"pids/a/pids.max": 50, "pids/a/pids.current": 20}, (30, None)),
        (
            "4:memory:/gone",
            {"memory/memory.limit_in_bytes": 2**20, "memory/memory.usage_in_bytes": 2**19},
            (None, 2**19),
        ),
        ("4:memory:/", {"memory/memory.limit_in_bytes": 2**63 - 4096, "memory/memory.usage_in_bytes": 9}, (None, None)),
        ("0::/../../x", {}, (None, None)),
    ],
)
def test_containers(
    group: str,
    files: dict[str, int | str],
    expected: tuple[int | None, int | None],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The limits of a container count, of either version of control groups, and of the groups around it."""
    for name, value in {**{f"cgroup/{name}": value for name, value in files.items()}, "self/cgroup": group}.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(f"{value}\n")
    monkeypatch.setattr(resources, "_is_bound", lambda: False)  # by the limits of the person who runs this
    monkeypatch.setattr(resources, "PROC", tmp_path)
    monkeypatch.setattr(resources, "CGROUPS", tmp_path / "cgroup")
    left = room()
    assert (left.threads, left.memory) == tuple(sys.maxsize if each is None else each for each in expected)


def test_shortages_are_told() -> None:
    assert Room().shortage == ""
    assert Room(20, 30, 2**28).shortage == "20 file descriptors, 30 threads, 256 MiB of memory"
