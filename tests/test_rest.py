"""Sessions, messages, questions and events over REST."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from agentchat.app import Running
from tests.clients import PATIENCE, ChatClient, types
from tests.conftest import Serve
from tests.model_server import ModelServer, Reply
from tests.rest_client import SESSIONS, Conversation, RestClient

QUESTION = "What is the weather in Oslo?"
SUMMARY = {"id", "session_id", "agent", "title", "created", "updated", "last_seq", "status", "messages", "held"}


@pytest.fixture
def asking(serve: Serve, model: ModelServer) -> Conversation:
    """Return a session whose agents ask before each tool call."""
    return RestClient(serve("--approve", "all", model=model)).new_session()


def until_asked(session: Conversation, text: str = QUESTION) -> Any:
    """Send a message and return the question that the agents ask before they answer."""
    answer = session.post("messages", {"text": text}, wait=PATIENCE)
    assert (answer.status, answer.json["status"]) == (202, "waiting")
    return session.log[-1]["content"]


# Sessions


def test_create_and_read_a_session(rest: RestClient) -> None:
    """The Location header leads to the session that was returned."""
    made = rest.post(SESSIONS, {"agent": "weather", "title": " Plans "})
    read = rest.get(made.headers["Location"])

    assert (made.status, read.status) == (201, 200)
    assert set(read.json) == SUMMARY | {"open_requests", "ahead", "queue", "participants", "progress", "epoch"}
    assert read.json == made.json
    assert (read.json["agent"], read.json["title"], read.json["status"]) == ("weather", "Plans", "idle")


def test_create_a_session_without_a_body(rest: RestClient) -> None:
    """A session created without a body gets the default agent, and its title from the first message."""
    session = Conversation(rest, rest.post(SESSIONS).json["id"])
    session.ask("Shall I take an umbrella?")

    assert session.get().json["agent"] == "weather"
    assert session.get().json["title"] == "Shall I take an umbrella?"
    assert session.get().json["messages"] == 1


def test_unknown_agent(rest: RestClient) -> None:
    """No session is created for an unknown agent."""
    answer = rest.post(SESSIONS, {"agent": "nobody"})

    assert (answer.status, answer.code) == (404, "agent_unknown")
    assert rest.get(SESSIONS).json["sessions"] == []


def test_rename(session: Conversation) -> None:
    """Renaming is logged with the new title and the name of the person who chose it."""
    answer = session.client.ask("PATCH", session.path, {"title": "Trip to Oslo", "name": "Ada"})

    assert (answer.status, answer.json["title"]) == (200, "Trip to Oslo")
    [event] = session.log
    assert (event["type"], event["content"]["title"], event["content"]["name"]) == (
        "session_renamed", "Trip to Oslo", "Ada",
    )  # fmt: skip


def test_pages_of_sessions(rest: RestClient) -> None:
    """Pages list every session once, newest first."""
    made = [rest.new_session(title=f"number {number}").id for number in range(5)]
    seen: list[str] = []
    query: dict[str, object] = {"limit": 2}
    while True:
        page = rest.get(SESSIONS, **query).json
        assert all(set(entry) == SUMMARY for entry in page["sessions"])
        seen += [entry["id"] for entry in page["sessions"]]
        if page["next"] is None:
            break
        query["before"] = page["next"]

    assert sorted(seen) == sorted(made)
    updated = [entry["updated"] for entry in rest.get(SESSIONS).json["sessions"]]
    assert updated == sorted(updated, reverse=True)


def test_search(rest: RestClient, model: ModelServer) -> None:
    """Search finds words in titles, messages and answers, with their positions."""
    model.script(Reply("A zeppelin is an airship."))
    first, second = rest.new_session(), rest.new_session(title="About zeppelins")
    first.ask("What is that?")
    found = {entry["id"]: entry["found"] for entry in rest.get(SESSIONS, q="zeppelin").json["sessions"]}

    assert set(found) == {first.id, second.id}
    assert found[second.id] == [{"seq": 0, "text": "About zeppelins"}]
    [place] = found[first.id]
    assert "zeppelin" in place["text"]
    assert first.log[place["seq"] - 1]["content"]["content"] == "A zeppelin is an airship."
    assert rest.get(SESSIONS, q="submarine").json == {"sessions": [], "next": None}


def test_delete_a_session_with_a_running_turn(server: Running, rest: RestClient, model: ModelServer) -> None:
    """Deleting a session ends its running turn, its streams and its WebSockets."""
    gate = threading.Event()
    model.script(Reply("never", gate=gate))
    session = rest.new_session()
    with session.stream() as stream, ChatClient(server.websocket, session=session.id) as client:
        client.until("connection_confirmed")
        session.post("messages", {"text": "hello"})
        stream.until("turn_started")

        assert session.client.ask("DELETE", session.path).status == 204
        *_, last = list(stream.messages())
        assert (last.id, last.frame["type"], last.frame["content"]["code"]) == ("", "error", "session_deleted")
        assert client.close_code() == 1008
    gate.set()
    assert session.get().code == "session_unknown"
    assert session.client.ask("DELETE", session.path).code == "session_unknown"
    assert rest.get(SESSIONS).json["sessions"] == []


def test_waiting_ends_when_the_session_is_deleted(session: Conversation, model: ModelServer) -> None:
    """A client waiting for an answer gets the error `session_deleted`."""
    gate = threading.Event()
    model.script(Reply("never", gate=gate))
    with ThreadPoolExecutor(1) as pool, session.stream() as stream:
        waiting = pool.submit(session.post, "messages", {"text": "hello"}, wait=PATIENCE)
        stream.until("turn_started")
        session.client.ask("DELETE", session.path)

        assert (waiting.result().status, waiting.result().code) == (410, "session_deleted")
    gate.set()


# Messages


def test_accepted_messages_are_in_the_log(session: Conversation) -> None:
    """An accepted message is in the log with the id, name and context of the request."""
    body = {"text": "hello", "id": "m1", "name": "Ada", "context": {"page": 7}}
    answer = session.post("messages", body)

    assert answer.status == 202
    assert set(answer.json) == {"seq", "id", "session_id", "turn", "status"}
    assert (answer.json["seq"], answer.json["id"], answer.json["turn"]) == (1, "m1", 1)
    content = session.log[0]["content"]
    assert {name: content[name] for name in body} == body


def test_wait_for_the_answer(session: Conversation) -> None:
    """`wait` returns the finished turn with all its events."""
    turn = session.ask(QUESTION)

    about = {"seq", "id", "session_id", "turn", "status", "error", "events"}
    about |= {"summary", "notice", "usage", "code_changes", "duration_ms"}
    assert set(turn) == about
    assert (turn["status"], turn["error"]) == ("completed", None)
    assert turn["summary"].startswith("The tool says: Mock forecast for Oslo")
    assert turn["events"] == session.log
    assert types(turn["events"])[-1] == "turn_completed"


def test_wait_for_a_later_turn(session: Conversation, model: ModelServer) -> None:
    """`wait` returns the events of its own turn, though others lie between."""
    gate = threading.Event()
    model.script(Reply("one", gate=gate), Reply("two"))
    session.post("messages", {"text": "first"})
    with ThreadPoolExecutor(1) as pool, session.stream() as stream:
        waiting = pool.submit(session.post, "messages", {"text": "second"}, wait=PATIENCE)
        while stream.until("user_message")["content"]["text"] != "second":
            continue
        gate.set()
        turn = waiting.result().json

    assert turn["summary"] == "two"
    assert {event["turn"] for event in turn["events"]} == {2}


def test_wait_times_out(session: Conversation, model: ModelServer) -> None:
    """When `wait` times out, the turn's status is returned, and the turn goes on."""
    gate = threading.Event()
    model.script(Reply("at last", gate=gate))
    answer = session.post("messages", {"text": "hello", "id": "m1"}, wait=1)

    assert (answer.status, answer.json["status"]) == (202, "running")
    gate.set()
    assert session.ask("hello", id="m1")["summary"] == "at last"


