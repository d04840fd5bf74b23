"""Answers on the page: Markdown as the server renders it, and what one can do with it."""

from __future__ import annotations

import re

import pytest
from playwright.sync_api import Page, expect

from agentchat.app import Running
from tests.model_server import ModelServer, Reply
from tests.pages import Somebody, say, turn

pytest_plugins = ["tests.browser"]

ANSWER = """\
# The week in Oslo

**Rain** until *Friday*, ~~snow~~, see https://example.org/oslo and
[the almanac](/api/agent-chat/knowledge/oslo.md)[^1].

- [x] pack an umbrella
- [ ] find the boat
  1. nested

> A quote

| City | °C |
|------|---:|
| Oslo | 12 |

```python
def wettest(days: list[str]) -> str:
    return max(days)  # by their name
```

$$\\sum_{i=1}^n i$$

![A map](https://maps.example/oslo.png) and https://ada:secret@bank.example

[^1]: Printed each year.
"""


@pytest.fixture
def ada(server: Running, model: ModelServer, somebody: Somebody) -> Page:
    """Ada's page, with an answer that has everything."""
    model.script(Reply(ANSWER))
    page = somebody("Ada")
    page.goto(server.page)
    say(page, "How is **Oslo**?")
    expect(turn(page, 1)).to_have_attribute("data-state", "completed")
    expect(page.locator(".prose-tail")).to_have_count(0)
    return page


def test_an_answer(ada: Page) -> None:
    """Markdown has the structure that its author meant."""
    prose = ada.locator('.message[data-role="agent"] .prose')
    expect(prose.locator("h2")).to_have_text("The week in Oslo")
    expect(prose.locator("strong")).to_have_text("Rain")
    expect(prose.locator("del")).to_have_text("snow")
    assert [box.is_checked() for box in prose.get_by_role("checkbox").all()] == [True, False]
    expect(prose.locator("li ol > li")).to_have_text("nested")
    expect(prose.get_by_role("table", name="")).to_contain_text("12")
    expect(prose.locator("math")).to_have_attribute("display", "block")
    expect(prose.locator(".code-block .kd, .code-block .k").first).to_have_text("def")
    expect(prose.locator("a.citation")).to_have_attribute("href", re.compile(r"knowledge/oslo\.md$"))
    expect(prose.locator(".refused-link")).to_contain_text("secret")
    expect(prose.locator(".link-host").last).to_contain_text("bank.example")


def test_footnotes_lead_there_and_back(ada: Page) -> None:
    prose = ada.locator('.message[data-role="agent"] .prose')
    prose.locator(".footnote-ref a").click()
    expect(prose.locator(".footnote")).to_be_focused()
    prose.locator(".footnote-back").click()
    expect(prose.locator(".footnote-ref a")).to_be_focused()


def test_code_is_copied_wrapped_and_saved(ada: Page) -> None:
    """Code has its language, and buttons to copy, wrap and save it."""
    ada.context.grant_permissions(["clipboard-read", "clipboard-write"])
    block = ada.locator(".code-block")
    expect(block.locator(".code-language")).to_have_text("python")
    block.get_by_role("button", name="Copy code").click()
    code = "def wettest(days: list[str]) -> str:\n    return max(days)  # by their name\n"
    assert ada.evaluate("navigator.clipboard.readText()") == code
    block.get_by_role("button", name="Wrap").click()
    expect(block.get_by_role("button", name="Wrap")).to_have_attribute("aria-pressed", "true")
    expect(block.locator("pre")).to_have_css("overflow-wrap", "anywhere")
    with ada.expect_download() as saved:
        block.get_by_role("button", name="Download").click()
    assert saved.value.suggested_filename == "code.py"
    assert saved.value.path().read_text() == code


def test_an_answer_is_copied_as_rich_text_and_as_markdown(ada: Page) -> None:
    """Copying gives Markdown to editors of plain text, and rich text to others; the source is one click away."""
    ada.context.grant_permissions(["clipboard-read", "clipboard-write"])
    answer = ada.locator('.message[data-role="agent"]')
    answer.get_by_role("button", name="Copy answer").click()
    expect(answer.get_by_role("button", name="Copy answer")).to_have_text("Copied")
    read = "(async () => (await (await navigator.clipboard.read())[0].getType('text/%s')).text())()"
    assert ada.evaluate(read % "plain") == ANSWER
    html = ada.evaluate(read % "html")
    assert "<strong>Rain</strong>" in html
    assert "<button" not in html
    answer.get_by_role("button", name="Source").click()
    expect(answer.get_by_role("group", name="Source")).to_contain_text("**Rain** until *Friday*")
    expect(answer.locator(".prose")).to_be_hidden()
    answer.get_by_role("button", name="Source").click()
    expect(answer.locator(".prose")).to_be_visible()


def test_a_persons_message_is_markdown(ada: Page) -> None:
    expect(ada.locator('.message[data-role="person"] strong')).to_have_text("Oslo")


def test_an_image_of_another_host_is_loaded_when_asked_for(ada: Page) -> None:
    """Another host is asked for its image once the reader wants to see it, and not told where that was."""
    asked: list[str] = []
    ada.context.on("request", lambda request: asked.append(request.url))
    ada.context.route("https://maps.example/**", lambda route: route.abort())
    image = ada.locator(".foreign-image")
    expect(image).to_contain_text("maps.example")
    ada.reload()
    expect(image).to_contain_text("maps.example")
    assert not any("maps.example" in url and "foreign-image" not in url for url in asked)
    with ada.context.expect_event("request", lambda request: request.url == "https://maps.example/oslo.png") as seen:
        image.get_by_role("button", name="Show the image").click()
    headers = seen.value.all_headers()
    assert "referer" not in headers
    assert "cookie" not in headers


def test_data_are_shown_as_such(server: Running, model: ModelServer, somebody: Somebody) -> None:
    """JSON is a tree and CSV a table, with their source one click away."""
    data = '```json\n{"city": {"name": "Oslo"}}\n```\n\n```csv\ncity,rain\nOslo,3\nBergen,9\n```\n\n'
    model.script(Reply(data + "```json\n{no\n```", delay=0.05))  # so that it is also rendered before it is complete
    page = somebody("Ada")
    page.goto(server.page)
    say(page, "Go")
    tree, table, broken = (page.locator(".code-block").nth(place) for place in range(3))
    expect(tree.get_by_role("tree")).to_contain_text("city")
    expect(table.get_by_role("table")).to_contain_text("Bergen")
    expect(table.locator("pre")).to_be_hidden()
    table.get_by_role("button", name="Source").click()
    expect(table.locator("pre")).to_contain_text("Bergen,9")
    expect(table.get_by_role("table")).to_be_hidden()
    expect(broken.locator("pre")).to_have_text("{no")
