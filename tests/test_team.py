"""A group chat is attributed, stoppable and remembered, and its speaker selection stays hidden."""

from __future__ import annotations

import threading
from pathlib import Path

import pytest

from tests.clients import ChatClient, contents
from tests.conftest import Serve
from tests.model_server import ModelServer, Reply

TEAM = '''
"""A planner and a coder."""
from autogen import ConversableAgent, GroupChat, GroupChatManager, UserProxyAgent, register_function

def look_up(word: str) -> str:
    return f"{word} is a word"

def build(llm_config, chat):
    planner = ConversableAgent("planner", system_message="Plan.", llm_config=llm_config, human_input_mode="NEVER")
    coder = ConversableAgent("coder", system_message="Code.", llm_config=llm_config, human_input_mode="NEVER")
    user = UserProxyAgent("user", human_input_mode="NEVER", code_execution_config=False, default_auto_reply=None)
    register_function(look_up, caller=coder, executor=planner, description="Looks a word up.")
    group = GroupChat([user, planner, coder], messages=[], max_round=10)
    return user, GroupChatManager(group, llm_config=llm_config, human_input_mode="NEVER")
'''


@pytest.fixture
def folder(tmp_path: Path) -> str:
    (tmp_path / "agents").mkdir()
    (tmp_path / "agents" / "team.py").write_text(TEAM)
    return str(tmp_path / "agents")


def choose(name: str) -> Reply:
    """Return the model's answer when asked who speaks next."""
    return Reply(name)


def test_every_answer_has_its_author_from_the_first_token(serve: Serve, folder: str, model: ModelServer) -> None:
    """Every answer has its author from the first token; the choice of speaker, also a model call, is hidden."""
    server = serve("--agents", folder, model=model)
    model.script(choose("planner"), Reply("First we think."), choose("coder"), Reply("Then we code."), choose("user"))
    with ChatClient(server.websocket) as client:
        client.confirmed()
        frames = client.ask("Build it.")

    chunks = contents(frames, "stream")
    assert "".join(chunk["content"] for chunk in chunks) == "First we think.Then we code."
    assert list(dict.fromkeys(chunk["sender"] for chunk in chunks)) == ["planner", "coder"]
    spoken = [(text["sender"], text["content"]) for text in contents(frames, "text")]
    assert spoken == [("user", "Build it."), ("planner", "First we think."), ("coder", "Then we code.")]
    assert len(model.requests) == 5


def test_a_team_remembers_after_a_stop_and_a_restart(serve: Serve, folder: str, model: ModelServer) -> None:
    """After a stop and a restart, a team knows who said what, the tool calls, and that the person stopped it."""
    first = serve("--agents", folder, "--data-dir", "first", model=model)
    model.script(
        choose("coder"),
        Reply(tools=[("look_up", {"word": "moss"})]),
        choose("coder"),
        Reply("It is a word.", gate_after=(2, threading.Event())),
    )
    with ChatClient(first.websocket) as client:
        session = client.confirmed()["session_id"]
        client.say("What is moss?")
        client.until("stream", lambda content: "is" in content["content"])
        client.command("stop")
        assert client.until("turn_completed")["content"]["status"] == "stopped"
        model.script(choose("planner"), Reply("Go on."), choose("user"))
        client.ask("And now?")

    messages = [(m["role"], m.get("name"), m.get("content")) for m in model.requests[-2]["body"]["messages"]]
    assert messages[1:] == [
        ("user", "user", "What is moss?"),
        ("assistant", "coder", None),
        ("tool", None, "moss is a word"),
        ("user", "coder", "It is \n\n[The person stopped this answer.]"),
        ("user", "user", "And now?"),
    ]
    first.close()
    second = serve("--agents", folder, "--data-dir", "first", model=model)
    with ChatClient(second.websocket, session=session) as client:
        model.script(choose("planner"), Reply("Still here."), choose("user"))
        client.say("Still there?")
        client.until("turn_completed", turn=3)

    again = [(m["role"], m.get("name"), m.get("content")) for m in model.requests[-2]["body"]["messages"]]
    assert again == [*messages, ("assistant", "planner", "Go on."), ("user", "user", "Still there?")]
