"""`?typing=agents`: clients that ask for it are told which agent is at work."""

from __future__ import annotations

import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

from agentchat.app import Running
from tests.clients import ChatClient, Frame, contents
from tests.conftest import Serve
from tests.model_server import ModelServer, Reply
from tests.rest_client import RestClient
from tests.test_team import TEAM, choose

QUESTION = "What is the weather in Oslo?"


def told(frames: list[Frame]) -> list[tuple[str, bool]]:
    """Return who has begun or stopped to work, and that agents are marked as such."""
    found: list[Any] = contents(frames, "typing")
    assert all(content["agent"] is True for content in found)
    return [(content["name"], content["is_typing"]) for content in found]


def test_an_agent_at_work(server: Running, model: ModelServer, connect: Callable[..., ChatClient]) -> None:
    """From the question to the answer, through tools, the agent is at work; then it is not."""
    gate = threading.Event()
    model.script(
        Reply("", tools=[("weather_forecast", {"city": "Oslo"})], gate=gate), Reply("It rains.", gate_after=(1, gate))
    )
    client = connect(agent="weather", typing="agents", show="final")
    client.confirmed()
    client.say(QUESTION)
    began = client.until("typing")
    assert "seq" not in began
    gate.set()
    client.until("typing")
    assert told(client.frames) == [("forecaster", True), ("forecaster", False)]


def test_off_by_default(client: ChatClient) -> None:
    """A client that doesn't ask gets nothing of it."""
    assert contents(client.ask(QUESTION), "typing") == []


def test_whoever_joins_is_told_who_is_at_work(
    server: Running, model: ModelServer, connect: Callable[..., ChatClient]
) -> None:
    """Replayed turns say nothing; the one that runs does."""
    gate = threading.Event()
    model.script(Reply("First."), Reply("one two", gate_after=(1, gate)))
    first = connect(agent="weather")
    session = first.confirmed()["session_id"]
    first.ask("hello")
    first.say("again")
    first.until("stream")
    late = connect(session=session, typing="agents")
    late.until("typing")
    assert told(late.frames) == [("forecaster", True)]
    gate.set()
    late.until("typing")
    assert told(late.frames) == [("forecaster", True), ("forecaster", False)]


def test_a_team(serve: Serve, model: ModelServer, tmp_path: Path) -> None:
    """In a team each speaker is named; the person's proxy is not."""
    (tmp_path / "agents").mkdir()
    (tmp_path / "agents" / "team.py").write_text(TEAM)
    server = serve("--agents", str(tmp_path / "agents"), model=model)
    gates = [threading.Event() for _ in range(2)]
    model.script(
        choose("planner"), Reply("We think.", gate=gates[0]), choose("coder"), Reply("We code.", gate=gates[1]),
        choose("user"),
    )  # fmt: skip
    with ChatClient(server.websocket, typing="agents") as client:
        client.confirmed()
        client.say("Build it.")
        for gate in gates:
            client.until("typing", lambda content: content["is_typing"] and content["name"] != "chat_manager")
            gate.set()
        client.until("typing", lambda content: content["name"] == "coder" and not content["is_typing"])
    began = [name for name, is_typing in told(client.frames) if is_typing and name != "chat_manager"]
    assert began == ["planner", "coder"]


def test_a_question_is_no_work(serve: Serve, model: ModelServer) -> None:
    """While the agents wait for a person they don't work; the answer lets them go on."""
    model.script(Reply("", tools=[("weather_forecast", {"city": "Oslo"})]), Reply("It rains."))
    server = serve("--approve", "all", model=model)
    with ChatClient(server.websocket, agent="weather", typing="agents") as client:
        client.confirmed()
        client.say(QUESTION)
        asked = client.until("input_request")["content"]
        while not told(client.frames) or told(client.frames)[-1][1]:
            client.until("typing")
        client.command("input_response", request_id=asked["request_id"], text="approve")
        client.until("typing", lambda content: content["is_typing"])
        client.until("turn_completed")


def test_event_streams(server: Running, model: ModelServer) -> None:
    """The same for event streams; another word than `agents` is refused."""
    gate = threading.Event()
    model.script(Reply("It rains.", gate=gate))
    session = RestClient(server).new_session()
    with session.stream(typing="agents") as stream:
        session.post("messages", {"text": QUESTION})
        assert stream.until("typing")["content"] == {"name": "forecaster", "is_typing": True, "agent": True}
        gate.set()
        assert not stream.until("typing")["content"]["is_typing"]
    assert session.get("/events", typing="people").code == "bad_request"
    with ChatClient(server.websocket, typing="people") as client:
        assert client.receive()["content"]["code"] == "bad_query"
