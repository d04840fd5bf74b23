"""Texts that were rendered lately, bounded in bytes."""

from __future__ import annotations

import hashlib
import threading
from collections import OrderedDict
from collections.abc import Sequence

from agentchat.rendering.blocks import Block

_OVERHEAD = 200  # bytes of a block beside its characters, about


class Cache:
    """Blocks by the text that they were rendered from. All methods can be called from any thread."""

    def __init__(self, max_bytes: int) -> None:
        self._max_bytes = max_bytes
        self._lock = threading.Lock()  # guards what follows
        self._blocks: OrderedDict[bytes, tuple[Sequence[Block], int]] = OrderedDict()  # used last at the end
        self._bytes = 0

    def get(self, text: str) -> Sequence[Block] | None:
        key = _key(text)
        with self._lock:
            found = self._blocks.get(key)
            if found is None:
                return None
            self._blocks.move_to_end(key)
            return found[0]

    def put(self, text: str, blocks: Sequence[Block]) -> None:
        """Keep a text's blocks until there is no room for them any more."""
        key, size = _key(text), sum(len(block.html.encode()) + _OVERHEAD for block in blocks) + _OVERHEAD
        if size > self._max_bytes // 4:
            return
        with self._lock:
            _, before = self._blocks.pop(key, ((), 0))
            self._blocks[key] = blocks, size
            self._bytes += size - before
            while self._bytes > self._max_bytes:
                _, (_, oldest) = self._blocks.popitem(last=False)
                self._bytes -= oldest

    @property
    def size(self) -> int:
        """Bytes in memory, about."""
        with self._lock:
            return self._bytes


def _key(text: str) -> bytes:
    return hashlib.blake2b(text.encode("utf-8", "surrogatepass"), digest_size=16).digest()
