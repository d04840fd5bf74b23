"""A service manager like systemd: it has the sockets, starts servers with them, and is told how they are."""

from __future__ import annotations

import socket
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

from tests.clients import PATIENCE
from tests.processes import ROOT

# The process that gets the sockets as descriptors 3 and 4 has to be named.
BECOME_SERVER = """
import os, sys
*passed, command = int(sys.argv[1]), int(sys.argv[2]), sys.argv[3:]
copies = [os.dup2(each, 100 + place) for place, each in enumerate(passed)]
for place, each in enumerate(copies):
    os.dup2(each, 3 + place)
os.closerange(5, 200)
os.environ["LISTEN_PID"] = str(os.getpid())
os.execv(command[0], command)
"""


class Manager:
    """Stands in for systemd: it has the sockets, starts servers with them, and is told how they are."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self.sockets = [socket.create_server(("127.0.0.1", 0), backlog=100) for _ in range(2)]
        self._told = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self._told.bind(str(folder / "notify"))
        self._told.settimeout(PATIENCE)
        self._log = folder / "server.log"
        self.processes: list[subprocess.Popen[bytes]] = []

    def close(self) -> None:
        for process in self.processes:
            process.kill()
            process.wait()
        for each in (*self.sockets, self._told):
            each.close()

    @property
    def ports(self) -> list[int]:
        return [each.getsockname()[1] for each in self.sockets]

    def told(self) -> list[str]:
        return self._told.recv(1000).decode().split("\n")

    def start(self, *arguments: str, names: str = "", environment: Mapping[str, str] = {}) -> subprocess.Popen[bytes]:
        """Start a server with both sockets, as descriptors 3 and 4."""
        descriptors = [each.fileno() for each in self.sockets]
        agreed = {"LISTEN_FDS": "2", "NOTIFY_SOCKET": str(self._folder / "notify")}
        agreed |= {"LISTEN_FDNAMES": names} if names else {}
        command = [sys.executable, str(ROOT / "main.py"), "--data-dir", str(self._folder / "data"), *arguments]
        with self._log.open("ab") as log:
            process = subprocess.Popen(
                [sys.executable, "-c", BECOME_SERVER, *map(str, descriptors), *command],
                cwd=self._folder,
                env={"PATH": "/usr/bin:/bin", "AGENTCHAT_LOCAL_SERVERS": "none", **agreed, **environment},
                pass_fds=descriptors,
                stdout=subprocess.DEVNULL,
                stderr=log,
            )
        self.processes.append(process)
        return process

    @property
    def log(self) -> str:
        """All that the servers have written to standard error."""
        return self._log.read_text()
