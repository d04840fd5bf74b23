"""Limits of the messages that wait for their turns, and what readers are sent of them."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from agentchat.protocol.errors import ChatError
from agentchat.protocol.session_events import ENTRY_CHARS
from tests.clients import ChatClient, contents
from tests.conftest import Serve
from tests.model_server import ModelServer, Reply
from tests.rest_client import RestClient
from tests.scripted_sessions import ScriptedServer, until

LIMITS = ("--waiting-messages", "3", "--waiting-chars", "2000")


@pytest.fixture
def gate(model: ModelServer) -> Iterator[threading.Event]:
    """Set this event to let the first answer finish."""
    gate = threading.Event()
    model.script(Reply("one two three", gate_after=(2, gate)))
    yield gate
    gate.set()


def code(function: Callable[..., object], *args: Any, **kwargs: Any) -> str:
    with pytest.raises(ChatError) as error:
        function(*args, **kwargs)
    return error.value.code


def test_a_queue_that_is_full(serve: Serve, model: ModelServer, gate: threading.Event) -> None:
    """A conversation lets so many messages wait, of so many characters, and says so; then it takes others again."""
    server = serve(*LIMITS, model=model)
    session = RestClient(server).new_session()
    with ChatClient(server.websocket, session=session.id) as client:
        client.say("first")
        client.until("stream")
        for text in ("a", "b", "x" * 1500):
            client.command("message", text=text, id=text[0])
        client.until("queue", lambda content: len(content["queue"]) == 3)
        client.command("message", text="d", id="d")
        error = client.until("error")["content"]
        assert (error["code"], error["id"], error["retryable"]) == ("queue_full", "d", True)
        assert "3 messages in this conversation" in error["message"]
        for answer in (
            session.post("messages", {"text": "d"}),
            session.client.post(f"/api/v1/chat/{session.id}", {"message": "d"}),
            session.client.post(f"/api/v1/chat/{session.id}/stream", {"message": "d"}),
        ):
            assert (answer.status, answer.code) == (429, "queue_full")
        assert session.post("messages", {"text": "a", "id": "a"}).status == 202  # again
        seq = next(frame["seq"] for frame in client.log if frame["content"].get("id") == "a")
        client.command("edit", seq=seq, text="y" * 1500)
        assert "2,000 characters" in client.until("error")["content"]["message"]
        client.command("edit", seq=seq, text="another a")
        client.until("queue", lambda content: content["queue"][0]["text"] == "another a")
        client.command("stop", turn=3)
        client.until("queue", lambda content: len(content["queue"]) == 2)
        assert session.post("messages", {"text": "z" * 1500}).code == "queue_full"
        client.command("message", text="d")
        gate.set()
        client.until("turn_completed", turn=5)
        assert session.get().json["queue"] == []
        assert len(contents(client.log, "user_message")) == 6


def test_long_messages_are_cut_where_they_wait(serve: Serve, model: ModelServer, gate: threading.Event) -> None:
    """Lists of waiting messages have only the beginning of long ones; what is answered is the whole."""
    server = serve(model=model)
    session = RestClient(server).new_session()
    with ChatClient(server.websocket, session=session.id) as client:
        client.say("first")
        client.until("stream")
        text = "0123456789" * 10_000
        client.command("message", text=text)
        client.command("message", text="short")
        long, short = client.until("queue", lambda content: len(content["queue"]) == 2)["content"]["queue"]
        assert (long["text"], long["cut"]) == (text[:ENTRY_CHARS], True)
        assert (short["text"], "cut" in short) == ("short", False)
        assert session.get().json["queue"] == [long, short]
        with ChatClient(server.websocket, session=session.id) as other:
            assert other.confirmed()["queue"] == [long, short]
        assert text in [content["text"] for content in contents(client.log, "user_message")]
        gate.set()
        client.until("turn_completed", turn=3)
    assert text in str(model.requests[1]["body"]["messages"])


@pytest.mark.parametrize(
    ("rule", "who"),
    [("waiting_messages_per_person", {"name": "Ada"}), ("waiting_messages_in_all", {}),
     ("waiting_chars_per_person", {"name": "Ada"}), ("waiting_chars_in_all", {})],
)  # fmt: skip
def test_a_limit_across_conversations(rule: str, who: dict[str, str]) -> None:
    """A limit counts in all conversations, leaves others alone unless it is theirs, and counts what waits only."""
    limit: dict[str, Any] = {rule: 2 if "messages" in rule else 6}
    server = ScriptedServer(**limit)
    first, second = server.create(), server.create()
    names = iter("BCDEFGHIJ")
    for session in (first, second):
        session.post("begun", "Zoe")
        until(session, "turn_started")
    waiting = server.services.waiting_messages

    def post(session: Any) -> None:
        session.post("abc", who.get("name") or next(names))

    post(first)
    post(second)
    assert code(post, first) == code(post, second) == "queue_full"
    if who:
        first.post("abc", "Bob")
        first.stop(3)
    assert len(waiting) == 2
    second.stop(2)
    post(first)
    for _ in range(3):
        server.agents.turn().end()
    server.sessions.delete(second.id, None)
    until(first, "turn_completed", 2)
    server.sessions.delete(first.id, None)
    assert len(waiting) == 0
    assert not waiting._sizes
    assert not waiting._sessions


def test_an_address_is_many_people() -> None:
    """People at one address may have ten times as much waiting as one of them, whatever they call themselves."""
    server = ScriptedServer(waiting_messages_per_person=1)
    session = server.create()
    session.post("begun", "Zoe")
    until(session, "turn_started")
    for number in range(10):
        session.post("abc", f"name {number}", address="192.0.2.1")
    assert code(session.post, "abc", "another", address="192.0.2.1") == "queue_full"
    session.post("abc", "another", address="192.0.2.2")
    server.sessions.delete(session.id, None)
    assert len(server.services.waiting_messages) == 0


def test_what_waits_counts_after_a_restart() -> None:
    """Messages that waited when the server ended count again in the next one, until they are answered."""
    server = ScriptedServer()
    session = server.create()
    session.post("begun", "Ada")
    until(session, "turn_started")
    for text in ("a", "b", "c"):
        session.post(text, "Ada")
    after = server.restarted()
    again = after.open(session.id)
    until(again, "turn_started", 2)
    assert len(after.services.waiting_messages) == 2
    for _ in range(3):
        after.agents.turn().end()
    until(again, "turn_completed", 4)
    assert len(after.services.waiting_messages) == 0
