"""Sharing on the page: links for members and viewers, and what they see."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path

import pytest
from playwright.sync_api import Locator, Page, expect

from agentchat.app import Running
from agentchat.auth.accounts import Accounts
from tests.conftest import Serve
from tests.pages import Somebody, say, session_of, turn

pytest_plugins = ["tests.browser"]
pytestmark = pytest.mark.own_server

LogIn = Callable[[str], Page]
PASSWORD = "correct horse battery"


@pytest.fixture
def accounts(tmp_path: Path) -> Iterator[Accounts]:
    (tmp_path / "data").mkdir()
    with closing(Accounts(tmp_path / "data")) as accounts:
        for login in ("ada", "bob"):
            accounts.add(login, PASSWORD, login.title())
        yield accounts


@pytest.fixture
def server(accounts: Accounts, serve: Serve) -> Running:
    return serve("demo")


@pytest.fixture
def log_in(server: Running, accounts: Accounts, somebody: Somebody) -> LogIn:
    """Open a tab in a browser of their own for somebody who has logged in."""

    def open_page(login: str) -> Page:
        user = accounts.by_login(login)
        assert user is not None
        secret, _ = accounts.begin_login(user.id, "", "")
        page = somebody("")
        page.context.add_cookies([{"name": "agentchat_login", "value": secret, "url": server.page}])
        return page

    return open_page


def begin(page: Page, server: Running) -> str:
    """Begin a conversation, and return its id."""
    page.goto(server.page)
    say(page, "What is the weather in Oslo?")
    expect(turn(page, 1)).to_have_attribute("data-state", "completed")
    return session_of(page)


def share(page: Page) -> Locator:
    """Open the dialog from the panel, and return it."""
    page.get_by_role("button", name="People", exact=True).click()
    page.get_by_role("button", name="Share…").click()
    dialog = page.get_by_role("dialog")
    expect(dialog).to_have_attribute("data-state", "ready")
    return dialog


def make_link(dialog: Locator, role: str, end: str = "for a week") -> str:
    dialog.get_by_label("What they may do").select_option(role)
    dialog.get_by_label("For how long").select_option(end)
    before = dialog.get_by_label("Link", exact=True).input_value()
    dialog.get_by_role("button", name="Make a link").click()
    expect(dialog.get_by_label("Link", exact=True)).not_to_have_value(before)
    return dialog.get_by_label("Link", exact=True).input_value()


def test_a_conversation_is_shared(server: Running, log_in: LogIn) -> None:
    """Following the link lets a person in, until they are put out; both lists show it at once."""
    ada, bob = log_in("ada"), log_in("bob")
    id = begin(ada, server)
    ada.context.grant_permissions(["clipboard-read", "clipboard-write"])
    dialog = share(ada)
    expect(dialog.get_by_role("list", name="People")).to_contain_text("Ada (you)Owner")
    link = make_link(dialog, "Can take part", "without an end")
    assert re.fullmatch(re.escape(server.page) + r"#invitation=[\w-]{43}", link)
    dialog.get_by_role("button", name="Copy link").click()
    expect(dialog.get_by_role("button", name="Copy link")).to_contain_text("Copied")
    assert ada.evaluate("navigator.clipboard.readText()") == link
    expect(dialog.get_by_role("list", name="Links").locator("li")).to_have_text(["Can take partRevoke"])
    bob.goto(link)
    expect(turn(bob, 1)).to_be_visible()
    expect(dialog.get_by_role("list", name="People").locator("li")).to_contain_text(
        ["Ada (you)Owner", "BobCan take part"]
    )
    ada.keyboard.press("Escape")
    expect(dialog).to_be_hidden()
    assert bob.url == f"{server.page}?session={id}"
    say(bob, "And in Bergen?")
    expect(turn(ada, 2).locator(".message-name")).to_have_text("Bob")
    expect(bob.locator(".conversation-list li")).to_contain_text(["shared with you"])
    theirs = share(bob)
    expect(theirs).to_contain_text("Ada lets you take part in this conversation.")
    for hidden in ("Make a link", "Put Bob out", "Revoke"):
        expect(theirs.get_by_role("button", name=hidden)).to_be_hidden()
    bob.keyboard.press("Escape")
    bob.locator("#composer textarea").fill("One more thing")

    dialog = share(ada)
    dialog.get_by_role("button", name="Put Bob out").click()
    dialog.get_by_role("button", name="Put out").click()
    expect(dialog.get_by_role("list", name="People").locator("li")).to_have_count(1)
    expect(bob.locator(".notice-banner")).to_contain_text("You can no longer see “What is the weather in Oslo?”.")
    expect(bob.locator(".turn")).to_have_count(0)
    expect(bob.locator(".conversation-list li")).to_have_count(0)
    expect(bob.locator("#composer textarea")).to_have_value("One more thing")
    assert bob.url == server.page


def test_a_viewer_reads_and_leaves(server: Running, log_in: LogIn) -> None:
    """A viewer has nothing to write with, keeps the list of conversations, and can leave."""
    ada, bob = log_in("ada"), log_in("bob")
    id = begin(ada, server)
    link = make_link(share(ada), "Can only read", "for a day")
    bob.goto(f"{server.page}?session={id}")  # which is not bob's to see
    expect(bob.get_by_text("nobody has shared it with you")).to_be_visible()
    bob.evaluate("(link) => location.assign(link)", link.replace(server.page, f"/{bob.url.removeprefix(server.page)}"))
    expect(bob.get_by_text("You are reading along")).to_be_visible()
    expect(turn(bob, 1)).to_have_attribute("data-state", "completed")
    assert bob.url == f"{server.page}?session={id}"
    for what in (
        "#composer", ".stop-button", ".attach-button", ".message-edit", ".rate-button", ".turn-retry", ".files-upload",
    ):  # fmt: skip
        expect(bob.locator(what).filter(visible=True)).to_have_count(0)
    expect(bob.locator(".title-button")).to_be_disabled()
    theirs = ada.get_by_role("dialog").get_by_role("list", name="People")
    expect(theirs).to_contain_text("Bob")
    row = bob.locator(".conversation-list li")
    row.hover()
    row.locator(".conversation-more").click()
    expect(bob.get_by_role("button", name="Rename", exact=True)).to_be_hidden()
    bob.get_by_role("button", name="Leave", exact=True).click()
    row.get_by_role("button", name="Leave", exact=True).click()
    expect(bob.locator(".conversation-list li")).to_have_count(0)
    expect(bob.locator(".welcome")).to_be_visible()
    expect(bob.locator(".notice-banner")).to_be_hidden()
    expect(theirs).not_to_contain_text("Bob")


def test_somebody_who_has_to_log_in_first(server: Running, log_in: LogIn, page: Page) -> None:
    """A link leads over the login page into the conversation."""
    ada = log_in("ada")
    id = begin(ada, server)
    page.goto(make_link(share(ada), "Can take part"))
    page.get_by_label("Login name").fill("bob")
    page.get_by_label("Password", exact=True).fill(PASSWORD)
    page.get_by_label("Password", exact=True).press("Enter")
    expect(turn(page, 1)).to_be_visible()
    assert page.url == f"{server.page}?session={id}"


def test_a_link_that_was_revoked(server: Running, log_in: LogIn) -> None:
    """A link that was revoked says so, and leaves the address bar as well."""
    ada, bob = log_in("ada"), log_in("bob")
    begin(ada, server)
    dialog = share(ada)
    link = make_link(dialog, "Can only read")
    dialog.get_by_role("button", name="Revoke").click()
    dialog.get_by_role("group").get_by_role("button", name="Revoke").click()
    expect(dialog.get_by_role("list", name="Links").locator("li")).to_have_count(0)

    bob.goto(link)
    expect(bob.locator(".notice-banner")).to_contain_text("This invitation does not exist, or has ended.")
    expect(bob.locator(".welcome")).to_be_visible()
    assert bob.url == server.page
    bob.locator(".notice-banner").get_by_role("button", name="OK").click()
    expect(bob.locator(".notice-banner")).to_be_hidden()
