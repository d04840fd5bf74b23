"""An answer that streams in leaves the reader's hands alone."""

from __future__ import annotations

import threading

import pytest
from playwright.sync_api import Locator, Page, expect

from agentchat.app import Running
from tests.model_server import ModelServer, Reply
from tests.pages import Somebody, say, turn

pytest_plugins = ["tests.browser"]

CODE = "Look:\n\n```python\n" + "print(1)\n" * 20
TEXT = "# A title\n\nThe **first** paragraph, which goes on "


class Streaming:
    """An answer that stops in the middle until the test lets it go on."""

    def __init__(self, page: Page, model: ModelServer, before: str, after: str) -> None:
        self.gate = threading.Event()
        first, rest = Reply(before).pieces(), Reply(after).pieces()
        model.script(Reply(tokens=[*first, *rest], gate_after=(len(first), self.gate)))
        self.page = page
        say(page, "Go")

    @property
    def prose(self) -> Locator:
        return self.page.locator('.message[data-role="agent"] .prose')

    def go_on(self) -> None:
        """Let the rest come, and wait until it is rendered."""
        self.gate.set()
        expect(turn(self.page, 1)).to_have_attribute("data-state", "completed")
        expect(self.prose.locator(".prose-tail")).to_have_count(0)


@pytest.fixture
def ada(server: Running, somebody: Somebody) -> Page:
    page = somebody("Ada")
    page.goto(server.page)
    return page


def test_a_selection_stays_selected(ada: Page, model: ModelServer) -> None:
    """A selection in the block that grows stays, whatever becomes of its markup."""
    answer = Streaming(ada, model, TEXT, "and *on* until its end.\n\n- done\n")
    expect(answer.prose.locator("strong")).to_have_text("first")
    ada.evaluate("""() => {
        const strong = document.querySelector(".prose strong").firstChild;
        const rest = document.querySelector('[data-role="agent"] .prose p').lastChild;
        getSelection().setBaseAndExtent(strong, 1, rest.firstChild ?? rest, 6);
    }""")
    selected = ada.evaluate("String(getSelection())")
    assert selected.startswith("irst")
    answer.go_on()
    expect(answer.prose.locator("em")).to_have_text("on")
    assert ada.evaluate("String(getSelection())") == selected


def test_a_selection_in_the_other_direction(ada: Page, model: ModelServer) -> None:
    answer = Streaming(ada, model, TEXT, "until its `end`.")
    expect(answer.prose.locator("strong")).to_have_text("first")
    ada.evaluate("""() => {
        const { firstChild, lastChild } = document.querySelector('[data-role="agent"] .prose p');
        getSelection().setBaseAndExtent(lastChild.firstChild ?? lastChild, 5, firstChild, 0);
    }""")
    selected = ada.evaluate("String(getSelection())")
    answer.go_on()
    expect(answer.prose.locator("code")).to_have_text("end")
    assert ada.evaluate("String(getSelection())") == selected


def test_the_buttons_of_code_can_be_used(ada: Page, model: ModelServer) -> None:
    """While code streams in, it can be copied and wrapped; the focus and what was chosen stay."""
    ada.context.grant_permissions(["clipboard-read", "clipboard-write"])
    answer = Streaming(ada, model, CODE, "print(2)\n" * 20 + "```\n\nThat is all.")
    block = answer.prose.locator(".code-block")
    block.get_by_role("button", name="Wrap").click()
    block.get_by_role("button", name="Copy code").click()
    assert ada.evaluate("navigator.clipboard.readText()").startswith("print(1)\nprint(1)\n")
    answer.go_on()
    expect(answer.prose.locator("p").last).to_have_text("That is all.")
    expect(block.get_by_role("button", name="Wrap")).to_have_attribute("aria-pressed", "true")
    expect(block.get_by_role("button", name="Copy code")).to_be_focused()
    expect(block.locator("pre")).to_contain_text("print(2)")
    expect(block.locator("pre")).to_have_css("overflow-wrap", "anywhere")


def test_closed_blocks_stay_the_same_elements(ada: Page, model: ModelServer) -> None:
    """A block that is closed is not rebuilt, neither while others come nor when the whole text is rendered."""
    answer = Streaming(ada, model, f"{TEXT}.\n\nAnother one ", "that **goes** on.\n\n1. one\n")
    expect(answer.prose.locator("p")).to_have_count(2)
    ada.evaluate("kept = [...document.querySelectorAll('.prose h2, .prose strong')]")
    answer.go_on()
    expect(answer.prose.locator("li")).to_have_text("one")
    assert ada.evaluate("kept.map((element) => element.isConnected)") == [True, True]


