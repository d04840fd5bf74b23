"""Reads HTML as sections, one per heading."""

from __future__ import annotations

import re
from html.parser import HTMLParser

from agentchat.knowledge.decoding import decode
from agentchat.knowledge.document import Document, Section

DECLARED = re.compile(rb"<(?:meta|\?xml)[^>]*?(?:charset|encoding)\s*=\s*[\"']?\s*([\w.:-]+)", re.IGNORECASE)
DECLARED_WITHIN = 4096  # bytes
UNSEEN = frozenset({"script", "style", "template", "noscript", "svg", "iframe", "object", "nav"})
LEVELS = {f"h{level}": level for level in range(1, 7)}
BLOCKS = frozenset(
    ("address", "article", "aside", "blockquote", "body", "caption", "dd", "details", "div", "dl", "dt", "fieldset",
     "figcaption", "figure", "footer", "form", "header", "hr", "legend", "li", "main", "ol", "option", "p", "pre",
     "section", "summary", "table", "tbody", "tfoot", "thead", "tr", "ul")
)  # fmt: skip
KEPT_SPACE = "\xa0"
PARAGRAPHS = frozenset({"p", "pre", "blockquote", "table", "ul", "ol", "dl", "section", "article", "figure"})


def read(data: bytes) -> Document:
    """Return the text that a browser would show. The title falls back to the first heading."""
    match = DECLARED.search(data[:DECLARED_WITHIN])
    page = _Page()
    text = decode(data, match[1].decode("ascii") if match else "")
    page.feed(text[: text.rfind(">") + 1])  # the parser is slow on a tag that never ends
    page.handle_data(text[text.rfind(">") + 1 :])
    page.close()
    page.end_section()
    first = next((section.headings[0] for section in page.sections if section.headings), "")
    return Document(" ".join("".join(page.title).split()) or first, page.sections)


class _Page(HTMLParser):
    """Collects the visible text."""

    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.title: list[str] = []
        self.sections: list[Section] = []
        self._path: list[tuple[int, str]] = []
        self._text: list[str] = []
        self._heading: list[str] | None = None
        self._level = 0
        self._unseen: list[str] = []
        self._is_title = False
        self._preformatted = 0

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag in UNSEEN:
            self._unseen.append(tag)
        elif self._unseen:
            return
        elif tag == "title":
            self._is_title = True
        elif tag in LEVELS:
            self.end_section()
            self._heading, self._level = [], LEVELS[tag]
        elif tag == "br":
            self._add("\n")
        elif tag in {"td", "th"}:
            self._add(" | " if self._text and "".join(self._text[-2:]).strip(" ")[-1:] not in {"", "\n"} else "")
        elif tag == "img":
            self._add(dict(attrs).get("alt") or "")
        elif tag in BLOCKS:
            self._end_heading()  # one that was never closed
            self._break(tag)
            self._preformatted += tag == "pre"
            self._add("- " if tag == "li" else "")

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag not in UNSEEN:
            self.handle_starttag(tag, attrs)

    def handle_endtag(self, tag: str) -> None:
        if tag in self._unseen:
            while self._unseen.pop() != tag:
                continue
        elif self._unseen:
            return
        elif tag == "title":
            self._is_title = False
        elif tag in LEVELS:
            self._end_heading()
        elif tag in BLOCKS:
            self._preformatted -= tag == "pre" and self._preformatted > 0
            self._break(tag)

    def handle_data(self, data: str) -> None:
        if self._is_title:
            self.title.append(data)
        elif not self._unseen:
            self._add(data.replace(" ", KEPT_SPACE) if self._preformatted else re.sub(r"\s+", " ", data))

    def end_section(self) -> None:
        self._end_heading()
        text = re.sub(r" *\n *", "\n", "".join(self._text))
        text = re.sub(r"\n{3,}", "\n\n", text).strip("\n").replace(KEPT_SPACE, " ").rstrip()
        if text or self._path:
            self.sections.append(Section(tuple(heading for _, heading in self._path), text))
        self._text = []

    def _end_heading(self) -> None:
        if self._heading is None:
            return
        level = self._level
        heading = " ".join("".join(self._heading).split())
        self._heading = None
        if heading:
            self._path = [*(step for step in self._path if step[0] < level), (level, heading)]

    def _add(self, text: str) -> None:
        if text:
            (self._text if self._heading is None else self._heading).append(text)

    def _break(self, tag: str) -> None:
        self._add("\n\n" if tag in PARAGRAPHS else "\n")
