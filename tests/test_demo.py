"""The offline demo model, over the same road as a real one."""

from __future__ import annotations

import pytest

from agentchat import demo
from tests.clients import ChatClient, contents, types
from tests.conftest import Serve

WEATHER = {
    "name": "weather_forecast",
    "description": "Weather forecast for a city, umbrella or not.",
    "parameters": {"properties": {"city": {"type": "string"}}, "required": ["city"]},
}
SUM = {
    "name": "add_numbers",
    "description": "Adds.",
    "parameters": {"properties": {"a": {"type": "integer"}, "b": {"type": "number"}, "exact": {"type": "boolean"}}},
}


@pytest.mark.parametrize(
    ("text", "city"),
    [
        ("What is the weather in Oslo?", "Oslo"),
        ("what's the weather in oslo", "oslo"),
        ("Forecast for Buenos Aires, please", "Buenos Aires"),
        ('weather at "the end of the world"', "the end of the world"),
        ("Is the weather nice? I mean Bergen", "Bergen"),
        ("Weather in Ålesund?", "Ålesund"),
    ],
)
def test_it_calls_a_tool_that_fits(text: str, city: str) -> None:
    """With what the question is about as its argument."""
    said, call = demo.answer([{"role": "user", "content": text}], [SUM, WEATHER])

    assert said == ""
    assert call is not None
    assert (call["function"]["name"], call["function"]["arguments"]) == ("weather_forecast", f'{{"city": "{city}"}}')


def test_arguments_have_the_types_the_tool_wants() -> None:
    """Numbers are taken from the question, in order."""
    _, call = demo.answer([{"role": "user", "content": "add the numbers 2 and 3.5"}], [SUM, WEATHER])

    assert call is not None
    assert call["function"]["arguments"] == '{"a": 2, "b": 3.5, "exact": true}'


@pytest.mark.parametrize("text", ["hello", "", "🌦", "what can you do?"])
def test_it_says_what_it_is(text: str) -> None:
    """Nobody should take it for a language model."""
    said, call = demo.answer([{"role": "user", "content": text}], [WEATHER])

    assert call is None
    assert "offline demo model" in said


def test_a_conversation_with_it(serve: Serve) -> None:
    """It calls the tool, streams, counts tokens and remembers."""
    server = serve("demo")
    with ChatClient(server.websocket) as client:
        client.confirmed()
        frames = client.ask("What is the weather in Oslo?")
        assert types(frames)[-3:] == ["stream", "text", "turn_completed"]
        assert contents(frames, "turn_completed")[0]["usage"]["prompt_tokens"] > 0
        answer = contents(client.ask("What did I write before?"), "turn_completed")[0]["summary"]
        assert "What is the weather in Oslo?" in answer


def test_it_answers_without_streaming(serve: Serve) -> None:
    """Agents may switch streaming off for a call of their own."""
    server = serve("demo")
    config = server.models.llm_config
    config.config_list[0].stream = False
    with ChatClient(server.websocket) as client:
        frames = client.ask("What is the weather in Oslo?")
    assert "Mock forecast for Oslo" in contents(frames, "turn_completed")[0]["summary"]


def test_the_agent_that_asks(serve: Serve) -> None:
    """What a new user can try without a key: a question, and a tool that waits for a yes."""
    server = serve("demo")
    with ChatClient(server.websocket, agent="travel") as client:
        client.say("Book a train to Lisbon")
        assert client.until("input_request")["content"]["prompt"] == "On which day do you want to go to Lisbon?"
        client.say("Monday")
        assert "Lisbon on Monday" in client.until("turn_completed")["content"]["summary"]
        client.say("Cancel my train to Lisbon")
        assert client.until("input_request")["content"]["tool"]["name"] == "cancel_train"
        client.say("no")
        client.until("turn_completed", turn=2)

    assert [content["is_exec_success"] for content in contents(client.log, "executed_function")] == [True, False]
