"""A conversation by WebSocket with a real AG2 agent and a real model server."""

from __future__ import annotations

import threading
from collections.abc import Callable

import pytest

from agentchat.app import Running
from tests.clients import ChatClient, contents, types
from tests.conftest import Serve
from tests.model_server import ModelServer, Reply

QUESTION = "What is the weather in Oslo?"
TURN_WITH_TOOL = [
    "user_message",
    "turn_started",
    "text",
    "tool_call",
    "execute_function",
    "executed_function",
    "tool_response",
    "stream",
    "text",
    "turn_completed",
]


def test_a_question_is_answered_with_the_help_of_a_tool(client: ChatClient) -> None:
    """A turn with a tool call has its events in order, each with its fields."""
    frames = client.ask(QUESTION)

    assert types(frames) == TURN_WITH_TOOL
    assert [frame["seq"] for frame in frames if "seq" in frame] == list(range(1, 10))
    assert {frame["turn"] for frame in frames if "seq" in frame} == {1}
    [call] = contents(frames, "execute_function")
    assert (call["func_name"], call["arguments"]) == ("weather_forecast", {"city": "Oslo"})
    [result] = contents(frames, "executed_function")
    assert result["is_exec_success"]
    assert result["content"].startswith("Mock forecast for Oslo")


def test_the_streamed_text_is_the_final_text(client: ChatClient) -> None:
    """The chunks and the final event are one message: same id, same author, same text."""
    frames = client.ask("Hello there, how are you today?")

    answer = contents(frames, "text")[-1]
    chunks = contents(frames, "stream")
    assert "".join(chunk["content"] for chunk in chunks) == answer["content"]
    assert {(chunk["message_id"], chunk["sender"]) for chunk in chunks} == {(answer["message_id"], "forecaster")}
    offset = 0
    for chunk in chunks:
        assert chunk["offset"] == offset
        offset += len(chunk["content"])


def test_tokens_are_on_the_wire_before_the_answer_is_complete(client: ChatClient, model: ModelServer) -> None:
    """The first tokens arrive while the model is still writing."""
    gate = threading.Event()
    model.script(Reply("one two three", gate_after=(1, gate)))
    client.say("count")

    assert client.until("stream")["content"]["content"] == "one "
    gate.set()
    assert client.until("turn_completed")["content"]["summary"] == "one two three"


def test_the_agent_remembers_the_turns_before(client: ChatClient, model: ModelServer) -> None:
    """The model is sent the whole conversation, including tool calls."""
    client.ask(QUESTION)
    client.ask("And what did I ask?")

    messages = model.requests[-1]["body"]["messages"]
    assert [message["role"] for message in messages] == ["system", "user", "assistant", "tool", "assistant", "user"]
    assert messages[2]["tool_calls"][0]["function"]["name"] == "weather_forecast"


def test_usage_counts_the_turn_alone(client: ChatClient, model: ModelServer) -> None:
    """Each turn counts only its own tokens, over all its model calls; without a price there is no cost."""
    model.script(Reply("one", usage=(10, 1)), Reply("two", usage=(20, 2)))
    first = contents(client.ask("a"), "turn_completed")[0]["usage"]
    second = contents(client.ask("b"), "turn_completed")[0]["usage"]

    one = {"prompt_tokens": 10, "completion_tokens": 1, "cost": None}
    two = {"prompt_tokens": 20, "completion_tokens": 2, "cost": None}
    assert first == {**one, "agents": {"forecaster": one}}
    assert second == {**two, "agents": {"forecaster": two}}


def test_cost_is_told_where_the_price_is_known(serve: Serve, model: ModelServer) -> None:
    """A cost is reported if AG2's `price`, in dollars per 1,000 tokens in and out, is known."""
    server = serve(model=model, price=[1.0, 10.0])
    model.script(Reply("one", usage=(10, 2)))
    with ChatClient(server.websocket) as client:
        usage = contents(client.ask("a"), "turn_completed")[0]["usage"]

    assert usage["cost"] == pytest.approx(10 / 1000 + 2 * 10 / 1000)


