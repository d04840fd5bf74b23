"""Start the chat server: `python main.py`, or `python main.py demo` for the offline demo model."""

from __future__ import annotations

import contextlib
import logging
import os
import signal
import sys
import threading
import webbrowser
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from autogen.io.base import IOStream
from dotenv import load_dotenv

from agentchat import __version__, chat, settings
from agentchat.ag2.catalogue import Catalogue
from agentchat.ag2.conversation import Conversation
from agentchat.ag2.iostream import NullStream
from agentchat.chat import AgentServices, Chat, SessionView
from agentchat.http import api, server
from agentchat.knowledge import Knowledge
from agentchat.mcp import servers as mcp
from agentchat.models import config as models
from agentchat.models.config import Models
from agentchat.models.embeddings import Embeddings
from agentchat.net.listener import Listener, room_for_connections
from agentchat.net.origins import Origins
from agentchat.protocol.errors import SettingsError
from agentchat.protocol.validation import MESSAGE_CHARS
from agentchat.sessions.registry import Sessions
from agentchat.sessions.services import Policy, Services
from agentchat.sessions.user_notes import Notes
from agentchat.settings import ROOT, Settings
from agentchat.store.sqlite import SqliteStore
from agentchat.ws import server as websocket

log = logging.getLogger("agentchat")

SIGNAL_POLL = 0.5  # seconds
PAGE_POLL = 0.1  # seconds after which the page's server notices that it is to end
SHUTDOWN_TIMEOUT = 2.5  # seconds that running turns have to end
TALKATIVE = (
    "httpx",
    "mcp",
    "openai",
    "autogen.io.websockets",
    "agentchat.websockets",
)  # a line for each request


@dataclass(frozen=True)
class Running:
    """A server that runs: where its page is, and where programs connect."""

    page: str
    websocket: str
    models: Models
    catalogue: Catalogue


def main(arguments: Sequence[str]) -> int:
    load_dotenv(Path(".env"))
    try:
        chosen = settings.load(arguments, os.environ)
        stopped = _stop_signal()
        _set_up_logging(chosen.log_level)
        with serving(chosen, os.environ) as running:
            _announce(chosen, running)
            while not stopped.wait(SIGNAL_POLL):  # without an end, a signal just before the wait would be slept over
                continue
            print("Stopping …", flush=True)
    except SettingsError as error:
        print(f"agentchat: {error}", file=sys.stderr)
        return 2
    return 0


@contextlib.contextmanager
def serving(chosen: Settings, environment: Mapping[str, str]) -> Iterator[Running]:
    """Both servers, until the context ends; then running turns are interrupted and all is given back.

    Raises SettingsError when something that a person chose cannot be used.
    """
    with contextlib.ExitStack() as stack:
        chosen_models = models.load(environment, Path.cwd(), chosen.model_timeout, chosen.demo)
        _hide_keys(chosen_models)
        stack.callback(chosen_models.close)
        mcp_servers = mcp.load(chosen.mcp)
        stack.callback(mcp_servers.close)
        page = server.PageServer(chosen.host, chosen.port, server.load_files(ROOT / "website_files"))
        stack.callback(page.server_close)
        listener = Listener(chosen.host, chosen.ws_port, room_for_connections())
        stack.callback(listener.close)
        store = SqliteStore(chosen.data_dir)
        stack.callback(store.close)

        IOStream.set_global_default(NullStream())
        notes = Notes(store)
        knowledge = _knowledge(chosen, chosen_models)
        stack.callback(knowledge.close)
        services = AgentServices(chosen.data_dir, notes, knowledge, mcp_servers, chosen.run_code)
        catalogue = Catalogue(chosen.agents, chosen_models.llm_config, services, chosen.default_agent)
        models.warm_up()
        sessions = Sessions(_services(store, catalogue, chosen_models, chosen, services))
        interrupted = sessions.begin()
        if interrupted:
            log.warning("%d turns were running when the server last ended; they are marked interrupted", interrupted)
        page.origins = Origins(page.port, chosen.host, chosen.allowed_origins)
        page.ws_port = listener.port
        page.table = api.table(
            sessions, catalogue, notes, knowledge, lambda: _page_config(catalogue, chosen_models, listener.port)
        )

        sockets = websocket.Server(sessions, catalogue, page.origins)
        stack.enter_context(sockets.run(listener))
        stack.callback(sessions.close, SHUTDOWN_TIMEOUT)
        thread = threading.Thread(target=page.serve_forever, args=(PAGE_POLL,), name="page", daemon=True)
        thread.start()
        stack.callback(thread.join)
        stack.callback(page.shutdown)

        host = f"[{chosen.host}]" if ":" in chosen.host else chosen.host
        page_address, socket_address = f"http://{host}:{page.port}/", f"ws://{host}:{listener.port}/"
        yield Running(page_address, socket_address, chosen_models, catalogue)


