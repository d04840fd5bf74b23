"""Memory belongs to a person: who can use it, how long it lasts, and how it is erased."""

from __future__ import annotations

import sqlite3
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from agentchat.app import Running
from agentchat.sessions.user_notes import KEY_CHARS, MAX_NOTES, VALUE_CHARS
from tests.agent_files import write_agents
from tests.clients import PATIENCE, ChatClient, contents
from tests.conftest import Serve
from tests.model_server import ModelServer, Reply
from tests.remembering import (
    MEMORY,
    ONE,
    OTHER,
    Who,
    known,
    known_of,
    memory,
    notes,
    remember,
    say,
    told,
    written,
)
from tests.rest_client import SESSIONS, Conversation, RestClient

pytestmark = pytest.mark.all_agents

KEEPER = '''
"""Remembers, and can be made to wait before it does."""
import threading
from autogen import ConversableAgent, UserProxyAgent, register_function

has_begun, gate, has_tried = threading.Event(), threading.Event(), threading.Event()

def build(llm_config, chat):
    def remember(key: str, value: str) -> str:
        return chat.remember(key, value)

    def recall() -> str:
        return str(chat.recall())

    def forget(key: str) -> str:
        return chat.forget(key)

    def remember_late(key: str, value: str) -> str:
        try:
            has_begun.set()
            gate.wait()
            return chat.remember(key, value + str(chat.recall()))
        finally:
            has_tried.set()

    agent = ConversableAgent("keeper", llm_config=llm_config, human_input_mode="NEVER")
    user = UserProxyAgent("user", human_input_mode="NEVER", code_execution_config=False, default_auto_reply=None)
    for tool in (remember, recall, forget, remember_late):
        register_function(tool, caller=agent, executor=user, description=tool.__name__)
    return user, agent
'''


@pytest.fixture
def concierge(rest: RestClient) -> Callable[[], Conversation]:
    return lambda: rest.new_session(agent="concierge")


@pytest.fixture
def keeper(serve: Serve, model: ModelServer, tmp_path: Path) -> Running:
    """Start a server with an agent that remembers, recalls and forgets."""
    return serve("--agents", write_agents(tmp_path, keeper=KEEPER), model=model)


# Ownership


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ({"name": "Ann"}, {"name": "Bob"}),
        ({"name": "Ann"}, {"name": "ann"}),
        ({"name": "Ann"}, {}),
        ({"name": "Ann", "cookie": ONE}, {"name": "Bob", "cookie": ONE}),
        ({"name": "Ann", "cookie": ONE}, {"name": "Ann", "cookie": OTHER}),
        ({"name": "Ann", "cookie": ONE}, {"name": "Ann"}),
        ({"name": "Ann"}, {"name": "Ann", "cookie": ONE}),
        ({"name": "Ann", "cookie": ONE}, {"cookie": ONE}),
        ({"cookie": ONE}, {"cookie": OTHER}),
        ({"cookie": ONE}, {}),
        ({}, {}),
        ({}, {"name": "user"}),
        ({"name": "Ann", "cookie": ONE}, {"name": "Ann", "cookie": "agentchat_browser="}),
        ({"name": "Ann", "cookie": ONE}, {"name": "one", "cookie": "agentchat_browser=Ann"}),
    ],
)
def test_one_persons_memory_never_reaches_another(
    concierge: Callable[[], Conversation], model: ModelServer, rest: RestClient, one: Who, other: Who
) -> None:
    """One person's memory never reaches another.

    However the two are told apart, neither the model nor REST reveals it in other sessions.
    """
    remember(concierge(), model, one, "secret", "hunter2")

    assert known_of(concierge(), model, other) == "nothing"
    if other:
        answer = memory(rest, other)
        assert answer.status == 400 if other == {"name": "user"} else answer.json["notes"] == []


@pytest.mark.parametrize("who", [{"name": "Ann"}, {"name": "Ann", "cookie": ONE}, {"cookie": ONE}])
def test_a_person_is_known_in_every_conversation(
    concierge: Callable[[], Conversation], model: ModelServer, rest: RestClient, who: Who
) -> None:
    """A person is recognized in every conversation by the user a program names, or by the browser and name."""
    remember(concierge(), model, who, "name", "Ann")

    assert known_of(concierge(), model, who) == "name: Ann"
    assert notes(rest, who) == {"name": "Ann"}


def test_who_says_nothing_is_known_in_one_session(concierge: Callable[[], Conversation], model: ModelServer) -> None:
    """An anonymous person is known in one session only, and not to anybody who has a name there."""
    session = concierge()
    remember(session, model, {}, "name", "Ann")

    assert known_of(session, model, {}) == "name: Ann"
    assert known_of(session, model, {"name": "Bob"}) == "nothing"


