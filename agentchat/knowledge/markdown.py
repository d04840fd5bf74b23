"""Reads Markdown as sections, one per heading."""

from __future__ import annotations

import re
from collections.abc import Iterator

from agentchat.knowledge.decoding import decode
from agentchat.knowledge.document import Document, Section

HEADING = re.compile(r" {0,3}(#{1,6})(?:[ \t]+(.*?))??(?:[ \t]+#+)?[ \t]*")
UNDERLINE = re.compile(r" {0,3}(=+|-+)[ \t]*")
FENCE = re.compile(r" {0,3}(`{3,}|~{3,})")
FRONT_MATTER = re.compile(r"\A---[ \t]*\n(.*?\n)?(?:---|\.\.\.)[ \t]*(?:\n|\Z)", re.DOTALL)
TITLE = re.compile(r"(?mi)^title:[ \t]*(.+?)[ \t]*$")
MARKUP = re.compile(r"\[([^\]]*)\]\([^)]*\)|[*`]|<[^>]{1,200}>|(?<!\w)_|_(?!\w)")


def read(data: bytes) -> Document:
    """Return the sections. The title is the front matter's, or else the first heading."""
    text = decode(data)
    front = FRONT_MATTER.match(text)
    title = TITLE.search(front[1] or "") if front else None
    skipped = front[0].count("\n") if front else 0
    sections = list(_sections(text.split("\n"), skipped))
    first = next((section.headings[0] for section in sections if section.headings), "")
    return Document(title[1].strip("\"'") if title else first, sections)


def _sections(lines: list[str], start: int) -> Iterator[Section]:
    path: list[tuple[int, str]] = []
    body: list[str] = []
    first = start + 1
    fence = ""

    def section() -> Section:
        return Section(tuple(heading for _, heading in path if heading), "\n".join(body), first)

    for number, line in enumerate(lines[start:], start + 1):
        mark = FENCE.match(line)
        if mark and not fence:
            fence = mark[1]
        elif mark and mark[1].startswith(fence) and not line.strip(" \t`~"):
            fence = ""
        heading = None if fence or mark else _heading(line, body)
        if heading is None:
            body.append(line)
            continue
        level, text, is_underlined = heading
        if is_underlined:
            body.pop()
        yield section()
        path = [*(step for step in path if step[0] < level), (level, text)]
        body, first = [], number + 1
    yield section()


def _heading(line: str, before: list[str]) -> tuple[int, str, bool] | None:
    """Return a heading's level, its text, and True if the text is the line before (underlined headings)."""
    if match := HEADING.fullmatch(line):
        return len(match[1]), plain(match[2] or ""), False
    above = before[-1] if before else ""
    has_text = re.search(r"\w", above) and not above.startswith(("    ", "|", ">", "-", "*", "#"))
    is_paragraph = len(before) > 1 and before[-2].strip()
    if has_text and not is_paragraph and (match := UNDERLINE.fullmatch(line)):
        return 1 if match[1][0] == "=" else 2, plain(above), True
    return None


def plain(markdown: str) -> str:
    """Return the text of some Markdown, without markup and link targets."""
    return MARKUP.sub(lambda match: match[1] or "", markdown).strip()
