"""Starting the server: what works before AG2 is loaded, and what waits for it."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from agentchat import app, settings
from agentchat.net import resources
from agentchat.net.listener import Ports
from agentchat.net.resources import Room
from tests.processes import ENDS_WITHIN, ROOT

WITHOUT_AG2 = (
    "import sys\n"
    "for name in ('autogen', 'openai', 'httpx', 'pydantic'):\n"
    "    sys.modules[name] = None\n"  # importing it raises ImportError
    "from agentchat import cli\n"
    "cli.run()\n"
)


def run_without_ag2(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run `main.py` in a process that cannot import AG2."""
    return subprocess.run(
        [sys.executable, "-c", WITHOUT_AG2, *arguments],
        cwd=folder,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        timeout=ENDS_WITHIN,
    )


@pytest.mark.parametrize(
    ("arguments", "status", "answer"),
    [
        (["--help"], 0, "usage: main.py"),
        (["--version"], 0, "agentchat "),
        (["--nonsense"], 2, "unrecognized arguments: --nonsense"),
        (["--port", "many"], 2, "--port must be a number, not 'many'."),
    ],
)
def test_the_command_line_is_answered_without_ag2(
    tmp_path: Path, arguments: list[str], status: int, answer: str
) -> None:
    """The command line answers help, version and wrong options without spending seconds on importing AG2."""
    ended = run_without_ag2(tmp_path, *arguments)

    assert ended.returncode == status
    assert answer in ended.stdout + ended.stderr
    assert "Traceback" not in ended.stderr


@pytest.mark.parametrize(("option", "other"), [("--port", "--ws-port"), ("--ws-port", "--port")])
def test_a_taken_port_is_noticed_without_ag2(tmp_path: Path, option: str, other: str) -> None:
    """A port in use is reported before anything slow is loaded."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        ended = run_without_ag2(tmp_path, option, port, other, "0")

    assert ended.returncode == 2
    assert f"Port {port} is in use" in ended.stderr
    assert "Traceback" not in ended.stderr


def test_clients_that_come_early_are_served(tmp_path: Path, agents_folder: Path) -> None:
    """Clients that connect while the server is loading are answered once it is ready."""
    folders = ["--data-dir", str(tmp_path / "data"), "--agents", str(agents_folder)]
    chosen = settings.load(["demo", "--port", "0", "--ws-port", "0", *folders], {})
    with Ports(chosen.host, chosen.port, chosen.ws_port) as ports:
        page, websocket = (socket.create_connection(s.getsockname()[:2]) for s in (ports.page, ports.websocket))
        with page, websocket:
            page.sendall(b"GET /healthz HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
            websocket.sendall(
                b"GET / HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
                b"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n"
            )
            with app.serving(chosen, {}, ports):
                assert page.makefile("rb").readline() == b"HTTP/1.1 200 OK\r\n"
                assert websocket.makefile("rb").readline() == b"HTTP/1.1 101 Switching Protocols\r\n"


@pytest.mark.parametrize(
    ("threads", "limit", "turns"), [(sys.maxsize, 500, 500), (sys.maxsize, 0, 0), (60, 500, 10), (60, 0, 10), (3, 2, 1)]
)
def test_turns_take_threads(monkeypatch: pytest.MonkeyPatch, threads: int, limit: int, turns: int) -> None:
    """Where threads are few, fewer turns run at once than the setting says, but always one."""
    monkeypatch.setattr(resources, "room", lambda: Room(threads=threads))
    assert app._turns(limit) == turns
