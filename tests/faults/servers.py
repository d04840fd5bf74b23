"""Chat servers as processes, forked by a zygote."""

from __future__ import annotations

import json
import os
import queue
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import IO, Any

from tests.processes import ENDS_WITHIN, ROOT

STARTS_WITHIN = 120  # seconds, including all imports

News = dict[str, Any]


class Zygote:
    """The process that forks the servers (zygote.py); both end with the context."""

    def __init__(self, environment: Mapping[str, str] = {}) -> None:
        self._environment = environment
        self._lock = threading.Lock()  # guards the fields below
        self._last = 0
        self._listeners: dict[int, Callable[[News], None]] = {}
        self._ready = threading.Event()

    def __enter__(self) -> Zygote:
        self._process = subprocess.Popen(
            [sys.executable, "-W", "ignore", "-m", "tests.faults.zygote"],
            cwd=ROOT,
            env={**os.environ, **self._environment, "PYTHONPATH": str(ROOT)},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            start_new_session=True,  # Ctrl-C is for us; the zygote ends when we do
        )
        threading.Thread(target=self._listen, args=(self._process.stdout,), name="zygote", daemon=True).start()
        if not self._ready.wait(STARTS_WITHIN) or self._process.poll() is not None:
            self._process.kill()
            raise RuntimeError("the zygote did not start: does `python -m tests.faults.zygote` run?")
        return self

    def __exit__(self, *exception: object) -> None:
        assert self._process.stdin is not None
        self._process.stdin.close()
        self._process.wait(ENDS_WITHIN)

    def start(
        self,
        folder: Path,
        arguments: Sequence[str],
        environment: Mapping[str, str],
        inside: Mapping[str, Any],
        tell: Callable[[News], None],
    ) -> int:
        """Start a server, broken `inside` (broken.py), and return its number.

        `tell` gets {"pid", "address", "page"} when it is ready, {"stacks"} when those of its threads are in its log,
        as SIGUSR1 asks for, and {"ended"} when it is gone.
        """
        with self._lock:
            self._last += 1
            number = self._last
            self._listeners[number] = tell
        order = {"folder": str(folder), "arguments": arguments, "environment": environment, "inside": inside}
        self._order("start", number, **order)
        return number

    def signal(self, server: int, number: int) -> None:
        """Send a signal to that server unless it has ended."""
        self._order("signal", server, signal=number)

    def _order(self, what: str, number: int, **more: object) -> None:
        assert self._process.stdin is not None
        with self._lock:
            self._process.stdin.write(json.dumps({"do": what, "number": number, **more}).encode() + b"\n")
            self._process.stdin.flush()

    def _listen(self, output: IO[bytes]) -> None:
        for line in output:
            news = json.loads(line)
            if news["number"] == 0:
                self._ready.set()
                continue
            with self._lock:
                listener = self._listeners[news["number"]]
                if "ended" in news:
                    del self._listeners[news["number"]]
            listener(news)
        output.close()
        self._ready.set()


class ForkedServer:
    """A chat server with the data folder `folder / "data"`, killed at the end of the context if still running."""

    def __init__(self, zygote: Zygote, folder: Path, *arguments: str, environment: Mapping[str, str]) -> None:
        self._zygote = zygote
        self._news: queue.SimpleQueue[News] = queue.SimpleQueue()
        self._status: int | None = None
        self._log = folder / "server.log"
        options = ["--data-dir", str(folder / "data"), *arguments]
        self._number = zygote.start(folder, options, environment, {}, self._news.put)
        news = self._news.get(timeout=STARTS_WITHIN)
        assert "address" in news, f"the server did not start: {self.log}"
        self.pid: int = news["pid"]
        self.websocket: str = news["address"]
        self.page: str = news["page"]

    def __enter__(self) -> ForkedServer:
        return self

    def __exit__(self, *exception: object) -> None:
        self.signal(signal.SIGKILL)
        self.end()

    @property
    def log(self) -> str:
        """All that the server has written to standard output and standard error."""
        return self._log.read_text()

    def signal(self, number: int) -> None:
        self._zygote.signal(self._number, number)

    def end(self) -> int:
        """Wait for the end and return the exit status."""
        if self._status is None:
            self._status = self._news.get(timeout=ENDS_WITHIN)["ended"]
        return self._status
