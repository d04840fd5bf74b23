"""Markdown that people, agents and tools write, as HTML that is safe to show."""

from __future__ import annotations

from collections.abc import Sequence

from agentchat.rendering.cache import Cache
from agentchat.rendering.markdown import Block, render

CACHE_BYTES = 16 * 2**20


class Rendering:
    """Renders texts, each of them once. All methods can be called from any thread."""

    def __init__(self) -> None:
        self._cache = Cache(CACHE_BYTES)

    def blocks(self, text: str) -> Sequence[Block]:
        """Return the top-level blocks of a text, sanitized."""
        blocks = self._cache.get(text)
        if blocks is None:
            blocks = render(text)
            self._cache.put(text, blocks)
        return blocks
