"""The page's card of file changes in a turn, line by line."""

from __future__ import annotations

from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from tests.conftest import Serve
from tests.pages import turn
from tests.stories import DIFF, a_turn, said, write_story

pytest_plugins = ["tests.browser"]

LINES = 200
LONG = f"--- /dev/null\n+++ app.py\n@@ -0,0 +1,{LINES} @@\n" + "".join(f"+line {i}\n" for i in range(LINES))
HOSTILE = "--- a.html\n+++ a.html\n@@ -1,1 +1,1 @@\n-<b>old</b>\n+<img src=x onerror=\"document.title='hacked'\">\n"

CHANGES = [
    {"path": "notes.md", "kind": "modified", "diff": DIFF},
    {"path": "app.py", "kind": "created", "diff": LONG},
    {"path": "old.txt", "kind": "deleted", "diff": "--- old.txt\n+++ /dev/null\n@@ -1,1 +0,0 @@\n-gone\n"},
    {"path": "logo.png", "kind": "created", "diff": ""},
]


@pytest.fixture
def card(serve: Serve, page: Page, tmp_path: Path) -> Page:
    """Open a page with a turn that changed four files, and return its card."""
    wrote = ("file_changed", {"path": "notes.md", "kind": "modified", "size": 30, "by": "coder"})
    story = a_turn(1, "Write", wrote, said("coder", "Written."), code_changes=CHANGES)
    session = write_story(tmp_path / "data", [*story])
    page.goto(f"{serve('demo').page}?session={session}")
    expect(turn(page, 1)).to_contain_text("Written.")
    return page


def test_how_much_was_changed_stands_on_one_line(card: Page) -> None:
    """One line sums up the changes above a list of files; files in the card aren't listed again above it."""
    expect(card.locator(".changes-card > summary")).to_have_text("4 files changed+202−2")
    expect(card.locator(".files-line")).to_have_count(0)
    expect(card.locator(".change > summary")).to_have_text(
        ["notes.mdChanged+2−1", "app.pyNew+200", "old.txtDeleted−1", "logo.pngNew"]
    )


def test_lines_with_their_numbers(card: Page) -> None:
    """Changed lines show old and new line numbers, and a sign for readers who don't see colours."""
    lines = card.locator(".change", has_text="notes.md").locator(".diff-line")
    expect(lines).to_have_count(5)
    kinds = [line.get_attribute("data-kind") for line in lines.all()]
    assert kinds == ["same", "removed", "added", "added", "same"]
    expect(lines.nth(1)).to_have_text("2−old line\n")
    expect(lines.nth(3)).to_have_text("3+another line\n")
    expect(lines.nth(4)).to_have_text("34 the end\n")


def test_what_can_be_done_with_a_file(card: Page) -> None:
    """A file can be downloaded unless it was deleted, and its changes copied if there are any."""
    card.context.grant_permissions(["clipboard-read", "clipboard-write"])
    card.locator(".change > summary", has_text="logo.png").click()
    files = card.locator(".change")
    address = files.nth(0).get_by_role("link", name="Download").get_attribute("href")
    assert address is not None
    assert address.endswith("/files/notes.md")
    files.nth(0).get_by_role("button", name="Copy the changes of notes.md").click()
    expect(files.nth(0)).to_contain_text("Copied")
    assert card.evaluate("navigator.clipboard.readText()") == DIFF
    expect(files.nth(2).get_by_role("link", name="Download")).to_have_count(0)
    expect(files.nth(3)).to_contain_text("This file is not text, or too long to be compared.")
    expect(files.nth(3).get_by_role("button")).to_have_count(0)


def test_a_long_file_is_shown_in_part(card: Page) -> None:
    """A long diff is shown in part, of bounded height, until all of it is asked for."""
    app = card.locator(".change", has_text="app.py")
    lines = app.locator(".diff-line")
    expect(card.get_by_role("button", name="Show all 200 lines")).to_be_visible()
    assert 10 < lines.count() < LINES
    box = app.locator(".diff").bounding_box()
    assert box is not None
    assert box["height"] < 420
    card.get_by_role("button", name="Show all 200 lines").click()
    expect(lines).to_have_count(LINES)
    expect(app.locator(".diff")).to_be_focused()


def test_the_first_diffs_are_open(card: Page) -> None:
    """Three files are open from the start, further ones only show their names."""
    expect(card.locator(".change[open]")).to_have_count(3)
    expect(card.locator(".change").nth(3)).not_to_have_attribute("open", "")


def test_content_is_text(serve: Serve, page: Page, tmp_path: Path) -> None:
    """The content of a file is always shown as text."""
    changes = [{"path": "a.html", "kind": "modified", "diff": HOSTILE}]
    session = write_story(tmp_path / "data", [*a_turn(1, "Write", said("coder", "Written."), code_changes=changes)])
    page.goto(f"{serve('demo').page}?session={session}")
    expect(page.locator(".diff-line").last).to_contain_text("<img src=x onerror=")
    assert page.locator(".diff img, .diff b").count() == 0
    assert page.evaluate("document.title") != "hacked"
