"""Lets threads and executors that are started during a turn inherit its context variables, as asyncio's tasks do.

Python 3.14 can do the same (`thread_inherit_context`); before, a new thread knows neither the turn nor its stop token.
Start a thread that outlives the turn with `contextvars.Context().run(thread.start)`.
"""

from __future__ import annotations

import contextlib
import contextvars
import functools
import threading
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any

from agentchat.cancellation import Stopped

inherits: contextvars.ContextVar[bool] = contextvars.ContextVar("inherits", default=False)
"""True in the threads and tasks of a turn."""


def install() -> None:
    """Patch `Thread.start` and `ThreadPoolExecutor.submit`, once per process. Outside turns they work as before."""
    if not hasattr(threading.Thread.start, "__wrapped__"):
        threading.Thread.start = _start(threading.Thread.start)  # type: ignore[assignment, method-assign]
        ThreadPoolExecutor.submit = _submit(ThreadPoolExecutor.submit)  # type: ignore[method-assign]


def _start(start: Callable[[threading.Thread], None]) -> Callable[[threading.Thread], None]:
    @functools.wraps(start)
    def start_inheriting(thread: threading.Thread) -> None:
        if inherits.get():
            context, run = contextvars.copy_context(), thread.run

            def run_inheriting() -> None:
                del thread.run  # a thread that refers to itself would outlive its end
                with contextlib.suppress(Stopped):  # the turn is over, and so is this
                    context.run(run)

            thread.run = run_inheriting  # type: ignore[method-assign]
        start(thread)

    return start_inheriting


def _submit(submit: Callable[..., Future[Any]]) -> Callable[..., Future[Any]]:
    @functools.wraps(submit)
    def submit_inheriting(
        pool: ThreadPoolExecutor, function: Callable[..., Any], /, *args: Any, **kwargs: Any
    ) -> Future[Any]:
        if not inherits.get():
            return submit(pool, function, *args, **kwargs)
        context = contextvars.copy_context()
        # The pool may start a thread now, which will serve others as well.
        return contextvars.Context().run(submit, pool, context.run, function, *args, **kwargs)

    return submit_inheriting
