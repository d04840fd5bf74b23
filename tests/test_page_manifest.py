"""The page as an app that can be installed: its manifest and its icons."""

from __future__ import annotations

import json
import struct
from collections.abc import Callable
from urllib.parse import urljoin, urlsplit

import pytest
from playwright.sync_api import Page, expect

from agentchat import installation
from agentchat.app import Running
from agentchat.http.public_files import load_files

pytest_plugins = ["tests.browser"]


def size(png: bytes) -> str:
    """Return the width and height of a PNG as manifests write them."""
    assert png[:8] == b"\x89PNG\r\n\x1a\n"
    return "{}x{}".format(*struct.unpack(">II", png[16:24]))


@pytest.mark.parametrize("prefix", ["", "chat/"])
def test_the_browser_takes_the_manifest(server: Running, page: Page, prefix: str) -> None:
    """Chromium finds no fault with it, and the app begins at the page, also below a prefix."""
    if prefix:
        page.route(
            f"**/{prefix}**", lambda route: route.fulfill(response=route.fetch(url=without(prefix)(route.request.url)))
        )
    page.goto(f"{server.page}{prefix}")
    expect(page.locator(".welcome")).to_be_visible()
    session = page.context.new_cdp_session(page)
    found = session.send("Page.getAppManifest")
    assert found["errors"] == []
    manifest = json.loads(found["data"])
    assert urljoin(found["url"], manifest["start_url"]) == f"{server.page}{prefix}"
    for icon in manifest["icons"]:
        answer = page.request.get(without(prefix)(urljoin(found["url"], icon["src"])))
        assert answer.ok
        assert answer.headers["content-type"].split(";")[0] == icon["type"]
        if icon["type"] == "image/png":
            assert size(answer.body()) == icon["sizes"]


def without(prefix: str) -> Callable[[str], str]:
    """Return a function that takes a prefix out of an address, as a proxy does."""
    return lambda address: address.replace(f"/{prefix}", "/", 1) if prefix else address


def test_the_manifest_s_files() -> None:
    """It is JSON with what browsers ask for, served as a manifest; each icon is there, one of them maskable."""
    files = load_files(installation.PAGE)
    manifest = files["/static/manifest.webmanifest"]
    assert manifest.type == "application/manifest+json"
    words = json.loads(manifest.body)
    assert {"name", "short_name", "start_url", "display", "background_color", "theme_color"} <= words.keys()
    assert {icon["sizes"] for icon in words["icons"]} == {"192x192", "512x512", "any"}
    assert [icon["src"] for icon in words["icons"] if icon.get("purpose") == "maskable"] == [
        "img/icon-maskable-512.png"
    ]
    for icon in words["icons"]:
        assert urlsplit(urljoin("/static/manifest.webmanifest", icon["src"])).path in files
    assert size(files["/static/img/apple-touch-icon.png"].body) == "180x180"
