"""Humans in the agents' place: asking, taking, answering and handing back, without loss."""

from __future__ import annotations

import threading
from pathlib import Path

import pytest

from tests.agent_files import write_all
from tests.clients import PATIENCE, ChatClient, contents
from tests.conftest import Serve
from tests.model_server import ModelServer, Reply
from tests.operators import (
    WANTED,
    asked,
    code,
    hand_back,
    held,
    reply,
    said,
    take,
    wanted,
    written,
)
from tests.rest_client import Conversation, RestClient

pytestmark = pytest.mark.all_agents

# A conversation from the request to the end


def test_a_human_comes_and_goes(
    concierge: Conversation, person: ChatClient, operator: ChatClient, model: ModelServer
) -> None:
    """A human takes a conversation and hands it back.

    Everything reaches all readers in one order, and the team knows it afterwards.
    """
    with concierge.stream() as stream:
        wanted(concierge, model)
        operator.command("take")
        taken = person.until("handoff", lambda content: content["kind"] == "taken")
        operator.say("I am Ann. What is wrong?")
        heard = person.until("text", lambda content: content.get("operator"))
        person.ask("My train is late")
        operator.command("message", text="I shall book another", id="m1")
        operator.command("message", text="I shall book another", id="m1")
        person.until("text", lambda content: content["message_id"] == "m1")
        seq = reply(concierge, "Done", id="m2")
        assert reply(concierge, "Done", id="m2") == seq
        person.ask("Thank you")
        operator.command("hand_back", note="has a new ticket")
        back = person.until("handoff", lambda content: content["kind"] == "returned")
        model.script(Reply("It leaves at nine."))
        person.ask("When does it leave?")
        while stream.until("turn_completed")["content"]["summary"] != "It leaves at nine.":
            pass

    assert (taken["turn"], taken["content"] | {"uuid": ""}) == (
        0, {"uuid": "", "from": "human", "to": "Ann", "reason": "", "kind": "taken"},
    )  # fmt: skip
    assert (heard["turn"], heard["content"] | {"uuid": "", "message_id": ""}) == (
        2,
        {"uuid": "", "content": "I am Ann. What is wrong?", "sender": "Ann", "recipient": "user", "message_id": "",
         "operator": True},
    )  # fmt: skip
    assert (back["turn"], back["content"] | {"uuid": ""}) == (
        7, {"uuid": "", "from": "Ann", "to": "concierge", "reason": "has a new ticket", "kind": "returned"},
    )  # fmt: skip
    assert said(concierge) == [
        ("Ada", "A human!"), ("concierge", "Somebody will come."), ("Ann", "I am Ann. What is wrong?"),
        ("Ada", "My train is late"), ("Ann", "I shall book another"), ("Ann", "Done"), ("Ada", "Thank you"),
        ("Ada", "When does it leave?"), ("concierge", "It leaves at nine."),
    ]  # fmt: skip
    assert stream.log == concierge.log
    told = asked(model)
    assert told[0] == "A human!"
    assert told[-8:] == [
        "Somebody will come.", "[Ann, a human, answered here:] I am Ann. What is wrong?", "My train is late",
        "[Ann, a human, answered here:] I shall book another", "[Ann, a human, answered here:] Done", "Thank you",
        "[Ann, a human, has handed the conversation back to you. You answer again. Note: has a new ticket]",
        "When does it leave?",
    ]  # fmt: skip
    assert len(model.requests) == 3


def test_a_pair_of_agents_knows_what_was_said(session: Conversation, model: ModelServer) -> None:
    """A pair of agents gets the operator's messages in every later turn; the operator may step in unasked."""
    session.ask("Hello")
    take(session)
    session.ask("Who is there?")
    reply(session, "Ann")
    hand_back(session, "was nice")
    for question in ("And now?", "And then?"):
        session.ask(question)
        assert asked(model)[:6] == [
            "Hello", "You said: Hello", "Who is there?", "[Ann, a human, answered here:] Ann",
            "[Ann, a human, has handed the conversation back to you. You answer again. Note: was nice]", "And now?",
        ]  # fmt: skip
    roles = [message["role"] for message in model.requests[-1]["body"]["messages"]]
    assert roles == ["system", "user", "assistant", "user", "assistant", "user", "user", "assistant", "user"]


@pytest.mark.parametrize("agent", ["weather", "concierge"])
def test_a_human_may_come_before_any_agent(rest: RestClient, model: ModelServer, agent: str) -> None:
    """An operator may take an empty conversation; afterwards the agents start as if it were theirs."""
    session = rest.new_session(agent=agent)
    take(session)
    session.ask("Hello")
    reply(session, "Hello, this is Ann")
    hand_back(session)
    model.script(Reply("I am a machine."))
    turn = session.ask("And who are you?")

    assert (turn["status"], turn["summary"]) == ("completed", "I am a machine.")
    assert asked(model) == [
        "Hello", "[Ann, a human, answered here:] Hello, this is Ann",
        "[Ann, a human, has handed the conversation back to you. You answer again.]", "And who are you?",
    ]  # fmt: skip


