"""Accounts, logins and tokens, in the SQLite file `accounts.db` of the data folder.

The server and the command line use the file at once: every change is a short transaction. Of the secrets that people
and programs show (a login's cookie, a token) the file has only hashes.
"""

from __future__ import annotations

import contextlib
import hashlib
import itertools
import logging
import os
import re
import secrets
import sqlite3
import threading
from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any

from agentchat.auth import names
from agentchat.auth.passwords import Passwords
from agentchat.protocol import events
from agentchat.protocol.errors import ChatError, SettingsError
from agentchat.protocol.validation import NAME_CHARS, one_line
from agentchat.store import failures, opening

DATABASE = "accounts.db"
ROLES = ("operator", "admin")
SCOPES = ("read", "write", "operator")
TOKEN = "act_"  # noqa: S105 - how each token begins, so that people and scanners of secrets know one
USED_AFTER = timedelta(minutes=1)  # after which a further use of a login or a token is noted
LOGINS_PER_USER = 100  # the ones used last
TOKENS_PER_USER = 100
SUBJECT_CHARS = 255  # of the name that a provider has for somebody; as long as OpenID Connect allows
ADDRESS_CHARS = 100
BROWSER_CHARS = 300
LONGEST_LOGIN = 36_500  # days; for ever, in a form that can be taken off a date
BUSY_TIMEOUT = 5_000  # ms that a statement waits for another process

_COLOUR = re.compile("#[0-9a-f]{6}")
_LANGUAGE = re.compile("[A-Za-z]{2,3}(-[A-Za-z0-9]{2,8}){0,3}")

MIGRATIONS: Sequence[Sequence[str]] = [
    [
        "CREATE TABLE changes (number INTEGER NOT NULL)",
        "INSERT INTO changes VALUES (0)",
        """CREATE TABLE users (
            id TEXT PRIMARY KEY, key TEXT NOT NULL UNIQUE, login TEXT NOT NULL, name TEXT NOT NULL,
            password TEXT NOT NULL, roles TEXT NOT NULL, colour TEXT NOT NULL DEFAULT '',
            language TEXT NOT NULL DEFAULT '', created TEXT NOT NULL
        ) WITHOUT ROWID""",
        # People as others know them: an issuer of OpenID Connect, or a proxy. The roles are those that it gives them.
        """CREATE TABLE externals (
            way TEXT NOT NULL, subject TEXT NOT NULL, user TEXT NOT NULL REFERENCES users ON DELETE CASCADE,
            roles TEXT NOT NULL, PRIMARY KEY (way, subject)
        ) WITHOUT ROWID""",
        """CREATE TABLE logins (
            id TEXT PRIMARY KEY, secret BLOB NOT NULL UNIQUE, user TEXT NOT NULL REFERENCES users ON DELETE CASCADE,
            created TEXT NOT NULL, last_seen TEXT NOT NULL, address TEXT NOT NULL, browser TEXT NOT NULL
        ) WITHOUT ROWID""",
        """CREATE TABLE tokens (
            id TEXT PRIMARY KEY, secret BLOB NOT NULL UNIQUE, user TEXT NOT NULL REFERENCES users ON DELETE CASCADE,
            name TEXT NOT NULL, scope TEXT NOT NULL, created TEXT NOT NULL, expires TEXT NOT NULL,
            last_used TEXT NOT NULL
        ) WITHOUT ROWID""",
        "CREATE INDEX user_externals ON externals (user)",
        "CREATE INDEX user_logins ON logins (user)",
        "CREATE INDEX user_tokens ON tokens (user)",
    ],
]

KNOWN = "SELECT 1 FROM users WHERE password <> '' OR id IN (SELECT user FROM externals) LIMIT 1"
"""Has a row if somebody can log in."""
USER = (
    "users.id, users.login, users.name,"
    " users.roles || ' ' || coalesce((SELECT group_concat(roles, ' ') FROM externals WHERE user = users.id), ''),"
    " users.colour, users.language, users.created"
)
LOGIN = "logins.id, logins.user, logins.created, logins.last_seen, logins.address, logins.browser"
TOKEN_ROW = "tokens.id, tokens.user, tokens.name, tokens.scope, tokens.created, tokens.expires, tokens.last_used"  # noqa: S105

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class User:
    """Somebody with an account."""

    id: str
    login: str
    name: str
    """The name that others see."""
    roles: frozenset[str]
    """Some of ROLES: those that were given here, and those that a provider gives."""
    colour: str
    """Such as #3366cc; "" if none was chosen."""
    language: str
    """Such as `de` or `pt-BR`; "" if none was chosen."""
    created: str


