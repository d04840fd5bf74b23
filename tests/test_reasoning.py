"""Models' thoughts and the images in their answers are shown, but never sent back to the model."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest

from agentchat import app, settings
from agentchat.app import Running
from tests.agent_files import write_agents
from tests.clients import ChatClient, Frame, contents, types
from tests.conftest import Serve
from tests.model_server import ModelServer, Piece, Reply
from tests.rest_client import RestClient

URL = "data:image/png;base64," + "iVBORw0KGgo" * 20
PICTURE = {"type": "image_url", "image_url": {"url": URL}}
MARKDOWN = f"\n\n![picture]({URL})\n\n"
OSLO = ("weather_forecast", {"city": "Oslo"})


def thought(text: str) -> Mapping[str, str]:
    return {"reasoning_content": text}


def assert_valid(messages: Sequence[Mapping[str, Any]]) -> None:
    """Assert that a model server would accept the history: every call answered once, and all contents text."""
    waiting: list[str] = []
    for message in messages:
        assert not {"reasoning", "reasoning_content", "images"} & set(message)
        if message["role"] == "tool":
            waiting.remove(message["tool_call_id"])
        else:
            assert waiting == [], "a call has no answer"
        if message["role"] != "user":
            assert message.get("content") is None or isinstance(message["content"], str)
        assert "data:image" not in str(message)
        for call in message.get("tool_calls") or ():
            assert isinstance(json.loads(call["function"]["arguments"]), dict)
            waiting.append(call["id"])
        assert len(set(waiting)) == len(waiting)
    assert waiting == []


def said(frames: list[Frame]) -> list[tuple[str, str]]:
    """Return thoughts and answers in order, by type."""
    names = {"reasoning", "text", "tool_call"}
    mine = [f for f in frames if f["type"] in names and f["content"]["sender"] != "user"]
    return [(frame["type"], frame["content"]["content"]) for frame in mine]


def streamed(frames: list[Frame]) -> dict[str, str]:
    """Return the text of each streamed message, assembled by id and offset as a client does."""
    texts: dict[str, str] = {}
    for chunk in contents(frames, "stream"):
        text = texts.get(chunk["message_id"], "")
        assert chunk["offset"] == len(text), "a piece is missing, or comes twice"
        texts[chunk["message_id"]] = text + chunk["content"]
    return texts


STREAMS: dict[str, tuple[Sequence[Piece], list[tuple[str, str]]]] = {
    "before the text": (
        [thought("Let me "), thought("see."), "It is ", "sunny."],
        [("reasoning", "Let me see."), ("text", "It is sunny.")],
    ),
    "the other name": ([{"reasoning": "Hm."}, "Sunny."], [("reasoning", "Hm."), ("text", "Sunny.")]),
    "between the text": (
        [thought("One. "), "It is ", thought("Two. "), "sunny.", thought("Three.")],
        [("reasoning", "One. Two. Three."), ("text", "It is sunny.")],
    ),
    "nothing else": ([thought("I have nothing to say.")], [("reasoning", "I have nothing to say."), ("text", "")]),
    "ends like the word that ends a chat": (
        [thought("I could say TERMINATE"), "No."],
        [("reasoning", "I could say TERMINATE"), ("text", "No.")],
    ),
    "only space": ([thought(" \n"), "Sunny."], [("text", "Sunny.")]),
    "broken text": ([thought("Hm \ud83d"), "Sunny \ud83d."], [("reasoning", "Hm \ufffd"), ("text", "Sunny \ufffd.")]),
}


@pytest.mark.parametrize("stream", [True, False])
@pytest.mark.parametrize("how", STREAMS)
def test_thoughts(serve: Serve, model: ModelServer, how: str, stream: bool) -> None:
    """Thoughts come before the answer and are marked; the streamed pieces and the events agree."""
    pieces, expected = STREAMS[how]
    model.script(Reply(tokens=pieces))
    server = serve(model=model, stream=stream)
    with ChatClient(server.websocket) as client:
        client.confirmed()
        frames = client.ask("Hello")
        client.ask("And now?")

    assert said(frames) == expected
    ids = {f["content"]["message_id"]: f["content"]["content"] for f in frames if f["type"] in {"reasoning", "text"}
           and f["content"]["sender"] != "user"}  # fmt: skip
    for id, text in streamed(frames).items():
        assert ids.get(id, text) == text
    kinds = {chunk.get("kind") for chunk in contents(frames, "stream") if chunk["content"].strip()}
    assert kinds <= {"reasoning", None}
    assert contents(frames, "turn_completed")[0]["summary"] == expected[-1][1]
    assert_valid(model.requests[-1]["body"]["messages"])
    assert expected[0][1] not in str(model.requests[-1]) or expected[0][0] == "text"


def test_thoughts_before_a_tool_call_and_after(client: ChatClient, model: ModelServer) -> None:
    """Each call of a turn has its own thoughts, with an id of their own."""
    model.script(Reply(tokens=[thought("A tool. ")], tools=[OSLO]), Reply(tokens=[thought("Aha."), "Sunny."]))
    frames = client.ask("What is the weather?")

    assert types([f for f in frames if f["type"] in {"reasoning", "tool_call", "text"}]) == [
        "text", "reasoning", "tool_call", "reasoning", "text",
    ]  # fmt: skip
    assert [t["content"] for t in contents(frames, "reasoning")] == ["A tool. ", "Aha."]
    assert len({t["message_id"] for t in contents(frames, "reasoning")}) == 2
    assert {t["sender"] for t in contents(frames, "reasoning")} == {"forecaster"}


def test_how_long_the_thoughts_took(server: Running, client: ChatClient, model: ModelServer) -> None:
    """The event says for how long the model thought, without the answer that follows."""
    thinking = threading.Event()
    model.script(Reply(tokens=[thought("Hm. "), thought("So."), "It is ", "sunny."], gate_after=(1, thinking)))
    client.say("What is the weather?")
    client.until("stream")
    seen = time.monotonic()
    RestClient(server).ask("GET", "/livez", None, {})
    lasted = (time.monotonic() - seen) * 1000  # the model thinks all the while
    thinking.set()
    client.until("turn_completed")
    frames = client.log

    [reasoning], [end] = contents(frames, "reasoning"), contents(frames, "turn_completed")
    assert lasted <= reasoning["duration_ms"] + 1 <= end["duration_ms"] + 1


def test_thoughts_are_not_found(server: Running, client: ChatClient, model: ModelServer) -> None:
    """Search finds messages, not thoughts."""
    model.script(Reply(tokens=[thought("xylophone"), "marimba"]))
    client.ask("Hello")
    rest = RestClient(server)

    assert len(rest.get("/api/agent-chat/sessions", q="marimba").json["sessions"]) == 1
    assert rest.get("/api/agent-chat/sessions", q="xylophone").json["sessions"] == []


@pytest.mark.parametrize("has_text", [False, True])
def test_a_stop_in_mid_thought(client: ChatClient, model: ModelServer, has_text: bool) -> None:
    """A stop in mid-thought keeps the thought so far, marked as partial; the next turn goes on."""
    text = ["It "] if has_text else []
    model.script(
        Reply(tokens=[thought("Let me "), thought("see"), *text, "is"], gate_after=(2 + has_text, threading.Event()))
    )
    client.say("Hello")
    client.until("stream", lambda content: has_text or "see" in content["content"])
    if has_text:
        while "It " not in client.streamed:
            client.receive()
    client.command("stop")
    client.until("turn_completed")
    [reasoning] = contents(client.frames, "reasoning")
    frames = client.ask("And now?")

    assert (reasoning["content"], reasoning["partial"]) == ("Let me see", True)
    assert [end["status"] for end in contents(client.frames, "turn_completed")] == ["stopped", "completed"]
    assert contents(frames, "turn_completed")[0]["summary"] == "You said: And now?"
    messages = model.requests[-1]["body"]["messages"]
    assert "Let me see" not in str(messages)
    assert "[The person stopped this answer.]" in messages[-2]["content"]


@pytest.mark.parametrize("place", [2, 3])
def test_a_reconnect_in_mid_thought(server: Running, client: ChatClient, model: ModelServer, place: int) -> None:
    """Reconnecting while a model thinks or answers shows the thoughts and the answer, once each."""
    gate = threading.Event()
    model.script(Reply(tokens=[thought("Let me "), thought("see."), "It is ", "sunny."], gate_after=(place, gate)))
    client.say("Hello")
    client.until("stream", lambda content: ("see." if place == 2 else "It is ") in content["content"])
    with ChatClient(server.websocket, session=client.frames[0]["content"]["session_id"]) as late:
        late.until("stream")
        gate.set()
        late.until("turn_completed")
    client.until("turn_completed")

    assert sorted(streamed(late.frames).values()) == ["It is sunny.", "Let me see."]
    assert streamed(late.frames) == streamed(client.frames)
    assert late.log == client.log


def test_another_model_takes_over(model: ModelServer) -> None:
    """When another model takes over, the failed one's thoughts don't count."""
    with ModelServer() as second:
        entries = [
            {"model": "scripted", "api_key": "none", "base_url": m.base_url, "max_retries": 0} for m in (model, second)
        ]
        model.script(Reply(tokens=[thought("First. "), "Fir", "st"], error_after=2))
        second.script(Reply(tokens=[thought("Second. "), "Sec", "ond"]))
        chosen = settings.load(["--port", "0", "--ws-port", "0", "--data-dir", "data"], {})
        environment = {"OAI_CONFIG_LIST": json.dumps(entries)}
        with app.serving(chosen, environment) as running, ChatClient(running.websocket) as client:
            client.confirmed()
            frames = client.ask("Hello")

    assert said(frames) == [("reasoning", "Second. "), ("text", "Second")]


PICTURES: dict[str, list[Piece]] = {
    "parts": [{"content": [{"type": "text", "text": "Look: "}, PICTURE]}],
    "beside": ["Look: ", {"images": [PICTURE]}],
    "alone": [{"images": [PICTURE]}],
}


@pytest.mark.parametrize("stream", [True, False])
@pytest.mark.parametrize("how", PICTURES)
def test_a_picture_in_an_answer(serve: Serve, model: ModelServer, how: str, stream: bool) -> None:
    """An image in an answer is shown but not sent back to the model, which couldn't read it; the next turn works."""
    model.script(Reply(tokens=PICTURES[how]))
    with ChatClient(serve(model=model, stream=stream).websocket) as client:
        client.confirmed()
        frames = client.ask("Draw.")
        again = client.ask("And now?")

    [answer] = [t["content"] for t in contents(frames, "text") if t["sender"] != "user"]
    assert answer == ("" if how == "alone" else "Look: ") + MARKDOWN
    assert_valid(model.requests[-1]["body"]["messages"])
    assert "![picture](picture)" in str(model.requests[-1])
    assert contents(again, "turn_completed")[0]["status"] == "completed"


