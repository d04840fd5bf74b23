"""Agent files that bring their own model configuration get everything that the given one has."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from agentchat.app import Running
from tests.agent_files import write_agents
from tests.clients import ChatClient, contents
from tests.conftest import Serve
from tests.model_server import ModelServer, Reply

OWN_KEY = "sk-own-abcdefghijklmnop"

AGENT = '''
"""Has a model of its own."""
from autogen import ConversableAgent, LLMConfig, UserProxyAgent

def build(llm_config, chat):
    agent = ConversableAgent("own", llm_config={llm_config}, human_input_mode="NEVER")
    user = UserProxyAgent("user", human_input_mode="NEVER", code_execution_config=False, default_auto_reply=None)
    return user, agent
'''

CONFIGURATIONS = {
    "dict": "{'model': 'own', 'api_key': '%(key)s', 'base_url': '%(url)s'}",
    "a list": "{'config_list': [{'model': 'own', 'api_key': '%(key)s', 'base_url': '%(url)s'}], 'cache_seed': 7}",
    "LLMConfig": "LLMConfig({'model': 'own', 'api_key': '%(key)s', 'base_url': '%(url)s'})",
    "where": "LLMConfig({'model': 'x', 'api_key': 'none'}, "
    "{'model': 'own', 'api_key': '%(key)s', 'base_url': '%(url)s'}).where(model='own')",
    "responses": "{'model': 'own', 'api_key': '%(key)s', 'base_url': '%(url)s', 'api_type': 'responses'}",
}


@pytest.fixture(params=CONFIGURATIONS.values(), ids=list(CONFIGURATIONS))
def server(serve: Serve, model: ModelServer, tmp_path: Path, request: pytest.FixtureRequest) -> Running:
    """Start a server in demo mode with one agent that has a model of its own."""
    configuration = request.param % {"key": OWN_KEY, "url": model.base_url}
    agents = write_agents(tmp_path, own=AGENT.replace("{llm_config}", configuration))
    return serve("demo", "--agents", agents, "--model-timeout", "2")


@pytest.fixture
def client(server: Running) -> Iterator[ChatClient]:
    with ChatClient(server.websocket) as client:
        client.confirmed()
        yield client


def test_it_streams(client: ChatClient, model: ModelServer) -> None:
    """Text streams, and usage is counted."""
    model.script(Reply("It is sunny.", usage=(10, 3)))
    frames = client.ask("Oslo?")

    [end] = contents(frames, "turn_completed")
    assert (end["status"], end["summary"], end["usage"]["prompt_tokens"]) == ("completed", "It is sunny.", 10)
    assert "".join(chunk["content"] for chunk in contents(frames, "stream")) == "It is sunny."
    assert model.requests[0]["headers"]["authorization"] == f"Bearer {OWN_KEY}"


def test_a_stop_ends_a_silent_call(client: ChatClient, model: ModelServer) -> None:
    """A stop ends a call that says nothing, and its connection."""
    model.script(Reply("never", gate=threading.Event()))
    client.say("Oslo?")
    model.wait_for(lambda counts: counts.active == 1)
    client.command("stop")
    assert client.until("turn_completed")["content"]["status"] == "stopped"
    model.wait_for(lambda counts: counts.aborted == 1)


def test_it_is_not_waited_for_forever(client: ChatClient, model: ModelServer) -> None:
    """The time-out of the server holds for silent models."""
    for _ in range(3):
        model.script(Reply("never", gate=threading.Event()))
    assert contents(client.ask("Oslo?"), "error")[0]["code"] == "model_timeout"


def test_its_key_stays(client: ChatClient, model: ModelServer) -> None:
    """Its key is in no frame, even in pieces."""
    model.script(Reply(tokens=["Take ", OWN_KEY[:9], OWN_KEY[9:], " and go."]))
    client.ask("Oslo?")
    said = "".join(chunk["content"] for chunk in contents(client.frames, "stream"))

    assert said == "Take [key] and go."
    assert OWN_KEY not in json.dumps(client.frames)
