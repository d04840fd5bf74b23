"""Passages that a search finds, and the Markdown that cites them."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from urllib.parse import quote

from agentchat.knowledge.chunking import HEADING_STEP, Chunk
from agentchat.knowledge.index import Source

ADDRESS = "/api/agent-chat/knowledge"  # where the server shows the documents
LINK = re.compile(r"!?\[([^\]\n]*)\]\((?!https?://)[^)\n]*\)")


@dataclass(frozen=True)
class Passage:
    """A piece of a document."""

    source: str
    """The id of the document."""
    title: str
    headings: tuple[str, ...]
    """The headings that the text stands under, outermost first."""
    text: str
    score: float
    """Higher is better; comparable within one search only."""
    place: str
    """Position in the document, such as `line 12` or `page 3`; empty if unknown."""
    link: str


class Passages(list[Passage]):
    """The result of a search, best passage first."""

    note: str = ""
    """A sentence that the reader should know about this search, or an empty string."""


def address(source_id: str) -> str:
    """Return the path at which the server shows a document."""
    return f"{ADDRESS}/{quote(source_id, safe='')}"


def passage(source: Source, chunk: Chunk, score: float) -> Passage:
    """Return a chunk of a document as a passage."""
    place = f"page {chunk.page}" if chunk.page else f"line {chunk.line}" if chunk.line else ""
    link = address(source.id) + (f"#page={chunk.page}" if chunk.page else "")
    return Passage(source.id, source.title, chunk.headings, chunk.text, score, place, link)


def cited(passages: Iterable[Passage]) -> str:
    """Format passages as Markdown that a model can cite: numbered quotes, each with a link to its document."""
    return "\n\n".join(_citation(number, passage) for number, passage in enumerate(passages, 1))


def _citation(number: int, passage: Passage) -> str:
    steps = dict.fromkeys([passage.title, *passage.headings])
    name = HEADING_STEP.join(steps).replace("[", "(").replace("]", ")")
    place = f", {passage.place}" if passage.place else ""
    text = LINK.sub(lambda match: match[1], passage.text)  # relative links only work inside the document
    quoted = "\n".join(f"> {line}".rstrip() for line in text.split("\n"))
    source = " ".join(passage.source.replace("`", "'").split())
    return f"**{number}.** [{name}]({passage.link}) (`{source}`{place})\n\n{quoted}"
