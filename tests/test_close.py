"""Clients that read until the connection is closed, as those of AG2's tutorials do: `?close=turn`."""

from __future__ import annotations

import contextlib
import json
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from websockets.exceptions import ConnectionClosed, ConnectionClosedOK
from websockets.sync.client import connect as ws_connect

from agentchat.app import Running
from tests.agent_files import TOOLS, write_agents
from tests.clients import PATIENCE, ChatClient, contents, types
from tests.conftest import Serve
from tests.model_server import ModelServer, Reply
from tests.rest_client import RestClient

Connect = Callable[..., ChatClient]


@pytest.fixture
def open(connect: Connect) -> Connect:
    """Open a connection that is closed behind its turn."""

    def open(**query: object) -> ChatClient:
        client = connect(**{"agent": "weather", "close": "turn"} | query)
        client.confirmed()
        return client

    return open


def ends(client: ChatClient) -> tuple[int | None, list[Any]]:
    """Read to the end. Return the close code, and the turn and type of the last frame."""
    code = client.close_code()
    return code, [client.frames[-1].get("turn"), client.frames[-1]["type"]]


def test_a_client_as_in_the_tutorial(server: Running) -> None:
    """A client that sends a message and receives until the connection is closed gets all of the turn, and an end."""
    received = []
    with ws_connect(f"{server.websocket}?agent=weather&close=turn") as websocket:
        websocket.send("What is the weather in Oslo?")
        while True:
            try:
                message = websocket.recv(timeout=PATIENCE)
            except ConnectionClosedOK:
                break
            received.append(json.loads(message))
    log = RestClient(server).get(f"/api/agent-chat/sessions/{received[0]['content']['session_id']}/events").json

    assert [frame for frame in received if "seq" in frame] == log["events"]
    assert received[-1]["type"] == "turn_completed"


def test_a_client_as_in_the_tests_of_ag2(server: Running) -> None:
    """A client that decodes what it gets, and ends with any `ConnectionClosed`, ends."""
    with ws_connect(f"{server.websocket}?close=turn") as websocket:
        websocket.send("Please write a poem about spring in a city of your choice.")
        while True:
            try:
                message = websocket.recv(timeout=PATIENCE)
                message = message.decode("utf-8") if isinstance(message, bytes) else message
                message_dict = json.loads(message)
            except ConnectionClosed:
                break
    assert message_dict["type"] == "turn_completed"
    assert websocket.close_code == 1000


@pytest.mark.parametrize("show", ["final", "agents", "tools", "all"])
def test_turns_that_ended_before(open: Connect, show: str) -> None:
    """The ends of earlier turns close nothing; with every `show` the end of its own is the last that a client gets."""
    first = open()
    first.ask("One")
    session = first.frames[0]["content"]["session_id"]
    second = open(session=session, show=show)
    second.until("turn_completed", turn=1)
    second.say("Two")
    third = open(session=session, after=4, show=show)
    third.command("message", text="Three", id="three")

    assert ends(second) == (1000, [2, "turn_completed"])
    assert ends(third) == (1000, [3, "turn_completed"])


def test_several_messages(open: Connect, model: ModelServer) -> None:
    """The turn of the last of several messages counts, in whichever way it begins."""
    gates = [threading.Event(), threading.Event()]
    for busy, gate in zip(("enqueue", "interrupt"), gates, strict=True):
        model.script(Reply("One.", gate=gate), Reply("Two."))
        client = open(busy=busy)
        client.say("one")
        client.until("turn_started")
        client.command("message", text="two", id="2")
        client.until("user_message", lambda content: content["id"] == "2")
        gate.set()
        assert ends(client) == (1000, [2, "turn_completed"])
        assert len(contents(client.frames, "turn_completed")) == 2


def test_others_go_on(open: Connect, connect: Connect, model: ModelServer) -> None:
    """The turns of others close nothing, whether they come before or after."""
    gate = threading.Event()
    model.script(Reply("One.", gate=gate), Reply("Two."), Reply("Three."))
    client = open()
    other = connect(session=client.frames[0]["content"]["session_id"])
    other.command("message", text="one", id="1")
    client.until("turn_started")
    client.command("message", text="two", id="2")
    client.until("user_message", lambda content: content["id"] == "2")
    other.command("message", text="three", id="3")
    other.until("user_message", lambda content: content["id"] == "3")
    gate.set()

    assert ends(client) == (1000, [2, "turn_completed"])
    assert len(contents(client.frames, "turn_completed")) == 2
    other.until("turn_completed", turn=3)


def test_a_turn_that_is_stopped(open: Connect, model: ModelServer) -> None:
    """The end of a turn that somebody stopped closes the connection."""
    gate = threading.Event()
    model.script(Reply("never", gate=gate))
    client = open()
    client.say("hello")
    client.until("turn_started")
    client.command("stop")

    assert ends(client) == (1000, [1, "turn_completed"])
    assert client.frames[-1]["content"]["status"] == "stopped"
    gate.set()


