"""Texts as they were written, where rendering them would take too long."""

from __future__ import annotations

from html import escape

from agentchat.rendering import invisible
from agentchat.rendering.blocks import Block

MAX_CHARS = 200_000  # of a text that is rendered; as long as the longest message


def cut(text: str) -> tuple[str, str]:
    """Split a text that is too long before a blank line, or else before a line; the second part may be empty."""
    if len(text) <= MAX_CHARS:
        return text, ""
    end = text.rfind("\n\n", 0, MAX_CHARS) + 1 or text.rfind("\n", 0, MAX_CHARS) + 1
    return text[:end], text[end:]


def plain(text: str, lines_before: int = 0) -> Block:
    """Return a text as a block, with the number of lines that come before it."""
    lines = lines_before + text.count("\n") + (not text.endswith("\n"))
    return Block(f'<pre class="plain">{invisible.marked(escape(text, quote=False))}</pre>', lines)
