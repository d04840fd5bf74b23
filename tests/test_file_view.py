"""Files as browsers show them in a frame: with their own type, and nothing that they load or run."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
from playwright.sync_api import BrowserContext, expect

from agentchat.app import Running
from agentchat.workspace.prepared import digest_of
from tests.rest_client import Answer, Conversation

pytest_plugins = ["tests.browser"]

FRAME = """(address) => {
    const frame = document.createElement("iframe");
    frame.src = address;
    frame.className = "tried";
    document.body.prepend(frame);
}"""


class Trap(ThreadingHTTPServer):
    """A server that notes what it was asked for."""

    def __init__(self) -> None:
        self.asked: list[str] = []
        super().__init__(("127.0.0.1", 0), TrapHandler)
        self.address = f"http://127.0.0.1:{self.server_address[1]}"


class TrapHandler(BaseHTTPRequestHandler):
    server: Trap

    def do_GET(self) -> None:
        self.server.asked.append(self.path)
        self.send_error(404)

    def log_message(self, *about: object) -> None:
        pass


@pytest.fixture
def trap() -> Iterator[Trap]:
    with Trap() as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield server
        server.shutdown()
        thread.join()


def hostile(address: str) -> bytes:
    """Return a page that tries to run scripts, and to reach a server in many ways."""
    return f"""<!doctype html><meta charset="utf-8"><title>Page</title>
        <meta http-equiv="refresh" content="0;url={address}/refresh">
        <link rel="stylesheet" href="{address}/sheet"><link rel="preload" as="image" href="{address}/preload">
        <link rel="prefetch" href="{address}/prefetch"><link rel="preconnect" href="{address}">
        <style>@import url({address}/import);
        body {{ background: url({address}/background) }} h1 {{ color: red }}</style>
        <script>document.documentElement.dataset.ran = "script"</script><script src="{address}/script"></script>
        <body onload="document.documentElement.dataset.ran = 'onload'"><h1>Größe</h1>
        <img src="{address}/image" onerror="document.documentElement.dataset.ran = 'onerror'">
        <iframe src="{address}/frame"></iframe><object data="{address}/object"></object><video src="{address}/video">
        <form action="{address}/form"></form>""".encode()


def put(session: Conversation, path: str, content: bytes) -> None:
    assert session.client.ask("PUT", f"{session.path}/files/{path}", content).status in {200, 201}


def policy(answer: Answer) -> set[str]:
    return set(answer.headers["Content-Security-Policy"].split("; "))


def test_a_hostile_page(context: BrowserContext, server: Running, session: Conversation, trap: Trap) -> None:
    """Its words are shown in their style; no script of it runs, and nobody is asked for anything, in any place."""
    put(session, "page.html", hostile(trap.address))
    view = f"http://{session.client.netloc}{session.path}/files/page.html/view"
    page = context.new_page()
    page.goto(server.page)
    page.evaluate(FRAME, view)
    frame = page.frame_locator(".tried")
    expect(frame.get_by_role("heading", name="Größe")).to_have_css("color", "rgb(255, 0, 0)")
    page.wait_for_load_state("networkidle")
    assert frame.locator("html").get_attribute("data-ran") is None

    page.goto(view, wait_until="networkidle")
    expect(page.get_by_role("heading", name="Größe")).to_be_visible()
    assert page.locator("html").get_attribute("data-ran") is None
    assert trap.asked == []


@pytest.mark.parametrize(
    ("path", "type"),
    [
        ("a.html", "text/html; charset=utf-8"),
        ("a.HTM", "text/html; charset=utf-8"),
        ("a.svg", "image/svg+xml"),
        ("a.png", "image/png"),
        ("a.pdf", "application/pdf"),
    ],
)
def test_types(session: Conversation, path: str, type: str) -> None:
    """Files are shown with their own type, which browsers don't guess, and a policy; only PDF has no sandbox."""
    put(session, path, b"content")
    answer = session.get(f"/files/{path}/view")
    assert (answer.status, answer.body, answer.headers["Content-Type"]) == (200, b"content", type)
    assert answer.headers["X-Content-Type-Options"] == "nosniff"
    assert answer.headers["Content-Disposition"] == f"inline; filename*=UTF-8''{path}"
    assert {"default-src 'none'", "frame-ancestors 'self'"} < policy(answer)
    assert ("sandbox" in policy(answer)) == (type != "application/pdf")


@pytest.mark.parametrize("path", ["a.txt", "a.js", "a.xhtml", "a.xml", "html", "a.html%20x"])
def test_what_is_not_shown(session: Conversation, path: str) -> None:
    """Anything else is an attachment without a type."""
    put(session, path, b"<script>")
    answer = session.get(f"/files/{path}/view")
    assert answer.headers["Content-Type"] == "application/octet-stream"
    assert answer.headers["Content-Disposition"].startswith("attachment;")
    assert "sandbox" in policy(answer)


def test_versions(session: Conversation) -> None:
    for content in (b"one", b"two"):
        put(session, "a.html", content)
    assert session.get("/files/a.html/view").body == b"two"
    assert session.get("/files/a.html/view", version=digest_of(b"one")).body == b"one"
    assert session.get("/files/a.html/view", version=digest_of(b"three")).code == "version_unknown"
