"""The login page, the way there and back, and what is done with one's own account, in a real browser."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
from playwright.sync_api import BrowserContext, Page, expect

from agentchat.app import Running
from agentchat.auth.accounts import Accounts
from tests.conftest import Serve
from tests.pages import say, session_of, turn

pytest_plugins = ["tests.browser"]
pytestmark = pytest.mark.own_server

PASSWORD = "correct horse battery"
API = "api/agent-chat"


@pytest.fixture
def accounts(tmp_path: Path) -> Iterator[Accounts]:
    folder = tmp_path / "data"
    folder.mkdir()
    with closing(Accounts(folder)) as accounts:
        yield accounts


@pytest.fixture
def team(accounts: Accounts, serve: Serve) -> Running:
    """Start a server with accounts of Ada and Bob."""
    for login in ("ada", "bob"):
        accounts.add(login, PASSWORD, login.title())
    return serve("demo")


def log_in(page: Page, login: str = "ada", password: str = PASSWORD) -> None:
    page.get_by_label("Login name").fill(login)
    page.get_by_label("Password", exact=True).fill(password)
    page.get_by_label("Password", exact=True).press("Enter")


def talk(page: Page, server: Running) -> None:
    """Log Ada in, and let her begin a conversation."""
    page.goto(server.page)
    log_in(page)
    expect(page.locator(".welcome")).to_be_visible()
    say(page, "Hello")
    expect(turn(page, 1)).to_have_attribute("data-state", "completed")


def problem(page: Page) -> str:
    alert = page.locator(".field-problem")
    expect(alert).not_to_be_empty()
    return alert.inner_text()


def logs_out_elsewhere(page: Page, server: Running) -> None:
    """Log this browser out, as another tab does."""
    answer = page.request.post(f"{server.page}{API}/logout", data={}, headers={"Origin": server.page.rstrip("/")})
    assert answer.status == 204


def expect_login_page(page: Page, back: str = "") -> None:
    expect(page).to_have_url(re.compile(rf"/login\?back={re.escape(back)}"))
    expect(page.get_by_label("Login name")).to_be_focused()


def test_the_first_account(serve: Serve, page: Page) -> None:
    """The link makes the first account; its secret stays nowhere, and works once."""
    server = serve("demo", "--accounts")
    page.goto(f"{server.page}login")
    expect(page.locator(".login-note")).to_contain_text("Open the link that the server printed")

    page.goto("about:blank")
    page.goto(server.first_account)
    expect(page.get_by_role("heading")).to_have_text("Make the first account")
    assert page.url == f"{server.page}login"
    page.get_by_label("Your name").fill("Ada Lovelace")
    page.get_by_label("Login name").fill("ada")
    page.get_by_label("Password", exact=True).fill("short")
    page.get_by_label("Password again").fill("shorter")
    page.get_by_role("button", name="Make the account").click()
    assert problem(page) == "The two passwords are not the same."
    page.get_by_label("Password again").fill("short")
    page.get_by_label("Password again").press("Enter")
    expect(page.locator(".field-problem")).to_contain_text("This password cannot be used")
    for field in ("Password", "Password again"):
        page.get_by_label(field, exact=True).fill(PASSWORD)
    page.get_by_role("button", name="Make the account").click()
    expect(page).to_have_url(server.page)
    expect(page.locator(".welcome")).to_be_visible()
    secret = server.first_account.partition("=")[2]
    assert secret not in page.evaluate("JSON.stringify([localStorage, sessionStorage])")

    logs_out_elsewhere(page, server)
    page.goto("about:blank")
    page.goto(server.first_account)
    expect(page.locator(".login-note")).to_contain_text("used already")
    log_in(page)
    expect(page).to_have_url(server.page)


def test_a_login(team: Running, page: Page) -> None:
    """Wrong passwords are refused in place, and a login leads to where one wanted to be, in words and fragment."""
    page.goto(f"{team.page}?session=s%261&role=viewer#invitation=a_b-c")
    expect_login_page(page, "%3Fsession%3Ds%25261%26role%3Dviewer")
    for field, autocomplete in (("Login name", "username"), ("Password", "current-password")):
        expect(page.get_by_label(field, exact=True)).to_have_attribute("autocomplete", autocomplete)
    log_in(page, password="wrong")
    assert problem(page) == "This login name and password do not belong together."
    password = page.get_by_label("Password", exact=True)
    expect(password).to_be_focused()
    expect(password).to_have_attribute("aria-invalid", "true")

    page.get_by_role("button", name="Show password").click()
    expect(password).to_have_attribute("type", "text")
    password.fill(PASSWORD)
    with page.expect_request("**/login") as sent:
        page.get_by_role("button", name="Log in").click()
    assert sent.value.post_data_json == {"login": "ada", "password": PASSWORD}
    expect(page).to_have_url(f"{team.page}?session=s%261&role=viewer#invitation=a_b-c")
    expect(page.locator(".app")).to_be_visible()


@pytest.mark.parametrize("back", ["//evil.example/", "https://evil.example/", "\\\\evil.example", "javascript:alert()"])
def test_no_login_leads_elsewhere(team: Running, page: Page, back: str) -> None:
    """An address that is none of our pages is no way back, before or after a login."""
    wanted = []
    page.on("request", lambda request: wanted.append(request.url))
    page.goto(f"{team.page}login?back={back}")
    log_in(page)
    expect(page).to_have_url(team.page)
    page.goto(f"{team.page}login?back={back}")
    expect(page).to_have_url(team.page)
    assert not [url for url in wanted if "evil" in url and not url.startswith(team.page)]


def test_too_many_attempts(team: Running, page: Page) -> None:
    """Whoever guesses is told to wait, and can go on when the time is over."""
    page.clock.install()
    page.goto(f"{team.page}login")
    button = page.locator(".login-form [type=submit]")
    for _ in range(20):
        with page.expect_response("**/login") as answer:
            log_in(page, password="wrong")
        expect(button).to_have_attribute("aria-disabled", "true" if answer.value.status == 429 else "false")
        if answer.value.status == 429:
            break
    seconds = int(answer.value.headers["retry-after"])
    assert problem(page) == f"There were too many attempts. Wait {seconds} seconds and try again."
    expect(button).to_have_text(f"Wait {seconds} s")
    page.clock.run_for(seconds * 1000)
    expect(button).to_have_text("Log in")
    expect(button).to_have_attribute("aria-disabled", "false")


def test_errors_of_a_login_provider(team: Running, page: Page) -> None:
    """What went wrong at the login provider is told in words, and not again after a reload."""
    page.goto(f"{team.page}login#error=oidc_refused")
    expect(page.get_by_role("alert").first).to_have_text("The login provider did not let you in.")
    assert page.url == f"{team.page}login"
    expect(page.locator(".login-openid")).to_be_hidden()
    page.reload()
    expect(page.get_by_label("Login name")).to_be_focused()
    expect(page.locator(".login-error")).to_be_hidden()


def test_nobody_has_to_log_in(serve: Serve, page: Page) -> None:
    """Where nobody has to log in, the login page leads on, and there is no account on the page."""
    server = serve("demo")
    page.goto(f"{server.page}login?back=desk")
    expect(page).to_have_url(f"{server.page}desk")
    page.goto(server.page)
    expect(page.locator(".welcome")).to_be_visible()


def test_a_login_that_ends(team: Running, page: Page) -> None:
    """Whoever is logged out elsewhere comes to the login page and back, with what they had not sent."""
    talk(page, team)
    session = session_of(page)
    page.locator("#composer textarea").fill("half a thought")
    logs_out_elsewhere(page, team)
    expect_login_page(page, f"%3Fsession%3D{session}")

    log_in(page)
    expect(page).to_have_url(f"{team.page}?session={session}")
    expect(turn(page, 1)).to_have_attribute("data-state", "completed")
    expect(page.locator("#composer textarea")).to_have_value("half a thought")


def test_a_websocket_that_is_refused(team: Running, page: Page, context: BrowserContext) -> None:
    """A handshake that is refused leads to the login page, and what was sent in vain is sent after the login."""
    page.goto(team.page)
    log_in(page)
    expect(page.locator(".welcome")).to_be_visible()
    context.clear_cookies(name="agentchat_login")
    say(page, "Hello")
    expect_login_page(page)
    log_in(page)
    expect(turn(page, 1)).to_have_attribute("data-state", "completed")
    expect(page.locator('.message[data-role="person"]')).to_contain_text("Hello")


def test_the_desk_leads_to_the_login_page(team: Running, page: Page) -> None:
    """Whoever is logged out while at the desk comes to the login page and back."""
    page.goto(f"{team.page}desk")
    expect_login_page(page, "desk")
    log_in(page)
    expect(page).to_have_url(f"{team.page}desk")
