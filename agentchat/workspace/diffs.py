"""Two states of a file as a unified diff."""

from __future__ import annotations

import io
from difflib import unified_diff

MAX_LINES = 20_000  # of a file; more take too long to compare


def difference(path: str, old: bytes | None, new: bytes | None) -> str:
    """The unified diff of two states of a file, None for none; empty for what is not text or has too many lines."""
    before, after = text_of(old or b""), text_of(new or b"")
    if before is None or after is None or max(before.count("\n"), after.count("\n")) > MAX_LINES:
        return ""
    names = ("/dev/null" if old is None else f"a/{path}", "/dev/null" if new is None else f"b/{path}")
    lines = unified_diff(_lines(before), _lines(after), *names)
    return "".join(line if line.endswith("\n") else f"{line}\n\\ No newline at end of file\n" for line in lines)


def _lines(text: str) -> list[str]:
    """Each with its newline; Python's own splitlines knows other ends as well."""
    return io.StringIO(text, newline="\n").readlines()


def text_of(content: bytes) -> str | None:
    """As text, None if it is none."""
    try:
        text = content.decode()
    except UnicodeDecodeError:
        return None
    return None if "\0" in text else text
