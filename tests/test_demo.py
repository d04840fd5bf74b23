"""The offline demo model, reached in the same way as a real one."""

from __future__ import annotations

import json
from typing import Any

import pytest

from agentchat.models.demo import rules as demo_rules
from agentchat.models.demo.rules import Tool
from tests.clients import ChatClient, Frame, contents, types
from tests.conftest import Serve

pytestmark = pytest.mark.all_agents

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
    """The demo model calls a fitting tool, with the subject of the question as its argument."""
    said, call = demo_rules.answer([{"role": "user", "content": text}], [SUM, WEATHER])

    assert said == ""
    assert call is not None
    assert (call["function"]["name"], call["function"]["arguments"]) == ("weather_forecast", f'{{"city": "{city}"}}')


def test_it_does_not_read_the_names_of_attached_files() -> None:
    """Lines about files are nothing that was asked."""
    asked = "Weather in Oslo?\n\n[Attached file: Weather in Rome.png (image/png, 70 bytes)]"
    _, call = demo_rules.answer([{"role": "user", "content": asked}], [WEATHER])
    assert call is not None
    assert call["function"]["arguments"] == '{"city": "Oslo"}'


def test_arguments_have_the_types_the_tool_wants() -> None:
    """Arguments have the types the tool expects; numbers are taken from the question in order."""
    _, call = demo_rules.answer([{"role": "user", "content": "add the numbers 2 and 3.5"}], [SUM, WEATHER])

    assert call is not None
    assert call["function"]["arguments"] == '{"a": 2, "b": 3.5, "exact": true}'


@pytest.mark.parametrize("text", ["hello", "", "🌦", "what can you do?"])
def test_it_says_what_it_is(text: str) -> None:
    """It says that it is a demo, so that nobody takes it for a language model."""
    said, call = demo_rules.answer([{"role": "user", "content": text}], [WEATHER])

    assert call is None
    assert "offline demo model" in said


def test_a_conversation_with_it(serve: Serve) -> None:
    """In a conversation, it calls the tool, streams, counts tokens and remembers."""
    server = serve("demo")
    with ChatClient(server.websocket) as client:
        client.confirmed()
        frames = client.ask("What is the weather in Oslo?")
        assert types(frames)[-3:] == ["stream", "text", "turn_completed"]
        assert contents(frames, "turn_completed")[0]["usage"]["prompt_tokens"] > 0
        answer = contents(client.ask("What did I write before?"), "turn_completed")[0]["summary"]
        assert "What is the weather in Oslo?" in answer


@pytest.mark.own_server  # its model is changed
def test_it_answers_without_streaming(serve: Serve) -> None:
    """It also answers without streaming, which agents may switch off for a call."""
    server = serve("demo")
    config = server.models.llm_config
    config.config_list[0].stream = False
    with ChatClient(server.websocket) as client:
        frames = client.ask("What is the weather in Oslo?")
    assert "Mock forecast for Oslo" in contents(frames, "turn_completed")[0]["summary"]


def test_the_agent_that_asks(serve: Serve) -> None:
    """A new user without a key can try a question and a tool that waits for approval."""
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


def tool(name: str, description: str = "", required: list[str] | None = None, **properties: dict[str, Any]) -> Tool:
    parameters = {"type": "object", "properties": properties, "required": required or []}
    return {"name": name, "description": description, "parameters": parameters}


TEXT = {"type": "string"}
WRITE = tool("write_document", "Write a document.", ["path", "content"], path=TEXT, content=TEXT)
READ = tool("read_document", "Read a document.", ["path"], path=TEXT)
SEARCH = tool("search_knowledge", "Search.", ["query"], query=TEXT, match_count={"type": "integer"})
DONE = tool("complete_task", "Complete a task.", ["task_id"], task_id={"type": "integer"})
REMEMBER = tool("remember", "Remember something.", ["key", "value"], key=TEXT, value=TEXT)
HUMAN = tool("hand_to_human", "Ask for a human.", ["reason"], reason=TEXT)
ALL = [WRITE, READ, SEARCH, DONE, REMEMBER, HUMAN, WEATHER]


def called(text: str, *tools: Tool) -> tuple[str, dict[str, Any]] | None:
    _, call = demo_rules.answer([{"role": "user", "content": text}], list(tools) or ALL)
    return (call["function"]["name"], json.loads(call["function"]["arguments"])) if call else None


@pytest.mark.parametrize(
    ("text", "name", "arguments"),
    [
        ("Who was Ibn Sina?", "search_knowledge", {"query": "Who was Ibn Sina?"}),
        ("What is the weather in Oslo?", "weather_forecast", {"city": "Oslo"}),
        ("Read welcome.md", "read_document", {"path": "welcome.md"}),
        ("Change welcome.md: shorter", "read_document", {"path": "welcome.md"}),
        ("The second task is done", "complete_task", {"task_id": 2}),
        ("I have done 3", "complete_task", {"task_id": 3}),
        ("Call me Ann", "remember", {"key": "name", "value": "Ann"}),
        ("Remember that I like tea.", "remember", {"key": "likes", "value": "tea"}),
        ("Remember that my dog is called Rex", "remember", {"key": "dog", "value": "called Rex"}),
        ("I want to talk to a human!", "hand_to_human", {"reason": "I want to talk to a human!"}),
    ],
)
def test_what_it_does_when_asked(text: str, name: str, arguments: dict[str, Any]) -> None:
    """The tool is chosen by the task, its arguments by their names; optional ones are left out."""
    assert called(text) == (name, arguments)


