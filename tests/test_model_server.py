"""The scripted model server, on which all other tests rely, follows its script."""

from __future__ import annotations

import http.client
import json
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest

from tests.clients import PATIENCE
from tests.model_server import ModelServer, Reply

WEATHER = {"type": "function", "function": {"name": "weather_forecast", "parameters": {}}}


@pytest.fixture
def server() -> Iterator[ModelServer]:
    with ModelServer() as running:
        yield running


@pytest.fixture
def client(server: ModelServer) -> Iterator[http.client.HTTPConnection]:
    connection = connect(server)
    yield connection
    connection.close()


def connect(server: ModelServer) -> http.client.HTTPConnection:
    return http.client.HTTPConnection(urlsplit(server.base_url).netloc, timeout=PATIENCE)


def ask(client: http.client.HTTPConnection, *messages: dict[str, Any] | str, **fields: Any) -> http.client.HTTPResponse:
    """Send a request and return the response; a str is a user message."""
    asked = [{"role": "user", "content": item} if isinstance(item, str) else item for item in messages]
    body = {
        "model": "m",
        "messages": asked,
        "stream": True,
        "stream_options": {"include_usage": True},
        **fields,
    }
    client.request("POST", "/v1/chat/completions", json.dumps(body), {"authorization": "Bearer sk-test"})
    return client.getresponse()


def events(response: http.client.HTTPResponse) -> list[dict[str, Any]]:
    """Return the stream's chunks and check that it ends with [DONE]."""
    lines = [line for line in response.read().decode().split("\n\n") if line]
    assert lines.pop() == "data: [DONE]"
    return [json.loads(line.removeprefix("data: ")) for line in lines]


