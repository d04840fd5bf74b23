"""Addresses without brackets, as GitHub makes links of them: https://…, www.…, and mailboxes."""

from __future__ import annotations

import re

from markdown_it import MarkdownIt
from markdown_it.rules_inline import StateInline
from mdit_py_plugins.gfm_autolink import gfm_autolink_plugin

_SCHEME = re.compile(r"(?:https?|mailto|xmpp)$")
_NAME = re.compile(r"(?:^|(?<=[\s*~(]))[A-Za-z0-9.+-]+(?:_+[A-Za-z0-9.+-]+)+$")
_DOMAIN = re.compile(r"@[A-Za-z0-9_-]+(?:\.[A-Za-z0-9_-]*[A-Za-z0-9])+(?![\w@-])")
MAX_NAME = 64  # characters before the @


def use(parser: MarkdownIt) -> None:
    """Let a parser make links of bare addresses."""
    parser.use(gfm_autolink_plugin)
    parser.inline.ruler.before("gfm_autolink_protocol", "plain_colon", _plain_colon)
    parser.inline.ruler.before("gfm_autolink_email", "name_with_underscores", _name_with_underscores)


def _plain_colon(state: StateInline, silent: bool) -> bool:
    """Take a colon that ends no scheme as text: the rule for addresses reads all that stands before each one."""
    if state.src[state.pos] != ":" or _SCHEME.search(state.src, max(state.pos - 6, 0), state.pos):
        return False
    if not silent:
        state.pending += ":"
    state.pos += 1
    return True


def _name_with_underscores(state: StateInline, silent: bool) -> bool:
    """Put the name before an @ together again, for the next rule: it was taken apart as if it might be emphasized."""
    if silent or state.linkLevel or state.src[state.pos] != "@" or not _DOMAIN.match(state.src, state.pos):
        return False
    name = _NAME.search(state.src[max(state.pos - MAX_NAME, 0) : state.pos])
    if name is None:
        return False
    before, first = state.pending, len(state.tokens)
    while len(before) < len(name[0]) and first and state.tokens[first - 1].type == "text":
        first -= 1
        before = state.tokens[first].content + before
    if before.endswith(name[0]):
        del state.tokens[first:]
        state.delimiters = [delimiter for delimiter in state.delimiters if delimiter.token < first]
        state.pending = before
    return False
