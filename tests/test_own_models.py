"""Agent files that bring their own model configuration get everything that the given one has."""

from __future__ import annotations

import json
import textwrap
import threading
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from agentchat import settings
from agentchat.app import Running
from agentchat.cli.serve import announce
from agentchat.models.openai_client import ModelWrapper
from tests.agent_files import write_agents
from tests.clients import ChatClient, contents
from tests.conftest import KEY, Serve
from tests.model_server import ModelServer, Reply
from tests.processes import ROOT

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


def test_the_given_one_varied(serve: Serve, model: ModelServer, tmp_path: Path) -> None:
    """The code in docs/agents.md varies the given configuration, and keeps what it has."""
    section = (ROOT / "docs" / "agents.md").read_text().partition("\n## Models\n")[2]
    code = section.partition("```python\n")[2].partition("```")[0]
    user = 'UserProxyAgent("user", human_input_mode="NEVER", code_execution_config=False, default_auto_reply=None)'
    build = f"{code}from autogen import UserProxyAgent\nreturn {user}, agent\n"
    source = '"""Is precise."""\ndef build(llm_config, chat):\n' + textwrap.indent(build, "    ")
    server = serve("--agents", write_agents(tmp_path, precise=source), model=model)
    with ChatClient(server.websocket) as client:
        client.confirmed()
        frames = client.ask("Oslo?")

    assert "".join(chunk["content"] for chunk in contents(frames, "stream")) == "You said: Oslo?"
    body = model.requests[0]["body"]
    assert (body["temperature"], body["reasoning_effort"], body["stream"]) == (0, "low", True)
    assert model.requests[0]["headers"]["authorization"] == f"Bearer {KEY}"


FOREIGN = '''
"""Has a client of its own."""
import pathlib, time
from types import SimpleNamespace
from autogen import ConversableAgent, UserProxyAgent
from autogen.events.client_events import StreamEvent
from autogen.io.base import IOStream

class Client:
    def __init__(self, config):
        return

    def create(self, params):
        said = params["messages"][-1]["content"]
        IOStream.get_default().send(StreamEvent(content="It is "))
        if said == "wait":
            while not pathlib.Path("GATE").exists():
                time.sleep(0.01)
            IOStream.get_default().send(StreamEvent(content="too late."))
        message = SimpleNamespace(content="It is sunny.", tool_calls=None, function_call=None)
        return SimpleNamespace(choices=[SimpleNamespace(message=message)], model="own", usage=None, cost=0)

    def message_retrieval(self, response):
        return [choice.message.content for choice in response.choices]

    def cost(self, response):
        return 0

    @staticmethod
    def get_usage(response):
        return {"prompt_tokens": 7, "completion_tokens": 3, "total_tokens": 10, "cost": 0, "model": "own"}

def build(llm_config, chat):
    entry = {"model": "own", "model_client_cls": "Client", "api_key": "KEY"}
    agent = ConversableAgent("own", llm_config={"config_list": [entry]}, human_input_mode="NEVER")
    agent.register_model_client(Client)
    user = UserProxyAgent("user", human_input_mode="NEVER", code_execution_config=False, default_auto_reply=None)
    return user, agent
'''


def test_a_client_of_another_protocol(serve: Serve, tmp_path: Path) -> None:
    """A client that isn't ours streams, is counted, and doesn't hold up a stop; what it says later is dropped."""
    gate = tmp_path / "gate"
    agents = write_agents(tmp_path, foreign=FOREIGN.replace("KEY", OWN_KEY).replace("GATE", str(gate)))
    with ChatClient(serve("demo", "--agents", agents).websocket) as client:
        client.confirmed()
        [end] = contents(client.ask("hello"), "turn_completed")
        assert (end["summary"], end["usage"]["prompt_tokens"]) == ("It is sunny.", 7)

        client.say("wait")
        client.until("stream")
        client.command("stop")
        [end] = contents([client.until("turn_completed", turn=2)], "turn_completed")
        assert end["status"] == "stopped"
        [thread] = [thread for thread in threading.enumerate() if thread.name == "model-call"]
        gate.touch()
        thread.join()
        client.ask("hello")
    assert contents(client.frames, "text")[-1]["content"] == "It is sunny."
    assert "too late" not in json.dumps(client.frames)
    assert OWN_KEY in ModelWrapper.keys


def test_the_start_tells(serve: Serve, model: ModelServer, capsys: pytest.CaptureFixture[str]) -> None:
    """The start-up lines say what does not hold for AG2's own clients."""
    server = serve(model=model)
    chosen = settings.load([], {})
    announce(chosen, server)
    assert "note" not in capsys.readouterr().out
    announce(chosen, replace(server, models=replace(server.models, others=("anthropic", "google"))))
    assert "  note       anthropic, google: AG2's own client has its own time-outs" in capsys.readouterr().out
