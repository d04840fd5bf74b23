"""The pieces that a rendered text comes in."""

from __future__ import annotations

from typing import NamedTuple


class Block(NamedTuple):
    """A top-level block of a text: a paragraph, a list, a table."""

    html: str
    lines: int
    """Number of the text's lines up to the end of this block."""
