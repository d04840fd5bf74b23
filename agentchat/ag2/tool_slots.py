"""The tools that run at once: as many of one conversation, and of all, as the settings allow."""

from __future__ import annotations

import asyncio
import contextlib
import contextvars
import threading
from collections import Counter
from collections.abc import AsyncIterator, Callable, Iterator
from dataclasses import dataclass

from agentchat import cancellation


@dataclass(eq=False)
class _Slot:
    """The place of one tool call."""

    slots: ToolSlots
    conversation: object
    is_taken: bool = False
    wake: Callable[[], object] = lambda: None
    lent: int = 0
    """The number of questions that people have to answer before the tool goes on."""


class ToolSlots:
    """Lets tool calls run, or wait for others to end; whoever waits is woken when the turn is stopped.

    What a tool calls in turn runs in its place, or it might wait for itself; so does what it leaves behind.
    """

    def __init__(self, per_conversation: int = 0, in_all: int = 0) -> None:
        """Allow `per_conversation` tools of one conversation at once, and `in_all` of all; 0 means no limit."""
        self._per_conversation = per_conversation
        self._in_all = in_all
        self._lock = threading.Lock()  # guards what follows, and the fields of all slots
        self._running: Counter[object] = Counter()  # by conversation
        self._waiting: list[_Slot] = []  # longest first

    @contextlib.contextmanager
    def running(self, conversation: object) -> Iterator[None]:
        """Wait until a tool of that conversation may run, and count it during the context. Raises Stopped."""
        if _current.get() is not None:
            yield
            return
        slot = _Slot(self, conversation)
        try:
            self._wait(slot)
            with _in(slot):
                yield
        finally:
            self._leave(slot)

    @contextlib.asynccontextmanager
    async def running_async(self, conversation: object) -> AsyncIterator[None]:
        """Do as `running` does, without holding up the event loop."""
        if _current.get() is not None:
            yield
            return
        slot, loop, woken = _Slot(self, conversation), asyncio.get_running_loop(), asyncio.Event()

        def wake() -> None:
            with contextlib.suppress(RuntimeError):  # the loop has just ended
                loop.call_soon_threadsafe(woken.set)

        try:
            with cancellation.current.get().interruptible(wake):
                self._enter(slot, wake)
                await woken.wait()
            with _in(slot):
                yield
        finally:
            self._leave(slot)

    @property
    def counts(self) -> tuple[int, int]:
        """The number of tools that run, and of those that wait."""
        with self._lock:
            return self._running.total(), len(self._waiting)

    def lend(self, slot: _Slot) -> None:
        """Let others run while people are asked."""
        with self._lock:
            slot.lent += 1
            is_first = slot.lent == 1
        if is_first:
            self._leave(slot)

    def take_back(self, slot: _Slot) -> None:
        """Undo one `lend`. Raises Stopped."""
        with self._lock:
            slot.lent -= 1
            is_last = slot.lent == 0
        if is_last:
            self._wait(slot)

    def _wait(self, slot: _Slot) -> None:
        woken = threading.Event()
        with cancellation.current.get().interruptible(woken.set):
            self._enter(slot, woken.set)
            woken.wait()

    def _enter(self, slot: _Slot, wake: Callable[[], object]) -> None:
        with self._lock:
            slot.wake = wake
            self._waiting.append(slot)
        self._go_on()

    def _leave(self, slot: _Slot) -> None:
        """Let the slot neither run nor wait."""
        with self._lock:
            if slot.is_taken:
                slot.is_taken = False
                self._running[slot.conversation] -= 1
                if not self._running[slot.conversation]:
                    del self._running[slot.conversation]
            elif slot in self._waiting:
                self._waiting.remove(slot)
        self._go_on()

    def _go_on(self) -> None:
        """Let those run that there is room for."""
        with self._lock:
            begun = []
            for slot in self._waiting:
                if self._in_all and self._running.total() >= self._in_all:
                    break
                if not self._per_conversation or self._running[slot.conversation] < self._per_conversation:
                    slot.is_taken = True
                    self._running[slot.conversation] += 1
                    begun.append(slot)
            self._waiting = [slot for slot in self._waiting if not slot.is_taken]
        for slot in begun:
            slot.wake()


_current: contextvars.ContextVar[_Slot | None] = contextvars.ContextVar("tool_slot", default=None)
"""The slot of the tool call in which this thread or task works."""


@contextlib.contextmanager
def _in(slot: _Slot) -> Iterator[None]:
    """Make the slot that of this thread or task."""
    token = _current.set(slot)
    try:
        yield
    finally:
        _current.reset(token)


@contextlib.contextmanager
def asking() -> Iterator[None]:
    """Let other tools run while people are asked by a tool, if one asks. Raises Stopped."""
    slot = _current.get()
    if slot is None:
        yield
        return
    slot.slots.lend(slot)
    try:
        yield
    finally:
        slot.slots.take_back(slot)
