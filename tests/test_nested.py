"""Nested chats, held by an agent before it answers: shown as such, guarded, stoppable."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.agent_files import write_agents
from tests.clients import ChatClient, Frame, contents
from tests.conftest import Serve
from tests.model_server import ModelServer, Reply

HEAD = '''
"""Talks to others first."""
from autogen import ConversableAgent, GroupChat, GroupChatManager, UserProxyAgent, register_function
from agentchat.chat import needs_approval

@needs_approval
def send(to: str) -> str:
    """Send it."""
    return f"sent to {to}"

def build(llm_config, chat):
    def agent(name, **more):
        return ConversableAgent(name, system_message=f"You are {name}.", llm_config=llm_config,
                                human_input_mode="NEVER", **more)
    user = UserProxyAgent("user", human_input_mode="NEVER", code_execution_config=False, default_auto_reply=None)
    writer, critic, expert = agent("writer"), agent("critic"), agent("expert")
    def chat_with(other, **more):
        return {"recipient": other, "message": f"To {other.name}", "max_turns": 1, "summary_method": "last_msg", **more}
'''

ONE = (
    HEAD
    + """
    writer.register_nested_chats([chat_with(critic)], trigger=user)
    return user, writer
"""
)

QUEUE = (
    HEAD
    + """
    writer.register_nested_chats([chat_with(critic), chat_with(expert)], trigger=user)
    return user, writer
"""
)

REFLECTED = (
    HEAD
    + """
    writer.register_nested_chats([chat_with(critic, summary_method="reflection_with_llm")], trigger=user)
    return user, writer
"""
)

DEEP = (
    HEAD
    + """
    critic.register_nested_chats([chat_with(expert)], trigger=writer)
    writer.register_nested_chats([chat_with(critic)], trigger=user)
    return user, writer
"""
)

GROUP = (
    HEAD
    + """
    group = GroupChat([critic, expert], messages=[], max_round=3)
    manager = GroupChatManager(group, llm_config=llm_config, human_input_mode="NEVER")
    writer.register_nested_chats([chat_with(manager, summary_method="reflection_with_llm")], trigger=user)
    return user, writer
"""
)

TOOL = (
    HEAD
    + """
    register_function(send, caller=critic, executor=expert, description="Sends.")
    expert.llm_config = False
    writer.register_nested_chats([chat_with(critic, sender=expert, max_turns=2)], trigger=user)
    return user, writer
"""
)

PATTERN = (
    HEAD
    + """
    from autogen.agentchat.group import AgentTarget, NestedChatTarget, OnCondition, StringLLMCondition
    from autogen.agentchat.group.patterns import DefaultPattern
    inner = NestedChatTarget(nested_chat_config={"chat_queue": [chat_with(critic), chat_with(expert)]})
    writer.handoffs.add_llm_conditions([OnCondition(target=inner, condition=StringLLMCondition("Needs a critic."))])
    pattern = DefaultPattern(initial_agent=writer, agents=[writer], user_agent=user)
    return user, pattern.prepare_group_chat(max_rounds=10, messages="Hello")[8]
"""
)


@pytest.fixture
def agents(tmp_path: Path) -> str:
    return write_agents(
        tmp_path, one=ONE, queue=QUEUE, reflected=REFLECTED, deep=DEEP, group=GROUP, tool=TOOL, pattern=PATTERN
    )


@pytest.fixture
def talk(serve: Serve, agents: str, model: ModelServer) -> Iterator[Any]:
    clients: list[ChatClient] = []

    def begin(agent: str) -> ChatClient:
        clients.append(ChatClient(serve("--agents", agents, model=model).websocket, agent=agent))
        clients[-1].confirmed()
        return clients[-1]

    yield begin
    for client in clients:
        client.__exit__()


def said(frames: list[Frame]) -> list[tuple[str, str, str | None]]:
    """Return the speakers, texts and nested chats of the messages, without the person's."""
    texts = [t for t in contents(frames, "text") if t["sender"] != "user"]
    return [(t["sender"], t["content"], t.get("within")) for t in texts]


