"""The program that renders, apart from the server: no text, however nasty, takes its time or its memory.

It reads a text and the processor time that it may take, and answers with blocks, or with null if that was not enough.
"""

from __future__ import annotations

import contextlib
import json
import os
import signal
import sys
import time
from collections.abc import Iterator
from multiprocessing.connection import Connection

from agentchat.rendering.blocks import Block
from agentchat.rendering.markdown import render

IDLE = 600.0  # seconds without a text, after which it ends
MAX_HTML = 4 * 2**20  # characters that become of a text
MAX_MEMORY = 2**30  # bytes of address space
NICENESS = 5  # conversations go first


class TooLong(BaseException):
    """A text takes more time than it may; no library catches this by chance."""


def main(descriptor: int) -> None:
    """Render what comes over a connection, until there is nobody at its other end or nothing came for long."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl+C is for the server, which hangs up
    _limit()
    with Connection(descriptor) as connection, contextlib.suppress(EOFError, OSError):
        while connection.poll(IDLE):
            seconds, text = json.loads(connection.recv_bytes())
            connection.send_bytes(json.dumps(answer(text, seconds)).encode())


def answer(text: str, seconds: float) -> tuple[list[Block] | None, float]:
    """Return a text's blocks, or None if they take longer or become too much, and the time that this took."""
    begun = time.process_time()
    try:
        with _at_most(seconds):
            blocks: list[Block] | None = render(text)
    except (TooLong, MemoryError, RecursionError):
        blocks = None
    if blocks is not None and sum(len(block.html) for block in blocks) > MAX_HTML:
        blocks = None
    return blocks, time.process_time() - begun


@contextlib.contextmanager
def _at_most(seconds: float) -> Iterator[None]:
    """Raise TooLong once the context has taken so much processor time."""
    signal.signal(signal.SIGPROF, _stop)
    signal.setitimer(signal.ITIMER_PROF, seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_PROF, 0)


def _stop(number: int, frame: object) -> None:
    raise TooLong


def _limit() -> None:
    """Come after the server, and take no more memory than this needs, as far as the system lets it."""
    if sys.platform != "win32":
        import resource

        with contextlib.suppress(OSError):
            os.nice(NICENESS)
        with contextlib.suppress(OSError, ValueError):  # it may have less already
            resource.setrlimit(resource.RLIMIT_AS, (MAX_MEMORY, MAX_MEMORY))
