"""The console of a turn: what programs print is shown with the turn, and what they ask for by `input()` is asked there.

Outside turns, `sys.stdout`, `input` and `getpass.getpass` work as they always do.
"""

from __future__ import annotations

import builtins
import functools
import getpass
import io
import sys
import threading
from collections.abc import Callable
from typing import Any, Protocol, TextIO
from uuid import uuid4

from agentchat import cancellation
from agentchat.ag2 import scope
from agentchat.ag2.model_output import StreamingMessage
from agentchat.ag2.turn_output import TurnOutput
from agentchat.protocol.events import clean

MAX_CHARS = 200_000  # of the output of one turn
MAX_LINE = 10_000  # characters of a line that wait for its end
CUT = "\n… The rest of the output is not shown.\n"


class Console:
    """The output of one turn, in one stream for each tool call and one for the turn itself."""

    def __init__(self, turn: TurnOutput) -> None:
        self._turn = turn
        self._lock = threading.Lock()  # guards the fields below
        self._streams: dict[str, StreamingMessage] = {}  # by call id
        self._lines: dict[tuple[str, int], str] = {}  # begun, by call id and thread: `print` writes in pieces
        self._left = MAX_CHARS

    def write(self, text: str) -> None:
        """Show text that a program has printed, as soon as its line is complete or `flush` is called."""
        cancellation.current.get().check()
        with self._lock:
            call_id = self._begin()
            line = call_id, threading.get_ident()
            lines, newline, rest = (self._lines.pop(line, "") + text).rpartition("\n")
            if len(rest) < MAX_LINE:
                self._lines[line] = rest
                self._show(call_id, lines + newline)
            else:
                self._show(call_id, lines + newline + rest)

    def flush(self) -> None:
        """Show all that is left."""
        with self._lock:
            for call_id, thread in list(self._lines):
                self._show(call_id, self._lines.pop((call_id, thread)))
            for stream in self._streams.values():
                self._stream(stream, stream.end())

    def _begin(self) -> str:
        """Return the id of the tool call that prints, "" outside tools, and see that it has a stream."""
        assert self._lock.locked()
        here = scope.current.get()
        call_id = str(here.call.get("call_id") or "")
        if call_id not in self._streams:
            about = {"kind": "output", **({"call_id": call_id} if call_id else {}), **here.about_level}
            stream = StreamingMessage(here.caller if call_id else "", about, self._turn.redaction, True)
            stream.frame_fields = about
            stream.id = f"output-{uuid4().hex}"
            self._streams[call_id] = stream
        return call_id

    def _show(self, call_id: str, text: str) -> None:
        assert self._lock.locked()
        if self._left > 0 and text:
            self._left -= len(text)
            stream = self._streams[call_id]
            self._stream(stream, stream.add(clean(text if self._left >= 0 else text[: self._left] + CUT)))

    def _stream(self, stream: StreamingMessage, text: str) -> None:
        if text:
            self._turn.stream(stream.id, stream.sender, text, stream.frame_fields)


class Terminal(Protocol):
    """The running turn as a terminal."""

    console: Console

    def input(self, prompt: str = "", *, password: bool = False) -> str:
        """Ask the person and return the answer."""


class _Stdout(io.TextIOBase):
    """Stands in for `sys.stdout`; what is written during a turn goes to that."""

    def __init__(self, inner: TextIO, turn: Callable[[], Terminal | None]) -> None:
        self.inner = inner
        self._turn = turn

    def write(self, text: str) -> int:
        turn = self._turn()
        if turn is None:
            return self.inner.write(text)
        turn.console.write(text)
        return len(text)

    def flush(self) -> None:
        turn = self._turn()
        if turn is None:
            self.inner.flush()
        else:
            turn.console.flush()

    def writable(self) -> bool:
        return True

    def isatty(self) -> bool:
        return self._turn() is None and self.inner.isatty()

    @property
    def encoding(self) -> str:  # type: ignore[override]
        return self.inner.encoding

    def __getattr__(self, name: str) -> Any:
        return getattr(self.inner, name)


class _Stdin(io.TextIOBase):
    """Stands in for `sys.stdin`; lines that are read during a turn are asked for."""

    def __init__(self, inner: TextIO, turn: Callable[[], Terminal | None]) -> None:
        self.inner = inner
        self._turn = turn

    def readline(self, size: int | None = -1, /) -> str:  # type: ignore[override]
        turn = self._turn()
        return self.inner.readline(-1 if size is None else size) if turn is None else turn.input() + "\n"

    def __next__(self) -> str:  # type: ignore[override]
        turn = self._turn()
        return next(self.inner) if turn is None else turn.input() + "\n"

    def readable(self) -> bool:
        return True

    def isatty(self) -> bool:
        return self._turn() is None and self.inner.isatty()

    def fileno(self) -> int:
        return self.inner.fileno()

    def __getattr__(self, name: str) -> Any:
        return getattr(self.inner, name)


def install(turn: Callable[[], Terminal | None]) -> None:
    """Put the console of `turn()`, the running turn, in the place of the server's terminal.

    Calling it again has an effect only if somebody else has replaced `sys.stdout` or `sys.stdin` since.
    """
    if not isinstance(sys.stdout, _Stdout):
        sys.stdout = _Stdout(sys.stdout, turn)
    if not isinstance(sys.stdin, _Stdin):
        sys.stdin = _Stdin(sys.stdin, turn)
    if not hasattr(builtins.input, "__wrapped__"):
        builtins.input = _asking(builtins.input, turn, is_password=False)
        getpass.getpass = _asking(getpass.getpass, turn, is_password=True)


def _asking(ask: Callable[..., str], turn: Callable[[], Terminal | None], is_password: bool) -> Callable[..., str]:
    @functools.wraps(ask)
    def asked(prompt: object = "", *args: Any, **kwargs: Any) -> str:
        running = turn()
        if running is None:
            return ask(prompt, *args, **kwargs)
        return running.input(str(prompt), password=is_password)

    return asked
