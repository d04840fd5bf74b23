"""Unified diffs of two versions of a file."""

from __future__ import annotations

import io
import itertools
from collections.abc import Iterator, Mapping, Sequence
from difflib import Match, SequenceMatcher

MAX_LINES = 20_000  # in a file; comparing more takes too long
MAX_WORK = 3_000_000  # pairs of equal lines to look at, half a second; what is left then counts as replaced
CONTEXT = 3  # unchanged lines around each change


def difference(path: str, old: bytes | None, new: bytes | None) -> str:
    """Return the unified diff of two versions of a file, None where it does not exist.

    It is empty if either version is not text or has more than MAX_LINES.
    """
    before, after = text_of(old or b""), text_of(new or b"")
    if before is None or after is None or max(before.count("\n"), after.count("\n")) > MAX_LINES:
        return ""
    names = ("/dev/null" if old is None else f"a/{path}", "/dev/null" if new is None else f"b/{path}")
    lines = _unified(_lines(before), _lines(after), *names)
    return "".join(line if line.endswith("\n") else f"{line}\n\\ No newline at end of file\n" for line in lines)


class _Matcher(SequenceMatcher[str]):
    """Finds what two files have in common until that has cost MAX_WORK: with many repeated lines it takes minutes."""

    def __init__(self, before: Sequence[str], after: Sequence[str]) -> None:
        super().__init__(None, before, after)
        known: Mapping[str, Sequence[int]] = self.b2j  # type: ignore[attr-defined]  # documented, but not typed
        pairs = (1 + len(known.get(line, ())) for line in before)
        self._costs = list(itertools.accumulate(pairs, initial=0))
        self._work = 0

    def find_longest_match(self, alo: int = 0, ahi: int | None = None, blo: int = 0, bhi: int | None = None) -> Match:
        ahi = len(self._costs) - 1 if ahi is None else ahi
        if self._work > MAX_WORK:
            return Match(alo, blo, 0)
        self._work += self._costs[ahi] - self._costs[alo]
        return super().find_longest_match(alo, ahi, blo, bhi)


def _unified(before: Sequence[str], after: Sequence[str], old_name: str, new_name: str) -> Iterator[str]:
    """Yield the lines of the diff, as difflib.unified_diff does."""
    for number, group in enumerate(_Matcher(before, after).get_grouped_opcodes(CONTEXT)):
        if not number:
            yield from (f"--- {old_name}\n", f"+++ {new_name}\n")
        (_, a, _, b, _), (_, _, a_end, _, b_end) = group[0], group[-1]
        yield f"@@ -{_range(a, a_end)} +{_range(b, b_end)} @@\n"
        for kind, first, last, new_first, new_last in group:
            if kind == "equal":
                yield from (f" {line}" for line in before[first:last])
                continue
            yield from (f"-{line}" for line in before[first:last])
            yield from (f"+{line}" for line in after[new_first:new_last])


def _range(start: int, end: int) -> str:
    """Return lines as hunks name them: an empty range by the line before."""
    return f"{start + 1}" if end - start == 1 else f"{start + (end > start)},{end - start}"


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
