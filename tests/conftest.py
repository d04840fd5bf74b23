"""Real servers for the tests: the chat server in this process, and a scripted model server."""

from __future__ import annotations

import contextlib
import json
import shutil
import threading
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from agentchat.app import Running
from agentchat.auth.accounts import Accounts
from tests.clients import ChatClient, wait_until
from tests.faults.servers import ForkedServer, Zygote
from tests.model_server import ModelServer
from tests.processes import ROOT
from tests.rest_client import Conversation, RestClient
from tests.shared_servers import Served, SharedServers, start

AGENTS = ROOT / "agents"
KEY = "sk-test-0123456789abcdef"

Serve = Callable[..., Served]
Fork = Callable[..., ForkedServer]


@pytest.fixture(autouse=True)
def _clean_environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Keep the settings, keys and files of the person running the tests out of them."""
    monkeypatch.chdir(tmp_path)
    for name in ("OAI_CONFIG_LIST", "OPENAI_API_KEY", "OPENAI_MODEL", "OPENAI_BASE_URL"):
        monkeypatch.delenv(name, raising=False)


@pytest.fixture(scope="module")
def shared_model() -> Iterator[ModelServer]:
    """Start a model server for one module: requests that come late must not take the replies of the next module."""
    with ModelServer() as server:
        yield server


@pytest.fixture
def model(shared_model: ModelServer) -> ModelServer:
    """Return the model server, reset to its initial state."""
    shared_model.reset()
    return shared_model


@pytest.fixture(scope="session")
def shared_servers(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SharedServers]:
    servers = SharedServers(lambda: tmp_path_factory.mktemp("server"))
    yield servers
    servers.close_all()


@pytest.fixture(scope="session")
def two_agents(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return one folder with two agents for all tests; a process imports and tries an unchanged agent file once."""
    folder = tmp_path_factory.mktemp("shipped")
    for name in ("travel", "weather"):
        shutil.copy(AGENTS / f"{name}.py", folder)
    return folder


@pytest.fixture
def agents_folder(two_agents: Path, request: pytest.FixtureRequest) -> Path:
    """Return a folder with two of our agents; with the mark `all_agents`, one with all, which is slower to start."""
    return AGENTS if request.node.get_closest_marker("all_agents") else two_agents


@pytest.fixture
def serve(
    tmp_path: Path,
    agents_folder: Path,
    shared_model: ModelServer,
    shared_servers: SharedServers,
    request: pytest.FixtureRequest,
) -> Iterator[Serve]:
    """Start chat servers with the data folder `tmp_path / "data"`.

    A test's first server is shared with other tests that use the same agents and settings, and is empty. The test gets
    its own with the mark `own_server`, if it has filled the data folder, or if its settings name files. Any further
    servers are its own, so that restarts are real.
    """
    data = tmp_path / "data"
    others = turn_threads()
    is_own = request.node.get_closest_marker("own_server") is not None
    with contextlib.ExitStack() as stack:

        def begin(*arguments: str, model: ModelServer | None = None, **entry: Any) -> Served:
            environment = config_list(model, **entry) if model else {}
            agents, others = options(arguments, agents_folder)
            is_alone = is_own or data.exists() or model not in {None, shared_model}
            if is_alone or "--data-dir" in others or any(str(tmp_path) in other for other in others):
                served = start(["--data-dir", str(data), "--agents", str(agents), *others], environment)
                stack.callback(served.close)
                return served
            server = shared_servers.get(agents, others, environment)
            data.symlink_to(server.data)
            stack.callback(lambda: server.tidy() if shared_servers.is_running(server) else None)
            return replace(server.served, close=lambda: shared_servers.close(server))

        yield begin
    wait_until(lambda: turn_threads() <= others)  # one that ends late would take the model's replies to the next test


def turn_threads() -> set[threading.Thread]:
    """Return the threads of turns in this process."""
    return {thread for thread in threading.enumerate() if thread.name.startswith("turn-")}


def options(arguments: Sequence[str], agents_folder: Path) -> tuple[Path, list[str]]:
    """Return the agents folder and the other arguments."""
    others = list(arguments)
    if "--agents" in others:
        place = others.index("--agents")
        agents_folder = Path(others[place + 1])
        del others[place : place + 2]
    return agents_folder, others


@pytest.fixture(scope="session")
def zygote() -> Iterator[Zygote]:
    with Zygote() as zygote:
        yield zygote


@pytest.fixture
def fork(zygote: Zygote, tmp_path: Path, agents_folder: Path) -> Fork:
    """Start chat servers as separate processes, in a tenth of the time that `python main.py` takes."""

    def begin(*arguments: str, environment: dict[str, str]) -> ForkedServer:
        agents, others = options(arguments, agents_folder)
        return ForkedServer(zygote, tmp_path, "--agents", str(agents), *others, environment=environment)

    return begin


def config_list(model: ModelServer, **entry: Any) -> dict[str, str]:
    """Return an environment whose OAI_CONFIG_LIST points to that model server."""
    entry = {"model": "scripted", "api_key": KEY, "base_url": model.base_url} | entry
    return {"OAI_CONFIG_LIST": json.dumps([entry])}


@pytest.fixture
def accounts(tmp_path: Path) -> Iterator[Accounts]:
    """Return the accounts in the data folder of the test's servers, which are its own then."""
    folder = tmp_path / "data"
    folder.mkdir()
    with contextlib.closing(Accounts(folder)) as accounts:
        yield accounts


@pytest.fixture
def server(serve: Serve, model: ModelServer) -> Running:
    """Start a chat server with the scripted model."""
    return serve(model=model)


@pytest.fixture
def client(server: Running) -> Iterator[ChatClient]:
    with ChatClient(server.websocket, agent="weather") as client:
        client.confirmed()
        yield client


@pytest.fixture
def connect(server: Running) -> Iterator[Callable[..., ChatClient]]:
    """Open further connections, which close at the end of the test."""
    with contextlib.ExitStack() as stack:
        yield lambda **query: stack.enter_context(ChatClient(server.websocket, **query))


@pytest.fixture
def rest(server: Running) -> RestClient:
    return RestClient(server)


@pytest.fixture
def session(rest: RestClient) -> Conversation:
    return rest.new_session()


@pytest.fixture
def concierge(rest: RestClient) -> Conversation:
    """Create a session whose agents can ask for a human."""
    return rest.new_session(agent="concierge")


@pytest.fixture
def person(concierge: Conversation, connect: Callable[..., ChatClient]) -> ChatClient:
    client = connect(session=concierge.id, name="Ada")
    client.confirmed()
    return client


@pytest.fixture
def operator(concierge: Conversation, connect: Callable[..., ChatClient]) -> ChatClient:
    client = connect(session=concierge.id, name="Ann", role="operator")
    client.confirmed()
    return client
