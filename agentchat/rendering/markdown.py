"""Markdown into HTML, one piece for each block of the text: CommonMark with GitHub's additions, and math."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from markdown_it import MarkdownIt
from markdown_it.renderer import RendererHTML
from markdown_it.rules_inline import StateInline
from markdown_it.token import Token
from markdown_it.utils import EnvType, OptionsDict

from agentchat.rendering import bare_addresses, code, footnotes, formulas, images, invisible, links, sanitizing
from agentchat.rendering.blocks import Block

MAX_NESTING = 40  # quotes, lists and emphasis in each other; further ones are shown as they were written
_TAG = re.compile(r"</?(br|kbd|mark|sub|sup)[ \t]*/?>", re.IGNORECASE)


def render(text: str) -> list[Block]:
    """Return the text's blocks, sanitized. HTML in it is shown as it was written, but for a few tags like `<br>`."""
    env: EnvType = {}
    tokens = _PARSER.parse(text, env)
    blocks, lines = [], 0
    for block in _blocks(tokens):
        if block[0].type == "footnote_block_open":
            lines = text.count("\n") + (not text.endswith("\n"))
        elif block[0].map:
            lines = max(lines, block[0].map[1])
        html = sanitizing.clean(_PARSER.renderer.render(block, _PARSER.options, env))
        blocks.append(Block(invisible.marked(html.strip("\n")), lines))
    return blocks


def _blocks(tokens: Sequence[Token]) -> Iterator[list[Token]]:
    """The tokens of each top-level block."""
    block: list[Token] = []
    depth = 0
    for token in tokens:
        block.append(token)
        depth += token.nesting
        if depth == 0:
            yield block
            block = []


def _few_tags(state: StateInline, silent: bool) -> bool:
    """Let tags pass that models use where Markdown has nothing: line breaks in tables, raised and lowered text."""
    tag = _TAG.match(state.src, state.pos)
    depth = state.env.get("tags", 0)
    if tag is None or depth > MAX_NESTING:
        return False
    if not silent:
        state.push("html_inline", "", 0).content = tag[0]
        if tag[1].lower() != "br":
            state.env["tags"] = max(depth + (-1 if tag[0][1] == "/" else 1), 0)
    state.pos = tag.end()
    return True


def _cell(self: RendererHTML, tokens: Sequence[Token], idx: int, options: OptionsDict, env: EnvType) -> str:
    """Open a cell of a table, with an attribute in place of the style, which the page's policy forbids."""
    token = tokens[idx]
    style = token.attrs.pop("style", None)
    if style is not None:
        token.attrs["align"] = str(style).removeprefix("text-align:")
    return self.renderToken(tokens, idx, options, env)


def _struck(self: RendererHTML, tokens: Sequence[Token], idx: int, options: OptionsDict, env: EnvType) -> str:
    return "<del>" if tokens[idx].nesting == 1 else "</del>"


class _Parser(MarkdownIt):
    def validateLink(self, url: str) -> bool:
        """Take everything for a link that is written like one: links.py and images.py see to its address."""
        return True


def _parser() -> MarkdownIt:
    options = {"html": False, "maxNesting": MAX_NESTING, "tasklists": True, "strikethrough_single_tilde": True}
    parser = _Parser("commonmark", options)
    parser.enable(["table", "strikethrough"])
    parser.inline.ruler.at("html_inline", _few_tags)
    parser.use(bare_addresses.use)
    parser.use(footnotes.use)
    parser.use(formulas.use)
    parser.use(code.use)
    parser.use(links.use)
    parser.use(images.use)
    for cell in ("th_open", "td_open"):
        parser.add_render_rule(cell, _cell)
    parser.add_render_rule("s_open", _struck)
    parser.add_render_rule("s_close", _struck)
    return parser


_PARSER = _parser()
