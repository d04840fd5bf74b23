"""The databases in the data folder: whether they open, are intact, and are of a version that this server knows."""

from __future__ import annotations

import contextlib
import sqlite3
import time
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import quote

from agentchat.auth import accounts
from agentchat.doctor.finding import OK, PROBLEM, SKIPPED, WARNING, Finding, Setup
from agentchat.knowledge import index
from agentchat.protocol.errors import SettingsError
from agentchat.store import failures, opening
from agentchat.store.schema import MIGRATIONS

DATABASE, ACCOUNTS, KNOWLEDGE = "database", "accounts", "knowledge-index"
SECONDS = 30.0  # for which each is read
STEPS = 10_000  # of SQLite, between two looks at the time
KNOWLEDGE_FILE = "knowledge.db"


def look(setup: Setup) -> Iterator[Finding]:
    """Yield how each of the databases is."""
    folder = setup.chosen.data_dir.absolute()
    known = {
        DATABASE: (opening.DATABASE, len(MIGRATIONS)),
        ACCOUNTS: (accounts.DATABASE, len(accounts.MIGRATIONS)),
        KNOWLEDGE: (KNOWLEDGE_FILE, index.VERSION),
    }
    for name, (file, version) in known.items():
        yield _of(name, folder / file, version)
    if is_in_use(folder):
        yield Finding(DATABASE, OK, f"A running server uses the data folder {folder}.")


def _of(name: str, path: Path, version: int) -> Finding:
    if not path.exists():
        files = path.parent / "workspaces"
        if name == DATABASE and files.is_dir() and any(files.iterdir()):
            message = f"{path.parent} has the files of conversations, but {path.name} in it is missing."
            return Finding(name, PROBLEM, message, "Put it back, restore a backup, or move `workspaces` away.")
        return Finding(name, SKIPPED, f"There is no {path.name} yet.")
    try:
        with opened(path) as db:
            (found,) = db.execute("PRAGMA user_version").fetchone()
            is_complete, faults = _faults(db)
    except (OSError, sqlite3.Error) as error:
        reason, _, advice = failures.advice(error, path.name).partition(". ")
        return Finding(name, PROBLEM, f"{path} cannot be used: {reason}.", _mend(name, f"{advice}." if advice else ""))
    if faults:
        message = f"{path} is damaged: {faults}."
        return Finding(name, PROBLEM, message, _mend(name, "Restore a backup, or save what is left (`.recover`)."))
    if found > version and name != KNOWLEDGE:
        message = f"{path} was written by a newer version of this server ({found}; this one knows {version})."
        return Finding(name, PROBLEM, message, "Use that version.")
    if not is_complete:
        message = f"{path} is so large that only a part of it was checked in {SECONDS:g} seconds."
        return Finding(name, WARNING, message, f"Check it with sqlite3: PRAGMA integrity_check on {path.name}.")
    older = f", of version {found}, which the next start brings up to date" if 0 < found < version else ""
    return Finding(name, OK, f"{path} is intact{older}.")


def _mend(name: str, otherwise: str) -> str:
    if name == KNOWLEDGE:
        return "Delete it: it is made again from the documents."
    return otherwise or "Restore a backup."


@contextlib.contextmanager
def opened(path: Path) -> Iterator[sqlite3.Connection]:
    """Lend a connection that cannot change anything. Raises sqlite3.Error."""
    # Nobody has it open if there is no WAL; then SQLite need not make one for us.
    mode = "mode=ro" if path.with_name(f"{path.name}-wal").exists() else "immutable=1"
    address = f"file:{quote(str(path))}?{mode}"
    with contextlib.closing(sqlite3.connect(address, uri=True, timeout=1.0)) as db:
        yield db


def _faults(db: sqlite3.Connection) -> tuple[bool, str]:
    """Return True if all was read, and the first fault found; "" without one."""
    deadline = time.monotonic() + SECONDS
    db.set_progress_handler(lambda: time.monotonic() > deadline, STEPS)
    try:
        (said,) = db.execute("PRAGMA integrity_check(1)").fetchone()
    except sqlite3.OperationalError as error:
        if "interrupted" not in str(error):
            raise
        return False, ""
    return True, "" if said == "ok" else " ".join(str(said).split())[:200].removeprefix("*** in database main *** ")


def is_in_use(folder: Path) -> bool:
    """Return True if a running server has the data folder."""
    lock = folder / opening.LOCK
    if not lock.exists():
        return False
    try:
        opening.claim(lock).close()
    except SettingsError:
        return True
    except sqlite3.Error:
        return False  # said about the folder already
    return False
