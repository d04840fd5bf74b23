"""Requests to models have AG2's corrections for certain models, and nothing that a strict server refuses."""

from __future__ import annotations

import itertools
import json
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from autogen import LLMConfig
from autogen.agentchat import conversable_agent
from autogen.io.base import IOStream
from openai.types import chat as openai_types
from openai.types.chat.completion_create_params import CompletionCreateParamsBase

from agentchat.ag2.iostream import NullStream
from agentchat.models.openai_client import ModelWrapper
from tests import test_nested
from tests.agent_files import write_agents
from tests.clients import ChatClient, contents
from tests.conftest import Serve
from tests.model_server import ModelServer, Reply
from tests.processes import ROOT
from tests.test_team import TEAM

Json = dict[str, Any]

WEATHER = ROOT / "agents" / "weather.py"

TEAM_TALK = (
    Reply("planner"), Reply("First we think."), Reply("planner"), Reply("Then again."),
    Reply("coder"), Reply("Then we code."), Reply("user"),
)  # fmt: skip


def sent(model: ModelServer) -> list[list[Json]]:
    """Return the messages of each request."""
    return [request["body"]["messages"] for request in model.requests]


def plain_team(model: ModelServer, name: str, monkeypatch: pytest.MonkeyPatch) -> list[list[Json]]:
    """Return what AG2 sends with its own client."""
    names: Json = {}
    exec(TEAM, names)
    with monkeypatch.context() as unpatched, IOStream.set_default(NullStream()):
        unpatched.setattr(conversable_agent, "OpenAIWrapper", ModelWrapper.__base__)
        config = LLMConfig({"model": name, "api_key": "none", "base_url": model.base_url, "stream": True})
        user, manager = names["build"](config, None)
        model.script(*TEAM_TALK)
        user.initiate_chat(manager, message="Build it.")
    return sent(model)


def our_team(serve: Serve, model: ModelServer, name: str, folder: Path) -> list[list[Json]]:
    server = serve(
        "--agents", write_agents(folder, team=TEAM), "--base-url", model.base_url, "--model", name, "--approve", "none"
    )
    model.script(*TEAM_TALK)
    with ChatClient(server.websocket) as client:
        client.confirmed()
        [end] = contents(client.ask("Build it."), "turn_completed")
    assert end["status"] == "completed"
    return sent(model)


