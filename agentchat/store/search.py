"""Searching: connections of its own, which stop at a deadline, and the text around a word."""

from __future__ import annotations

import contextlib
import queue
import re
import sqlite3
import time
import unicodedata
from collections.abc import Callable, Iterator

from agentchat.protocol.errors import ChatError

SEARCHES = 2  # at once; others wait within their deadline
STEPS = 1000  # of SQLite's virtual machine, between looks at the clock; some 20 ms at most
TEXT_CHARS = 200_000  # of a text that are looked at for the words; as long as the longest message
WORDS = 8  # of a search that are looked for in a text
BEFORE, AFTER = 60, 120  # characters of an excerpt on either side of where the word begins


class Search:
    """One search: its connection, until its deadline."""

    def __init__(self, db: sqlite3.Connection, check: Callable[[], None]) -> None:
        self.db = db
        self.check = check
        """Raises ChatError once the deadline has passed. What SQLite does meanwhile ends by itself."""


class Searches:
    """The connections for searches."""

    def __init__(self, connect: Callable[[], sqlite3.Connection], seconds: float) -> None:
        """`seconds` is how long a search may take, with its wait for a connection."""
        self._seconds = seconds
        self._is_closing = False
        self._free: queue.LifoQueue[sqlite3.Connection] = queue.LifoQueue()
        for _ in range(SEARCHES):
            self._free.put(connect())

    @contextlib.contextmanager
    def begin(self) -> Iterator[Search]:
        """Lend a connection to one search. Raises ChatError if the search is not over in time."""
        deadline = time.monotonic() + self._seconds

        def is_late() -> bool:
            return self._is_closing or time.monotonic() >= deadline

        def check() -> None:
            if is_late():
                raise ChatError("search_timeout", seconds=f"{self._seconds:g}")

        check()
        try:
            db = self._free.get(timeout=self._seconds)
        except queue.Empty:
            check()
            raise
        db.set_progress_handler(is_late, STEPS)
        try:
            yield Search(db, check)
        except sqlite3.OperationalError:
            check()
            raise
        finally:
            db.set_progress_handler(None, STEPS)
            self._free.put(db)

    def close(self) -> None:
        """End the searches that run, and close the connections."""
        self._is_closing = True
        for _ in range(SEARCHES):
            self._free.get().close()


def match(words: str) -> str:
    """Return the FTS5 expression for all of the words, the last of which may be incomplete."""
    quoted = [f'"{word}"' for word in re.findall(r"\w+", words)]
    return " ".join(quoted) + "*" if quoted else ""


def excerpt(text: str, words: str) -> str:
    """Return the text around the first of the words in it, or its beginning; the work is bounded for any text."""
    text = unicodedata.normalize("NFC", text[:TEXT_CHARS])
    start = _place(text[: TEXT_CHARS // 100], words)
    start = _place(text, words) if start is None else start
    start = start or 0
    before, after = text[max(start - BEFORE, 0) : start], text[start : start + AFTER]
    if start > BEFORE:
        before = "…" + before.split(None, 1)[-1]
    if start + AFTER < len(text):
        after = after.rsplit(None, 1)[0] + "…"
    return before + after


def _place(text: str, words: str) -> int | None:
    """Return where the first of the words begins in the text, the last of which may be the beginning of a word."""
    text = _folded(text)
    known = re.findall(r"[^\W_]+", _folded(unicodedata.normalize("NFC", words)))
    # A word begins where no letter stands before it. Its own letters come first, which lets `re` skip to them.
    patterns = [rf"{word}(?<![^\W_]{word})(?![^\W_])" for word in known[:-1][:WORDS]]
    patterns += [rf"{word}(?<![^\W_]{word})" for word in known[-1:]]
    found = [place.start() for pattern in patterns if (place := re.search(pattern, text))]
    return min(found, default=None)


def _folded(text: str) -> str:
    """Return the text in lower case and without diacritics, as the index has it, with every character in its place."""
    if text.isascii():
        return text.lower()
    return text.translate({ord(char): unicodedata.normalize("NFD", char.lower())[0] for char in set(text)})
