"""What a search finds."""

from __future__ import annotations

from dataclasses import dataclass
from urllib.parse import quote

from agentchat.knowledge.chunking import Chunk
from agentchat.knowledge.index import Source

ADDRESS = "/api/agent-chat/knowledge"  # where the server shows the documents


@dataclass(frozen=True)
class Passage:
    """What was found: a piece of a document."""

    source: str
    title: str
    headings: tuple[str, ...]
    """Under which the text stands, the outermost first."""
    text: str
    score: float
    """The more the better; only good for comparing."""
    place: str
    """Where in the document, such as `line 12` or `page 3`; empty where there is nothing to count."""
    link: str


class Passages(list[Passage]):
    """What was found, the best first."""

    note: str = ""
    """What a reader should know about this search, else empty."""


def address(source_id: str) -> str:
    """Where the server shows the document."""
    return f"{ADDRESS}/{quote(source_id, safe='')}"


def passage(source: Source, chunk: Chunk, score: float) -> Passage:
    place = f"page {chunk.page}" if chunk.page else f"line {chunk.line}" if chunk.line else ""
    link = address(source.id) + (f"#page={chunk.page}" if chunk.page else "")
    return Passage(source.id, source.title, chunk.headings, chunk.text, score, place, link)
