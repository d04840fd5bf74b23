"""Published examples of Markdown (tests/markdown/), and HTML as the structure that two renderers have in common."""

from __future__ import annotations

import json
import re
from html.parser import HTMLParser
from pathlib import Path
from typing import Any, NamedTuple

FOLDER = Path(__file__).with_name("markdown")
OURS = {"class", "data-language", "rel"}  # attributes of which no specification speaks
_MARKDOWN = "a|blockquote|br|code|em|h[1-6]|hr|img|li|ol|p|pre|strong|ul"


class Example(NamedTuple):
    number: int
    section: str
    markdown: str
    html: str

    @property
    def has_html(self) -> bool:
        """True if its Markdown has HTML in it, which we show as it was written."""
        is_ours = re.search(rf"<(?!/?({_MARKDOWN})\b)[a-z!?/]", self.html) is None
        return "HTML" in self.section or not is_ours or re.search(r"<(a|img) ", self.markdown) is not None


def structure(html: str) -> list[Any]:
    """Return elements, their attributes and their text; without the spans that only give colours."""
    parser = _Structure()
    parser.feed(html)
    parser.close()
    texts = [" ".join(part.split()) if isinstance(part, str) else part for part in parser.parts]
    return [part for part in texts if part]


def is_ours(name: str, value: str | None) -> bool:
    return name in OURS and not (value or "").startswith("language-")


class _Structure(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.parts: list[Any] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag != "span":
            self.parts.append((tag, sorted((name, value or "") for name, value in attrs if not is_ours(name, value))))

    def handle_endtag(self, tag: str) -> None:
        if tag not in {"span", "br", "hr", "img", "input"}:
            self.parts.append(("/" + tag, []))

    def handle_data(self, data: str) -> None:
        if self.parts and isinstance(self.parts[-1], str):
            self.parts[-1] += data
        else:
            self.parts.append(data)


def published(name: str) -> list[Example]:
    """The examples of a specification."""
    rows = json.loads((FOLDER / f"{name}.json").read_text("utf-8"))
    return [Example(row["example"], row["section"], row["markdown"], row["html"]) for row in rows]