@pytest.mark.parametrize("name", ["deepseek-reasoner", "mistral-small", "scripted"])
def test_a_team_as_in_plain_ag2(
    serve: Serve, model: ModelServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    """A team's messages reach the server as AG2's own client sends them, with its corrections for the model."""
    theirs = plain_team(model, name, monkeypatch)
    model.reset()
    ours = our_team(serve, model, name, tmp_path)

    assert [[(m["role"], m["content"]) for m in messages] for messages in ours] == [
        [(m["role"], m["content"]) for m in messages] for messages in theirs
    ]


def test_deepseek(serve: Serve, model: ModelServer, tmp_path: Path) -> None:
    """Requests to deepseek-reasoner begin with the system message, alternate, and end with a user message."""
    for messages in our_team(serve, model, "deepseek-reasoner", tmp_path):
        roles = [message["role"] for message in messages]
        assert roles[0] == "system"
        assert all(role != before for before, role in itertools.pairwise(roles))
        assert roles[-1] == "user"


PAIR = '''
"""Has no tools."""
from autogen import ConversableAgent, UserProxyAgent

def build(llm_config, chat):
    agent = ConversableAgent("agent", system_message="Be kind.", llm_config=llm_config, human_input_mode="NEVER")
    user = UserProxyAgent("user", human_input_mode="NEVER", code_execution_config=False, default_auto_reply=None)
    return user, agent
'''


@pytest.mark.parametrize(("name", "first"), [("o1-mini", "System message: Be kind."), ("open-mistral-7b", "Be kind.")])
def test_models_without_a_system(serve: Serve, model: ModelServer, tmp_path: Path, name: str, first: str) -> None:
    """Models that take no system message get it as a user's, in every turn."""
    agents = write_agents(tmp_path, pair=PAIR)
    with ChatClient(serve("--agents", agents, "--base-url", model.base_url, "--model", name).websocket) as client:
        client.confirmed()
        for text in ("Hello.", "And now?"):
            assert contents(client.ask(text), "turn_completed")[0]["status"] == "completed"

    assert [messages[0] for messages in sent(model)] == [{"role": "user", "content": first}] * 2
    assert not model.requests[0]["body"].get("stream") or name != "o1-mini"  # which AG2 doesn't stream


# A strict server

ROLES: dict[str, Any] = {
    "system": openai_types.ChatCompletionSystemMessageParam,
    "user": openai_types.ChatCompletionUserMessageParam,
    "assistant": openai_types.ChatCompletionAssistantMessageParam,
    "tool": openai_types.ChatCompletionToolMessageParam,
}
FIELDS = CompletionCreateParamsBase.__annotations__.keys() | {"stream"}


def assert_strict(request: Json) -> None:
    """Check a request as a server does that refuses unknown fields, empty contents and open calls."""
    body = request["body"]
    assert body.keys() <= FIELDS
    is_open = dict[str, bool]()  # tool calls by id
    for message in body["messages"]:
        assert message.keys() <= ROLES[message["role"]].__annotations__.keys()
        content = message.get("content")
        assert content is None or isinstance(content, list) or content.strip()
        if message["role"] == "tool":
            assert is_open.pop(message["tool_call_id"])
            assert content
            continue
        assert not is_open
        assert content or (message["role"] == "assistant" and message["tool_calls"])
        for call in message.get("tool_calls", ()):
            assert call.keys() == {"id", "type", "function"}
            assert call["function"].keys() == {"name", "arguments"}
            assert isinstance(json.loads(call["function"]["arguments"]), dict)
            is_open[call["id"]] = True
    assert not is_open


Talk = Callable[[ChatClient, ModelServer], None]

LOOK_UP = Reply(tools=[("look_up", {"word": "moss"})])
FORECAST = Reply(tools=[("weather_forecast", {"city": "Oslo"}), ("weather_forecast", {"city": "Bergen"})])


def speak(*replies: Reply) -> Talk:
    """Return a turn in which the model gives these replies."""

    def talk(client: ChatClient, model: ModelServer) -> None:
        model.script(*replies)
        assert contents(client.ask("Oslo?"), "turn_completed")[0]["status"] == "completed"

    return talk


def stop(*before: Reply) -> Talk:
    """Return a turn that is stopped in the middle of an answer."""

    def talk(client: ChatClient, model: ModelServer) -> None:
        model.script(*before, Reply("It is sunny.", gate_after=(2, threading.Event())))
        client.say("And?")
        client.until("stream", lambda content: "is" in content["content"])
        client.command("stop")
        client.until("turn_completed")

    return talk


def stop_silent(*before: Reply) -> Talk:
    """Return a turn that is stopped before the model has said anything."""

    def talk(client: ChatClient, model: ModelServer) -> None:
        seen = model.counts.requests + len(before) + 1
        model.script(*before, Reply("It is sunny.", gate=threading.Event()))
        client.say("And?")
        model.wait_for(lambda counts: counts.requests == seen and counts.active == 1)
        client.command("stop")
        client.until("turn_completed")

    return talk


GO_ON = speak(Reply("Go on."))
GO_ON_TEAM = speak(Reply("planner"), Reply("Go on."), Reply("user"))
TALKS: dict[str, tuple[str, list[Talk]]] = {
    "a pair": ("weather", [GO_ON, GO_ON]),
    "tools": ("weather", [speak(FORECAST, Reply("Sunny.")), GO_ON]),
    "words beside a call": ("weather", [speak(Reply("Let me see.", tools=FORECAST.tools), Reply("Sunny.")), GO_ON]),
    "a call that makes no sense": (
        "weather",
        [speak(Reply(tools=[("weather_forecast", "{not"), ("nothing", "")]), Reply("Sorry.")), GO_ON],
    ),
    "a stop": ("weather", [stop(), GO_ON, stop(FORECAST), GO_ON]),
    "a stop in silence": ("weather", [stop_silent(), GO_ON, stop_silent(FORECAST), GO_ON]),
    "empty answers": (
        "weather",
        [speak(Reply("")), GO_ON, speak(FORECAST, Reply("")), speak(Reply(" \n")), speak(Reply(tokens=[])), GO_ON],
    ),
    "thoughts": ("weather", [speak(Reply(tokens=[{"reasoning_content": "Hm."}], tools=FORECAST.tools)), GO_ON]),
    "a team": ("team", [speak(*TEAM_TALK), GO_ON_TEAM]),
    "a team with tools": ("team", [speak(Reply("coder"), LOOK_UP, Reply("coder"), Reply("A word."), Reply("user")),
                                   GO_ON_TEAM]),
    "a team that is stopped": ("team", [stop(Reply("coder"), LOOK_UP, Reply("coder")), GO_ON_TEAM,
                                        stop_silent(Reply("coder")), GO_ON_TEAM]),
    "a team with empty answers": (
        "team",
        [speak(Reply("planner"), Reply(""), Reply("coder"), Reply(" "), Reply("user")), GO_ON_TEAM],
    ),
    **{f"nested chats: {name}": (name, [GO_ON, stop(), GO_ON]) for name in ("one", "queue", "reflected", "deep")},
    "a nested group": ("group", [GO_ON, GO_ON]),
    "nested chats with empty answers": ("queue", [speak(Reply(""), Reply(""), Reply("")), GO_ON]),
}  # fmt: skip


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> str:
    names = ("ONE", "QUEUE", "REFLECTED", "DEEP", "GROUP")
    nested = {name.lower(): getattr(test_nested, name) for name in names}
    return write_agents(tmp_path_factory.mktemp("strict"), team=TEAM, weather=WEATHER.read_text(), **nested)


@pytest.mark.parametrize(("agent", "talks"), TALKS.values(), ids=list(TALKS))
@pytest.mark.parametrize("stream", [True, False])
def test_a_strict_server(
    serve: Serve, model: ModelServer, folder: str, agent: str, talks: list[Talk], stream: bool
) -> None:
    """A server that refuses unknown fields and empty contents has nothing to refuse."""
    if not stream:
        talks = [talk for talk in talks if "stop" not in talk.__qualname__]
    server = serve("--agents", folder, "--approve", "none", model=model, stream=stream)
    with ChatClient(server.websocket, agent=agent) as client:
        client.confirmed()
        for talk in talks:
            talk(client, model)

    for request in model.requests:
        assert_strict(request)
