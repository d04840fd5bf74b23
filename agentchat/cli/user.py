"""Change who has an account: `agentchat user`."""

from __future__ import annotations

import argparse
import getpass
import sys
import warnings
from collections.abc import Sequence

from agentchat import installation
from agentchat.cli.accounts import Folder, data_dir, opened, show
from agentchat.protocol.errors import ChatError, SettingsError

LINE_BYTES = 64 * 1024  # of a password on stdin, and no more


def user(arguments: Sequence[str]) -> int:
    """Carry out a command about users. Returns the exit status. Raises SettingsError."""
    given = _parser().parse_args(arguments)
    with opened(given.data_dir, may_be_new=given.run is _add) as folder:
        given.run(folder, given)
    return 0


def _add(folder: Folder, given: argparse.Namespace) -> None:
    from agentchat.auth import names

    login = names.login_name(given.login)
    if folder.accounts.by_login(login):
        raise ChatError("login_taken", login=login)
    user = folder.accounts.add(login, _password(given, login), given.name, _words([given.role]))
    folder.note("user_added", user, roles=user.roles)
    print(f"{user.login} is added.")


def _list(folder: Folder, given: argparse.Namespace) -> None:
    rows = []
    for user in folder.accounts.users():
        seen = next((login.last_seen for login in folder.accounts.logins(user.id)), "")
        rows.append((user.login, user.name, ", ".join(sorted(user.roles)) or "-", seen or "-", user.id))
    show(("LOGIN", "NAME", "ROLES", "LAST SEEN", "ID"), rows)


def _passwd(folder: Folder, given: argparse.Namespace) -> None:
    user = folder.user(given.login)
    folder.accounts.set_password(user.id, _password(given, user.login))
    folder.note("password_changed", user)
    print(f"The password of {user.login} is changed, and their logins have ended.")


def _remove(folder: Folder, given: argparse.Namespace) -> None:
    user = folder.user(given.login)
    folder.accounts.remove(user.id)
    folder.note("user_removed", user)
    print(f"{user.login} is removed; their logins and tokens have ended.")


def _role(folder: Folder, given: argparse.Namespace) -> None:
    user = folder.user(given.login)
    user = folder.accounts.set_roles(user.id, _words(given.roles))
    folder.note("roles_changed", user, roles=user.roles)
    print(f"{user.login} is now {' and '.join(sorted(user.roles)) or 'a user without roles'}.")


def _words(given: Sequence[str]) -> list[str]:
    """Return the roles, which are separated by spaces or commas."""
    return [word for text in given for word in text.replace(",", " ").split()]


def _password(given: argparse.Namespace, login: str) -> str:
    """Return the password that is on stdin, or that somebody types twice. Raises SettingsError if there is none."""
    if given.password_stdin:
        return _line()
    with warnings.catch_warnings():
        warnings.simplefilter("error", getpass.GetPassWarning)
        try:
            password = getpass.getpass(f"Password of {login}: ")
            again = getpass.getpass("The same again: ")
        except (getpass.GetPassWarning, EOFError):
            raise SettingsError(
                "There is no terminal on which to ask for the password. Write it to stdin, with --password-stdin."
            ) from None
        except KeyboardInterrupt:
            print(file=sys.stderr)
            raise SettingsError("No password was given, so nothing has changed.") from None
    if password != again:
        raise SettingsError("The two passwords differ, so nothing has changed. Try again.")
    return password


def _line() -> str:
    line = sys.stdin.buffer.readline(LINE_BYTES)
    try:
        return line.decode().rstrip("\r\n")
    except UnicodeDecodeError:
        raise SettingsError("The password on stdin is not text in UTF-8.") from None


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog=f"{installation.program()} user", description="Change who has an account.", parents=[data_dir()]
    )
    commands = parser.add_subparsers(metavar="COMMAND", required=True)
    common = data_dir(argparse.SUPPRESS)
    secret = argparse.ArgumentParser(add_help=False)
    secret.add_argument("--password-stdin", action="store_true", help="read the password from stdin, one line")

    add = commands.add_parser("add", parents=[common, secret], help="add a user; asks for the password")
    add.add_argument("--name", default="", help="the name that others see (default: the login name)")
    add.add_argument("--role", default="", metavar="ROLE,ROLE", help="operator, admin, or both")
    passwd = commands.add_parser("passwd", parents=[common, secret], help="change a password; ends the user's logins")
    remove = commands.add_parser("remove", parents=[common], help="remove a user; ends their logins and tokens")
    role = commands.add_parser("role", parents=[common], help="replace the roles of a user")
    for each, run in ((add, _add), (passwd, _passwd), (remove, _remove), (role, _role)):
        each.add_argument("login", metavar="LOGIN", help="the login name")
        each.set_defaults(run=run)
    role.add_argument("roles", metavar="ROLE", nargs="*", help="operator, admin; none takes all roles away")
    commands.add_parser("list", parents=[common], help="list the users").set_defaults(run=_list)
    return parser
