"""Chat servers that tests share, because starting one takes longer than most tests do."""

from __future__ import annotations

import contextlib
import itertools
import json
import shutil
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from agentchat import settings
from agentchat.app import Running, serving
from tests.operators import database
from tests.rest_client import SESSIONS, RestClient

ROOM = 6  # servers that are kept running


@dataclass(frozen=True)
class Served(Running):
    """A server in the tests' own process, which can be ended before the test is over."""

    close: Callable[[], None]


def start(arguments: Sequence[str], environment: Mapping[str, str]) -> Served:
    """Start a chat server on free ports, which doesn't offer the model servers of the person running the tests."""
    fixed = ["--port", "0", "--ws-port", "0", "--local-servers", "none"]
    chosen = settings.load([*fixed, *arguments], environment)
    with contextlib.ExitStack() as stack:
        running = stack.enter_context(serving(chosen, environment))
        return Served(**vars(running), close=stack.pop_all().close)


class SharedServer:
    """A running server, with its own copy of the agents folder."""

    def __init__(self, folder: Path, agents: Path, arguments: Sequence[str], environment: Mapping[str, str]) -> None:
        self.folder = folder
        shutil.copytree(agents, folder / "agents", ignore=shutil.ignore_patterns("__pycache__"))
        places = ["--data-dir", str(self.data), "--agents", str(folder / "agents")]
        self.served = start([*places, *arguments], environment)
        self._kept = set(self.data.iterdir())

    @property
    def data(self) -> Path:
        return self.folder / "data"

    def tidy(self) -> None:
        """Delete what a test has left behind: sessions with their turns, notes, files."""
        rest = RestClient(self.served)
        while sessions := rest.get(SESSIONS, limit=100).json["sessions"]:
            for session in sessions:
                rest.ask("DELETE", f"{SESSIONS}/{session['id']}")
        with database(self.folder) as db:
            db.execute("DELETE FROM notes")
            db.execute("DELETE FROM commands")
        for path in self.data.iterdir():
            if path.is_file() and path not in self._kept and not path.name.startswith("agentchat.db"):
                path.unlink()


class SharedServers:
    """The running servers, those used last at the end."""

    def __init__(self, new_folder: Callable[[], Path]) -> None:
        self._new_folder = new_folder
        self._servers: dict[str, SharedServer] = {}

    def get(self, agents: Path, arguments: Sequence[str], environment: Mapping[str, str]) -> SharedServer:
        """Return the server that was started with these agents and settings; start it if there is none."""
        sources = {str(path.relative_to(agents)): path.read_text() for path in sorted(agents.rglob("*.py"))}
        key = json.dumps([sources, arguments, dict(environment)])
        server = self._servers.pop(key, None) or SharedServer(self._new_folder(), agents, arguments, environment)
        self._servers[key] = server
        for old in list(itertools.islice(self._servers.values(), max(len(self._servers) - ROOM, 0))):
            self.close(old)
        return server

    def close(self, server: SharedServer) -> None:
        """End a server; its data folder stays."""
        self._servers = {key: kept for key, kept in self._servers.items() if kept is not server}
        server.served.close()

    def is_running(self, server: SharedServer) -> bool:
        return server in self._servers.values()

    def close_all(self) -> None:
        for server in list(self._servers.values()):
            self.close(server)
