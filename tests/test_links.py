"""Links, images and characters in Markdown that could lead people elsewhere than it seems."""

from __future__ import annotations

import re

import pytest

from agentchat.rendering.markdown import render


def html(text: str) -> str:
    return "".join(block.html for block in render(text))


def words(text: str) -> str:
    """Return what people read."""
    return re.sub(r"<[^>]*>", "", html(text)).replace("&amp;", "&")


@pytest.mark.parametrize(
    ("text", "address"),
    [
        ("[a](https://example.com/a?b=c#d)", "https://example.com/a?b=c#d"),
        ("[a](mailto:x@example.com)", "mailto:x@example.com"),
        ("[a](/api/agent-chat/knowledge/x)", "/api/agent-chat/knowledge/x"),
        ("[a](notes.md#top)", "notes.md#top"),
        ("https://example.com", "https://example.com"),
        ("www.example.com", "http://www.example.com"),
        ("x@example.com", "mailto:x@example.com"),
        ("<https://example.com:8080/>", "https://example.com:8080/"),
        ("[a](http://[::1]:80/)", "http://[::1]:80/"),
        ("[www.example.com](https://example.com)", "https://example.com"),
        ("[Example.com](https://www.example.com)", "https://www.example.com"),
        ("[Node.js](https://nodejs.org)", "https://nodejs.org"),
        ("[notes 1.2](https://example.com)", "https://example.com"),
    ],
)
def test_links(text: str, address: str) -> None:
    assert f'<a href="{address}" rel="noopener noreferrer nofollow">' in html(text)
    assert "link-host" not in html(text)


@pytest.mark.parametrize(
    "address",
    [
        "javascript:alert(1)",
        "JaVaScRiPt:alert(1)",
        "&#106;avascript:alert(1)",
        "vbscript:x",
        "data:text/html,<script>alert(1)</script>",
        "data:image/png;base64,AAAA",
        "file:///etc/passwd",
        "blob:https://example.com/x",
        "ms-msdt:/id",
        "https://user:password@example.com/",
        "https://google.com@example.com/",
        "//user@example.com/",
        "http:example.com",
        "https:/example.com",
        "https:\\\\example.com",
        "/\\example.com",
        "https://exa%2Fmple.com",
        "https://google.com%40example.com",
        "https://",
    ],
)
@pytest.mark.parametrize("form", ["[look]({})", "[look](<{}>)", "[look]\n\n[look]: {}", "![look]({})"])
def test_links_to_nowhere(address: str, form: str) -> None:
    """They are shown with their address, and lead nowhere."""
    if address.startswith("data:image") and form.startswith("!"):
        return
    shown = html(form.format(address))
    assert not re.search(r"href|src", shown)
    assert "look" in shown
    if not ("<" in address and "(<" in form):
        assert "(" in words(form.format(address))


@pytest.mark.parametrize(
    ("text", "read"),
    [
        ("[google.com](https://evil.example/)", "google.com (evil.example)"),
        ("[https://google.com/a](https://evil.example/)", "https://google.com/a (evil.example)"),
        ("[sign in at google.com now](https://evil.example/)", "sign in at google.com now (evil.example)"),
        ("[`google.com`](https://evil.example/)", "google.com (evil.example)"),
        ("[**google**.com](https://evil.example/)", "google.com (evil.example)"),
        ("[google\u200b.com](https://evil.example/)", "googleU+200B.com (evil.example)"),
        ("[google\u3002com](https://evil.example/)", "google\u3002com (evil.example)"),
        ("[google.com](//evil.example/)", "google.com (evil.example)"),
        ("[10.0.0.1](https://evil.example/)", "10.0.0.1 (evil.example)"),
        ("[a@bank.example](mailto:b@evil.example)", "a@bank.example (b@evil.example)"),
        ("[bank](https://bank.example:x@evil.example/)",
         "bank (https://bank.example:x@evil.example/) (evil.example)"),
        ("https://bank.example:x@evil.example/", "https://bank.example:x@evil.example/ (evil.example)"),
        ("<https://bank.example@evil.example/>", "https://bank.example@evil.example/ (evil.example)"),
        ("https://m\u00fcller.example/", "https://m\u00fcller.example/ (xn--mller-kva.example)"),
        ("[pay](https://p\u0430ypal.example/)", "pay (xn--pypal-4ve.example)"),
        ("[look](javascript:alert(1))", "look (javascript:alert(1))"),
    ],
)  # fmt: skip
def test_where_links_lead(text: str, read: str) -> None:
    """The host stands behind a link whose text names another one, or in which people read other letters."""
    assert words(text) == read


