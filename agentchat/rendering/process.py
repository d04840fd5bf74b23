"""A process that renders one text at a time. It is started when it is needed, and again when it has ended."""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
import sys
from multiprocessing import Pipe
from multiprocessing.connection import Connection

from agentchat.rendering.blocks import Block

PATIENCE = 30.0  # seconds beyond its processor time, for a machine with much else to do
_PROGRAM = "import sys; fd, *sys.path = sys.argv[1:]; from agentchat.rendering import worker; worker.main(int(fd))"


def _environment() -> dict[str, str]:
    """The part of the environment without which Python may not start; there are keys in the rest."""
    return {name: os.environ[name] for name in ("LD_LIBRARY_PATH", "PATH", "TMPDIR") if name in os.environ}


class Process:
    """Used by one thread at a time."""

    def __init__(self) -> None:
        self._process: subprocess.Popen[bytes] | None = None
        self._connection: Connection | None = None

    @property
    def pid(self) -> int | None:
        """The process that waits for a text now, if there is one."""
        return None if self._process is None else self._process.pid

    def render(self, text: str, seconds: float) -> tuple[list[Block] | None, float]:
        """Return a text's blocks, or None if that takes more processor time, and the time that it took.

        Raises OSError if no process can be started.
        """
        for _ in range(2):  # the process may have ended just now, because there was nothing to do
            connection = self.start()
            try:
                connection.send_bytes(json.dumps((seconds, text)).encode())
                if not connection.poll(seconds + PATIENCE):
                    break
                blocks, taken = json.loads(connection.recv_bytes())
            except (EOFError, OSError):
                self.close()
            else:
                return None if blocks is None else [Block(*block) for block in blocks], taken
        self.close()
        return None, seconds

    def start(self) -> Connection:
        """Return the connection to the process, which is started unless it was. Raises OSError."""
        if self._connection is not None:
            return self._connection
        self._connection, theirs = Pipe()
        with theirs, contextlib.ExitStack() as unless_started:
            unless_started.callback(self.close)
            self._process = subprocess.Popen(  # noqa: S603  # a constant
                # Isolated: neither the working directory nor the environment has a say in what it imports.
                [sys.executable, "-I", "-c", _PROGRAM, str(theirs.fileno()), *filter(None, sys.path)],
                env=_environment(), stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
                pass_fds=[theirs.fileno()], start_new_session=True,
            )  # fmt: skip
            unless_started.pop_all()
        return self._connection

    def close(self) -> None:
        """End the process, whatever it does."""
        if self._connection is not None:
            self._connection.close()
        if self._process is not None:
            with contextlib.suppress(OSError):
                self._process.kill()
            self._process.wait()
        self._connection = self._process = None
