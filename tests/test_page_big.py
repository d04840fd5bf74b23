"""Long things on the page: conversations of many turns, and results of many bytes."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from tests.conftest import Serve
from tests.stories import Happening, a_turn, called, ran, said, write_story

pytest_plugins = ["tests.browser"]

TURNS = 600
MAX_BUILT = 250  # items, each with a few elements


@pytest.fixture
def tell(serve: Serve, page: Page, tmp_path: Path) -> Callable[..., Page]:
    """Open a conversation that was recorded before the server started."""

    def open_story(*happenings: Happening) -> Page:
        session = write_story(tmp_path / "data", happenings)
        page.goto(f"{serve('demo').page}?session={session}")
        expect(page.locator(".turn").first).to_be_visible()
        return page

    return open_story


def test_a_long_conversation_opens_at_its_end(tell: Callable[..., Page]) -> None:
    """Only the latest turns are built; earlier ones come when one scrolls, and what one reads stays in place."""
    turns = [a_turn(number, f"Question {number}", said("clerk", f"Answer {number}.")) for number in range(1, TURNS + 1)]
    page = tell(*(happening for turn in turns for happening in turn))
    expect(page.locator(".turn").last).to_contain_text(f"Answer {TURNS}.")
    expect(page.locator(".to-end")).to_be_hidden()
    built = page.locator(".turn").count()
    assert built < MAX_BUILT

    first = page.locator(".turn").first
    number = int(first.get_attribute("data-turn") or "")
    first.evaluate("turn => { kept = turn; turn.scrollIntoView({ block: 'start' }) }")
    expect(page.locator(f'.turn[data-turn="{number - 1}"]')).to_be_attached()
    top = page.evaluate(
        "kept.getBoundingClientRect().top - document.querySelector('.scroller').getBoundingClientRect().top"
    )
    assert -100 < top < 400

    page.get_by_role("button", name="To the end").click()
    expect(page.locator(".turn").last).to_be_in_viewport()


def test_one_can_scroll_to_the_start(tell: Callable[..., Page]) -> None:
    turns = [a_turn(number, f"Question {number}", said("clerk", f"Answer {number}.")) for number in range(1, 301)]
    page = tell(*(happening for turn in turns for happening in turn))
    expect(page.locator(".turn").last).to_contain_text("Answer 300.")
    first = page.locator('.turn[data-turn="1"]')
    while not first.count():
        page.get_by_role("button", name="Earlier messages").focus()
        page.keyboard.press("Enter")
    expect(first).to_contain_text("Question 1")
    expect(page.get_by_role("button", name="Earlier messages")).to_be_hidden()
    numbers = page.locator(".turn").evaluate_all("turns => turns.map((turn) => Number(turn.dataset.turn))")
    assert numbers == list(range(1, 301))


def test_a_large_result_is_shown_in_parts(tell: Callable[..., Page]) -> None:
    """A result of 2 MB opens with its first part; all of it can be searched and saved."""
    result = "".join(f"line {number}\n" for number in range(150_000)) + "the needle\n"
    page = tell(
        *a_turn(
            1,
            "Read it",
            called("clerk", ("c1", "read", {"path": "x"})),
            ran("c1", "read", result),
            said("clerk", "Done."),
        )
    )
    card = page.locator(".tool-card")
    card.locator("summary").click()
    shown = card.get_by_role("group", name="Result")
    expect(shown).to_contain_text("line 10\n")
    assert len(shown.inner_text()) < 60_000
    expect(card.get_by_role("status")).to_have_text("50 KB of 1.7 MB are shown")
    card.get_by_role("button", name="Show more").click()
    expect(card.get_by_role("status")).to_have_text("100 KB of 1.7 MB are shown")
    card.get_by_role("searchbox").fill("NEEDLE")
    expect(shown.locator("mark")).to_have_text("needle")
    expect(shown.locator("mark")).to_be_in_viewport()
    expect(card.get_by_role("status")).to_have_text("1 of 1")
    card.get_by_role("searchbox").fill("line 149")
    card.get_by_role("button", name="Next").click()
    expect(card.get_by_role("status")).to_have_text("2 of 1,111")
    with page.expect_download() as saved:
        card.get_by_role("button", name="Download").click()
    assert saved.value.path().read_text() == result
    assert saved.value.suggested_filename == "result.txt"