def _services(
    store: SqliteStore, catalogue: Catalogue, chosen_models: Models, chosen: Settings, services: AgentServices
) -> Services:
    def new_conversation(agent: str, chat: Chat, memories: Iterable[str]) -> Conversation:
        pair = catalogue.build(agent, chat)
        explain, has_price = chosen_models.explain, chosen_models.has_price
        return Conversation(pair, chat, memories, explain, has_price, chosen.approve, chosen.context_tokens)

    def new_chat(session_id: str, session: SessionView) -> Chat:
        return Chat(session_id, services=services, session=session)

    def clear(session_id: str) -> None:
        chat.clear(chosen.data_dir, session_id)

    rules = Policy(chosen.busy, chosen.input_timeout, chosen.max_messages_per_session, chosen.session_ttl_hours)
    model = {"name": chosen_models.name, "demo": chosen_models.is_demo}
    return Services(store, new_conversation, new_chat, chosen_models.redact, clear, model, rules)


def _knowledge(chosen: Settings, chosen_models: Models) -> Knowledge:
    embed = None
    if chosen.embedding_model and chosen_models.is_demo:
        log.warning("The demo model has no embeddings: documents are searched by words alone")
    elif chosen.embedding_model:
        embed = Embeddings(chosen_models.llm_config, chosen.embedding_model)
    missing = next((source for source in chosen.knowledge if not source.exists()), None)
    if missing is not None:
        raise SettingsError(f"There are no documents at {missing}. Name others with --knowledge.")
    return Knowledge(chosen.knowledge, chosen.data_dir / "knowledge.db", embed)


def _page_config(catalogue: Catalogue, chosen_models: Models, ws_port: int) -> dict[str, Any]:
    return {
        "version": __version__,
        "ws_port": ws_port,
        "model": {"name": chosen_models.name, "demo": chosen_models.is_demo},
        "default_agent": catalogue.default,
        "agents": [vars(info) for info in catalogue.agents()],
        "limits": {"message_chars": MESSAGE_CHARS},
    }


def _announce(chosen: Settings, running: Running) -> None:
    print(f"agentchat {__version__}")
    print(f"  page       {running.page}")
    print(f"  websocket  {running.websocket}")
    hint = "  (offline; set OPENAI_API_KEY or OAI_CONFIG_LIST for a real one)" if running.models.is_demo else ""
    print(f"  model      {running.models.name}{hint}")
    for info in running.catalogue.agents():
        print(f"  agent      {info.name}" + ("" if info.available else f"  unavailable: {info.reason}"))
    if not running.catalogue.agents():
        print(f"  agent      none found in {chosen.agents}")
    print("Ctrl-C ends the server.", flush=True)
    if chosen.open:
        webbrowser.open(running.page)


def _stop_signal() -> threading.Event:
    """Set by Ctrl-C or SIGTERM."""
    stopped = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: stopped.set())
    return stopped


def _set_up_logging(level: str) -> None:
    logging.basicConfig(level=level, format="%(asctime)s %(levelname)-7s %(message)s", datefmt="%H:%M:%S")
    for name in TALKATIVE:  # with DEBUG they would write down all that people send, passwords included
        logging.getLogger(name).setLevel(logging.INFO if level == "DEBUG" else logging.CRITICAL)


def _hide_keys(chosen_models: Models) -> None:
    """The last gate: whatever is logged, a key is not in it."""
    for handler in logging.getLogger().handlers:
        handler.setFormatter(_Redacting(handler.formatter or logging.Formatter(), chosen_models))


class _Redacting(logging.Formatter):
    def __init__(self, inner: logging.Formatter, chosen_models: Models) -> None:
        super().__init__()
        self._inner = inner
        self._models = chosen_models

    def format(self, record: logging.LogRecord) -> str:
        return self._models.redact(self._inner.format(record))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