def streamed(frames: list[Frame]) -> dict[tuple[str, str | None], str]:
    """Return the streamed text by sender and nested chat."""
    texts: dict[tuple[str, str | None], str] = {}
    for chunk in contents(frames, "stream"):
        key = chunk["sender"], chunk.get("within")
        texts[key] = texts.get(key, "") + chunk["content"]
    return texts


def ended(frames: list[Frame]) -> tuple[str, str]:
    [end] = contents(frames, "turn_completed")
    return end["status"], end["summary"]


def test_one_chat(talk: Any, model: ModelServer) -> None:
    """Messages of a nested chat are marked from the first token; the outer agent's answer is the summary."""
    client = talk("one")
    model.script(Reply("Too long."))
    frames = client.ask("Write it.")
    model.script(Reply("Too short."))
    again = client.ask("Shorter.")

    assert said(frames) == [
        ("writer", "To critic", "writer"),
        ("critic", "Too long.", "writer"),
        ("writer", "Too long.", None),
    ]
    assert streamed(frames) == {("critic", "writer"): "Too long."}
    assert ended(frames) == ("completed", "Too long.")
    assert [c["chat_info"]["recipient"] for c in contents(frames, "post_carryover_processing")] == ["critic"]
    assert ended(again) == ("completed", "Too short.")
    around = [f for f in frames if f["type"] in {"user_message", "turn_started", "turn_completed"}]
    assert not any("within" in frame["content"] for frame in around)


def test_several_chats(talk: Any, model: ModelServer) -> None:
    """Several nested chats run one after another; the last one's outcome is the answer."""
    client = talk("queue")
    model.script(Reply("Too long."), Reply("It is right."))
    frames = client.ask("Write it.")

    assert [text for text in said(frames) if text[0] != "writer"] == [
        ("critic", "Too long.", "writer"),
        ("expert", "It is right.", "writer"),
    ]
    assert said(frames)[-1] == ("writer", "It is right.", None)


def test_a_summary_by_a_model(talk: Any, model: ModelServer) -> None:
    """The model call for a summary is not shown; the agent that holds the chat is charged for it."""
    client = talk("reflected")
    model.script(Reply("Too long.", usage=(10, 1)), Reply("In short: shorten.", usage=(100, 2)))
    frames = client.ask("Write it.")

    assert "In short" not in "".join(streamed(frames).values())
    assert said(frames)[-1] == ("writer", "In short: shorten.", None)
    by = contents(frames, "turn_completed")[0]["usage"]["agents"]
    assert {name: usage["prompt_tokens"] for name, usage in by.items()} == {"critic": 10, "writer": 100}


def test_a_chat_in_a_chat(talk: Any, model: ModelServer) -> None:
    """In a chat within a chat, each message names the chat it belongs to."""
    client = talk("deep")
    model.script(Reply("It is right."))
    frames = client.ask("Write it.")

    assert said(frames) == [
        ("writer", "To critic", "writer"),
        ("critic", "To expert", "critic"),
        ("expert", "It is right.", "critic"),
        ("critic", "It is right.", "writer"),
        ("writer", "It is right.", None),
    ]


def test_a_team_in_a_chat(talk: Any, model: ModelServer) -> None:
    """The choice of speakers in a nested team is not shown."""
    client = talk("group")
    model.script(Reply("expert"), Reply("It is right."), Reply("critic"), Reply("But too long."), Reply("Shorten."))
    frames = client.ask("Write it.")

    assert streamed(frames) == {("expert", "writer"): "It is right.", ("critic", "writer"): "But too long."}
    assert said(frames)[-1] == ("writer", "Shorten.", None)
    assert ended(frames) == ("completed", "Shorten.")


