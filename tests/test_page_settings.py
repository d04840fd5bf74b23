"""The page's settings: one dialog, whose choices are kept and count in all tabs and on all pages."""

from __future__ import annotations

import re

import pytest
from playwright.sync_api import BrowserContext, Page, expect

from agentchat.app import Running
from agentchat.http.page_themes import choose, in_theme
from tests.conftest import Serve
from tests.rest_client import RestClient

pytest_plugins = ["tests.browser"]

DARK, LIGHT = "rgb(23, 23, 21)", "rgb(250, 249, 246)"


def open_settings(page: Page) -> None:
    page.keyboard.press("Control+,")
    expect(page.get_by_role("dialog", name="Settings")).to_be_visible()


@pytest.mark.parametrize(
    ("cookies", "expected"),
    [
        ("", ""),
        ("agentchat_theme=dark", "dark"),
        ("a=b; agentchat_theme=light; c=d", "light"),
        ("agentchat_theme=pink", ""),
        ("agentchat_theme=darkest", ""),
        ("not_agentchat_theme=dark", ""),
    ],
)
def test_the_theme_of_an_answer(cookies: str, expected: str) -> None:
    """A choice counts; otherwise the page follows the system."""
    assert choose(cookies) == expected


def test_a_template_gets_a_theme() -> None:
    """The root element tells the styles, and a meta element tells the browser before they are loaded."""
    page = '<html lang="de"><meta name="color-scheme" content="light dark"></html>'
    assert (
        in_theme(page, "dark") == '<html data-theme="dark" lang="de"><meta name="color-scheme" content="dark"></html>'
    )


@pytest.mark.parametrize("path", ["/", "/desk", "/login", "/admin", "/status"])
def test_each_page_comes_in_the_chosen_theme(server: Running, path: str) -> None:
    """It stands in the page itself, so no other theme is seen first; caches don't mix them up."""
    rest = RestClient(server)
    system = rest.ask("GET", path)
    dark = rest.ask("GET", path, headers={"Cookie": "agentchat_theme=dark; agentchat_language=de"})
    assert b"data-theme" not in system.body
    assert b'<html data-theme="dark" lang="de" ' in dark.body
    assert b'<meta name="color-scheme" content="dark">' in dark.body
    assert system.headers["ETag"] != dark.headers["ETag"]
    assert "Cookie" in dark.headers["Vary"]


def test_the_ways_to_the_settings(server: Running, page: Page) -> None:
    """A button, a key and the palette open the same dialog; Escape closes it, and the focus returns."""
    page.goto(server.page)
    dialog = page.get_by_role("dialog", name="Settings")
    gear = page.get_by_role("button", name="Settings", exact=True)
    gear.press("Enter")
    expect(dialog).to_be_visible()
    page.keyboard.press("Escape")
    expect(dialog).to_be_hidden()
    expect(gear).to_be_focused()
    field = page.locator("#composer textarea")
    field.focus()
    page.keyboard.press("Control+,")
    expect(dialog).to_be_visible()
    page.keyboard.press("Escape")
    expect(field).to_be_focused()
    page.get_by_role("button", name="Find anything").click()
    page.keyboard.type("theme")
    page.keyboard.press("Enter")
    expect(dialog.get_by_label("System")).to_be_focused()
    page.keyboard.press("Escape")
    expect(page.get_by_role("button", name="Find anything")).to_be_focused()


def test_a_theme_counts_everywhere(server: Running, page: Page, context: BrowserContext) -> None:
    """At once in all tabs, on other pages and after a reload; afterwards the system's can count again."""
    page.emulate_media(color_scheme="dark")
    page.goto(server.page)
    other = context.new_page()
    other.emulate_media(color_scheme="dark")
    other.goto(f"{server.page}status")
    expect(other.get_by_role("heading", name="Usage")).to_be_visible()
    expect(other.locator("body")).to_have_css("background-color", DARK)
    open_settings(page)
    page.get_by_label("Light").check()
    expect(page.locator("body")).to_have_css("background-color", LIGHT)
    expect(other.locator("body")).to_have_css("background-color", LIGHT)
    other.goto(server.page)
    open_settings(other)
    expect(other.get_by_label("Light")).to_be_checked()
    other.get_by_label("System").check()
    expect(page.get_by_label("System")).to_be_checked()
    for tab in (page, other):
        expect(tab.locator("body")).to_have_css("background-color", DARK)
    assert not any(cookie["name"] == "agentchat_theme" for cookie in context.cookies())


def test_the_first_paint_has_the_theme(server: Running, page: Page) -> None:
    """Even a browser without JavaScript shows what was chosen."""
    page.context.add_cookies([{"name": "agentchat_theme", "value": "dark", "url": server.page}])
    page.route(re.compile(r"\.js$"), lambda route: route.abort())
    page.goto(server.page)
    expect(page.locator("body")).to_have_css("background-color", DARK)


def test_choices_are_the_same_in_other_tabs(server: Running, page: Page, context: BrowserContext) -> None:
    """The sound, the name and the language."""
    page.goto(server.page)
    other = context.new_page()
    other.goto(server.page)
    for tab in (page, other):
        open_settings(tab)
    page.get_by_role("switch", name="Play a sound").check()
    expect(other.get_by_role("switch", name="Play a sound")).to_be_checked()
    page.get_by_label("Your name").fill("Ada")
    page.get_by_label("Your name").press("Enter")
    expect(page.get_by_role("dialog")).to_contain_text("Saved.")
    expect(other.get_by_label("Your name")).to_have_value("Ada")
    page.locator(".language-setting select").select_option("de")
    for tab in (page, other):
        expect(tab.locator("html")).to_have_attribute("lang", "de")


def test_a_reader_has_the_settings_without_a_list(serve: Serve, page: Page) -> None:
    """Somebody who follows a link for reading only sees the button in the bar on top; others below the list."""
    server = serve("demo")
    page.goto(server.page)
    expect(page.locator(".sidebar .settings-button")).to_be_visible()
    expect(page.locator(".topbar .settings-button")).to_be_hidden()
    page.locator("#composer textarea").fill("Oslo?")
    page.locator("#composer textarea").press("Enter")
    expect(page.locator('.turn[data-state="completed"]')).to_be_visible()
    page.goto(f"{page.url}&role=viewer")
    expect(page.locator(".viewer-line")).to_be_visible()
    page.get_by_role("button", name="Settings", exact=True).click()
    expect(page.get_by_role("dialog", name="Settings")).to_be_visible()
