"""Settings that the server refuses to start with, and the files that they name."""

from __future__ import annotations

import contextlib
import sqlite3
from collections.abc import Callable, Iterator
from pathlib import Path

from agentchat.ag2 import places
from agentchat.auth import accounts, oidc, setup
from agentchat.auth import proxies as trusted
from agentchat.doctor import databases
from agentchat.doctor.finding import OK, PROBLEM, Finding, Setup, of_error
from agentchat.mcp import config as mcp
from agentchat.net.own_address import PublicAddress
from agentchat.protocol.errors import SettingsError


def look(looked_at: Setup) -> Iterator[Finding]:
    """Yield what keeps the server from starting, whatever the machine is like."""
    chosen = looked_at.chosen
    is_empty = _has_no_accounts(chosen.data_dir)
    checks: dict[str, tuple[Callable[[], object], str]] = {
        "public-url": (lambda: PublicAddress.of(chosen.public_url), ""),
        "trusted-proxies": (lambda: trusted.configured(chosen), ""),
        "login": (lambda: setup.check(chosen, is_empty), "The ways to log in fit together."),
        "oidc": (lambda: oidc.configured(chosen, "http://localhost/"), ""),
        "mcp": (lambda: mcp.read(chosen.mcp), "The list of MCP servers can be read."),
        "agents-folder": (lambda: places.place(chosen.served, chosen.agents)(), "The agent files can be listed."),
    }
    said = set[str]()  # some checks begin with others
    for name, (check, message) in checks.items():
        try:
            check()
        except SettingsError as error:
            if str(error) not in said:
                yield of_error(name, error)
            said.add(str(error))
        except OSError as error:
            yield Finding(name, PROBLEM, f"{error}.", "Check the file and its permissions.", True)
        else:
            if message:
                yield Finding(name, OK, message)
    for source in chosen.knowledge:
        if not source.exists():
            message = f"There are no documents at {source}."
            yield Finding("knowledge", PROBLEM, message, "Name others with --knowledge.", True)
    if chosen.port and chosen.port == chosen.ws_port:
        message = f"The page and the WebSocket server cannot both have the port {chosen.port}."
        yield Finding("ws-port", PROBLEM, message, "Choose another --port or --ws-port.", True)


def _has_no_accounts(folder: Path) -> bool:
    path = folder / accounts.DATABASE
    with contextlib.suppress(sqlite3.Error):  # what is wrong with it is said elsewhere
        if path.exists():
            with databases.opened(path) as db:
                return db.execute(accounts.KNOWN).fetchone() is None
    return True