@dataclass(frozen=True)
class Login:
    """The session of one browser after logging in."""

    id: str
    user: str
    created: str
    last_seen: str
    """The time of the last request, to a minute."""
    address: str
    """The address from which the login was begun."""
    browser: str
    """The `User-Agent` with which it was begun."""


@dataclass(frozen=True)
class Token:
    """A bearer token of a program."""

    id: str
    user: str
    name: str
    scope: str
    """One of SCOPES."""
    created: str
    expires: str
    """The time when it ends; "" for never."""
    last_used: str
    """The time of the last use, to a minute; "" if there was none."""


def _utc() -> datetime:
    return datetime.now(timezone.utc)


class Accounts:
    """The accounts in a folder. All methods can be called from any thread, and raise StoreError if the storage fails.

    Raises SettingsError if the folder cannot be used.
    """

    def __init__(
        self,
        folder: Path,
        login_days: float = 30.0,
        passwords: Passwords | None = None,
        clock: Callable[[], datetime] = _utc,
    ) -> None:
        """`login_days` is how long a login lasts without use; `clock` returns the time in UTC."""
        self._login_time = timedelta(days=min(login_days, LONGEST_LOGIN))
        self._passwords = passwords or Passwords()
        self._clock = clock
        path = folder / DATABASE
        with contextlib.ExitStack() as opened:
            try:
                _prepare(path)
                self._writer = opened.enter_context(contextlib.closing(_connect(path)))
                _migrate(self._writer, folder)
                self._reader = opened.enter_context(contextlib.closing(_connect(path)))
            except (OSError, sqlite3.Error) as error:
                advice = failures.advice(error, DATABASE)
                raise SettingsError(f"The data folder {folder} cannot be used: {advice}.") from error
            self._opened = opened.pop_all()
        self._write_lock = threading.Lock()  # guards `_writer`
        self._read_lock = threading.Lock()  # guards `_reader`

    def close(self) -> None:
        """Close the file."""
        with self._write_lock, self._read_lock:
            self._opened.close()

    @property
    def version(self) -> int:
        """A number that grows with every change by any process, other than a login or token being used."""
        return int(self._read("SELECT number FROM changes")[0][0])

    # Users

    @property
    def is_empty(self) -> bool:
        """True as long as nobody can log in; there may be users that have only tokens."""
        return not self._read(KNOWN)

    @property
    def has_passwords(self) -> bool:
        """True if somebody can log in with a password."""
        return bool(self._read("SELECT 1 FROM users WHERE password <> '' LIMIT 1"))

    def has_password(self, id: str) -> bool:
        """Return True for a user who can log in with a password."""
        return bool(self._read("SELECT 1 FROM users WHERE id = ? AND password <> ''", id))

    def first(self) -> User | None:
        """Return the user who could log in first."""
        known = "users.password <> '' OR users.id IN (SELECT user FROM externals)"
        rows = self._read(f"SELECT {USER} FROM users WHERE {known} ORDER BY users.created, users.id LIMIT 1")
        return _user(rows[0]) if rows else None

    def can_log_in(self, id: str) -> bool:
        """Return True for a user with a password, or whom a provider knows; False for one who has only tokens."""
        known = "SELECT 1 FROM users WHERE id = ? AND (password <> '' OR id IN (SELECT user FROM externals))"
        return bool(self._read(known, id))

    def add(self, login: str, password: str | None, name: str = "", roles: Collection[str] = ()) -> User:
        """Add a user, who cannot log in without a password. Raises ChatError if that is impossible."""
        login = names.login_name(login)
        name = names.shown_name(name or login)
        given = _joined(roles)
        hash = "" if password is None else self._passwords.hash(password)
        with self._change() as db:
            if _id_of(db, login) is not None:
                raise ChatError("login_taken", login=login)
            id = self._insert(db, login, hash, name, given)
        return self._existing(id)

    def user(self, id: str) -> User | None:
        """Return the user with this id."""
        rows = self._read(f"SELECT {USER} FROM users WHERE id = ?", id)
        return _user(rows[0]) if rows else None

    def by_login(self, login: str) -> User | None:
        """Return the user with this login name."""
        rows = self._read(f"SELECT {USER} FROM users WHERE key = ?", names.key(login))
        return _user(rows[0]) if rows else None

    def users(self) -> list[User]:
        """Return all users, ordered by login name."""
        return [_user(row) for row in self._read(f"SELECT {USER} FROM users ORDER BY key")]

    def set_password(self, id: str, password: str) -> None:
        """Change a user's password, and end their logins. Raises ChatError for a password that cannot be used."""
        hash = self._passwords.hash(password)
        with self._change() as db:
            _update(db, "password = ?", id, hash)
            db.execute("DELETE FROM logins WHERE user = ?", (id,))

    def change_password(self, id: str, password: str, login_id: str) -> str:
        """Change a user's password, and end all their logins but one. Returns the new secret of that one's cookie.

        Raises ChatError for a password that cannot be used.
        """
        hash, secret = self._passwords.hash(password), secrets.token_urlsafe(32)
        with self._change() as db:
            _update(db, "password = ?", id, hash)
            db.execute("DELETE FROM logins WHERE user = ? AND id <> ?", (id, login_id))
            db.execute("UPDATE logins SET secret = ? WHERE id = ?", (_hashed(secret), login_id))
        return secret

    def set_roles(self, id: str, roles: Collection[str]) -> User:
        """Replace the roles that were given to a user here. Those that a provider gives stay."""
        given = _joined(roles)
        with self._change() as db:
            _update(db, "roles = ?", id, given)
        return self._existing(id)

    def set_profile(
        self, id: str, *, name: str | None = None, colour: str | None = None, language: str | None = None
    ) -> User:
        """Change what is not None. Raises ChatError for what cannot be used."""
        changes: dict[str, str] = {}
        if name is not None:
            changes["name"] = names.shown_name(name)
        if colour is not None:
            changes["colour"] = colour.lower()
            if colour and not _COLOUR.fullmatch(changes["colour"]):
                raise ChatError("account_unusable", problem="the colour is not one such as #3366cc")
        if language is not None:
            changes["language"] = language
            if language and not _LANGUAGE.fullmatch(language):
                raise ChatError("account_unusable", problem="the language is not one such as de or pt-BR")
        if changes:
            with self._change() as db:
                _update(db, ", ".join(f"{column} = ?" for column in changes), id, *changes.values())
        return self._existing(id)

    def remove(self, id: str) -> bool:
        """Remove a user with their logins and tokens, also from the disk. Returns False if there is none."""
        with self._change() as db:
            is_removed = db.execute("DELETE FROM users WHERE id = ?", (id,)).rowcount > 0
        self._empty_wal()
        return is_removed

    def check_password(self, login: str, password: str) -> User | None:
        """Return the user who has this login name and this password; the work is the same if there is none."""
        rows = self._read("SELECT id, password FROM users WHERE key = ?", names.key(login))
        id, hash = rows[0] if rows else ("", "")
        if not self._passwords.is_right(password, hash):
            return None
        if self._read("SELECT password FROM users WHERE id = ?", id) != [(hash,)]:
            return None  # it was changed meanwhile
        if self._passwords.is_outdated(hash):
            self._rehash(id, password, hash)
        return self.user(id)

    def external(self, way: str, subject: str, login: str, name: str = "", roles: Collection[str] = ()) -> User:
        """Return the user whom `way` (an issuer of OpenID Connect, or `header`) knows as `subject`.

        The first time that is a new user, never one who is here already: a login name that is taken gets a suffix.
        The roles are those that `way` gives from now on.
        """
        if not 0 < len(subject) <= SUBJECT_CHARS:
            problem = f"the name that {way} has for this user does not have 1 to {SUBJECT_CHARS} characters"
            raise ChatError("account_unusable", problem=problem)
        subject, given = events.clean(subject), _joined(roles)
        place = (way, subject)
        known = "SELECT user, roles FROM externals WHERE way = ? AND subject = ?"
        rows = self._read(known, *place)
        if rows and rows[0][1] == given:
            return self._existing(rows[0][0])
        with self._change() as db:
            row = db.execute(known, place).fetchone()
            if row:
                id = row[0]
                db.execute("UPDATE externals SET roles = ? WHERE way = ? AND subject = ?", (given, *place))
            else:
                id = self._insert(db, _free_login(db, names.usable_login(login)), "", _usable_name(name, login), "")
                db.execute("INSERT INTO externals VALUES (?, ?, ?, ?)", (*place, id, given))
        return self._existing(id)

    # Logins

    def begin_login(self, user_id: str, address: str, browser: str) -> tuple[str, Login]:
        """Begin a login. Returns the secret for the cookie, which is not kept, and the login."""
        secret, now = secrets.token_urlsafe(32), self._now()
        address, browser = one_line(address)[:ADDRESS_CHARS], one_line(browser)[:BROWSER_CHARS]
        login = Login(f"l-{secrets.token_hex(8)}", user_id, now, now, address, browser)
        values = (login.id, _hashed(secret), user_id, now, now, address, browser)
        spare = "SELECT id FROM logins WHERE user = ? ORDER BY last_seen DESC, created DESC LIMIT -1 OFFSET ?"
        with self._change() as db:
            _check_exists(db, user_id)
            db.execute("DELETE FROM logins WHERE last_seen < ?", (self._time(-self._login_time),))
            db.execute(f"DELETE FROM logins WHERE id IN ({spare})", (user_id, LOGINS_PER_USER - 1))
            db.execute("INSERT INTO logins VALUES (?, ?, ?, ?, ?, ?, ?)", values)
        return secret, login

    def login(self, secret: str) -> tuple[User, Login] | None:
        """Return the login with this secret and its user, and note its use; None if there is none, or it has ended."""
        found = self._login("logins.secret = ?", _hashed(secret))
        if found and self._is_due(found[1].last_seen):
            now = self._now()
            self._note("UPDATE logins SET last_seen = ? WHERE id = ?", now, found[1].id)
            return found[0], replace(found[1], last_seen=now)
        return found

    def login_by_id(self, id: str) -> tuple[User, Login] | None:
        """Return the login with this id and its user, as they are now; None if it has ended."""
        return self._login("logins.id = ?", id)

    def logins(self, user_id: str) -> list[Login]:
        """Return the logins of a user, the one used last first."""
        query = f"SELECT {LOGIN} FROM logins WHERE user = ? AND last_seen >= ? ORDER BY last_seen DESC, created DESC"
        return [Login(*row) for row in self._read(query, user_id, self._time(-self._login_time))]

    def end_login(self, id: str) -> bool:
        """End a login. Returns False if there is none."""
        with self._change() as db:
            return db.execute("DELETE FROM logins WHERE id = ?", (id,)).rowcount > 0

    def end_logins(self, user_id: str) -> int:
        """End all logins of a user. Returns how many there were."""
        with self._change() as db:
            return db.execute("DELETE FROM logins WHERE user = ?", (user_id,)).rowcount

    # Tokens

    def add_token(self, user_id: str, name: str, scope: str, expires: str = "") -> tuple[str, Token]:
        """Add a token; `expires` is a time, "" for never. Returns the token itself, which is not kept, and its row.

        Raises ChatError if it cannot be made.
        """
        name = names.shown_name(name)
        if scope not in SCOPES:
            raise ChatError("token_unusable", problem=f"its scope is not one of {', '.join(SCOPES)}")
        if scope == "operator" and not self._existing(user_id).roles:
            raise ChatError("token_unusable", problem="its user is neither operator nor admin")
        now = self._now()
        expires = _time_of(expires)
        if expires and expires <= now:
            raise ChatError("token_unusable", problem="its end is past")
        secret = TOKEN + secrets.token_urlsafe(32)
        token = Token(f"t-{secrets.token_hex(8)}", user_id, name, scope, now, expires, "")
        with self._change() as db:
            _check_exists(db, user_id)
            (count,) = db.execute("SELECT count(*) FROM tokens WHERE user = ?", (user_id,)).fetchone()
            if count >= TOKENS_PER_USER:
                raise ChatError("token_unusable", problem=f"there are {count} already. Revoke some first")
            values = (token.id, _hashed(secret), user_id, name, scope, now, expires, "")
            db.execute("INSERT INTO tokens VALUES (?, ?, ?, ?, ?, ?, ?, ?)", values)
        return secret, token

    def token(self, secret: str) -> tuple[User, Token] | None:
        """Return the row of this token and its user, and note its use; None if there is none, or it has ended."""
        found = self._token("tokens.secret = ?", _hashed(secret)) if secret.startswith(TOKEN) else None
        if found and self._is_due(found[1].last_used):
            now = self._now()
            self._note("UPDATE tokens SET last_used = ? WHERE id = ?", now, found[1].id)
            return found[0], replace(found[1], last_used=now)
        return found

    def token_by_id(self, id: str) -> tuple[User, Token] | None:
        """Return the row of the token with this id and its user, as they are now; None if it has ended."""
        return self._token("tokens.id = ?", id)

    def tokens(self, user_id: str) -> list[Token]:
        """Return the tokens of a user, oldest first, with those that have expired."""
        query = f"SELECT {TOKEN_ROW} FROM tokens WHERE user = ? ORDER BY created, id"
        return [Token(*row) for row in self._read(query, user_id)]

    def has_ended(self, since: str, until: str) -> bool:
        """Return True if the time of a token has ended behind the one time, up to the other."""
        return bool(self._read("SELECT 1 FROM tokens WHERE expires > ? AND expires <= ? LIMIT 1", since, until))

    def revoke(self, token_id: str) -> bool:
        """End a token. Returns False if there is none."""
        with self._change() as db:
            return db.execute("DELETE FROM tokens WHERE id = ?", (token_id,)).rowcount > 0

    # The file

    def wipe(self) -> None:
        """Empty the write-ahead log, in which removed users are still written."""
        try:
            with self._write_lock:
                self._writer.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        except sqlite3.Error as error:
            raise failures.told(error) from error

    def _read(self, query: str, *values: object) -> list[tuple[Any, ...]]:
        try:
            with self._read_lock:
                return self._reader.execute(query, values).fetchall()
        except sqlite3.Error as error:
            raise failures.told(error) from error

    @contextlib.contextmanager
    def _change(self) -> Iterator[sqlite3.Connection]:
        """Lend the connection for one transaction, which counts as a change; an exception undoes it."""
        try:
            with self._write_lock, _transaction(self._writer):
                yield self._writer
                self._writer.execute("UPDATE changes SET number = number + 1")
        except sqlite3.Error as error:
            raise failures.told(error) from error

    def _empty_wal(self) -> None:
        """Leave nothing of older pages behind. If that fails, the next checkpoint does it."""
        try:
            with self._write_lock:
                self._writer.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()
        except sqlite3.Error as error:
            log.warning("The log of %s could not be emptied yet: %s", DATABASE, error)

    def _note(self, statement: str, *values: object) -> None:
        """Make a change that may as well be made later: nobody waits for another thread or process."""
        if not self._write_lock.acquire(blocking=False):
            return
        try:
            self._writer.execute("PRAGMA busy_timeout = 0")
            try:
                self._writer.execute(statement, values)
            finally:
                self._writer.execute(f"PRAGMA busy_timeout = {BUSY_TIMEOUT}")
        except sqlite3.Error as error:
            log.warning("The use of a login or token could not be noted: %s", error)
        finally:
            self._write_lock.release()

    def _existing(self, id: str) -> User:
        user = self.user(id)
        if user is None:
            raise ChatError("user_unknown", user=id)
        return user

    def _insert(self, db: sqlite3.Connection, login: str, hash: str, name: str, roles: str) -> str:
        id = f"u-{secrets.token_hex(8)}"
        db.execute(
            "INSERT INTO users (id, key, login, name, password, roles, created) VALUES (?, ?, ?, ?, ?, ?, ?)",
            (id, names.key(login), login, name, hash, roles, self._now()),
        )
        return id

    def _rehash(self, id: str, password: str, outdated: str) -> None:
        try:
            hash = self._passwords.hash(password)
            with self._change() as db:
                db.execute("UPDATE users SET password = ? WHERE id = ? AND password = ?", (hash, id, outdated))
        except ChatError as error:  # such as a full disk, or a password shorter than they may be by now
            log.warning("The password of %s keeps its outdated hash: %s", id, error)

    def _login(self, condition: str, value: object) -> tuple[User, Login] | None:
        query = f"SELECT {LOGIN}, {USER} FROM logins JOIN users ON users.id = logins.user WHERE {condition}"
        for row in self._read(query, value):
            login = Login(*row[:6])
            if login.last_seen >= self._time(-self._login_time):
                return _user(row[6:]), login
        return None

    def _token(self, condition: str, value: object) -> tuple[User, Token] | None:
        query = f"SELECT {TOKEN_ROW}, {USER} FROM tokens JOIN users ON users.id = tokens.user WHERE {condition}"
        for row in self._read(query, value):
            token = Token(*row[:7])
            if not token.expires or token.expires > self._now():
                return _user(row[7:]), token
        return None

    def _is_due(self, used: str) -> bool:
        return used <= self._time(-USED_AFTER)

    def _now(self) -> str:
        return events.time(self._clock())

    def _time(self, since: timedelta) -> str:
        return events.time(self._clock() + since)


