"""Agents ask people: who asks, who may answer, and what happens to the answer."""

from __future__ import annotations

import json
import signal
from collections.abc import Callable
from pathlib import Path

import pytest
from websockets.frames import Opcode

from agentchat.app import Running
from tests.agent_files import write_all
from tests.clients import ChatClient, contents, types
from tests.conftest import Fork, Serve, config_list
from tests.model_server import ModelServer, Reply

QUESTION = "What is the weather in Oslo?"
WEATHER = ("weather_forecast", {"city": "Oslo"})

Talk = Callable[..., ChatClient]


@pytest.fixture
def server(serve: Serve, model: ModelServer, tmp_path: Path) -> Running:
    """Start a chat server whose agents ask."""
    return serve("--agents", write_all(tmp_path), model=model)


@pytest.fixture
def talk(connect: Talk) -> Talk:
    def start(agent: str = "", **query: object) -> ChatClient:
        client = connect(agent=agent, **query)
        client.confirmed()
        return client

    return start


def session_of(client: ChatClient) -> str:
    return str(client.frames[0]["content"]["session_id"])


def hold_pongs(client: ChatClient) -> None:
    """Let the client not acknowledge what it gets from now on."""
    protocol = client.socket.protocol
    send = protocol.send_frame
    protocol.send_frame = lambda frame: None if frame.opcode is Opcode.PONG else send(frame)  # type: ignore[method-assign]


def test_two_answers_in_plain_text(talk: Talk, model: ModelServer) -> None:
    """The second of two plain answers is refused instead of beginning a turn; what is said afterwards is a message."""
    first = talk("always", name="Ann")
    second = talk(session=session_of(first), name="Bob")
    first.say(QUESTION)
    for client in (first, second):
        client.until("input_request")
    hold_pongs(second)  # as if the answer were still on its way
    first.say("")
    first.until("input_response")
    second.say("exit")
    late = second.until("error")["content"]
    assert (late["code"], "Ann" in late["message"]) == ("already_answered", True)
    second.until("turn_completed")
    second.say("And now?")
    assert second.until("user_message")["content"]["text"] == "And now?"


def test_plain_text_behind_an_answer(talk: Talk) -> None:
    """Text of a client that knows of the answer is a message, also while the turn goes on."""
    first = talk("always", name="Ann")
    second = talk(session=session_of(first), name="Bob")
    first.say(QUESTION)
    for client in (first, second):
        client.until("input_request")
    first.say("")
    first.say("Thanks")
    second.until("input_response")
    second.say("Thanks a lot")
    second.until("user_message", lambda content: content["text"] == "Thanks")
    second.until("user_message", lambda content: content["text"] == "Thanks a lot")


def test_a_proxy_that_always_asks(talk: Talk) -> None:
    """A proxy that always asks does so before a tool runs: in plain words, with buttons.

    An empty answer runs the tool, text goes to the agent instead, and `exit` ends the turn. The agent's answer ends it
    as well: the person writes the next message when they like.
    """
    client = talk("always")
    client.say(QUESTION)
    first = client.until("input_request")["content"]
    assert (first["agent"], first["password"], first["tool"]) == ("forecaster", False, None)
    assert first["prompt"] == "forecaster wants to use weather_forecast. Let it go on, end here, or write something."
    assert (first["choices"], first["labels"]) == (["", "exit"], {"": "Continue", "exit": "End"})

    client.command("input_response", request_id=first["request_id"], text="")
    assert client.until("input_response")["content"]["text"] == ""
    assert client.until("executed_function")["content"]["content"] == "sunny in Oslo"
    assert client.until("turn_completed")["content"]["summary"] == "The tool says: sunny in Oslo"

    client.say(QUESTION)
    client.until("input_request")
    client.say("No, in Bergen, please: the weather in Bergen")
    second = client.until("input_response")["content"]
    assert (second["text"], second["name"]) == ("No, in Bergen, please: the weather in Bergen", "user")
    client.until("input_request")
    client.say("exit")
    client.until("turn_completed")

    assert len(contents(client.log, "user_message")) == len(contents(client.log, "turn_completed")) == 2
    assert len(contents(client.log, "executed_function")) == 1


def test_an_answer_that_looks_like_a_command(talk: Talk, model: ModelServer) -> None:
    """A mistyped command doesn't answer an open question, which counts once; sent as an answer, any text does."""
    client = talk("tools")
    model.script(Reply(tools=[("book", {"city": "Oslo"})]), Reply("Done."))
    client.say("Book.")
    first = client.until("input_request")["content"]
    client.say('{"type": "input_respond", "content": {"text": "Monday"}}')
    assert client.until("error")["content"]["code"] == "unsupported"
    client.command("input_response", request_id=first["request_id"], text='{"type": "day"}')
    assert client.until("input_response")["content"]["text"] == '{"type": "day"}'
    client.until("input_request")
    client.say('{"seat": "aisle"}')

    assert client.until("input_response")["content"]["text"] == '{"seat": "aisle"}'
    client.until("turn_completed")


