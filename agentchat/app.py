"""Put the parts of the server together and run them: `serving` is all that the command line needs."""

from __future__ import annotations

import contextlib
import logging
import threading
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from agentchat import __version__, audit, doctor, installation, logs
from agentchat.access import Access
from agentchat.ag2 import instrument, places
from agentchat.ag2.catalogue import Catalogue
from agentchat.ag2.conversation import Conversation
from agentchat.ag2.limits import Limits
from agentchat.ag2.tool_slots import ToolSlots
from agentchat.audit import Audit
from agentchat.auth import oidc, setup
from agentchat.auth.accounts import Accounts
from agentchat.auth.attempts import Attempts
from agentchat.auth.identification import Identification
from agentchat.auth.oidc import OpenId
from agentchat.chat import AgentServices, Chat, SessionView
from agentchat.doctor.finding import Setup
from agentchat.erasure import Erasure
from agentchat.http import api, server
from agentchat.http.admin import AdminRoutes
from agentchat.http.handler import LOGIN_PAGE
from agentchat.http.health import HealthRoutes
from agentchat.http.limits import Rules
from agentchat.http.login import CALLBACK, FirstAccount, LoginRoutes
from agentchat.http.profile import ProfileRoutes
from agentchat.http.public_files import load_files
from agentchat.http.sharing import SharingRoutes
from agentchat.http.status import Look, StatusRoutes
from agentchat.knowledge import Knowledge
from agentchat.mcp import servers as mcp
from agentchat.measures import Measures, last_hour, metrics_port, tracing
from agentchat.measures.exposition import Exposition
from agentchat.models import config as models
from agentchat.models import local_servers, openai_client
from agentchat.models.config import Models
from agentchat.models.embeddings import Embeddings
from agentchat.models.entries import Choice
from agentchat.models.local_servers import Search
from agentchat.models.openai_client import ModelWrapper
from agentchat.net import resources
from agentchat.net.access_log import AccessLog
from agentchat.net.listener import Ports
from agentchat.net.origins import Origins
from agentchat.people import People
from agentchat.protocol.errors import SettingsError, StoreError
from agentchat.protocol.validation import MESSAGE_CHARS
from agentchat.rendering import Rendering
from agentchat.sessions.registry import Sessions
from agentchat.sessions.rules import SessionRules
from agentchat.sessions.services import Services
from agentchat.sessions.user_notes import UserNotes
from agentchat.settings import Settings
from agentchat.store.failures import advice
from agentchat.store.sqlite import SqliteStore
from agentchat.workspace.folders import Folders
from agentchat.workspace.storage import MIB, StorageLimits
from agentchat.ws.receiving import Limits as ConnectionLimits
from agentchat.ws.sending import Silence
from agentchat.ws.server import Server

log = logging.getLogger(__name__)

THREADS_OF_A_TURN = 6  # of the threads that there are, so that tools and everything else have some
MANY_TURNS = 10_000  # with room for so many, nothing limits them
SHUTDOWN_TIMEOUT = 2.5  # seconds that running turns have to end


@dataclass(frozen=True)
class Running:
    """A running server: the addresses of its page and its WebSocket, its models and agents.

    `search` looks for other models on this machine while the demo model answers.
    """

    page: str
    websocket: str
    models: Models
    catalogue: Catalogue
    search: Search
    first_account: str
    """The address at which the first account can be made; "" if there is one, or nobody has to log in."""
    is_idle: Callable[[], bool]
    """Returns True while no turn runs."""
    metrics: str
    """The address of the metrics' own port; "" without one."""
    drain: Callable[[float, Callable[[], bool]], None]
    """Begins no further turn, and waits for those that run: so many seconds, or until the function returns True."""


