"""The concierge hands over to the right specialist or to a human, and the log records it."""

from __future__ import annotations

from typing import Any

import pytest

from agentchat.testing import Call, ScriptedModel, Talk, call, talk
from tests.clients import ChatClient, contents
from tests.conftest import AGENTS, Serve
from tests.model_server import ModelServer, Reply


def hand_over(to: str, reason: str = "") -> Call:
    return call("hand_over", to=to, reason=reason)


def ask(message: str, *script: Any) -> Talk:
    return talk(AGENTS / "concierge.py", message, model=ScriptedModel(*script))


def test_the_right_specialist_answers() -> None:
    """The right specialist answers in its own name with its own tools; the hand-off says from whom, to whom and why."""
    forecast = call("weather_forecast", city="Oslo")
    chat = ask("What is the weather in Oslo?", hand_over("weather", "wants a forecast"), forecast, "It is sunny.")

    [handoff] = chat.contents("handoff")
    assert (handoff["from"], handoff["to"], handoff["reason"]) == ("concierge", "weather", "wants a forecast")
    assert handoff["kind"] == "agents"
    [answer] = [text for text in chat.contents("text") if text["sender"] != "user"]
    assert (answer["sender"], answer["content"]) == ("weather", "It is sunny.")
    assert {chunk["sender"] for chunk in chat.contents("stream")} == {"weather"}
    assert [tool.name for tool in chat.tools] == ["hand_over", "weather_forecast"]
    assert chat.tools[0].result == "weather has taken over: wants a forecast"


@pytest.mark.parametrize("is_restarted", [False, True])
def test_the_specialist_goes_on(is_restarted: bool) -> None:
    """The specialist answers the next message too, without another choice.

    After a restart as well, where AG2's own patterns would start with the concierge.
    """
    chat = ask("Weather in Oslo?", hand_over("weather"), "Sunny.", "Windy.")
    if is_restarted:
        chat.restart()
    turn = chat.say("And in Bergen?")

    assert [text["sender"] for text in turn.contents("text")] == ["user", "weather"]
    assert len(chat.model.requests) == 3
    assert "Sunny." in [message["content"] for message in chat.model.requests[-1].messages]


def test_a_circle_of_hand_overs_ends() -> None:
    """Circular hand-offs end early with an explanation, and the next message is answered."""
    circle = [hand_over("weather"), hand_over("travel")] * 5
    answers = iter(circle)
    chat = ask("What is the weather in Oslo?", lambda request: "Hello." if request.text == "Hello?" else next(answers))

    assert chat.error is not None
    assert (chat.error.code, chat.status) == ("handoff_circle", "failed")
    assert len(chat.model.requests) <= 10
    assert chat.say("Hello?").status == "completed"


def test_nobody_of_that_name() -> None:
    """A hand-off to an unknown name is reported to the model, which can choose again."""
    chat = ask("My roses are ill.", hand_over("gardener"), "I cannot help with that.")

    assert chat.contents("handoff") == []
    assert chat.answer == "I cannot help with that."


def test_a_human_is_asked_for() -> None:
    """When a human is asked for, the model learns that nobody is there and says so; then the agents are silent."""
    chat = ask("I want to talk to a human!", call("hand_to_human", reason="is upset"), "Nobody is there yet.")
    silence = chat.say("Hello?")

    assert chat.contents("handoff")[0] | {"uuid": ""} == {
        "uuid": "",
        "from": "concierge",
        "to": "human",
        "reason": "is upset",
        "kind": "wanted",
    }
    assert "Nobody is there right now" in chat.model.requests[1].text
    assert [event.type for event in silence.events] == ["user_message", "turn_started", "turn_completed"]
    assert len(chat.model.requests) == 2


# Over the wire


@pytest.mark.all_agents
def test_a_question_behind_a_hand_over_survives_a_restart(serve: Serve, model: ModelServer) -> None:
    """A question after a hand-off survives a restart: the specialist gets the answer and goes on."""
    first = serve(model=model)
    leave = Reply(tools=[("hand_over", {"to": "travel", "reason": ""})])
    model.script(leave, Reply(tools=[("book_train", {"city": "Lisbon"})]), Reply("Booked."))
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