def test_a_proxy_that_asks_at_the_end(talk: Talk, model: ModelServer) -> None:
    """A proxy with TERMINATE asks where AG2 would stop: here the turn ends, and the next message continues."""
    model.script(Reply("Done. TERMINATE"), Reply("More done."))
    client = talk("terminate")
    client.ask("Do it")
    client.ask("Do more")

    assert [end["summary"] for end in contents(client.log, "turn_completed")] == ["Done.", "More done."]
    assert model.requests[-1]["body"]["messages"][-1]["content"] == "Do more"
    assert not contents(client.log, "input_request")


def test_who_ends_at_a_tool_call(talk: Talk, model: ModelServer) -> None:
    """`exit` at a tool call leaves no call without a result, since models refuse such a history."""
    client = talk("always")
    client.say(QUESTION)
    client.until("input_request")
    client.say("exit")
    client.until("turn_completed")
    client.command("message", text="hello")
    client.until("turn_completed")

    said = [message for message in model.requests[-1]["body"]["messages"] if message["role"] != "system"]
    assert [message["role"] for message in said] == ["user", "assistant", "tool", "assistant", "user"]
    assert said[2]["tool_call_id"] == said[1]["tool_calls"][0]["id"]
    assert said[2]["content"] == said[3]["content"] == "[The person ended this answer here.]"


@pytest.mark.parametrize("tool", ["book", "book_async"])
def test_a_tool_whose_question_nobody_answers(serve: Serve, model: ModelServer, tmp_path: Path, tool: str) -> None:
    """An unanswered question of a tool ends the whole turn, so that the agent doesn't go on as if it were answered."""
    server = serve("--agents", write_all(tmp_path), "--input-timeout", "0.2", model=model)
    model.script(Reply(tools=[(tool, {"city": "Oslo"})]))
    with ChatClient(server.websocket, agent="tools") as client:
        client.say("Book")
        assert client.until("error")["content"]["code"] == "input_timeout"
        assert client.until("turn_completed")["content"]["status"] == "failed"

    assert len(model.requests) == 1


@pytest.mark.parametrize("tool", ["book", "book_async"])
def test_a_tool_that_asks(talk: Talk, model: ModelServer, tool: str) -> None:
    """A tool, sync or async, can ask several times, in the name of the agent that called it."""
    model.script(Reply(tools=[(tool, {"city": "Oslo"})]))
    client = talk("tools")
    client.say("Book")
    asked = []
    for answer in ("Monday", "aisle"):
        request = client.until("input_request")["content"]
        asked.append((request["agent"], request["prompt"], request["choices"]))
        client.command("input_response", request_id=request["request_id"], text=answer)
    client.until("turn_completed")

    assert asked == [("clerk", "Which day in Oslo?", None), ("clerk", "Window or aisle?", None)]
    assert contents(client.log, "executed_function")[0]["content"] == "Booked Oslo on Monday, aisle"


def test_a_group_that_asks(talk: Talk, model: ModelServer) -> None:
    """A group can ask a person to choose the next speaker, and a human member what to say."""
    model.script(Reply("A plan."))
    client = talk("group")
    client.say("Plan it")
    choose = client.until("input_request")["content"]
    assert choose["labels"] == {"1": "user", "2": "planner", "3": "reviewer", "": "Let the agents choose"}
    client.command("input_response", request_id=choose["request_id"], text="2")
    again = client.until("input_request")["content"]
    client.command("input_response", request_id=again["request_id"], text="3")
    review = client.until("input_request")["content"]
    assert review["agent"] == "reviewer"
    client.command("input_response", request_id=review["request_id"], text="Looks good.")
    client.until("turn_completed")

    said = [(content["sender"], content["content"]) for content in contents(client.log, "text")]
    assert said[1:] == [("planner", "A plan."), ("reviewer", "Looks good.")]


def test_agents_of_coroutines(talk: Talk, model: ModelServer) -> None:
    """Async replies, questions and tools work like sync ones."""
    client = talk("coroutines")
    client.say(QUESTION)
    client.until("input_request")
    client.say("")
    client.until("executed_function")
    completed = client.until("turn_completed")["content"]
    client.ask("greet me")

    assert completed["status"] == "completed"
    assert contents(client.log, "turn_completed")[1]["summary"] == "Good day."
    assert contents(client.log, "executed_function")[0]["content"] == "sunny in Oslo"
    assert client.streamed == "The tool says: sunny in Oslo"


def test_agents_of_coroutines_are_stopped(talk: Talk, model: ModelServer) -> None:
    """Async agents can be stopped while they ask, and while their model answers."""
    client = talk("coroutines")
    for waits_for in ("input_request", "stream"):
        model.script(Reply(n=1000, delay=0.05) if waits_for == "stream" else Reply(tools=[WEATHER]))
        client.say("hello")
        client.until(waits_for)
        client.command("stop")
        assert client.until("turn_completed")["content"]["status"] == "stopped"
    model.wait_for(lambda counts: counts.active == 0)


