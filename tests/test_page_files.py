"""The files of a conversation on the page: uploaded, listed, downloaded, deleted."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from playwright.sync_api import BrowserContext, FilePayload, Locator, Page, Route, expect

from agentchat.ag2 import conversation
from agentchat.app import Running
from tests.clients import PATIENCE, wait_until
from tests.conftest import Serve
from tests.model_server import ModelServer, Reply
from tests.pages import Somebody, say, session_of, turn

pytest_plugins = ["tests.browser"]

WRITER = '''
"""Writes files."""
from autogen import ConversableAgent, UserProxyAgent, register_function
from agentchat import cancellation

def build(llm_config, chat):
    def write(path: str, text: str) -> str:
        return chat.files.write(path, text)

    def work(path: str, text: str) -> None:
        with chat.files.watched() as folder:
            (folder / path).write_text(text)
            cancellation.current.get().sleep(60)

    agent = ConversableAgent("writer", llm_config=llm_config, human_input_mode="NEVER")
    user = UserProxyAgent("user", human_input_mode="NEVER", code_execution_config=False, default_auto_reply=None)
    register_function(write, caller=agent, executor=user, description="write")
    register_function(work, caller=agent, executor=user, description="work")
    return user, agent
'''
TRANSFER = """(files) => {
    const transfer = new DataTransfer();
    for (const [name, text, type] of files) transfer.items.add(new File([text], name, { type }));
    return transfer;
}"""


@pytest.fixture
def writer(serve: Serve, model: ModelServer, tmp_path: Path) -> Running:
    """Start a chat server with an agent that writes files."""
    agents = tmp_path / "agents"
    agents.mkdir()
    (agents / "writer.py").write_text(WRITER)
    return serve("--agents", str(agents), "--default-agent", "writer", model=model)


def pick(page: Page, *files: tuple[str, bytes]) -> None:
    """Choose files in the browser's file dialog."""
    with page.expect_file_chooser() as chooser:
        page.get_by_role("button", name="Attach files").click()
    chooser.value.set_files([FilePayload(name=name, mimeType="text/plain", buffer=content) for name, content in files])


def listed(page: Page) -> Locator:
    return page.locator(".side-panel .file-path")


def chips(page: Page) -> Locator:
    return page.locator(".upload")


def test_files_come_before_the_first_message(server: Running, page: Page) -> None:
    """An upload before the first message creates the conversation, and the draft stays in the field."""
    page.goto(server.page)
    expect(page.get_by_role("button", name="Attach files")).to_be_enabled()
    page.locator("#composer textarea").fill("Look at these")
    pick(page, ("one.csv", b"a,b"), ("two.csv", b"c"))
    expect(chips(page)).to_have_count(2)
    for chip in chips(page).all():
        expect(chip).to_have_attribute("data-state", "done")
    expect(listed(page)).to_have_text(["one.csv", "two.csv"])
    expect(page.locator("#composer textarea")).to_have_value("Look at these")
    session = session_of(page)
    page.locator("#composer textarea").press("Enter")
    expect(turn(page, 1)).to_have_attribute("data-state", "completed")
    expect(chips(page)).to_have_count(0)
    assert session_of(page) == session
    page.reload()
    expect(listed(page)).to_have_text(["one.csv", "two.csv"])
    expect(page.locator(".welcome")).to_be_hidden()


def test_a_conversation_without_files_is_as_calm_as_ever(server: Running, page: Page) -> None:
    """A conversation without files shows neither the panel nor a button for it."""
    page.goto(server.page)
    say(page, "hello")
    expect(turn(page, 1)).to_have_attribute("data-state", "completed")
    expect(page.locator(".side-panel")).to_be_hidden()
    expect(page.locator(".panel-toggle")).to_be_hidden()