def test_a_team_that_was_stopped_before_anybody_spoke(
    concierge: Conversation, person: ChatClient, model: ModelServer
) -> None:
    """A team that was stopped before anybody spoke begins with its first agent."""
    gate = threading.Event()
    model.script(Reply("Late", gate=gate), Reply("In time"))
    person.say("Hello")
    model.wait_for(lambda counts: counts.active == 1)
    person.command("stop")
    person.until("turn_completed")
    gate.set()

    assert concierge.ask("Hello?")["summary"] == "In time"
    assert asked(model)[0] == "Hello"


def test_several_humans_one_after_another(concierge: Conversation, model: ModelServer) -> None:
    """One operator hands back, the next one takes over, and the agents know who said what."""
    for name in ("Ann", "Bob"):
        wanted(concierge, model)
        take(concierge, name)
        reply(concierge, f"This is {name}", name)
        hand_back(concierge, name=name)
    concierge.ask("Who was here?")

    assert [text for text in asked(model) if "answered here" in text] == [
        "[Ann, a human, answered here:] This is Ann", "[Bob, a human, answered here:] This is Bob",
    ]  # fmt: skip
    assert held(concierge) is None


def test_the_person_waits_no_longer(concierge: Conversation, person: ChatClient, model: ModelServer) -> None:
    """A person who asked for a human may go back to the agents, which know that nobody came."""
    wanted(concierge, model)
    concierge.ask("Is nobody there?")
    person.command("hand_back")
    back = person.until("handoff", lambda content: content["kind"] == "returned")
    model.script(Reply("Here I am."))
    frames = person.ask("Then you")

    assert (back["content"]["from"], back["content"]["to"], back["content"]["reason"]) == ("Ada", "concierge", "")
    assert contents(frames, "turn_completed")[-1]["summary"] == "Here I am."
    assert asked(model)[-3:] == ["Is nobody there?", "[Nobody came. You answer again.]", "Then you"]


# While something else is happening


def test_messages_that_waited(concierge: Conversation, person: ChatClient, model: ModelServer) -> None:
    """When an agent asks for a human, queued messages are left for the human to answer."""
    gate = threading.Event()
    model.script(Reply(tools=WANTED[0].tools, gate=gate), WANTED[1])
    person.say("A human!")
    person.until("turn_started")
    for text in ("one", "two"):
        person.say(text)
        written(person, text)
    gate.set()
    person.until("turn_completed", turn=3)

    assert [content["agent"] for content in contents(person.log, "turn_started")] == ["concierge", "human", "human"]
    assert len(model.requests) == 2
    take(concierge)
    reply(concierge, "Hello")
    hand_back(concierge)
    concierge.ask("Go on")
    assert asked(model)[-5:-2] == ["one", "two", "[Ann, a human, answered here:] Hello"]


def test_taken_while_the_agents_speak(
    concierge: Conversation, person: ChatClient, operator: ChatClient, model: ModelServer
) -> None:
    """Taking a conversation silences the agents at once; what they said stays, and the queue is the operator's."""
    gate = threading.Event()
    model.script(Reply("I shall tell you a long story", gate_after=(2, gate)))
    person.say("Hello")
    person.until("stream", lambda content: "shall" in content["content"])
    person.say("Are you there?")
    written(person, "Are you there?")
    operator.command("take")
    person.until("turn_completed", turn=2)
    gate.set()
    operator.say("Hello")
    person.until("text", lambda content: content.get("operator"))

    assert [content["status"] for content in contents(person.log, "turn_completed")] == ["stopped", "completed"]
    assert said(concierge) == [
        ("Ada", "Hello"), ("Ada", "Are you there?"), ("concierge", "I shall "), ("Ann", "Hello"),
    ]  # fmt: skip
    hand_back(concierge)
    assert concierge.ask("Go on")["status"] == "completed"
    assert asked(model)[-4:-1] == [
        "Are you there?", "[Ann, a human, answered here:] Hello",
        "[Ann, a human, has handed the conversation back to you. You answer again.]",
    ]  # fmt: skip


def test_taken_while_an_agent_asks(serve: Serve, model: ModelServer, tmp_path: Path) -> None:
    """Taking a conversation closes an agent's question; the person now talks to the operator."""
    server = serve("--agents", write_all(tmp_path), model=model)
    model.script(Reply(tools=[("book", {"city": "Oslo"})]))
    session = RestClient(server).new_session(agent="tools")
    with ChatClient(server.websocket, session=session.id, name="Ada") as person:
        person.say("Book")
        request = person.until("input_request")["content"]["request_id"]
        take(session)
        person.until("turn_completed")
        person.command("input_response", request_id=request, text="Monday")
        assert code(person) == "request_closed"
        person.say("Monday")
        person.until("turn_completed", turn=2)
    hand_back(session)

    assert session.get().json["open_requests"] == []
    assert session.ask("Go on")["status"] == "completed"


