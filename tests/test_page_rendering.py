"""Rendered texts in a browser: whatever people and agents write, nothing runs and nobody is told."""

from __future__ import annotations

import functools
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from urllib.parse import urlencode

import brs_kb
import pytest
from playwright.sync_api import Dialog, Page, Request, expect

from agentchat.app import Running
from agentchat.http.requests import MAX_TEXTS
from agentchat.rendering import sanitizing
from tests.rest_client import RestClient
from tests.test_rendering import html

pytest_plugins = ["tests.browser"]

PIXEL = bytes.fromhex(
    "89504e470d0a1a0a0000000d49484452000000010000000108060000001f15c4890000000d49444154789c63f8ffff3f0300080602fe"
    "a35c6ff50000000049454e44ae426082"
)
WATCH = """() => {
    window.violations = [];
    document.addEventListener("securitypolicyviolation", (event) => violations.push(event.blockedURI));
}"""
SHOW = """async (texts) => {
    const policy = trustedTypes.createPolicy("prose", { createHTML: (html) => html });
    const shown = document.createElement("div");
    document.body.append(shown);
    const odd = new Set();
    for (const text of texts) {
        shown.innerHTML = policy.createHTML(text);
        for (const element of shown.querySelectorAll("*")) {
            if (element.matches("form, iframe, object, embed, style, script, link, base, meta, svg, textarea, select"))
                odd.add(element.localName);
            for (const { name } of element.attributes)
                if (/^(on|style$|id$|name$|srcset|formaction|xlink)/.test(name)) odd.add(name);
            const link = element.closest("a[href]");
            if (link && !["http:", "https:", "mailto:"].includes(link.protocol)) odd.add(link.href);
            element.click?.();
        }
        for (const element of shown.querySelectorAll("a, button"))
            for (const type of ["mouseover", "focus", "pointerdown", "keydown"]) element.dispatchEvent(new Event(type));
    }
    await new Promise((done) => setTimeout(() => requestAnimationFrame(done)));  // images are asked for by then
    return [...odd, ...violations];
}"""
FRAME = """(path) => {
    const frame = document.createElement("iframe");
    frame.src = path;
    document.body.replaceChildren(frame);
}"""


@pytest.fixture
def bare_page(server: Running, page: Page) -> Page:
    """Return a page of ours, with its policy, in which no link leads anywhere."""
    page.goto(server.page + "nothing")  # the answer has the policy of all pages
    page.evaluate(WATCH)
    page.evaluate('addEventListener("click", (event) => event.preventDefault())')
    return page


@functools.cache
def payloads() -> list[str]:
    """A published collection of what has run in somebody's page."""
    found = {str(payload["payload"]) for payload in brs_kb.get_all_payloads().values()}
    return sorted(found)


def watch(page: Page, server: Running) -> list[str]:
    """Return a list to which every request to somewhere else is added, and whatever ran."""
    seen: list[str] = []

    def refuse(dialog: Dialog) -> None:
        seen.append(dialog.message)
        dialog.dismiss()

    def note(request: Request) -> None:
        if not request.url.startswith(server.page):
            seen.append(request.url)

    page.on("request", note)
    page.on("dialog", refuse)
    page.on("popup", lambda popup: seen.append(popup.url))
    return seen


@pytest.mark.parametrize(("form", "step"), [("{}", 1), ("[a](<{}>) ![b](<{}>)", 4), ("`{}` <{}> ~~~{}", 4)])
def test_a_published_collection_of_attacks(
    server: Running, rest: RestClient, bare_page: Page, form: str, step: int
) -> None:
    """Thousands of published attacks run nothing, request nothing, and become no styles, names or forms."""
    seen = watch(bare_page, server)
    texts = [form.replace("{}", payload) for payload in payloads()[::step]]
    assert len(texts) > 1000
    shown: list[str] = []
    for first in range(0, len(texts), MAX_TEXTS):
        shown += html(rest, *texts[first : first + MAX_TEXTS])
    assert bare_page.evaluate(SHOW, [each for each in shown if "<" in each]) == []
    assert seen == []


def test_the_list_of_tags_by_itself(server: Running, bare_page: Page) -> None:
    """If the parser let all HTML pass, still nothing would run and no request would leave."""
    seen = watch(bare_page, server)
    assert bare_page.evaluate(SHOW, [sanitizing.clean(payload) for payload in payloads()]) == []
    assert seen == []


@pytest.fixture
def image_host() -> Iterator[tuple[str, list[dict[str, str]]]]:
    """Serve an image under another host's name; return its address, and the headers of each request for it."""
    asked: list[dict[str, str]] = []

    class Pixel(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            asked.append(dict(self.headers))
            self.send_response(200)
            self.send_header("Content-Type", "image/png")
            self.send_header("Content-Length", str(len(PIXEL)))
            self.end_headers()
            self.wfile.write(PIXEL)

        def log_message(self, *about: object) -> None:
            """Stay silent."""

    with HTTPServer(("127.0.0.1", 0), Pixel) as host:
        thread = threading.Thread(target=host.serve_forever)
        thread.start()
        yield f"http://localhost:{host.server_port}/a.png?b=%22c", asked
        host.shutdown()
        thread.join()


def test_a_foreign_image(
    server: Running, rest: RestClient, page: Page, image_host: tuple[str, list[dict[str, str]]]
) -> None:
    """Its host is asked once a frame shows it, and learns nothing of who reads what."""
    address, asked = image_host
    page.goto(server.page + "nothing")
    (shown,) = html(rest, f"![a <b>]({address})")
    page.evaluate(
        """(html) => {
        const policy = trustedTypes.createPolicy("prose", { createHTML: (html) => html });
        document.body.insertAdjacentHTML("beforeend", policy.createHTML(html));
    }""",
        shown,
    )
    button = page.locator("button.foreign-image")
    expect(button).to_have_text("a <b> (localhost)")
    assert button.get_attribute("data-src") == address
    assert asked == []
    about = urlencode({"src": address, "alt": "a <b>"})
    page.evaluate(FRAME, f"api/agent-chat/foreign-image?{about}")
    image = page.frame_locator("iframe").get_by_role("img", name="a <b>")
    expect(image).to_have_js_property("naturalWidth", 1)
    (headers,) = asked
    assert {"Referer", "Cookie", "Origin"} & headers.keys() == set()


@pytest.mark.parametrize(
    "src", ["javascript:alert(1)", "data:image/png;base64,AA", "/x.png", "//a.example/x", "https://a:b@c.example/", ""]
)
def test_what_is_no_foreign_image(rest: RestClient, src: str) -> None:
    answer = rest.get("/api/agent-chat/foreign-image", src=src)
    assert (answer.status, answer.code) == (400, "bad_request")


def test_the_policy_of_a_foreign_image(rest: RestClient) -> None:
    """Only our own page may frame it; it loads images and nothing else, and runs nothing."""
    answer = rest.get("/api/agent-chat/foreign-image", src='https://a.example/"><script>', alt='"><script>')
    policy = answer.headers["Content-Security-Policy"]
    assert policy.startswith("default-src 'none'; img-src http: https:; style-src 'sha256-")
    assert policy.endswith("frame-ancestors 'self'; sandbox")
    assert b"<script" not in answer.body
