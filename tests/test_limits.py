"""Limits of what agents may spend on one message: the length of an answer, and the time of a turn."""

from __future__ import annotations

import json
import threading
from pathlib import Path

import pytest

from agentchat.cancellation import Stopped, StopToken
from agentchat.models.normalize import shortened, whole
from agentchat.models.stream_parser import EventStreamParser, answer_of, limited
from agentchat.sessions.time_limit import TimeLimit
from tests.agent_files import write_agents, write_all
from tests.clients import PATIENCE, ChatClient, contents, wait_until
from tests.conftest import Serve
from tests.model_server import ModelServer, Reply


def test_an_answer_that_never_ends(serve: Serve, model: ModelServer) -> None:
    """An answer over the limit is cut off, says so, and no longer read; the turn is completed."""
    model.script(Reply(n=10_000, delay=0.001, usage=False))
    with ChatClient(serve("--answer-chars", "100", model=model).websocket) as client:
        client.confirmed()
        frames = client.ask("Count.")
        model.wait_for(lambda counts: counts.active == 0)

        assert contents(frames, "turn_completed")[0]["status"] == "completed"
        [answer] = contents(frames, "text")[1:]
        assert answer["content"].startswith("0 1 2 3")
        assert len(answer["content"]) >= 100
        assert "limit of characters" in answer["notice"]
        assert model.counts.aborted == 1
        assert contents(client.ask("And now?"), "turn_completed")[0]["status"] == "completed"


def test_a_long_answer_in_one_piece(serve: Serve, model: ModelServer) -> None:
    """An answer that isn't streamed is cut off as well, and makes no calls."""
    calls = [{"id": "a", "type": "function", "function": {"name": "weather_forecast", "arguments": "{}"}}]
    message = {"content": "x" * 300, "reasoning_content": "y" * 60, "tool_calls": calls}
    body = {"choices": [{"message": {"role": "assistant", **message}, "finish_reason": "tool_calls"}]}
    model.script(Reply(raw=json.dumps(body).encode()))
    with ChatClient(serve("--answer-chars", "100", model=model).websocket) as client:
        client.confirmed()
        [answer] = contents(client.ask("Go on."), "text")[1:]

        assert answer["content"] == "x" * 40
        assert "limit of characters" in answer["notice"]


def test_a_long_answer_with_a_picture() -> None:
    """An answer isn't cut off within a picture."""
    picture = {"type": "image_url", "image_url": {"url": "data:image/png;base64," + "A" * 500}}
    content = [{"type": "text", "text": "See:"}, picture, {"type": "text", "text": "This was it."}]
    answer = shortened(whole({"choices": [{"message": {"content": content}}]}), 100)

    assert answer.text == f"See:\n\n![picture]({picture['image_url']['url']})"  # type: ignore[index]


def test_each_answer_counts_for_itself(serve: Serve, model: ModelServer) -> None:
    with ChatClient(serve("--answer-chars", "20", model=model).websocket) as client:
        client.confirmed()
        for _ in range(3):
            model.script(Reply("Hello there."))
            assert "notice" not in contents(client.ask("Hello"), "text")[-1]


def test_half_a_call_is_not_carried_out() -> None:
    """When an answer is cut off, the calls that came with it are not made."""
    parser = EventStreamParser(limited(lambda text, is_reasoning: None, 5))
    call = {"index": 0, "id": "a", "function": {"name": "delete", "arguments": "{}"}}
    delta = {"content": "Hello world", "tool_calls": [call]}
    answer = answer_of(parser.feed(b"data: " + json.dumps({"choices": [{"delta": delta}]}).encode() + b"\n\n"))

    assert (answer.text, answer.calls, answer.finish_reason) == ("Hello world", [], "limit")


def test_a_turn_that_takes_too_long(serve: Serve, model: ModelServer) -> None:
    """A turn over the limit of time fails in words, wherever it waits; what was said is kept."""
    model.script(Reply("It is sunny.", gate_after=(2, threading.Event())))
    with ChatClient(serve("--turn-timeout", "0.3", model=model).websocket) as client:
        client.confirmed()
        frames = client.ask("Oslo?")

        assert contents(frames, "turn_completed")[0]["status"] == "failed"
        [error] = contents(frames, "error")
        assert (error["code"], "0.3 seconds" in error["message"]) == ("turn_timeout", True)
        assert contents(frames, "text")[-1]["content"] == "It is "


