"""The page in the reader's own colors, as in Windows' contrast themes: nothing is told by a background alone."""

from __future__ import annotations

import pytest
from playwright.sync_api import Locator, Page, expect

from agentchat.app import Running
from tests.conftest import Serve
from tests.pages import say, turn

pytest_plugins = ["tests.browser"]

LINED = """(each) => {
    const { outlineStyle, outlineWidth, borderTopStyle, borderTopWidth } = getComputedStyle(each);
    const isSeen = (style, width) => style !== "none" && parseFloat(width) > 0;
    return isSeen(outlineStyle, outlineWidth) || isSeen(borderTopStyle, borderTopWidth);
}"""


@pytest.fixture
def server(serve: Serve, page: Page) -> Running:
    page.emulate_media(forced_colors="active")
    return serve("demo")


def outline(element: Locator) -> str:
    return str(element.evaluate("(each) => getComputedStyle(each).outlineStyle"))


def color(element: Locator, name: str = "backgroundColor") -> str:
    return str(element.evaluate("(each, name) => getComputedStyle(each)[name]", name))


def test_what_is_chosen_has_a_line(server: Running, page: Page) -> None:
    """The chosen agent, the current conversation, and what a person pressed; what isn't has none."""
    page.goto(server.page)
    cards = page.locator(".agent-card:visible")
    expect(cards.first).to_be_visible()
    assert sorted({outline(card) for card in cards.all()}) == ["none", "solid"]
    assert outline(page.locator(".agent-card:has(:checked)")) == "solid"
    for number in (1, 2):
        page.get_by_role("link", name="New conversation").click()
        say(page, f"What is the weather in Oslo? {number}")
        expect(turn(page, 1)).to_have_attribute("data-state", "completed")
    rows = page.locator(".conversation-list .list-row")
    expect(rows).to_have_count(2)
    expect(page.locator(".list-row[aria-current]")).to_have_count(1)
    assert [outline(row) for row in rows.all()].count("solid") == 1
    assert outline(page.locator(".list-row[aria-current]")) == "solid"
    source = page.get_by_role("button", name="Source")
    before = outline(source)
    source.click()
    page.locator("#composer textarea").focus()
    assert (before, outline(source)) == ("none", "solid")


def test_states_are_seen(server: Running, page: Page) -> None:
    """Boxes have borders; dots keep their colors; the chosen command is highlighted; the focus has a line."""
    page.goto(server.page)
    say(page, "What is the weather in Oslo?")
    expect(turn(page, 1)).to_have_attribute("data-state", "completed")
    for box in (".bubble", ".speaker .avatar", ".composer-box"):
        assert page.locator(box).first.evaluate(LINED), box
    canvas = color(page.locator("body"))
    assert color(page.locator(".status-dot")) != canvas
    page.keyboard.press("Control+k")
    chosen, other = page.locator('.option[aria-selected="true"]'), page.locator('.option[aria-selected="false"]').first
    expect(chosen).to_be_visible()
    assert color(chosen) != color(other)
    assert outline(page.locator(".palette")) == "solid"
    page.keyboard.press("Escape")
    page.locator("#composer textarea").focus()
    assert outline(page.locator(".composer-box")) == "solid"


def test_progress_is_seen(server: Running, page: Page) -> None:
    """A full bar differs from an empty one, and both have a border."""
    page.goto(server.page)
    expect(page.locator(".welcome")).to_be_visible()
    page.evaluate(
        "document.body.append(Object.assign(document.createElement('progress'), { className: 'progress-bar' }))"
    )
    bar = page.locator("body > .progress-bar")
    seen = []
    for value in (0, 1):
        bar.evaluate("(each, value) => (each.value = value)", value)
        seen.append(bar.screenshot(animations="disabled"))
    assert seen[0] != seen[1]
    assert bar.evaluate(LINED)