def test_a_message_that_is_withdrawn(open: Connect, model: ModelServer) -> None:
    """A message that is withdrawn closes the connection, even while another turn goes on."""
    gate = threading.Event()
    model.script(Reply("One.", gate=gate))
    other = open()
    other.say("one")
    other.until("turn_started")
    client = open(session=other.frames[0]["content"]["session_id"])
    client.command("message", text="two", id="2")
    client.until("user_message", lambda content: content["id"] == "2")
    client.command("stop", turn=2)

    assert ends(client) == (1000, [2, "turn_completed"])
    gate.set()
    assert ends(other) == (1000, [1, "turn_completed"])


def test_a_turn_that_fails(open: Connect, model: ModelServer) -> None:
    """A turn that fails ends with its error and its end."""
    model.script(Reply(status=401))
    client = open()
    client.say("hello")

    assert ends(client) == (1000, [1, "turn_completed"])
    assert types(client.log)[-2:] == ["error", "turn_completed"]


def test_repeated_messages(open: Connect, model: ModelServer) -> None:
    """A message that is sent again is waited for, or was answered long ago."""
    gate = threading.Event()
    model.script(Reply("One.", gate=gate))
    first = open()
    first.command("message", text="hello", id="1")
    first.until("turn_started")
    session = first.frames[0]["content"]["session_id"]
    waiting = open(session=session, after=1)
    waiting.command("message", text="hello", id="1")
    waiting.command("message", text="hello", id="1")
    gate.set()
    for client in (first, waiting):
        assert ends(client) == (1000, [1, "turn_completed"])
    last = first.frames[-1]["seq"]
    early, late = open(session=session), open(session=session, after=last)
    for client in (early, late):
        client.command("message", text="hello", id="1")

    assert (early.close_code(), late.close_code()) == (1000, 1000)
    assert early.log == first.log
    assert late.log == []


def test_retries_and_edits(open: Connect) -> None:
    """A client that has something answered again gets that answer."""
    first = open()
    first.ask("One")
    session = first.frames[0]["content"]["session_id"]
    retrying = open(session=session)
    retrying.command("retry")
    assert ends(retrying) == (1000, [2, "turn_completed"])
    editing = open(session=session)
    message = editing.until("user_message", turn=2)
    editing.command("edit", seq=message["seq"], text="Two")
    assert ends(editing) == (1000, [3, "turn_completed"])


def test_refused_messages(open: Connect, model: ModelServer) -> None:
    """A refused message is followed by an error and the close, unless the turn of another one is to come."""
    frames: list[str | bytes] = [
        "  ",
        "x" * 200_001,
        '{"type": "mesage"}',
        '{"type": "message", "content": {}}',
        b"\xff",
    ]
    for frame in frames:
        client = open()
        client.socket.send(frame)
        assert ends(client) == (1000, [None, "error"])
    gate = threading.Event()
    model.script(Reply("One.", gate=gate))
    client = open(busy="reject")
    client.say("one")
    client.until("turn_started")
    client.say("two")
    assert client.until("error")["content"]["code"] == "busy"
    gate.set()
    assert ends(client) == (1000, [1, "turn_completed"])


def test_questions(serve: Serve, model: ModelServer, tmp_path: Path) -> None:
    """A turn that asks isn't over; plain text answers it. Answering somebody else's question is enough for an end."""
    server = serve("--agents", write_agents(tmp_path, tools=TOOLS), model=model)
    model.script(Reply(tools=[("book", {"city": "Oslo"})]), Reply("Booked."))
    with contextlib.ExitStack() as stack:
        asking = stack.enter_context(ChatClient(server.websocket, agent="tools", close="turn"))
        session = asking.confirmed()["session_id"]
        asking.say("Book.")
        asking.until("input_request")
        asking.say("Monday")
        asking.until("input_request")
        other = stack.enter_context(ChatClient(server.websocket, session=session, close="turn"))
        other.until("input_response")
        other.until("input_request")
        other.say("aisle")

        for client in (asking, other):
            assert ends(client) == (1000, [1, "turn_completed"])
            assert contents(client.frames, "input_response")[-1]["text"] == "aisle"


@pytest.mark.parametrize("query", [{"close": "now"}, {"close": "turn", "role": "viewer"},
                                   {"close": "turn", "role": "operator"}])  # fmt: skip
def test_who_cannot_have_it(connect: Connect, query: dict[str, str]) -> None:
    """Other values, and people who begin no turns, are refused."""
    client = connect(**query)

    assert ends(client) == (1008, [None, "error"])
    assert client.frames[0]["content"]["code"] == "bad_query"
    assert "turn" in client.frames[0]["content"]["message"]


def test_an_empty_value(connect: Connect) -> None:
    """Without a value, the connection stays open."""
    client = connect(close="")
    client.confirmed()
    client.ask("hello")
    client.ask("still there?")