@pytest.mark.parametrize(("before", "part"), [("", "word " * 100), ("```text\n", "a line of code\n" * 40)])
def test_only_the_end_of_a_long_block_grows(ada: Page, model: ModelServer, before: str, part: str) -> None:
    """A browser lays out what it must when a long paragraph or long code grows: its last few thousand characters."""
    gate = threading.Event()
    model.script(Reply(tokens=[before + part, *[part] * 59, "its end"], gate_after=(60, gate)))
    say(ada, "Go")
    shown = ada.locator('.message[data-role="agent"] .prose')
    ada.wait_for_function(
        "(length) => document.querySelector('.prose .piece + .piece') && "
        "document.querySelector('[data-role=agent] .prose').textContent.length >= length",
        arg=60 * len(part),
    )
    ada.evaluate("""() => {
        grown = [];
        new MutationObserver((all) => grown.push(...all.map(({ target }) => target.textContent.length)))
            .observe(document.querySelector('[data-role="agent"] .prose'), { characterData: true, subtree: true });
    }""")
    gate.set()
    expect(turn(ada, 1)).to_have_attribute("data-state", "completed")
    expect(shown.locator(".prose-tail")).to_have_count(0)
    expect(shown).to_contain_text("its end")
    assert all(length < 10_000 for length in ada.evaluate("grown"))
    longest = "Math.max(...[...document.querySelectorAll('.prose .piece')].map((piece) => piece.textContent.length))"
    assert ada.evaluate(longest) < 5000


COUNT_NODES = """() => {
    added = 0;
    new MutationObserver((all) => {
        const nodes = all.flatMap(({ addedNodes }) => [...addedNodes]);
        for (const node of nodes) added += 1 + (node.querySelectorAll?.("*").length ?? 0);
    }).observe(document.querySelector(".turns"), { childList: true, subtree: true });
}"""


@pytest.mark.parametrize(
    ("before", "part"), [("", "some **bold** words of it "), ("```python\n", "value = compute(1)  # a step\n")]
)
def test_the_work_grows_with_the_answer(ada: Page, model: ModelServer, before: str, part: str) -> None:
    """An answer of four times the length makes the page build at most about four times as much."""

    def built(parts: int, number: int) -> int:
        model.script(Reply(tokens=[before, *[part] * parts]))
        ada.evaluate("added = 0")
        say(ada, "Go")
        expect(turn(ada, number)).to_have_attribute("data-state", "completed")
        expect(ada.locator(".prose-tail")).to_have_count(0)
        return int(ada.evaluate("added"))

    model.script(Reply("Hello"))
    say(ada, "Hello")
    expect(turn(ada, 1)).to_have_attribute("data-state", "completed")
    ada.evaluate(COUNT_NODES)
    short = built(400, 2)
    assert short < built(1600, 3) < 1.3 * 4 * short


def test_long_code_is_laid_out_where_one_looks(ada: Page, model: ModelServer) -> None:
    """Pieces out of view are skipped; long lines can still be scrolled to, and everything copied."""
    ada.context.grant_permissions(["clipboard-read", "clipboard-write"])
    lines = [f"value_{number} = {number}\n" for number in range(1500)]
    lines[1490] = "wide = '" + "long " * 100 + "its end'\n"
    answer = Streaming(ada, model, "```python\n" + "".join(lines[:700]), "".join(lines[700:]) + "```\n")
    answer.go_on()
    pieces = answer.prose.locator(".piece")
    rendered = """pieces => pieces.map((piece) => {
        const mark = document.createElement("i");
        piece.append(mark);
        const isRendered = mark.checkVisibility({ contentVisibilityAuto: true });
        mark.remove();
        return isRendered;
    })"""
    expect(ada.locator(".to-end")).to_be_hidden()
    shown = pieces.evaluate_all(rendered)
    assert shown[-1]
    assert 0 < sum(shown) < len(shown) / 2
    code = answer.prose.locator("pre")
    assert code.evaluate("code => code.scrollWidth > 2 * code.clientWidth")
    answer.prose.get_by_role("button", name="Copy code").click()
    assert ada.evaluate("navigator.clipboard.readText()") == "".join(lines)
