"""A document as sections of text under headings."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Section:
    """Text under one heading, or on one page."""

    headings: tuple[str, ...]
    """The path of headings to this section, outermost first."""
    text: str
    line: int = 0
    """The line on which the text begins; 0 for formats without lines."""
    page: int = 0


@dataclass(frozen=True)
class Document:
    title: str
    sections: list[Section]


class Unreadable(Exception):
    """A document that cannot be read; the message says why."""
