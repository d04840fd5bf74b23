"""Write a new agent file: `agentchat new NAME`."""

from __future__ import annotations

import argparse
import json
import keyword
import os
import webbrowser
from collections.abc import Sequence
from pathlib import Path
from typing import Any
from urllib.parse import quote

from agentchat import installation, settings
from agentchat.net.certificate import client_context
from agentchat.protocol.errors import SettingsError
from agentchat.settings import Settings

TEMPLATES = Path(__file__).parent / "templates"
KINDS = {
    "chat": "one agent (the default)",
    "tools": "an agent with tools, one of which needs a yes",
    "team": "two agents that take turns",
    "rag": "answers from documents",
    "handoff": "agents that hand over to each other",
    "function": "an ordinary AG2 program, called with each message",
}
ASK_TIMEOUT = 5.0  # seconds for a server on this machine; it imports the new file before it answers


def new(arguments: Sequence[str]) -> int:
    """Write the file and say where the agent is found. Returns the exit status. Raises SettingsError."""
    given, others = _parser().parse_known_args(arguments)
    chosen = settings.load(others, os.environ)
    is_named = "agents" in chosen.given
    path = _write(given.name, given.kind, chosen.agents if is_named else _local_folder())
    guide = installation.shown(installation.DOCS / "agents.md")
    print(f"{path} is written. Change it as you like; {guide} says what it can do.")
    address = f"{chosen.scheme}://{_host(chosen)}:{chosen.port}/"
    agents = _agents_at(address, chosen.tls_cert)
    page = f"{address}?agent={quote(given.name)}"
    found = next((agent for agent in agents or [] if agent["name"] == given.name), None)
    if agents is None:
        print(f"Start the server with `{installation.command(*others)}`, and open {page}")
    elif found is None:
        print(
            f"The server at {address} has another agents folder than {path.parent}. Start it again here, with "
            f"`{installation.command(*others)}`, to talk to this agent."
        )
    elif not found["available"]:
        print(f"The server at {address} cannot use it: {found['reason']}")
    else:
        print(f"Talk to it at {page}")
        if chosen.open:
            webbrowser.open(page)
    return 0


def _write(name: str, kind: str, folder: Path) -> Path:
    if not name.isidentifier() or keyword.iskeyword(name) or name.startswith("_"):
        raise SettingsError(
            f"{name!r} cannot be the name of an agent. Take letters, digits and underscores, beginning with a letter."
        )
    if not folder.is_dir():
        raise SettingsError(f"The agents folder {folder} does not exist. Name another with --agents.")
    if (folder / name).is_dir():
        raise SettingsError(f"{folder / name} exists already. Take another name.")
    path = folder / f"{name}.py"
    try:
        with path.open("x", encoding="utf-8") as file:
            file.write((TEMPLATES / f"{kind}.py").read_text("utf-8"))
    except FileExistsError:
        raise SettingsError(f"{path} exists already. Take another name.") from None
    except OSError as error:
        raise SettingsError(f"{path} cannot be written: {error.strerror}.") from error
    return path


def _local_folder() -> Path:
    """Return `./agents`, which is made if there is none."""
    folder = installation.LOCAL_AGENTS
    try:
        folder.mkdir(exist_ok=True)
    except OSError as error:
        raise SettingsError(f"The folder {folder} cannot be made here: {error.strerror}.") from error
    return folder


def _agents_at(address: str, certificate: str) -> list[dict[str, Any]] | None:
    """Return the agents of the server at an address, or None if there is none of ours."""
    import urllib.request  # takes a moment that other commands need not wait

    try:
        handlers = [urllib.request.HTTPSHandler(context=client_context(Path(certificate)))] if certificate else []
        opener = urllib.request.build_opener(urllib.request.ProxyHandler({}), *handlers)
        with opener.open(f"{address}api/config", timeout=ASK_TIMEOUT) as answer:
            agents = json.load(answer)["agents"]
    except (OSError, ValueError, KeyError, TypeError):
        return None
    return agents if isinstance(agents, list) else None


def _host(chosen: Settings) -> str:
    if chosen.host in {"0.0.0.0", "::"}:  # noqa: S104 - where the server listens; we connect to this machine
        return "127.0.0.1"
    return f"[{chosen.host}]" if ":" in chosen.host else chosen.host


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog=f"{installation.program()} new",
        description="Write a new agent file into ./agents, or into the folder of --agents.",
        epilog="--agents, --host, --port and --open are those of the server.",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("name", metavar="NAME", help="the name of the agent and its file")
    parser.add_argument(
        "--kind",
        choices=list(KINDS),
        default="chat",
        help="; ".join(f"{kind}: {meaning}" for kind, meaning in KINDS.items()),
    )
    return parser
