"""The login page, the way there and back, and what is done with one's own account, in a real browser."""

from __future__ import annotations

import os
import re
import socket
import subprocess
import sys
from collections.abc import Iterator

import httpx
import pytest
from playwright.sync_api import BrowserContext, Locator, Page, expect

from agentchat.app import Running
from agentchat.auth.accounts import Accounts
from tests.conftest import Serve
from tests.pages import Somebody, say, session_of, turn
from tests.rest_client import SESSIONS, RestClient

pytest_plugins = ["tests.browser"]
pytestmark = pytest.mark.own_server

PASSWORD = "correct horse battery"
API = "api/agent-chat"


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


def come_in(page: Page, server: Running, login: str = "ada") -> None:
    page.goto(server.page)
    log_in(page, login)
    expect(page.locator(".welcome")).to_be_visible()


def id_of(accounts: Accounts, login: str) -> str:
    user = accounts.by_login(login)
    assert user is not None
    return user.id


def account(page: Page) -> Locator:
    return page.locator(".account-button")


def open_profile(page: Page) -> Locator:
    account(page).click()
    page.get_by_role("button", name="Your profile").click()
    return page.get_by_role("dialog")


def talk(page: Page, server: Running) -> None:
    """Log Ada in, and let her begin a conversation."""
    come_in(page, server)
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
    back = f"{team.page}?session=s%261&role=viewer#invitation=a_b-c"  # the page then takes the invitation away
    with (
        page.expect_event("framenavigated", lambda frame: frame.url == back),
        page.expect_request("**/login") as sent,
    ):
        page.get_by_role("button", name="Log in").click()
    assert sent.value.post_data_json == {"login": "ada", "password": PASSWORD}
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
    """Guessing is answered with a time to wait, after which one can go on."""
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
    """An error at the login provider is told in words, and not again after a reload."""
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
    expect(account(page)).to_be_hidden()
    page.get_by_role("button", name="Settings", exact=True).click()
    expect(page.get_by_label("Your name")).to_be_visible()


def test_a_login_that_ends(team: Running, page: Page) -> None:
    """Being logged out elsewhere leads to the login page and back, with what was not sent."""
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
    come_in(page, team)
    context.clear_cookies(name="agentchat_login")
    say(page, "Hello")
    expect_login_page(page)
    log_in(page)
    expect(turn(page, 1)).to_have_attribute("data-state", "completed")
    expect(page.locator('.message[data-role="person"]')).to_contain_text("Hello")


def test_the_desk_is_for_operators(team: Running, accounts: Accounts, page: Page) -> None:
    """The desk leads to the login page and back, wants an operator, and calls them what their account does."""
    page.goto(f"{team.page}desk")
    expect(page).to_have_url(f"{team.page}login?back=desk")
    log_in(page)
    expect(page.get_by_text("The desk is for operators.")).to_be_visible()
    expect(page.locator(".desk")).to_be_hidden()
    expect(page.get_by_label("Your name")).to_be_hidden()

    accounts.set_roles(id_of(accounts, "ada"), {"operator"})
    page.reload()
    expect(page.locator(".desk-note")).to_contain_text("Nobody waits.")
    expect(account(page)).to_contain_text("AdaOperator")
    expect(page.get_by_role("button", name="Change", exact=True)).to_be_hidden()
    logs_out_elsewhere(page, team)
    expect_login_page(page, "desk")


def test_the_account_menu(team: Running, page: Page) -> None:
    """The account's name stands on the page, where no other can be typed; logging out leaves nothing behind."""
    come_in(page, team)
    expect(account(page)).to_contain_text("Ada")
    page.get_by_role("button", name="Settings", exact=True).click()
    for words in ("Your name", "Operator desk", "What is remembered about you"):
        expect(page.locator(".settings").get_by_text(words, exact=True)).to_be_hidden()
    page.locator(".settings").get_by_role("button", name="Your profile").click()
    expect(page.get_by_role("dialog", name="Your profile")).to_be_visible()
    page.keyboard.press("Escape")
    page.locator("#composer textarea").fill("a secret of Ada's")

    account(page).press("Enter")
    expect(page.get_by_role("button", name="Your profile")).to_be_focused()
    page.get_by_role("button", name="Log out", exact=True).click()
    expect(page).to_have_url(f"{team.page}login")
    assert "secret" not in page.evaluate("JSON.stringify([localStorage, sessionStorage])")