@contextlib.contextmanager
def serving(chosen: Settings, environment: Mapping[str, str], ports: Ports | None = None) -> Iterator[Running]:
    """Run both servers until the context ends, then interrupt running turns and release everything.

    `ports` may be listening already: clients that connect before the server is ready wait in their backlog. Raises
    SettingsError for a setting that cannot be used.
    """
    chosen = replace(chosen, data_dir=chosen.data_dir.absolute())  # a program may change the working directory
    with contextlib.ExitStack() as stack:
        openai_client.install(chosen.model_timeout)
        instrument.install()
        files = (chosen.tls_cert, chosen.tls_key)
        ports = stack.enter_context(ports or Ports(chosen.host, chosen.port, chosen.ws_port, tls=files))
        own_address = f"{chosen.scheme}://{chosen.host}:{ports.page.getsockname()[1]}"
        public = chosen.public_url.strip().rstrip("/") or own_address
        known = _known(stack, chosen, public)
        core = _core(stack, chosen, environment, ports, known)
        sessions, measures = core.sessions, core.services.measures
        access = Access(sessions, lambda: known.identification.is_open, chosen.admins_read)
        _begin(sessions, chosen)

        page = _page(stack, chosen, ports, known, core, access)
        people = People(known.accounts, core.store.sharing, page.live, lambda: access.is_open, sessions.hand_back)
        look = Look(sessions, core.store, page.connections, page.limits)
        exposition = Exposition(measures, look)
        metrics_address = stack.enter_context(metrics_port.serving(chosen.metrics, exposition))
        status = StatusRoutes(exposition, stack.enter_context(last_hour.kept(measures, look)), core.store.usage)
        health = HealthRoutes(core.store, sessions, ports.websocket.getsockname()[:2])
        profile, about_people = _routes_about_people(chosen, known, core, access, page, people)
        page.table = api.table(
            sessions, core.catalogue, core.notes, core.knowledge, health, access,
            [*about_people, profile, status],
            stack.enter_context(contextlib.closing(Rendering())),
            lambda call: {**_page_config(core, page.ws_port, not access.is_open), "me": profile.profile(call)},
        )  # fmt: skip
        doctor.warn(Setup(chosen, environment, core.models))
        silence = Silence(chosen.heartbeat, chosen.ping_interval, chosen.ping_timeout)
        websockets = Server(
            sessions, core.catalogue, page.origins, _connection_limits(chosen),
            known.identification, access, page.live, page.connections, page.access_log, silence,
        )  # fmt: skip
        stack.enter_context(websockets.run(ports.websocket, ports.is_kept))
        page.adopt = websockets.adopt
        stack.enter_context(people.watched())
        sessions.desk.follow(people.wake)
        stack.callback(sessions.close, SHUTDOWN_TIMEOUT)
        _start(stack, page)
        _warm_up(stack)

        host = f"[{chosen.host}]" if ":" in chosen.host else chosen.host
        page_address = f"{chosen.scheme}://{host}:{page.port}/"
        socket_address = f"{'wss' if chosen.scheme == 'https' else 'ws'}://{host}:{page.ws_port}/"
        is_first = chosen.accounts and known.accounts.is_empty
        first_account = f"{public}{LOGIN_PAGE}#first={known.first_account.secret}" if is_first else ""
        yield Running(
            page_address, socket_address, core.models, core.catalogue, core.search, first_account, sessions.is_idle,
            metrics_address,
            sessions.drain,
        )  # fmt: skip


@dataclass(frozen=True)
class _Known:
    """The parts that know who calls."""

    accounts: Accounts
    identification: Identification
    openid: OpenId | None
    first_account: FirstAccount
    audit: Audit


def _known(stack: contextlib.ExitStack, chosen: Settings, public: str) -> _Known:
    """Return these parts; `public` is the address under which people reach the page. Raises SettingsError."""
    accounts = Accounts(chosen.data_dir, chosen.login_days)
    stack.callback(accounts.close)
    identification = setup.identification(chosen, accounts)
    openid = oidc.configured(chosen, public + CALLBACK)
    return _Known(accounts, identification, openid, FirstAccount(), Audit(chosen.data_dir / audit.FILE))


@dataclass(frozen=True)
class _Core:
    """The parts that keep conversations, and have agents work on them."""

    models: Models
    search: Search
    store: SqliteStore
    notes: UserNotes
    knowledge: Knowledge
    catalogue: Catalogue
    services: Services
    sessions: Sessions


