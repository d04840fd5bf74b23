"""Model failures of every kind: the person gets an explanation, and the session goes on."""

from __future__ import annotations

import gc
import json
import socket
import threading
from pathlib import Path
from typing import Any

import pytest

from tests.clients import ChatClient, contents, types
from tests.conftest import KEY, Serve
from tests.model_server import ModelServer, Reply

NONSENSE = b'data: {"choices": "none of your business"}\n\n'
AT_ONCE = {"retry-after": "0"}


def failed_turn(client: ChatClient) -> Any:
    """Ask something that fails and return the content of the turn's only error event."""
    frames = client.ask("hello")
    assert contents(frames, "turn_completed")[0]["status"] == "failed"
    [error] = contents(frames, "error")
    assert KEY not in json.dumps(frames)
    return error


@pytest.mark.parametrize(
    ("reply", "tries", "code"),
    [
        (Reply(status=401, error={"error": {"message": f"Incorrect API key provided: {KEY}"}}), 1, "model_auth"),
        (Reply(status=403), 1, "model_auth"),
        (Reply(status=429, headers=AT_ONCE), 3, "model_rate_limited"),
        (Reply(status=429, headers={"retry-after": "3600"}), 1, "model_rate_limited"),
        (Reply(status=400), 1, "model_rejected"),
        (Reply(status=404), 1, "model_rejected"),
        (Reply(status=500, headers=AT_ONCE), 3, "model_failed"),
        (Reply("one two three", drop_after=2), 1, "model_failed"),
        (Reply("one two three", error_after=2), 1, "model_failed"),
        (Reply(html=True), 1, "model_malformed"),
        (Reply(raw=NONSENSE, content_type="text/event-stream"), 1, "model_malformed"),
        (Reply(raw=b"data: {{{\n\n", content_type="text/event-stream"), 1, "model_malformed"),
        (Reply(raw=b"", content_type="text/event-stream"), 1, "model_malformed"),
        (Reply(raw=b'{"ok": true}'), 1, "model_malformed"),
    ],
)
def test_the_person_is_told(client: ChatClient, model: ModelServer, reply: Reply, tries: int, code: str) -> None:
    """A model failure is one error event with a code and a sentence, and a failed turn; the session goes on."""
    model.script(*[reply] * tries)
    error = failed_turn(client)

    assert error["code"] == code
    assert error["message"].endswith((".", "?"))
    assert len(model.requests) == tries
    assert contents(client.ask("hello again"), "turn_completed")[0]["status"] == "completed"


def test_what_was_streamed_before_the_failure_is_kept(client: ChatClient, model: ModelServer) -> None:
    """The part of an answer streamed before the failure is kept."""
    model.script(Reply("one two three", drop_after=2))
    failed_turn(client)

    assert contents(client.log, "text")[-1]["content"] == "one two "
    assert contents(client.log, "text")[-1]["partial"]


def test_a_failure_that_passes_is_not_seen(client: ChatClient, model: ModelServer) -> None:
    """A temporary failure is not shown: after two refusals, the person sees the answer."""
    model.script(Reply(status=503, headers=AT_ONCE), Reply(status=429, headers=AT_ONCE), Reply("there"))

    frames = client.ask("hello")
    assert "error" not in types(frames)
    assert contents(frames, "turn_completed")[0]["summary"] == "there"


def test_a_model_server_that_is_not_there(serve: Serve, model: ModelServer) -> None:
    """If nothing listens at the base_url, the error names that address."""
    with socket.socket() as silent:
        silent.bind(("127.0.0.1", 0))  # no one else gets the port, and no one listens
        port = silent.getsockname()[1]
        server = serve(model=model, base_url=f"http://127.0.0.1:{port}/v1", max_retries=0)
        with ChatClient(server.websocket) as client:
            error = failed_turn(client)

    assert error["code"] == "model_unreachable"
    assert f"127.0.0.1:{port}" in error["message"]
    assert error["retryable"]


@pytest.mark.parametrize("reply", [Reply(gate=threading.Event()), Reply("a b", gate_after=(1, threading.Event()))])
def test_a_model_that_hangs(serve: Serve, model: ModelServer, reply: Reply) -> None:
    """Waiting for a hanging model is limited, before its first byte and in mid-answer."""
    server = serve("--model-timeout", "0.2", model=model)
    model.script(reply)
    with ChatClient(server.websocket) as client:
        assert failed_turn(client)["code"] == "model_timeout"


def test_a_model_that_calls_tools_for_ever(client: ChatClient, model: ModelServer) -> None:
    """The number of model calls in a turn is limited, even if a model calls tools forever."""
    model.script(*[Reply(tools=[("weather_forecast", {"city": "Oslo"})])] * 40)
    error = failed_turn(client)

    assert error["code"] == "model_calls"
    assert len(model.requests) == 30


@pytest.mark.parametrize(
    ("tool", "arguments"),
    [("weather_forecast", "{not json"), ("no_such_tool", "{}"), ("weather_forecast", '{"town": "Oslo"}')],
)
def test_a_tool_call_that_makes_no_sense(client: ChatClient, model: ModelServer, tool: str, arguments: str) -> None:
    """An invalid tool call is reported to the model, which answers, and shown to the person as failed."""
    model.script(Reply(tools=[(tool, arguments)]), Reply("I am sorry."))
    frames = client.ask("weather?")

    assert not contents(frames, "executed_function")[0]["is_exec_success"]
    assert contents(frames, "turn_completed")[0]["summary"] == "I am sorry."


@pytest.mark.own_server  # its list of models is changed
def test_another_entry_takes_over(serve: Serve, model: ModelServer, tmp_path: Path) -> None:
    """When the first entry fails in mid-answer, the second entry's text replaces what was streamed."""
    server = serve(model=model)
    config = server.models.llm_config
    config.config_list.append(config.config_list[0])
    model.script(Reply("half an", error_after=1), Reply("the whole answer"))
    with ChatClient(server.websocket) as client:
        frames = client.ask("hello")

    answer = contents(frames, "text")[-1]
    assert answer["content"] == "the whole answer"
    assert [chunk["offset"] for chunk in contents(frames, "stream")].count(0) == 2
    assert {chunk["message_id"] for chunk in contents(frames, "stream")} == {answer["message_id"]}


def test_a_lone_surrogate_harms_nobody(client: ChatClient, model: ModelServer) -> None:
    """A lone surrogate from the model or the person is replaced, and later turns work."""
    model.script(Reply(tokens=["half \ud83d", " of it"]))
    assert contents(client.ask("hi"), "turn_completed")[0]["summary"] == "half � of it"
    client.command("message", text="half \udc00")
    client.until("turn_completed")

    assert contents(client.ask("still there?"), "turn_completed")[0]["status"] == "completed"


def test_connections_to_the_model_are_used_again(client: ChatClient, model: ModelServer) -> None:
    """Ten streamed turns reuse one connection to the model."""
    for _ in range(10):
        client.ask("hello")

    assert model.counts.connections == 1


def test_an_answer_left_unread_is_closed_with_its_turn(client: ChatClient, model: ModelServer) -> None:
    """An unread answer is closed with its turn, not by the garbage collector.

    The collector once ran in a thread that held the connection pool's lock.
    """
    gc.disable()  # no garbage collection behind us
    try:
        endless = {"content-length": "9999"}  # announces more than is ever sent
        error = b'data: {"error": {"message": "overloaded"}}\n\n'
        model.script(Reply(raw=error, content_type="text/event-stream", headers=endless))
        failed_turn(client)
        model.wait_for(lambda counts: counts.open == 0)
    finally:
        gc.enable()
