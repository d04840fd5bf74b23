"""What a document says: sections of text under headings."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Section:
    """Text under one heading, or on one page."""

    headings: tuple[str, ...]
    text: str
    line: int = 0
    """Where the text begins; 0 where lines mean nothing."""
    page: int = 0


@dataclass(frozen=True)
class Document:
    title: str
    sections: list[Section]


class Unreadable(Exception):
    """A document that cannot be read, and why."""
