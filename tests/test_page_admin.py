"""The admins' page, in a real browser: who is connected, what runs and can be stopped, usage, the audit log."""

from __future__ import annotations

import re
import sqlite3
from contextlib import closing
from datetime import datetime, timezone
from pathlib import Path

import pytest
from playwright.sync_api import BrowserContext, Locator, Page, expect

from agentchat.app import Running
from agentchat.audit import FILE, Audit
from agentchat.auth.accounts import Accounts
from tests.agent_files import write_agents
from tests.clients import PATIENCE
from tests.conftest import Serve
from tests.test_admin import HELPFUL, Person

pytest_plugins = ["tests.browser"]

pytestmark = pytest.mark.own_server

TITLE = "<b>Marzipan</b>"


def enter(page: Page, person: Person) -> None:
    """Open the admins' page as that person."""
    cookie = {"name": "agentchat_login", "value": person.cookies["agentchat_login"], "url": person.origin}
    page.context.add_cookies([cookie])
    page.goto(f"{person.origin}/admin")


def rows(page: Page, section: str) -> Locator:
    return page.get_by_role("region", name=section).locator("tbody tr")


def test_an_admin(serve: Serve, accounts: Accounts, page: Page, tmp_path: Path) -> None:
    """An admin sees what happens as it does, without words of others, and stops what runs."""
    running: Running = serve("demo", "--accounts", "--agents", write_agents(tmp_path, helpful=HELPFUL))
    ada, eve = Person(running, accounts, "ada"), Person(running, accounts, "eve", "admin")
    used = (datetime.now(timezone.utc).strftime("%Y-%m-%d"), ada.about["id"], "poet", 3, 12345, 0.5)
    with closing(sqlite3.connect(tmp_path / "data" / "agentchat.db")) as db, db:
        db.execute("REPLACE INTO usage VALUES (?, ?, ?, ?, ?, ?)", used)
    enter(page, eve)
    expect(page.get_by_text("No agent is working.")).to_be_visible()
    expect(page.get_by_text("Nobody is connected.")).to_be_visible()
    expect(rows(page, "Usage").locator("td")).to_have_text(["ada (Ada)", "poet", "3", "12,345", "$0.50"])

    id = ada.begin("wait", TITLE)
    with ada.connect(f"session={id}") as client:
        client.recv(PATIENCE)
        expect(rows(page, "Connected").locator("td").nth(0)).to_have_text("ada (Ada)")
        expect(rows(page, "Connected")).to_contain_text([re.compile(f"websocket{id}127.0.0.1")])
        expect(rows(page, "Running")).to_contain_text([re.compile(rf"{id}helpfulada \(Ada\)1runningnow")])
        expect(page.get_by_role("region", name="Running").locator("tbody a")).to_have_count(0)
        assert "Marzipan" not in page.content()

        page.get_by_role("button", name="Stop").click()
        expect(page.get_by_text("No agent is working.")).to_be_visible()
    expect(page.get_by_text("Nobody is connected.")).to_be_visible()
    assert ada.status(id) == "idle"
    entry = rows(page, "Audit log").first
    expect(entry).to_contain_text(re.compile(rf"turn stoppedeve127\.0\.0\.1session: {id}, turn: 1"))


def test_the_audit_log(serve: Serve, accounts: Accounts, page: Page, tmp_path: Path) -> None:
    """Entries are plain text, and can be those of a person and an event."""
    running: Running = serve("demo", "--accounts", "--agents", write_agents(tmp_path, helpful=HELPFUL))
    ada, eve = Person(running, accounts, "ada"), Person(running, accounts, "eve", "admin")
    for person in (ada, eve, ada):
        assert person.ask("DELETE", f"/api/agent-chat/sessions/{person.begin('hello')}").status == 204
    Audit(tmp_path / "data" / FILE).write("login_failed", login=TITLE)
    enter(page, eve)
    expect(rows(page, "Audit log")).to_have_count(4)
    expect(rows(page, "Audit log").first).to_contain_text(f"login: {TITLE}")

    page.get_by_label("Person").fill("ada")
    expect(rows(page, "Audit log")).to_have_count(2)
    page.get_by_label("Person").fill("")
    page.get_by_label("Event").fill("login failed")
    expect(rows(page, "Audit log")).to_have_count(1)
    page.get_by_label("Event").fill("nothing")
    expect(page.get_by_text("There are no entries.")).to_be_visible()


def test_nobody_else(serve: Serve, accounts: Accounts, page: Page, context: BrowserContext, tmp_path: Path) -> None:
    """Others find nothing; somebody whose login has ended gets to the login page; roles count at once."""
    running: Running = serve("demo", "--accounts", "--agents", write_agents(tmp_path, helpful=HELPFUL))
    ada = Person(running, accounts, "ada")
    enter(page, ada)
    expect(page.get_by_text("not_found")).to_be_visible()
    accounts.set_roles(ada.about["id"], ["admin"])
    page.goto(f"{ada.origin}/admin")
    expect(page.get_by_role("heading", name="Running")).to_be_visible()
    accounts.end_logins(ada.about["id"])
    page.wait_for_url("**/login?back=admin")


def test_where_nobody_logs_in(serve: Serve, page: Page, tmp_path: Path) -> None:
    """The page is there for everybody, with titles that lead to the conversations."""
    running = serve("demo", "--agents", write_agents(tmp_path, helpful=HELPFUL))
    page.goto(f"{running.page}?agent=helpful")
    page.locator("#composer textarea").fill("wait")
    page.locator("#composer textarea").press("Enter")
    expect(page).to_have_url(re.compile("session="))
    chat = page.url
    page.goto(f"{running.page}admin")
    page.get_by_role("region", name="Running").get_by_role("link", name="wait").click()
    expect(page).to_have_url(chat)
    page.goto(f"{running.page}admin")
    page.get_by_role("button", name="Stop").click()
    expect(page.get_by_text("No agent is working.")).to_be_visible()
