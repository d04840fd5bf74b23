"""Markdown that people, agents and tools write, as HTML that is safe to show."""

from __future__ import annotations

import contextlib
import logging
import os
import queue
import threading
from collections.abc import Callable, Sequence
from concurrent.futures import Future, TimeoutError

from agentchat.rendering.blocks import Block
from agentchat.rendering.cache import Cache
from agentchat.rendering.plain import cut, plain
from agentchat.rendering.process import Process

log = logging.getLogger(__name__)

CACHE_BYTES = 16 * 2**20
SECONDS = 2.0  # of processor time for a text
PATIENCE = 10.0  # seconds for which a text waits for a process, or for whoever began to render it
MAX_PROCESSES = 2

Hold = Callable[[], contextlib.AbstractContextManager[None]]


class Rendering:
    """Renders texts, each of them once. All methods can be called from any thread; they hold no lock meanwhile."""

    def __init__(self) -> None:
        self._cache = Cache(CACHE_BYTES)
        self._lock = threading.Lock()  # guards what follows
        self._begun: dict[str, Future[Sequence[Block] | None]] = {}
        self._size = min(MAX_PROCESSES, os.cpu_count() or 1)
        self._free: queue.LifoQueue[Process] = queue.LifoQueue()  # the second is only started when one is not enough
        for _ in range(self._size):
            self._free.put(Process())

    def blocks(self, text: str, hold: Hold = contextlib.nullcontext) -> Sequence[Block]:
        """Return the top-level blocks of a text, sanitized. What is too long or takes too long comes as it is written.

        `hold` is entered while the text is being rendered, unless it was before or somebody else has begun to.
        """
        while True:
            found = self._cache.get(text)
            if found is not None:
                return found
            with self._lock:
                begun = self._begun.get(text)
                if begun is None:
                    mine = self._begun[text] = Future()
            if begun is None:
                return self._begin(text, hold, mine)
            try:
                other = begun.result(PATIENCE)
            except TimeoutError:
                return [plain(text)]
            if other is not None:
                return other

    def prepare(self) -> None:
        """Start a process, so that the first text need not wait for it."""
        with contextlib.suppress(queue.Empty, OSError):
            process = self._free.get_nowait()
            try:
                process.start()
            finally:
                self._free.put(process)

    def _begin(self, text: str, hold: Hold, done: Future[Sequence[Block] | None]) -> Sequence[Block]:
        """Render a text for all who ask for it meanwhile. If it fails, the next of them tries."""
        blocks = None
        try:
            with hold():
                blocks = self._rendered(text)
            self._cache.put(text, blocks)
            return blocks
        except (OSError, queue.Empty) as error:
            log.warning("A text is shown as it was written: no process to render it can be had: %r", error)
            return [plain(text)]
        finally:
            with self._lock:
                del self._begun[text]
            done.set_result(blocks)

    def _rendered(self, text: str) -> Sequence[Block]:
        """Return the blocks of a text. Raises OSError if no process can be started, queue.Empty if none gets free."""
        head, rest = cut(text)
        blocks: list[Block] | None = []
        if head:
            process = self._free.get(timeout=PATIENCE)
            try:
                blocks, _ = process.render(head, SECONDS)
            finally:
                self._free.put(process)
        if blocks is None:
            return [plain(text)]
        return [*blocks, plain(rest, head.count("\n"))] if rest else blocks

    def close(self) -> None:
        """End the processes; nobody asks for anything any more. One that is at work ends when the server does."""
        with contextlib.suppress(queue.Empty):
            for _ in range(self._size):
                self._free.get(timeout=SECONDS).close()
