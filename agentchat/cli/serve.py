"""Run the server until a signal ends it."""

from __future__ import annotations

import os
import signal
import time
import webbrowser
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from agentchat import __version__, collector, installation, logs, settings
from agentchat.net import systemd
from agentchat.net.listener import Ports
from agentchat.settings import Settings

if TYPE_CHECKING:
    from agentchat.app import Running

SIGNAL_POLL = 0.2  # seconds
ENDS_WITHIN = 15.0  # seconds at most from the end of the drain to that of the process
SHOWN_MODELS = 5  # of a local server


def serve(arguments: Sequence[str], commands: Mapping[str, str]) -> int:
    """Run the server until a signal ends it. Returns the exit status. Raises SettingsError.

    `commands` is what else the command line can begin with, and what that does.
    """
    chosen = settings.load(arguments, os.environ, commands)
    came = _stop_signals()
    manager = systemd.Manager()
    logs.set_up(chosen.log_level, chosen.log_format)
    tls = (chosen.tls_cert, chosen.tls_key)
    with Ports(chosen.host, chosen.port, chosen.ws_port, systemd.passed(), tls) as ports:
        chosen = replace(chosen, host=ports.host)
        from agentchat import app  # imports AG2, which takes seconds: clients wait in the backlog meanwhile

        with app.serving(chosen, os.environ, ports) as running, collector.tuned(running.is_idle):
            announce(chosen, running)
            manager.tell("READY=1")
            while not came:
                time.sleep(SIGNAL_POLL)
            print("Stopping …", flush=True)
            manager.tell("STOPPING=1", f"EXTEND_TIMEOUT_USEC={round((chosen.drain + ENDS_WITHIN) * 1e6)}")
            running.drain(chosen.drain, lambda: signal.SIGINT in came or len(came) > 1)
    return 0


def announce(chosen: Settings, running: Running) -> None:
    print(f"agentchat {__version__}")
    print(f"  page       {running.page}")
    print(f"  websocket  {running.websocket}")
    print(f"  data       {chosen.data_dir.absolute()}")
    if running.metrics:
        print(f"  metrics    {running.metrics}")
    hint = "  (offline; set OPENAI_API_KEY or OAI_CONFIG_LIST for a real one)" if running.models.is_demo else ""
    print(f"  model      {running.models.name}{hint}")
    if others := ", ".join(running.models.others):
        print(f"  note       {others}: AG2's own client has its own time-outs, and a stopped call runs on unseen")
    for server in running.search.wait():
        print(f"  local      {server.title} has {', '.join(server.models[:SHOWN_MODELS])}: {server.command}")
    for info in running.catalogue.agents():
        print(f"  agent      {info.name}" + ("" if info.available else f"  unavailable: {info.reason}"))
    if not running.catalogue.agents():
        print(f"  agent      none found in {chosen.served or chosen.agents}; {installation.command('new')} writes one")
    if running.first_account:
        print(f"  first account, at  {running.first_account}")
    print("Ctrl-C ends the server.", flush=True)
    if chosen.open:
        webbrowser.open(running.page)


def _stop_signals() -> list[int]:
    """Return a list to which Ctrl-C and SIGTERM add themselves.

    A lock, as `threading.Event` has one, could be held by the very thread in which they come.
    """
    came: list[int] = []
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda number, _: came.append(number))
    if hasattr(os, "register_at_fork"):
        os.register_at_fork(after_in_child=_end_by_signal)
    return came


def _end_by_signal() -> None:
    """Let signals end a process that an agent has forked, such as a worker of `multiprocessing`."""
    signal.signal(signal.SIGINT, signal.default_int_handler)
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
