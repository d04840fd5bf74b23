"""Unified diffs of two versions of a file."""

from __future__ import annotations

import io
from difflib import unified_diff

MAX_LINES = 20_000  # in a file; comparing more takes too long


def difference(path: str, old: bytes | None, new: bytes | None) -> str:
    """Return the unified diff of two versions of a file, None where it does not exist.

    It is empty if either version is not text or has more than MAX_LINES.
    """
    before, after = text_of(old or b""), text_of(new or b"")
    if before is None or after is None or max(before.count("\n"), after.count("\n")) > MAX_LINES:
        return ""
    names = ("/dev/null" if old is None else f"a/{path}", "/dev/null" if new is None else f"b/{path}")
    lines = unified_diff(_lines(before), _lines(after), *names)
    return "".join(line if line.endswith("\n") else f"{line}\n\\ No newline at end of file\n" for line in lines)


def _lines(text: str) -> list[str]:
    """Split at newlines only, and keep them; str.splitlines also splits at other characters."""
    return io.StringIO(text, newline="\n").readlines()


def text_of(content: bytes) -> str | None:
    """Decode UTF-8; return None if the content is not text."""
    try:
        text = content.decode()
    except UnicodeDecodeError:
        return None
    return None if "\0" in text else text
