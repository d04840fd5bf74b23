"""Long things on the page: what is shown of them at first, and how the rest is reached."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

from playwright.sync_api import Page, expect

from tests.stories import Happening, a_turn, began, called, ran, said

pytest_plugins = ["tests.browser"]

TURNS = 600
MAX_BUILT = 250  # items, each with a few elements


def a_result(result: str, arguments: dict[str, object] | None = None) -> list[Happening]:
    given = arguments or {}
    return list(
        a_turn(
            1,
            "Look",
            called("weather", ("c1", "look_up", given)),
            began("c1", "look_up", given),
            ran("c1", "look_up", result),
        )
    )


def test_a_long_result_is_shown_in_part_and_searched_as_a_whole(tell: Callable[..., Page]) -> None:
    """A result of 2 MB is shown in part, with its size; the search and the saved file have all of it."""
    text = "\n".join(f"line {number} of the log" for number in range(80_000)) + "\nthe Needle"
    page = tell(*a_result(text))
    page.locator(".tool-call > summary").click()
    result = page.locator(".tool-details section").last
    expect(result.locator(".long-text-note")).to_contain_text("Showing 6")
    expect(result.locator(".long-text-note")).to_contain_text("of 1.7 MB")
    assert len(result.locator(".long-text .code-box").last.inner_text()) < 70_000
    result.get_by_role("button", name="Show more").click()
    expect(result.locator(".long-text-piece")).to_have_count(2)

    result.get_by_role("searchbox").fill("needle")
    expect(result.locator(".long-text-count")).to_have_text("1 of 1")
    expect(result.locator(".long-text-piece").last).to_contain_text("the Needle")
    result.get_by_role("searchbox").fill("line 7999")
    expect(result.locator(".long-text-count")).to_have_text("1 of 11")
    result.get_by_role("button", name="Previous place").click()
    expect(result.locator(".long-text-count")).to_have_text("11 of 11")

    with page.expect_download() as download:
        result.get_by_role("button", name="Download").click()
    assert Path(download.value.path()).read_text() == text


def test_records_are_a_table_and_a_tree(tell: Callable[..., Page]) -> None:
    """A table builds the rows near those in sight; a tree opens by keys."""
    records = [{"city": f"City {number}", "warm": number % 7, "at": {"lat": 1}} for number in range(5_000)]
    page = tell(*a_result(json.dumps(records), {"country": "Norway", "where": {"lat": 60}}))
    page.locator(".tool-call > summary").click()
    arguments = page.get_by_role("row").filter(has_text="country")
    expect(arguments.get_by_role("cell")).to_have_text("Norway")

    table = page.locator(".data-table")
    expect(table.get_by_role("table")).to_have_attribute("aria-rowcount", "5001")
    assert table.locator("tbody tr").count() < 100
    table.evaluate("table => table.scrollTo(0, table.scrollHeight)")
    expect(table.get_by_text("City 4999", exact=True)).to_be_visible()
    assert table.locator("tbody tr").count() < 100
    table.get_by_role("button", name="warm").click()
    table.get_by_role("button", name="warm").click()
    expect(table.locator("th[aria-sort=descending]")).to_have_text("warm")
    table.evaluate("table => table.scrollTo(0, 0)")
    expect(table.get_by_text("City 6", exact=True)).to_be_visible()

    page.locator(".tool-forms").get_by_role("button", name="Tree").click()
    tree = page.get_by_role("tree", name="Result")
    expect(tree.get_by_role("treeitem")).to_have_count(102)  # the root, a hundred entries, and one for more
    expect(tree.locator("[tabindex='0']")).to_have_count(1)
    tree.locator("[tabindex='0']").focus()
    page.keyboard.press("ArrowDown")
    page.keyboard.press("ArrowRight")
    expect(tree.locator(":focus")).to_contain_text("City 0")
    expect(tree.get_by_role("treeitem")).to_have_count(105)
    page.keyboard.press("ArrowLeft")
    expect(tree.get_by_role("treeitem")).to_have_count(102)
    page.keyboard.press("End")
    page.keyboard.press("Enter")
    expect(tree.get_by_role("treeitem")).to_have_count(202)


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


STEPS = 1_000


def a_long_turn(**more: Any) -> list[Happening]:
    """A turn of so many steps, each of them a call of a tool."""
    steps = []
    for step in range(STEPS):
        given = {"step": step}
        steps += [called("clerk", (f"c{step}", "look_up", given), **more), began(f"c{step}", "look_up", given, **more)]
        steps.append(ran(f"c{step}", "look_up", f"found {step}", **more))
    return list(a_turn(1, "Look", *steps, said("clerk", "Done.")))


def test_a_turn_of_many_steps_opens_at_its_end(tell: Callable[..., Page]) -> None:
    """Only the latest steps are built; earlier ones come when one scrolls, and what one reads stays in place."""
    page = tell(*a_long_turn())
    expect(page.locator(".turn-items > .message")).to_have_text("Done.Copy")
    cards = page.locator(".tool-card")
    expect(cards.last).to_contain_text(f"step: {STEPS - 1}")
    assert cards.count() < MAX_BUILT
    assert page.locator(".turn *").count() < 40 * MAX_BUILT

    built = cards.count()
    cards.first.evaluate("card => { kept = card; card.scrollIntoView({ block: 'start' }) }")
    expect(cards.nth(built)).to_be_attached()
    top = "kept.getBoundingClientRect().top - document.querySelector('.scroller').getBoundingClientRect().top"
    assert -100 < page.evaluate(top) < 400

    while page.locator(".earlier-items").is_visible():
        page.get_by_role("button", name="Earlier messages").focus()
        page.keyboard.press("Enter")
    expect(cards).to_have_count(STEPS)
    steps = cards.locator(".tool-arguments").all_inner_texts()
    assert [int("".join(filter(str.isdigit, step))) for step in steps] == list(range(STEPS))


def test_an_inner_chat_of_many_steps_shows_its_end(tell: Callable[..., Page]) -> None:
    page = tell(*a_long_turn(within="boss"))
    page.locator(".nested-chat > summary").click()
    cards = page.locator(".nested-chat .tool-card")
    expect(cards.last).to_contain_text(f"step: {STEPS - 1}")
    built = cards.count()
    assert built < MAX_BUILT
    summary = page.locator(".nested-chat > summary")
    expect(summary).to_be_in_viewport()
    page.locator(".nested-chat").get_by_role("button", name="Earlier messages").click()
    expect(cards).to_have_count(2 * built)
