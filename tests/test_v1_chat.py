"""The dialect of /api/v1/chat: one answer per request, or a stream of interactions."""

from __future__ import annotations

import json
import threading
from pathlib import Path
from typing import Any

from tests.conftest import Serve
from tests.model_server import ModelServer, Reply
from tests.rest_client import Conversation, EventStream, RestClient

QUESTION = "What is the weather in Oslo?"
GOES_ON = """
from autogen import ConversableAgent, UserProxyAgent

def build(llm_config, chat):
    user = UserProxyAgent("user", human_input_mode="NEVER", code_execution_config=False,
                          max_consecutive_auto_reply=1, default_auto_reply="go on")
    return user, ConversableAgent("thinker", llm_config=llm_config, human_input_mode="NEVER")
"""


def chat(rest: RestClient, session_id: str, **body: object) -> EventStream:
    return EventStream(rest.netloc, f"/api/v1/chat/{session_id}/stream", body=body)


def items(stream: EventStream) -> list[Any]:
    """Return all items of the stream."""
    return [message.frame for message in stream.messages()]


def test_stream(session: Conversation) -> None:
    """A stream consists of start, interactions and complete, and nothing else."""
    with chat(session.client, session.id, message=QUESTION, context={"page": 7}) as stream:
        assert stream.response.headers["Content-Type"] == "text/event-stream"
        start, call, result, complete = items(stream)
    log = {event["type"]: event for event in session.log}

    message_id = log["user_message"]["content"]["id"]
    assert start == {"type": "start", "data": {"session_id": session.id, "user_message_id": message_id}}
    shape = ["agent_name", "message_type", "content", "tool_name", "tool_arguments", "timestamp"]
    assert [call["type"], result["type"]] == ["agent_interaction"] * 2
    assert list(call["data"].values()) == [
        "forecaster", "tool_call", "Calling: weather_forecast", "weather_forecast", {"city": "Oslo"},
        log["tool_call"]["ts"],
    ]  # fmt: skip
    assert (list(call["data"]), list(result["data"])) == (shape, shape)
    assert (result["data"]["message_type"], result["data"]["tool_name"]) == ("tool_response", "weather_forecast")
    assert result["data"]["agent_name"] == "System"
    assert result["data"]["content"] == log["executed_function"]["content"]["content"]
    assert log["user_message"]["content"]["context"] == {"page": 7}
    assert complete == {
        "type": "complete",
        "data": {
            "session_id": session.id,
            "message": {
                "id": log["text"]["content"]["message_id"],
                "session_id": session.id,
                "role": "assistant",
                "content": log["text"]["content"]["content"],
                "agent_name": "forecaster",
                "created_at": log["text"]["ts"],
            },
            "code_changes": [],
        },
    }


def test_single_response(session: Conversation) -> None:
    """Without a stream, the response is the data of `complete`."""
    answer = session.client.post(f"/api/v1/chat/{session.id}", {"message": QUESTION})

    assert (answer.status, set(answer.json)) == (200, {"session_id", "message", "code_changes"})
    assert answer.json["message"]["content"] == session.log[-2]["content"]["content"]


def test_unknown_sessions_are_replaced(rest: RestClient) -> None:
    """An unknown session is replaced by a new one, whose id the client learns and can use."""
    with chat(rest, "long gone?".replace(" ", "%20").replace("?", "%3F"), message="hello") as stream:
        start, *_ = items(stream)
    assert start["data"]["replaced"] == "long gone?"
    session = Conversation(rest, start["data"]["session_id"])
    answer = rest.post("/api/v1/chat/gone", {"message": "hello", "agent": "weather"}).json

    assert answer["replaced"] == "gone"
    assert answer["session_id"] not in {session.id, "gone"}
    assert "replaced" not in rest.post(f"/api/v1/chat/{session.id}", {"message": "and?"}).json
    assert session.get().json["messages"] == 2


def test_text_of_a_tool_call(session: Conversation, model: ModelServer) -> None:
    """Text beside a tool call is a thought before it."""
    call = ("weather_forecast", {"city": "Oslo"})
    model.script(Reply("Let me see.", tools=[call]), Reply("It rains."))
    with chat(session.client, session.id, message="hello") as stream:
        _, thought, asked, _, complete = items(stream)

    assert (thought["data"]["message_type"], thought["data"]["content"]) == ("thought", "Let me see.")
    assert (asked["data"]["message_type"], asked["data"]["content"]) == ("tool_call", "Calling: weather_forecast")
    assert complete["data"]["message"]["content"] == "It rains."


def test_thoughts(serve: Serve, model: ModelServer, tmp_path: Path) -> None:
    """All texts but the last are thoughts, whatever AG2 sends after them."""
    (tmp_path / "agents").mkdir()
    (tmp_path / "agents" / "pair.py").write_text(GOES_ON)
    model.script(Reply("First thought."), Reply("Second thought."))
    rest = RestClient(serve("--agents", str(tmp_path / "agents"), model=model))
    with chat(rest, "new", message="hello") as stream:
        said = [each["data"] for each in items(stream)]

    thoughts = [each["content"] for each in said if each.get("message_type") == "thought"]
    assert [*thoughts, said[-1]["message"]["content"]] == ["First thought.", "go on", "Second thought."]