def test_people_may_take_their_time(serve: Serve, model: ModelServer, tmp_path: Path) -> None:
    """A question that waits longer than the limit is answered all the same."""
    model.script(Reply(tools=[("book", {"city": "Oslo"})]), Reply("Booked."))
    server = serve("--turn-timeout", "30", "--agents", write_all(tmp_path), model=model)
    with ChatClient(server.websocket, agent="tools") as client:
        client.confirmed()
        client.say("Book")
        for answer in ("Monday", "aisle"):
            request = client.until("input_request")["content"]["request_id"]
            wait_until(lambda: not timers())
            client.command("input_response", request_id=request, text=answer)
        assert client.until("turn_completed")["content"]["status"] == "completed"


def test_the_time_limit() -> None:
    """Only the time within the context counts, without its pauses; the timer is given back."""
    token, stopped = StopToken(), threading.Event()
    with pytest.raises(Stopped) as error, TimeLimit(token, 0.01), token.interruptible(stopped.set):
        assert stopped.wait(PATIENCE)
    assert error.value.error is not None
    assert error.value.error.code == "turn_timeout"
    with TimeLimit(StopToken(), 3600) as limit:
        assert timers()
        with limit.paused():
            assert not timers()
        assert timers()
        with limit.paused(), limit.paused():
            pass
        assert timers()
        left_behind = limit.paused()
        left_behind.__enter__()
    left_behind.__exit__(None, None, None)
    with TimeLimit(StopToken(), 0):
        assert not timers()
    assert not timers()


def timers() -> list[threading.Thread]:
    return [each for each in threading.enumerate() if each.name == "time-limit"]


BULKY = '''
"""Has tools that return a lot."""
PICTURE = (
    "data:image/png;base64,iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJg"
    "gg=="
)
from autogen import ConversableAgent, UserProxyAgent, register_function

def text() -> str:
    return "x" * 5_000_000

def rows() -> list[int]:
    return list(range(1_000_000))

async def later() -> str:
    return "y" * 5_000_000

def little() -> str:
    return "z" * 1000

def failing() -> str:
    raise ValueError("e" * 5_000_000)

async def failing_later() -> str:
    raise ValueError("f" * 5_000_000)

def pictures() -> list:
    picture = {"type": "image_url", "image_url": {"url": PICTURE}}
    return [picture, {"type": "text", "text": "p" * 5_000_000}, {"type": "text", "text": "q" * 5_000_000}]

def build(llm_config, chat):
    agent = ConversableAgent("clerk", llm_config=llm_config, human_input_mode="NEVER")
    user = UserProxyAgent("user", human_input_mode="NEVER", code_execution_config=False, default_auto_reply=None)
    for tool in (text, rows, later, little, failing, failing_later):
        register_function(tool, caller=agent, executor=user, description=tool.__name__)
    agent.register_for_llm(description="pictures")(pictures)
    user.register_function({"pictures": pictures})  # register_function would make it text
    return user, agent
'''


def test_results_that_are_too_long(serve: Serve, model: ModelServer, tmp_path: Path) -> None:
    """A tool's result is cut at the limit, whatever it consists of; the model is told how long it is."""
    names = ["text", "rows", "later", "little", "failing", "failing_later", "pictures"]
    model.script(*(Reply(tools=[(name, {})]) for name in names), Reply("Done."))
    server = serve("--result-chars", "1000", "--agents", write_agents(tmp_path, bulky=BULKY), model=model)
    with ChatClient(server.websocket) as client:
        client.confirmed()
        frames = client.ask("Go")
    results = [content["content"] for content in contents(frames, "executed_function")]

    assert [len(str(result)) < 1500 for result in results] == [True] * 7
    assert results[0].startswith("x" * 1000 + "\n[… The result has 5,000,000 characters")
    assert results[1].startswith("[0, 1, 2")
    assert "characters; this is the beginning" in results[1]
    assert results[3] == "z" * 1000
    assert "e" * 900 in results[4]
    assert "5,000,000 characters" in results[4]
    assert "f" * 900 in results[5]
    assert "p" * 1000 in str(results[6])
    assert "qq" not in str(results[6])
    assert "data:image/png" in str(results[6])
    assert max(len(json.dumps(request["body"])) for request in model.requests) < 20_000
