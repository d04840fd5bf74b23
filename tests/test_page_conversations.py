"""The conversations on the page: links that lead nowhere, and the list."""

from __future__ import annotations

import re

from playwright.sync_api import Page, expect

from agentchat.app import Running
from tests.conftest import Fork, config_list
from tests.model_server import ModelServer
from tests.pages import say, session_of, turn
from tests.rest_client import RestClient
from tests.test_page_access import expect_accessible

pytest_plugins = ["tests.browser"]


def begin(page: Page, text: str) -> str:
    """Begin a conversation with an answer, and return its id."""
    say(page, text)
    expect(turn(page, 1)).to_have_attribute("data-state", "completed")
    return session_of(page)


def test_a_link_that_leads_nowhere(server: Running, page: Page) -> None:
    """A page at the address of no conversation says so and begins none; the list works, and a button begins one."""
    page.goto(server.page)
    begin(page, "here")
    page.goto(f"{server.page}?session=nowhere")
    expect(page.get_by_role("heading", name="This conversation is not here")).to_be_visible()
    expect(page.locator("#composer")).to_be_hidden()
    expect(page.locator(".welcome")).to_be_hidden()
    assert page.url.endswith("?session=nowhere")
    expect_accessible(page)
    page.locator(".conversation").click()
    expect(turn(page, 1)).to_contain_text("here")
    expect(page.locator(".dead-link")).to_be_empty()

    page.go_back()
    page.get_by_role("button", name="Start a new conversation").click()
    expect(page.locator(".welcome")).to_be_visible()
    begin(page, "a new one")
    expect(page.locator(".conversation")).to_have_count(2)


def test_what_was_written_at_a_dead_link_comes_along(server: Running, page: Page) -> None:
    page.goto(server.page)
    session = begin(page, "one")
    page.locator("#composer textarea").fill("and two")
    page.get_by_role("link", name="New conversation").click()
    assert page.request.delete(f"{server.page}api/agent-chat/sessions/{session}").ok
    page.go_back()
    page.get_by_role("button", name="Start a new conversation").click()
    expect(page.locator("#composer textarea")).to_have_value("and two")
    expect(page.locator(".conversation")).to_have_count(0)


def test_a_conversation_that_has_only_begun_is_no_dead_link(fork: Fork, model: ModelServer, page: Page) -> None:
    """A message that never reached a server that then went down is sent when the tab comes back."""
    page.add_init_script("""
        const send = WebSocket.prototype.send;
        WebSocket.prototype.send = function (text) {
            if (sessionStorage.getItem("lets") || !text.includes('"text"')) send.call(this, text);
        };
    """)
    environment = config_list(model)
    with fork("--port", "0", "--ws-port", "0", environment=environment) as first:
        page.goto(first.page)
        say(page, "held back")
        session = session_of(page)
        page.evaluate("sessionStorage.setItem('lets', 'all')")
        address = page.url
        page.goto("about:blank")
        ports = [re.findall(r":(\d+)/", each)[0] for each in (first.page, first.websocket)]
    with fork("--port", ports[0], "--ws-port", ports[1], environment=environment) as second:
        assert RestClient(second).ask("GET", f"/api/agent-chat/sessions/{session}").status == 404
        page.goto(address)
        expect(turn(page, 1)).to_have_attribute("data-state", "completed")
        expect(page.locator('.message[data-role="person"]')).to_contain_text("held back")

        assert page.request.delete(f"{second.page}api/agent-chat/sessions/{session_of(page)}").ok
        page.reload()
        expect(page.get_by_role("heading", name="This conversation is not here")).to_be_visible()