def test_taken_after_a_restart_while_an_agent_asks(serve: Serve, model: ModelServer, tmp_path: Path) -> None:
    """A question closed by taking the conversation does not return after a restart."""
    agents = write_all(tmp_path)
    first = serve("--agents", agents, model=model)
    model.script(Reply(tools=[("book", {"city": "Oslo"})]))
    session = RestClient(first).new_session(agent="tools")
    assert session.post("messages", {"text": "Book"}, wait=PATIENCE).json["status"] == "waiting"
    first.close()
    session = Conversation(RestClient(serve("--agents", agents, model=model)), session.id)
    take(session)
    assert session.ask("Are you there?")["status"] == "completed"
    reply(session, "Yes")
    hand_back(session)

    assert session.get().json["open_requests"] == []
    assert session.ask("Go on")["status"] == "completed"
    ends = [event["content"]["status"] for event in session.log if event["type"] == "turn_completed"]
    assert ends == ["stopped", "completed", "completed"]
    assert "Book" in asked(model)


def test_a_note_is_not_lost_behind_what_waited(concierge: Conversation, person: ChatClient, model: ModelServer) -> None:
    """A note is never lost: handed back while the asking turn runs and a message waits, the agents still get it all."""
    gate = threading.Event()
    model.script(WANTED[0], Reply("Somebody will come.", gate=gate), Reply("Two"), Reply("Three"))
    person.say("A human!")
    person.until("handoff")
    person.say("Hello?")
    written(person, "Hello?")
    person.command("hand_back", note="I changed my mind")
    person.until("handoff", lambda content: content["kind"] == "returned")
    gate.set()
    person.until("turn_completed", turn=2)
    concierge.ask("Go on")

    assert "[Nobody came. You answer again. Note: I changed my mind]" in asked(model)
    assert [text for text in asked(model) if text in {"A human!", "Hello?", "Two", "Go on"}] == [
        "A human!", "Hello?", "Two", "Go on",
    ]  # fmt: skip


def test_stop_does_nothing_meanwhile(concierge: Conversation, operator: ChatClient, model: ModelServer) -> None:
    """Stopping does nothing while a human has the conversation, since no turn runs, and the operator keeps it."""
    wanted(concierge, model)
    assert concierge.post("stop", {}).json == {"turn": None}
    operator.command("take")
    operator.until("handoff", lambda content: content["kind"] == "taken")
    operator.command("stop")
    reply(concierge, "Hello")
    assert concierge.post("stop", {"turn": 2}).json == {"turn": None}

    assert held(concierge) == ("taken", "Ann")
    assert concierge.get().json["status"] == "idle"


def test_who_writes_need_not_wait(concierge: Conversation, model: ModelServer) -> None:
    """`?wait=` returns at once with a turn that no agent answers, and so does the one-answer dialect."""
    wanted(concierge, model)
    for number in range(2):
        if number == 1:
            take(concierge)
        turn = concierge.ask(f"Hello {number}")
        assert (turn["status"], turn["summary"], turn["error"]) == ("completed", "", None)
        assert [event["type"] for event in turn["events"]] == ["user_message", "turn_started", "turn_completed"]
        assert turn["usage"]["completion_tokens"] == 0
        answer = concierge.client.post(f"/api/v1/chat/{concierge.id}", {"message": "Hello"})
        assert (answer.status, answer.json["message"]["content"]) == (200, "")
    assert len(model.requests) == 2


def test_a_full_conversation(serve: Serve, model: ModelServer) -> None:
    """In a full conversation, the operator can still explain and hand back.

    Operators' words do not count towards the limit, nor does handing back.
    """
    session = RestClient(serve("--max-messages-per-session", "2", model=model)).new_session(agent="concierge")
    wanted(session, model)
    take(session)
    for text in ("one", "two", "three"):
        reply(session, text)
    session.ask("I see")
    assert session.get().json["messages"] == 2
    answer = session.post("messages", {"text": "Hello?"})
    assert (answer.status, answer.code) == (409, "session_full")
    reply(session, "You cannot write here any more")
    hand_back(session, "full")
    assert session.post("messages", {"text": "Hello?"}).code == "session_full"
    assert held(session) is None


def test_an_exported_conversation_has_all_voices(concierge: Conversation, model: ModelServer) -> None:
    """Every export format has the operator's messages in their place."""
    wanted(concierge, model)
    take(concierge)
    reply(concierge, "I am a human")
    concierge.ask("Good to know")

    for format in ("markdown", "html", "json"):
        text = concierge.get("/export", format=format).body.decode()
        places = [text.index(words) for words in ("A human!", "I am a human", "Good to know")]
        assert places == sorted(places)
        assert "Ann" in text
