"""The failures of SQLite in words: for people whose conversation is concerned, and for whoever starts the server."""

from __future__ import annotations

import sqlite3

from agentchat.protocol.errors import StoreError
from agentchat.store import opening

# By what SQLite says, since Python 3.10 does not tell its error codes. The first that matches counts.
_CODES = {
    "database or disk is full": "store_failed",
    "database is locked": "store_locked",
    "database table is locked": "store_locked",
    "disk image is malformed": "store_damaged",
    "malformed database schema": "store_damaged",
    "not a database": "store_damaged",
    "fts5: corrupt": "store_damaged",
    "invalid fts5 file format": "store_damaged",
    "vtable constructor failed": "store_damaged",
    "Could not decode to UTF-8": "store_damaged",
}
_ADVICE = {
    "database or disk is full": "the disk is full. Make room on it",
    "is locked": "another program keeps {database} locked. End it",
    "malformed": "{database} is damaged. Restore a backup, or save what is left with sqlite3's .recover",
    "not a database": "{database} is damaged, or something else. Restore a backup",
    "fts5: corrupt": "{database} is damaged. Restore a backup, or save what is left with sqlite3's .recover",
    "Permission denied": "whoever runs the server may not write there. Allow it, or choose another with --data-dir",
    "Read-only file system": "its file system is read-only. Choose another with --data-dir",
    "Not a directory": "a file is in its place. Choose another with --data-dir",
    "readonly": "it is read-only. Let the user who runs the server write there, or choose another with --data-dir",
    "unable to open": "{database} cannot be opened. Check the permissions of the folder and of the files in it",
    "disk I/O": "the disk cannot be read or written. Look at it, and at the room on it",
}


def told(error: Exception) -> Exception:
    """Return the error for whoever called the store: a StoreError if SQLite failed, else the error itself."""
    if not isinstance(error, sqlite3.Error):
        return error
    said = str(error)
    code = next((code for words, code in _CODES.items() if words in said), "store_unusable")
    failure = StoreError(code, problem=said[:200]) if code == "store_unusable" else StoreError(code)
    failure.__cause__ = error
    return failure


def is_of_storage(error: Exception) -> bool:
    """Return True if the storage failed, not the one change that noticed it."""
    if isinstance(error, sqlite3.Error):
        return not isinstance(error, (sqlite3.IntegrityError, sqlite3.DataError))
    return isinstance(error, StoreError)


def advice(error: Exception, database: str = opening.DATABASE) -> str:
    """Return the reason why a data folder with that database cannot be used, and what to do: the end of a sentence."""
    if isinstance(error, StoreError) and error.__cause__ is not None:
        error = error.__cause__ if isinstance(error.__cause__, Exception) else error
    if isinstance(error, StoreError):
        return error.message[0].lower() + error.message[1:].rstrip(".")
    said = (error.strerror or str(error)) if isinstance(error, OSError) else str(error)
    known = next((advice for words, advice in _ADVICE.items() if words in said), None)
    return known.format(database=database) if known else said
