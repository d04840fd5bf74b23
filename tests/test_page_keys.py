"""The page by keyboard alone: the palette, the menu of the message field, and the list of keys."""

from __future__ import annotations

import re
import threading

from playwright.sync_api import Page, expect

from agentchat.app import Running
from tests.model_server import ModelServer, Reply
from tests.pages import answers, say, session_of, turn

pytest_plugins = ["tests.browser"]


def test_the_palette_finds_everything(server: Running, model: ModelServer, page: Page) -> None:
    """Ctrl+K finds conversations, agents and commands with a few letters; the focus comes back afterwards."""
    model.script(Reply("Sunny."), Reply("Rainy."))
    page.goto(server.page)
    say(page, "Weather in Oslo")
    expect(turn(page, 1)).to_have_attribute("data-state", "completed")
    first = session_of(page)
    page.keyboard.press("Control+k")
    field = page.get_by_role("combobox", name="Find anything")
    expect(field).to_be_focused()
    page.keyboard.type("nc")
    selected = page.locator('.palette [role="option"][aria-selected="true"]')
    expect(selected).to_have_text(re.compile("New conversation"))
    expect(field).to_have_attribute("aria-activedescendant", selected.get_attribute("id") or "")
    page.keyboard.press("Enter")
    expect(page.locator(".welcome")).to_be_visible()
    expect(page.locator("#message")).to_be_focused()
    say(page, "Rome")
    expect(turn(page, 1)).to_contain_text("Rainy.")

    page.keyboard.press("Meta+k")
    page.keyboard.type("oslo wea")
    expect(selected).to_have_text(re.compile("Weather in Oslo"))
    page.keyboard.press("Enter")
    expect(page).to_have_url(re.compile(first))
    page.keyboard.press("Control+k")
    page.keyboard.type("rainy")  # which is not in the title
    expect(selected).to_have_text(re.compile("Rome"))
    page.keyboard.press("Escape")
    page.keyboard.press("Control+k")
    page.keyboard.type("no such thing")
    expect(page.locator(".palette-note")).to_have_text("Nothing found")
    page.keyboard.press("Escape")
    expect(page.locator(".palette")).to_be_hidden()
    expect(page.locator("#message")).to_be_focused()


def test_arrows_move_through_the_palette(server: Running, page: Page) -> None:
    """Down and up go around; a command for something that is not there is not offered."""
    page.goto(server.page)
    expect(page.locator(".welcome")).to_be_visible()
    page.keyboard.press("Control+k")
    options = page.locator('.palette [role="option"]')
    expect(options.first).to_have_attribute("aria-selected", "true")
    page.keyboard.press("ArrowDown")
    expect(options.nth(1)).to_have_attribute("aria-selected", "true")
    page.keyboard.press("ArrowUp")
    page.keyboard.press("ArrowUp")
    expect(options.last).to_have_attribute("aria-selected", "true")
    page.keyboard.type("stop")
    expect(options).to_have_count(0)


def test_a_command_from_the_message_field(server: Running, model: ModelServer, page: Page) -> None:
    """`/` offers commands and agents; what matches none of them is a message, and Escape leaves it one."""
    model.script(Reply("one"), Reply("two"))
    page.goto(server.page)
    expect(page.locator(".welcome")).to_be_visible()
    field = page.locator("#message")
    menu = page.get_by_role("listbox", name="Agents and commands")
    field.press_sequentially("/")
    expect(menu.get_by_role("option", name="New conversation /new")).to_be_visible()
    expect(field).to_have_attribute("aria-autocomplete", "list")
    field.press("Escape")
    expect(menu).to_be_hidden()
    expect(field).to_be_focused()
    field.fill("/keys")
    field.press("Enter")
    expect(page.get_by_role("dialog", name="Keys")).to_be_visible()
    page.keyboard.press("Escape")
    expect(field).to_have_value("")
    say(page, "/etc/hosts is what?")
    expect(turn(page, 1)).to_have_attribute("data-state", "completed")
    say(page, "/nothing-like-this")
    expect(turn(page, 2)).to_have_attribute("data-state", "completed")
    assert answers(page) == ["one", "two"]
    field.fill("/new")
    field.press("Enter")
    expect(page.locator(".welcome")).to_be_visible()


def test_an_agent_from_the_message_field(server: Running, page: Page) -> None:
    """Choosing an agent picks it for the new conversation."""
    page.goto(server.page)
    expect(page.locator(".welcome")).to_be_visible()
    names = page.get_by_role("radio")
    expect(names).not_to_have_count(1)
    wanted = page.locator(".welcome input[type=radio]:not(:checked)").first
    name = wanted.get_attribute("value") or ""
    page.locator("#message").fill(f"/{name[:4].lower()}")
    page.locator("#message").press("Enter")
    expect(page.locator(".welcome input[type=radio]:checked")).to_have_attribute("value", name)


def test_a_turn_is_stopped_by_keyboard(server: Running, model: ModelServer, page: Page) -> None:
    """By a command, not by Escape."""
    model.script(Reply("one two three", gate_after=(2, threading.Event())))
    page.goto(server.page)
    say(page, "count")
    expect(page.locator('.message[data-role="agent"]')).to_contain_text("one two")
    page.locator("#message").press_sequentially("/stop")
    page.keyboard.press("Enter")
    expect(turn(page, 1)).to_have_attribute("data-state", "stopped")


def test_arrow_up_edits_the_last_message(server: Running, model: ModelServer, page: Page) -> None:
    """Only in an empty field, where it moves nothing else."""
    model.script(Reply("Sunny."), Reply("Rainy."))
    page.goto(server.page)
    say(page, "Oslo?")
    expect(turn(page, 1)).to_have_attribute("data-state", "completed")
    field = page.locator("#message")
    field.fill("x")
    field.press("ArrowUp")
    expect(field).to_be_focused()
    field.fill("")
    field.press("ArrowUp")
    edited = page.get_by_label("Your message")
    expect(edited).to_be_focused()
    edited.fill("Rome?")
    edited.press("Enter")
    expect(turn(page, 2)).to_contain_text("Rainy.")


def test_the_keys_are_listed(server: Running, page: Page) -> None:
    """`?` lists them outside of fields, and is a letter within."""
    page.goto(server.page)
    field = page.locator("#message")
    field.press_sequentially("?")
    expect(field).to_have_value("?")
    field.press("Escape")
    page.keyboard.press("Shift+?")
    dialog = page.get_by_role("dialog", name="Keys")
    expect(dialog).to_contain_text("Find a conversation, an agent or a command")
    page.keyboard.press("Escape")
    expect(dialog).to_be_hidden()
