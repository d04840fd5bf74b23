"""The concierge hands over to the right specialist or to a human, and the log records it."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.clients import ChatClient, contents, types
from tests.conftest import Serve
from tests.model_server import ModelServer, Reply

pytestmark = pytest.mark.all_agents


def hand_over(to: str, reason: str = "") -> Reply:
    return Reply(tools=[("hand_over", {"to": to, "reason": reason})])


@pytest.fixture
def client(serve: Serve, model: ModelServer) -> Iterator[ChatClient]:
    with ChatClient(serve(model=model).websocket, agent="concierge") as client:
        client.confirmed()
        yield client


def test_the_right_specialist_answers(client: ChatClient, model: ModelServer) -> None:
    """The right specialist answers in its own name with its own tools; the hand-off says from whom, to whom and why."""
    forecast = Reply(tools=[("weather_forecast", {"city": "Oslo"})])
    model.script(hand_over("weather", "wants a forecast"), forecast, Reply("It is sunny."))
    frames = client.ask("What is the weather in Oslo?")

    [handoff] = contents(frames, "handoff")
    assert (handoff["from"], handoff["to"], handoff["reason"]) == ("concierge", "weather", "wants a forecast")
    assert handoff["kind"] == "agents"
    [answer] = [text for text in contents(frames, "text") if text["sender"] != "user"]
    assert (answer["sender"], answer["content"]) == ("weather", "It is sunny.")
    assert {chunk["sender"] for chunk in contents(frames, "stream")} == {"weather"}
    assert contents(frames, "executed_function")[0]["content"] == "weather has taken over: wants a forecast"


def test_the_specialist_goes_on(client: ChatClient, model: ModelServer) -> None:
    """The specialist answers the next message too, without another choice."""
    model.script(hand_over("weather"), Reply("Sunny."), Reply("Windy."))
    client.ask("Weather in Oslo?")
    frames = client.ask("And in Bergen?")

    assert [text["sender"] for text in contents(frames, "text")] == ["user", "weather"]
    assert len(model.requests) == 3


def test_the_specialist_goes_on_after_a_restart(serve: Serve, model: ModelServer) -> None:
    """The specialist goes on after a restart, where AG2's own patterns would start with the concierge."""
    first = serve(model=model)
    model.script(hand_over("weather"), Reply("Sunny."), Reply("Windy."))
    with ChatClient(first.websocket, agent="concierge") as client:
        session = client.confirmed()["session_id"]
        seen = client.ask("Weather in Oslo?")[-1]["seq"]
    first.close()
    with ChatClient(serve(model=model).websocket, session=session, after=seen) as client:
        frames = client.ask("And in Bergen?")

    assert [text["sender"] for text in contents(frames, "text")][-1] == "weather"
    assert "Sunny." in [message["content"] for message in model.requests[-1]["body"]["messages"]]


def test_a_circle_of_hand_overs_ends(client: ChatClient, model: ModelServer) -> None:
    """Circular hand-offs end early with an explanation, and the next message is answered."""
    model.script(*[hand_over("weather"), hand_over("travel")] * 5)
    frames = client.ask("What is the weather in Oslo?")

    assert contents(frames, "error")[0]["code"] == "handoff_circle"
    assert contents(frames, "turn_completed")[0]["status"] == "failed"
    assert len(model.requests) <= 10
    assert contents(client.ask("Hello?"), "turn_completed")[0]["status"] == "completed"


def test_nobody_of_that_name(client: ChatClient, model: ModelServer) -> None:
    """A hand-off to an unknown name is reported to the model, which can choose again."""
    model.script(hand_over("gardener"), Reply("I cannot help with that."))
    frames = client.ask("My roses are ill.")

    assert contents(frames, "handoff") == []
    assert contents(frames, "turn_completed")[0]["summary"] == "I cannot help with that."


def test_a_human_is_asked_for(client: ChatClient, model: ModelServer) -> None:
    """When a human is asked for, the model learns that nobody is there and says so; then the agents are silent."""
    model.script(Reply(tools=[("hand_to_human", {"reason": "is upset"})]), Reply("Nobody is there yet."))
    frames = client.ask("I want to talk to a human!")
    told = model.requests[1]["body"]["messages"][-1]["content"]
    silence = client.ask("Hello?")

    assert contents(frames, "handoff")[0] | {"uuid": ""} == {
        "uuid": "",
        "from": "concierge",
        "to": "human",
        "reason": "is upset",
        "kind": "wanted",
    }
    assert "Nobody is there right now" in told
    assert types(silence) == ["user_message", "turn_started", "turn_completed"]
    assert len(model.requests) == 2


def test_a_question_behind_a_hand_over_survives_a_restart(serve: Serve, model: ModelServer) -> None:
    """A question after a hand-off survives a restart: the specialist gets the answer and goes on."""
    first = serve(model=model)
    model.script(hand_over("travel"), Reply(tools=[("book_train", {"city": "Lisbon"})]), Reply("Booked."))
    with ChatClient(first.websocket, agent="concierge") as client:
        session = client.confirmed()["session_id"]
        client.say("To Lisbon, please")
        asked = client.until("input_request")
    first.close()
    with ChatClient(serve(model=model).websocket, session=session, after=asked["seq"]) as client:
        assert [request["agent"] for request in client.confirmed()["open_requests"]] == ["travel"]
        client.command("input_response", request_id=asked["content"]["request_id"], text="Friday")
        end = client.until("turn_completed")["content"]

    assert (end["status"], end["summary"]) == ("completed", "Booked.")
    assert contents(client.log, "executed_function")[0]["content"] == "Mock booking: a train to Lisbon on Friday."
    assert len(model.requests) == 3
