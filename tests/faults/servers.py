"""Chat servers as processes, made by a zygote."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import IO, Any

from tests.processes import ROOT

STARTS_WITHIN = 60  # seconds, with all imports
ENDS_WITHIN = 10

News = dict[str, Any]


class Zygote:
    """The process that forks the servers (zygote.py); it ends with the context, and they with it."""

    def __init__(self) -> None:
        self._lock = threading.Lock()  # guards what follows
        self._last = 0
        self._listeners: dict[int, Callable[[News], None]] = {}
        self._ready = threading.Event()

    def __enter__(self) -> Zygote:
        self._process = subprocess.Popen(
            [sys.executable, "-W", "ignore", "-m", "tests.faults.zygote"],
            cwd=ROOT,
            env={**os.environ, "PYTHONPATH": str(ROOT)},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            start_new_session=True,  # Ctrl-C is ours; it ends when we do
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
        crash: Mapping[str, Any] | None,
        tell: Callable[[News], None],
    ) -> int:
        """Returns the server's number. `tell` gets {"address"} when it is ready, {"ended"} when it is gone."""
        with self._lock:
            self._last += 1
            number = self._last
            self._listeners[number] = tell
        order = {"folder": str(folder), "arguments": arguments, "environment": environment, "crash": crash}
        self._order("start", number, **order)
        return number

    def signal(self, server: int, signal: int) -> None:
        """To that server, unless it has ended."""
        self._order("signal", server, signal=signal)

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
