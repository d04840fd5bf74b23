"""The cookie that identifies a browser, among other cookies."""

from __future__ import annotations

import json
from collections.abc import Callable
from http.cookies import SimpleCookie

import pytest
from websockets.sync.client import connect

from agentchat.app import Running
from tests.clients import PATIENCE, ChatClient
from tests.model_server import ModelServer
from tests.remembering import (
    MEMORY,
    ONE,
    known,
    memory,
    notes,
    remember,
)
from tests.rest_client import Conversation, RestClient

pytestmark = pytest.mark.all_agents


@pytest.fixture
def concierge(rest: RestClient) -> Callable[[], Conversation]:
    return lambda: rest.new_session(agent="concierge")


@pytest.mark.parametrize("path", ["/", "/desk"])
def test_a_browser_gets_a_cookie(rest: RestClient, path: str) -> None:
    """Each browser gets one cookie, its own, that scripts and other sites can't read, unless it already has one."""
    first, second = rest.get(path), rest.get(path)
    [cookie] = first.headers.get_all("Set-Cookie", [])
    parsed = SimpleCookie(cookie)["agentchat_browser"]

    assert (parsed["httponly"], parsed["samesite"], parsed["path"]) == (True, "Lax", "/")
    assert (int(parsed["max-age"]) > 180 * 24 * 3600, parsed["domain"]) == (True, "")
    assert len(parsed.value) >= 32
    assert second.headers["Set-Cookie"] != cookie
    for given in (f"agentchat_browser={parsed.value}", f"theme=dark; agentchat_browser={parsed.value}"):
        assert rest.ask("GET", path, headers={"Cookie": given}).headers.get_all("Set-Cookie") is None
    unchanged = rest.ask("GET", path, headers={"If-None-Match": first.headers["ETag"]})
    assert (unchanged.status, len(unchanged.headers.get_all("Set-Cookie", []))) == (304, 1)


def test_what_is_no_page_sets_no_cookie(rest: RestClient, session: Conversation) -> None:
    """Only pages set the cookie; API responses and parts of the page don't."""
    for path in (session.path, MEMORY + "?name=Ann", "/static/js/chat.js", "/healthz", "/nothing"):
        assert rest.get(path).headers.get_all("Set-Cookie") is None


@pytest.mark.parametrize(
    "stranger",
    [
        'settings={"a":1}; ',
        "no equals sign; ",
        "bad[name]=x; ",
        ";; ,;",
        "=; ",
        'open="quote; ',
        "ø=ø; ",
        "x" * 4000 + "; ",
    ],
)
def test_what_other_cookies_hold_does_no_harm(
    rest: RestClient, server: Running, concierge: Callable[[], Conversation], model: ModelServer, stranger: str
) -> None:
    """Our cookie is found among those that other servers on this machine set."""
    remember(concierge(), model, {"name": "Ann", "cookie": ONE}, "likes", "cats")
    header = (stranger + ONE).encode().decode("latin-1")

    for cookie in (header, f"{ONE}; {header.removesuffix(ONE)}"):
        assert notes(rest, {"name": "Ann", "cookie": cookie}) == {"likes": "cats"}
        assert rest.ask("GET", "/", headers={"Cookie": cookie}).headers.get_all("Set-Cookie") is None
    if header.isascii():
        with ChatClient(server.websocket, cookie=header, agent="concierge", name="Ann") as client:
            client.confirmed()
            client.ask("Who am I?")
        assert known(model) == "likes: cats"


def test_cookies_in_two_headers(server: Running, concierge: Callable[[], Conversation], model: ModelServer) -> None:
    """Cookies split into two headers, as proxies may do, are read as one."""
    remember(concierge(), model, {"name": "Ann", "cookie": ONE}, "likes", "cats")
    headers = [("Cookie", "theme=dark"), ("Cookie", ONE)]
    address = f"{server.websocket}?agent=concierge&name=Ann"
    with connect(address, additional_headers=headers, proxy=None) as socket:
        socket.send("Who am I?")
        while json.loads(socket.recv(timeout=PATIENCE))["type"] != "turn_completed":
            pass

    assert known(model) == "likes: cats"


def test_a_cookie_of_nonsense(rest: RestClient, server: Running) -> None:
    """An invalid cookie is ignored: the page sets a new one, and connections are identified by name."""
    for cookie in ("agentchat_browser", "agentchat_browser=", "other=agentchat_browser", "=" * 1000):
        answer = rest.ask("GET", "/", headers={"Cookie": cookie})
        assert (answer.status, len(answer.headers.get_all("Set-Cookie", []))) == (200, 1)
        assert (
            memory(rest, {"name": "Ann", "cookie": cookie}).json["user"] == memory(rest, {"name": "Ann"}).json["user"]
        )
        with ChatClient(server.websocket, cookie=cookie, agent="weather") as client:
            assert client.confirmed()["name"] == "user"