def test_files_are_dropped_and_pasted(server: Running, page: Page) -> None:
    """Files can be dropped, with a hint where, and pasted; pasted text stays text."""
    page.goto(server.page)
    expect(page.get_by_role("button", name="Attach files")).to_be_enabled()
    transfer = page.evaluate_handle(TRANSFER, [["dropped.txt", "hello", "text/plain"]])
    page.dispatch_event(".stage", "dragenter", {"dataTransfer": transfer})
    expect(page.locator(".drop-here")).to_be_visible()
    page.dispatch_event(".stage", "dragleave", {"dataTransfer": transfer})
    expect(page.locator(".drop-here")).to_be_hidden()
    page.dispatch_event(".stage", "dragenter", {"dataTransfer": transfer})
    page.dispatch_event(".stage", "drop", {"dataTransfer": transfer})
    expect(page.locator(".drop-here")).to_be_hidden()
    expect(listed(page)).to_have_text(["dropped.txt"])

    paste = """([files, texts]) => {
        const clipboardData = new DataTransfer();
        for (const type of texts) clipboardData.setData(type, "a table");
        for (const [name, text, type] of files) clipboardData.items.add(new File([text], name, { type }));
        document.activeElement.dispatchEvent(new ClipboardEvent("paste", { clipboardData, bubbles: true }));
    }"""
    page.locator("#composer textarea").focus()
    picture = [["image.png", "pixels", "image/png"]]
    page.evaluate(paste, [picture, ["text/plain", "text/html"]])  # as office programs do
    expect(chips(page)).to_have_count(1)
    page.evaluate(paste, [picture, ["text/html"]])  # as browsers do
    expect(listed(page)).to_have_count(2)
    expect(listed(page).first).to_have_text(re.compile(r"^Pasted \d\d\.\d\d\.\d\d\.png$"))


def test_what_agents_write_appears_at_once(writer: Running, model: ModelServer, page: Page) -> None:
    """Files that agents write appear at once in all tabs; the panel can be closed, and stays closed."""
    model.script(Reply(tools=[("write", {"path": "reports/<b>june</b>.md", "text": "# June"})]), Reply("Written."))
    page.goto(writer.page)
    say(page, "write")
    expect(listed(page)).to_have_text(["reports/<b>june</b>.md"])
    expect(page.locator(".file-about")).to_have_text("6 bytes · now")
    with page.expect_download() as download:
        page.locator(".file").click()
        page.locator(".reader").get_by_role("link", name="Download").click()
    assert Path(download.value.path()).read_text() == "# June"
    assert download.value.suggested_filename.endswith(".md")
    page.keyboard.press("Escape")

    page.get_by_role("button", name="Close tasks and files").click()
    expect(page.locator(".side-panel")).to_be_hidden()
    toggle = page.get_by_role("button", name="Show files: 1")
    expect(toggle).to_be_focused()
    page.reload()
    expect(toggle).to_be_visible()
    expect(page.locator(".side-panel")).to_be_hidden()
    toggle.click()
    expect(listed(page)).to_have_count(1)


