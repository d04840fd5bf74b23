"""The command line: serves agents."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path

from dotenv import load_dotenv

from agentchat.cli import serve
from agentchat.protocol.errors import SettingsError


def main(arguments: Sequence[str]) -> int:
    """Carry out a command and return the exit status: 2 for arguments and settings that cannot be used."""
    load_dotenv(Path(".env"))
    try:
        return serve.serve(arguments)
    except SettingsError as error:
        print(f"agentchat: {error}", file=sys.stderr)
        return 2


def run() -> None:
    """Carry out the command that this process was started with, and exit."""
    sys.exit(main(sys.argv[1:]))
