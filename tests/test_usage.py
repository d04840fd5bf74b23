"""The cost of a turn: by agent, counted once, and with a price only if one is known."""

from __future__ import annotations

import json
import threading
from pathlib import Path
from typing import Any

import pytest

from agentchat import app, settings
from tests.agent_files import write_all
from tests.clients import ChatClient, contents
from tests.conftest import Serve, config_list
from tests.model_server import ModelServer, Reply

UNKNOWN = {"prompt_tokens": None, "completion_tokens": None}
OSLO = ("weather_forecast", {"city": "Oslo"})


def usage_of(client: ChatClient, text: str = "Hello") -> Any:
    return contents(client.ask(text), "turn_completed")[0]["usage"]


def test_several_calls_of_one_agent(client: ChatClient, model: ModelServer) -> None:
    """Calls of one agent add up within a turn; each turn starts from zero."""
    model.script(Reply(tools=[OSLO], usage=(10, 1)), Reply("Sunny.", usage=(20, 2)), Reply("Yes.", usage=(5, 3)))
    first, second = usage_of(client), usage_of(client)

    sums = {"prompt_tokens": 30, "completion_tokens": 3, "cost": None}
    assert first == sums | {"agents": {"forecaster": sums}}
    assert (second["prompt_tokens"], second["completion_tokens"]) == (5, 3)


@pytest.mark.parametrize("stream", [True, False])
def test_a_price(serve: Serve, model: ModelServer, stream: bool) -> None:
    """The price per thousand tokens comes from the model's entry."""
    model.script(Reply("Hello.", usage=(1000, 100)))
    with ChatClient(serve(model=model, price=[0.5, 2.0], stream=stream).websocket) as client:
        client.confirmed()
        usage = usage_of(client)

    assert usage["cost"] == usage["agents"]["forecaster"]["cost"] == 0.7


def test_one_of_two_models_has_no_price(model: ModelServer) -> None:
    """If one of two models has no price there is no total, since a sum that omits calls would be wrong."""
    [priced] = json.loads(config_list(model, price=[1, 1])["OAI_CONFIG_LIST"])
    [free] = json.loads(config_list(model)["OAI_CONFIG_LIST"])
    environment = {"OAI_CONFIG_LIST": json.dumps([priced, free | {"model": "other"}])}
    chosen = settings.load(["--port", "0", "--ws-port", "0", "--data-dir", "data"], {})
    with app.serving(chosen, environment) as running, ChatClient(running.websocket) as client:
        client.confirmed()
        usage = usage_of(client)

    assert usage["cost"] is None
    assert usage["prompt_tokens"] > 0


@pytest.mark.parametrize("stream", [True, False])
def test_a_server_that_tells_no_usage(serve: Serve, model: ModelServer, stream: bool) -> None:
    """Usage that the server does not report is estimated, and says so."""
    model.script(Reply("Hello.", usage=False))
    with ChatClient(serve(model=model, stream=stream).websocket) as client:
        client.confirmed()
        [end] = contents(client.ask("Hello"), "turn_completed")

    assert end["status"] == "completed"
    assert end["usage"]["estimated"] is True
    assert end["usage"]["prompt_tokens"] > 20  # the question, the system message and a tool
    assert end["usage"]["completion_tokens"] == 2


def test_a_call_that_is_tried_again(serve: Serve, model: ModelServer) -> None:
    """A retried call counts once: only the attempt with an answer."""
    model.script(Reply(status=500, headers={"retry-after": "0"}), Reply("Hello.", usage=(10, 1)))
    with ChatClient(serve(model=model).websocket) as client:
        client.confirmed()
        assert usage_of(client)["prompt_tokens"] == 10


def test_a_stop(client: ChatClient, model: ModelServer) -> None:
    """After a stop, earlier calls count; the server doesn't report the cost of the interrupted answer."""
    gate = threading.Event()
    model.script(Reply(tools=[OSLO], usage=(10, 1)), Reply("It is sunny.", gate_after=(1, gate)))
    client.say("Hello")
    client.until("stream")
    client.command("stop")
    usage = client.until("turn_completed")["content"]["usage"]

    assert (usage["prompt_tokens"], usage["completion_tokens"]) == (10, 1)
    assert usage["agents"]["forecaster"]["prompt_tokens"] == 10


def test_a_restart(serve: Serve, model: ModelServer, tmp_path: Path) -> None:
    """After a restart, earlier calls count once, since the model is not called again."""
    agents = write_all(tmp_path)
    model.script(Reply(tools=[("book", {"city": "Oslo"})], usage=(10, 1)), Reply("Booked.", usage=(20, 2)))
    first = serve("--agents", agents, model=model)
    with ChatClient(first.websocket, agent="tools") as client:
        session = client.confirmed()["session_id"]
        client.say("Book")
        request = client.until("input_request")["content"]["request_id"]
    first.close()
    with ChatClient(serve("--agents", agents, model=model).websocket, session=session) as client:
        client.command("input_response", request_id=request, text="Monday")
        last = client.until("input_request", lambda content: content["request_id"] != request)
        client.command("input_response", request_id=last["content"]["request_id"], text="aisle")
        usage = client.until("turn_completed")["content"]["usage"]

    assert (usage["prompt_tokens"], usage["completion_tokens"]) == (30, 3)
    assert usage["agents"]["clerk"]["prompt_tokens"] == 30


def test_a_failure(client: ChatClient, model: ModelServer) -> None:
    """The cost of a failed call is unknown."""
    model.script(Reply(status=400))
    usage = usage_of(client)

    assert {name: usage[name] for name in UNKNOWN} == UNKNOWN
    assert usage["agents"] == {}
