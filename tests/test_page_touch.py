"""The page on a touch screen: what is pressed is large enough for a finger."""

from __future__ import annotations

import pytest
from playwright.sync_api import Page, expect

from agentchat.app import Running
from tests.conftest import Serve
from tests.pages import turn

pytest_plugins = ["tests.browser"]

SMALL = """() => {
    const controls = "a[href], button, select, summary, textarea, input:not([type=file]), [role=option]";
    const isMeant = (each) => each.checkVisibility({ visibilityProperty: true })
        && !each.closest(".prose p, .prose li, .prose td, .skip-link");
    const pressed = (each) => each.matches("[type=radio], [type=checkbox]") ? each.closest("label") ?? each : each;
    const size = (each) => { const { width, height } = pressed(each).getBoundingClientRect(); return [width, height]; };
    const isSmall = (each) => size(each).some((length) => length < 43.5);
    const found = [...document.querySelectorAll(controls)].filter(isMeant);
    return [found.length, found.filter(isSmall).map((each) => `${size(each)} ${each.outerHTML.slice(0, 120)}`)];
}"""


def expect_large(page: Page, at_least: int) -> None:
    """Fail if a visible control is too small, or if the page shows fewer of them than it does in that state."""
    count, small = page.evaluate(SMALL)
    assert small == []
    assert count >= at_least


def ask(page: Page, server: Running, agent: str, text: str) -> None:
    page.goto(f"{server.page}?agent={agent}")
    page.locator("#composer textarea").fill(text)
    page.get_by_role("button", name="Send", exact=True).tap()


def test_the_first_screen_and_what_opens_there(serve: Serve, touch_page: Page) -> None:
    """Also the list, the settings, and the palette, which has a button."""
    touch_page.goto(serve("demo").page)
    expect(touch_page.locator(".welcome")).to_be_visible()
    expect(touch_page.locator(".status")).to_have_attribute("data-status", "online")
    expect_large(touch_page, 7)
    touch_page.get_by_role("button", name="List of conversations").tap()
    touch_page.get_by_role("button", name="Settings", exact=True).tap()
    expect(touch_page.get_by_role("dialog", name="Settings")).to_be_visible()
    expect_large(touch_page, 15)
    touch_page.keyboard.press("Escape")
    touch_page.get_by_role("button", name="Find anything").tap()
    expect(touch_page.get_by_role("option").first).to_be_visible()
    expect_large(touch_page, 15)


def test_a_conversation(serve: Serve, touch_page: Page) -> None:
    """With its cards open, a message being edited, and the panels."""
    server = serve("demo")
    ask(touch_page, server, "weather", "What is the weather in Oslo?")
    expect(turn(touch_page, 1)).to_have_attribute("data-state", "completed")
    touch_page.locator(".tool-card summary").first.tap()
    expect(touch_page.get_by_role("button", name="Copy arguments")).to_be_visible()
    expect_large(touch_page, 15)
    expect(touch_page.get_by_role("button", name="People", exact=True)).to_be_hidden()  # nobody else is here
    touch_page.get_by_role("button", name="List of conversations").tap()
    touch_page.get_by_role("button", name="Find anything").tap()
    touch_page.get_by_role("combobox", name="Find anything").fill("people")
    touch_page.get_by_role("option", name="People", exact=True).tap()
    expect(touch_page.locator(".participants")).to_be_visible()
    expect_large(touch_page, 17)
    touch_page.keyboard.press("Escape")
    touch_page.get_by_role("button", name="Edit", exact=True).tap()
    expect(touch_page.get_by_role("button", name="Cancel")).to_be_visible()
    expect_large(touch_page, 15)


def test_a_question(serve: Serve, touch_page: Page) -> None:
    ask(touch_page, serve("demo"), "travel", "Book a trip to Paris")
    expect(touch_page.locator(".question-card")).to_be_visible()
    expect_large(touch_page, 10)


@pytest.mark.parametrize(
    ("path", "is_ready"), [("desk", ".sign-in"), ("status", ".status-usage"), ("admin", ".admin-audit")]
)
def test_the_other_pages(serve: Serve, touch_page: Page, path: str, is_ready: str) -> None:
    touch_page.goto(f"{serve('demo').page}{path}")
    expect(touch_page.locator(is_ready).first).to_be_visible()
    expect_large(touch_page, 2)


def test_a_mouse_needs_no_more_room(serve: Serve, page: Page) -> None:
    """The sizes are those of fingers only, so the test above would find small controls here."""
    page.goto(serve("demo").page)
    expect(page.locator(".welcome")).to_be_visible()
    assert page.evaluate(SMALL)[1] != []
