"""The desk: which conversations wait for a human, who is there, and how held conversations end."""

from __future__ import annotations

from pathlib import Path

import pytest

from agentchat.app import Running
from tests.clients import ChatClient, contents, wait_until
from tests.conftest import Serve
from tests.model_server import ModelServer, Reply
from tests.operators import (
    DESK,
    WANTED,
    asked,
    database,
    desk,
    hand_back,
    held,
    reply,
    seat,
    take,
    wanted,
)
from tests.rest_client import SESSIONS, Conversation, EventStream, RestClient

pytestmark = pytest.mark.all_agents

# The desk


def test_who_waits_is_at_the_desk(concierge: Conversation, rest: RestClient, model: ModelServer) -> None:
    """A waiting conversation is at the desk, with what an operator needs to choose, until the agent has it again."""
    assert rest.get(DESK).json == {"operators": [], "conversations": []}
    wanted(concierge, model)
    row = {"id": concierge.id, "title": "A human!", "agent": "concierge", "person": "Ada", "last": "A human!"}

    assert desk(rest) == [{**row, "state": "waiting", "operator": "", "reason": "is upset"}]
    assert rest.get(SESSIONS).json["sessions"][0]["held"] == "waiting"
    take(concierge)
    concierge.ask("At last", name="Bob")
    row |= {"person": "Bob", "last": "At last"}
    assert desk(rest) == [{**row, "state": "taken", "operator": "Ann", "reason": "is upset"}]
    assert rest.get(SESSIONS).json["sessions"][0]["held"] == "taken"
    hand_back(concierge)
    assert desk(rest) == []
    assert rest.get(SESSIONS).json["sessions"][0]["held"] is None


def test_who_waits_longest_comes_first(rest: RestClient, model: ModelServer) -> None:
    """The longest-waiting conversation comes first; those already taken come last."""
    sessions = [rest.new_session(agent="concierge") for _ in range(4)]
    for session in sessions:
        wanted(session, model)
    take(sessions[0])

    assert [row["id"] for row in desk(rest)] == [session.id for session in (*sessions[1:], sessions[0])]


def test_the_person_is_known_however_much_the_agents_did(
    concierge: Conversation, rest: RestClient, model: ModelServer
) -> None:
    """The person's last message is shown at the desk, however much was said and done since."""
    calls = [("weather_forecast", {"city": "Oslo"})] * 15
    hand_over = Reply(tools=[("hand_over", {"to": "weather", "reason": "asked"})])
    model.script(hand_over, Reply(tools=calls), *WANTED)
    assert len(concierge.ask("Look at them all", name="Ada")["events"]) > 50
    take(concierge)
    for number in range(60):
        reply(concierge, f"Still looking {number}")

    assert [(row["person"], row["last"]) for row in desk(rest)] == [("Ada", "Look at them all")]


def test_the_desk_is_told_of_what_changes(
    concierge: Conversation, server: Running, rest: RestClient, model: ModelServer
) -> None:
    """The desk's event stream reports changes at once; operators are listed in order of arrival."""
    with seat(server, " Ann\t"), seat(server, "Bob") as bob:
        bob.until(lambda desk: desk == {"operators": ["Ann", "Bob"], "conversations": []})
        wanted(concierge, model)
        [row] = bob.until(lambda desk: desk["conversations"])["conversations"]
        assert (row["state"], row["id"]) == ("waiting", concierge.id)
        take(concierge, "Bob")
        bob.until(lambda desk: desk["conversations"][0]["operator"] == "Bob")
        concierge.ask("Hello?")
        bob.until(lambda desk: desk["conversations"][0]["last"] == "Hello?")
        concierge.client.ask("PATCH", concierge.path, {"title": "Urgent"})
        bob.until(lambda desk: desk["conversations"][0]["title"] == "Urgent")
        hand_back(concierge, name="Bob")
        bob.until(lambda desk: not desk["conversations"])


def test_who_is_gone_is_not_there(server: Running, rest: RestClient) -> None:
    """An operator leaves when their last stream ends, whether closed or cut."""
    with seat(server, "Bob") as bob:
        with seat(server, "Ann"), EventStream(rest.netloc, f"{DESK}?name=Ann") as second:
            bob.until(lambda desk: desk["operators"] == ["Bob", "Ann"])
            second.cut()
            assert rest.get(DESK).json["operators"] == ["Bob", "Ann"]
        bob.until(lambda desk: desk["operators"] == ["Bob"])
        with EventStream(rest.netloc, f"{DESK}?name=Eve") as eve:
            bob.until(lambda desk: desk["operators"] == ["Bob", "Eve"])
            eve.cut()
            bob.until(lambda desk: desk["operators"] == ["Bob"])
    wait_until(lambda: rest.get(DESK).json["operators"] == [])


def test_a_desk_ends_with_the_server(serve: Serve, model: ModelServer) -> None:
    """The desk's stream ends with the server instead of hanging."""
    server = serve(model=model)
    with seat(server, "Ann") as ann:
        ann.until(lambda desk: desk["operators"] == ["Ann"])
        server.close()
        with pytest.raises(AssertionError, match="has ended"):
            ann.until(lambda desk: False)


