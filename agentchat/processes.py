"""Programs that are killed with everything they started.

They carry a mark in their environment, which their children inherit: on Linux, /proc shows it even of those that left
their process group and session.
"""

from __future__ import annotations

import contextlib
import contextvars
import functools
import inspect
import os
import secrets
import signal
import subprocess
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

ROUNDS = 100  # for programs that start others as fast as they are killed

_MARK = "AGENTCHAT_RUN"
_KILL = getattr(signal, "SIGKILL", signal.SIGTERM)  # Windows has neither this nor process groups
_kill_group: Callable[[int, int], None] = getattr(os, "killpg", os.kill)


class Programs:
    """Programs that are killed together, with all that they started."""

    def __init__(self) -> None:
        mark = secrets.token_hex(16)
        self.environment = {_MARK: mark}
        """The mark, for the environment in which each of them is started."""
        self._mark = f"{_MARK}={mark}".encode()
        self._lock = threading.Lock()  # guards what follows
        self._groups: list[int] = []
        self._is_over = False

    @property
    def were_started(self) -> bool:
        return bool(self._groups)

    def add(self, group: int) -> None:
        """Add a program that was started in a session of its own. Once they were killed, it is killed as well."""
        with self._lock:
            self._groups.append(group)
            is_late = self._is_over
        if is_late:
            self.kill()

    def kill(self) -> None:
        """Kill them, and all that will be added from now on. Those that clear their environment may escape."""
        with self._lock:
            self._is_over = True
            groups = list(self._groups)
        for group in groups:
            with contextlib.suppress(OSError):  # it has ended
                _kill_group(group, _KILL)
        for _ in range(ROUNDS):
            left = [number for number in own_processes() if self._mark in _environment(number)]
            if not left:
                return
            for number in left:
                with contextlib.suppress(ProcessLookupError):
                    os.kill(number, _KILL)

    @contextlib.contextmanager
    def collecting(self) -> Iterator[None]:
        """Add the programs that are started with `subprocess` within the context. They have nothing to read."""
        _install()
        token = current.set(self)
        try:
            yield
        finally:
            current.reset(token)


current: contextvars.ContextVar[Programs | None] = contextvars.ContextVar("programs", default=None)
"""The sets to which programs started by this thread or task are added."""


def own_processes() -> Iterator[int]:
    """Yield the ids of this user's processes, if the system has /proc."""
    try:
        names = os.listdir("/proc")
    except OSError:
        return
    for name in names:
        if name.isdigit():
            with contextlib.suppress(OSError):  # ended meanwhile
                if os.stat(f"/proc/{name}").st_uid == os.getuid():
                    yield int(name)


def _environment(process: int) -> bytes:
    """Return the environment that the process was started with; empty if it has ended."""
    try:
        return Path(f"/proc/{process}/environ").read_bytes()
    except OSError:
        return b""


def _install() -> None:
    """Patch `Popen`, once per process. It works as before where nothing collects programs."""
    if not hasattr(subprocess.Popen.__init__, "__wrapped__"):
        subprocess.Popen.__init__ = _marking(subprocess.Popen.__init__)  # type: ignore[method-assign]


def _marking(init: Callable[..., None]) -> Callable[..., None]:
    signature = inspect.signature(init)

    @functools.wraps(init)
    def start(*args: object, **kwargs: object) -> None:
        programs = current.get()
        if programs is None:
            init(*args, **kwargs)
            return
        given = signature.bind(*args, **kwargs)
        own = given.arguments.get("env")
        given.arguments["env"] = {**(os.environ if own is None else own), **programs.environment}
        given.arguments["start_new_session"] = True
        if given.arguments.get("stdin") is None:
            given.arguments["stdin"] = subprocess.DEVNULL  # not the server's terminal
        init(*given.args, **given.kwargs)
        programs.add(given.arguments["self"].pid)

    return start
