"""Footnotes, without ids: those of two texts on a page would be the same. Pages find them by `data-footnote`."""

from __future__ import annotations

from collections.abc import Sequence

from markdown_it import MarkdownIt
from markdown_it.renderer import RendererHTML
from markdown_it.token import Token
from markdown_it.utils import EnvType, OptionsDict
from mdit_py_plugins.footnote import footnote_plugin


def use(parser: MarkdownIt) -> None:
    """Let a parser understand `[^1]` and `[^1]: note`."""
    parser.use(footnote_plugin, inline=False)
    parser.add_render_rule("footnote_ref", _reference)
    parser.add_render_rule("footnote_block_open", _block)
    parser.add_render_rule("footnote_open", _note)
    parser.add_render_rule("footnote_anchor", _way_back)


def _reference(self: RendererHTML, tokens: Sequence[Token], idx: int, options: OptionsDict, env: EnvType) -> str:
    number = tokens[idx].meta["id"] + 1
    return f'<sup class="footnote-ref"><a href="#footnote-{number}" data-footnote="{number}">{number}</a></sup>'


def _block(self: RendererHTML, tokens: Sequence[Token], idx: int, options: OptionsDict, env: EnvType) -> str:
    return '<section class="footnotes">\n<ol>\n'


def _note(self: RendererHTML, tokens: Sequence[Token], idx: int, options: OptionsDict, env: EnvType) -> str:
    return f'<li class="footnote" data-footnote="{tokens[idx].meta["id"] + 1}">'


def _way_back(self: RendererHTML, tokens: Sequence[Token], idx: int, options: OptionsDict, env: EnvType) -> str:
    if tokens[idx].meta["subId"]:  # one way back is enough
        return ""
    number = tokens[idx].meta["id"] + 1
    return f' <a class="footnote-back" href="#footnote-{number}" data-footnote-back="{number}">\u21a9\ufe0e</a>'
