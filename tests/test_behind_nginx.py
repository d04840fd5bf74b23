"""The page, the WebSocket and an event stream through a real nginx: below paths, on other ports, with TLS."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from urllib.parse import urlsplit

import httpx
import pytest
from playwright.sync_api import Page, expect
from websockets.sync.client import connect

from agentchat.auth.accounts import Accounts
from agentchat.http.public_files import load_files
from tests import front as proxies
from tests.accounts import PASSWORD, cheap
from tests.clients import PATIENCE
from tests.nginx import nginx
from tests.pages import say, session_of, turn
from tests.processes import ROOT
from tests.rest_client import SESSIONS
from tests.shared_servers import start

pytest_plugins = ["tests.browser"]

# /chat/ is cut off by the proxy, /kept/ is not.
INSIDE = """
        proxy_http_version 1.1;
        proxy_buffering off;
        proxy_set_header Host $http_host;
        proxy_set_header Upgrade $http_upgrade;
        proxy_set_header Connection $connection_upgrade;
        proxy_set_header X-Forwarded-For $proxy_add_x_forwarded_for;
        proxy_set_header X-Forwarded-Proto $scheme;
        proxy_set_header X-Forwarded-Host $http_host;
        proxy_set_header X-Forwarded-Prefix $prefix;
        proxy_set_header Forwarded "";
        set $prefix "";
        location /chat/ {{ set $prefix /chat; proxy_pass http://{netloc}/; }}
        location /kept {{ proxy_pass http://{netloc}; }}
"""


@dataclass(frozen=True)
class Front:
    """A proxy, and a token of somebody whom the server behind it knows."""

    proxy: proxies.Front
    token: str


@pytest.fixture(scope="module")
def front(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Front]:
    """Start a server of which Ada is the admin, and a proxy in front of it."""
    folder = tmp_path_factory.mktemp("front")
    (folder / "data").mkdir()
    with closing(Accounts(folder / "data", passwords=cheap())) as accounts:
        ada = accounts.add("ada", PASSWORD, "Ada", ("admin", "operator"))
        token, _ = accounts.add_token(ada.id, "ci", "write")
    options = ("--trusted-proxies", "127.0.0.1", "--public-url", "http://127.0.0.1:1/kept")
    with closing(start(["demo", "--data-dir", str(folder / "data"), *options], {})) as server:
        inside = INSIDE.format(netloc=urlsplit(server.page).netloc)
        with nginx(folder, inside) as proxy:
            yield Front(proxy, token)


@pytest.fixture
def tab(trusting_page: Page) -> Iterator[Page]:
    """A tab in which nothing is asked for in vain."""
    missing: list[str] = []
    trusting_page.on("response", lambda response: missing.append(response.url) if response.status == 404 else None)
    yield trusting_page
    assert missing == []


def log_in(page: Page) -> None:
    page.get_by_label("Login name").fill("ada")
    page.get_by_label("Password", exact=True).fill(PASSWORD)
    page.get_by_label("Password", exact=True).press("Enter")


def test_the_page(front: Front, tab: Page) -> None:
    """Login, conversation, links, desk and admin work below a path, with TLS, and ask for nothing outside of it."""
    base = f"{front.proxy.secure}/chat/"
    asked: list[str] = []
    tab.on("request", lambda request: asked.append(request.url))
    tab.on("websocket", lambda opened: asked.append(opened.url))

    tab.goto(f"{base}desk")
    expect(tab).to_have_url(f"{base}login?back=desk")
    log_in(tab)
    expect(tab).to_have_url(f"{base}desk")
    expect(tab.locator(".status-label")).to_have_text("Online")  # of the desk's event stream
    tab.get_by_role("link", name="To the chat").first.click()
    expect(tab).to_have_url(base)
    expect(tab.locator(".welcome")).to_be_visible()
    say(tab, "Hello")
    expect(tab.locator('.turn[data-turn="1"]')).to_have_attribute("data-state", "completed")
    session = session_of(tab)
    assert tab.url == f"{base}?session={session}"
    tab.reload()
    expect(turn(tab, 1)).to_be_visible()

    tab.get_by_role("button", name="People", exact=True).click()
    tab.get_by_role("button", name="Share…").click()
    tab.get_by_role("button", name="Make a link").click()
    expect(tab.get_by_label("Link", exact=True)).to_have_value(re.compile(f"^{re.escape(base)}#invitation="))
    tab.goto(f"{base}admin")
    expect(tab.locator(".admin-audit")).to_contain_text("127.0.0.1")

    cookies = {cookie["name"]: (cookie["path"], cookie["secure"]) for cookie in tab.context.cookies()}
    assert cookies == {"agentchat_login": ("/chat/", True), "agentchat_browser": ("/chat/", True)}
    sockets = base.replace("https:", "wss:")
    assert [url for url in asked if not url.startswith((base, sockets, "data:"))] == []
    assert any(url.startswith(f"{sockets}ws?") for url in asked)


def test_a_path_that_the_proxy_keeps(front: Front, tab: Page) -> None:
    """The server knows the path of its public address; a conversation works there, without TLS as well."""
    base = f"{front.proxy.plain}/kept/"
    tab.goto(base.rstrip("/"))
    expect(tab).to_have_url(f"{base}login?back=")
    log_in(tab)
    expect(tab).to_have_url(base)
    expect(tab.locator(".welcome")).to_be_visible()
    say(tab, "Hello")
    expect(turn(tab, 1)).to_have_attribute("data-state", "completed")
    cookies = {cookie["name"]: (cookie["path"], cookie["secure"]) for cookie in tab.context.cookies()}
    assert cookies == {"agentchat_login": ("/kept/", False), "agentchat_browser": ("/kept/", False)}


def test_programs(front: Front) -> None:
    """A WebSocket and an event stream come through at once, and everything is addressed from the client's view."""
    known = {"Authorization": f"Bearer {front.token}"}
    base = f"{front.proxy.secure}/chat"
    with httpx.Client(base_url=base, headers=known, verify=front.proxy.trust, timeout=PATIENCE) as client:
        session = client.post(SESSIONS, json={"agent": "weather"}).json()["id"]
        with client.stream("GET", f"{SESSIONS}/{session}/events", headers={"Accept": "text/event-stream"}) as stream:
            lines = stream.iter_lines()
            assert '"type":"connection_confirmed"' in next(line for line in lines if line.startswith("data:"))
            address = f"{base.replace('https', 'wss')}/ws?session={session}"
            origin = {"Origin": front.proxy.secure}
            with connect(address, additional_headers={**known, **origin}, ssl=front.proxy.trust) as socket:
                socket.send("hello")
                while json.loads(socket.recv(PATIENCE))["type"] != "turn_completed":
                    continue
            assert next(line for line in lines if '"type":"turn_completed"' in line)
        assert client.get("/ws").status_code == 426
        foreign = client.post(SESSIONS, json={}, headers={"Origin": front.proxy.plain})
        assert foreign.json()["error"]["code"] == "origin_refused"
        described = client.get("/api/openapi.json").json()["servers"]
        assert described == [{"url": ".."}]


def test_every_file_of_the_page(front: Front) -> None:
    """Each file of the page is there below the path, and none of them names an address outside of it."""
    files = load_files(ROOT / "website_files")
    with httpx.Client(verify=front.proxy.trust, timeout=PATIENCE) as client:
        for path, file in files.items():
            if path.startswith("/static/"):
                assert client.get(f"{front.proxy.secure}/chat{path}").content == file.body
            for absolute in (b'href="/', b'src="/', b'from "/', b'import("/', b"url(/", b'url("/', b'"/api', b"`/api"):
                if not file.is_kept:  # the others are made of these
                    assert absolute not in file.body or path.endswith("prose/blocks.js"), (path, absolute)