@pytest.mark.parametrize(
    "image",
    ["![a](/plot.png)", "![a](data:image/png;base64,AAAA)", "![a](data:image/webp;base64,AA==)", "![a](plot.png)"],
)
def test_own_images(image: str) -> None:
    assert '<img src="' in html(image)


@pytest.mark.parametrize("address", ["https://example.com/a.png", "http://example.com/a.png", "//example.com/a.png"])
def test_foreign_images(address: str) -> None:
    """They are buttons that say from where the image would come."""
    full = address if address.startswith("http") else "https:" + address
    assert f'<button class="foreign-image" type="button" data-src="{full}" data-alt="a plot">' in html(
        f"![a plot]({address})"
    )
    assert words(f"![a plot]({address})") == "a plot (example.com)"


@pytest.mark.parametrize(
    "address", ["data:image/svg+xml;base64,AAAA", "data:image/png,AAAA", "javascript:x", "mailto:a@b.example", "file:x"]
)
def test_images_of_other_kinds(address: str) -> None:
    assert "<img" not in html(f"![a]({address})")
    assert "<button" not in html(f"![a]({address})")
    assert words(f"![a]({address})") == f"a ({address})"


@pytest.mark.parametrize(
    ("text", "read"),
    [
        ("a\u202eb", "aU+202Eb"),
        ("`a\u2066b`", "aU+2066b"),
        ("```\na\ufeffb\n```", "aU+FEFFb\n"),
        ("```python\n'a\u200bb'\n```", "'aU+200Bb'\n"),
        ("[a\u202eb](x)", "aU+202Eb"),
        ("a\u00adb", "a\u00adb"),
        ("\U000e0068\U000e0069", "U+E0068 U+E0069"),
        ("a" + "\u200b" * 1000, "aU+200B U+200B U+200B U+200B +996"),
        ("a\ufe0f\ufe01\U000e0121", "a\ufe0fU+FE01 U+E0121"),
        ("a\u200db", "aU+200Db"),
        ("\u0645\u06cc\u200c\u062e\u0648\u0627\u0647\u0645", "\u0645\u06cc\u200c\u062e\u0648\u0627\u0647\u0645"),
        ("\U0001f468\u200d\U0001f469 \u2764\ufe0f", "\U0001f468\u200d\U0001f469 \u2764\ufe0f"),
        ("\U0001f3f4\U000e0067\U000e0062\U000e0073\U000e0063\U000e0074\U000e007f",
         "\U0001f3f4\U000e0067\U000e0062\U000e0073\U000e0063\U000e0074\U000e007f"),
        ("\u0627\u0644\u200f 1", "\u0627\u0644\u200f 1"),
        ("a\x1bb\x07", "aU+001BbU+0007"),
    ],
)  # fmt: skip
def test_characters_that_are_not_seen(text: str, read: str) -> None:
    """They are seen, unless a script or an emoji needs them."""
    assert words(text) == read


def test_many_such_characters() -> None:
    text = "a\u202eb " * 20_000
    assert words(text).count("U+202E") == 20_000
    assert len(html(text)) < 4 * len(text)


@pytest.mark.parametrize("text", ["[a](x 'b\u202ec')", "![b\u202ec](x)", "![b\u202ec](https://example.com/)"])
def test_such_characters_in_attributes(text: str) -> None:
    assert 'b[U+202E]c"' in html(text)
    assert "\u202e" not in html(text)