def test_it_names_what_it_writes() -> None:
    """A document is named after the request, and says who wrote it."""
    written = called("Write a note about Lisbon")
    assert written is not None
    assert (written[0], written[1]["path"]) == ("write_document", "note-lisbon.md")
    assert "# Note about Lisbon" in written[1]["content"]
    assert "offline demo model" in written[1]["content"]
    program = called('Write a "hello" program')
    assert program is not None
    compile(program[1]["content"], program[1]["path"], "exec")


def test_arguments_of_any_schema() -> None:
    """Arguments fit any schema: nested objects, references, enums and lists, as MCP servers use them."""
    plant = tool(
        "plant",
        "Plant trees.",
        ["trees", "by"],
        trees={"type": "array", "items": {"$ref": "#/$defs/Tree"}},
        by={"anyOf": [{"type": "null"}, {"type": "string"}]},
        depth={"type": "number"},
    )
    unit = {"enum": ["m", "feet"], "type": "string"}
    tree = {
        "type": "object",
        "properties": {"height": {"type": "number"}, "unit": unit},
        "required": ["height", "unit"],
    }
    plant["parameters"]["$defs"] = {"Tree": tree}
    assert called("Plant trees of 20 feet for Ann", plant) == (
        "plant",
        {"trees": [{"height": 20.0, "unit": "feet"}], "by": "Ann"},
    )


@pytest.mark.parametrize(("last", "next"), [("Planner", "Coder"), ("Coder", "Planner"), ("user", "Planner")])
def test_who_speaks_next(last: str, next: str) -> None:
    """Asked for the next speaker, it gives a valid name other than the last one's."""
    rules = "The following roles are available: …\nThen select the next role from ['Planner', 'Coder'] to play."
    messages = [{"role": "system", "content": rules}, {"role": "user", "name": last, "content": "Hello"}]
    assert demo_rules.answer(messages, []) == (next, None)


def test_it_does_not_go_on_for_ever() -> None:
    """It never loops, whatever tools return."""
    create = tool("create_task", "Create a task.", ["title"], title=TEXT)
    messages: list[dict[str, Any]] = [{"role": "user", "content": "Plan a party"}]
    for _ in range(20):
        _, call = demo_rules.answer(messages, [create])
        if call is None:
            return
        messages.append({"role": "assistant", "content": None, "tool_calls": [call]})
        messages.append({"role": "tool", "tool_call_id": call["id"], "content": "no number here"})
    raise AssertionError("still calling")


def calls(frames: list[Frame]) -> list[str]:
    return [call["function"]["name"] for content in contents(frames, "tool_call") for call in content["tool_calls"]]


def summary(frames: list[Frame]) -> str:
    return str(contents(frames, "turn_completed")[-1]["summary"])


def test_the_agent_that_plans(serve: Serve) -> None:
    """The planning agent creates several dependent tasks and completes one."""
    with ChatClient(serve("demo").websocket, agent="tasks") as client:
        frames = client.ask("Plan a birthday party for ten people")
        assert [task["depends_on"] for task in contents(frames, "task_created")] == [[], [1], [1], [2, 3]]
        assert "4 tasks" in summary(frames)
        assert "[open]" in summary(client.ask("What is left to do?"))
        assert contents(client.ask("I have done the first"), "task_updated")[0]["status"] == "done"


def test_the_agent_that_writes(serve: Serve) -> None:
    """The writing agent writes a document, and reads it before revising it."""
    with ChatClient(serve("demo").websocket, agent="documents") as client:
        written = client.ask("Write welcome.md, a short letter to new colleagues")
        assert [(file["path"], file["kind"]) for file in contents(written, "file_changed")] == [
            ("welcome.md", "created")
        ]
        revised = client.ask("Revise welcome.md: friendlier")
        assert calls(revised) == ["read_document", "write_document"]
        assert "friendlier" in summary(client.ask("Read welcome.md"))


def test_the_team_that_writes_code(serve: Serve) -> None:
    """In the coding team, one agent plans, the other writes, and the turn ends."""
    with ChatClient(serve("demo").websocket, agent="coding_team") as client:
        frames = client.ask("Write hello.py, which greets whoever is named")
        assert [text["sender"] for text in contents(frames, "text")] == ["user", "Planner", "Coder", "Planner"]
        assert calls(frames) == ["write_file"]
        assert calls(client.ask("List the files of the project")) == ["list_files"]


def test_the_agent_that_hands_over(serve: Serve) -> None:
    """The concierge hands over to a specialist, to the agent that remembers, and to a human."""
    with ChatClient(serve("demo").websocket, agent="concierge") as client:
        frames = client.ask("What is the weather in Oslo?")
        assert calls(frames) == ["hand_over", "weather_forecast"]
        assert "Mock forecast for Oslo" in summary(frames)
        assert calls(client.ask("Call me Ann")) == ["hand_over", "remember"]
        assert calls(client.ask("I would like to talk to a human")) == ["hand_to_human"]


def test_the_agent_that_looks_things_up(serve: Serve) -> None:
    """The knowledge agent searches for the whole question and answers with what it found."""
    with ChatClient(serve("demo").websocket, agent="knowledge") as client:
        frames = client.ask("How does a program resume a conversation?")
        assert calls(frames) == ["search_knowledge"]
        assert contents(frames, "executed_function")[0]["is_exec_success"]
        assert "conversation" in summary(frames)
