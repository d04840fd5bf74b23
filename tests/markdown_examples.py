"""Published examples of Markdown, and HTML as the structure that two renderers have in common."""

from __future__ import annotations

import json
import re
import sys
import tarfile
from html.parser import HTMLParser
from pathlib import Path
from typing import Any, NamedTuple

import pytest

FENCE = "`" * 32  # around the examples in a specification
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


def commonmark() -> list[Example]:
    """The examples of the CommonMark specification 0.31.2, by John MacFarlane (CC BY-SA 4.0)."""
    rows = json.loads(_member("markdown_it_py-*.tar.gz", "tests/test_cmark_spec/commonmark.json"))
    return [Example(row["example"], row["section"], row["markdown"], row["html"]) for row in rows]


def gfm() -> list[Example]:
    """The examples of the extensions in GitHub Flavored Markdown 0.29 (CC BY-SA 4.0), but for that of raw HTML."""
    specification = _member("marko-*.tar.gz", "tests/spec/gfm.txt")
    examples, section = [], ""
    for place, part in enumerate(re.split(rf"^{FENCE}.*\n", specification, flags=re.MULTILINE)):
        if place % 2 == 0:
            section = ([section, *re.findall(r"^#+ (.*)$", part, re.MULTILINE)])[-1]
        elif section.endswith("(extension)") and "Raw HTML" not in section:
            markdown, html = re.split(r"^\.\n", part.replace("\u2192", "\t"), maxsplit=1, flags=re.MULTILINE)
            examples.append(Example(place // 2 + 1, section, markdown, html))
    return examples


def _member(archive: str, name: str) -> str:
    """Read a file of a source distribution, which `make` keeps beside the tests' packages."""
    found = sorted(Path(sys.prefix, "sources").glob(archive))
    if not found:
        pytest.fail(f"There is no {archive} in {Path(sys.prefix, 'sources')}: set the tests up with make")
    with tarfile.open(found[-1]) as files:
        member = files.extractfile(f"{found[-1].name.removesuffix('.tar.gz')}/{name}")
        assert member is not None
        return member.read().decode()
