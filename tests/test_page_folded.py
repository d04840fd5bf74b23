"""Steps that the plan or a diff shows already are one row, and rows that show nothing take no room."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import pytest
from playwright.sync_api import Page, expect

from tests.pages import turn
from tests.stories import DIFF, a_turn, began, called, ran, said

pytest_plugins = ["tests.browser"]
pytestmark = pytest.mark.own_server  # each test opens a recorded conversation

Tell = Callable[..., Page]
Step = tuple[str, Mapping[str, Any]]

ROWS = """element => [...element.children].map((each) => {
  const text = each.checkVisibility() ? each.innerText.trim() : "";
  return { text, height: each.getBoundingClientRect().height, name: each.className };
})"""


def made(number: int, title: str) -> list[Step]:
    """Return the events of a call that makes a task."""
    id, given = f"call-{number}", {"title": title}
    task = {"id": number, "title": title, "details": "", "depends_on": [], "status": "open", "by": "planner"}
    return [
        called("planner", (id, "create_task", given)),
        began(id, "create_task", given),
        ("task_created", task),
        ran(id, "create_task", f"Task {number} is made: {title}"),
    ]


def test_steps_on_the_plan_are_one_row(tell: Tell) -> None:
    """The calls that made the tasks are one closed row, which opens to them; another tool keeps its card."""
    given = {"city": "Oslo"}
    other = [called("planner", ("c9", "weather", given)), began("c9", "weather", given), ran("c9", "weather", "Sunny")]
    steps = [*made(1, "Buy flour"), *made(2, "Bake"), *other]
    page = tell(*a_turn(1, "Bake a cake", *steps, said("planner", "Begin with flour.")))

    row = page.locator(".folded-steps")
    expect(row).to_have_count(1)
    expect(row.locator("summary")).to_have_text("2 steps on the plan")
    expect(page.locator(".tool-card:visible")).to_have_count(1)
    row.locator("summary").click()
    expect(row.locator(".tool-card:visible")).to_have_count(2)
    expect(row).to_contain_text("Buy flour")


def test_a_diff_is_not_said_again(tell: Tell) -> None:
    """A call that wrote a file is folded where the diff is shown, open; one that failed is not."""
    given = {"path": "notes.md", "content": "new line"}
    steps = [
        called("coder", ("c1", "write_file", given)),
        began("c1", "write_file", given),
        ("file_changed", {"path": "notes.md", "kind": "modified", "size": 30, "by": "coder"}),
        ran("c1", "write_file", "notes.md was changed."),
        called("coder", ("c2", "write_file", given)),
        began("c2", "write_file", given),
        ran("c2", "write_file", "Error: no room", ok=False),
    ]
    changes = [{"path": "notes.md", "kind": "modified", "diff": DIFF}]
    page = tell(*a_turn(1, "Write", *steps, said("coder", "Written."), code_changes=changes))

    expect(page.locator(".folded-steps summary")).to_have_text("1 step on files")
    expect(page.locator(".tool-card:visible")).to_have_count(1)
    expect(page.locator(".tool-card:visible")).to_have_attribute("data-state", "failed")
    expect(page.locator(".files-line")).to_have_count(0)
    expect(page.locator(".diff-line").first).to_be_visible()


def test_all_events_are_all_rows(tell: Tell) -> None:
    """Nothing is folded for who wants to see everything."""
    page = tell(*a_turn(1, "Bake a cake", *made(1, "Buy flour"), *made(2, "Bake"), said("planner", "Go.")))
    page.get_by_role("combobox", name="Show").select_option("all")
    expect(page.locator(".folded-steps")).to_have_count(0)
    expect(page.locator(".tool-card:visible")).to_have_count(2)


def test_rows_that_show_nothing_take_no_room(tell: Tell) -> None:
    """Neither do messages without text, nor steps of which nothing is seen."""
    steps = made(1, "Buy flour")
    page = tell(*a_turn(1, "Go", said("planner", ""), said("planner", " \n"), *steps, said("planner", "Done.")))
    expect(turn(page, 1)).to_contain_text("Done.")
    rows = page.locator(".turn-items").evaluate(ROWS)

    assert [row for row in rows if not row["text"]] == []


def test_only_the_last_message_has_a_row_of_buttons(tell: Tell) -> None:
    """The rows of the others come on hover, and leave no room empty until then."""
    page = tell(*a_turn(1, "Go", said("planner", "First."), said("coder", "Second."), said("planner", "Third.")))
    messages = turn(page, 1).locator('.message[data-role="agent"]')
    expect(messages).to_have_count(3)
    rows = [messages.nth(place).get_by_role("button", name="Copy answer") for place in range(3)]
    expect(rows[2]).to_be_in_viewport()
    heights = messages.evaluate_all("(all) => all.map((each) => each.offsetHeight)")
    assert heights[0] == heights[1] < heights[2]
    rows[0].click()
    expect(rows[0]).to_have_attribute("data-copied", "true")


def test_an_error_is_said_once(tell: Tell) -> None:
    """In words; the code that programs know is one click away."""
    error = ("error", {"code": "model_unavailable", "message": "The model does not answer.", "retryable": True})
    page = tell(*a_turn(1, "Go", error, status="failed"))
    expect(turn(page, 1).get_by_text("The model does not answer.")).to_be_visible()
    expect(turn(page, 1).get_by_text("Failed")).to_have_count(0)
    code = turn(page, 1).get_by_text("model_unavailable")
    expect(code).to_be_hidden()
    turn(page, 1).get_by_text("Details").click()
    expect(code).to_be_visible()


def test_the_buttons_below_an_answer_stand_in_one_line(tell: Tell) -> None:
    page = tell(*a_turn(1, "Go", said("planner", "Done.")))
    names = ("Copy answer", "Source", "Retry")
    boxes = [turn(page, 1).get_by_role("button", name=name).bounding_box() for name in names]
    assert len({(box["y"], box["height"]) for box in boxes if box}) == 1


def test_changes_of_prose_are_wrapped(tell: Tell) -> None:
    """Long lines of texts are read whole; those of code are scrolled."""
    line = "word " * 100
    changes = [
        {"path": path, "kind": "created", "diff": f"--- /dev/null\n+++ b/{path}\n@@ -0,0 +1 @@\n+{line}\n"}
        for path in ("a.md", "b.py")
    ]
    page = tell(*a_turn(1, "Go", said("planner", "Done."), code_changes=changes))
    diffs = page.locator(".diff")
    expect(diffs).to_have_count(2)
    assert diffs.evaluate_all("(all) => all.map((each) => each.scrollWidth > each.clientWidth)") == [False, True]