def _core(
    stack: contextlib.ExitStack, chosen: Settings, environment: Mapping[str, str], ports: Ports, known: _Known
) -> _Core:
    """Return these parts. Raises SettingsError."""
    local_ports = local_servers.ports(chosen.local_servers)
    choice = Choice(chosen.model, chosen.base_url, chosen.api_key_env, local_ports)
    chosen_models = models.load(environment, Path.cwd(), chosen.model_timeout, chosen.demo, choice)
    ours = {port.getsockname()[1] for port in (ports.page, ports.websocket)}
    offers = {name: port for name, port in local_ports.items() if chosen_models.is_demo and port not in ours}
    search = Search(offers)
    logs.hide(chosen_models.redact)
    stack.callback(chosen_models.close)
    mcp_servers = mcp.load(chosen.mcp, chosen.mcp_message * MIB)
    stack.callback(mcp_servers.close)
    folders = Folders(chosen.data_dir, _storage_limits(chosen))
    may_be_new = not folders.has_files
    store = SqliteStore(chosen.data_dir, search_timeout=chosen.search_timeout, may_be_new=may_be_new)
    stack.callback(store.close)
    measures = Measures(store.measures, stack.enter_context(tracing.configured(environment, chosen.otel_content)))

    notes = UserNotes(store)
    knowledge = _knowledge(chosen, chosen_models)
    stack.callback(knowledge.close)
    agent_services = AgentServices(chosen.data_dir, notes, knowledge, mcp_servers, chosen.run_code, folders.storage)
    place = places.place(chosen.served, chosen.agents)
    catalogue = Catalogue(place, chosen_models.llm_config, agent_services, chosen.default_agent)
    services = _services(store, catalogue, chosen_models, chosen, agent_services, folders, known.audit)
    services.roles = known.identification.roles
    services.measures = measures
    return _Core(chosen_models, search, store, notes, knowledge, catalogue, services, Sessions(services))


def _begin(sessions: Sessions, chosen: Settings) -> None:
    """Take up what the last server left. Raises SettingsError."""
    try:
        interrupted = sessions.begin()
    except StoreError as error:
        raise SettingsError(f"The data folder {chosen.data_dir} cannot be used: {advice(error)}.") from error
    if interrupted:
        log.warning("%d turns were running when the server last ended; they are marked interrupted", interrupted)


def _page(
    stack: contextlib.ExitStack, chosen: Settings, ports: Ports, known: _Known, core: _Core, access: Access
) -> server.PageServer:
    """Return the page's server, which has no routes yet."""
    page = server.PageServer(ports.page, load_files(installation.PAGE), _http_rules(chosen))
    stack.callback(page.server_close)
    page.waiters.heartbeat = chosen.heartbeat
    page.ws_port = ports.websocket.getsockname()[1]
    public_address = known.identification.proxies.public
    page.origins = Origins(page.port, chosen.host, chosen.allowed_origins, page.ws_port, public_address)
    page.check_rate, page.has_sent = core.sessions.check_rate, core.sessions.has_sent
    page.identification, page.access = known.identification, access
    page.access_log = AccessLog(chosen.access_log)
    return page


def _routes_about_people(
    chosen: Settings, known: _Known, core: _Core, access: Access, page: server.PageServer, people: People
) -> tuple[ProfileRoutes, list[object]]:
    """Return the resources by which people log in, share conversations, and rule over what is theirs."""
    accounts, sharing, usage = known.accounts, core.store.sharing, core.store.usage
    erasure = Erasure(accounts, core.sessions, core.store, access, page.live, people.look)
    core.notes.exists = erasure.exists
    attempts = Attempts()
    login_seconds = chosen.login_days * 86_400
    login = LoginRoutes(
        known.identification, attempts, known.audit, known.first_account, known.openid, people.look,
        login_seconds=login_seconds,
    )  # fmt: skip
    profile = ProfileRoutes(
        known.identification, attempts, known.audit, core.services.quotas, usage, core.sessions, core.notes,
        erasure.erase, people.look,
        login_seconds=login_seconds,
    )  # fmt: skip
    shared = SharingRoutes(core.sessions, sharing, access, accounts, known.audit, people.members_changed)
    admin = AdminRoutes(core.sessions, access, accounts, usage, page.connections, known.audit)
    return profile, [login, shared, admin]


