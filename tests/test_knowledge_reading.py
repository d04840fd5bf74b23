"""Reading documents of all types and encodings, and splitting them into chunks."""

from __future__ import annotations

from io import BytesIO

import pytest
from pypdf import PdfReader, PdfWriter

from agentchat.knowledge.chunking import MAX_CHARS, Chunk, chunks
from agentchat.knowledge.decoding import decode
from agentchat.knowledge.document import Document, Section, Unreadable
from agentchat.knowledge.reading import HTML, MARKDOWN, PDF, TEXT, read, type_of
from tests.pdf_files import pdf


@pytest.mark.parametrize(
    ("text", "encoding"),
    [
        ("Größe und Straße, überall.", "utf-8"),
        ("Größe und Straße, überall.", "utf-8-sig"),
        ("Größe und Straße, überall.", "utf-16"),
        ("Größe und Straße, überall.", "utf-32"),
        ("Plain words without a mark in two bytes each", "utf-16-le"),
        ("Plain words without a mark in two bytes each", "utf-16-be"),
        ("Die Größe der Straße über den Fluß beträgt fünf Meter.", "cp1252"),
        ("Le café est fermé à midi, où êtes-vous allé ?", "cp1252"),
        ("“Quoted” – and a price of 5 €", "cp1252"),
        ("Сервер запускается командой и слушает порт.", "cp1251"),
        ("Сервер запускается командой и слушает порт.", "koi8-r"),
        ("サーバーは起動時に設定を読み込みます。ポート番号を変更できます。", "shift_jis"),
        ("服务器启动时读取配置文件，可以更改端口号。", "gb18030"),
        ("Ο διακομιστής ξεκινά με την εντολή.", "cp1253"),
    ],
)
def test_encodings(text: str, encoding: str) -> None:
    """Encodings are recognized by a byte order mark, by trial, or by guessing."""
    assert decode(text.encode(encoding)) == text


def test_a_truncated_text() -> None:
    """One invalid byte doesn't spoil the rest of a text."""
    assert "Anfang" in decode("Anfang und Größe".encode()[:-3])


@pytest.mark.parametrize("data", [bytes(range(256)) * 20, b"\x7fELF" + b"\x00\x01\x02\x03" * 100])
def test_binary_data(data: bytes) -> None:
    """Binary data is refused."""
    with pytest.raises(Unreadable, match="it is not text"):
        decode(data)


@pytest.mark.parametrize(
    ("name", "type"),
    [("a.md", MARKDOWN), ("A.MD", MARKDOWN), ("a.b.html", HTML), ("x.PDF", PDF), ("n.txt", TEXT), ("md", None)],
)  # fmt: skip
def test_types_follow_the_extension(name: str, type: str | None) -> None:
    """The extension decides the type, in upper or lower case."""
    assert type_of(name) == type


PAGE = """---
title: "The manual"
---
Intro.

# One #

Text *of* one.

```sh
# no heading
```

## `Two` and [a link](x.md)
- item

Three
=====
Text of three.

| a | b |
|---|---|
| 1 | 2 |
---
#no heading
"""


def test_markdown_is_split_at_its_headings() -> None:
    """Markdown is split at both kinds of headings, but not inside code; chunks keep their heading path and line."""
    document = read(MARKDOWN, PAGE.encode(), "x.md")

    assert document.title == "The manual"
    assert [(s.headings, s.line) for s in document.sections if s.text.strip()] == [
        ((), 4),
        (("One",), 7),
        (("One", "Two and a link"), 15),
        (("Three",), 19),
    ]
    assert "# no heading" in document.sections[1].text
    assert document.sections[-1].text.strip().endswith("#no heading")


@pytest.mark.parametrize(
    "text", ["", "#", "# ", "---\n---\n", "---", "```\n# never closed", "===\n---\n", "\n" * 1000, "#" * 99]
)
def test_odd_markdown(text: str) -> None:
    """Odd Markdown is read without an error."""
    document = read(MARKDOWN, text.encode(), "name.md")

    assert document.title == "name.md"


def test_html_is_reduced_to_visible_text() -> None:
    """HTML is reduced to visible text without menus; tables, lists, entities and code keep their look."""
    page = """<!DOCTYPE html><html><head><title>The &quot;page&quot;</title><style>p {}</style></head><body>
    <nav>Menu</nav><!-- hidden --><h1>First</h1><p>One<br>two &amp; three<script>var x = "</p>";</script>
    <ul><li>a<li>b</ul><h2>Second <em>part</em></h2><table><tr><th>k<th>v<tr><td>1<td>2</table>
    <pre>x = 1
      y</pre><h1>Third</h1><p>End <img alt="a picture" src=x>"""
    document = read(HTML, page.encode(), "x.html")

    assert document.title == 'The "page"'
    assert [section.headings for section in document.sections] == [("First",), ("First", "Second part"), ("Third",)]
    texts = [section.text for section in document.sections]
    assert texts[0] == "One\ntwo & three\n\n- a\n- b"
    assert texts[1].startswith("k | v\n1 | 2")
    assert "x = 1\n      y" in texts[1]
    assert texts[2] == "End a picture"


