"""Messages that arrive while the agents are busy, and turns that are rewound."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from typing import Any

import pytest

from tests.clients import ChatClient, Frame, contents
from tests.conftest import Serve
from tests.model_server import ModelServer, Reply


@pytest.fixture
def gate(model: ModelServer) -> Iterator[threading.Event]:
    """Set this event to let the first answer, a long one, finish."""
    gate = threading.Event()
    model.script(Reply("one two three", gate_after=(2, gate)))
    yield gate
    gate.set()


@pytest.fixture
def working(client: ChatClient, gate: threading.Event) -> ChatClient:
    """Return a client whose first message is being answered."""
    client.command("message", text="first", id="first")
    client.until("stream", lambda content: "two" in content["content"])
    return client


def statuses(log: list[Frame]) -> dict[int, str]:
    return {frame["turn"]: frame["content"]["status"] for frame in log if frame["type"] == "turn_completed"}


def told(model: ModelServer) -> list[str]:
    """Return the last message the model was sent."""
    return [message["content"] for message in model.requests[-1]["body"]["messages"][1:]]


def entries(content: Any) -> list[tuple[str, str]]:
    return [(entry["id"], entry["text"]) for entry in content["queue"]]


def test_a_queue_can_be_seen_and_changed(working: ChatClient, model: ModelServer, gate: threading.Event) -> None:
    """Queued messages can be edited or withdrawn, and each ends in exactly one turn_completed."""
    for id in ("a", "b", "c"):
        working.command("message", text=f"message {id}", id=id)
    queue = working.until("queue", lambda content: len(content["queue"]) == 3)["content"]
    assert entries(queue) == [("a", "message a"), ("b", "message b"), ("c", "message c")]
    working.command("edit", seq=queue["queue"][0]["seq"], text="another a")
    working.command("stop", turn=queue["queue"][1]["turn"])
    changed = working.until("queue", lambda content: len(content["queue"]) == 2)["content"]
    assert entries(changed) == [("a", "another a"), ("c", "message c")]
    gate.set()
    working.until("turn_completed", turn=4)

    assert statuses(working.log) == {1: "completed", 2: "completed", 3: "stopped", 4: "completed"}
    assert len(contents(working.log, "turn_completed")) == 4
    assert "message a" not in told(model)
    assert "message b" not in told(model)
    assert told(model)[2] == "another a"
    assert contents(working.frames, "queue")[-1]["queue"] == []


def test_a_changed_queue_survives_a_restart(serve: Serve, model: ModelServer) -> None:
    """Edits and withdrawals survive a restart, and the queue is worked off without a client connecting."""
    gate = threading.Event()
    model.script(Reply("one two three", gate_after=(2, gate)))
    first = serve(model=model)
    with ChatClient(first.websocket) as client:
        session = client.confirmed()["session_id"]
        for id in ("first", "a", "b"):
            client.command("message", text=f"message {id}", id=id)
        queue = client.until("queue", lambda content: len(content["queue"]) == 2)["content"]["queue"]
        client.command("edit", seq=queue[0]["seq"], text="another a")
        client.command("stop", turn=queue[1]["turn"])
        client.until("queue", lambda content: len(content["queue"]) == 1)
    first.close()
    gate.set()
    second = serve(model=model)
    model.wait_for(lambda counts: counts.completed == 1)
    with ChatClient(second.websocket, session=session) as client:
        client.until("turn_completed", turn=2)

    assert statuses(client.log) == {1: "interrupted", 2: "completed", 3: "stopped"}
    assert told(model)[-1] == "another a"


def test_a_message_can_be_refused(working: ChatClient, gate: threading.Event) -> None:
    """With `reject`, a busy session refuses a message.

    It is not logged, and the error names it; a message already accepted is not refused when resent.
    """
    working.command("message", text="second", id="second", busy="reject")
    error = working.until("error")["content"]
    assert (error["code"], error["id"], error["retryable"]) == ("busy", "second", True)
    working.command("message", text="first", id="first", busy="reject")
    gate.set()
    working.until("turn_completed")
    working.command("message", text="second", id="second", busy="reject")
    working.until("turn_completed")

    assert len(contents(working.frames, "error")) == 1
    assert [content["id"] for content in contents(working.log, "user_message")] == ["first", "second"]


def test_a_message_can_interrupt(working: ChatClient, model: ModelServer) -> None:
    """With `interrupt`, the running turn stops, keeping its partial answer, and the new message is next.

    The agents are told what happened.
    """
    working.command("message", text="stop that", id="second", busy="interrupt")
    working.until("turn_completed", turn=2)

    assert statuses(working.log) == {1: "stopped", 2: "completed"}
    assert told(model) == ["first", "one two \n\n[The person stopped this answer.]", "stop that"]
    working.command("message", text="stop that", id="second", busy="interrupt")
    working.command("message", text="third", id="third", busy="interrupt")
    working.until("turn_completed", turn=3)
    assert statuses(working.log)[2] == "completed"


def test_a_message_can_roll_back(working: ChatClient, model: ModelServer) -> None:
    """With `rollback`, the running turn is forgotten by the agents; its events stay in the log."""
    working.command("message", text="rather this", id="second", busy="rollback")
    working.until("turn_completed", turn=2)

    [rewind] = contents(working.log, "rewind")
    assert (rewind["turns"], rewind["to_seq"], rewind["reason"]) == ([1], 0, "rollback")
    assert statuses(working.log) == {1: "stopped", 2: "completed"}
    assert told(model) == ["rather this"]


@pytest.mark.parametrize("how", ["connection", "setting"])
def test_where_the_policy_comes_from(serve: Serve, model: ModelServer, gate: threading.Event, how: str) -> None:
    """A message's own policy beats the connection's, which beats the setting."""
    server = serve("--busy", "reject" if how == "setting" else "interrupt", model=model)
    query = {"busy": "reject"} if how == "connection" else {}
    with ChatClient(server.websocket, **query) as client:
        client.confirmed()
        client.say("first")
        client.until("stream", lambda content: "two" in content["content"])
        client.say("second")
        assert client.until("error")["content"]["code"] == "busy"
        client.command("message", text="third", busy="enqueue")
        gate.set()
        client.until("turn_completed", turn=2)

    assert statuses(client.log) == {1: "completed", 2: "completed"}


def test_a_late_stop_ends_nothing_else(client: ChatClient) -> None:
    """A late stop ends no other turn, because it names the turn it means."""
    client.ask("one")
    client.command("stop", turn=1)
    client.ask("two")

    assert statuses(client.log) == {1: "completed", 2: "completed"}


def test_an_answer_is_tried_again(client: ChatClient, model: ModelServer) -> None:
    """A retry sends the same message in a new turn; the agents have forgotten the first answer."""
    client.ask("hello")
    model.script(Reply("Bad."), Reply("Better."))
    client.command("message", text="and now?", id="m", context={"n": 1})
    client.until("turn_completed")
    client.command("retry")
    client.until("turn_completed", turn=3)

    [rewind] = contents(client.log, "rewind")
    assert (rewind["turns"], rewind["reason"]) == ([2], "retry")
    assert client.log[rewind["to_seq"]]["type"] == "user_message"
    assert client.log[rewind["to_seq"]]["turn"] == 2
    again = contents(client.log, "user_message")[-1]
    assert (again["text"], again["context"]) == ("and now?", {"n": 1})
    assert again["id"] != "m"
    assert told(model) == ["hello", "You said: hello", "and now?"]


def test_a_message_is_edited(client: ChatClient, model: ModelServer) -> None:
    """Editing a message rewinds to it: the agents know only what came before."""
    for text in ("one", "two", "three"):
        client.ask(text)
    two = next(frame["seq"] for frame in client.log if frame["content"].get("text") == "two")
    client.command("edit", seq=two, text="deux")
    client.until("turn_completed", turn=4)
    assert contents(client.log, "rewind")[0]["turns"] == [2, 3]
    assert told(model) == ["one", "You said: one", "deux"]
    client.ask("four")

    assert told(model) == ["one", "You said: one", "deux", "You said: deux", "four"]
    client.command("edit", seq=two, text="zwei")
    assert client.until("error")["content"]["code"] == "message_unknown"


def test_the_running_message_is_edited(working: ChatClient, model: ModelServer) -> None:
    """Editing the running message stops its turn, which no longer counts."""
    working.command("edit", seq=working.log[0]["seq"], text="a better question")
    working.until("turn_completed", turn=2)

    assert contents(working.log, "rewind")[0]["turns"] == [1]
    assert statuses(working.log) == {1: "stopped", 2: "completed"}
    assert told(model) == ["a better question"]


def test_an_earlier_message_waits_for_the_end(working: ChatClient, gate: threading.Event) -> None:
    """An earlier message cannot be edited while a later turn runs."""
    gate.set()
    working.until("turn_completed")
    working.command("message", text="@@" + '{"n": 1000, "delay": 0.05}@@')
    working.until("stream")
    working.command("edit", seq=1, text="other")
    assert working.until("error")["content"]["code"] == "busy"
    working.command("stop")
    working.until("turn_completed", turn=2)
    working.command("edit", seq=1, text="other")
    working.until("turn_completed", turn=3)

    assert contents(working.log, "rewind")[0]["turns"] == [1, 2]


def test_what_was_rewound_stays_rewound(serve: Serve, model: ModelServer) -> None:
    """Rewound turns stay rewound after a restart; the agents don't know of them when they answer the next message."""
    first = serve(model=model)
    with ChatClient(first.websocket) as client:
        session = client.confirmed()["session_id"]
        client.ask("one")
        client.ask("two")
        client.command("retry")
        client.until("turn_completed", turn=3)
    first.close()
    second = serve(model=model)
    with ChatClient(second.websocket, session=session) as client:
        client.say("three")
        client.until("turn_completed", turn=4)
        assert told(model) == ["one", "You said: one", "two", "You said: two", "three"]
        client.command("retry")
        client.until("turn_completed", turn=5)

    assert [content["turns"] for content in contents(client.log, "rewind")] == [[2], [4]]
    assert [frame["seq"] for frame in client.log] == list(range(1, len(client.log) + 1))


def test_an_answer_under_way_is_tried_again(working: ChatClient, model: ModelServer) -> None:
    """Retrying the running turn stops it and starts it over."""
    working.command("retry")
    working.until("turn_completed", turn=2)

    assert contents(working.log, "rewind")[0]["turns"] == [1]
    assert statuses(working.log) == {1: "stopped", 2: "completed"}
    assert told(model) == ["first"]


def test_what_waits_is_not_rewound(working: ChatClient, model: ModelServer) -> None:
    """Retrying the running turn leaves the queued messages alone: each is answered, and counts."""
    working.command("message", text="second", id="second")
    working.until("queue")
    working.command("retry")
    working.until("turn_completed", turn=3)
    working.ask("fourth")

    assert contents(working.log, "rewind")[0]["turns"] == [1]
    assert statuses(working.log) == {1: "stopped", 2: "completed", 3: "completed", 4: "completed"}
    assert [text for text in told(model) if not text.startswith("You said")] == ["second", "first", "fourth"]
