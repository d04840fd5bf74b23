"""A client of AG2's IOWebsockets can read this server: the events are the same, field by field."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest
from autogen import ConversableAgent, LLMConfig, UserProxyAgent, register_function
from autogen.agentchat import conversable_agent
from autogen.io.websockets import IOWebsockets
from websockets.exceptions import ConnectionClosed
from websockets.sync.client import connect

from agentchat.models.openai_client import ModelWrapper
from agents.weather import weather_forecast
from tests.clients import PATIENCE, ChatClient, Frame
from tests.conftest import KEY
from tests.model_server import ModelServer, Reply

QUESTION = "What is the weather in Oslo?"
OURS = {"connection_confirmed", "user_message", "turn_started", "turn_completed"}
ADDED = {"message_id", "sender", "offset"}  # to AG2's content, in docs/protocol.md


def tutorial_frames(model: ModelServer) -> list[Frame]:
    """Return the frames AG2's own server sends for one question, built as in its guide."""

    def on_connect(stream: IOWebsockets) -> None:
        config = LLMConfig({"model": "scripted", "api_key": KEY, "base_url": model.base_url, "stream": True})
        agent = ConversableAgent("forecaster", llm_config=config, human_input_mode="NEVER")
        user = UserProxyAgent("user", human_input_mode="NEVER", code_execution_config=False, default_auto_reply=None)
        register_function(weather_forecast, caller=agent, executor=user, description="Weather forecast for a city.")
        user.initiate_chat(agent, message=stream.input())

    def frames(address: str) -> Iterator[Frame]:
        with connect(address, proxy=None) as socket:
            socket.send(QUESTION)
            try:
                while True:
                    yield json.loads(socket.recv(timeout=PATIENCE))
            except ConnectionClosed:
                return

    port = free_port()
    with IOWebsockets.run_server_in_thread(on_connect=on_connect, port=port) as address:
        return list(frames(address))


def free_port() -> int:
    import socket

    with socket.create_server(("127.0.0.1", 0)) as probe:
        return int(probe.getsockname()[1])


def script(model: ModelServer) -> None:
    model.script(
        Reply("Let me look.", tools=[("weather_forecast", {"city": "Oslo"})]),
        Reply("It is sunny in Oslo, and this forecast is made up."),
    )


def without_chance(content: Any) -> Any:
    return {name: value for name, value in content.items() if name != "uuid" and name not in ADDED}


def merged(frames: list[Frame]) -> list[tuple[str, Any]]:
    """Return (type, content) of each event, with the chunks of a stream merged, whose number is not guaranteed."""
    events: list[tuple[str, Any]] = []
    for frame in frames:
        content = without_chance(frame["content"]) if frame["type"] == "stream" else frame["content"]
        if frame["type"] == "stream" and events and events[-1][0] == "stream":
            events[-1] = ("stream", {"content": events[-1][1]["content"] + content["content"]})
        else:
            content = {k: v for k, v in content.items() if k not in {"uuid", "message_id"}}
            events.append((frame["type"], content))
    return events


def test_the_same_events_with_the_same_fields(
    client: ChatClient, model: ModelServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Events have the same fields and order as AG2's; we add fields and events, and change none."""
    script(model)
    with monkeypatch.context() as unpatched:
        unpatched.setattr(conversable_agent, "OpenAIWrapper", ModelWrapper.__base__)  # AG2's own
        theirs = tutorial_frames(model)
    script(model)
    ours = [frame for frame in client.ask(QUESTION) if frame["type"] not in OURS]

    assert merged(ours) == merged(theirs)
    for mine in ours:
        fields = {name for frame in theirs if frame["type"] == mine["type"] for name in frame["content"]}
        assert set(mine["content"]) - ADDED <= fields
        assert "uuid" in mine["content"]
