"""Files are read beside the conversation: each kind as what it is, with its versions and what differs."""

from __future__ import annotations

import json
import re
import struct
import zlib
from collections.abc import Callable
from functools import partial

import pytest
from playwright.sync_api import Locator, Page, expect

from agentchat.app import Running
from tests.pdf_files import pdf
from tests.rest_client import Conversation

pytest_plugins = ["tests.browser"]

FRAMES = "[...document.querySelectorAll('.reader iframe')].map((frame) => frame.getAttribute('sandbox'))"


def put(session: Conversation, path: str, content: str | bytes, name: str = "Ann") -> None:
    data = content.encode() if isinstance(content, str) else content
    answer = session.client.ask("PUT", f"{session.path}/files/{path}?name={name}", data)
    assert answer.status in {200, 201}


def png() -> bytes:
    """Return an image of one red pixel."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    head = struct.pack(">IIBBBBB", 1, 1, 8, 2, 0, 0, 0)
    pixels = zlib.compress(b"\0\xff\0\0")
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", pixels) + chunk(b"IEND", b"")


@pytest.fixture
def see(page: Page, server: Running, session: Conversation) -> Page:
    """Open the conversation on the page."""
    page.goto(f"{server.page}?session={session.id}")
    return page


def reader(page: Page) -> Locator:
    return page.locator("aside.reader")


def row(page: Page, path: str) -> Locator:
    return page.locator(f'.file-list a[data-file="{path}"]')


def read(page: Page, path: str) -> Locator:
    """Open a file by its row in the panel, and return its content."""
    row(page, path).click()
    expect(page.get_by_role("heading", name=path, exact=True)).to_be_focused()
    return reader(page).locator(".reader-body")


def test_by_keys(see: Page, session: Conversation) -> None:
    """A file is opened, compared with its version before, and closed with the keyboard; the focus comes back."""
    put(session, "notes.md", "# June\n\nold words")
    put(session, "notes.md", "# June\n\n**new** words", "Bob")
    row(see, "notes.md").press("Enter")
    expect(see.get_by_role("complementary", name="notes.md")).to_be_visible()
    expect(see.get_by_role("heading", name="notes.md")).to_be_focused()
    expect(reader(see).locator(".prose strong")).to_have_text("new")
    expect(reader(see).locator(".reader-about")).to_contain_text("Bob")

    versions, forms = reader(see).get_by_label("Version"), reader(see).get_by_label("Show as")
    expect(versions.locator("option")).to_have_count(2)
    forms.select_option(label="Changes to the version before")
    expect(reader(see).locator('.diff-line[data-kind="removed"] .diff-text')).to_have_text("old words\n")
    expect(reader(see).locator('.diff-line[data-kind="added"] .diff-text')).to_have_text("**new** words\n")

    versions.select_option(index=1)
    expect(reader(see).locator(".prose")).to_contain_text("old words")
    forms.select_option(label="Differences from now")
    expect(reader(see).locator('.diff-line[data-kind="added"] .diff-text')).to_have_text("**new** words\n")
    forms.select_option(label="Source")
    versions.select_option(index=0)
    expect(forms.locator("option:checked")).to_have_text("Source")  # also of the other version
    forms.press("Escape")  # leaves the field
    see.keyboard.press("Escape")
    expect(reader(see)).to_be_hidden()
    expect(row(see, "notes.md")).to_be_focused()


def test_kinds(see: Page, session: Conversation) -> None:
    """Each kind of file is shown as what it is; what cannot be shown can be downloaded."""
    files: dict[str, str | bytes] = {
        "a.py": "def f():\n    return 1\n",
        "b.csv": "city,degrees\nOslo,3\nRome,20\n",
        "c.json": json.dumps({"city": "Oslo"}),
        "d.png": png(),
        "e.html": "<h1>Page</h1><script>document.body.textContent = 'ran'</script>",
        "f.pdf": pdf(["Words"]),
        "g.bin": b"\0\1",
        "LICENSE": "Free",
        "empty.txt": "",
    }
    for path, content in files.items():
        put(session, path, content)

    body = read(see, "a.py")
    expect(body.locator(".reader-source .k")).to_have_text(["def", "return"])
    expect(body.locator(".reader-numbers")).to_have_text("1\n2")
    see.keyboard.press("Escape")
    expect(read(see, "b.csv").get_by_role("cell", name="Rome")).to_be_visible()
    see.keyboard.press("Escape")
    expect(read(see, "c.json").locator(".data-tree")).to_contain_text("Oslo")
    reader(see).get_by_label("Show as").select_option(label="Source")
    expect(reader(see).locator(".reader-source")).to_have_text('{"city": "Oslo"}')
    reader(see).get_by_role("button", name="Close the file").click()
    image = read(see, "d.png").get_by_role("img", name="d.png")
    expect(image).to_have_js_property("naturalWidth", 1)
    see.keyboard.press("Escape")
    read(see, "e.html")
    expect(see.frame_locator(".reader iframe").get_by_role("heading", name="Page")).to_be_visible()
    assert see.evaluate(FRAMES) == [""]
    see.keyboard.press("Escape")
    shown = read(see, "f.pdf")
    if see.evaluate("navigator.pdfViewerEnabled"):
        expect(shown.locator("iframe")).to_have_count(1)
    else:
        expect(shown).to_have_text("This browser shows no PDF within a page.")
    expect(reader(see).get_by_role("link", name="Open in a new tab")).to_have_attribute(
        "href", re.compile("f.pdf/view")
    )
    see.keyboard.press("Escape")
    expect(read(see, "g.bin")).to_have_text("This kind of file cannot be shown here.")
    with see.expect_download() as download:
        reader(see).get_by_role("link", name="Download").click()
    assert download.value.path().read_bytes() == b"\0\1"
    see.keyboard.press("Escape")
    expect(read(see, "LICENSE").locator(".reader-source")).to_have_text("Free")
    see.keyboard.press("Escape")
    expect(read(see, "empty.txt")).to_have_text("This file is empty.")


def test_a_file_that_changes(see: Page, session: Conversation) -> None:
    """The panel follows the file and stays where the reader is; an older version that was chosen stays."""
    lines = [f"line {number}" for number in range(400)]
    put(session, "log.txt", "\n".join(lines))
    body = read(see, "log.txt")
    expect(body.locator("pre code")).to_contain_text("line 399")
    body.evaluate("(element) => element.scrollTo(0, 3000)")
    put(session, "log.txt", "\n".join([*lines, "the end"]))
    expect(body.locator("pre code")).to_contain_text("the end")
    assert body.evaluate("(element) => element.scrollTop") == 3000

    versions = reader(see).get_by_label("Version")
    versions.select_option(index=1)
    expect(body.locator("pre code")).not_to_contain_text("the end")
    put(session, "log.txt", "all new")
    expect(versions.locator("option")).to_have_count(3)
    expect(body.locator("pre code")).to_contain_text("line 399")

    assert session.client.ask("DELETE", f"{session.path}/files/log.txt").status == 204
    expect(reader(see).get_by_role("status")).to_have_text("This file was deleted. An earlier version is shown.")
    versions.select_option(index=0)
    expect(body.locator("pre code")).to_have_text("all new")


def test_on_a_narrow_screen(see: Page, session: Conversation) -> None:
    """There the file covers everything; the browser's way back, Escape and the button close it."""
    see.set_viewport_size({"width": 390, "height": 800})
    put(session, "a.txt", "words")
    button = reader(see).get_by_role("button", name="Close the file")
    closing: list[Callable[[], object]] = [see.go_back, partial(see.keyboard.press, "Escape"), button.click]
    for close in closing:
        see.get_by_role("button", name="Show files: 1").click()
        read(see, "a.txt")
        assert reader(see).bounding_box() == {"x": 0, "y": 0, "width": 390, "height": 800}
        assert see.evaluate("document.querySelector('.stage').inert")
        close()
        expect(reader(see)).to_be_hidden()
        assert not see.evaluate("document.querySelector('.stage').inert")
        expect(see.get_by_role("button", name="Show files: 1")).to_be_focused()
        assert f"session={session.id}" in see.url


def test_another_conversation(see: Page, session: Conversation) -> None:
    """A file closes with its conversation."""
    put(session, "a.txt", "words")
    read(see, "a.txt")
    see.get_by_role("link", name="New conversation").click()
    expect(reader(see)).to_be_hidden()