def test_what_was_written_before_a_stop_appears(
    writer: Running, model: ModelServer, page: Page, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Files written before a stop appear, although no event announces them."""
    monkeypatch.setattr(conversation, "GRACE", PATIENCE)  # or a slow machine leaves the tool behind
    model.script(Reply(tools=[("work", {"path": "half.txt", "text": "x"})]))
    page.goto(writer.page)
    say(page, "work")
    wait_until(lambda: any(tmp_path.glob("data/workspaces/*/half.txt")))
    page.get_by_role("button", name="Stop").click()
    expect(listed(page)).to_have_text(["half.txt"])


def test_a_list_that_cannot_be_read_says_so(writer: Running, model: ModelServer, page: Page) -> None:
    """A list of files that can't be loaded says so, even when nothing was listed before."""
    page.route("**/files", lambda route: route.abort())
    page.goto(writer.page)
    say(page, "hello")
    expect(turn(page, 1)).to_have_attribute("data-state", "completed")
    expect(page.locator(".files-note")).to_contain_text("This list may be old")
    expect(page.locator(".files")).not_to_have_attribute("hidden", "")


def test_a_file_is_deleted_after_a_question(server: Running, page: Page, context: BrowserContext) -> None:
    """A file is deleted everywhere once confirmed, and kept if the person cancels."""
    page.goto(server.page)
    pick(page, ("one.txt", b"1"), ("two.txt", b"2"))
    expect(listed(page)).to_have_count(2)
    other = context.new_page()
    other.goto(page.url)
    expect(listed(other)).to_have_count(2)

    page.bring_to_front()  # a tab behind another one is slow
    question = page.locator(".file-list .inline-confirm")
    page.get_by_role("button", name="Delete one.txt").click()
    expect(question).to_contain_text("Delete “one.txt” for everybody?")
    page.keyboard.press("Escape")
    expect(question).to_have_count(0)
    expect(page.get_by_role("button", name="Delete one.txt")).to_be_focused()
    page.get_by_role("button", name="Delete one.txt").click()
    question.get_by_role("button", name="Delete").click()
    for tab in (page, other):
        expect(listed(tab)).to_have_text(["two.txt"])
    expect(chips(page)).to_have_count(1)


def test_what_cannot_be_taken_is_said(server: Running, page: Page) -> None:
    """A refused upload says why beside its file: too large, an invalid name, or no server."""
    page.goto(server.page)
    pick(page, ("good.txt", b"1"), ("what:ever.txt", b"2"))
    expect(chips(page).nth(1)).to_have_attribute("data-state", "failed")
    expect(chips(page).nth(1)).to_contain_text("file names cannot have")
    expect(listed(page)).to_have_text(["good.txt"])

    page.evaluate(
        """() => {
            const transfer = new DataTransfer();
            transfer.items.add(new File([new Uint8Array(21 * 1024 * 1024)], "large.bin"));
            document.body.dispatchEvent(new DragEvent("drop", { dataTransfer: transfer, bubbles: true }));
        }"""
    )
    expect(chips(page).nth(2)).to_contain_text("Too large: a file may have up to 20 MB.")

    pick(page, ("good.txt", b"3"))
    expect(chips(page).nth(3)).to_contain_text("Replaced")
    page.get_by_role("button", name="Dismiss large.bin").click()
    expect(chips(page)).to_have_count(3)


def test_an_upload_shows_how_far_it_is_and_can_be_cancelled(server: Running, page: Page) -> None:
    """An upload shows its progress and can be cancelled; the next one goes on."""
    held: list[Route] = []
    page.goto(server.page)
    page.route("**/files/first.txt*", lambda route: held.append(route))
    pick(page, ("first.txt", b"1"), ("second.txt", b"2"))
    expect(chips(page).nth(0).get_by_role("progressbar")).to_be_visible()
    expect(chips(page).nth(0)).to_have_attribute("data-state", "running")
    expect(chips(page).nth(1)).to_have_attribute("data-state", "waiting")
    page.get_by_role("button", name="Cancel first.txt").click()
    expect(chips(page)).to_have_count(1)
    expect(chips(page)).to_have_attribute("data-state", "done")
    expect(listed(page)).to_have_text(["second.txt"])


def test_a_viewer_may_only_have_them(server: Running, page: Page, somebody: Somebody) -> None:
    """A viewer can download files, but neither upload nor delete them."""
    page.goto(server.page)
    pick(page, ("one.txt", b"1"))
    expect(listed(page)).to_have_text(["one.txt"])
    viewer = somebody("Vera")
    viewer.goto(f"{page.url}&role=viewer")
    expect(listed(viewer)).to_have_text(["one.txt"])
    for what in (".file-delete", ".files-upload", ".attach-button"):
        expect(viewer.locator(what).filter(visible=True)).to_have_count(0)


def test_on_a_phone_they_are_in_a_sheet(server: Running, page: Page) -> None:
    """On a phone, files open in a sheet that closes with Escape or a tap outside it."""
    page.set_viewport_size({"width": 390, "height": 844})
    page.goto(server.page)
    pick(page, ("one.txt", b"1"))
    toggle = page.get_by_role("button", name="Show files: 1")
    expect(toggle).to_be_visible()
    expect(page.locator(".side-panel")).to_be_hidden()
    for is_touched in (False, True):
        toggle.click()
        expect(listed(page)).to_have_text(["one.txt"])
        assert page.locator(".stage").evaluate("(stage) => stage.inert")
        if is_touched:
            page.mouse.click(195, 60)
        else:
            page.keyboard.press("Escape")
        expect(page.locator(".side-panel")).to_be_hidden()
        expect(toggle).to_be_focused()


def test_another_conversation_has_other_files(server: Running, page: Page) -> None:
    """Switching conversations switches the files: nothing of the previous one stays."""
    page.goto(server.page)
    pick(page, ("one.txt", b"1"))
    expect(listed(page)).to_have_text(["one.txt"])
    page.get_by_role("link", name="New conversation").click()
    expect(page.locator(".welcome")).to_be_visible()
    expect(page.locator(".side-panel")).to_be_hidden()
    expect(chips(page)).to_have_count(0)
    page.go_back()
    expect(listed(page)).to_have_text(["one.txt"])