def test_failed_turn(session: Conversation, model: ModelServer) -> None:
    """A failed turn is a 200 that holds its error, since the message was accepted."""
    model.script(Reply(status=401))
    turn = session.ask("hello")

    assert turn["status"] == "failed"
    assert turn["error"]["code"] == "model_auth"
    assert set(turn["error"]) == {"code", "message", "retryable"}


@pytest.mark.parametrize("way", ["header", "body", "both"])
def test_resent_messages_count_once(session: Conversation, way: str) -> None:
    """A resent message counts once: all requests with its id get the same answer, even in parallel."""
    body = {"text": "hello"} | ({"id": "m1"} if way == "body" else {"id": "other"} if way == "both" else {})
    headers = {} if way == "body" else {"Idempotency-Key": "m1"}

    def send(_: int) -> Any:
        return session.client.ask("POST", f"{session.path}/messages?wait={PATIENCE}", body, headers).json

    with ThreadPoolExecutor(4) as pool:
        first, *others = pool.map(send, range(4))

    assert others == [first, first, first]
    assert first["id"] == "m1"
    assert types(session.log).count("user_message") == 1


def test_busy_sessions_refuse_messages_on_request(session: Conversation, model: ModelServer) -> None:
    """A message refused with `busy` is not in the log."""
    gate = threading.Event()
    model.script(Reply("one", gate=gate))
    session.post("messages", {"text": "first", "id": "m1"})
    answer = session.post("messages", {"text": "second", "busy": "reject"})
    gate.set()
    session.ask("first", id="m1")

    assert (answer.status, answer.code) == (409, "busy")
    assert types(session.log).count("user_message") == 1


