"""Runs Python code written by a model, within limits on time, memory, files and output.

This limits but does not isolate: the code runs as the user who runs the server. It can read whatever that user can
read, including the keys in `.env`, write wherever that user can write, and use the network. For isolation, run the
whole server in a container.
"""

from __future__ import annotations

import importlib.util
import json
import os
import signal
import subprocess
import sys
import threading
from dataclasses import dataclass
from pathlib import Path

from agentchat import cancellation
from agentchat.processes import Programs, own_processes

SECONDS = 30.0
MEGABYTES = 1024  # of memory, including Python's own
CODE_BYTES = 100_000  # Linux accepts arguments of up to 128 KiB
OUTPUT_BYTES = 20_000  # of the output that are kept, half from its beginning and half from its end
FILE_BYTES = 20 * 2**20
OPEN_FILES = 128
TASKS = 64  # processes and threads
READ_TIMEOUT = 1.0  # seconds to read the rest of the output

# Sets its own limits, then becomes the program. Setting them between fork and exec could deadlock, because other
# threads of the server may hold locks at that moment.
_START = """
import json, os, resource, sys
for name, most in json.loads(sys.argv[1]).items():
    limit = getattr(resource, name, None)
    if limit is not None:
        hard = resource.getrlimit(limit)[1]
        most = most if hard == resource.RLIM_INFINITY else min(most, hard)
        resource.setrlimit(limit, (most, most))
os.execv(sys.executable, [sys.executable, "-E", "-s", "-B", "-u", "-c", sys.argv[2]])
"""


@dataclass(frozen=True)
class Result:
    """The result of a run."""

    status: int
    """Exit status; negative if a signal ended it."""
    output: str
    is_cut: bool
    """The middle of the output is missing."""
    why: str = ""
    """The reason if the run was ended by force."""

    def __str__(self) -> str:
        ended = f"Ended: {self.why}." if self.why else f"Exit status {self.status}."
        return f"{ended}\n{self.output}" if self.output else f"{ended} It wrote nothing."


def run(code: str, folder: Path, seconds: float = SECONDS, megabytes: int = MEGABYTES) -> Result:
    """Run Python code in a folder, whose modules it can import, and wait for its end.

    The code and all processes that it started end when the turn is stopped. Raises ValueError for code that cannot be
    run, RuntimeError on a system without limits for processes, and Stopped.
    """
    if "\0" in code or len(code.encode("utf-8", "replace")) > CODE_BYTES:
        raise ValueError(f"The code must have at most {CODE_BYTES:,} bytes, and no NUL.")
    if importlib.util.find_spec("resource") is None:
        raise RuntimeError("This system has no limits for processes, so it cannot run code.")
    programs = Programs()
    token = cancellation.current.get()
    token.check()
    process = subprocess.Popen(  # noqa: S603 - a person has approved the code
        [sys.executable, "-I", "-c", _START, json.dumps(_limits(seconds, megabytes)), code],
        cwd=folder,
        env={"PATH": os.defpath, "HOME": str(folder.absolute()), "LANG": "C.UTF-8", **programs.environment},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        bufsize=0,
        start_new_session=True,
    )
    programs.add(process.pid)
    output, why = _Output(process), ""
    try:
        with token.interruptible(programs.kill):
            try:
                process.wait(seconds)
            except subprocess.TimeoutExpired:
                why = f"it took longer than {seconds:g} seconds"
    finally:
        programs.kill()
        process.wait()
    text, is_cut = output.all()
    if not why and process.returncode in {-signal.SIGKILL, -signal.SIGXCPU}:
        why = "the system killed it for using too much CPU time or memory"
    return Result(process.returncode, text, is_cut, why)


def _limits(seconds: float, megabytes: int) -> dict[str, int]:
    """Return the limits by their names in `resource`. The one on processes includes what this user already runs."""
    limits = {
        "RLIMIT_AS": megabytes * 2**20,
        "RLIMIT_CPU": int(seconds) + 1,
        "RLIMIT_FSIZE": FILE_BYTES,
        "RLIMIT_NOFILE": OPEN_FILES,
        "RLIMIT_CORE": 0,
    }
    tasks = sum(_tasks(process) for process in own_processes())
    return limits | ({"RLIMIT_NPROC": tasks + TASKS} if tasks else {})


class _Output:
    """Reads the output of a process in a thread of its own, and keeps the beginning and the end."""

    def __init__(self, process: subprocess.Popen[bytes]) -> None:
        assert process.stdout is not None
        self._pipe = process.stdout
        self._kept = bytearray()
        self._is_cut = False
        self._thread = threading.Thread(target=self._read, name="tool-output", daemon=True)
        self._thread.start()

    def all(self) -> tuple[str, bool]:
        """Return the text, and True if its middle is missing. The process must have ended."""
        self._thread.join(READ_TIMEOUT)  # a process that escaped may keep the pipe open
        kept, half = bytes(self._kept), OUTPUT_BYTES // 2
        if self._is_cut:
            kept = kept[:half] + b"\n[...]\n" + kept[half:]
        return kept.decode("utf-8", "replace"), self._is_cut

    def _read(self) -> None:
        half = OUTPUT_BYTES // 2
        with self._pipe as pipe:
            while piece := pipe.read(65536):
                self._kept += piece
                if len(self._kept) > OUTPUT_BYTES:
                    self._is_cut = True
                    del self._kept[half:-half]


def _tasks(process: int) -> int:
    try:
        return len(os.listdir(f"/proc/{process}/task"))
    except OSError:
        return 0
