"""Several people in one session: presence, typing, read-only viewers, titles and the limits of a session."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from agentchat.app import Running
from tests.clients import ChatClient, contents, types, wait_until
from tests.conftest import Serve
from tests.model_server import ModelServer, Reply
from tests.rest_client import SESSIONS, RestClient

Connect = Callable[..., ChatClient]


def people(content: dict[str, list[dict[str, object]]]) -> list[tuple[object, ...]]:
    return [(each["name"], each["role"], each["connections"]) for each in content["participants"]]


@pytest.fixture
def three(connect: Connect) -> tuple[ChatClient, ChatClient, ChatClient]:
    """Return Ada, Bob, and Eve, who may only read."""
    ada = connect(name="Ada")
    session = ada.confirmed()["session_id"]
    bob = connect(session=session, name="Bob")
    eve = connect(session=session, name="Eve", role="viewer")
    for client in (bob, eve):
        client.confirmed()
    return ada, bob, eve


def test_who_is_here(three: tuple[ChatClient, ...], connect: Connect) -> None:
    """Everybody is told when participants change; one person in two tabs counts once."""
    ada, bob, eve = three
    assert people(eve.frames[0]["content"]) == [("Ada", "member", 1), ("Bob", "member", 1), ("Eve", "viewer", 1)]
    assert (eve.frames[0]["content"]["name"], eve.frames[0]["content"]["role"]) == ("Eve", "viewer")
    second = connect(session=ada.frames[0]["content"]["session_id"], name="Ada")
    ada.until("presence", lambda content: ("Ada", "member", 2) in people(content))
    second.cut()
    ada.until("presence", lambda content: ("Ada", "member", 1) in people(content))
    bob.socket.close()
    ada.until("presence", lambda content: people(content) == [("Ada", "member", 1), ("Eve", "viewer", 1)])

    assert all("seq" not in frame for frame in ada.frames if frame["type"] == "presence")


def test_who_writes(three: tuple[ChatClient, ...]) -> None:
    """Typing is announced to the others, but not to the person typing."""
    ada, bob, eve = three
    ada.command("typing", is_typing=True)
    for other in (bob, eve):
        assert other.until("typing")["content"] == {"name": "Ada", "is_typing": True}
    ada.command("typing", is_typing=False)
    assert bob.until("typing")["content"] == {"name": "Ada", "is_typing": False}
    ada.ask("hello")

    assert "typing" not in types(ada.frames)


def test_who_said_what(three: tuple[ChatClient, ...]) -> None:
    """Messages name their authors in the same order for everyone: the order of the log."""
    ada, bob, eve = three
    ada.ask("I am Ada")
    bob.until("turn_completed")
    bob.ask("I am Bob")
    for client in (ada, eve):
        client.until("turn_completed", turn=2)
        assert client.log == bob.log

    assert [(content["name"], content["text"]) for content in contents(eve.log, "user_message")] == [
        ("Ada", "I am Ada"),
        ("Bob", "I am Bob"),
    ]


def test_a_viewer_only_reads(three: tuple[ChatClient, ...]) -> None:
    """A viewer can only read: anything it sends gets an error that nobody else sees."""
    ada, _, eve = three
    eve.say("hello")
    for command in ("message", "stop", "retry", "typing", "rename", "input_response", "edit"):
        eve.command(command, text="x", title="x", is_typing=True, seq=1, request_id="x")
    for _ in range(8):
        assert eve.until("error")["content"]["code"] == "read_only"
    ada.ask("hello")

    assert [content["name"] for content in contents(ada.log, "user_message")] == ["Ada"]


@pytest.mark.parametrize(
    ("query", "problem"),
    [
        ({"role": "king"}, "role"),
        ({"busy": "later"}, "busy"),
        ({"name": "n" * 101}, "name"),
        ({"name": "\x01" * 101}, "name"),
    ],
)
def test_an_address_that_makes_no_sense(server: Running, query: dict[str, str], problem: str) -> None:
    """An invalid address is refused for good, with an explanation."""
    with ChatClient(server.websocket, **query) as client:
        error = client.receive()["content"]
        assert error["code"] == "bad_query"
        assert problem in error["message"]
        assert client.close_code() == 1008


def test_a_conversation_has_a_title(three: tuple[ChatClient, ...], connect: Connect) -> None:
    """A conversation is titled by its first message until it is renamed; everyone is told, including later clients."""
    ada, bob, _ = three
    ada.ask("What is the weather in Oslo?")
    session = ada.frames[0]["content"]["session_id"]
    assert connect(session=session).confirmed()["title"] == "What is the weather in Oslo?"
    ada.command("rename", title="  Oslo  ")
    renamed = bob.until("session_renamed")

    assert (renamed["content"]["title"], renamed["content"]["name"], renamed["turn"]) == ("Oslo", "Ada", 0)
    assert connect(session=session).confirmed()["title"] == "Oslo"


def test_a_title_is_one_line(client: ChatClient) -> None:
    """A title is one line without line breaks, invisible characters or direction overrides."""
    client.command("rename", title=" Oslo\r\n\x00\u202eBergen ")

    assert client.until("session_renamed")["content"]["title"] == "Oslo Bergen"


def test_a_conversation_that_is_full(serve: Serve, model: ModelServer) -> None:
    """A full conversation refuses messages with a clear error and loses nothing.

    Messages accepted earlier may be resent.
    """
    server = serve("--max-messages-per-session", "2", model=model)
    with ChatClient(server.websocket) as client:
        client.confirmed()
        for id in ("a", "b"):
            client.command("message", text="hello", id=id)
            client.until("turn_completed")
        client.command("message", text="hello", id="c")
        error = client.until("error")["content"]
        assert (error["code"], error["id"]) == ("session_full", "c")
        assert error["message"] == "This conversation has reached its limit of 2 messages. Start a new one."
        client.command("message", text="hello", id="a")
        client.command("rename", title="Full")
        client.until("session_renamed")

    assert len(contents(client.frames, "error")) == 1


def test_only_messages_that_count_fill_a_conversation(serve: Serve, model: ModelServer) -> None:
    """Retries, edits and rollbacks replace messages: they never fill a conversation, nor does a restart."""
    server = serve("--max-messages-per-session", "2", model=model)
    session = RestClient(server).new_session()
    session.ask("one")
    with ChatClient(server.websocket, session=session.id) as client:
        for turn in range(2, 6):
            client.command("retry")
            client.until("turn_completed", turn=turn)
        assert session.get().json["messages"] == 1
        session.ask("two")
        assert session.post("messages", {"text": "three"}).code == "session_full"
        client.command("edit", seq=client.log[0]["seq"], text="not any more")
        assert client.until("error")["content"]["code"] == "message_unknown"
        client.command("retry")
        client.until("turn_completed", turn=7)
    assert session.get().json["messages"] == 2
    assert RestClient(server).get(SESSIONS).json["sessions"][0]["messages"] == 2
    server.close()
    session = replace(session, client=RestClient(serve("--max-messages-per-session", "2", model=model)))
    assert session.post("messages", {"text": "three"}).code == "session_full"
    one = next(event["seq"] for event in session.log if event["turn"] == 5)
    assert session.post("edit", {"seq": one, "text": "one, but better"}).status == 202
    assert session.get().json["messages"] == 1
    assert session.post("messages", {"text": "two"}).status == 202
    assert session.post("messages", {"text": "three"}).code == "session_full"


def test_a_conversation_expires(serve: Serve, model: ModelServer, tmp_path: Path) -> None:
    """A conversation expires a fixed time after its last event; a new one replaces it, and the client is told."""
    first = serve(model=model)
    with ChatClient(first.websocket) as client:
        session = client.confirmed()["session_id"]
        client.ask("hello")
    first.close()
    second = serve("--session-ttl-hours", "1", model=model)
    with ChatClient(second.websocket, session=session) as client:
        assert client.confirmed()["replaced"] is None
    second.close()
    third = serve("--session-ttl-hours", "0.0000001", model=model)
    wait_until(lambda: not RestClient(third).get(SESSIONS).json["sessions"])
    with ChatClient(third.websocket, session=session) as client:
        confirmed = client.confirmed()

    assert confirmed["replaced"] == session
    assert confirmed["last_seq"] == 0


def test_a_long_conversation_stays_in_the_context_window(serve: Serve, model: ModelServer) -> None:
    """A long conversation stays within the context window.

    The model gets the first message and the newest ones; the log keeps them all.
    """
    server = serve("--context-tokens", "500", model=model)
    with ChatClient(server.websocket) as client:
        client.confirmed()
        client.ask("The very first message")
        for number in range(12):
            model.script(Reply(f"Answer {number}. " + "word " * 50))
            client.ask(f"Message {number}. " + "word " * 50)
        client.ask("What is the weather in Oslo?")

    sent = [message for message in model.requests[-1]["body"]["messages"] if message["role"] != "system"]
    texts = [str(message["content"]) for message in sent]
    assert texts[0] == "The very first message"
    assert texts[-3:] == ["What is the weather in Oslo?", texts[-2], texts[-1]]
    assert sent[-2]["tool_calls"][0]["id"] == sent[-1]["tool_call_id"]
    assert "Message 11" in "".join(texts)
    assert "Message 5" not in "".join(texts)
    assert sum(map(len, texts)) < 500 * 4
    assert len(contents(client.log, "user_message")) == 14
