"""Starts the servers as processes and reads their CPU time and memory from the kernel."""

from __future__ import annotations

import contextlib
import json
import os
import queue
import re
import resource
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from agentchat.auth.accounts import Accounts
from agentchat.auth.identification import COOKIE
from benchmarks import MeasurementError

ROOT = Path(__file__).resolve().parent.parent
START_TIMEOUT = 60.0
STOP_TIMEOUT = 15.0
CALM = 0.15  # cores that other programs may use at the start of a measurement
CALM_TIMEOUT = 60  # seconds to wait for that


class Process:
    """A program that prints a URL when it is ready and ends on SIGTERM."""

    def __init__(self, name: str, arguments: Sequence[str], ready: str, env: dict[str, str] | None = None) -> None:
        self.name = name
        self.model: Process | None = None  # the process it talks to
        self._errors = tempfile.TemporaryFile("w+")  # noqa: SIM115 - closed by stop()
        self._process = subprocess.Popen(
            [sys.executable, *arguments],
            cwd=ROOT,
            env={**os.environ, "PYTHONUNBUFFERED": "1", **(env or {})},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._errors,
            text=True,
        )
        self._lines: queue.SimpleQueue[str] = queue.SimpleQueue()
        threading.Thread(target=self._read, daemon=True).start()
        try:
            self.url = self._wait_for(re.compile(ready))
        except BaseException:
            self.stop()
            raise

    def cpu(self) -> float:
        """Return the CPU time of all its threads in seconds, to the nanosecond (/proc counts in ticks of 10 ms)."""
        return time.clock_gettime((~self._process.pid << 3) | 2)  # the kernel's clock of another process

    def cpu_of_children(self) -> float:
        """Return the CPU time of the processes that it has started and that still run."""
        tasks = Path(f"/proc/{self._process.pid}/task").glob("*/children")
        children = [int(child) for task in tasks for child in task.read_text().split()]
        return sum(time.clock_gettime((~child << 3) | 2) for child in children)

    def memory(self) -> int:
        """Return its resident memory in KiB."""
        return self._status("VmRSS")

    def threads(self) -> int:
        return self._status("Threads")

    def descriptors(self) -> int:
        """Return the number of its open file descriptors."""
        return len(os.listdir(f"/proc/{self._process.pid}/fd"))

    def ask(self) -> str:
        """Give it a line on standard input, and return the line of JSON that it answers with."""
        assert self._process.stdin is not None
        self._process.stdin.write("\n")
        self._process.stdin.flush()
        return self._wait_for(re.compile(r"^\{.*"))

    def stop(self) -> None:
        self._process.terminate()
        try:
            self._process.wait(STOP_TIMEOUT)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        for stream in (self._process.stdin, self._process.stdout, self._errors):
            if stream is not None:
                stream.close()

    def _status(self, field: str) -> int:
        status = Path(f"/proc/{self._process.pid}/status").read_text()
        found = re.search(rf"^{field}:\s+(\d+)", status, re.MULTILINE)
        assert found is not None
        return int(found[1])

    def _read(self) -> None:
        assert self._process.stdout is not None
        with contextlib.suppress(ValueError):  # closed by stop()
            for line in self._process.stdout:
                self._lines.put(line)
        self._lines.put("")

    def _wait_for(self, ready: re.Pattern[str]) -> str:
        deadline = time.monotonic() + START_TIMEOUT
        with contextlib.suppress(queue.Empty):
            while line := self._lines.get(timeout=deadline - time.monotonic()):
                if (found := ready.search(line)) is not None:
                    return found[0]
        self._errors.seek(0)
        raise MeasurementError(f"{self.name} did not start:\n{self._errors.read()[-2000:]}")


@dataclass(frozen=True)
class Kind:
    """A server to measure: how to start it and talk to it."""

    name: str
    command: Callable[[str], list[str]]  # from the folder for its data
    path: str  # of the WebSocket
    greets: bool  # it sends a first frame once the connection is ready
    last_event: str | None  # type of the event that ends a turn; None if frames are bare text, the last one empty
    last_sender: str | None  # of that event, if it matters
    headers: Sequence[str] = ()  # of the handshake


