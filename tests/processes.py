"""The chat server as a separate process, started as people start it."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
ENDS_WITHIN = 120  # seconds until a test gives up; never reached when it passes


class ServerProcess:
    """`python main.py …` or another program, stopped at the end of the context if still running."""

    def __init__(
        self, folder: Path, *arguments: str, environment: Mapping[str, str] = {}, program: Sequence[str] = ()
    ) -> None:
        program = program or (sys.executable, str(ROOT / "main.py"), "--data-dir", str(folder / "data"))
        self.process = subprocess.Popen(
            [*program, *arguments],
            cwd=folder,
            env={**os.environ, "PYTHONUNBUFFERED": "1", "AGENTCHAT_LOCAL_SERVERS": "none", **environment},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        self.greeting = ""
        self.errors = ""

    def __enter__(self) -> ServerProcess:
        assert self.process.stdout is not None
        for line in self.process.stdout:
            self.greeting += line
            if line.startswith("Ctrl-C"):
                return self
        self.end()
        raise AssertionError(f"the server did not start: {self.errors}")

    def __exit__(self, *exception: object) -> None:
        if self.process.poll() is None:
            self.process.kill()
        self.end()

    @property
    def page(self) -> str:
        return self._address("page")

    @property
    def websocket(self) -> str:
        return self._address("websocket")

    def _address(self, name: str) -> str:
        found = re.search(rf"{name}\s+(\S+)", self.greeting)
        assert found is not None
        return found[1]

    def signal(self, number: signal.Signals) -> None:
        self.process.send_signal(number)

    def end(self) -> int:
        """Wait for the end and return the exit status."""
        _, self.errors = self.process.communicate(timeout=ENDS_WITHIN)
        return self.process.returncode
