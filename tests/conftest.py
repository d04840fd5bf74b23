"""Real servers for the tests: the chat server in this process, and a model server that does as it is told."""

from __future__ import annotations

import contextlib
import json
import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from agentchat import app, settings
from agentchat.app import Running
from tests.clients import ChatClient
from tests.model_server import ModelServer
from tests.processes import ROOT
from tests.rest_client import Conversation, RestClient

AGENTS = ROOT / "agents"
KEY = "sk-test-0123456789abcdef"

Serve = Callable[..., "Served"]


@dataclass(frozen=True)
class Served(Running):
    """A server that runs in the tests' own process, and can be ended before the test is over."""

    close: Callable[[], None]


@pytest.fixture(autouse=True)
def _clean_environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """No setting, key or file of the person who runs the tests gets into them."""
    monkeypatch.chdir(tmp_path)
    for name in ("OAI_CONFIG_LIST", "OPENAI_API_KEY", "OPENAI_MODEL", "OPENAI_BASE_URL"):
        monkeypatch.delenv(name, raising=False)


@pytest.fixture
def model() -> Iterator[ModelServer]:
    with ModelServer() as server:
        yield server


@pytest.fixture(scope="session")
def two_agents(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One folder for all tests: a process imports and tries an unchanged agent file once."""
    folder = tmp_path_factory.mktemp("shipped")
    for name in ("travel", "weather"):
        shutil.copy(AGENTS / f"{name}.py", folder)
    return folder


@pytest.fixture
def agents_folder(two_agents: Path, request: pytest.FixtureRequest) -> Path:
    """Two of our agents, for a server with all of them takes much longer to start; all with the mark `all_agents`."""
    return AGENTS if request.node.get_closest_marker("all_agents") else two_agents


@pytest.fixture
def serve(tmp_path: Path, agents_folder: Path) -> Iterator[Serve]:
    """Starts chat servers, all on the same data folder; they end with the test."""
    folders = ["--data-dir", str(tmp_path / "data"), "--agents", str(agents_folder)]
    with contextlib.ExitStack() as all_servers:

        def start(*arguments: str, model: ModelServer | None = None, **entry: Any) -> Served:
            environment = config_list(model, **entry) if model else {}
            chosen = settings.load(["--port", "0", "--ws-port", "0", *folders, *arguments], environment)
            this_server = all_servers.enter_context(contextlib.ExitStack())
            running = this_server.enter_context(app.serving(chosen, environment))
            return Served(**vars(running), close=this_server.close)

        yield start


def config_list(model: ModelServer, **entry: Any) -> dict[str, str]:
    """An environment whose OAI_CONFIG_LIST points to that model server."""
    entry = {"model": "scripted", "api_key": KEY, "base_url": model.base_url} | entry
    return {"OAI_CONFIG_LIST": json.dumps([entry])}


@pytest.fixture
def server(serve: Serve, model: ModelServer) -> Running:
    """A chat server with the scripted model."""
    return serve(model=model)


@pytest.fixture
def client(server: Running) -> Iterator[ChatClient]:
    with ChatClient(server.websocket, agent="weather") as client:
        client.confirmed()
        yield client


@pytest.fixture
def connect(server: Running) -> Iterator[Callable[..., ChatClient]]:
    """Opens further connections; they end with the test."""
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
    """A session whose agents can ask for a human."""
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
