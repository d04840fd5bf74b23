"""The page for everyone: axe-core, which others wrote and many use, finds nothing in any state, light and dark."""

from __future__ import annotations

from typing import Literal

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import FilePayload, Page, expect

from agentchat.app import Running
from tests.model_server import ModelServer, Reply
from tests.pages import Somebody, say, turn
from tests.rest_client import Conversation
from tests.test_page_answers import ANSWER
from tests.test_page_attachments import png

pytest_plugins = ["tests.browser"]

TAGS = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]
RULES = {"resultTypes": ["violations"], "runOnly": TAGS}
SCHEMES: tuple[Literal["light", "dark"], ...] = ("light", "dark")

END_TRANSITIONS = """async () => {
    for (let frames = 0; frames < 2; frames++) await new Promise(requestAnimationFrame); // for the scheme to be applied
    for (const each of document.getAnimations()) if (each instanceof CSSTransition) each.finish();
}"""


def expect_accessible(page: Page) -> None:
    """Look at a state in both color schemes."""
    found = []
    for scheme in SCHEMES:
        page.emulate_media(color_scheme=scheme, reduced_motion="reduce")
        page.evaluate(END_TRANSITIONS)  # between the colors of two schemes there is little contrast
        for violation in Axe().run(page, options=RULES).response["violations"]:
            where = [f"{node['target']}: {node['failureSummary']}" for node in violation["nodes"]]
            found.append(f"{scheme}: {violation['id']}: {where}")
    assert not found, "\n".join(found)


@pytest.fixture
def ada(server: Running, somebody: Somebody) -> Page:
    page = somebody("Ada")
    page.goto(server.page)
    expect(page.locator(".status")).to_have_attribute("data-status", "online")
    return page


def test_the_first_screen(ada: Page) -> None:
    expect_accessible(ada)


def test_a_conversation(ada: Page, model: ModelServer) -> None:
    """An answer with everything in it, an open tool card, the panels, the palette and the keys."""
    call = Reply(tools=[("get_forecast", {"city": "Oslo", "days": 3})])
    model.script(call, Reply(ANSWER))
    say(ada, "How is **Oslo**?")
    expect(turn(ada, 1)).to_have_attribute("data-state", "completed")
    expect(ada.locator(".prose-tail")).to_have_count(0)
    expect_accessible(ada)

    ada.locator(".tool-card summary").first.click()
    expect_accessible(ada)
    ada.get_by_role("button", name="People", exact=True).click()
    expect_accessible(ada)
    ada.keyboard.press("Escape")
    ada.keyboard.press("Control+,")
    expect(ada.get_by_role("dialog", name="Settings")).to_be_visible()
    expect_accessible(ada)
    ada.keyboard.press("Escape")
    ada.keyboard.press("Control+k")
    expect(ada.get_by_role("listbox")).to_be_visible()
    expect_accessible(ada)
    ada.keyboard.press("Escape")


def test_attached_files(ada: Page) -> None:
    """Files at the message field, in a message, and an image in full."""
    with ada.expect_file_chooser() as chooser:
        ada.get_by_role("button", name="Attach files").click()
    notes = FilePayload(name="notes.txt", mimeType="text/plain", buffer=b"hello")
    chooser.value.set_files([notes, FilePayload(name="a.png", mimeType="image/png", buffer=png("red"))])
    expect(ada.locator('.upload[data-state="done"]')).to_have_count(2)
    expect(ada.locator(".upload-picture").nth(1)).to_be_visible()
    expect_accessible(ada)
    say(ada, "Look")
    expect(turn(ada, 1)).to_have_attribute("data-state", "completed")
    expect_accessible(ada)
    ada.get_by_role("button", name="Show a.png").click()
    expect(ada.locator(".picture-dialog img")).to_be_visible()
    expect_accessible(ada)


def test_a_file(server: Running, session: Conversation, page: Page) -> None:
    """A file beside the conversation: code, what differs, and a page."""
    for path, content in (("a.py", b"x = 1\n"), ("a.py", b"x = 2\n"), ("b.html", b"<h1>Page</h1>")):
        assert session.client.ask("PUT", f"{session.path}/files/{path}", content).status in {200, 201}
    page.goto(f"{server.page}?session={session.id}")
    page.locator('.file-list [data-file="a.py"]').click()
    expect(page.locator(".reader-source .mi")).to_have_text("2")
    expect_accessible(page)
    page.get_by_label("Show as").select_option("before")
    expect(page.locator(".reader .diff-line")).to_have_count(2)
    expect_accessible(page)
    page.get_by_role("button", name="Close the file").click()
    page.locator('.file-list [data-file="b.html"]').click()
    expect(page.locator(".reader-frame")).to_be_visible()
    expect_accessible(page)


def test_an_error(ada: Page, model: ModelServer) -> None:
    model.script(Reply(status=401))
    say(ada, "Oslo?")
    expect(turn(ada, 1)).to_have_attribute("data-state", "failed")
    expect_accessible(ada)


@pytest.mark.parametrize("path", ["desk", "admin", "status"])
def test_the_other_pages(server: Running, page: Page, path: str) -> None:
    page.goto(f"{server.page}{path}")
    page.wait_for_load_state("networkidle")
    expect_accessible(page)


def test_a_phone(server: Running, touch_page: Page, model: ModelServer) -> None:
    """Nothing is found either where there is little room, and nothing is wider than the screen."""
    model.script(Reply(ANSWER))
    touch_page.set_viewport_size({"width": 320, "height": 640})
    touch_page.goto(server.page)
    expect_accessible(touch_page)
    say(touch_page, "Oslo?")
    touch_page.get_by_role("button", name="Send").click()
    expect(turn(touch_page, 1)).to_have_attribute("data-state", "completed")
    expect_accessible(touch_page)
    assert touch_page.evaluate("document.documentElement.scrollWidth") == 320
