"""OpenAI's Responses API: conversations, and the request that it is sent."""

from __future__ import annotations

import json
import threading
from pathlib import Path
from typing import Any

import pytest
from openai.types.responses import Response, ResponseStreamEvent
from pydantic import TypeAdapter

from agentchat.app import Running
from agentchat.models.responses_api import request_of
from tests import responses_api
from tests.agent_files import write_all
from tests.clients import ChatClient, contents
from tests.conftest import Serve
from tests.model_server import ModelServer, Reply

OSLO = ("weather_forecast", {"city": "Oslo"})
EVENT: TypeAdapter[Any] = TypeAdapter(ResponseStreamEvent)


@pytest.fixture(params=[True, False], ids=["streamed", "whole"])
def server(serve: Serve, model: ModelServer, request: pytest.FixtureRequest) -> Running:
    return serve(model=model, api_type="responses", stream=request.param)


def test_the_test_server_speaks_as_openai_says() -> None:
    """The events and objects of the test server are those of the openai package's types."""
    reply = Reply(tokens=[{"reasoning": "Hm."}, "It is ", "sunny."])
    call = {"id": "c", "type": "function", "function": {"name": "f", "arguments": "{}"}}
    usage = {"prompt_tokens": 1, "completion_tokens": 2, "total_tokens": 3}
    whole = responses_api.response(reply, {"model": "m"}, usage, [call])

    Response.model_validate(whole)
    for number, event in enumerate(responses_api.events(reply, whole)):
        data = responses_api.encoded(event, number).partition(b"data: ")[2]
        EVENT.validate_json(data)


def test_a_conversation(client: ChatClient, model: ModelServer) -> None:
    """Text, tool calls, reasoning summaries and usage are those of a chat completion."""
    model.script(
        Reply(tokens=[{"reasoning": "I look it up."}], tools=[OSLO], usage=(10, 1)),
        Reply(tokens=[{"reasoning": "I see."}, "It is ", "sunny."], usage=(20, 2)),
    )
    frames = client.ask("Oslo?")

    [end] = contents(frames, "turn_completed")
    assert (end["status"], end["summary"]) == ("completed", "It is sunny.")
    assert (end["usage"]["prompt_tokens"], end["usage"]["completion_tokens"]) == (30, 3)
    assert [content["content"] for content in contents(frames, "reasoning")] == ["I look it up.", "I see."]
    assert contents(frames, "executed_function")[0]["is_exec_success"]
    client.ask("And now?")
    assert {request["path"] for request in model.requests} == {"/v1/responses"}
    items = [item.get("role") or item["type"] for item in model.requests[1]["body"]["input"]]
    assert items == ["system", "user", "reasoning", "function_call", "function_call_output"]
    items = [item.get("role") or item["type"] for item in model.requests[2]["body"]["input"]]
    assert items == ["system", "user", "function_call", "function_call_output", "assistant", "user"]


def test_text_streams(serve: Serve, model: ModelServer) -> None:
    """Text is shown while the model writes, and a stop ends it."""
    model.script(Reply(tokens=["It ", "is ", "sunny."], gate_after=(2, threading.Event())))
    with ChatClient(serve(model=model, api_type="responses").websocket) as client:
        client.confirmed()
        client.say("Oslo?")
        client.until("stream", lambda content: content["content"].endswith("is "))
        client.command("stop")
        assert client.until("turn_completed")["content"]["status"] == "stopped"
        assert [content["content"] for content in contents(client.log, "text") if content.get("partial")] == ["It is "]
        assert contents(client.ask("And now?"), "turn_completed")[0]["status"] == "completed"


@pytest.mark.parametrize(
    ("reply", "code", "words"),
    [
        (Reply(status=400, error={"error": {"message": "Unsupported model."}}), "model_rejected", "Unsupported model."),
        (Reply(status=401), "model_auth", "scripted 401"),
        (
            Reply(raw=b'event: error\ndata: {"type":"error","code":"server_error","message":"no memory"}\n\n',
                  content_type="text/event-stream"), "model_failed", "no memory",
        ),
        (
            Reply(raw=b'data: {"type":"response.failed","response":{"status":"failed",'
                      b'"error":{"code":"server_error","message":"no memory"}}}\n\n',
                  content_type="text/event-stream"), "model_failed", "no memory",
        ),
    ],
)  # fmt: skip
def test_failures(client: ChatClient, model: ModelServer, reply: Reply, code: str, words: str) -> None:
    """Failures are told in the server's words."""
    model.script(reply)
    [error] = contents(client.ask("Oslo?"), "error")
    assert (error["code"], words in error["message"]) == (code, True)


def test_a_question_outlives_the_server(serve: Serve, model: ModelServer, tmp_path: Path) -> None:
    """A turn that waits for an answer resumes after a restart, without asking the model again."""
    agents = write_all(tmp_path)
    model.script(Reply(tools=[("book", {"city": "Oslo"})]), Reply("Booked."))
    first = serve("--agents", agents, model=model, api_type="responses")
    with ChatClient(first.websocket, agent="tools") as client:
        session = client.confirmed()["session_id"]
        client.say("Book")
        request = client.until("input_request")["content"]["request_id"]
    first.close()
    with ChatClient(serve("--agents", agents, model=model, api_type="responses").websocket, session=session) as client:
        client.command("input_response", request_id=request, text="Monday")
        last = client.until("input_request", lambda content: content["request_id"] != request)
        client.command("input_response", request_id=last["content"]["request_id"], text="aisle")
        assert client.until("turn_completed")["content"]["summary"] == "Booked."
    assert len(model.requests) == 2


IMAGE: dict[str, Any] = {"type": "image_url", "image_url": {"url": "data:image/png;base64,AA=="}}


@pytest.mark.parametrize(
    ("more", "expected"),
    [
        ({}, {}),
        ({"max_tokens": 5}, {"max_output_tokens": 5}),
        ({"max_completion_tokens": 5}, {"max_output_tokens": 5}),
        ({"reasoning_effort": "low"}, {"reasoning": {"effort": "low"}}),
        ({"reasoning_effort": "low", "reasoning": {"summary": "auto"}},
         {"reasoning": {"effort": "low", "summary": "auto"}}),
        ({"verbosity": "low"}, {"text": {"verbosity": "low"}}),
        ({"stream_options": {"include_usage": True}, "workspace_dir": ".", "tool_choice": "auto"}, {}),
        ({"temperature": 0, "tool_choice": "auto", "tools": [{"type": "function", "function": {"name": "f"}}]},
         {"temperature": 0, "tool_choice": "auto", "tools": [{"type": "function", "strict": False, "name": "f"}]}),
        ({"built_in_tools": ["web_search", "shell"]}, {"tools": [{"type": "web_search"}]}),
        ({"response_format": {"type": "json_schema", "json_schema": {"name": "r", "schema": {}}}},
         {"text": {"format": {"type": "json_schema", "name": "r", "schema": {}}}}),
    ],
)  # fmt: skip
def test_the_request(more: dict[str, Any], expected: dict[str, Any]) -> None:
    """Everything that a chat completion can ask is asked in the words of the other API, and nothing else."""
    parts = [{"type": "text", "text": "Look"}, IMAGE]
    request = request_of({"model": "m", "messages": [{"role": "user", "name": "ada", "content": parts}], **more})

    content = [{"type": "input_text", "text": "Look"}, {"type": "input_image", "image_url": IMAGE["image_url"]["url"]}]
    said = {"type": "message", "role": "user", "content": content}
    assert request == {"model": "m", "input": [said], **expected}
    json.dumps(request)