TOOLS = '''
"""Has tools that return all sorts of things."""
from autogen import ConversableAgent, UserProxyAgent, register_function
from autogen.agentchat.group.patterns import DefaultPattern
from autogen.io.base import IOStream

URL = "data:image/png;base64," + "iVBORw0KGgo" * 20

def draw(what: str) -> str:
    """Draw it."""
    return URL

def parts(what: str) -> list:
    """Draw it in parts."""
    return [{"type": "text", "text": what}, {"type": "image_url", "image_url": {"url": URL}}]

def fail(what: str) -> str:
    """Fail."""
    raise ValueError(what)

def ask(what: str) -> str:
    """Ask."""
    return IOStream.get_default().input(what)

TOOLS = (draw, parts, fail, ask)

def build(llm_config, chat):
    agent = ConversableAgent("painter", llm_config=llm_config, human_input_mode="NEVER")
    user = UserProxyAgent("user", human_input_mode="NEVER", code_execution_config=False, default_auto_reply=None)
    for tool in TOOLS:
        register_function(tool, caller=agent, executor=user, description=tool.__name__)
    return user, agent
'''

PATTERN = TOOLS.split("def build")[0] + (
    """def build(llm_config, chat):
    agent = ConversableAgent("painter", llm_config=llm_config, human_input_mode="NEVER", functions=list(TOOLS))
    user = UserProxyAgent("user", human_input_mode="NEVER", code_execution_config=False, default_auto_reply=None)
    pattern = DefaultPattern(initial_agent=agent, agents=[agent], user_agent=user)
    return user, pattern.prepare_group_chat(max_rounds=20, messages="Hello")[8]
"""
)

