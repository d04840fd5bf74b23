"""Feedback on the page: two buttons below an answer, and a line in words for everybody else."""

from __future__ import annotations

import pytest
from playwright.sync_api import BrowserContext, Locator, Page, expect

from agentchat.app import Running
from tests.clients import ChatClient, contents
from tests.model_server import ModelServer, Reply
from tests.pages import Somebody, say, session_of, turn

pytest_plugins = ["tests.browser"]


@pytest.fixture
def ada(server: Running, model: ModelServer, somebody: Somebody) -> Page:
    """Ada's page, with an answer."""
    model.script(Reply("It is sunny."))
    page = somebody("Ada")
    page.goto(server.page)
    say(page, "Oslo?")
    expect(turn(page, 1)).to_have_attribute("data-state", "completed")
    return page


def thumb(page: Page, name: str, number: int = 1) -> Locator:
    return turn(page, number).get_by_role("button", name=f"{name} answer")


def words(page: Page) -> Locator:
    return page.locator(".feedback-words")


def field(page: Page) -> Locator:
    return page.get_by_label("What was wrong? (optional)")


def expect_pressed(page: Page, pressed: str | None) -> None:
    for name in ("Good", "Bad"):
        expect(thumb(page, name)).to_have_attribute("aria-pressed", str(name == pressed).lower())


def test_an_answer_is_rated(server: Running, ada: Page, context: BrowserContext, somebody: Somebody) -> None:
    """The button stays pressed after a reload and in a second tab; a second click withdraws the rating."""
    ben = somebody("Ben")
    ben.goto(ada.url)
    expect_pressed(ada, None)
    thumb(ada, "Good").click()
    expect_pressed(ada, "Good")
    expect(field(ada)).to_have_count(0)
    expect(words(ben)).to_have_text("Ada rated this answer: good")
    expect_pressed(ben, None)
    expect(words(ada)).to_be_hidden()
    second = ada.context.new_page()
    second.goto(ada.url)
    ada.reload()
    for page in (second, ada):
        expect_pressed(page, "Good")

    thumb(ben, "Good").click()
    expect(words(ada)).to_have_text("Ben rated this answer: good")
    thumb(second, "Good").click()
    for page in (second, ada):
        expect_pressed(page, None)
    expect(words(ben)).to_be_hidden()
    expect_pressed(ben, "Good")
    with ChatClient(server.websocket, session=session_of(ada)) as client:
        client.until("feedback", lambda content: content["score"] == 0)
        given = [(each["name"], each["score"]) for each in contents(client.log, "feedback")]
        assert given == [("Ada", 1), ("Ben", 1), ("Ada", 0)]


def test_what_was_wrong(ada: Page, page: Page) -> None:
    """A thumb down asks for it, by keyboard as well; a viewer reads it, and has no buttons."""
    page.goto(f"{ada.url}&role=viewer")
    thumb(ada, "Bad").press("Enter")
    expect(field(ada)).to_be_focused()
    expect(words(page)).to_have_text("Ada rated this answer: bad")
    field(ada).fill("It <b>rains</b>")
    field(ada).press("Enter")
    expect(field(ada)).to_have_count(0)
    expect(thumb(ada, "Bad")).to_be_focused()
    expect(thumb(ada, "Bad")).to_have_attribute("title", "Bad answer: It <b>rains</b>")
    expect(words(page)).to_have_text("Ada rated this answer: bad - It <b>rains</b>")
    expect(page.locator(".rate-button").filter(visible=True)).to_have_count(0)

    page.locator(".detail-select").select_option("all")
    expect(page.locator(".event-type", has_text="feedback")).to_have_count(0)
    ada.reload()
    expect_pressed(ada, "Bad")
    thumb(ada, "Bad").click()
    expect_pressed(ada, None)
    expect(field(ada)).to_have_count(0)
    expect(words(page)).to_be_hidden()


def test_nothing_more_to_say(ada: Page) -> None:
    """The question is skipped, or goes away with another thumb; the score stays as it was pressed."""
    thumb(ada, "Bad").click()
    ada.get_by_role("button", name="Skip").click()
    expect(field(ada)).to_have_count(0)
    expect_pressed(ada, "Bad")
    thumb(ada, "Good").click()
    expect_pressed(ada, "Good")
    thumb(ada, "Bad").click()
    expect_pressed(ada, "Bad")
    thumb(ada, "Good").click()
    expect(field(ada)).to_have_count(0)
    expect_pressed(ada, "Good")


def test_feedback_that_is_refused(ada: Page, server: Running, model: ModelServer, somebody: Somebody) -> None:
    """The server's reason is shown."""
    stale = somebody("Ben")
    stale.goto(ada.url)
    expect_pressed(stale, None)
    stale.evaluate("""() => {
        const send = WebSocket.prototype.send;
        WebSocket.prototype.send = function (text) {
            send.call(this, text.replace('"score":1', '"score":7'));
        };
    }""")
    thumb(stale, "Good").click()
    expect(stale.locator('.error-card[data-code="bad_frame"]')).to_contain_text("its score is not one of")
    expect_pressed(stale, None)