def test_failed_turn(session: Conversation, model: ModelServer) -> None:
    """A failed turn ends the stream with the error's sentence; a single response also has its status."""
    model.script(Reply(status=401), Reply(status=401))
    with chat(session.client, session.id, message="hello") as stream:
        _, error = items(stream)
    answer = session.client.post(f"/api/v1/chat/{session.id}", {"message": "hello"})

    assert (answer.status, answer.code) == (502, "model_auth")
    assert error == {"type": "error", "data": {"message": answer.json["error"]["message"]}}


def test_stopped_turn(session: Conversation, model: ModelServer) -> None:
    """A stopped turn has its text so far as a thought, and no answer."""
    gate = threading.Event()
    model.script(Reply("one two three", gate_after=(2, gate)))
    with session.stream() as following, chat(session.client, session.id, message="hello") as stream:
        following.until("stream")
        session.post("stop")
        _, thought, error = items(stream)
    gate.set()

    assert thought["data"]["message_type"] == "thought"
    assert error == {"type": "error", "data": {"message": "Somebody stopped the agents."}}


def test_question_in_a_stream(serve: Serve, model: ModelServer) -> None:
    """A stream passes on a question and continues after the answer."""
    session = RestClient(serve("--approve", "all", model=model)).new_session()
    with chat(session.client, session.id, message=QUESTION) as stream:
        messages = (message.frame for message in stream.messages())
        asked = next(frame for frame in messages if frame["type"] == "input_request")
        assert asked["data"] == session.log[-1]["content"]
        session.post("input", {"request_id": asked["data"]["request_id"], "text": "deny, not today"})
        rest = list(messages)

    assert [each["type"] for each in rest] == ["agent_interaction", "complete"]
    assert "not today" in rest[0]["data"]["content"]


def test_question_without_a_stream(serve: Serve, model: ModelServer) -> None:
    """Without a stream, a question is the error `input_needed`; the turn waits for others to answer."""
    session = RestClient(serve("--approve", "all", model=model)).new_session()
    answer = session.client.post(f"/api/v1/chat/{session.id}", {"message": QUESTION})

    assert (answer.status, answer.code) == (409, "input_needed")
    assert session.log[-1]["content"]["prompt"] in answer.json["error"]["message"]
    assert session.get().json["status"] == "waiting"


def test_hang_up(session: Conversation, model: ModelServer) -> None:
    """When the client hangs up, the turn goes on, and the answer is in the session."""
    gate = threading.Event()
    model.script(Reply("all the same", gate=gate))
    with session.stream() as following:
        with chat(session.client, session.id, message="hello") as stream:
            following.until("turn_started")
            stream.cut()
        gate.set()
        assert following.until("turn_completed")["content"]["summary"] == "all the same"


def test_heartbeats(serve: Serve, model: ModelServer) -> None:
    """Silent streams send named events, whose data look like all others."""
    gate = threading.Event()
    model.script(Reply("at last", gate=gate))
    with chat(RestClient(serve("--heartbeat", "0.2", model=model)), "new", message="hello") as stream:
        messages = stream.messages()
        assert next(messages).frame["type"] == "start"
        for beat in (next(messages), next(messages)):
            assert (beat.event, beat.frame) == ("heartbeat", {"type": "heartbeat", "data": {"interval": 0.2}})
        gate.set()
        assert [message.frame["type"] for message in messages if not message.event] == ["complete"]


def test_invalid_requests(session: Conversation) -> None:
    """Invalid requests are refused before a stream begins."""
    for what in ("", "/stream"):
        path = f"/api/v1/chat/{session.id}{what}"
        for body, code in [
            ({"message": " "}, "message_empty"), ({"message": "x" * 200_001}, "message_too_long"), ({}, "bad_request"),
            ({"text": "hello"}, "bad_request"), ({"message": "x", "context": 1}, "bad_request"),
        ]:  # fmt: skip
            assert session.client.post(path, body).code == code, json.dumps(body)[:50]
    assert session.client.post("/api/v1/chat/gone", {"message": "x", "agent": "nobody"}).code == "agent_unknown"
    assert session.log == []


def test_server_shutdown(serve: Serve, model: ModelServer) -> None:
    """At shutdown, the last item says that there is no answer yet."""
    server = serve(model=model)
    session = RestClient(server).new_session()
    gate = threading.Event()
    model.script(Reply("never", gate=gate))
    with session.stream() as following, chat(session.client, session.id, message="hello") as stream:
        following.until("turn_started")
        server.close()
        *_, last = items(stream)
    gate.set()

    assert last == {"type": "error", "data": {"message": "The server is going away. Reconnect in a moment."}}
