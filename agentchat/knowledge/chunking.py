"""Sections cut into passages: pieces of one meaning, small enough to be quoted."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator
from dataclasses import dataclass

from agentchat.knowledge.document import Document, Section

MAX_CHARS = 1200
HEADING_STEP = " › "
FENCE = re.compile(r" {0,3}(?:```|~~~)")
GAP = re.compile(r"\s|(?<=[。！？])")
SENTENCE_ENDS = frozenset(".!?。！？")
TABLE_RULE = re.compile(r"\s*\|?[\s:|-]*-[\s:|-]*")


@dataclass(frozen=True)
class Chunk:
    """A passage of a document."""

    headings: tuple[str, ...]
    text: str
    line: int
    """Where it begins; 0 where lines mean nothing."""
    page: int

    @property
    def whole(self) -> str:
        return "\n\n".join(part for part in (HEADING_STEP.join(self.headings), self.text) if part)

    @property
    def hash(self) -> str:
        return hashlib.blake2b(self.whole.encode(errors="replace"), digest_size=16).hexdigest()


def chunks(document: Document, limit: int = MAX_CHARS) -> Iterator[Chunk]:
    following = [*(section.headings for section in document.sections[1:]), ()]
    for section, following_headings in zip(document.sections, following, strict=True):
        for line, text in _packed(section, limit):
            number = section.line + line if section.line else 0
            yield Chunk(section.headings, text, number, section.page)
        depth = len(section.headings)
        if depth and not section.text.strip() and following_headings[:depth] != section.headings:
            yield Chunk(section.headings, section.headings[-1], section.line, section.page)  # all that there is


def _packed(section: Section, limit: int) -> Iterator[tuple[int, str]]:
    """Paragraphs that follow each other, together as long as they fit; each with the line at which it begins."""
    start, packed = 0, ""
    for line, block in _blocks(section.text):
        for offset, piece in _pieces(block, limit):
            if packed and len(packed) + len(piece) + 2 > limit:
                yield start, packed
                packed = ""
            if not packed:
                start = line + offset
            packed += ("\n\n" if packed else "") + piece
    if packed:
        yield start, packed


def _blocks(text: str) -> Iterator[tuple[int, str]]:
    """Paragraphs, and code with its empty lines."""
    block: list[str] = []
    is_code = False
    for number, line in enumerate([*text.split("\n"), ""]):
        if FENCE.match(line):
            is_code = not is_code
        if line.strip() or (is_code and block):
            block.append(line.rstrip())
        elif block:
            yield number - len(block), "\n".join(block)
            block = []
    if block:
        yield number + 1 - len(block), "\n".join(block).rstrip()


def _pieces(block: str, limit: int) -> Iterator[tuple[int, str]]:
    """A block that is too long, cut between its lines; each piece of a table with the table's head."""
    if len(block) <= limit:
        yield 0, block
        return
    lines = block.split("\n")
    is_table = len(lines) > 2 and "|" in lines[0] and TABLE_RULE.fullmatch(lines[1])
    head = "\n".join(lines[:2]) + "\n" if is_table and len(lines[0]) < limit // 4 else ""
    start, piece = 0, ""
    for number, line in enumerate(lines):
        for part in _parts(line, limit - len(head)):
            if piece and len(piece) + len(part) + 1 > limit:
                yield start, piece
                piece = head
                start = number
            piece += ("\n" if piece and not piece.endswith("\n") else "") + part
    yield start, piece


def _parts(line: str, limit: int) -> Iterator[str]:
    """A line that is too long, cut behind a sentence or at least between words."""
    start = 0
    while len(line) - start > limit:
        end = start + limit
        gaps = [match.end() for match in GAP.finditer(line, start + limit // 2, end)]
        sentences = [gap for gap in gaps if line[gap - 2 : gap].strip()[-1:] in SENTENCE_ENDS]
        end = (sentences or gaps or [end])[-1]
        yield line[start:end].strip()
        start = end
    yield line[start:].strip() if start else line
