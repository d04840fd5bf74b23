"""The command line: its first word is a command; anything else starts the server."""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence

from agentchat.cli import environment
from agentchat.cli.backup import backup
from agentchat.cli.check import check
from agentchat.cli.doctor import doctor
from agentchat.cli.new import new
from agentchat.cli.restore import restore
from agentchat.cli.serve import serve
from agentchat.cli.token import token
from agentchat.cli.user import user
from agentchat.protocol.errors import SettingsError

Command = Callable[[Sequence[str]], int]

_COMMANDS: dict[str, tuple[Command, str]] = {
    "new": (new, "write a new agent file"),
    "check": (check, "try agents offline and say what will not work"),
    "doctor": (doctor, "say what is wrong with a server, and how to mend it"),
    "user": (user, "change who has an account"),
    "token": (token, "give programs tokens, and take them away"),
    "backup": (backup, "save the data folder, also while a server uses it"),
    "restore": (restore, "check a backup, and put it into the data folder"),
}


def main(arguments: Sequence[str]) -> int:
    """Carry out a command and return the exit status: 2 for arguments and settings that cannot be used."""
    environment.load()
    try:
        if arguments and arguments[0] in _COMMANDS:
            command, _ = _COMMANDS[arguments[0]]
            return command(arguments[1:])
        return serve(arguments, {name: meaning for name, (_, meaning) in _COMMANDS.items()})
    except SettingsError as error:
        print(f"agentchat: {error}", file=sys.stderr)
        return 2


def run() -> None:
    """Carry out the command that this process was started with, and exit."""
    arguments = sys.argv[1:]
    del sys.argv[1:]  # agent files with an argparse of their own must not see them
    sys.exit(main(arguments))
