"""Pages of other sites can make a browser show our page, and do nothing else."""

from __future__ import annotations

import logging
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from urllib.parse import urlsplit

import pytest
from playwright.sync_api import Browser, Page, expect

from agentchat.app import Running
from tests.clients import wait_until
from tests.conftest import Serve
from tests.model_server import ModelServer
from tests.rest_client import SESSIONS, RestClient
from tests.test_http import ask

pytest_plugins = ["tests.browser"]

DESK = "/api/agent-chat/desk"
PATHS = [
    "/healthz", "/api/config", "/api/openapi.json", SESSIONS, f"{SESSIONS}?q=a", DESK, "/api/agent-chat/knowledge",
    "/api/agent-chat/memory?name=Ann", "/nothing",
]  # fmt: skip

LOAD = """
async targets => {
  const loaded = [];
  const load = (name, path, attribute = "src") => new Promise(done => {
    const element = document.createElement(name);
    element.onload = element.onerror = done;
    element[attribute] = path;
    if (name === "link") element.rel = "stylesheet";
    document.body.append(element);
    setTimeout(done, 3000);
  });
  for (const target of targets) {
    await Promise.all([
      load("img", target), load("script", target), load("iframe", target), load("link", target, "href"),
      load("audio", target), fetch(target, { mode: "no-cors" }).catch(() => {}), fetch(target).catch(() => {}),
      fetch(target, { mode: "no-cors", method: "POST", body: "{}" }).catch(() => {}),
      fetch(target, { mode: "no-cors", headers: { Accept: "text/event-stream" } }).catch(() => {}),
    ]);
    new EventSource(target);
    navigator.sendBeacon(target, "{}");
  }
}
"""


@pytest.fixture
def foreign() -> Iterator[int]:
    """Serve an empty page of somebody else; return its port."""

    class Empty(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200)
            self.send_header("Content-Type", "text/html")
            self.end_headers()
            self.wfile.write(b"<!doctype html><body></body>")

        def log_message(self, format: str, *args: object) -> None:
            """Say nothing."""

    with HTTPServer(("127.0.0.1", 0), Empty) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.05,))
        thread.start()
        yield server.server_port
        server.shutdown()
        thread.join()


@pytest.fixture
def stranger(browser: Browser) -> Iterator[Page]:
    """A tab in which errors are expected."""
    context = browser.new_context()
    yield context.new_page()
    context.close()


def statuses(caplog: pytest.LogCaptureFixture, path: str) -> set[int]:
    """The statuses of all answers at a path so far."""
    records = [record.args for record in caplog.records if record.name == "agentchat.http.handler"]
    return {args[2] for args in records if isinstance(args, tuple) and args[1] == path and isinstance(args[2], int)}


@pytest.mark.parametrize("site", ["cross-site", "same-site", "nonsense"])
def test_requests_from_other_sites(server: Running, site: str) -> None:
    """Everything but the public files is refused, whether the path exists or not."""
    for path in PATHS:
        for headers in ({}, {"Sec-Fetch-Mode": "navigate", "Sec-Fetch-Dest": "document"}, {"Accept": "*/*"}):
            answer = ask(server, path, **{"Sec-Fetch-Site": site}, **headers)
            assert (answer.status, answer.code) == (403, "origin_refused"), path
    for path in ("/", "/desk", "/static/js/chat.js"):
        assert ask(server, path, **{"Sec-Fetch-Site": site}).status == 200


def test_requests_from_here(server: Running) -> None:
    """Our own page, the person in the address bar, and programs are served."""
    for path in PATHS[:-1]:
        for headers in ({}, {"Sec-Fetch-Site": "same-origin"}, {"Sec-Fetch-Site": "none"}):
            assert ask(server, path, **headers).status == 200
    assert ask(server, "/api/config", **{"Sec-Fetch-Site": "cross-site"}, Origin=server.page.rstrip("/")).status == 200


def test_allowed_pages(serve: Serve, model: ModelServer) -> None:
    """Pages that are allowed say who they are, and are served; a path that isn't below /api/ is no exception."""
    server = serve("--origins", "https://chat.example.com", model=model)
    for path in PATHS[:-1]:
        here = {"Sec-Fetch-Site": "cross-site", "Origin": "https://chat.example.com"}
        assert ask(server, path, **here).status == 200
        assert ask(server, path, **{**here, "Origin": "https://evil.example"}).code == "origin_refused"
        assert ask(server, path, **{**here, "Sec-Fetch-Site": "none", "Origin": "null"}).code == "origin_refused"


@pytest.mark.parametrize("host", ["localhost", "127.0.0.1"])
def test_a_foreign_page(
    server: Running, foreign: int, stranger: Page, host: str, caplog: pytest.LogCaptureFixture
) -> None:
    """However it loads something, and whether it is of the same site or not, it gets and changes nothing."""
    origin = server.page.rstrip("/")
    tried = [path for path in PATHS if path != "/nothing"]
    stranger.goto(f"http://{host}:{foreign}/")
    with caplog.at_level(logging.DEBUG):
        stranger.evaluate(LOAD, [origin + path for path in [*tried, f"{DESK}?name=Eve"]])
        for path in tried:
            path = urlsplit(path).path
            wait_until(lambda path=path: statuses(caplog, path) != set())  # type: ignore[misc]
            assert statuses(caplog, path) == {403}, path
        operators = [each.message for each in caplog.records if "desk" in each.message and "200" in each.message]
    rest = RestClient(server)

    assert operators == []
    assert rest.get(SESSIONS).json["sessions"] == []
    assert rest.get(DESK).json["operators"] == []


@pytest.mark.parametrize("host", ["localhost", "127.0.0.1"])
def test_a_link_to_the_page(server: Running, foreign: int, stranger: Page, host: str) -> None:
    """A link on another site leads to the page, which works; a link to what is behind it doesn't."""
    stranger.goto(f"http://{host}:{foreign}/")
    stranger.evaluate("address => { location = address; }", server.page)
    expect(stranger.locator("#composer textarea")).to_be_enabled()
    stranger.goto(f"http://{host}:{foreign}/")
    stranger.evaluate("address => { location = address; }", f"{server.page}api/config")
    expect(stranger.locator("body")).to_contain_text("origin_refused")
