"""A process with all modules imported that forks chat servers, each a process of its own that starts at once.

It reads one JSON object per line from standard input ({"do": "start", …} or {"do": "signal", …}) and writes one when a
server is ready or has ended. When standard input is closed, it kills the servers still running and exits.
"""

from __future__ import annotations

import gc
import json
import os
import select
import signal
import sys
import threading
import traceback
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from agentchat import app, logs, settings
from agentchat.models import config
from tests.faults.broken import break_inside

OUT = 1
STACK = "The stack of"  # begins that of each thread in a server's log
Order = dict[str, Any]


class Zygote:
    """The parent of the servers; it has one thread, because a fork copies only one."""

    def __init__(self) -> None:
        self._servers: dict[int, int] = {}  # process ids by number
        self._lifeline = os.pipe()  # servers read from it, and end when no writer is left
        self._child_died = os.pipe()
        os.set_blocking(self._child_died[1], False)
        signal.set_wakeup_fd(self._child_died[1])
        signal.signal(signal.SIGCHLD, lambda *_: None)
        # Ignored in the servers too, until they wait for them.
        signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGTERM, signal.SIGUSR1])

    def run(self) -> None:
        """Carry out orders until there are none left."""
        received = b""
        while True:
            ready, _, _ = select.select([0, self._child_died[0]], [], [])
            if self._child_died[0] in ready:
                os.read(self._child_died[0], 4096)
                self._bury()
            if 0 in ready:
                data = os.read(0, 65536)
                if not data:
                    break
                *lines, received = (received + data).split(b"\n")
                for line in lines:
                    self._obey(json.loads(line))
        for pid in self._servers.values():
            os.kill(pid, signal.SIGKILL)
        for pid in self._servers.values():
            os.waitpid(pid, 0)

    def _obey(self, order: Order) -> None:
        number = order["number"]
        if order["do"] == "signal":
            if number in self._servers:  # otherwise it has already ended
                os.kill(self._servers[number], order["signal"])
            return
        pid = os.fork()
        if pid == 0:
            self._become_server(order)
        self._servers[number] = pid

    def _bury(self) -> None:
        for number, pid in list(self._servers.items()):
            gone, status = os.waitpid(pid, os.WNOHANG)
            if gone:
                del self._servers[number]
                _tell(OUT, number=number, ended=os.waitstatus_to_exitcode(status))

    def _become_server(self, order: Order) -> None:
        """Turn this process into a server; never return."""
        status = 1
        try:
            signal.set_wakeup_fd(-1)
            signal.signal(signal.SIGCHLD, signal.SIG_DFL)
            for end in (self._lifeline[1], *self._child_died):
                os.close(end)
            threading.Thread(target=self._end_with_parent, name="lifeline", daemon=True).start()
            _serve(order)
            status = 0
        except BaseException:  # noqa: BLE001 - the stack above is the parent's
            traceback.print_exc()
        finally:
            sys.stderr.flush()
            os._exit(status)

    def _end_with_parent(self) -> None:
        os.read(self._lifeline[0], 1)
        os._exit(1)


def _serve(order: Order) -> None:
    """Do what serve.serve does, with a log file instead of a terminal."""
    out = os.dup(OUT)
    log = os.open(Path(order["folder"]) / "server.log", os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    nothing = os.open(os.devnull, os.O_RDONLY)
    for source, target in ((nothing, 0), (log, 1), (log, 2)):
        os.dup2(source, target)
    threading.Thread(target=_write_stacks, args=(out, order["number"]), name="stacks", daemon=True).start()
    os.chdir(order["folder"])
    break_inside(order["inside"])
    environment: Mapping[str, str] = order["environment"]
    chosen = settings.load(order["arguments"], environment)
    logs.set_up(chosen.log_level, chosen.log_format)
    with app.serving(chosen, environment) as running:
        _tell(out, number=order["number"], pid=os.getpid(), address=running.websocket, page=running.page)
        signal.sigwait([signal.SIGTERM])
        seconds = chosen.drain if "drain" in chosen.given else 0.0  # tests don't wait for turns that never end
        running.drain(seconds, lambda: signal.sigtimedwait([signal.SIGTERM], 0) is not None)


def _write_stacks(out: int, number: int) -> None:
    """Write the stacks of all threads to the log when the parent asks for them.

    Not by faulthandler, which reads the stacks of threads that run on meanwhile, and may crash the server.
    """
    while True:
        signal.sigwait([signal.SIGUSR1])
        names = {thread.ident: thread.name for thread in threading.enumerate()}
        for ident, frame in sys._current_frames().items():
            print(f"{STACK} {names.get(ident, ident)}:", *traceback.format_stack(frame), sep="\n", file=sys.stderr)
        sys.stderr.flush()
        _tell(out, number=number, stacks=True)


def _tell(out: int, **news: object) -> None:
    os.write(out, json.dumps(news).encode() + b"\n")  # short enough that a pipe writes it in one piece


def run() -> None:
    silent = os.dup(OUT)
    os.dup2(2, OUT)  # AG2 prints the answer
    config.warm_up()
    sys.stdout.flush()
    os.dup2(silent, OUT)
    os.close(silent)
    assert threading.active_count() == 1
    gc.collect()
    gc.freeze()  # keeps untouched pages shared with the children
    _tell(OUT, number=0, address="")
    Zygote().run()


if __name__ == "__main__":
    run()
