"""Connections drop and servers restart, but the conversation is kept."""

from __future__ import annotations

import signal
import threading

import pytest

from agentchat.app import Running
from tests.clients import ChatClient, Frame, contents, types
from tests.conftest import Fork, Serve, config_list
from tests.model_server import ModelServer, Reply

QUESTION = "What is the weather in Oslo?"
PORTS = ("--port", "0", "--ws-port", "0")


def test_cut_off_after_every_single_event(server: Running, client: ChatClient) -> None:
    """Reconnecting after any event replays the rest: nothing is lost, nothing is repeated."""
    session = client.frames[0]["content"]["session_id"]
    client.say(QUESTION)
    seen: list[Frame] = []
    while not seen or seen[-1]["type"] != "turn_completed":
        after = seen[-1]["seq"] if seen else 0
        with ChatClient(server.websocket, session=session, after=after) as other:
            assert other.confirmed()["recovered"]
            while not other.log:
                other.receive()
            seen.append(other.log[0])
            other.cut()

    client.until("turn_completed")
    assert seen == client.log


def test_cut_off_in_mid_answer(server: Running, model: ModelServer) -> None:
    """A turn goes on without listeners; a client that returns gets the text from its beginning, then the rest."""
    gate, rest = threading.Event(), threading.Event()
    model.script(Reply("one two three four", gate_after=(2, gate)))
    with ChatClient(server.websocket) as first:
        session = first.confirmed()["session_id"]
        first.say("count")
        first.until("stream", lambda content: "two" in content["content"])
        last = first.log[-1]["seq"]
        first.cut()
    with ChatClient(server.websocket, session=session, after=last) as second:
        assert second.confirmed()["status"] == "running"
        chunk = second.until("stream")["content"]
        assert (chunk["offset"], chunk["content"]) == (0, "one two ")
        gate.set()
        second.until("turn_completed")

        assert second.streamed == "one two three four"
        assert [frame["seq"] for frame in second.log] == list(range(last + 1, last + 3))
    rest.set()


def test_everything_is_replayed_to_a_new_reader(server: Running, client: ChatClient) -> None:
    """A new reader gets the log from its beginning, without the tokens of finished answers."""
    client.ask(QUESTION)
    session = client.frames[0]["content"]["session_id"]
    with ChatClient(server.websocket, session=session) as other:
        assert other.confirmed()["last_seq"] == 9
        other.until("turn_completed")

        assert other.log == client.log
        assert "stream" not in types(other.frames)


def test_a_long_log_is_replayed_in_full(server: Running, client: ChatClient, model: ModelServer) -> None:
    """A log longer than a page of the store and a batch of a cursor is replayed in full."""
    long = "many words " * 2000
    model.script(*[Reply("short answer")] * 60)
    for number in range(60):
        client.command("message", text=long, id=str(number))
        client.until("turn_completed")
    session = client.frames[0]["content"]["session_id"]
    with ChatClient(server.websocket, session=session, after=7) as other:
        other.until("turn_completed", turn=60)

        assert other.log == client.log[7:]


@pytest.mark.parametrize(
    ("after", "recovered", "first"),
    [("0", True, 1), ("3", True, 4), ("9", True, None), ("10", False, 1), ("-1", False, 1), ("soon", False, 1)],
)
def test_where_a_cursor_begins(
    server: Running, client: ChatClient, after: str, recovered: bool, first: int | None
) -> None:
    """A cursor position that isn't in the log gets the whole log, and the client is told."""
    client.ask(QUESTION)
    session = client.frames[0]["content"]["session_id"]
    with ChatClient(server.websocket, session=session, after=after) as other:
        confirmed = other.confirmed()
        assert (confirmed["recovered"], confirmed["last_seq"]) == (recovered, 9)
        other.say("next")
        other.until("user_message", lambda content: content["text"] == "next")
        assert other.log[0]["seq"] == (first or 10)


def test_an_unknown_session_becomes_a_new_one(server: Running) -> None:
    """An unknown session id becomes a new session, and the client is told which id it replaces."""
    with ChatClient(server.websocket, session="long-gone", after=5) as client:
        confirmed = client.confirmed()

        assert confirmed["replaced"] == "long-gone"
        assert confirmed["session_id"] != "long-gone"
        assert client.ask("hello")[0]["seq"] == 1


def test_a_restarted_server_goes_on(fork: Fork, model: ModelServer) -> None:
    """Agents remember across a restart: the next model call is the same as without it."""
    environment = config_list(model)
    with fork(*PORTS, environment=environment) as first, ChatClient(first.websocket) as client:
        session = client.confirmed()["session_id"]
        client.ask(QUESTION)
        client.ask("And tomorrow?")
        without = model.requests[-1]["body"]
        log = client.log
        first.signal(signal.SIGTERM)
        assert first.end() == 0
    with (
        fork(*PORTS, environment=environment) as second,
        ChatClient(second.websocket, session=session) as client,
    ):
        client.say("And the day after?")
        client.until("turn_completed", turn=3)
        after = model.requests[-1]["body"]

    assert client.log[: len(log)] == log
    assert after["messages"][: len(without["messages"])] == without["messages"]
    assert [message["role"] for message in after["messages"][-2:]] == ["assistant", "user"]
    assert after["tools"] == without["tools"]


@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGTERM])
def test_a_server_that_ends_in_mid_answer(fork: Fork, model: ModelServer, how: signal.Signals) -> None:
    """A server that is killed or shut down in mid-answer loses nothing.

    The turn ends interrupted, and the conversation goes on.
    """
    environment = config_list(model)
    with fork(*PORTS, environment=environment) as first, ChatClient(first.websocket) as client:
        session = client.confirmed()["session_id"]
        client.ask("My name is Ada.")
        model.script(
            Reply(tools=[("weather_forecast", {"city": "Oslo"})]),
            Reply("It is going to be", gate_after=(3, threading.Event())),
        )
        client.say(QUESTION)
        client.until("stream", lambda content: "going" in content["content"])
        client.say("Are you there?")
        client.until("user_message", lambda content: content["text"] == "Are you there?")
        first.signal(how)
        first.end()
        before = client.log
    with (
        fork(*PORTS, environment=environment) as second,
        ChatClient(second.websocket, session=session) as client,
    ):
        client.confirmed()
        client.until("turn_completed", turn=3)

        assert client.log[: len(before)] == before
        statuses = {
            frame["turn"]: frame["content"]["status"] for frame in client.log if "duration_ms" in frame["content"]
        }
        assert statuses == {1: "completed", 2: "interrupted", 3: "completed"}
        messages = model.requests[-1]["body"]["messages"]
        assert [m["role"] for m in messages[3:]] == ["user", "assistant", "tool", "assistant", "user"]
        assert messages[1]["content"] == "My name is Ada."
        assert messages[-1]["content"] == "Are you there?"


def test_an_empty_session_can_be_reopened(serve: Serve, model: ModelServer) -> None:
    """A session id remains valid if the connection drops before the first message."""
    server = serve(model=model)
    with ChatClient(server.websocket) as client:
        session = client.confirmed()["session_id"]
    with ChatClient(server.websocket, session=session) as client:
        confirmed = client.confirmed()

        assert (confirmed["session_id"], confirmed["replaced"]) == (session, None)
        assert contents(client.ask("hello"), "turn_completed")[0]["status"] == "completed"
