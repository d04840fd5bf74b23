"""Notices on the page about answers that were cut off or empty, and the way on from there."""

from __future__ import annotations

import json

import pytest
from playwright.sync_api import BrowserContext, Locator, Page, expect

from agentchat.app import Running
from tests.model_server import ModelServer, Reply
from tests.pages import Somebody, answers, say, turn

pytest_plugins = ["tests.browser"]

CUT_OFF = "The model reached its limit of tokens, so this answer is cut off."
EMPTY = "The model gave an empty answer."


def ending(text: str, finish_reason: str) -> Reply:
    """Return an answer that ends for this reason."""
    choice = {"index": 0, "delta": {"content": text}, "finish_reason": finish_reason}
    event = f"data: {json.dumps({'choices': [choice]})}\n\ndata: [DONE]\n\n"
    return Reply(raw=event.encode(), content_type="text/event-stream")


def notice(page: Page, number: int = 1) -> Locator:
    return turn(page, number).locator(".message-notice")


def action(page: Page, name: str) -> Locator:
    return page.locator(".ending").get_by_role("button", name=name, exact=True)


@pytest.fixture
def ada(server: Running, model: ModelServer, somebody: Somebody) -> Page:
    """Ada's page, with an answer that was cut off."""
    model.script(ending("It is **sun", "length"))
    page = somebody("Ada")
    page.goto(server.page)
    say(page, "Oslo?")
    expect(turn(page, 1)).to_have_attribute("data-state", "completed")
    return page


def test_a_notice_is_part_of_its_answer(ada: Page) -> None:
    """The notice is below the words, live and after a reload; it is announced, and not copied."""
    ada.context.grant_permissions(["clipboard-read", "clipboard-write"])
    expect(ada.locator(".announcer")).to_contain_text(CUT_OFF)
    for _ in range(2):
        message = turn(ada, 1).get_by_role("article", name="Forecaster")
        expect(message.locator(".message-notice")).to_have_text(CUT_OFF)
        expect(message.locator(".prose")).not_to_contain_text(CUT_OFF)
        ada.get_by_role("button", name="Copy answer").click()
        expect(ada.get_by_role("button", name="Copy answer")).to_have_text("Copied")
        assert ada.evaluate("navigator.clipboard.readText()") == "It is **sun"
        ada.reload()


def test_an_answer_is_continued(ada: Page, model: ModelServer, somebody: Somebody) -> None:
    """Only the newest one, once, with words of the person's own; an answer that simply ends has no such button."""
    ben = somebody("Ben")
    ben.goto(ada.url)
    model.script(ending("ny, and", "length"), Reply("warm."))
    action(ada, "Continue").click()
    expect(turn(ada, 2)).to_have_attribute("data-state", "completed")
    expect(turn(ada, 2).locator(".bubble")).to_have_text("Continue.")
    expect(turn(ben, 2).locator(".message-name")).to_have_text("Ada")
    expect(notice(ada, 2)).to_have_text(CUT_OFF)
    expect(ada.locator("#composer textarea")).to_be_focused()
    for page in (ada, ben):
        expect(action(page, "Continue")).to_have_count(1)
    action(ben, "Continue").press("Enter")
    expect(turn(ada, 3)).to_have_attribute("data-state", "completed")
    expect(notice(ada, 3)).to_be_hidden()
    expect(action(ada, "Continue")).to_have_count(0)
    assert model.requests[-1]["body"]["messages"][-1]["content"] == "Continue."
    assert answers(ada) == ["It is **sun", "ny, and", "warm."]


def test_readers_see_the_notice(ada: Page, server: Running, page: Page, context: BrowserContext) -> None:
    """A viewer and an operator read the notice, and cannot continue the answer."""
    page.goto(f"{ada.url}&role=viewer")
    desk = context.new_page()
    desk.add_init_script("localStorage.setItem('agentchat.operator', '\"Ann\"')")
    desk.goto(ada.url.replace("/?", "/desk?"))
    for reader in (page, desk):
        expect(notice(reader)).to_have_text(CUT_OFF)
        expect(action(reader, "Continue")).to_have_count(0)


@pytest.mark.parametrize("text", ["", " \n"])
def test_an_empty_answer(server: Running, model: ModelServer, page: Page, text: str) -> None:
    """It shows its notice, in place of words, and can be answered again."""
    model.script(ending(text, "stop"), Reply("It is sunny."))
    page.goto(server.page)
    say(page, "Oslo?")
    expect(page.locator(".announcer")).to_contain_text(f"Forecaster: {EMPTY}")
    for reload in (False, True):
        if reload:
            page.reload()
        expect(notice(page)).to_have_text(EMPTY)
        expect(turn(page, 1).locator(".message-body")).to_be_hidden()
        expect(page.get_by_role("button", name="Copy answer")).to_have_count(0)
        expect(page.get_by_text("The answer was empty.")).to_have_count(0)
        expect(action(page, "Continue")).to_have_count(0)
    action(page, "Retry").click()
    expect(page.locator('.message[data-role="agent"]')).to_have_text("It is sunny.Copy")
    expect(notice(page, 2)).to_be_hidden()


def test_estimated_usage(server: Running, model: ModelServer, page: Page) -> None:
    """Tokens that the model server did not count are about right, in the summary and for each agent."""
    model.script(Reply("It is sunny.", usage=False))
    page.goto(server.page)
    say(page, "Oslo?")
    page.get_by_role("button", name="tokens in").click()
    cells = page.locator(".usage-popover tbody td").all_inner_texts()
    assert [cell.split()[0] for cell in cells[:2]] == ["about", "about"]
