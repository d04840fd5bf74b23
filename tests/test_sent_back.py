"""Signatures and thoughts go back with a tool call to the model that made it, and to no other."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tests.agent_files import write_agents
from tests.clients import ChatClient, contents
from tests.conftest import Serve
from tests.model_server import ModelServer, Reply
from tests.test_dialects import DONE, SSE, chunk, stream, whole

Json = dict[str, Any]

AGENT = '''
"""Has several models."""
from autogen import ConversableAgent, LLMConfig, UserProxyAgent, register_function

def look_up(word: str) -> str:
    return f"{word} is a word"

def build(llm_config, chat):
    entry = {"api_key": "none", "base_url": "URL", "max_retries": 0, "stream": STREAM}
    config = LLMConfig({**entry, "model": "MODEL"}, {**entry, "model": "other"})
    agent = ConversableAgent("agent", llm_config=config, human_input_mode="NEVER")
    user = UserProxyAgent("user", human_input_mode="NEVER", code_execution_config=False, default_auto_reply=None)
    register_function(look_up, caller=agent, executor=user, description="Looks a word up.")
    return user, agent
'''

SIGNED = {"google": {"thought_signature": "c2lnbmVk"}}
FUNCTION = {"name": "look_up", "arguments": '{"word": "moss"}'}


def call(is_streamed: bool, thoughts: str = "", **fields: Any) -> Reply:
    """Return a tool call with other fields beside it, after thoughts."""
    calls = [{"index": 0, "id": "c1", "type": "function", "function": FUNCTION, **fields}]
    message = {"content": None, "reasoning_content": thoughts, "tool_calls": calls}
    if not is_streamed:
        return whole(message, "tool_calls")
    thinking = chunk({"reasoning_content": thoughts})
    events = stream(thinking, chunk({"tool_calls": calls}), chunk({}, "tool_calls"), end=DONE)
    return Reply(raw=events, content_type=SSE)


@pytest.fixture(params=[True, False], ids=["streamed", "whole"])
def is_streamed(request: pytest.FixtureRequest) -> bool:
    return bool(request.param)


class Chats:
    """Starts servers, one after the other, with the same data."""

    def __init__(self, serve: Serve, model: ModelServer, folder: Path, is_streamed: bool) -> None:
        self._serve, self._model, self._folder, self._is_streamed = serve, model, folder, is_streamed

    def __call__(self, name: str) -> Any:
        source = AGENT.replace("URL", self._model.base_url).replace("MODEL", name)
        agents = write_agents(self._folder, agent=source.replace("STREAM", str(self._is_streamed)))
        return self._serve("demo", "--agents", agents, "--data-dir", str(self._folder / "kept"))


@pytest.fixture
def begin(serve: Serve, model: ModelServer, tmp_path: Path, is_streamed: bool) -> Chats:
    return Chats(serve, model, tmp_path, is_streamed)


def called(request: Json) -> Json:
    """Return the message with the tool call in a request."""
    [message] = [message for message in request["body"]["messages"] if message.get("tool_calls")]
    return dict(message)


def test_a_signature(begin: Chats, model: ModelServer, is_streamed: bool) -> None:
    """Gemini's signature goes back with its call to the model that gave it, also after a restart."""
    first = begin("gemini-3")
    model.script(
        call(is_streamed, extra_content=SIGNED),
        Reply(status=400),  # the other model takes over
        Reply("A word."),
        Reply("Yes."),
    )
    with ChatClient(first.websocket) as client:
        session = client.confirmed()["session_id"]
        assert contents(client.ask("Moss?"), "turn_completed")[0]["summary"] == "A word."
        client.ask("Sure?")
        assert "c2lnbmVk" not in json.dumps(client.frames)
    first.close()
    second = begin("gemini-3")
    with ChatClient(second.websocket, session=session) as client:
        client.say("Still?")
        client.until("turn_completed", turn=3)
    second.close()

    asked = [request["body"]["model"] for request in model.requests]
    assert asked == ["gemini-3", "gemini-3", "other", "gemini-3", "gemini-3"]
    for request in model.requests[1:]:
        [sent] = called(request)["tool_calls"]
        assert sent.get("extra_content") == (SIGNED if request["body"]["model"] == "gemini-3" else None)
        assert sent.keys() - {"extra_content"} == {"id", "type", "function"}


@pytest.mark.parametrize(("name", "wants"), [("deepseek-chat", True), ("my-DeepSeek-R1", True), ("qwen3", False)])
def test_thoughts(begin: Chats, model: ModelServer, is_streamed: bool, name: str, wants: bool) -> None:
    """DeepSeek's thoughts go back to it within the turn that they belong to; others don't get theirs."""
    server = begin(name)
    model.script(
        call(is_streamed, "Hm. "),
        call(is_streamed, "Well. "),
        Reply(status=400),  # the other model takes over
        Reply("A word."),
        Reply("Yes."),
    )
    with ChatClient(server.websocket) as client:
        client.confirmed()
        frames = client.ask("Moss?")
        client.ask("Sure?")
    server.close()

    assert [content["content"] for content in contents(frames, "reasoning")] == ["Hm. ", "Well. "]
    thoughts = [
        [message.get("reasoning_content") for message in request["body"]["messages"] if message.get("tool_calls")]
        for request in model.requests
    ]
    kept = ["Hm. ", "Well. "] if wants else [None, None]
    assert thoughts == [[], kept[:1], kept, [None, None], [None, None]]
    assert [request["body"]["model"] for request in model.requests] == [name, name, name, "other", name]
