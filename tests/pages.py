"""A person's actions on the page, and what the page shows."""

from __future__ import annotations

import re
from collections.abc import Callable

from playwright.sync_api import Locator, Page, expect

Somebody = Callable[[str], Page]
"""The fixture `somebody` of tests/browser.py."""

CUTTABLE = """
    window.sockets = [];
    window.isCut = false;
    window.WebSocket = class extends WebSocket {
        constructor(address) { super(window.isCut ? "ws://127.0.0.1:1/" : address); window.sockets.push(this); }
    };
    window.cut = () => { isCut = true; sockets.at(-1).close(); };
"""
"""Run before the page's scripts: `cut()` ends the connection, and no other comes about until `isCut` is false."""


def say(page: Page, text: str) -> None:
    page.locator("#composer textarea").fill(text)
    expect(page.get_by_role("button", name="Send", exact=True)).to_be_enabled()
    page.locator("#composer textarea").press("Enter")


def answers(page: Page) -> list[str]:
    return page.locator('.message[data-role="agent"] .prose').all_inner_texts()


def turn(page: Page, number: int) -> Locator:
    return page.locator(f'.turn[data-turn="{number}"]')


def session_of(page: Page) -> str:
    expect(page).to_have_url(re.compile(r"session="))
    found = re.search(r"session=([\w-]+)", page.url)
    assert found is not None
    return found[1]