def test_two_people_take_turns(concierge: Callable[[], Conversation], model: ModelServer) -> None:
    """When two people take turns in a session, each request holds only the notes about the author of its message."""
    session, ann, bob = concierge(), {"name": "Ann", "cookie": ONE}, {"name": "Bob", "cookie": ONE}
    remember(session, model, ann, "likes", "cats")
    remember(session, model, bob, "likes", "dogs")
    for who, likes in ((ann, "cats"), (bob, "dogs"), (ann, "cats")):
        before = len(model.requests)
        model.script(Reply(tools=[("hand_over", {"to": "concierge", "reason": "again"})]), Reply("Yes."))
        say(session, "What do I like?", who)
        assert [known(model, place) for place in range(before, len(model.requests))] == [f"likes: {likes}"] * 2


def test_people_by_websocket(server: Running, model: ModelServer) -> None:
    """WebSocket clients are identified by the handshake's cookie, and queued messages keep their author."""
    with (
        ChatClient(server.websocket, cookie=f"a=1; {ONE}", agent="concierge", name="Ann") as ann,
        ChatClient(server.websocket, cookie=OTHER, session=ann.confirmed()["session_id"], name="Ann") as bob,
    ):
        model.script(Reply(tools=[("remember", {"key": "likes", "value": "cats"})]), Reply("Yes."))
        ann.ask("I like cats")
        gate = threading.Event()
        model.script(Reply("One", gate=gate), Reply("Two"), Reply("Three"), Reply("Four"))
        seen = len(model.requests)
        ann.say("first")
        ann.until("turn_started")
        for number, client in enumerate((bob, ann, bob)):
            client.command("message", text=f"waits {number}", id=str(number))
            written(client, f"waits {number}")
        gate.set()
        ann.until("turn_completed", turn=5)

    assert [known(model, place) for place in range(seen, seen + 4)] == ["likes: cats", "nothing"] * 2
    users = [content["user"] for content in contents(ann.frames, "user_message")]
    assert len(set(users)) == 2
    assert not any(word in user for user in users for word in ("one", "other", "Ann"))


def test_a_message_stays_its_writers(concierge: Callable[[], Conversation], model: ModelServer) -> None:
    """A retry uses the memory of the message's author; an edited message belongs to its editor."""
    session, ann = concierge(), {"name": "Ann", "cookie": ONE}
    remember(session, model, ann, "likes", "cats")
    seq = say(session, "What do I like?", ann)["seq"]
    with session.stream(after=session.get().json["last_seq"]) as stream:
        session.post("retry", {})
        again = stream.until("user_message")
        stream.until("turn_completed")
        assert known(model) == "likes: cats"
        session.post("edit", {"seq": again["seq"], "text": "And I?", "name": "Bob"})
        edited = stream.until("user_message")
        stream.until("turn_completed")
        assert known(model) == "nothing"
        body = {"seq": edited["seq"], "text": "Who am I?", "name": "Ann"}
        session.client.ask("POST", f"{session.path}/edit", body, {"Cookie": ONE})
        stream.until("turn_completed")
    assert known(model) == "likes: cats"
    assert seq < again["seq"]


def test_a_message_stays_its_writers_after_a_restart(serve: Serve, model: ModelServer) -> None:
    """Queued and retried messages keep their author across a restart, and the notes are kept too."""
    ann, bob = {"name": "Ann", "cookie": ONE}, {"name": "Bob"}
    first = serve(model=model)
    session = RestClient(first).new_session(agent="concierge")
    remember(session, model, ann, "likes", "cats")
    remember(session, model, bob, "likes", "dogs")
    gate = threading.Event()
    model.script(Reply("Late", gate=gate))
    running = session.post("messages", {"text": "first", "name": "Bob"})
    model.wait_for(lambda counts: counts.active == 1)
    waiting = session.client.ask("POST", f"{session.path}/messages", {"text": "second", "name": "Ann"}, {"Cookie": ONE})
    assert (running.status, waiting.json["status"]) == (202, "queued")
    first.close()
    gate.set()
    second = serve(model=model)
    session = Conversation(RestClient(second), session.id)
    with session.stream(after=waiting.json["seq"]) as stream:
        while stream.until("turn_completed")["turn"] != waiting.json["turn"]:
            pass
        assert known(model) == "likes: cats"
        assert known_of(session, model, bob) == "likes: dogs"
        say(session, "And I?", ann)
        session.post("retry", {})
        while stream.until("rewind")["content"]["turns"] != [waiting.json["turn"] + 2]:
            pass
        stream.until("turn_completed")
    assert known(model) == "likes: cats"
    assert notes(session.client, ann) == {"likes": "cats"}