@pytest.mark.parametrize(
    "page",
    ["words", "<p>words", "<p words", "</p></div>words", "<div><b>words</i>", "words<", "words<!--", "<h1>words",
     "<li>words<p", "<svg><g></svg>words", "</svg>words", "<pre>words", "&#xZZ;words", "<a href='>words"],
)  # fmt: skip
def test_broken_html(page: str) -> None:
    """Text in broken HTML is still found."""
    document = read(HTML, page.encode(), "x.html")

    assert "words" in str(document)


def test_html_names_its_encoding() -> None:
    """HTML can name its encoding in its head."""
    page = '<meta charset="iso-8859-5"><p>Сервер запускается.'

    assert "Сервер" in read(HTML, page.encode("iso-8859-5"), "x").sections[0].text


def test_pdf_has_its_pages() -> None:
    """A PDF has its pages and title, and words hyphenated at line ends are joined."""
    document = read(PDF, pdf(["First page.", "", "Second (page) with Größe and a divi-\nded word."], "Manual"), "x.pdf")

    assert document.title == "Manual"
    assert [(s.page, s.text) for s in document.sections] == [
        (1, "First page."),
        (3, "Second (page) with Größe and a divided word."),
    ]
    assert read(PDF, pdf(["Text"]), "x.pdf").title == "x.pdf"


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"", "it is broken, or not a PDF"),
        (b"%PDF-1.7", "it is broken, or not a PDF"),
        (b"hello", "it is broken, or not a PDF"),
        (pdf([""]), "it has no text"),
    ],
)
def test_pdf_that_cannot_be_read(data: bytes, reason: str) -> None:
    """An unreadable PDF is refused with the reason."""
    with pytest.raises(Unreadable, match=reason):
        read(PDF, data, "x.pdf")


def test_pdf_with_a_password() -> None:
    """A PDF with a password can't be read."""
    writer = PdfWriter(clone_from=PdfReader(BytesIO(pdf(["Secret"]))))
    writer.encrypt("swordfish", algorithm="RC4-128")
    locked = BytesIO()
    writer.write(locked)

    with pytest.raises(Unreadable, match="protected by a password"):
        read(PDF, locked.getvalue(), "x.pdf")


def split(text: str, limit: int = MAX_CHARS) -> list[Chunk]:
    return list(chunks(Document("", [Section((), text, line=1)]), limit))


def test_a_heading_without_text_is_a_passage() -> None:
    """A heading without text is a passage unless it has subheadings, whose chunks name it."""
    found = list(chunks(read(MARKDOWN, b"# Rules\n## No smoking\n## Quiet\nHush.\n", "x.md")))

    assert [(chunk.headings, chunk.text) for chunk in found] == [
        (("Rules", "No smoking"), "No smoking"),
        (("Rules", "Quiet"), "Hush."),
    ]


def test_short_paragraphs_stay_together() -> None:
    """Short paragraphs are combined as long as they fit into a chunk."""
    assert [(chunk.text, chunk.line) for chunk in split("one\n\ntwo\n\n\nthree three", 10)] == [
        ("one\n\ntwo", 1),
        ("three", 6),
        ("three", 6),
    ]


def test_nothing_is_lost_and_nothing_is_too_long() -> None:
    """No text is lost and no chunk too long, with paragraphs, lines, sentences and words or without any break."""
    text = "\n\n".join([f"Sentence {n} is here. " * (n % 40) for n in range(200)] + ["x" * 5000, "字" * 3000 + "。"])
    pieces = [chunk.text for chunk in split(text)]

    assert "".join("".join(pieces).split()) == "".join(text.split())
    assert max(map(len, pieces)) <= MAX_CHARS


def test_code_stays_whole_with_its_empty_lines() -> None:
    """Code that fits into a chunk stays whole, with its empty lines."""
    code = "```python\na = 1\n\nb = 2\n```"

    assert [chunk.text for chunk in split(f"{'before ' * 8}\n\n{code}\n\nafter", 60)][1] == f"{code}\n\nafter"


def test_a_long_table_repeats_its_head() -> None:
    """A long table repeats its head in every chunk, which has the line of its first row."""
    head, rows = "| name | meaning |\n|---|---|", [f"| row {n} | means {n} |" for n in range(30)]
    pieces = split("\n".join([head, *rows]), 200)

    assert len(pieces) > 3
    assert all(piece.text.startswith(head) and len(piece.text) <= 200 for piece in pieces)
    assert sum(piece.text.count("| row") for piece in pieces) == 30
    assert pieces[1].line == 3 + pieces[0].text.count("| row")
