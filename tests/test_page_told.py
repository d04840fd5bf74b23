"""Telling people who are not looking: title, icon, notifications, sound and unread marks."""

from __future__ import annotations

import json
import re
import threading

from playwright.sync_api import BrowserContext, Page, expect

from agentchat.app import Running
from tests.clients import wait_until
from tests.model_server import ModelServer, Reply
from tests.pages import CUTTABLE, say, session_of, turn
from tests.rest_client import RestClient

pytest_plugins = ["tests.browser"]

# A headless browser never hides its tabs and shows no notifications: this tab can be hidden, and
# notes what it notifies.
HIDEABLE = """
    let isHidden = false;
    Object.defineProperty(document, "hidden", { get: () => isHidden });
    window.hideTab = (hides) => { isHidden = hides; document.dispatchEvent(new Event("visibilitychange")); };
    window.notified = [];
    window.asked = 0;
    let permission = localStorage.getItem("permission") ?? "default";
    window.Notification = class extends EventTarget {
        constructor(title, more) { super(); this.title = title; Object.assign(this, more); window.notified.push(this); }
        close() {}
        static get permission() { return permission; }
        static async requestPermission() {
            window.asked += 1;
            permission = "granted";
            localStorage.setItem("permission", permission);
            return permission;
        }
    };
"""


def hide(page: Page, hides: bool = True) -> None:
    page.evaluate("hides => hideTab(hides)", hides)


def notified(page: Page) -> list[list[str]]:
    told = page.evaluate("JSON.stringify(notified.map(({ title, body }) => [title, body]))")
    return list(json.loads(told))


def allow(page: Page) -> None:
    page.get_by_role("button", name="Settings", exact=True).click()
    page.get_by_role("switch", name="Notify me of answers and questions").check()
    page.keyboard.press("Escape")


def begin(page: Page, server: Running, model: ModelServer) -> threading.Event:
    """Start a turn that goes on until the returned event is set."""
    gate = threading.Event()
    model.script(Reply("It is sunny.", gate=gate))
    page.goto(server.page)
    say(page, "Oslo?")
    expect(turn(page, 1)).to_have_attribute("data-state", "running")
    return gate


def test_title_and_icon_tell_of_an_answer(server: Running, model: ModelServer, page: Page) -> None:
    """In a hidden tab, until it is looked at; nobody is asked for anything."""
    page.add_init_script(HIDEABLE)
    gate = begin(page, server, model)
    icon = page.locator("link[rel=icon]")
    hide(page)
    gate.set()
    expect(page).to_have_title(re.compile(r"^● Oslo\?"))
    expect(icon).to_have_attribute("href", re.compile("favicon-news.svg$"))
    answer = page.request.get(page.evaluate("document.querySelector('link[rel=icon]').href"))
    assert answer.ok
    hide(page, False)
    expect(page).to_have_title(re.compile(r"^Oslo\?"))
    expect(icon).to_have_attribute("href", re.compile("favicon.svg$"))
    assert notified(page) == []
    assert page.evaluate("asked") == 0


def test_a_notification_leads_to_its_place(server: Running, model: ModelServer, page: Page) -> None:
    """Once allowed by a switch, an answer in a hidden tab is notified; a click leads to it, wherever the tab is now."""
    page.add_init_script(HIDEABLE)
    gate = begin(page, server, model)
    allow(page)
    assert page.evaluate("asked") == 1
    first = session_of(page)
    hide(page)
    gate.set()
    page.wait_for_function("() => notified.length === 1")
    assert notified(page) == [["Oslo?", "It is sunny."]]
    page.get_by_role("link", name="New conversation").click()
    page.evaluate("notified[0].dispatchEvent(new Event('click'))")
    expect(page).to_have_url(re.compile(first))
    expect(turn(page, 1)).to_be_visible()
    hide(page)
    page.reload()
    expect(turn(page, 1)).to_have_attribute("data-state", "completed")
    assert notified(page) == []  # what was there before is no news


def test_one_tab_notifies(server: Running, model: ModelServer, page: Page, context: BrowserContext) -> None:
    """Only one of two hidden tabs notifies, and none while another tab shows the conversation."""
    context.add_init_script(HIDEABLE)
    gate = begin(page, server, model)
    allow(page)
    other = context.new_page()
    other.goto(page.url)
    expect(turn(other, 1)).to_have_attribute("data-state", "running")
    for tab in (page, other):
        hide(tab)
    gate.set()
    for tab in (page, other):
        expect(tab).to_have_title(re.compile("^●"))
    page.wait_for_function("() => localStorage.getItem('agentchat.told') !== null")
    assert len(notified(page) + notified(other)) == 1

    hide(other, False)
    gate = threading.Event()
    model.script(Reply("Still sunny.", gate=gate))
    say(other, "And now?")
    expect(turn(page, 2)).to_have_attribute("data-state", "running")
    gate.set()
    for tab in (page, other):
        expect(turn(tab, 2)).to_have_attribute("data-state", "completed")
    model.script(Reply("Yes."))  # whatever the second turn would have told has been told by the end of a third
    hide(page, False)
    say(page, "Sure?")
    expect(turn(page, 3)).to_have_attribute("data-state", "completed")
    assert len(notified(page) + notified(other)) == 1


def test_a_long_turn_offers_to_notify(server: Running, model: ModelServer, page: Page) -> None:
    """Once, and the browser asks only after a click."""
    page.add_init_script(HIDEABLE)
    page.clock.install()
    gate = begin(page, server, model)
    offer = page.locator(".told-offer")
    expect(offer).to_be_hidden()
    page.clock.fast_forward(21_000)
    expect(offer).to_contain_text("This takes a while.")
    assert page.evaluate("asked") == 0
    offer.get_by_role("button", name="Tell me").click()
    expect(offer).to_be_hidden()
    assert page.evaluate("asked") == 1
    gate.set()


def test_unread_marks(server: Running, model: ModelServer, page: Page) -> None:
    """A conversation that went on while another was looked at is marked until it is opened, also after a reload."""
    gate = begin(page, server, model)
    entry = page.locator(".conversation", has_text="Oslo?")
    expect(entry).to_be_visible()
    page.get_by_role("link", name="New conversation").click()
    gate.set()
    expect(entry).to_contain_text("now")
    page.evaluate("dispatchEvent(new Event('focus'))")
    expect(entry).to_have_attribute("data-unread", "")
    page.reload()
    expect(entry).to_have_attribute("data-unread", "")
    entry.click()
    expect(entry).not_to_have_attribute("data-unread", "")
    page.get_by_role("link", name="New conversation").click()
    page.reload()
    expect(entry).to_be_visible()
    expect(entry).not_to_have_attribute("data-unread", "")


def test_what_was_missed_is_told(server: Running, model: ModelServer, page: Page) -> None:
    """An answer that came while a hidden tab had no connection is told when it is back."""
    page.add_init_script(HIDEABLE)
    page.add_init_script(CUTTABLE)
    gate = begin(page, server, model)
    allow(page)
    hide(page)
    page.evaluate("cut()")
    gate.set()
    address = f"/api/agent-chat/sessions/{session_of(page)}"
    wait_until(lambda: RestClient(server).get(address).json["status"] == "idle")
    assert notified(page) == []
    page.evaluate("isCut = false")
    page.wait_for_function("() => notified.length === 1")
    assert notified(page) == [["Oslo?", "It is sunny."]]