def test_a_tool_that_was_left_behind(keeper: Running, model: ModelServer) -> None:
    """A tool call left running belongs to the author of its message, whoever writes next."""
    rest = RestClient(keeper)
    session, ann, bob = rest.new_session(agent="keeper"), {"name": "Ann"}, {"name": "Bob"}
    remember(session, model, bob, "likes", "dogs")
    model.script(Reply(tools=[("remember_late", {"key": "likes", "value": "cats"})]))
    with session.stream() as stream:
        session.post("messages", {"text": "Remember", **ann})
        stream.until("execute_function")
        stream.until("execute_function")
        agent_file: Any = sys.modules["agents.keeper"]
        assert agent_file.has_begun.wait(PATIENCE)
        session.post("stop", {})
        while stream.until("turn_completed")["turn"] != 2:
            pass
    gate = threading.Event()
    model.script(Reply("I am Bob's.", gate=gate))
    session.post("messages", {"text": "Hello", **bob})
    model.wait_for(lambda counts: counts.active == 1)
    agent_file.gate.set()
    assert agent_file.has_tried.wait(PATIENCE)
    gate.set()

    assert notes(rest, bob) == {"likes": "dogs"}
    assert notes(rest, ann) == {"likes": "cats{}"}


def test_messages_from_before_there_was_a_memory(serve: Serve, model: ModelServer, tmp_path: Path) -> None:
    """Logs of older versions don't name a message's owner, so new notes stay in that session."""
    first = serve(model=model)
    sessions = [RestClient(first).new_session(agent="concierge") for _ in range(2)]
    for session in sessions:
        session.ask("Hello", name="Ann")
    first.close()
    with sqlite3.connect(tmp_path / "data" / "agentchat.db") as db:
        db.execute("UPDATE events SET body = json_remove(body, '$.user') WHERE type = 'user_message'")
    db.close()
    rest = RestClient(serve(model=model))
    seen = len(model.requests)
    model.script(Reply(tools=[("remember", {"key": "likes", "value": "cats"})]), Reply("Yes."), Reply("Yes."))
    for session in (Conversation(rest, session.id) for session in sessions):
        with session.stream(after=session.get().json["last_seq"]) as stream:
            session.post("retry", {})
            stream.until("turn_completed")

    assert [known(model, place) for place in range(seen, len(model.requests))] == ["nothing", "likes: cats", "nothing"]


# Lifetime


def test_notes_outlive_the_server_and_the_session(serve: Serve, model: ModelServer) -> None:
    """Notes outlive the server and the session; they are kept until their owner erases them."""
    first = serve(model=model)
    session = RestClient(first).new_session(agent="concierge")
    remember(session, model, {"name": "Ann"}, "name", "Ann")
    assert session.client.ask("DELETE", session.path).status == 204
    first.close()
    rest = RestClient(serve(model=model))

    assert notes(rest, {"name": "Ann"}) == {"name": "Ann"}
    assert known_of(rest.new_session(agent="concierge"), model, {"name": "Ann"}) == "name: Ann"
    assert rest.get(SESSIONS).json["sessions"][0]["messages"] == 1


def test_the_agent_forgets(keeper: Running, model: ModelServer) -> None:
    """The agent can forget one note of the person it talks to, and says so when there is none."""
    session = RestClient(keeper).new_session(agent="keeper")
    for who, value in (({"name": "Ann"}, "cats"), ({"name": "Bob"}, "dogs")):
        remember(session, model, who, "likes", value)
    model.script(
        Reply(tools=[("forget", {"key": " likes "}), ("forget", {"key": "likes"}), ("recall", {})]), Reply(".")
    )
    turn = say(session, "Forget it", {"name": "Ann"})

    results = told(turn)
    assert results == ["Forgotten:  likes .", "Nothing was remembered as likes.", "{}"]
    assert notes(session.client, {"name": "Bob"}) == {"likes": "dogs"}


# Erasure


KEYS = ["plain", "with space", "a/b", "/", "100%", "%2F", "?x=1&y#z", "Größe 漢 🌦", "..", "a+b", '"quoted"', "a;b"]


def test_each_note_is_seen_and_erased(
    concierge: Callable[[], Conversation], model: ModelServer, rest: RestClient
) -> None:
    """A note is read and erased by its key, whatever characters it contains; the others stay."""
    ann, session = {"name": "Ann B/C", "cookie": ONE}, concierge()
    model.script(Reply(tools=[("remember", {"key": key, "value": f"of {key}"}) for key in KEYS]), Reply("All."))
    say(session, "Remember", ann)
    listed = memory(rest, ann)

    assert listed.headers["Cache-Control"] == "no-store"
    assert {note["key"]: note["value"] for note in listed.json["notes"]} == {key: f"of {key}" for key in KEYS}
    assert all(set(note) == {"key", "value", "updated"} for note in listed.json["notes"])
    left = sorted(KEYS)
    for key in KEYS:
        assert memory(rest, {"name": "Ann B/C"}, "DELETE", key).code == "not_found"
        assert memory(rest, ann, "DELETE", key).status == 204
        left.remove(key)
        assert sorted(notes(rest, ann)) == left
        assert memory(rest, ann, "DELETE", key).code == "not_found"


