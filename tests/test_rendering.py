"""Markdown over REST: blocks, GitHub's additions, code, and what callers can ask for."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from agentchat.http.rendering import MAX_BODY
from agentchat.http.requests import MAX_TEXTS
from agentchat.rendering.markdown import render
from tests.markdown_examples import Example, commonmark, gfm, structure
from tests.rest_client import RestClient

ROOT = Path(__file__).resolve().parent.parent
RENDER = "/api/agent-chat/render"
NOT_LINKS = [596, 598, 599, 601]  # of schemes that lead out of the browser
FTP = 628
BARE_ADDRESSES = [608, 611, 612]  # which GitHub makes links of, and CommonMark does not


def rendered(rest: RestClient, *texts: str) -> list[list[dict[str, Any]]]:
    """Return the blocks of each text."""
    answer = rest.post(RENDER, {"texts": texts})
    assert answer.status == 200, answer.body
    return [text["blocks"] for text in answer.json["texts"]]


def html(rest: RestClient, *texts: str) -> list[str]:
    """Return each text as HTML."""
    return ["\n".join(block["html"] for block in blocks) for blocks in rendered(rest, *texts)]


def test_blocks(rest: RestClient) -> None:
    """A text comes as its top-level blocks, each with the line that it ends with."""
    text = "# Oslo\n\nSunny,\n*very*.\n\n- one\n- two\n\n```\na\n\nb\n```\n"
    blocks, nothing = rendered(rest, text, "")
    assert blocks == [
        {"html": "<h1>Oslo</h1>", "lines": 1},
        {"html": "<p>Sunny,\n<em>very</em>.</p>", "lines": 4},
        {"html": "<ul>\n<li>one</li>\n<li>two</li>\n</ul>", "lines": 8},
        {"html": "<pre><code>a\n\nb\n</code></pre>", "lines": 13},
    ]
    assert nothing == []


def wrong(rest: RestClient, examples: Sequence[Example]) -> list[int]:
    """Return the numbers of the examples that give something else than is published."""
    ours: list[str] = []
    for first in range(0, len(examples), MAX_TEXTS):
        ours += html(rest, *[example.markdown for example in examples[first : first + MAX_TEXTS]])
    both = zip(examples, ours, strict=True)
    return [example.number for example, mine in both if structure(mine) != structure(example.html)]


def test_examples_of_commonmark(rest: RestClient) -> None:
    """All examples without HTML give what is published, but for what GitHub does otherwise and addresses refused."""
    examples = [example for example in commonmark() if not example.has_html]
    assert wrong(rest, examples) == sorted(NOT_LINKS + BARE_ADDRESSES)
    assert len(examples) > 560


def test_examples_of_github(rest: RestClient) -> None:
    """All examples of tables, task lists, strikethrough and bare addresses do, but for links to FTP."""
    examples = gfm()
    assert wrong(rest, examples) == [FTP]
    assert len(examples) == 23


@pytest.mark.parametrize(
    ("text", "mailbox"),
    [
        ("first_last@example.com", "first_last@example.com"),
        ("(a_b_c@example.com)", "a_b_c@example.com"),
        ("*a_b@example.com*", "a_b@example.com"),
    ],
)
def test_mailboxes(rest: RestClient, text: str, mailbox: str) -> None:
    assert f'<a href="mailto:{mailbox}" rel="noopener noreferrer nofollow">{mailbox}</a>' in html(rest, text)[0]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("~~old~~ ~older~", "<p><del>old</del> <del>older</del></p>"),
        ("a<br>b H<sub>2</sub>O", "<p>a<br>b H<sub>2</sub>O</p>"),
        ("<b onclick=x>a</b>", "<p>&lt;b onclick=x&gt;a&lt;/b&gt;</p>"),
        (
            "```python\nif x:\n```",
            '<pre><code class="language-python" data-language="python"><span class="k">if</span>',
        ),
        ("```klingon\nif x:\n```", '<pre><code class="language-klingon" data-language="klingon">if x:\n</code></pre>'),
        ("```json\n[1]\n```", '<pre><code class="language-json" data-language="json">[1]\n</code></pre>'),
        ("| a |\n|--:|\n| 1 |", '<td align="right">1</td>'),
        ("- [x] done", 'type="checkbox" checked="">'),
        ("x[^1]\n\n[^1]: why", '<sup class="footnote-ref"><a href="#footnote-1" data-footnote="1"'),
        ("x[^1]\n\n[^1]: why", '<li class="footnote" data-footnote="1"><p>why'),
        ("www.example.com", '<a href="http://www.example.com" rel="noopener noreferrer nofollow">www.example.com</a>'),
    ],
)
def test_what_is_rendered(rest: RestClient, text: str, expected: str) -> None:
    assert expected in html(rest, text)[0]


@pytest.mark.parametrize("name", ["README.md", "docs/rest.md", "docs/rendering.md"])
def test_blocks_by_themselves(name: str) -> None:
    """Each block can be rendered by itself, while others are still being written."""
    text = (ROOT / name).read_text("utf-8")
    lines, done = text.splitlines(keepends=True), 0
    for block in render(text):
        assert [alone.html for alone in render("".join(lines[done : block.lines]))] == [block.html]
        done = block.lines
    assert done == len(lines)


def test_too_many_texts(rest: RestClient) -> None:
    assert len(html(rest, *["a"] * MAX_TEXTS)) == MAX_TEXTS
    refused = rest.post(RENDER, {"texts": ["a"] * (MAX_TEXTS + 1)})
    assert (refused.status, refused.code) == (400, "bad_request")


def test_too_much_text(rest: RestClient) -> None:
    assert rest.post(RENDER, {"texts": ["a" * MAX_BODY]}).code == "body_too_large"


def test_tags_that_are_never_closed(rest: RestClient) -> None:
    shown = html(rest, "<sup>" * 1000 + "a", "<sub>a</sub><br>" * 1000)
    assert shown[0].count("<sup>") < 50
    assert shown[1].count("<sub>") == 1000


def test_broken_text(rest: RestClient) -> None:
    assert html(rest, "a\x00b") == ["<p>a\ufffdb</p>"]
    assert rest.post(RENDER, {"texts": ["half a pair: \ud800"]}).code == "bad_request"
