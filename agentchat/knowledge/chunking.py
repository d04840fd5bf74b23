"""Splits sections into chunks that are small enough to quote, at paragraphs where possible."""

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
    """A piece of a document."""

    headings: tuple[str, ...]
    text: str
    line: int
    """The line on which it begins; 0 for formats without lines."""
    page: int

    @property
    def whole(self) -> str:
        """The text with its headings, for embedding."""
        return "\n\n".join(part for part in (HEADING_STEP.join(self.headings), self.text) if part)

    @property
    def hash(self) -> str:
        return hashlib.blake2b(self.whole.encode(errors="replace"), digest_size=16).hexdigest()


def chunks(document: Document, limit: int = MAX_CHARS) -> Iterator[Chunk]:
    """Split a document into chunks of at most `limit` characters.

    A heading without text or subheadings is a chunk of its own.
    """
    following = [*(section.headings for section in document.sections[1:]), ()]
    for section, following_headings in zip(document.sections, following, strict=True):
        for line, text in _packed(section, limit):
            number = section.line + line if section.line else 0
            yield Chunk(section.headings, text, number, section.page)
        depth = len(section.headings)
        if depth and not section.text.strip() and following_headings[:depth] != section.headings:
            yield Chunk(section.headings, section.headings[-1], section.line, section.page)


def _packed(section: Section, limit: int) -> Iterator[tuple[int, str]]:
    """Yield as many consecutive paragraphs as fit together, with the line on which they begin."""
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
    """Yield paragraphs with their lines; fenced code is one paragraph, empty lines included."""
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
    """Split a block that is too long between its lines; every piece of a table repeats the table's head."""
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
    """Split a line that is too long after a sentence, or else between words."""
    start = 0
    while len(line) - start > limit:
        end = start + limit
        gaps = [match.end() for match in GAP.finditer(line, start + limit // 2, end)]
        sentences = [gap for gap in gaps if line[gap - 2 : gap].strip()[-1:] in SENTENCE_ENDS]
        end = (sentences or gaps or [end])[-1]
        yield line[start:end].strip()
        start = end
    yield line[start:].strip() if start else line
