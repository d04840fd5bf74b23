"""Logging in: the first account, logins, tokens, tickets; and what ends with them."""

from __future__ import annotations

import json

import pytest
from websockets.exceptions import InvalidStatus
from websockets.sync.client import connect

from agentchat.auth.accounts import Accounts
from tests.browsers import API, PASSWORD, Browser, close_code
from tests.clients import PATIENCE
from tests.conftest import Serve
from tests.rest_client import SESSIONS

pytestmark = pytest.mark.own_server


@pytest.fixture
def ada(accounts: Accounts, serve: Serve) -> Browser:
    """Return the browser of Ada, who is logged in, on a server with accounts of Ada and Bob."""
    for login in ("ada", "bob"):
        accounts.add(login, PASSWORD)
    browser = Browser(serve("demo"))
    assert browser.log_in("ada").status == 200
    return browser


def test_the_first_account(serve: Serve) -> None:
    """The link that is printed at start makes the first account, once."""
    running = serve("demo", "--accounts")
    browser = Browser(running)
    assert browser.ask("GET", SESSIONS).status == 401
    secret = running.first_account.partition("#first=")[2]
    about = {"login": "ada", "password": PASSWORD, "name": "Ada"}

    assert browser.ask("POST", f"{API}/first-account", {**about, "secret": "guess"}).status == 404
    made = browser.ask("POST", f"{API}/first-account", {**about, "secret": secret})
    assert (made.status, made.json["roles"]) == (201, ["admin", "operator"])
    assert browser.ask("GET", SESSIONS).status == 200
    again = browser.ask("POST", f"{API}/first-account", {**about, "login": "eve", "secret": secret})
    assert again.status == 404


def test_a_login(ada: Browser) -> None:
    """A login gives a cookie that scripts cannot read, and that another login replaces."""
    first = ada.cookies["agentchat_login"]
    answer = ada.log_in("ada")
    [line] = [line for line in answer.headers.get_all("Set-Cookie") or [] if line.startswith("agentchat_login")]
    assert {"HttpOnly", "SameSite=Lax", "Path=/"} <= set(line.split("; "))
    assert ada.cookies["agentchat_login"] != first


def test_a_wrong_password(ada: Browser) -> None:
    """A wrong password and an unknown name are answered alike."""
    wrong, unknown = ada.log_in("ada", "not the password"), ada.log_in("nobody", "not the password")
    assert (wrong.status, wrong.code) == (unknown.status, unknown.code) == (401, "login_refused")
    assert wrong.json == unknown.json


def test_a_foreign_request_with_a_cookie(ada: Browser) -> None:
    """A cookie alone changes nothing: the request has to come from our own page."""
    login = f"agentchat_login={ada.cookies['agentchat_login']}"
    answer = ada.rest.ask("POST", SESSIONS, {}, {"Cookie": login})
    assert (answer.status, answer.code) == (403, "request_foreign")
    assert ada.rest.ask("GET", SESSIONS, None, {"Cookie": login}).status == 200


def test_sessions_belong_to_people(ada: Browser) -> None:
    """A conversation is there for the person who began it, and for nobody else."""
    id = ada.ask("POST", SESSIONS, {}).json["id"]
    bob = ada.another("bob")

    assert ada.ask("GET", f"{SESSIONS}/{id}").status == 200
    assert [entry["id"] for entry in ada.ask("GET", SESSIONS).json["sessions"]] == [id]
    assert bob.ask("GET", SESSIONS).json["sessions"] == []
    refused, unknown = bob.ask("GET", f"{SESSIONS}/{id}"), bob.ask("GET", f"{SESSIONS}/{'x' * len(id)}")
    assert (refused.status, refused.code) == (unknown.status, unknown.code) == (404, "session_unknown")


def test_logging_out_ends_connections(ada: Browser) -> None:
    """The WebSocket of a login ends with it, and its cookie is worth nothing any more."""
    cookies = dict(ada.cookies)
    with ada.connect() as client:
        assert json.loads(client.recv(PATIENCE))["content"]["name"] == "ada"
        assert ada.ask("POST", f"{API}/logout", {}).status == 204
        assert close_code(client) == 1008
    ada.cookies = cookies
    assert ada.ask("GET", SESSIONS).status == 401


def test_nobody_gets_a_websocket(ada: Browser) -> None:
    """A handshake of somebody unknown is refused with 401, and one with a cookie but no origin with 403."""
    login = ada.cookies.pop("agentchat_login")
    with pytest.raises(InvalidStatus) as refused, ada.connect():
        pass
    assert refused.value.response.status_code == 401
    with (
        pytest.raises(InvalidStatus) as refused,
        connect(ada.websocket, additional_headers={"Cookie": f"agentchat_login={login}"}),
    ):
        pass
    assert refused.value.response.status_code == 403


def test_a_token(ada: Browser, accounts: Accounts) -> None:
    """A program shows a token in a header, or a ticket once in the address."""
    user = accounts.by_login("ada")
    assert user is not None
    secret, token = accounts.add_token(user.id, "ci", "write")
    ada.cookies.clear()
    bearer = {"Authorization": f"Bearer {secret}"}
    assert ada.rest.ask("POST", SESSIONS, {}, bearer).status == 201
    ticket = ada.rest.ask("POST", f"{API}/ticket", {}, bearer).json["ticket"]
    with ada.connect(f"ticket={ticket}") as client:
        assert json.loads(client.recv(PATIENCE))["content"]["role"] == "member"
    with pytest.raises(InvalidStatus), ada.connect(f"ticket={ticket}"):
        pass
    with ada.connect(**bearer) as client:
        client.recv(PATIENCE)
        accounts.revoke(token.id)  # as the command line does
        assert close_code(client) == 1008
    assert ada.rest.ask("GET", SESSIONS, None, bearer).status == 401