def test_all_of_it_is_erased(concierge: Callable[[], Conversation], model: ModelServer, rest: RestClient) -> None:
    """Erasing all notes affects one person only; the agent knows nothing in the next turn, and can start over."""
    session, ann, bob = concierge(), {"name": "Ann"}, {"name": "Bob"}
    for who in (ann, bob):
        for key in ("one", "two"):
            remember(session, model, who, key, who["name"])

    assert memory(rest, ann, "DELETE").status == 204
    assert memory(rest, ann, "DELETE").status == 204
    assert (notes(rest, ann), notes(rest, bob)) == ({}, {"one": "Bob", "two": "Bob"})
    assert known_of(session, model, ann) == "nothing"
    remember(session, model, ann, "one", "again")
    assert notes(rest, ann) == {"one": "again"}


def test_a_note_is_corrected(rest: RestClient) -> None:
    """People write and correct notes about themselves, within the limits of all notes."""
    for value in ("Oslo", "Bergen"):
        answer = rest.ask("PUT", f"{MEMORY}/city", {"value": value, "name": "Corrector"})
        assert (answer.status, answer.json["key"], answer.json["value"]) == (200, "city", value)
    for key, value in (("city", ""), ("city", "x" * (VALUE_CHARS + 1)), ("x" * (KEY_CHARS + 1), "x")):
        answer = rest.ask("PUT", f"{MEMORY}/{key}", {"value": value, "name": "Corrector"})
        assert (answer.status, answer.code) == (400, "note_unusable")
    assert rest.ask("PUT", f"{MEMORY}/city", {"value": "Oslo"}).code == "bad_request"
    noted = rest.get(MEMORY, name="Corrector").json["notes"]
    assert [(note["key"], note["value"]) for note in noted] == [("city", "Bergen")]
    assert rest.get(MEMORY, name="Other").json["notes"] == []


def test_whose_memory_has_to_be_said(rest: RestClient) -> None:
    """REST requires an owner: outside a session, there is no memory without a browser or a name."""
    for who in ({}, {"name": "user"}, {"name": " \n "}):
        for method, key in (("GET", ""), ("DELETE", ""), ("DELETE", "likes")):
            answer = memory(rest, who, method, key)
            assert (answer.status, answer.code) == (400, "bad_request")
    assert memory(rest, {"name": "x" * 101}).code == "bad_request"
    assert rest.ask("POST", MEMORY).code == "method_not_allowed"


# Limits


def test_what_cannot_be_remembered(concierge: Callable[[], Conversation], model: ModelServer, rest: RestClient) -> None:
    """The model is told when a note exceeds a limit, and goes on; notes at the limits are accepted."""
    tries = [
        ("k" * KEY_CHARS, "v" * VALUE_CHARS), ("k" * (KEY_CHARS + 1), "v"), ("k", "v" * (VALUE_CHARS + 1)), ("", "v"),
        (" \n", "v"), ("k", " "), ("lone \ud800", "\ud800"),
    ]  # fmt: skip
    model.script(Reply(tools=[("remember", {"key": key, "value": value}) for key, value in tries]), Reply("Some."))
    turn = say(concierge(), "Remember", {"name": "Ann"})

    results = told(turn)
    assert ["cannot be remembered: a key has 1 to 100" in result for result in results] == [False, *[True] * 5, False]
    assert turn["summary"] == "Some."
    assert notes(rest, {"name": "Ann"}) == {"k" * KEY_CHARS: "v" * VALUE_CHARS, "lone \ufffd": "\ufffd"}


def test_a_memory_has_room_for_so_many_notes(keeper: Running, model: ModelServer) -> None:
    """A full memory accepts no new notes, but can replace one, and forgetting one makes room."""
    session, ann = RestClient(keeper).new_session(agent="keeper"), {"name": "Ann"}
    tools = [("remember", {"key": f"{number:03}", "value": "v"}) for number in range(MAX_NOTES + 1)]
    model.script(Reply(tools=tools, split_arguments=0), Reply("Full."))
    turn = say(session, "Remember", ann)
    results = told(turn)

    assert len(notes(session.client, ann)) == MAX_NOTES
    assert f"there are {MAX_NOTES} notes already" in results[-1]
    remember(session, model, ann, "000", "new")
    assert notes(session.client, ann)["000"] == "new"
    assert memory(session.client, ann, "DELETE", "001").status == 204
    remember(session, model, ann, "another", "v")
    assert len(notes(session.client, ann)) == MAX_NOTES
