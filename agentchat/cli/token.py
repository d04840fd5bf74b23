"""Give programs bearer tokens, and take them away: `agentchat token`."""

from __future__ import annotations

import argparse
import re
import sys
from collections.abc import Sequence
from datetime import datetime, timedelta, timezone
from typing import TYPE_CHECKING

from agentchat import installation
from agentchat.cli.accounts import Folder, data_dir, opened, show
from agentchat.protocol import events
from agentchat.protocol.errors import ChatError, SettingsError

if TYPE_CHECKING:
    from agentchat.auth.accounts import Token, User

SCOPES = ("read", "write", "operator")
UNITS = {"h": "hours", "d": "days", "w": "weeks"}
LONGEST = timedelta(days=3650)


def token(arguments: Sequence[str]) -> int:
    """Carry out a command about tokens. Returns the exit status. Raises SettingsError."""
    given = _parser().parse_args(arguments)
    with opened(given.data_dir, may_be_new=given.run is _add) as folder:
        given.run(folder, given)
    return 0


def _add(folder: Folder, given: argparse.Namespace) -> None:
    expires = _end(given.expires)
    user = folder.user(given.user) if given.user else _program(folder, given.name, given.scope)
    secret, token = folder.accounts.add_token(user.id, given.name, given.scope, expires)
    folder.note("token_added", user, token=token.id, name=token.name, scope=token.scope, expires=token.expires)
    print(f"The token {token.id} of {user.login} is added. It is shown only this once:", file=sys.stderr, flush=True)
    print(secret)


def _program(folder: Folder, name: str, scope: str) -> User:
    """Return the user that stands for a program: of the token's name, without a way to log in."""
    from agentchat.auth import names

    try:
        names.login_name(name)
    except ChatError as error:
        raise SettingsError(
            f"{error.message} Without --user, a token belongs to an account that has its name. Take another --name, or "
            "say whose it is."
        ) from None
    roles = {"operator"} if scope == "operator" else set()
    user = folder.accounts.by_login(name)
    if user is None:
        user = folder.accounts.add(name, None, roles=roles)
        folder.note("user_added", user, roles=user.roles)
    elif folder.accounts.can_log_in(user.id):
        raise SettingsError(
            f"{user.login} is a person. Take another --name for the program, or make it that person's token with "
            f"--user {user.login}."
        )
    elif not roles <= user.roles:
        user = folder.accounts.set_roles(user.id, user.roles | roles)
        folder.note("roles_changed", user, roles=user.roles)
    return user


def _list(folder: Folder, given: argparse.Namespace) -> None:
    rows = [
        (token.id, token.name, user.login, token.scope, token.created, token.last_used or "-", token.expires or "-")
        for user, token in _tokens(folder)
    ]
    show(("ID", "NAME", "USER", "SCOPE", "CREATED", "LAST USED", "EXPIRES"), rows)


def _revoke(folder: Folder, given: argparse.Namespace) -> None:
    found = [each for each in _tokens(folder) if given.token == each[1].id]
    found = found or [each for each in _tokens(folder) if given.token == each[1].name]
    if not found:
        raise SettingsError(
            f"There is no such token. `{installation.command('token', 'list')}` shows the ids and names of all."
        )
    if len(found) > 1:
        ids = ", ".join(token.id for _, token in found)
        raise SettingsError(f"Several tokens have the name {given.token}. Name one by its id: {ids}.")
    [(user, token)] = found
    folder.accounts.revoke(token.id)
    folder.note("token_revoked", user, token=token.id, name=token.name)
    print(f"The token {token.id} ({token.name}) of {user.login} is revoked.")


def _tokens(folder: Folder) -> list[tuple[User, Token]]:
    return [(user, token) for user in folder.accounts.users() for token in folder.accounts.tokens(user.id)]


def _end(given: str) -> str:
    """Return the time when a token ends that lasts that long, such as 30d; "" for one that lasts for ever."""
    if not given:
        return ""
    match = re.fullmatch("([0-9]{1,6})([hdw])", given)
    duration = timedelta(**{UNITS[match[2]]: int(match[1])}) if match else timedelta()
    if not timedelta() < duration <= LONGEST:
        raise SettingsError("--expires is a number of hours, days or weeks up to ten years, such as 12h, 30d or 8w.")
    return events.time(datetime.now(timezone.utc) + duration)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog=f"{installation.program()} token",
        description="Give programs tokens, and take them away.",
        parents=[data_dir()],
    )
    commands = parser.add_subparsers(metavar="COMMAND", required=True)
    common = data_dir(argparse.SUPPRESS)
    add = commands.add_parser("add", parents=[common], help="add a token and print it, this once")
    add.add_argument("--name", required=True, help="the program that will use it")
    add.add_argument("--scope", required=True, choices=SCOPES, help="what it may do; each includes those before it")
    add.add_argument("--expires", default="", metavar="TIME", help="how long it lasts, such as 12h, 30d or 8w")
    add.add_argument(
        "--user", default="", metavar="LOGIN", help="whose token it is (default: a user of its own, named like it)"
    )
    add.set_defaults(run=_add)
    commands.add_parser("list", parents=[common], help="list the tokens").set_defaults(run=_list)
    revoke = commands.add_parser("revoke", parents=[common], help="end a token")
    revoke.add_argument("token", metavar="TOKEN", help="its id, or its name if no other has that")
    revoke.set_defaults(run=_revoke)
    return parser