@pytest.mark.parametrize("text", ["All done. TERMINATE", "All done.\n\nTERMINATE.", "TERMINATE", "All done. TERM"])
def test_terminate_is_not_shown(client: ChatClient, model: ModelServer, text: str) -> None:
    """TERMINATE, which ends AG2's chats, is neither streamed nor shown, and ends only the turn."""
    model.script(Reply(tokens=list(text)))  # letter by letter, the hardest case
    frames = client.ask("hello")

    answer = contents(frames, "text")[-1]["content"]
    assert "TERMINATE" not in answer
    assert "".join(chunk["content"] for chunk in contents(frames, "stream")) == answer.removesuffix("TERM")
    assert types(client.ask("and again"))[-1] == "turn_completed"


def test_one_question_costs_one_model_call(client: ChatClient, model: ModelServer) -> None:
    """One question costs one model call.

    AG2 would send an empty message to a model that doesn't say TERMINATE.
    """
    client.ask("hello")

    assert len(model.requests) == 1


def test_an_entry_may_turn_streaming_off(serve: Serve, model: ModelServer) -> None:
    """Without streaming, the answer comes in one piece, still with an id and an author."""
    server = serve(model=model, stream=False)
    with ChatClient(server.websocket) as client:
        frames = client.ask("hello")

    assert "stream" not in types(frames)
    assert contents(frames, "text")[-1]["message_id"]
    assert model.requests[0]["body"].get("stream") in {None, False}


def test_messages_sent_meanwhile_wait_in_order(client: ChatClient, model: ModelServer) -> None:
    """Messages sent during a turn each get a turn of their own, in order."""
    gate = threading.Event()
    model.script(Reply("first", gate=gate), Reply("second"), Reply("third"))
    for text in ("a", "b", "c"):
        client.say(text)
        client.until("user_message")
    gate.set()
    client.until("turn_completed", turn=3)

    order = [(frame["type"], frame["turn"]) for frame in client.log if frame["type"].startswith("turn_")]
    assert order == [(type, turn) for turn in (1, 2, 3) for type in ("turn_started", "turn_completed")]
    summaries = [content["summary"] for content in contents(client.log, "turn_completed")]
    assert summaries == ["first", "second", "third"]


def test_a_message_sent_twice_counts_once(client: ChatClient, model: ModelServer) -> None:
    """A message sent twice counts once, so clients may resend whatever was not confirmed."""
    for _ in range(5):
        client.command("message", text="hello", id="one")
    client.command("message", text="bye", id="two")
    client.until("turn_completed", turn=2)

    assert [content["id"] for content in contents(client.log, "user_message")] == ["one", "two"]
    assert len(model.requests) == 2


def test_context_travels_with_the_message(client: ChatClient) -> None:
    """The context that a client sends with a message is in the log."""
    client.command("message", text="hello", context={"unit": "celsius"})

    assert client.until("user_message")["content"]["context"] == {"unit": "celsius"}


def test_two_connections_see_the_same_events(client: ChatClient, connect: Callable[..., ChatClient]) -> None:
    """Two connections see the same events, including who wrote what."""
    session = client.frames[0]["content"]["session_id"]
    other = connect(session=session, name="Ada")
    other.confirmed()
    other.say("hello from here")
    other.until("turn_completed")
    client.until("turn_completed")

    assert client.log == other.log
    assert contents(client.log, "user_message")[0]["name"] == "Ada"


def test_conversations_do_not_mix(server: Running) -> None:
    """A hundred parallel conversations never mix."""
    clients = [ChatClient(server.websocket) for _ in range(100)]
    for number, client in enumerate(clients):
        client.confirmed()
        client.say(f'@@{{"n": 20, "delay": 0.005, "stamp": "conversation-{number}"}}@@')
    for number, client in enumerate(clients):
        answer = client.until("turn_completed")["content"]["summary"]
        assert {token.split(":")[0] for token in answer.split()} == {f"conversation-{number}"}
        assert client.streamed.strip() == answer
        client.socket.close()