GROUP = TOOLS.split("def build")[0] + (
    """from autogen import GroupChat, GroupChatManager
def build(llm_config, chat):
    agent = ConversableAgent("painter", llm_config=llm_config, human_input_mode="NEVER")
    hand = ConversableAgent("hand", llm_config=False, human_input_mode="NEVER", default_auto_reply="")
    user = UserProxyAgent("user", human_input_mode="NEVER", code_execution_config=False, default_auto_reply=None)
    for tool in TOOLS:
        register_function(tool, caller=agent, executor=hand, description=tool.__name__)
    def following(last, group):
        if "tool_calls" in group.messages[-1]:
            return hand
        return agent if last in (user, hand) else None
    group = GroupChat([user, agent, hand], messages=[], max_round=10, speaker_selection_method=following)
    return user, GroupChatManager(group, llm_config=False, human_input_mode="NEVER")
"""
)


@pytest.fixture
def painters(serve: Serve, model: ModelServer, tmp_path: Path) -> Running:
    return serve("--agents", write_agents(tmp_path, pair=TOOLS, pattern=PATTERN, team=GROUP), model=model)


CALLS: dict[str, Reply] = {
    "a picture": Reply(tools=[("draw", {"what": "a cat"})]),
    "parts": Reply(tools=[("parts", {"what": "a cat"})]),
    "twice": Reply(tools=[("draw", {"what": "a cat"}), ("draw", {"what": "a dog"})]),
    "one fails": Reply(tools=[("fail", {"what": "No paint."}), ("draw", {"what": "a dog"})]),
    "one unknown": Reply(tools=[("sing", {"what": "a song"}), ("draw", {"what": "a dog"})]),
    "unknown": Reply(tools=[("sing", {"what": "a song"})]),
    "bad arguments": Reply(tools=[("draw", '{"what": '), ("draw", {"what": "a dog"})]),
    "wrong arguments": Reply(tools=[("draw", {"whom": "a cat"}), ("draw", {})]),
    "no object": Reply(tools=[("draw", '["a cat"]')]),
    "null": Reply(tools=[("draw", "null"), ("draw", "")]),
    "same ids": Reply(tools=[("draw", {"what": "a cat"}), ("fail", {"what": "No paint."})], ids=["one", "one"]),
    "no ids": Reply(tools=[("draw", {"what": "a cat"}), ("draw", {"what": "a dog"})], ids=["", ""]),
    "a question, twice": Reply(tools=[("ask", {"what": "Which?"}), ("ask", {"what": "Which?"})]),
}


@pytest.mark.parametrize("agent", ["pair", "pattern", "team"])
@pytest.mark.parametrize("how", CALLS)
def test_calls(painters: Running, model: ModelServer, how: str, agent: str) -> None:
    """Every kind of tool call gets a result, the turn ends, and the next one works."""
    model.script(CALLS[how], Reply("Done."))
    with ChatClient(painters.websocket, agent=agent) as client:
        client.confirmed()
        client.say("Draw.")
        for _ in range(2 if how == "a question, twice" else 0):
            id = client.until("input_request")["content"]["request_id"]
            client.command("input_response", request_id=id, text="This one")
        client.until("turn_completed")
        frames = list(client.frames)
        model.script(Reply("Fine."))
        again = client.ask("And now?")

    [end] = contents(frames, "turn_completed")
    assert (end["status"], end["summary"]) == ("completed", "Done.")
    assert contents(frames, "error") == []
    for request in model.requests[1:]:
        assert_valid(request["body"]["messages"])
    [response] = contents(frames, "tool_response")
    assert len(response["tool_responses"]) == len(CALLS[how].tools)
    assert contents(again, "turn_completed")[0]["summary"] == "Fine."
