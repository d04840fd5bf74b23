"""Start the chat server: `python main.py`, or `python main.py demo` for the offline demo model."""

from __future__ import annotations

import contextlib
import logging
import os
import signal
import sys
import threading
import webbrowser
from collections.abc import Sequence
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any

from autogen.io.base import IOStream
from dotenv import load_dotenv

from agentchat import __version__, http, models, settings, websocket
from agentchat.catalogue import Catalogue
from agentchat.chat import Chat
from agentchat.conversation import Conversation
from agentchat.errors import SettingsError
from agentchat.iostream import NullStream
from agentchat.listener import Listener, room_for_connections
from agentchat.models import Models
from agentchat.origins import Origins
from agentchat.sessions import MESSAGE_CHARS, Sessions
from agentchat.settings import ROOT, Settings
from agentchat.store.sqlite import SqliteStore

log = logging.getLogger("agentchat")

SHUTDOWN_TIMEOUT = 2.5  # seconds that running turns have to end
TALKATIVE = ("httpx", "autogen.io.websockets", "agentchat.websockets")  # a line for each request or port scan
EMPTY_SESSIONS_KEPT = timedelta(days=1)


def main(arguments: Sequence[str]) -> int:
    load_dotenv(Path(".env"))
    try:
        chosen = settings.load(arguments, os.environ)
        _serve(chosen)
    except SettingsError as error:
        print(f"agentchat: {error}", file=sys.stderr)
        return 2
    return 0


def _serve(chosen: Settings) -> None:
    with contextlib.ExitStack() as stack:
        chosen_models = models.load(os.environ, Path.cwd(), chosen.model_timeout, chosen.demo)
        stack.callback(chosen_models.close)
        _set_up_logging(chosen.log_level, chosen_models)
        IOStream.set_global_default(NullStream())
        models.warm_up()
        catalogue = Catalogue(chosen.agents, chosen_models.llm_config, chosen.data_dir)
        page = http.PageServer(chosen.host, chosen.port, http.load_files(ROOT / "website_files"))
        stack.callback(page.server_close)
        listener = Listener(chosen.host, chosen.ws_port, room_for_connections())
        stack.callback(listener.close)
        store = SqliteStore(chosen.data_dir)
        stack.callback(store.close)

        sessions = _sessions(store, catalogue, chosen_models, chosen)
        allowed = frozenset(origin.strip().rstrip("/") for origin in chosen.origins.split(",") if origin.strip())
        origins = Origins(page.port, chosen.host, allowed)
        page.origins, page.ws_port = origins, listener.port
        page.config = lambda: _page_config(catalogue, chosen_models, listener.port)

        stopped = _stop_signal()
        sockets = websocket.Server(sessions, catalogue, chosen_models, origins)
        stack.enter_context(sockets.run(listener))
        stack.callback(sessions.close, SHUTDOWN_TIMEOUT)
        thread = threading.Thread(target=page.serve_forever, args=(0.1,), name="page", daemon=True)
        thread.start()
        stack.callback(thread.join)
        stack.callback(page.shutdown)

        _announce(chosen, page.port, listener.port, chosen_models, catalogue)
        stopped.wait()
        print("Stopping …", flush=True)


def _sessions(store: SqliteStore, catalogue: Catalogue, chosen_models: Models, chosen: Settings) -> Sessions:
    def new_conversation(agent: str, chat: Chat, memories: Any) -> Conversation:
        pair = catalogue.build(agent, chat)
        return Conversation(pair, memories, chosen_models.explain, chosen_models.has_price)

    def new_chat(session_id: str) -> Chat:
        return Chat(session_id, folder=chosen.data_dir)

    sessions = Sessions(store, new_conversation, new_chat, chosen_models.redact)
    interrupted = sessions.interrupt_open_turns()
    if interrupted:
        log.warning("%d turns were running when the server last ended; they are marked interrupted", interrupted)
    yesterday = datetime.now(timezone.utc) - EMPTY_SESSIONS_KEPT
    store.discard_empty(yesterday.isoformat())
    return sessions


def _page_config(catalogue: Catalogue, chosen_models: Models, ws_port: int) -> dict[str, Any]:
    return {
        "version": __version__,
        "ws_port": ws_port,
        "model": {"name": chosen_models.name, "demo": chosen_models.is_demo},
        "default_agent": catalogue.default,
        "agents": [vars(info) for info in catalogue.agents()],
        "limits": {"message_chars": MESSAGE_CHARS},
    }


def _announce(chosen: Settings, port: int, ws_port: int, chosen_models: Models, catalogue: Catalogue) -> None:
    host = f"[{chosen.host}]" if ":" in chosen.host else chosen.host
    page = f"http://{host}:{port}/"
    print(f"agentchat {__version__}")
    print(f"  page       {page}")
    print(f"  websocket  ws://{host}:{ws_port}/")
    demo = "  (offline demo; set OPENAI_API_KEY or OAI_CONFIG_LIST for a real one)" if chosen_models.is_demo else ""
    print(f"  model      {chosen_models.name}{demo}")
    for info in catalogue.agents():
        print(f"  agent      {info.name}" + ("" if info.available else f"  unavailable: {info.reason}"))
    if not catalogue.agents():
        print(f"  agent      none found in {chosen.agents}")
    print("Ctrl-C ends the server.", flush=True)
    if chosen.open:
        webbrowser.open(page)


def _stop_signal() -> threading.Event:
    """Set by Ctrl-C or SIGTERM."""
    stopped = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: stopped.set())
    return stopped


def _set_up_logging(level: str, chosen_models: Models) -> None:
    handler = logging.StreamHandler()
    formatter = logging.Formatter("%(asctime)s %(levelname)-7s %(message)s", "%H:%M:%S")
    handler.setFormatter(_Redacting(formatter, chosen_models))
    logging.basicConfig(level=level, handlers=[handler], force=True)
    if level != "DEBUG":
        for name in TALKATIVE:
            logging.getLogger(name).setLevel(logging.CRITICAL)


class _Redacting(logging.Formatter):
    """The last gate: whatever is logged, a key is not in it."""

    def __init__(self, inner: logging.Formatter, chosen_models: Models) -> None:
        super().__init__()
        self._inner = inner
        self._models = chosen_models

    def format(self, record: logging.LogRecord) -> str:
        return self._models.redact(self._inner.format(record))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
