"""Keeping secrets out of texts, whether they come whole or in pieces."""

from __future__ import annotations

import json
import re
import threading
from collections.abc import Callable
from typing import Any

from agentchat.protocol.events import encode, spellings

KEY, PASSWORD = "[key]", "[password]"  # what takes the place of a secret
PASSWORD_CHARS = 4  # a shorter password cannot be kept out of texts without breaking them


class Redaction:
    """The secrets of a session, to which passwords are added while its turns run."""

    def __init__(self, keys: Callable[[], frozenset[str]] = frozenset) -> None:
        """`keys` returns the keys of the models; it is called for each text, and must be fast."""
        self._keys = keys
        self._lock = threading.Lock()  # guards changes to what follows
        self._passwords: frozenset[str] = frozenset()
        with self._lock:
            self._learn(keys())

    def hide(self, password: str) -> None:
        """Redact a password from now on, unless it is too short."""
        if len(password) >= PASSWORD_CHARS:
            with self._lock:
                self._passwords |= {password}
                self._learn(self._known_keys)

    def redact(self, text: str) -> str:
        """Return a complete text with a mark in the place of each secret."""
        self._check_keys()
        return self._scan(text, len(text), is_complete=True)[0] if self._is_in(text) else text

    def redact_json(self, text: str) -> str:
        """Return JSON text with a mark in the place of each secret that its strings hold.

        Names and numbers stay, so that a password like `text` or `2000` breaks nothing, except in a tool's arguments,
        where a model can write anything.
        """
        self._check_keys()
        return encode(self._redacted(json.loads(text), is_argument=False)) if self._is_in(text) else text

    def split(self, text: str, end: int) -> tuple[str, str]:
        """Return what can be shown of a text that goes on, redacted, and the rest, which belongs before the next piece.

        The rest begins where the text may turn into a secret, at `end` at the latest.
        """
        self._check_keys()
        if self._start.search(text) is None:
            return text[:end], text[end:]
        return self._scan(text, end, is_complete=False)

    def _check_keys(self) -> None:
        keys = self._keys()
        if keys is not self._known_keys:
            with self._lock:
                self._learn(keys)

    def _learn(self, keys: frozenset[str]) -> None:
        """Requires the lock."""
        assert self._lock.locked()
        marks = {spelling: PASSWORD for password in self._passwords for spelling in spellings(password)}
        marks |= {spelling: KEY for key in keys for spelling in spellings(key)}
        self._marks = sorted(marks.items(), key=lambda mark: -len(mark[0]))  # of two that begin alike, the longer wins
        # Where a secret may begin, by its first two characters: it has to be fast, since most tokens match nowhere.
        starts = {f"{re.escape(spelling[:1])}(?={re.escape(spelling[1:2])}|\\Z)" for spelling in marks}
        self._start = re.compile("|".join(sorted(starts)) or "(?!)")
        self._known_keys = keys  # the last, as it tells other threads that the rest is up to date

    def _is_in(self, text: str) -> bool:
        return any(spelling in text for spelling, _ in self._marks)

    def _scan(self, text: str, end: int, is_complete: bool) -> tuple[str, str]:
        shown: list[str] = []
        place = 0
        for match in self._start.finditer(text):
            start = match.start()
            if start < place:
                continue
            if start >= end:
                break
            for spelling, mark in self._marks:
                if text.startswith(spelling, start):
                    shown += text[place:start], mark
                    place = start + len(spelling)
                    end = max(end, place)
                    break
                if not is_complete and len(text) - start < len(spelling) and spelling.startswith(text[start:]):
                    end = start
                    break
        shown.append(text[place:end])
        return "".join(shown), text[end:]

    def _redacted(self, value: Any, is_argument: bool) -> Any:
        if isinstance(value, str):
            return self.redact(value)
        if isinstance(value, list):
            return [self._redacted(item, is_argument) for item in value]
        if isinstance(value, dict):
            return {
                self.redact(name) if is_argument else name: self._redacted(item, is_argument or name == "arguments")
                for name, item in value.items()
            }
        return self.redact(str(value)) if is_argument and self._is_in(str(value)) else value