def _turns(limit: int) -> int:
    """Return how many turns may run at once: each takes a few of the threads that this process can have."""
    most = max(resources.room().threads // THREADS_OF_A_TURN, 1)
    return min(limit or most, most) if most < MANY_TURNS else limit


def _connection_limits(chosen: Settings) -> ConnectionLimits:
    """Return the limits of the WebSocket side: those of the settings, and of what this process can have."""
    return ConnectionLimits.within(
        resources.room(),
        connections=(chosen.ws_connections, chosen.ws_connections_per_address),
        handshakes=(chosen.ws_handshakes, chosen.ws_handshakes_per_address),
        handshake_timeout=chosen.handshake_timeout,
        memory=chosen.message_memory * 2**20,
    )


def _start(stack: contextlib.ExitStack, page: server.PageServer) -> None:
    thread = threading.Thread(target=page.serve_forever, name="page", daemon=True)
    thread.start()
    stack.callback(thread.join)
    stack.callback(page.shutdown)


def _storage_limits(chosen: Settings) -> StorageLimits:
    per_session, per_person, in_all = chosen.storage_per_session, chosen.storage_per_person, chosen.storage_in_all
    return StorageLimits(per_session * MIB, per_person * MIB, in_all * MIB, chosen.storage_of_versions * MIB)


def _http_rules(chosen: Settings) -> Rules:
    return Rules(
        connections=chosen.http_connections,
        connections_per_address=chosen.http_connections_per_address,
        requests=chosen.http_requests,
        requests_per_address=chosen.http_requests_per_address,
        streams=chosen.http_streams,
        streams_per_address=chosen.http_streams_per_address,
        body_memory=chosen.body_memory,
        timeout=chosen.request_timeout,
    )


def _warm_up(stack: contextlib.ExitStack) -> None:
    """Load what the first model call needs while the server already answers."""
    thread = threading.Thread(target=models.warm_up, name="warm-up", daemon=True)
    thread.start()
    stack.callback(thread.join)


def _services(
    store: SqliteStore,
    catalogue: Catalogue,
    chosen_models: Models,
    chosen: Settings,
    agent_services: AgentServices,
    folders: Folders,
    audit_log: Audit,
) -> Services:
    tool_slots = ToolSlots(chosen.tools_at_once, chosen.tools_at_once_in_all)

    def new_conversation(agent: str, chat: Chat, histories: Iterable[str]) -> Conversation:
        chat.state.clear()  # what counts of it is restored
        built = catalogue.build(agent, chat)
        explain, has_price = chosen_models.explain, chosen_models.has_price
        context_tokens = chosen.context_tokens if "context_tokens" in chosen.given else 0
        limits = Limits(context_tokens, chosen.answer_chars, chosen.model_calls, chosen.result_chars, tool_slots)
        return Conversation(built, chat, histories, explain, has_price, chosen.approve, limits)

    def new_chat(session_id: str, session: SessionView) -> Chat:
        return Chat(session_id, services=agent_services, session=session)

    rules = SessionRules(
        busy=chosen.busy,
        input_timeout=chosen.input_timeout,
        turn_timeout=chosen.turn_timeout,
        max_messages=chosen.max_messages_per_session,
        turns=_turns(chosen.turns),
        turns_per_person=chosen.turns_per_person,
        turns_per_day=chosen.turns_per_day,
        tokens_per_day=chosen.tokens_per_day,
        cost_per_day=chosen.cost_per_day,
        waiting_messages=chosen.waiting_messages,
        waiting_chars=chosen.waiting_chars,
        waiting_messages_per_person=chosen.waiting_messages_per_person,
        waiting_chars_per_person=chosen.waiting_chars_per_person,
        waiting_messages_in_all=chosen.waiting_messages_in_all,
        waiting_chars_in_all=chosen.waiting_chars_in_all,
        messages_per_second=chosen.messages_per_second,
        messages_per_second_in_all=chosen.messages_per_second_in_all,
        new_sessions_per_minute=chosen.new_sessions_per_minute,
        new_sessions_per_minute_in_all=chosen.new_sessions_per_minute_in_all,
        sessions_per_person=chosen.sessions_per_person,
        sessions_in_all=chosen.sessions_in_all,
        live_questions=chosen.live_questions,
        heartbeat=chosen.heartbeat,
        ttl_hours=chosen.session_ttl_hours,
    )
    return Services(
        store, new_conversation, new_chat, lambda: ModelWrapper.keys, folders, lambda: chosen_models.about, audit_log,
        rules, sharing=store.sharing, usage=store.usage,
    )  # fmt: skip


def _knowledge(chosen: Settings, chosen_models: Models) -> Knowledge:
    embed = None
    if chosen.embedding_model and not chosen_models.is_demo:
        embed = Embeddings(chosen_models.llm_config, chosen.embedding_model)
    missing = next((source for source in chosen.knowledge if not source.exists()), None)
    if missing is not None:
        raise SettingsError(f"There are no documents at {missing}. Name others with --knowledge.")
    return Knowledge(chosen.knowledge, chosen.data_dir / "knowledge.db", embed)


def _page_config(core: _Core, ws_port: int, login: bool) -> dict[str, Any]:
    return {
        "version": __version__,
        "login": login,
        "ws_port": ws_port,
        "model": core.models.about,
        "local_servers": [
            {"name": server.title, "models": server.models, "command": server.command} for server in core.search.found()
        ],
        "default_agent": core.catalogue.default,
        "agents": [info.public() for info in core.catalogue.agents()],
        "limits": {"message_chars": MESSAGE_CHARS},
    }
