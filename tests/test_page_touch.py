"""The page for fingers: controls of 44 px, as WCAG 2.2 has it (2.5.5), and a button for what Ctrl+K does."""

from __future__ import annotations

import pytest
from playwright.sync_api import Page, expect

from tests.conftest import Serve
from tests.pages import turn

pytest_plugins = ["tests.browser"]
pytestmark = pytest.mark.all_agents

# Links within texts are exempt, and what is covered or hidden.
SMALL_CONTROLS = """() => [...document.querySelectorAll("button, a[href], input, select, summary, [role=option]")]
  .filter((each) => each.checkVisibility({visibilityProperty: true, opacityProperty: true}))
  .filter((each) => !each.closest(".prose, .visually-hidden, .skip-link"))
  .map((each) => [each, (each.closest("label") ?? each).getBoundingClientRect()])
  .filter(([each, {width, height}]) => width > 2 && (width < 44 || height < 44))
  .map(([each, {width, height}]) => `${each.outerHTML.slice(0, 120)}: ${width} × ${height}`)"""


def expect_large_controls(page: Page) -> None:
    assert page.evaluate(SMALL_CONTROLS) == []


@pytest.fixture
def phone(serve: Serve, touch_page: Page) -> Page:
    touch_page.goto(serve("demo").page)
    expect(touch_page.get_by_text("Who would you like to talk to?")).to_be_visible()
    return touch_page


def ask(page: Page, text: str) -> None:
    page.locator("#message").fill(text)
    page.get_by_role("button", name="Send", exact=True).tap()


def test_the_first_screen(phone: Page) -> None:
    expect_large_controls(phone)
    phone.get_by_role("button", name="Other agents").tap()
    expect_large_controls(phone)


def test_answers_and_lists(phone: Page) -> None:
    """An answer, its parts, the people and the list of conversations."""
    ask(phone, "What is the weather in Oslo?")
    expect(turn(phone, 1)).to_have_attribute("data-state", "completed")
    expect_large_controls(phone)
    turn(phone, 1).locator("summary").first.tap()
    expect_large_controls(phone)
    phone.get_by_role("button", name="People").tap()
    expect_large_controls(phone)
    phone.keyboard.press("Escape")
    phone.get_by_role("button", name="List of conversations").tap()
    expect(phone.get_by_role("button", name="Find anything")).to_be_in_viewport()
    expect_large_controls(phone)
    phone.get_by_role("button", name="Find anything").tap()
    expect(phone.get_by_role("combobox", name="Find anything")).to_be_visible()
    expect_large_controls(phone)


def test_questions(phone: Page) -> None:
    """A question, and an approval with its form."""
    phone.goto(f"{phone.url.partition('?')[0]}?agent=travel")
    ask(phone, "Cancel my train to Lisbon")
    expect(phone.get_by_role("button", name="Approve")).to_be_visible()
    expect_large_controls(phone)


def test_files(phone: Page) -> None:
    """What a team has changed, and its files."""
    phone.goto(f"{phone.url.partition('?')[0]}?agent=coding_team")
    ask(phone, "Write a program that prints the first ten primes")
    expect(turn(phone, 1)).to_have_attribute("data-state", "completed")
    expect_large_controls(phone)
    expect(phone.locator(".changes-card")).to_be_visible()
    expect_large_controls(phone)
    phone.locator(".panel-toggle").tap()
    expect_large_controls(phone)