def test_logging_out_everywhere(team: Running, page: Page, somebody: Somebody) -> None:
    """All browsers of a person come to the login page, and none of somebody else."""
    elsewhere = somebody("")
    talk(elsewhere, team)
    come_in(page, team)
    account(page).click()
    page.get_by_role("button", name="Log out everywhere").click()
    expect(page).to_have_url(f"{team.page}login")
    expect_login_page(elsewhere, "%3Fsession%3D")


def test_somebody_else_logs_in(team: Running, page: Page, context: BrowserContext) -> None:
    """Unsent words of one person are not there for the next one, and a tab never mixes two people."""
    come_in(page, team)
    page.locator("#composer textarea").fill("a secret of Ada's")
    origin = {"Origin": team.page.rstrip("/")}
    body = {"login": "bob", "password": PASSWORD}
    assert page.request.post(f"{team.page}{API}/login", data=body, headers=origin).ok
    page.evaluate("dispatchEvent(new Event('focus'))")
    expect(account(page)).to_contain_text("Bob")
    expect(page.locator("#composer textarea")).to_have_value("")
    assert "secret" not in page.evaluate("JSON.stringify([localStorage, sessionStorage])")


def test_the_profile(team: Running, accounts: Accounts, page: Page) -> None:
    """A person changes their name, colour and language."""
    talk(page, team)
    dialog = open_profile(page)
    dialog.get_by_label("Name", exact=True).fill("Ada <b>Lovelace</b>")
    dialog.get_by_label("Blue").check()
    dialog.get_by_label("Language").select_option(label="Italian")
    dialog.get_by_role("button", name="Save").click()
    expect(dialog.get_by_role("status").first).to_have_text("Saved.")
    ada = accounts.by_login("ada")
    assert ada is not None
    assert (ada.name, ada.colour, ada.language) == ("Ada <b>Lovelace</b>", "#2f6fb5", "it")
    page.keyboard.press("Escape")
    expect(dialog).to_be_hidden()
    expect(account(page)).to_contain_text("Ada <b>Lovelace</b>")
    expect(page.locator(".participant-name")).to_have_text("Ada <b>Lovelace</b>")
    dialog = open_profile(page)
    expect(dialog.get_by_label("Blue")).to_be_checked()
    dialog.get_by_label("Name", exact=True).fill(" ")
    dialog.get_by_role("button", name="Save").click()
    expect(dialog.locator(".field-problem").first).to_contain_text("cannot be")


def test_logins_on_other_devices(team: Running, page: Page, somebody: Somebody) -> None:
    """A login in another browser is listed, and ends at once."""
    elsewhere = somebody("")
    talk(elsewhere, team)
    come_in(page, team)
    dialog = open_profile(page)
    rows = dialog.get_by_role("list", name="Your logins").get_by_role("listitem")
    expect(rows).to_have_count(2)
    expect(rows.filter(has_text="this browser").get_by_role("button")).to_have_count(0)
    dialog.get_by_role("button", name=re.compile("End the login of Chrome on Linux")).click()
    expect(rows).to_have_count(1)
    expect_login_page(elsewhere, "%3Fsession%3D")


def test_tokens(team: Running, page: Page) -> None:
    """A token is shown once, works, and is worth nothing once it is revoked."""
    come_in(page, team)
    rest = RestClient(team)
    dialog = open_profile(page)
    dialog.get_by_role("button", name="New token").click()
    dialog.get_by_label("Name of the program").fill("nightly")
    expect(dialog.get_by_label("It may").get_by_role("option")).to_have_text(["Read", "Read and write"])
    dialog.get_by_label("It may").select_option("write")
    dialog.get_by_role("button", name="Make the token").click()
    expect(dialog.get_by_role("button", name="Copy the token")).to_be_focused()
    token = dialog.locator(".own-token").inner_text()
    bearer = {"Authorization": f"Bearer {token}"}
    assert rest.ask("POST", SESSIONS, {}, bearer).status == 201

    dialog.get_by_role("button", name="Close").click()
    expect(page.locator(".profile")).to_be_empty()
    assert token not in page.content()
    dialog = open_profile(page)
    expect(dialog.get_by_role("list", name="Your tokens")).to_contain_text("write · last used now")
    dialog.get_by_role("button", name="Revoke nightly").click()
    dialog.get_by_role("button", name="Revoke", exact=True).click()
    expect(dialog.get_by_role("list", name="Your tokens").get_by_role("listitem")).to_have_count(0)
    assert rest.ask("GET", SESSIONS, None, bearer).status == 401