def test_the_first_answer_counts(talk: Talk) -> None:
    """The first answer counts; a later one gets an error naming who was first."""
    ada = talk("always", name="Ada")
    bob = talk(session=session_of(ada), name="Bob")
    ada.say(QUESTION)
    request = bob.until("input_request")["content"]["request_id"]
    ada.until("input_request")
    bob.command("input_response", request_id=request, text="exit")
    assert ada.until("input_response")["content"]["name"] == "Bob"
    ada.command("input_response", request_id=request, text="")
    error = ada.until("error")["content"]

    assert (error["code"], error["request_id"]) == ("already_answered", request)
    assert error["message"] == "Bob has answered this question already."


def test_what_is_typed_meanwhile_is_no_answer(talk: Talk, model: ModelServer) -> None:
    """A `message`, or a plain frame from a client that wasn't shown the question, is queued instead of answering it."""
    client = talk("always")
    model.script(Reply(tools=[WEATHER]))
    client.say("hello")
    client.command("message", text="This is a message.", id="m1")
    request = client.until("input_request")["content"]["request_id"]
    client.command("message", text="So is this.", id="m2")
    client.until("user_message", lambda content: content["id"] == "m2")
    client.command("input_response", request_id=request, text="exit")
    client.until("turn_completed", turn=1)

    assert [content["text"] for content in contents(client.log, "input_response")] == ["exit"]
    assert client.until("turn_started", turn=2)["content"]["message_id"] == "m1"


def test_an_answer_too_late(talk: Talk) -> None:
    """A question ends with its turn; a later answer is refused."""
    client = talk("always")
    client.say(QUESTION)
    request = client.until("input_request")["content"]["request_id"]
    client.command("stop")
    assert client.until("turn_completed")["content"]["status"] == "stopped"
    client.command("input_response", request_id=request, text="")
    assert client.until("error")["content"]["code"] == "request_closed"
    client.say("hello")

    assert "user_message" in types(client.log)[-2:] or client.until("user_message")["content"]["text"] == "hello"


def test_whoever_comes_later_finds_the_question(talk: Talk) -> None:
    """A client that joins later finds the question in the log and among the open requests."""
    first = talk("always")
    first.say(QUESTION)
    request = first.until("input_request")["content"]
    first.cut()
    second = talk(session=session_of(first))
    confirmed = second.frames[0]["content"]
    assert confirmed["status"] == "waiting"
    assert confirmed["open_requests"] == [request]
    second.until("input_request")
    second.say("exit")
    second.until("turn_completed")
    third = talk(session=session_of(first))

    assert third.frames[0]["content"]["open_requests"] == []


def test_a_question_waits_only_so_long(serve: Serve, model: ModelServer, tmp_path: Path) -> None:
    """After the time limit, the turn says that nobody answered; the conversation goes on."""
    server = serve("--agents", write_all(tmp_path), "--input-timeout", "0.2", model=model)
    with ChatClient(server.websocket, agent="always") as client:
        client.confirmed()
        client.say(QUESTION)
        request = client.until("input_request")
        assert request["content"]["expires"] > request["ts"]
        error = client.until("error")["content"]
        assert client.until("turn_completed")["content"]["status"] == "failed"
        client.command("input_response", request_id=request["content"]["request_id"], text="")
        late = client.until("error")["content"]

    assert error["code"] == "input_timeout"
    assert error["message"] == "Nobody answered within 0.2 seconds, so the turn was ended."
    assert late["code"] == "request_closed"


def test_a_password_is_kept_nowhere(fork: Fork, model: ModelServer, tmp_path: Path) -> None:
    """A password is in no frame, file or log, even if the tool repeats it and everything is logged."""
    pins = ["4711-xyz", 'quo"te\\d ø']
    options = ("--port", "0", "--ws-port", "0", "--log-level", "DEBUG", "--agents", write_all(tmp_path))
    with fork(*options, environment=config_list(model)) as server:
        with ChatClient(server.websocket, agent="tools", name="Eve") as client:
            client.confirmed()
            for pin in pins:
                model.script(Reply(tools=[("sign", {"text": "letter"})]), Reply(f"Signed with {pin}."))
                client.say("Sign")
                request = client.until("input_request")["content"]
                assert (request["password"], request["choices"]) == (True, None)
                client.command("input_response", request_id=request["request_id"], text=pin)
                client.until("turn_completed")
        server.signal(signal.SIGTERM)
        assert server.end() == 0

    log = client.log
    answers = contents(log, "input_response")
    assert [{key: answer.get(key) for key in ("name", "text")} for answer in answers] == [
        {"name": "Eve", "text": None}
    ] * 2
    assert contents(log, "executed_function")[0]["content"] == "Signed letter with [password]"
    assert contents(log, "text")[-1]["content"] == "Signed with [password]."
    files = b"".join(path.read_bytes() for path in (tmp_path / "data").rglob("*") if path.is_file())
    kept = files.decode("utf-8", "replace") + server.log + json.dumps(log, ensure_ascii=False)
    for pin in pins:
        assert all(spelling not in kept for spelling in (pin, json.dumps(pin)[1:-1], pin[-4:]))