def deltas(chunks: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return [chunk["choices"][0]["delta"] for chunk in chunks if chunk["choices"]]


def text(chunks: list[dict[str, Any]]) -> str:
    return "".join(delta.get("content", "") for delta in deltas(chunks))


def first_line(response: http.client.HTTPResponse) -> str:
    return response.readline().decode()


def test_streams_a_scripted_text(server: ModelServer, client: http.client.HTTPConnection) -> None:
    server.script(Reply("Hello, dear world", usage=(93, 41)))
    chunks = events(ask(client, "Hi"))
    assert [delta.get("content") for delta in deltas(chunks)] == ["", "Hello, ", "dear ", "world", None]
    assert chunks[-2]["choices"][0]["finish_reason"] == "stop"
    assert chunks[-1]["usage"] == {"prompt_tokens": 93, "completion_tokens": 41, "total_tokens": 134}
    assert {chunk["id"] for chunk in chunks} == {chunks[0]["id"]}


def test_answers_whole_without_stream(server: ModelServer, client: http.client.HTTPConnection) -> None:
    server.script(Reply("Hello", tools=[("weather_forecast", {"city": "Oslo"})]))
    answer = json.load(ask(client, "Hi", stream=False))
    choice = answer["choices"][0]
    assert choice["message"]["content"] == "Hello"
    assert choice["message"]["tool_calls"][0]["function"]["arguments"] == '{"city": "Oslo"}'
    assert choice["finish_reason"] == "tool_calls"
    assert answer["usage"]["completion_tokens"] == 1


def test_usage_is_told_only_when_asked_and_not_switched_off(
    server: ModelServer, client: http.client.HTTPConnection
) -> None:
    server.script(Reply("a"), Reply("b", usage=False))
    assert all("usage" not in chunk for chunk in events(ask(client, "Hi", stream_options=None)))
    assert all("usage" not in chunk for chunk in events(ask(client, "Hi")))


def test_given_tokens_are_kept_as_they_are(server: ModelServer, client: http.client.HTTPConnection) -> None:
    server.script(Reply(tokens=["TERM", "INATE", " ", "å\ud83d"]))
    streamed = [delta.get("content") for delta in deltas(events(ask(client, "Hi")))]
    assert streamed[1:-1] == ["TERM", "INATE", " ", "å\ud83d"]


def test_tool_arguments_come_in_pieces(server: ModelServer, client: http.client.HTTPConnection) -> None:
    server.script(Reply(tools=[("weather_forecast", {"city": "Oslo"}), ("other", "not json")], split_arguments=4))
    parts = [delta["tool_calls"][0] for delta in deltas(events(ask(client, "Hi"))) if "tool_calls" in delta]
    arguments = ["".join(p["function"]["arguments"] for p in parts if p["index"] == i) for i in (0, 1)]
    assert arguments == ['{"city": "Oslo"}', "not json"]
    assert all(len(part["function"]["arguments"]) <= 4 for part in parts)
    assert [part["function"]["name"] for part in parts if "id" in part] == ["weather_forecast", "other"]


def test_calls_the_weather_tool_and_quotes_its_result(client: http.client.HTTPConnection) -> None:
    question = "What is the weather in Buenos Aires tomorrow?"
    called = deltas(events(ask(client, question, tools=[WEATHER])))
    arguments = "".join(d["tool_calls"][0]["function"]["arguments"] for d in called if "tool_calls" in d)
    assert json.loads(arguments) == {"city": "Buenos Aires"}
    result = {"role": "tool", "tool_call_id": "c", "content": "sunny"}
    assert text(events(ask(client, question, result, tools=[WEATHER]))) == "The tool says: sunny"
    assert text(events(ask(client, question))) == f"You said: {question}"


def test_directives_in_the_message(client: http.client.HTTPConnection) -> None:
    assert text(events(ask(client, 'please @@{"n": 3}@@'))) == "0 1 2 "
    tools = '@@{"tools": [["weather_forecast", {}]], "then": {"n": 2}}@@'
    assert "tool_calls" in deltas(events(ask(client, tools)))[1]
    assert text(events(ask(client, tools, {"role": "tool", "content": "sunny"}))) == "0 1 "
    assert ask(client, '@@{"unknown": 1}@@').status == 400


def test_stamped_tokens_carry_their_time(client: http.client.HTTPConnection) -> None:
    before = time.monotonic_ns()
    tokens = text(events(ask(client, '@@{"n": 3, "stamp": "conv7", "delay": 0.002}@@'))).split()
    stamps = [token.split(":") for token in tokens]
    assert [(tag, index) for tag, index, _ in stamps] == [("conv7", "0"), ("conv7", "1"), ("conv7", "2")]
    times = [int(moment) for _, _, moment in stamps]
    assert before < times[0] <= times[1] <= times[2] < time.monotonic_ns()


def test_errors_have_status_headers_and_body(server: ModelServer, client: http.client.HTTPConnection) -> None:
    server.script(
        Reply(status=429, headers={"retry-after": "7"}),
        Reply(status=400, error={"error": {"message": "too long", "code": "context_length_exceeded"}}),
        Reply(status=502, html=True),
        Reply(raw=b"\x00nonsense", content_type="text/plain"),
    )
    limited = ask(client, "Hi")
    assert (limited.status, limited.headers["retry-after"]) == (429, "7")
    assert json.load(limited)["error"]["code"] == "429"
    assert json.load(ask(client, "Hi"))["error"]["code"] == "context_length_exceeded"
    page = ask(client, "Hi")
    assert (page.status, page.headers["content-type"], page.read()[:6]) == (502, "text/html", b"<html>")
    assert ask(client, "Hi").read() == b"\x00nonsense"


def test_a_gate_holds_back_the_first_byte(server: ModelServer, client: http.client.HTTPConnection) -> None:
    gate = threading.Event()
    server.script(Reply("Hello", gate=gate))
    with ThreadPoolExecutor() as pool:
        response = pool.submit(ask, client, "Hi")
        server.wait_for(lambda counts: counts.active == 1)
        assert not response.done()
        assert server.counts.tokens == 0
        gate.set()
        assert text(events(response.result())) == "Hello"


def test_a_gate_in_mid_stream(server: ModelServer, client: http.client.HTTPConnection) -> None:
    gate = threading.Event()
    server.script(Reply("one two three", gate_after=(2, gate)))
    response = ask(client, "Hi")
    assert server.wait_for(lambda counts: counts.tokens == 2).active == 1
    gate.set()
    assert text(events(response)) == "one two three"


def test_a_cut_connection(server: ModelServer, client: http.client.HTTPConnection) -> None:
    server.script(Reply("one two three", drop_after=2))
    with pytest.raises(http.client.IncompleteRead) as cut:
        ask(client, "Hi").read()
    assert b"two" in cut.value.partial
    assert b"three" not in cut.value.partial
    assert server.wait_for(lambda counts: counts.open == 0).aborted == 0


def test_an_error_in_mid_stream(server: ModelServer, client: http.client.HTTPConnection) -> None:
    server.script(Reply("one two three", error_after=1))
    body = ask(client, "Hi").read().decode()
    assert "one" in body
    assert "two" not in body
    assert "mid-stream" in body
    assert "[DONE]" not in body


def test_lingers_after_done(server: ModelServer, client: http.client.HTTPConnection) -> None:
    server.script(Reply("Hello", linger=threading.Event()))
    response = ask(client, "Hi")
    while first_line(response) != "data: [DONE]\n":
        pass
    assert server.counts.active == 1
    response.close()
    client.close()
    counts = server.wait_for(lambda counts: counts.active == 0)
    assert (counts.completed, counts.aborted) == (1, 0)


def test_sees_a_client_that_hangs_up(server: ModelServer) -> None:
    server.script(Reply("Hello", gate=threading.Event()), Reply(n=1000, delay=0.01))
    silent = connect(server)
    silent.request("POST", "/v1/chat/completions", json.dumps({"model": "m", "messages": []}))
    server.wait_for(lambda counts: counts.active == 1)
    silent.close()
    server.wait_for(lambda counts: counts.aborted == 1)
    streaming = connect(server)
    response = ask(streaming, "Hi")
    first_line(response)
    response.close()
    streaming.close()
    counts = server.wait_for(lambda counts: counts.aborted == 2)
    assert (counts.active, counts.open, counts.completed) == (0, 0, 0)


def test_keeps_connections_and_records_requests(server: ModelServer, client: http.client.HTTPConnection) -> None:
    for said in ("first", "second"):
        events(ask(client, said))
    assert server.counts.connections == 1
    assert [request["body"]["messages"][0]["content"] for request in server.requests] == ["first", "second"]
    assert server.requests[0]["headers"]["authorization"] == "Bearer sk-test"
    client.request("GET", "/v1/nothing")
    assert client.getresponse().status == 404


def test_waits_no_longer_than_told(server: ModelServer) -> None:
    with pytest.raises(TimeoutError, match="requests=0"):
        server.wait_for(lambda counts: counts.requests == 1, timeout=0.01)


def test_ends_with_clients_connected_and_frees_its_port() -> None:
    with ModelServer() as server:
        server.script(Reply("Hello", gate=threading.Event()))
        client = connect(server)
        client.request("POST", "/v1/chat/completions", json.dumps({"model": "m", "messages": []}))
        server.wait_for(lambda counts: counts.active == 1)
    client.close()
    with ModelServer(urlsplit(server.base_url).port or 0) as again:
        assert again.base_url == server.base_url
        with (
            pytest.raises(OSError, match="address already in use"),
            ModelServer(urlsplit(again.base_url).port or 0),
        ):
            pass


def test_runs_as_a_process() -> None:
    program = Path(__file__).with_name("model_server.py")
    with subprocess.Popen(
        [sys.executable, str(program)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        url = urlsplit(process.stdout.readline().strip())
        client = http.client.HTTPConnection(url.netloc, timeout=PATIENCE)
        assert text(events(ask(client, "Hi"))) == "You said: Hi"
        client.close()
        process.communicate(timeout=PATIENCE)
        assert process.returncode == 0
