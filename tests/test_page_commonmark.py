"""The examples of CommonMark's own specification, as the page shows them."""

from __future__ import annotations

import re

from playwright.sync_api import Page

from agentchat.app import Running
from tests.markdown_examples import commonmark, structure

pytest_plugins = ["tests.browser"]

# Shows each text, and returns it without what the page adds for its readers.
SHOW = """async ({ module, texts }) => {
    const { renderedProse } = await import(module);
    addEventListener("error", (event) => event.stopImmediatePropagation(), true);  // images that do not exist
    const all = texts.map((text) => document.body.appendChild(renderedProse(text)));
    const isWaiting = () => all.some((prose) => prose.querySelector(":scope > .prose-tail:not(:empty)"));
    while (isWaiting()) await new Promise(requestAnimationFrame);
    return all.map((prose) => {
        for (const added of prose.querySelectorAll("figcaption, .image-save, .link-host")) added.remove();
        for (const image of prose.querySelectorAll(".foreign-image"))
            image.replaceWith(document.createElement("img"));
        for (const around of prose.querySelectorAll("figure, div.table")) around.replaceWith(...around.children);
        for (const element of prose.querySelectorAll("*"))
            for (const { name } of [...element.attributes])
                if (!["start", "class"].includes(name)) element.removeAttribute(name);
        return prose.innerHTML;
    });
}"""
LEVELS = {f"h{level}": f"h{min(level + 1, 6)}" for level in range(1, 7)}


def compared(html: str) -> list[object]:
    """Return the elements and texts of HTML, with the levels that headings have on the page."""
    kept = re.sub(r"\s(?:href|src|alt|title)=\"[^\"]*\"", "", html)
    return structure(re.sub(r"(?<=<)(/?)(h[1-6])\b", lambda tag: tag[1] + LEVELS[tag[2]], kept))


def test_commonmark(server: Running, page: Page) -> None:
    """At least 99 of 100 examples without HTML have the structure that is published."""
    examples = [example for example in commonmark() if not example.has_html]
    page.goto(server.page + "nothing")  # has the policy of all pages, and no modules that have begun already
    given = {"module": server.page + "static/js/views/prose/prose.js", "texts": [each.markdown for each in examples]}
    shown = [structure(html) for html in page.evaluate(SHOW, given)]
    pairs = zip(examples, shown, strict=True)
    wrong = [example.number for example, ours in pairs if ours != compared(example.html)]
    assert len(examples) > 560
    assert len(wrong) <= len(examples) // 100, wrong