# Questions


def test_answer_a_question(asking: Conversation) -> None:
    """`wait` returns at the question; the turn goes on after the answer."""
    request = until_asked(asking)
    assert request["tool"]["name"] == "weather_forecast"
    with asking.stream(after=asking.get().json["last_seq"]) as stream:
        answer = asking.post("input", {"request_id": request["request_id"], "text": "approve", "name": "Ada"})
        assert answer.status == 200
        assert asking.log[answer.json["seq"] - 1]["content"]["name"] == "Ada"
        assert stream.until("turn_completed")["content"]["summary"].startswith("The tool says: Mock forecast for Oslo")


def test_answer_with_other_arguments(asking: Conversation) -> None:
    """An answer can replace the tool's arguments."""
    request = until_asked(asking)
    with asking.stream() as stream:
        body = {"request_id": request["request_id"], "text": "edit", "arguments": {"city": "Bergen"}}
        assert asking.post("input", body).status == 200
        assert "Bergen" in stream.until("executed_function")["content"]["content"]
        stream.until("turn_completed")


def test_refused_answers(asking: Conversation) -> None:
    """Unknown, unusable and late answers have different errors."""
    request = until_asked(asking)
    answer = {"request_id": request["request_id"], "text": "approve"}

    assert asking.post("input", {**answer, "request_id": "x"}).code == "request_unknown"
    assert asking.post("input", {**answer, "text": "perhaps"}).code == "answer_unusable"
    assert asking.post("input", answer).status == 200
    second = asking.post("input", answer)
    assert (second.status, second.code) == (409, "already_answered")


def test_answered_questions_do_not_end_the_wait(asking: Conversation) -> None:
    """Only an open question ends `wait` early."""
    body = {"text": QUESTION, "id": "m1"}
    asking.post("messages", body, wait=PATIENCE)
    request = asking.log[-1]["content"]
    asking.post("input", {"request_id": request["request_id"], "text": "deny"})
    answer = asking.post("messages", body, wait=PATIENCE)

    assert (answer.status, answer.json["status"]) == (200, "completed")


# Turns


def test_stop(session: Conversation, model: ModelServer) -> None:
    """A stop returns the turn being stopped, or null."""
    assert session.post("stop", {}).json == {"turn": None}
    model.script(Reply("never", gate=threading.Event()))
    with session.stream() as stream:
        session.post("messages", {"text": "hello"})
        stream.until("turn_started")
        assert session.post("stop", {"turn": 7}).json == {"turn": None}
        answer = session.post("stop")

        assert (answer.status, answer.json) == (202, {"turn": 1})
        assert stream.until("turn_completed")["content"]["status"] == "stopped"


def test_retry(session: Conversation, model: ModelServer) -> None:
    """A retry answers the message again in a new turn."""
    assert session.post("retry").code == "nothing_to_retry"
    model.script(Reply("one"), Reply("two"))
    session.ask("hello")
    with session.stream(after=session.get().json["last_seq"]) as stream:
        answer = session.post("retry", {})

        assert (answer.status, answer.json["turn"]) == (202, 2)
        assert stream.until("turn_completed")["content"]["summary"] == "two"
        assert types(stream.log)[:2] == ["rewind", "user_message"]
        assert stream.log[1]["seq"] == answer.json["seq"]


def test_wait_for_a_turn_that_was_retried(session: Conversation, model: ModelServer) -> None:
    """Waiting for a retried turn ends with its `turn_completed`, not with the `rewind` after it."""
    model.script(Reply("one"), Reply("two"))
    session.ask("hello", id="m1")
    session.ask("hello", id=session.post("retry").json["id"])

    assert session.ask("hello", id="m1")["summary"] == "one"


def test_edit(session: Conversation, model: ModelServer) -> None:
    """After an edit, the new text is answered instead of the old one."""
    model.script(Reply("one"), Reply("two"))
    session.ask("helo")
    answer = session.post("edit", {"seq": 1, "text": "hello", "name": "Ada"})

    assert (answer.status, answer.json["turn"]) == (202, 2)
    assert session.log[answer.json["seq"] - 1]["content"]["text"] == "hello"
    assert session.post("edit", {"seq": 2, "text": "hello"}).code == "message_unknown"


