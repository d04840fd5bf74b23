"""A real Chromium for the page tests."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, BrowserContext, Page, ProxySettings, expect, sync_playwright

from tests.clients import PATIENCE
from tests.conftest import Serve
from tests.pages import Somebody
from tests.proxy_server import ProxyServer
from tests.stories import Happening, write_story

# The shell is the same Chromium without a window's parts: a page loads in half the time and CPU.
NAMES = ("chromium-headless-shell", "chromium", "chromium-browser", "google-chrome")
FLAGS = ["--headless", "--no-sandbox", "--disable-gpu", "--disable-background-networking", "--disable-component-update"]


def chromium() -> str | None:
    """Return the path of a Chromium, None if there is none."""
    return next((path for name in NAMES if (path := shutil.which(name))), None)


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    executable = chromium()
    if executable is None:
        assert os.environ.get("CI") != "true", "Chromium is missing"
        pytest.skip("the tests of the page need Chromium (Debian: apt-get install chromium-headless-shell)")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=executable, args=FLAGS)
        yield browser
        browser.close()


@pytest.fixture
def context(browser: Browser) -> Iterator[BrowserContext]:
    """One person's browser; its tabs share storage."""
    with new_context(browser) as context:
        yield context


@pytest.fixture
def page(context: BrowserContext) -> Iterator[Page]:
    """A tab; any error in it, or request blocked by the page's policy, fails the test."""
    with new_page(context) as page:
        yield page


@pytest.fixture
def touch_page(browser: Browser) -> Iterator[Page]:
    """A tab of a phone."""
    expect.set_options(timeout=PATIENCE * 1000)
    context = browser.new_context(viewport={"width": 390, "height": 844}, has_touch=True, is_mobile=True)
    context.set_default_timeout(PATIENCE * 1000)
    with contextlib.closing(context), new_page(context) as page:
        yield page


@pytest.fixture
def trusting_page(browser: Browser) -> Iterator[Page]:
    """A tab of a browser that takes any certificate."""
    with new_context(browser, ignore_https_errors=True) as context, new_page(context) as page:
        yield page


@pytest.fixture
def network(browser: Browser) -> Iterator[tuple[Page, ProxyServer]]:
    """A tab that reaches everything through a proxy."""
    with ProxyServer() as proxy, new_context(browser, proxy.url("http")) as context, new_page(context) as page:
        yield page, proxy


@pytest.fixture
def somebody(browser: Browser) -> Iterator[Somebody]:
    """Open a tab in a separate browser for a person of that name."""
    with contextlib.ExitStack() as stack:

        def open_page(name: str) -> Page:
            context = stack.enter_context(new_context(browser))
            keep = f"localStorage.setItem('agentchat.name', {json.dumps(json.dumps(name))})"
            context.add_init_script(f"if (self === top) {keep}")  # a frame in a sandbox has no storage
            return stack.enter_context(new_page(context))

        yield open_page


@pytest.fixture
def tell(serve: Serve, page: Page, tmp_path: Path) -> Callable[..., Page]:
    """Open a conversation that was recorded before the server started."""

    def open_story(*happenings: Happening) -> Page:
        session = write_story(tmp_path / "data", happenings)
        page.goto(f"{serve('demo').page}?session={session}")
        expect(page.locator(".turn").first).to_be_visible()
        return page

    return open_story


@contextlib.contextmanager
def new_context(
    browser: Browser, proxy: str | None = None, ignore_https_errors: bool = False
) -> Iterator[BrowserContext]:
    expect.set_options(timeout=PATIENCE * 1000)
    through: ProxySettings | None = {"server": proxy} if proxy is not None else None
    context = browser.new_context(
        viewport={"width": 1280, "height": 800},
        reduced_motion="reduce",
        proxy=through,
        ignore_https_errors=ignore_https_errors,
    )
    context.set_default_timeout(PATIENCE * 1000)
    yield context
    context.close()


@contextlib.contextmanager
def new_page(context: BrowserContext) -> Iterator[Page]:
    page = context.new_page()
    problems: list[str] = []
    page.on("pageerror", lambda error: problems.append(str(error)))
    page.on("console", lambda message: problems.append(message.text) if "Content Security" in message.text else None)
    yield page
    assert problems == []
