"""Put a backup into a data folder: `python main.py restore`."""

from __future__ import annotations

import argparse
from collections.abc import Sequence

from agentchat import installation
from agentchat.cli.accounts import data_dir
from agentchat.cli.backup import carried_out, check, described, folder, note, opened


def restore(arguments: Sequence[str]) -> int:
    """Put a backup back. Returns the exit status: 1 if it cannot be used. Raises SettingsError."""
    given = _parser().parse_args(arguments)
    return carried_out(lambda: check(given.file) if given.check else _restore(given))


def _restore(given: argparse.Namespace) -> None:
    from agentchat.backup import restoring

    data = folder(given.data_dir)
    with opened(given.file) as archive:
        manifest, old = restoring.restore(archive, data, given.replace)
    note(data, "backup_restored", given.file)
    print(f"{data} is as it was at {manifest.created}. {described(manifest)}")
    if old is not None:
        print(f"What was there before is in {old}. Delete it once you don't need it.")


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog=f"{installation.program()} restore",
        description="Put a backup into the data folder, which no server may be using. It is checked before.",
        parents=[data_dir()],
    )
    parser.add_argument("file", metavar="FILE", help="the backup; - is standard input")
    parser.add_argument("--replace", action="store_true", help="move data that are there aside, into a folder beside")
    parser.add_argument("--check", action="store_true", help="check that FILE is a whole backup, and change nothing")
    return parser
