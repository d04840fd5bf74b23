"""The accounts and the audit log of the data folder that a command changes, also while a server uses them."""

from __future__ import annotations

import argparse
import contextlib
import getpass
import os
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from agentchat import installation, settings
from agentchat.audit import FILE, Audit, Field
from agentchat.protocol.errors import ChatError, SettingsError

if TYPE_CHECKING:
    from agentchat.auth.accounts import Accounts, User


class Folder:
    """A data folder while a command changes its accounts."""

    def __init__(self, accounts: Accounts, audit: Audit) -> None:
        self.accounts = accounts
        self._audit = audit

    def user(self, login: str) -> User:
        """Return the user with that login name. Raises ChatError if there is none."""
        user = self.accounts.by_login(login)
        if user is None:
            raise ChatError("user_unknown", user=login)
        return user

    def note(self, event: str, user: User, **fields: Field) -> None:
        """Write into the audit log that somebody at the command line has changed that user."""
        self._audit.write(
            event, None, "", way="command line", system_user=system_user(), user=user.id, login=user.login, **fields
        )


def data_dir(default: object = None) -> argparse.ArgumentParser:
    """Return a parser with the option that names the data folder, for other parsers to include."""
    parser = argparse.ArgumentParser(add_help=False)
    name = settings.variable("data_dir")
    parser.add_argument(
        "--data-dir", metavar="PATH", type=Path, default=default, help=f"the data folder of the server [{name}]"
    )
    return parser


@contextlib.contextmanager
def opened(data_dir: Path | None, may_be_new: bool = False) -> Iterator[Folder]:
    """Lend the data folder. Raises SettingsError if it cannot be used, also for a ChatError inside the context."""
    from agentchat.auth.accounts import DATABASE, Accounts  # argon2 takes a moment that other commands need not wait

    folder = data_dir or settings.load([], os.environ).data_dir
    if not may_be_new and not (folder / DATABASE).exists():
        raise SettingsError(
            f"There are no accounts in {folder}. Add one with `{installation.command('user', 'add', 'LOGIN')}`, or "
            "name another folder with --data-dir."
        )
    is_new = not (folder / DATABASE).exists()
    with contextlib.closing(Accounts(folder)) as accounts:
        try:
            yield Folder(accounts, Audit(folder / FILE))
        except ChatError as error:
            raise SettingsError(error.message) from error
    if is_new:  # perhaps not the one that the server uses
        print(f"These are the first accounts in {folder.absolute()}.", file=sys.stderr)


def show(header: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    """Print a table."""
    widths = [max(len(row[column]) for row in (header, *rows)) for column in range(len(header))]
    for row in (header, *rows):
        print("  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip())


def system_user() -> str:
    """Return the name of whoever gave the command."""
    try:
        return getpass.getuser()
    except (ImportError, KeyError, OSError):  # a container may know no names
        return str(os.getuid())
