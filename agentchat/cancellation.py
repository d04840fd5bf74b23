"""Stopping a turn: one token interrupts everything it waits for.

`Stopped` is a BaseException on purpose: AG2 turns an Exception raised inside a tool into the tool's result and goes on,
and the openai package retries after one.
"""

from __future__ import annotations

import asyncio
import contextlib
import contextvars
import threading
from collections.abc import Callable, Coroutine, Iterator
from typing import Any, Generic, TypeVar

from agentchat.protocol.errors import ChatError

T = TypeVar("T")


class Stopped(BaseException):
    """The turn must end."""

    def __init__(self, reason: str, error: ChatError | None = None) -> None:
        """`reason` is the status with which it ends: stopped, interrupted, suspended, or failed with an `error`."""
        self.reason = reason
        self.error = error
        super().__init__(reason)


class StopToken:
    """Stops one turn, from any thread."""

    def __init__(self) -> None:
        self._lock = threading.Lock()  # guards what follows
        self._reason: str | None = None
        self._error: ChatError | None = None
        self._interrupts: dict[int, Callable[[], None]] = {}

    def stop(self, reason: str, error: ChatError | None = None) -> None:
        """Interrupt everything that waits under this token. Only the first call counts."""
        with self._lock:
            if self._reason is not None:
                return
            self._error = error
            self._reason = reason
            interrupts = list(self._interrupts.values())
        for interrupt in interrupts:
            interrupt()

    def check(self) -> None:
        """Raise Stopped if the turn was stopped."""
        if self._reason is not None:
            raise Stopped(self._reason, self._error)

    @contextlib.contextmanager
    def interruptible(self, interrupt: Callable[[], None]) -> Iterator[None]:
        """Make a blocking call interruptible; `interrupt`, called from another thread, makes it return at once.

        Raises Stopped if the turn is stopped before or meanwhile, whatever the call returned or raised.
        """
        key = id(interrupt)
        with self._lock:
            self.check()
            self._interrupts[key] = interrupt
        try:
            yield
        finally:
            with self._lock:
                del self._interrupts[key]
            self.check()

    def sleep(self, seconds: float) -> None:
        """Wait, and raise Stopped if the turn is stopped meanwhile."""
        woken = threading.Event()
        with self.interruptible(woken.set):
            woken.wait(seconds)


# The token of the turn that this thread (or task) works for; outside a turn, one that nobody stops.
current: contextvars.ContextVar[StopToken] = contextvars.ContextVar("stop_token", default=StopToken())  # noqa: B039


class _Call(Generic[T]):
    """A call in a thread of its own, which is abandoned if the turn is stopped."""

    def __init__(self, function: Callable[[], T], dispose: Callable[[T], None] | None) -> None:
        self._function = function
        self._dispose = dispose
        self._lock = threading.Lock()  # guards `_ended` and `_abandoned`
        self._ended = False
        self._abandoned = False
        self._result: T
        self._error: BaseException | None = None
        self.woken = threading.Event()
        self.ended = threading.Event()

    def run(self) -> None:
        """Make the call, in its thread."""
        try:
            self._result = self._function()
        except BaseException as error:  # noqa: BLE001 - raised again in the thread that waits
            self._error = error
        with self._lock:
            self._ended = True
            self._dispose_if_abandoned()
        self.ended.set()
        self.woken.set()

    def abandon(self) -> None:
        """Abandon the call, and dispose of its result."""
        with self._lock:
            self._abandoned = True
            self._dispose_if_abandoned()

    def outcome(self) -> T:
        """Return the result of the call, or raise its exception."""
        if self._error is not None:
            raise self._error
        return self._result

    def _dispose_if_abandoned(self) -> None:
        assert self._lock.locked()
        if self._ended and self._abandoned and self._error is None and self._dispose:
            self._dispose(self._result)


def call(
    function: Callable[[], T],
    name: str,
    dispose: Callable[[T], None] | None = None,
    grace: float = 0,
    on_abandon: Callable[[], None] | None = None,
) -> T:
    """Return `function()`, called in a thread of its own so that a stop needn't wait for it.

    After a stop it has `grace` seconds to end; if it runs on, `on_abandon` is called. `dispose` gets its result then.
    Raises Stopped, and whatever the function raises.
    """
    pending = _Call(function, dispose)
    context = contextvars.copy_context()
    try:
        threading.Thread(target=context.run, args=(pending.run,), name=name, daemon=True).start()
    except (RuntimeError, MemoryError) as error:  # the process has as many as it may
        raise Stopped("failed", ChatError("server_full", what="threads")) from error
    try:
        with current.get().interruptible(pending.woken.set):
            pending.woken.wait()
    except Stopped:
        has_ended = pending.ended.wait(grace)
        pending.abandon()
        if not has_ended and on_abandon is not None:
            on_abandon()
        raise
    return pending.outcome()


def run_async(coroutine: Coroutine[Any, Any, T]) -> T:
    """Run a coroutine in an event loop of its own and return its result. A stop cancels it. Raises Stopped."""

    async def run() -> T:
        task, loop = asyncio.current_task(), asyncio.get_running_loop()
        assert task is not None
        loop.set_exception_handler(_report_unless_stopped)

        def cancel() -> None:
            with contextlib.suppress(RuntimeError):  # it has just ended by itself
                loop.call_soon_threadsafe(task.cancel)

        with contextlib.closing(coroutine), current.get().interruptible(cancel):
            return await coroutine

    return asyncio.run(run())


def _report_unless_stopped(loop: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
    """Report what a task failed with that nobody waits for, unless it was stopped."""
    if not isinstance(context.get("exception"), (Stopped, asyncio.CancelledError)):
        loop.default_exception_handler(context)