def test_feedback(session: Conversation) -> None:
    """Feedback on an answer is an event of the log."""
    answer = session.ask(QUESTION)["events"][-2]["seq"]
    given = session.post("feedback", {"seq": answer, "score": 1, "comment": "Well done", "name": "Ann"})

    assert (given.status, set(given.json)) == (200, {"seq"})
    event = session.log[given.json["seq"] - 1]
    assert event["type"] == "feedback"
    content = {"seq": answer, "score": 1, "comment": "Well done", "name": "Ann"}
    assert event["content"].items() >= content.items()


def test_refused_feedback(session: Conversation) -> None:
    """Only answers can be rated, with one of three scores and a comment of limited length."""
    session.ask(QUESTION)
    for seq in (0, 1, 99):
        refused = session.post("feedback", {"seq": seq, "score": 1})
        assert (refused.status, refused.code) == (404, "answer_unknown")
    for body in ({"score": 2}, {"score": True}, {"score": 0.5}, {}, {"score": 1, "comment": "x" * 2001}):
        assert session.post("feedback", {"seq": 1, **body}).code == "bad_request"
    assert "feedback" not in types(session.log)


def test_typing(session: Conversation) -> None:
    """Typing is shown to others but not logged."""
    with session.stream() as stream:
        stream.receive()
        assert session.post("typing", {"is_typing": True, "name": "Ada"}).status == 204
        assert stream.until("typing")["content"] == {"name": "Ada", "is_typing": True}
    assert session.log == []


# Events


def test_pages_of_events(session: Conversation) -> None:
    """Pages hold every event once, in order, up to `last_seq`."""
    session.ask(QUESTION)
    whole = session.get("/events").json
    seen: list[Any] = []
    while len(seen) < whole["last_seq"]:
        page = session.get("/events", after=len(seen), limit=2).json
        assert 0 < len(page["events"]) <= 2
        seen += page["events"]

    assert seen == whole["events"]
    epoch = session.get().json["epoch"]
    at_the_end = {"events": [], "last_seq": 9, "epoch": epoch, "recovered": True}
    assert session.get("/events", after=9).json == session.get("/events", after=9, epoch=epoch).json == at_the_end
    assert session.get("/events", after=99).json == {**at_the_end, "events": whole["events"], "recovered": False}


def test_pages_are_limited_in_size(session: Conversation, monkeypatch: pytest.MonkeyPatch) -> None:
    """A single response never holds a whole long log."""
    monkeypatch.setattr("agentchat.http.events.MAX_PAGE", 1000)
    session.ask("long " * 1000)

    assert len(session.get("/events").json["events"]) == 1
    assert session.get("/events", after=1).json["events"][0]["seq"] == 2


def test_many_sessions_at_once(rest: RestClient) -> None:
    """Several clients at once each get their own answer."""

    def talk(number: int) -> str:
        session = rest.new_session()
        return str(session.ask(f"echo {number}")["events"][0]["content"]["text"])

    with ThreadPoolExecutor(8) as pool:
        assert list(pool.map(talk, range(8))) == [f"echo {number}" for number in range(8)]


def test_a_turn_that_was_rewound_is_still_an_answer(session: Conversation, model: ModelServer) -> None:
    """A request that waits for a turn gets it to its end, also if it no longer counts."""
    ask = {"text": "hello", "id": "m1"}
    first = session.post("messages", ask, wait=PATIENCE).json
    retried = session.post("retry").json["turn"]
    again = session.post("messages", ask, wait=PATIENCE)

    assert (again.status, again.json) == (200, first)
    assert [event["type"] for event in again.json["events"]][-1] == "turn_completed"
    session.post("messages", {"text": "now", "id": "m2"}, wait=PATIENCE)
    assert session.post("messages", {"text": "now", "id": "m2"}, wait=PATIENCE).json["turn"] == retried + 1


def test_waiting_for_a_turn_while_it_is_rewound(session: Conversation, model: ModelServer) -> None:
    """A turn that is rewound while somebody waits for it ends for them as stopped."""
    model.script(Reply("never", gate=threading.Event()))
    ask = {"text": "hello", "id": "m1"}
    with ThreadPoolExecutor(1) as pool:
        waiting = pool.submit(session.post, "messages", ask, wait=PATIENCE)
        model.wait_for(lambda counts: counts.active == 1)
        assert session.post("retry").status == 202
        answer = waiting.result()

    assert (answer.status, answer.json["status"]) == (200, "stopped")
    assert "rewind" in [event["type"] for event in answer.json["events"]]
    assert session.post("messages", ask, wait=PATIENCE).json == answer.json
