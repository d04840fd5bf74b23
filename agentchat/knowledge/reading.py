"""Reads documents of every supported type."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import PurePath

from agentchat.knowledge.decoding import decode
from agentchat.knowledge.document import Document, Section
from agentchat.knowledge.html import read as read_html
from agentchat.knowledge.markdown import read as read_markdown
from agentchat.knowledge.pdf import read as read_pdf

MARKDOWN, TEXT, HTML, PDF = "markdown", "text", "html", "pdf"
TYPES = {
    ".md": MARKDOWN,
    ".markdown": MARKDOWN,
    ".mdown": MARKDOWN,
    ".txt": TEXT,
    ".text": TEXT,
    ".rst": TEXT,
    ".html": HTML,
    ".htm": HTML,
    ".xhtml": HTML,
    ".pdf": PDF,
}


def type_of(name: str) -> str | None:
    """Return the type of a document by its file name's extension; None if it is not a document."""
    return TYPES.get(PurePath(name).suffix.lower())


def read(type: str, data: bytes, name: str) -> Document:
    """Parse a document. `name` becomes the title if it has none. Raises Unreadable."""
    document = READERS[type](data)
    return Document(" ".join(document.title.split()) or name, document.sections)


def _read_text(data: bytes) -> Document:
    return Document("", [Section((), decode(data), line=1)])


READERS: dict[str, Callable[[bytes], Document]] = {
    MARKDOWN: read_markdown,
    TEXT: _read_text,
    HTML: read_html,
    PDF: read_pdf,
}
