"""Run the server until a signal ends it."""

from __future__ import annotations

import os
import signal
import threading
import webbrowser
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from agentchat import __version__, collector, installation, logs, settings
from agentchat.net.listener import Ports
from agentchat.settings import Settings

if TYPE_CHECKING:
    from agentchat.app import Running

SIGNAL_POLL = 0.5  # seconds
SHOWN_MODELS = 5  # of a local server


def serve(arguments: Sequence[str], commands: Mapping[str, str]) -> int:
    """Run the server until a signal ends it. Returns the exit status. Raises SettingsError.

    `commands` is what else the command line can begin with, and what that does.
    """
    chosen = settings.load(arguments, os.environ, commands)
    stopped = _stop_signal()
    logs.set_up(chosen.log_level, chosen.log_format)
    with Ports(chosen.host, chosen.port, chosen.ws_port) as ports:
        from agentchat import app  # imports AG2, which takes seconds: clients wait in the backlog meanwhile

        with app.serving(chosen, os.environ, ports) as running, collector.tuned(running.is_idle):
            announce(chosen, running)
            while not stopped.wait(SIGNAL_POLL):  # a wait without a timeout would miss a signal just before it
                continue
            print("Stopping …", flush=True)
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


def _stop_signal() -> threading.Event:
    """Return an event that Ctrl-C or SIGTERM sets."""
    stopped = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: stopped.set())
    if hasattr(os, "register_at_fork"):
        os.register_at_fork(after_in_child=_end_by_signal)
    return stopped


def _end_by_signal() -> None:
    """Let signals end a process that an agent has forked, such as a worker of `multiprocessing`."""
    signal.signal(signal.SIGINT, signal.default_int_handler)
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
