"""The page's view of what agents remember about a person: reading and erasing it."""

from __future__ import annotations

from pathlib import Path

import pytest
from playwright.sync_api import Locator, Page, expect

from agentchat.app import Running
from tests.conftest import Serve
from tests.model_server import ModelServer, Reply
from tests.pages import Somebody, say, turn

pytest_plugins = ["tests.browser"]

FRIEND = '''
"""Remembers."""
from autogen import ConversableAgent, UserProxyAgent, register_function

def build(llm_config, chat):
    def remember(key: str, value: str) -> str:
        return chat.remember(key, value)

    agent = ConversableAgent("friend", llm_config=llm_config, human_input_mode="NEVER")
    user = UserProxyAgent("user", human_input_mode="NEVER", code_execution_config=False, default_auto_reply=None)
    register_function(remember, caller=agent, executor=user, description="remember")
    return user, agent
'''


@pytest.fixture
def friend(serve: Serve, model: ModelServer, tmp_path: Path) -> Running:
    """Start a chat server with an agent that remembers."""
    agents = tmp_path / "agents"
    agents.mkdir()
    (agents / "friend.py").write_text(FRIEND)
    return serve("--agents", str(agents), "--default-agent", "friend", model=model)


def tell(page: Page, model: ModelServer, number: int, key: str, value: str) -> None:
    model.script(Reply(tools=[("remember", {"key": key, "value": value})]), Reply("I will."))
    say(page, f"remember {key}")
    expect(turn(page, number)).to_have_attribute("data-state", "completed")


def notes(page: Page) -> Locator:
    return page.locator(".memory-words")


def open_settings(page: Page) -> None:
    page.get_by_role("button", name="Settings", exact=True).click()


def test_what_is_remembered_is_shown_corrected_and_erased(friend: Running, model: ModelServer, page: Page) -> None:
    """A note can be read, corrected and erased, alone or, once confirmed, with all others, in any conversation."""
    page.goto(friend.page)
    open_settings(page)
    expect(page.locator(".memory")).to_contain_text("Nothing yet.")
    page.keyboard.press("Escape")
    for number, (key, value) in enumerate([("home", "<b>Oslo</b>"), ("diet", "no fish"), ("pet", "a cat")], 1):
        tell(page, model, number, key, value)
    page.get_by_role("link", name="New conversation").click()
    open_settings(page)
    expect(notes(page)).to_have_text(["diet: no fish", "home: <b>Oslo</b>", "pet: a cat"])

    page.get_by_role("button", name="Erase diet").click()
    expect(notes(page)).to_have_text(["home: <b>Oslo</b>", "pet: a cat"])
    page.get_by_role("button", name="Edit pet").click()
    field = page.get_by_role("textbox", name="pet")
    field.press("Escape")
    expect(page.get_by_role("button", name="Edit pet")).to_be_focused()
    page.get_by_role("button", name="Edit pet").click()
    field.fill(" ")
    field.press("Enter")
    expect(page.locator(".memory .field-problem").first).to_contain_text("This cannot be remembered")
    field.fill("two cats")
    field.press("Enter")
    expect(notes(page)).to_have_text(["home: <b>Oslo</b>", "pet: two cats"])
    page.get_by_role("button", name="Erase all").click()
    question = page.locator(".memory .inline-confirm")
    question.get_by_role("button", name="Keep").click()
    expect(notes(page)).to_have_count(2)
    page.get_by_role("button", name="Erase all").click()
    question.get_by_role("button", name="Erase").click()
    expect(notes(page)).to_have_count(0)
    expect(page.locator(".memory")).to_contain_text("Nothing yet.")
    page.reload()
    open_settings(page)
    expect(page.locator(".memory")).to_contain_text("Nothing yet.")


def test_each_sees_what_is_about_them(friend: Running, model: ModelServer, page: Page, somebody: Somebody) -> None:
    """Each person sees only notes about themselves, even in a shared conversation."""
    page.goto(friend.page)
    tell(page, model, 1, "home", "Oslo")
    ben = somebody("Ben")
    ben.goto(page.url)
    expect(turn(ben, 1)).to_have_attribute("data-state", "completed")
    open_settings(ben)
    expect(ben.locator(".memory")).to_contain_text("Nothing yet.")
    open_settings(page)
    expect(notes(page)).to_have_text(["home: Oslo"])