def _prepare(path: Path) -> None:
    """Create the file if there is none, and let nobody but its owner read it. SQLite's other files follow it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with contextlib.suppress(FileExistsError):
        os.close(os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600))
    if path.stat().st_mode & 0o077:
        path.chmod(0o600)


def _connect(path: Path) -> sqlite3.Connection:
    db = opening.connect(path, BUSY_TIMEOUT)
    db.execute("PRAGMA foreign_keys = ON")
    db.execute("PRAGMA secure_delete = ON")  # nothing of somebody who was removed stays in free pages
    return db


def _migrate(db: sqlite3.Connection, folder: Path) -> None:
    """Bring the file up to this version, while another process may be about to do the same."""
    with _transaction(db):
        (version,) = db.execute("PRAGMA user_version").fetchone()
        if version > len(MIGRATIONS):
            raise SettingsError(
                f"The accounts in {folder} were written by a newer version of this server. Use that one."
            )
        for statement in itertools.chain(*MIGRATIONS[version:]):
            db.execute(statement)
        db.execute(f"PRAGMA user_version = {len(MIGRATIONS)}")


@contextlib.contextmanager
def _transaction(db: sqlite3.Connection) -> Iterator[None]:
    db.execute("BEGIN IMMEDIATE")
    try:
        yield
        db.execute("COMMIT")
    except BaseException:
        if db.in_transaction:
            db.execute("ROLLBACK")
        raise


def _user(row: Sequence[Any]) -> User:
    id, login, name, roles, colour, language, created = row
    return User(id, login, name, frozenset(roles.split()), colour, language, created)


def _joined(roles: Collection[str]) -> str:
    """Return roles as they are kept. Raises ChatError for one that does not exist."""
    if set(roles) - set(ROLES):
        raise ChatError("account_unusable", problem=f"roles are {' and '.join(ROLES)}")
    return " ".join(role for role in ROLES if role in roles)


def _update(db: sqlite3.Connection, assignments: str, id: str, *values: str) -> None:
    if not db.execute(f"UPDATE users SET {assignments} WHERE id = ?", (*values, id)).rowcount:
        raise ChatError("user_unknown", user=id)


def _check_exists(db: sqlite3.Connection, id: str) -> None:
    if not db.execute("SELECT 1 FROM users WHERE id = ?", (id,)).fetchone():
        raise ChatError("user_unknown", user=id)


def _id_of(db: sqlite3.Connection, login: str) -> str | None:
    row = db.execute("SELECT id FROM users WHERE key = ?", (names.key(login),)).fetchone()
    return row[0] if row else None


def _free_login(db: sqlite3.Connection, login: str) -> str:
    candidates = itertools.chain([login], (f"{login}-{number}" for number in itertools.count(2)))
    return next(candidate for candidate in candidates if _id_of(db, candidate) is None)


def _usable_name(name: str, login: str) -> str:
    """Return the name of somebody whom a provider has named, as far as it can be used."""
    for text in (name, login):
        with contextlib.suppress(ChatError):
            return names.shown_name(one_line(text)[:NAME_CHARS])
    return names.usable_login(login)


def _time_of(text: str) -> str:
    """Return a time as it is kept. Raises ChatError if it is none."""
    if not text:
        return ""
    try:
        moment = events.moment(text)
        return events.time((moment if moment.tzinfo else moment.replace(tzinfo=timezone.utc)).astimezone(timezone.utc))
    except (ValueError, OverflowError):
        raise ChatError("token_unusable", problem="its end is not a time such as 2030-01-31T12:00:00.000Z") from None


def _hashed(secret: str) -> bytes:
    return hashlib.sha256(secret.encode("utf-8", "surrogatepass")).digest()