def test_a_tool_of_an_inner_agent(talk: Any, model: ModelServer) -> None:
    """An inner agent's tool asks for approval, and can be stopped while it waits."""
    client = talk("tool")
    model.script(Reply(tools=[("send", {"to": "Ada"})]), Reply("It is sent."))
    client.say("Send it.")
    request = client.until("input_request")["content"]
    client.command("input_response", request_id=request["request_id"], text="approve")
    client.until("turn_completed")
    model.script(Reply(tools=[("send", {"to": "Bob"})]))
    client.say("Once more.")
    client.until("input_request")
    client.command("stop")
    stopped = client.until("turn_completed")["content"]["status"]

    assert (request["tool"]["name"], request["agent"], request.get("within")) == ("send", "critic", None)
    assert [(r["content"], r["within"]) for r in contents(client.frames, "executed_function")] == [
        ("sent to Ada", "writer")
    ]
    assert stopped == "stopped"
    assert ended(client.ask("And now?"))[0] == "completed"


def test_a_stop_in_the_middle_of_an_inner_answer(talk: Any, model: ModelServer) -> None:
    """A stop in mid-answer of an inner agent leaves no answer outside the nested chat, and the next turn works."""
    client = talk("one")
    model.script(Reply("It is too long.", gate_after=(3, threading.Event())))
    client.say("Write it.")
    client.until("stream", lambda content: "too" in content["content"])
    client.command("stop")
    end = client.until("turn_completed")["content"]
    stopped = list(client.frames)
    model.script(Reply("Fine."))
    frames = client.ask("And now?")

    assert said(stopped)[-1] == ("critic", "It is too ", "writer")
    assert (end["status"], end["summary"]) == ("stopped", "")
    assert ended(frames) == ("completed", "Fine.")


def test_an_inner_chat_that_fails(talk: Any, model: ModelServer) -> None:
    """A failing nested chat fails the turn; the next turn works."""
    client = talk("one")
    model.script(Reply(status=400))
    frames = client.ask("Write it.")
    model.script(Reply("Fine."))

    assert contents(frames, "error")[0]["code"] == "model_rejected"
    assert ended(frames)[0] == "failed"
    assert ended(client.ask("And now?")) == ("completed", "Fine.")


def test_a_nested_chat_of_a_pattern(talk: Any, model: ModelServer) -> None:
    """The agent AG2 adds to run a pattern's nested chat stays hidden: the chat belongs to the agent that started it."""
    client = talk("pattern")
    model.script(Reply("Hello."))
    client.ask("Hello")
    offered = [tool["function"]["name"] for tool in model.requests[-1]["body"]["tools"]]
    model.script(Reply(tools=[(offered[0], {})]), Reply("Too long."), Reply("It is right."), Reply("Shortened."))
    frames = client.ask("Write it.")

    assert [text for text in said(frames) if text[1] in {"Too long.", "It is right.", "Shortened."}] == [
        ("critic", "Too long.", "writer"),
        ("expert", "It is right.", "writer"),
        ("writer", "It is right.", None),
        ("writer", "Shortened.", None),
    ]
    assert contents(frames, "handoff") == []
    assert not [f for f in frames if f["type"] in {"text", "stream"} and "wrapped" in str(f)]
    assert ended(frames) == ("completed", "Shortened.")


def test_a_restart_in_a_nested_chat(serve: Serve, agents: str, model: ModelServer) -> None:
    """A question of an inner agent's tool is answered at the next server, and the turn resumes from there."""
    first = serve("--agents", agents, model=model)
    model.script(Reply(tools=[("send", {"to": "Ada"})]), Reply("It is sent."))
    with ChatClient(first.websocket, agent="tool") as client:
        session = client.confirmed()["session_id"]
        client.say("Send it.")
        request = client.until("input_request")["content"]["request_id"]
    first.close()
    with ChatClient(serve("--agents", agents, model=model).websocket, session=session) as client:
        client.command("input_response", request_id=request, text="approve")
        client.until("turn_completed")
        model.script(Reply("Still here."))
        client.ask("And now?")

    first_turn = [frame for frame in client.log if frame["turn"] == 1]
    assert said(first_turn)[-1] == ("writer", "It is sent.", None)
    assert [frame["seq"] for frame in client.log] == list(range(1, len(client.log) + 1))
    assert [f["content"]["status"] for f in client.log if f["type"] == "turn_completed"] == ["completed", "completed"]
