"""Reads PDF as sections, one per page."""

from __future__ import annotations

import io
import logging
import re
from typing import TYPE_CHECKING

from agentchat.knowledge.document import Document, Section, Unreadable

if TYPE_CHECKING:
    from pypdf import PdfReader

MAX_CHARS = 20_000_000  # of text; a small file can expand to any size
HYPHENATED = re.compile(r"(?<=[^\W\d_])-\n(?=[^\W\d_A-Z])")

logging.getLogger("pypdf").setLevel(logging.ERROR)  # it warns about nearly every file


def read(data: bytes) -> Document:
    """Return the text of each page. Raises Unreadable, also for a scan."""
    try:
        document = _read(data)
    except Unreadable:
        raise
    except Exception as error:
        raise Unreadable(f"it is broken, or not a PDF ({type(error).__name__}: {error})") from error
    if not document.sections:
        raise Unreadable("it has no text; the pages of a scan are pictures")
    return document


def _read(data: bytes) -> Document:
    from pypdf import PdfReader  # takes long to load, and many servers read no PDF

    reader = PdfReader(io.BytesIO(data))
    if reader.is_encrypted and not reader.decrypt(""):
        raise Unreadable("it is protected by a password")
    return Document(_title(reader), _pages(reader))


def _title(reader: PdfReader) -> str:
    title = reader.metadata.title if reader.metadata else None
    return title if isinstance(title, str) else ""


def _pages(reader: PdfReader) -> list[Section]:
    sections = []
    length = 0
    for number, page in enumerate(reader.pages, 1):
        text = HYPHENATED.sub("", page.extract_text()).strip()
        length += len(text)
        if length > MAX_CHARS:
            raise Unreadable(f"it has more than {MAX_CHARS:,} characters")
        if text:
            sections.append(Section((), text, page=number))
    return sections
