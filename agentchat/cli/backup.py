"""Save the data folder, also while a server uses it: `python main.py backup`."""

from __future__ import annotations

import argparse
import os
import signal
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

from agentchat import installation, settings
from agentchat.cli.accounts import data_dir
from agentchat.protocol.errors import SettingsError

if TYPE_CHECKING:
    from agentchat.backup.archive import Manifest

STREAM = "-"  # in the place of a file: standard input or output
SHOWN = 10  # names of files
TERMINATED = 143


def backup(arguments: Sequence[str]) -> int:
    """Make a backup, or check one. Returns the exit status: 1 if that fails. Raises SettingsError."""
    given = _parser().parse_args(arguments)
    if given.keep is not None and given.keep < 1:
        raise SettingsError("--keep must be at least 1: that many backups stay.")
    return carried_out(lambda: check(given.file) if given.check else _make(given))


def _make(given: argparse.Namespace) -> None:
    from agentchat.backup import making

    data, target = folder(given.data_dir), Path(given.file)
    if given.file == STREAM:
        if sys.stdout.isatty():
            raise SettingsError("A backup is no text for a terminal. Name a file, or send it into another program.")
        manifest = making.write(data, sys.stdout.buffer)
        sys.stdout.buffer.flush()
    else:
        if target.is_dir():
            target = making.dated(target)
        elif given.keep is not None:
            raise SettingsError(f"--keep needs a folder that exists, and {given.file} is none.")
        manifest = making.make(data, target)
    note(data, "backup_made", given.file)
    output = sys.stderr if given.file == STREAM else sys.stdout
    print(f"{'The backup' if given.file == STREAM else target} is complete. {described(manifest)}", file=output)
    if manifest.unlike_log:
        others = len(manifest.unlike_log) - SHOWN
        names = ", ".join(manifest.unlike_log[:SHOWN]) + (f" and {others} others" if others > 0 else "")
        print(f"Changed by other programs since the log last told of them: {names}.", file=sys.stderr)
    if given.keep is not None:
        for gone in making.drop_all_but(given.keep, target.parent):
            print(f"{gone} is deleted.")


def check(file: str) -> None:
    """Check a backup and say what it is."""
    from agentchat.backup import restoring

    with opened(file) as archive:
        manifest = restoring.check(archive)
    made = f"made at {manifest.created} by version {manifest.version}"
    print(f"The backup is whole, {made}. {described(manifest)}")


def described(manifest: Manifest) -> str:
    """Return what a backup holds, in words."""
    return f"Conversations: {manifest.sessions:,}; files: {manifest.files:,}; MiB: {manifest.size / 2**20:,.1f}."


def carried_out(work: Callable[[], None]) -> int:
    """Do the work; return 1 if it fails, after saying why. SIGTERM ends it as Ctrl-C does, with nothing left behind."""
    from agentchat.backup.archive import BackupFailed

    before = signal.signal(signal.SIGTERM, lambda *_: sys.exit(TERMINATED))
    try:
        work()
    except (BackupFailed, OSError) as error:
        print(f"agentchat: {error}", file=sys.stderr)
        return 1
    finally:
        signal.signal(signal.SIGTERM, before)
    return 0


def folder(data_dir: Path | None) -> Path:
    """Return the data folder: the one that was named, or the server's."""
    return data_dir or settings.load([], os.environ).data_dir


def note(data: Path, event: str, file: str) -> None:
    """Write into the audit log that somebody at the command line has done something with a backup."""
    from agentchat.audit import FILE, Audit
    from agentchat.cli.accounts import system_user
    from agentchat.workspace.retention import give_to_owner

    name = file if file == STREAM else str(Path(file).absolute())
    Audit(data / FILE).write(event, None, way="command line", system_user=system_user(), file=name)
    give_to_owner(data / FILE, data)


def opened(file: str) -> BinaryIO:
    """Open a backup. Raises SettingsError."""
    if file == STREAM:
        return sys.stdin.buffer
    try:
        return open(file, "rb")
    except OSError as error:
        raise SettingsError(f"{file} cannot be read: {error.strerror}.") from error


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog=f"{installation.program()} backup",
        description="Save the conversations with their files, the accounts and the audit log in one archive, also "
        "while a server runs.",
        parents=[data_dir()],
    )
    parser.add_argument(
        "file", metavar="FILE", help="the archive (.tar.gz); in a folder it is named by its time; - is standard output"
    )
    parser.add_argument("--check", action="store_true", help="check that FILE is a whole backup, and make none")
    parser.add_argument("--keep", type=int, metavar="N", help="of the backups in the folder FILE, keep the newest N")
    return parser
