"""The status page, in a real browser: the last hour in charts, and usage by day and agent."""

from __future__ import annotations

import re

import pytest
from playwright.sync_api import Locator, Page, expect

from agentchat.app import Running
from agentchat.auth.accounts import Accounts
from tests.clients import ChatClient
from tests.conftest import Serve
from tests.test_admin import Person

pytest_plugins = ["tests.browser"]


def chart(page: Page, title: str) -> Locator:
    return page.locator("figure.chart").filter(has=page.locator("figcaption", has_text=re.compile(f"^{title}")))


@pytest.mark.own_server
def test_what_it_shows(server: Running, page: Page) -> None:
    """The charts and the usage of today show what happened, by programs without a name, too, and follow it."""
    with ChatClient(server.websocket, agent="weather") as client:
        client.confirmed()
        client.ask("What is the weather in Oslo?")
        page.goto(f"{server.page}status")
        ended = chart(page, "Turns that ended")
        expect(ended.locator("li")).to_have_text([re.compile(r"all\s+1"), re.compile(r"failed\s+0")])
        expect(chart(page, "Time to the first words").locator("li b").first).to_have_text(re.compile("s$"))
        expect(chart(page, "Memory").locator("li b")).to_have_text(re.compile("MiB"))
        expect(chart(page, "Connections").locator("li").first).to_have_text(re.compile(r"WebSocket\s+1"))
        path = chart(page, "Connections").locator("path").first
        assert (path.get_attribute("d") or "").startswith("M")

        row = page.get_by_role("region", name="Usage").locator("tbody tr")
        expect(row.locator("td").nth(0)).to_have_text("weather")
        expect(row.locator("td").nth(1)).to_have_text("1")
        tokens = row.locator("td").nth(2).inner_text()
        page.get_by_label("Show").select_option("tokens")
        expect(page.locator(".status-usage .chart li")).to_have_text(re.compile(rf"weather\s+{tokens}"))
        expect(page.locator(".status-usage rect")).to_have_count(1)
        page.locator(".status-usage svg").hover(position={"x": 2, "y": 20})
        expect(page.locator(".status-usage .chart li")).to_have_text(re.compile(r"weather\s+0"))

        client.ask("And in Bergen?")
        page.evaluate("document.dispatchEvent(new Event('visibilitychange'))")
        expect(ended.locator("li").first).to_have_text(re.compile(r"all\s+2"))
    expect(page.locator(".page-errors")).to_be_empty()


@pytest.mark.own_server
def test_whose_it_is(serve: Serve, accounts: Accounts, page: Page) -> None:
    """Where people log in it is for admins; for others there is nothing at its address, and at that of its figures."""
    server = serve("demo", "--accounts")
    ada, eve = Person(server, accounts, "ada"), Person(server, accounts, "eve", "admin")
    assert (ada.ask("GET", "/status").status, ada.ask("GET", "/status").code) == (404, "not_found")
    page.context.add_cookies([{"name": "agentchat_login", "value": eve.cookies["agentchat_login"], "url": eve.origin}])
    page.goto(f"{eve.origin}/admin")
    page.get_by_role("link", name="Status").click()
    expect(chart(page, "Turns now")).to_be_visible()
    eve.ask("POST", "/api/agent-chat/logout")
    page.reload()
    expect(page).to_have_url(re.compile(r"/login\?back=status"))
