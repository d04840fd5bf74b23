"""The page in narrow and enlarged windows, and in a language that is read from right to left."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from playwright.sync_api import Page, expect

from agentchat.app import Running
from tests.conftest import Serve
from tests.pages import turn
from tests.stories import DIFF, a_turn, called, ran, said

pytest_plugins = ["tests.browser"]

CUT = """() => {
    const shown = "a, button, select, input, textarea, h1, h2, h3, p, label, .card";
    const isMeant = (each) => each.checkVisibility({ visibilityProperty: true })
        && !each.closest(".visually-hidden, .skip-link, pre, .table");
    const isOutside = ({ left, right }) => left < -0.5 || right > innerWidth + 0.5;
    const found = [...document.querySelectorAll(shown)].filter(isMeant);
    const cut = found.filter((each) => isOutside(each.getBoundingClientRect()));
    const overflow = document.documentElement.scrollWidth - innerWidth;
    return [overflow, found.length > 5, cut.map((each) => each.outerHTML.slice(0, 120))];
}"""
CLOSED = ".disclosure:not([open]) > summary > .icon-chevron"


def expect_whole(page: Page) -> None:
    assert page.evaluate(CUT) == [0, True, []]


def ask(page: Page, server: Running, agent: str, text: str) -> None:
    page.goto(f"{server.page}?agent={agent}")
    page.locator("#composer textarea").fill(text)
    page.locator(".send-button").click()


@pytest.mark.parametrize("language", ["en", "de", "ar"])
@pytest.mark.parametrize(("width", "height"), [(320, 640), (640, 400)])
def test_narrow_windows(serve: Serve, page: Page, language: str, width: int, height: int) -> None:
    """Nothing is cut and nothing scrolls sideways at 320 pixels, or in a window of 1280 enlarged to 200 %."""
    server = serve("demo")
    page.context.add_cookies([{"name": "agentchat_language", "value": language, "url": server.page}])
    page.set_viewport_size({"width": width, "height": height})
    page.goto(server.page)
    expect(page.locator(".welcome")).to_be_visible()
    expect_whole(page)
    page.keyboard.press("Control+,")
    expect(page.locator(".settings")).to_be_visible()
    expect_whole(page)
    page.keyboard.press("Escape")
    ask(page, server, "weather", "What is the weather in Oslo?")
    expect(turn(page, 1)).to_have_attribute("data-state", "completed")
    page.locator(".tool-card summary").first.click()
    expect_whole(page)
    ask(page, server, "travel", "Book a trip to Paris")
    expect(page.locator(".question-card")).to_be_visible()
    expect_whole(page)


def test_right_to_left(tell: Callable[..., Page], page: Page) -> None:
    """Arrows and side panels are mirrored; code and signs are not; others' words have their own direction."""
    page.context.add_cookies([{"name": "agentchat_language", "value": "ar", "url": "http://127.0.0.1"}])
    called_once = called("weather", ("c1", "get_weather", {"city": "Oslo"}))
    changes = [{"path": "notes.md", "kind": "modified", "diff": DIFF}]
    tell(
        *a_turn(
            1, "Oslo?", called_once, ran("c1", "get_weather", "rainy"), said("weather", "Rain."), code_changes=changes
        )
    )
    expect(page.locator("html")).to_have_attribute("dir", "rtl")
    expect(page.locator(".diff").first).to_have_css("direction", "ltr")
    expect(page.locator(".changes-amount").first).to_have_css("direction", "ltr")
    expect(page.locator(CLOSED).first).to_have_css("scale", "-1 1")
    expect(page.locator(".sidebar-close .icon")).to_have_css("scale", "-1 1")
    page.locator(".people-button").click()
    panel, button = page.locator(".people-panel").bounding_box(), page.locator(".people-button").bounding_box()
    assert panel is not None
    assert button is not None
    assert panel["x"] <= button["x"] <= panel["x"] + panel["width"]
    page.locator(".new-conversation").click()
    expect(page.locator(".suggestion").first).to_have_css("unicode-bidi", "plaintext")