def test_changing_the_password(team: Running, accounts: Accounts, page: Page) -> None:
    """A new password takes the old one, and the page goes on."""
    talk(page, team)
    dialog = open_profile(page)
    dialog.get_by_role("button", name="Change password").click()
    dialog.get_by_label("Password now").fill("wrong")
    dialog.get_by_label("New password", exact=True).fill("an entirely new one")
    dialog.get_by_label("New password again").fill("another one")
    change = dialog.get_by_role("button", name="Change it")
    change.click()
    problem = dialog.locator(".form-box .field-problem")
    expect(problem).to_have_text("The two new passwords are not the same.")
    dialog.get_by_label("New password again").fill("an entirely new one")
    change.click()
    expect(problem).to_have_text("This login name and password do not belong together.")
    dialog.get_by_label("Password now").fill(PASSWORD)
    change.click()
    expect(dialog.get_by_role("status").first).to_contain_text("Your password is changed.")
    assert accounts.check_password("ada", PASSWORD) is None
    assert accounts.check_password("ada", "an entirely new one") is not None
    page.keyboard.press("Escape")
    say(page, "Still here")
    expect(turn(page, 2)).to_have_attribute("data-state", "completed")


def test_all_that_is_mine(team: Running, accounts: Accounts, page: Page) -> None:
    """A person downloads all that is theirs, and deletes it with their password."""
    talk(page, team)
    dialog = open_profile(page)
    with page.expect_download() as download:
        dialog.get_by_role("link", name="Download all that is yours").click()
    assert download.value.suggested_filename == "agentchat.zip"
    dialog.get_by_role("button", name="Delete all that is yours").click()
    confirm = dialog.get_by_label("Your password", exact=True)
    confirm.fill("wrong")
    dialog.get_by_role("button", name="Delete all", exact=True).click()
    expect(dialog.locator(".form-box .field-problem")).to_contain_text("do not belong together")
    assert accounts.by_login("ada") is not None
    confirm.fill(PASSWORD)
    dialog.get_by_role("button", name="Delete all", exact=True).click()
    expect(page).to_have_url(re.compile(r"/login"))
    assert accounts.by_login("ada") is None


@pytest.fixture
def provider() -> Iterator[str]:
    """Start a login provider from PyPI that knows Maria, and return its address."""
    command = [sys.executable, "-m", "oidc_provider_mock", "--port", "0", "--require-nonce"]
    process = subprocess.Popen(command, stderr=subprocess.PIPE, text=True, env={**os.environ, "NO_COLOR": "1"})
    try:
        assert process.stderr is not None
        found = next(filter(None, (re.search(r"http://127\.0\.0\.1:\d+", line) for line in process.stderr)))
        httpx.put(f"{found[0]}/users/m-1", json={"preferred_username": "maria", "name": "María"}).raise_for_status()
        yield found[0]
    finally:
        process.terminate()
        process.communicate()


def test_single_sign_on(serve: Serve, provider: str, page: Page) -> None:
    """A login over another server leads to where one wanted to be, with the fragment, also after an error."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = str(free.getsockname()[1])
    origin = f"http://127.0.0.1:{port}"
    registration = {"redirect_uris": [f"{origin}/{API}/oidc/callback"]}
    ours = httpx.post(f"{provider}/oauth2/clients", json=registration).raise_for_status().json()
    names = ["--oidc-issuer", provider, "--oidc-client-id", ours["client_id"]]
    serve("demo", "--accounts", *names, f"--oidc-client-secret={ours['client_secret']}", "--port", port)
    page.route("https://**", lambda route: route.abort())  # the provider's style sheet
    page.goto(f"{origin}/?role=viewer#there")
    page.get_by_role("link", name="single sign-on").click()
    page.get_by_role("button", name="Deny").click()
    expect(page.locator(".login-error")).to_contain_text("Log in again.")  # this provider leaves the state out
    page.get_by_role("link", name="single sign-on").click()
    page.get_by_placeholder("sub").fill("m-1")
    page.get_by_role("button", name="Authorize", exact=True).click()
    expect(page).to_have_url(f"{origin}/?role=viewer#there")
    expect(account(page)).to_contain_text("María")
    dialog = open_profile(page)
    expect(dialog.get_by_role("button", name="Change password")).to_have_count(0)
    dialog.get_by_role("button", name="Delete all that is yours").click()
    expect(dialog.get_by_label("Your login name")).to_be_focused()