TUTORIAL = Kind(
    "tutorial",
    lambda folder: ["-m", "benchmarks.tutorial_server", "--port", str(free_port())],
    "/",
    greets=False,
    last_event="text",
    last_sender="chatbot",
)
RELAY = Kind(
    "relay",
    lambda folder: ["-m", "benchmarks.relay"],
    "/",
    greets=False,
    last_event=None,
    last_sender=None,
)
OURS = Kind(
    "ours",
    lambda folder: ["main.py", "--port", "0", "--ws-port", "0", "--data-dir", folder],
    "/?agent=weather",
    greets=True,
    last_event="turn_completed",
    last_sender=None,
)


def logged_in() -> Kind:
    """Return our server with an account, whose clients have logged in."""
    shown: list[str] = []

    def command(folder: str) -> list[str]:
        with contextlib.closing(Accounts(Path(folder))) as accounts:
            user = accounts.add("bench", "a password of the benchmark")
            secret, _ = accounts.begin_login(user.id, "127.0.0.1", "benchmark")
        shown[:] = [f"Cookie: {COOKIE}={secret}"]
        return OURS.command(folder)

    return replace(OURS, name="logged in", command=command, headers=shown)


@contextlib.contextmanager
def serving(
    kind: Kind, model_server: Sequence[str] = ("tests/model_server.py",), is_timed: bool = True
) -> Iterator[Process]:
    """Run the server with a model server of its own, both started for one measurement.

    If times are measured, wait for the machine to be idle.
    """
    with contextlib.ExitStack() as stack:
        model = Process("model server", model_server, r"http://\S+")
        stack.callback(model.stop)
        if is_timed:
            wait_until_calm()
        entry = {"model": "bench", "api_key": "sk-bench", "base_url": model.url, "stream": True, "price": [0, 0]}
        folder = stack.enter_context(tempfile.TemporaryDirectory())
        env = {"OAI_CONFIG_LIST": json.dumps([entry])}
        server = Process(kind.name, kind.command(folder), r"ws://127\.0\.0\.1:\d+", env)
        stack.callback(server.stop)
        server.model = model
        yield server


class Meter:
    """Measures CPU time by process, from its creation on."""

    def __init__(self, server: Process) -> None:
        self._server = server
        self._start = self._read()

    def read(self) -> Usage:
        machine, server, model, client, moment = (
            now - then for now, then in zip(self._read(), self._start, strict=True)
        )
        others = max(machine - server - model - client, 0)
        return Usage(server, server / moment, client / moment, model / moment, others / moment)

    def _read(self) -> tuple[float, float, float, float, float]:
        model = self._server.model
        assert model is not None
        return machine_cpu(), self._server.cpu(), model.cpu(), time.process_time(), time.monotonic()


@dataclass(frozen=True)
class Usage:
    seconds: float  # of CPU time of the server
    server: float  # average number of cores, here and below
    client: float
    model: float
    others: float  # all other programs on the machine

    def __str__(self) -> str:
        return (
            f"cores: server {self.server:.2f}, client {self.client:.2f}, model {self.model:.2f}, "
            f"everything else {self.others:.2f}"
        )


def machine_cpu() -> float:
    """Return the CPU time of all processes on the machine in seconds."""
    user, nice, system, _, _, irq, softirq, steal = map(int, Path("/proc/stat").read_text().split(maxsplit=9)[1:9])
    return (user + nice + system + irq + softirq + steal) / os.sysconf("SC_CLK_TCK")


def wait_until_calm() -> None:
    """Wait until no other program uses the machine, for at most CALM_TIMEOUT."""
    for _ in range(CALM_TIMEOUT):
        before = machine_cpu()
        time.sleep(1)
        if machine_cpu() - before < CALM:
            return
    print(
        f"other programs have kept this machine busy for {CALM_TIMEOUT} s: the figures will be too high",
        file=sys.stderr,
    )


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def raise_descriptor_limit() -> None:
    """Raise the limit on open files for this process and its children."""
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
