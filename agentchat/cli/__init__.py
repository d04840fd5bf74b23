"""The command line: its first word is a command; anything else starts the server.

`new` writes an agent file, `check` tries agents, `user` and `token` change who may come in.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from pathlib import Path

from dotenv import load_dotenv

from agentchat.cli.check import check
from agentchat.cli.new import new
from agentchat.cli.serve import serve
from agentchat.cli.token import token
from agentchat.cli.user import user
from agentchat.protocol.errors import SettingsError

_COMMANDS: dict[str, Callable[[Sequence[str]], int]] = {"check": check, "new": new, "token": token, "user": user}


def main(arguments: Sequence[str]) -> int:
    """Carry out a command and return the exit status: 2 for arguments and settings that cannot be used."""
    load_dotenv(Path(".env"))
    try:
        command = _COMMANDS.get(arguments[0]) if arguments else None
        return command(arguments[1:]) if command else serve(arguments)
    except SettingsError as error:
        print(f"agentchat: {error}", file=sys.stderr)
        return 2


def run() -> None:
    """Carry out the command that this process was started with, and exit."""
    arguments = sys.argv[1:]
    del sys.argv[1:]  # agent files with an argparse of their own must not see them
    sys.exit(main(arguments))
