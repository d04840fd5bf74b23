"""Files that go with messages, on the page: pasted, dropped or chosen, sent, and shown in the conversation."""

from __future__ import annotations

import base64
import io
import re
from pathlib import Path

from PIL import Image
from playwright.sync_api import FilePayload, Locator, Page, Route, expect

from agentchat.app import Running
from agentchat.models import vision
from tests.conftest import Serve
from tests.model_server import ModelServer
from tests.pages import say, turn

pytest_plugins = ["tests.browser"]

PASTE = """([name, data]) => {
    const clipboardData = new DataTransfer();
    const bytes = Uint8Array.from(atob(data), (each) => each.charCodeAt());
    clipboardData.items.add(new File([bytes], name, { type: "image/png" }));
    document.activeElement.dispatchEvent(new ClipboardEvent("paste", { clipboardData, bubbles: true }));
}"""


def png(colour: str, edge: int = 600) -> bytes:
    file = io.BytesIO()
    Image.new("RGB", (edge, edge // 2), colour).save(file, "PNG")
    return file.getvalue()


def pick(page: Page, name: str, content: bytes, type: str = "image/png") -> None:
    """Choose a file in the browser's file dialog."""
    with page.expect_file_chooser() as chooser:
        page.get_by_role("button", name="Attach files").click()
    chooser.value.set_files([FilePayload(name=name, mimeType=type, buffer=content)])
    expect(chips(page).filter(has_text=name)).to_be_visible()  # the first one begins the conversation


def chips(page: Page) -> Locator:
    return page.locator(".upload")


def go_on(route: Route) -> None:
    route.continue_()


def send(page: Page) -> Locator:
    return page.get_by_role("button", name="Send", exact=True)


def test_an_image_is_pasted_sent_and_shown(server: Running, model: ModelServer, page: Page) -> None:
    """It is a thumbnail at the field, reaches the model, and opens in full from the message; Escape closes it."""
    page.goto(server.page)
    expect(page.get_by_role("button", name="Attach files")).to_be_enabled()
    page.locator("#composer textarea").focus()
    picture = png("red")
    page.evaluate(PASTE, ["image.png", base64.b64encode(picture).decode()])
    expect(chips(page)).to_have_attribute("data-state", "done")
    expect(chips(page).locator("img")).to_have_attribute("src", re.compile("^data:image/webp"))
    send(page).click()  # without a word
    expect(turn(page, 1)).to_have_attribute("data-state", "completed")
    expect(chips(page)).to_have_count(0)
    url = f"data:image/png;base64,{base64.b64encode(picture).decode()}"
    assert url in str(model.requests[-1]["body"]["messages"])

    thumbnail = turn(page, 1).get_by_role("button", name=re.compile(r"^Show Pasted .*\.png$"))
    expect(thumbnail.locator("img")).to_have_attribute("src", re.compile("^data:image/webp"))
    expect(turn(page, 1).locator(".bubble")).to_be_hidden()
    thumbnail.focus()
    page.keyboard.press("Enter")
    dialog = page.get_by_role("dialog", name=re.compile(r"^Pasted .*\.png$"))
    expect(dialog.locator("img")).to_have_attribute("src", url)
    page.keyboard.press("Escape")
    expect(dialog).to_have_count(0)
    expect(thumbnail).to_be_focused()
    page.reload()
    expect(thumbnail.locator("img")).to_be_visible()


def test_files_are_links(server: Running, page: Page) -> None:
    """Other files are downloaded from the message; so is an image that has changed since."""
    page.goto(server.page)
    expect(page.get_by_role("button", name="Attach files")).to_be_enabled()
    pick(page, "notes.txt", b"hello", "text/plain")
    pick(page, "a.png", png("red"))
    expect(page.locator('.upload[data-state="done"]')).to_have_count(2)
    say(page, "Read")
    expect(turn(page, 1)).to_have_attribute("data-state", "completed")
    with page.expect_download() as download:
        turn(page, 1).get_by_role("link", name="notes.txt").click()
    assert Path(download.value.path()).read_bytes() == b"hello"
    expect(turn(page, 1).locator(".attached-show")).to_have_count(1)
    pick(page, "a.png", png("blue"))
    expect(chips(page)).to_have_attribute("data-state", "done")
    page.reload()
    expect(turn(page, 1).locator(".attached-show")).to_have_count(1)  # the version that was attached


def test_an_image_that_is_not_kept_is_a_link(serve: Serve, model: ModelServer, page: Page) -> None:
    """Once it was replaced, and no version of it is kept, the message says so."""
    page.goto(serve("--storage-of-versions", "0", model=model).page)
    expect(page.get_by_role("button", name="Attach files")).to_be_enabled()
    pick(page, "a.png", png("red"))
    expect(chips(page)).to_have_attribute("data-state", "done")
    say(page, "Look")
    expect(turn(page, 1)).to_have_attribute("data-state", "completed")
    pick(page, "a.png", png("blue"))
    expect(chips(page)).to_have_attribute("data-state", "done")
    page.reload()
    expect(turn(page, 1).get_by_role("link", name="a.png")).to_contain_text("Changed or deleted since")


def test_what_is_attached_is_kept_and_removed(server: Running, model: ModelServer, page: Page) -> None:
    """A reload keeps it with the draft; its button, or Delete on it, takes it from the message."""
    page.goto(server.page)
    expect(page.get_by_role("button", name="Attach files")).to_be_enabled()
    for name in ("one.png", "two.png", "three.png"):
        pick(page, name, png("red"))
    expect(page.locator('.upload[data-state="done"]')).to_have_count(3)
    page.reload()
    expect(page.locator('.upload[data-state="done"] img')).to_have_count(3)
    expect(chips(page).first.locator("img")).to_be_visible()
    page.get_by_role("button", name="Remove one.png").click()
    page.get_by_role("button", name="Remove two.png").focus()
    page.keyboard.press("Delete")
    expect(chips(page)).to_have_count(1)
    page.reload()
    expect(chips(page)).to_have_count(1)
    say(page, "Look")
    expect(turn(page, 1)).to_have_attribute("data-state", "completed")
    assert "three.png" in str(model.requests[-1])
    assert "one.png" not in str(model.requests[-1])
    say(page, "And?")
    expect(turn(page, 2)).to_have_attribute("data-state", "completed")
    expect(turn(page, 2).locator(".attached-files")).to_be_hidden()


def test_sending_waits_for_uploads(server: Running, model: ModelServer, page: Page) -> None:
    """A message that is sent too early goes out by itself once its files are there."""
    held: list[Route] = []
    page.goto(server.page)
    say(page, "Hello")
    expect(turn(page, 1)).to_have_attribute("data-state", "completed")
    page.route("**/files/a.png*", lambda route: (held.append if route.request.method == "PUT" else go_on)(route))
    pick(page, "a.png", png("red"))
    expect(chips(page)).to_have_attribute("data-state", "running")
    say(page, "Look")
    expect(page.locator(".composer-note")).to_have_text("Is sent as soon as the files are uploaded.")
    expect(page.locator("#composer textarea")).to_have_value("Look")
    go_on(held[0])
    expect(turn(page, 2)).to_have_attribute("data-state", "completed")
    expect(page.locator("#composer textarea")).to_have_value("")
    assert "image_url" in str(model.requests[-1])


def test_a_failed_upload_is_tried_again(server: Running, page: Page) -> None:
    """It says why, and can be retried; until then it keeps nothing else from being sent."""
    page.goto(server.page)
    expect(page.get_by_role("button", name="Attach files")).to_be_enabled()
    page.route("**/files/a.png*", lambda route: route.abort())
    pick(page, "a.png", png("red"))
    expect(chips(page)).to_have_attribute("data-state", "failed")
    expect(chips(page)).to_have_role("alert")
    page.unroute("**/files/a.png*")
    chips(page).get_by_role("button", name="Try again").click()
    expect(chips(page)).to_have_attribute("data-state", "done")


def test_a_model_that_does_not_see_is_named(serve: Serve, model: ModelServer, touch_page: Page) -> None:
    """The chip says so before, and the answer's notice afterwards."""
    server = serve(model=model, vision=False)
    page = touch_page
    page.goto(server.page)
    expect(page.get_by_role("button", name="Attach files")).to_be_enabled()
    pick(page, "notes.txt", b"hello", "text/plain")
    pick(page, "a.png", png("red"))
    expect(chips(page).nth(1)).to_contain_text("This model does not see images")
    expect(chips(page).nth(0)).not_to_contain_text("This model does not see images")
    expect(page.locator('.upload[data-state="done"]')).to_have_count(2)
    assert page.evaluate("document.documentElement.scrollWidth") <= 390
    page.locator("#composer textarea").fill("Look")
    send(page).click()
    expect(turn(page, 1)).to_contain_text(vision.UNSEEN)
    assert page.evaluate("document.documentElement.scrollWidth") <= 390