def test_the_person_sees_whether_somebody_is_there(
    concierge: Conversation, person: ChatClient, server: Running, model: ModelServer
) -> None:
    """The person is told whether operators are there, when asking and at each change; the agent is told, too."""
    with seat(server, "Ann") as ann:
        ann.until(lambda desk: desk["operators"])
        model.script(*WANTED)
        person.say("A human!")
        person.until("operators", lambda content: content == {"there": 1})
        person.until("turn_completed")
        assert any("will answer in this conversation" in text for text in asked(model))
        assert concierge.get().json["held"]["operators"] == 1
        with seat(server, "Bob") as bob:
            bob.until(lambda desk: True)
            person.until("operators", lambda content: content == {"there": 2})
        person.until("operators", lambda content: content == {"there": 1})
    person.until("operators", lambda content: content == {"there": 0})
    assert concierge.get().json["held"] | {"since": ""} == {
        "state": "waiting", "operator": "", "reason": "is upset", "since": "", "operators": 0,
    }  # fmt: skip


def test_nobody_is_told_of_others(
    concierge: Conversation, person: ChatClient, rest: RestClient, model: ModelServer
) -> None:
    """The number of operators is sent to a conversation when it starts to wait, not whenever another one does."""
    for _ in range(2):
        wanted(concierge, model)
        person.until("operators")
        other = rest.new_session(agent="concierge")
        wanted(other, model)
        take(other)
        concierge.ask("Hello?")
        hand_back(concierge)
        person.until("handoff", lambda content: content["kind"] == "returned")
        concierge.ask("Hello!")
        person.until("turn_completed", lambda content: content["summary"] != "")

    assert len(contents(person.frames, "operators")) == 2


# Ends of held conversations


def test_a_deleted_conversation_leaves_the_desk(
    concierge: Conversation, operator: ChatClient, server: Running, rest: RestClient, model: ModelServer
) -> None:
    """A deleted conversation leaves the desk; all operators see it, and its holder is told."""
    wanted(concierge, model)
    with seat(server, "Bob") as bob:
        bob.until(lambda desk: desk["conversations"])
        take(concierge)
        rest.ask("DELETE", concierge.path)
        bob.until(lambda desk: not desk["conversations"])
    assert operator.close_code() == 1008
    assert concierge.post("reply", {"text": "Hello", "name": "Ann"}).code == "session_unknown"


def test_an_expired_conversation_leaves_the_desk(serve: Serve, model: ModelServer, tmp_path: Path) -> None:
    """An expired conversation leaves the desk once nobody uses it."""
    first = serve(model=model)
    sessions = [RestClient(first).new_session(agent="concierge") for _ in range(2)]
    for session in sessions:
        wanted(session, model)
    first.close()
    with database(tmp_path) as db:
        for session, updated in zip(sessions, ("2026-01-01", "2999-01-01"), strict=True):
            db.execute("UPDATE sessions SET updated = ? WHERE id = ?", (f"{updated}T00:00:00.000Z", session.id))
    rest = RestClient(serve("--session-ttl-hours", "0.00001", model=model))

    wait_until(lambda: [row["id"] for row in desk(rest)] == [sessions[1].id])
    assert Conversation(rest, sessions[0].id).post("take", {}).code == "session_unknown"


@pytest.mark.parametrize("restarts", [True, False])
def test_restarts_change_nothing(serve: Serve, model: ModelServer, restarts: bool) -> None:
    """A restart keeps waiting conversations waiting and held ones held; the agents know everything at the end."""
    server = serve(model=model)
    session = RestClient(server).new_session(agent="concierge")

    def again() -> None:
        nonlocal server, session
        if restarts:
            server.close()
            server = serve(model=model)
        session = Conversation(RestClient(server), session.id)

    wanted(session, model)
    since = session.get().json["held"]["since"]
    again()
    assert [row["state"] for row in desk(session.client)] == ["waiting"]
    assert session.ask("Hello?", name="Ada")["summary"] == ""
    again()
    take(session)
    again()
    assert (held(session), session.get().json["held"]["since"]) == (("taken", "Ann"), since)
    assert session.post("take", {"name": "Bob"}).code == "taken"
    seq = reply(session, "Here I am", id="m")
    again()
    assert reply(session, "Here I am", id="m") == seq
    assert session.ask("Good", name="Ada")["turn"] == 4
    again()
    hand_back(session, "solved")
    again()
    assert (held(session), desk(session.client)) == (None, [])
    model.script(Reply("Welcome back."))
    assert session.ask("Thank you", name="Ada")["turn"] == 6

    assert asked(model)[-6:] == [
        "Somebody will come.", "Hello?", "[Ann, a human, answered here:] Here I am", "Good",
        "[Ann, a human, has handed the conversation back to you. You answer again. Note: solved]", "Thank you",
    ]  # fmt: skip


def test_a_message_is_kept_when_the_server_is_killed(serve: Serve, model: ModelServer, tmp_path: Path) -> None:
    """An operator's message survives a kill between the start and end of its turn; the agents know it afterwards."""
    first = serve(model=model)
    session = RestClient(first).new_session(agent="concierge")
    take(session)
    with database(tmp_path) as db:
        db.execute(
            "CREATE TRIGGER no_end BEFORE INSERT ON events WHEN new.type = 'turn_completed'"
            " BEGIN SELECT raise(ABORT, 'no room'); END"
        )
    with session.stream() as stream:
        session.post("messages", {"text": "Hello?"})
        stream.until("turn_started")
    first.close()
    with database(tmp_path) as db:
        db.execute("DROP TRIGGER no_end")
    session = Conversation(RestClient(serve(model=model)), session.id)

    assert held(session) == ("taken", "Ann")
    assert session.log[-1]["content"]["status"] == "stopped"
    hand_back(session)
    session.ask("Go on")
    assert asked(model)[0] == "Hello?"
