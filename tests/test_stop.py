"""Stopping a turn at any point, and carrying on afterwards."""

from __future__ import annotations

import itertools
import threading
from collections.abc import Callable
from pathlib import Path

import pytest

from agentchat.app import Running
from tests.agent_files import write_agents
from tests.clients import ChatClient, contents, types
from tests.conftest import Serve
from tests.model_server import ModelServer, Reply

WAITING_AGENT = '''
"""Waits for a file to appear."""
import asyncio, pathlib, time
from autogen import ConversableAgent, UserProxyAgent, register_function

def wait_for(path: str) -> str:
    while not pathlib.Path(path).exists():
        time.sleep(0.01)
    return "there it is"

async def wait_for_async(path: str) -> str:
    while not pathlib.Path(path).exists():
        await asyncio.sleep(0.01)
    return "there it is"

def build(llm_config, chat):
    agent = ConversableAgent("waiter", llm_config=llm_config, human_input_mode="NEVER")
    user = UserProxyAgent("user", human_input_mode="NEVER", code_execution_config=False, default_auto_reply=None)
    for tool in (wait_for, wait_for_async):
        register_function(tool, caller=agent, executor=user, description="Waits for a file.")
    return user, agent
'''


def stop(client: ChatClient) -> None:
    """Stop the running turn, which waits for something that arrives after `client` times out, or never."""
    client.command("stop")
    assert client.until("turn_completed")["content"]["status"] == "stopped"


def assert_goes_on(client: ChatClient, model: ModelServer) -> None:
    """Assert that the next turn works and that the model is sent a valid history."""
    assert contents(client.ask("hello again"), "turn_completed")[0]["status"] == "completed"
    messages = model.requests[-1]["body"]["messages"]
    open_calls: set[str] = set()
    for message in messages:
        if message["role"] == "tool":
            open_calls.remove(message["tool_call_id"])
        else:
            assert not open_calls, "a tool call without an answer"
        open_calls |= {call["id"] for call in message.get("tool_calls") or ()}
    roles = [message["role"] for message in messages if message["role"] != "tool"]
    assert all(one != other or one == "assistant" for one, other in itertools.pairwise(roles)), roles


def test_in_mid_answer(client: ChatClient, model: ModelServer) -> None:
    """A stop in mid-answer keeps the partial text, closes the model's connection and is known to the agent."""
    model.script(Reply("one two three four", gate_after=(2, threading.Event())))
    client.say("count")
    client.until("stream", lambda content: "two" in content["content"])

    stop(client)
    model.wait_for(lambda counts: counts.aborted == 1)
    partial = contents(client.log, "text")[-1]
    assert partial["content"] == "one two "
    assert partial["partial"]
    assert partial["message_id"] == contents(client.frames, "stream")[0]["message_id"]
    assert_goes_on(client, model)
    assert "[The person stopped this answer.]" in model.requests[-1]["body"]["messages"][-2]["content"]


def test_while_the_model_has_not_answered_yet(client: ChatClient, model: ModelServer) -> None:
    """A stop before the first byte from the model takes effect at once."""
    model.script(Reply("never", gate=threading.Event()))
    client.say("hello?")
    model.wait_for(lambda counts: counts.active == 1)

    stop(client)
    model.wait_for(lambda counts: counts.aborted == 1)
    assert_goes_on(client, model)


def test_between_two_tries(client: ChatClient, model: ModelServer, monkeypatch: pytest.MonkeyPatch) -> None:
    """A stop while a rate-limited model call waits to be retried takes effect at once."""
    monkeypatch.setattr("agentchat.models.transport.LONGEST_RETRY_AFTER", 600)
    model.script(Reply(status=429, headers={"retry-after": "600"}))
    client.say("hello?")
    model.wait_for(lambda counts: counts.completed == 1)

    stop(client)
    assert_goes_on(client, model)


@pytest.mark.parametrize("tool", ["wait_for", "wait_for_async"])
def test_while_a_tool_runs(serve: Serve, model: ModelServer, tmp_path: Path, tool: str) -> None:
    """A blocking tool doesn't delay the stop, and its call is answered in the history."""
    (tmp_path / "agents").mkdir()
    (tmp_path / "agents" / "waiter.py").write_text(WAITING_AGENT)
    server = serve("--agents", str(tmp_path / "agents"), model=model)
    model.script(Reply(tools=[(tool, {"path": str(tmp_path / "signal")})]))
    with ChatClient(server.websocket) as client:
        client.say("wait")
        client.until("execute_function")

        stop(client)
        assert "executed_function" not in types(client.log)
        assert_goes_on(client, model)
    (tmp_path / "signal").touch()  # lets the tool's thread end


def test_before_a_tool_starts(client: ChatClient, model: ModelServer) -> None:
    """A tool call that was pending when the stop came is not carried out."""
    gate = threading.Event()
    model.script(Reply("Let me see.", tools=[("weather_forecast", {"city": "Oslo"})], gate_after=(3, gate)))
    client.say("weather?")
    client.until("stream", lambda content: "see." in content["content"])
    client.command("stop")
    client.until("turn_completed")
    gate.set()

    assert "execute_function" not in types(client.log)
    assert_goes_on(client, model)


def test_a_late_stop_does_nothing(client: ChatClient, model: ModelServer) -> None:
    """A late stop cannot end the next turn, because it names the turn it means."""
    client.ask("one")
    gate = threading.Event()
    model.script(Reply("the second answer", gate_after=(1, gate)))
    client.say("two")
    client.until("stream")
    client.command("stop", turn=1)
    client.command("message", text="three", id="marks that the stop was read")
    client.until("user_message", lambda content: content["text"] == "three")
    gate.set()

    assert client.until("turn_completed", turn=2)["content"]["status"] == "completed"


def test_the_next_message_in_the_queue_goes_on(client: ChatClient, model: ModelServer) -> None:
    """A stop ends one turn; queued messages are still answered."""
    model.script(Reply("never", gate=threading.Event()), Reply("here I am"))
    client.say("one")
    client.say("two")
    model.wait_for(lambda counts: counts.active == 1)
    client.until("user_message", lambda content: content["text"] == "two")
    stop(client)

    assert client.until("turn_completed", turn=2)["content"]["summary"] == "here I am"


def test_from_another_connection(
    client: ChatClient, connect: Callable[..., ChatClient], model: ModelServer, server: Running
) -> None:
    """Any member of the session may stop a turn, and everyone sees it."""
    model.script(Reply("never", gate=threading.Event()))
    client.say("hello?")
    model.wait_for(lambda counts: counts.active == 1)
    with connect(session=client.frames[0]["content"]["session_id"]) as other:
        assert other.confirmed()["status"] == "running"
        stop(other)

    assert client.until("turn_completed")["content"]["status"] == "stopped"


SLOW_TO_BUILD = '''
"""Waits while it is built."""
from autogen import ConversableAgent, UserProxyAgent
from agentchat import cancellation

def build(llm_config, chat):
    if chat.session_id != "probe":
        cancellation.current.get().sleep(600)
    user = UserProxyAgent("user", human_input_mode="NEVER", code_execution_config=False, default_auto_reply=None)
    return user, ConversableAgent("late", llm_config=llm_config, human_input_mode="NEVER")
'''


def test_while_the_agents_are_built(serve: Serve, model: ModelServer, tmp_path: Path) -> None:
    """A stop works while the agents are being built, which may be waiting for an MCP server."""
    (tmp_path / "agents").mkdir()
    (tmp_path / "agents" / "late.py").write_text(SLOW_TO_BUILD)
    with ChatClient(serve("--agents", str(tmp_path / "agents"), model=model).websocket) as client:
        client.say("hello")
        client.until("turn_started")
        client.command("stop")

        assert client.until("turn_completed")["content"]["status"] == "stopped"


SLOW_TO_LISTEN = '''
"""A group that never receives one message."""
from autogen import ConversableAgent, GroupChat, GroupChatManager, UserProxyAgent
from agentchat import cancellation

class Manager(GroupChatManager):
    def receive(self, message, sender, request_reply=None, silent=False):
        if "Ada" in str(message) and not silent:
            cancellation.current.get().sleep(600)
        super().receive(message, sender, request_reply, silent)

def build(llm_config, chat):
    user = UserProxyAgent("user", human_input_mode="NEVER", code_execution_config=False, default_auto_reply=None)
    planner = ConversableAgent("planner", llm_config=llm_config, human_input_mode="NEVER")
    group = GroupChat([user, planner], [], max_round=2, speaker_selection_method="round_robin")
    return user, Manager(group, llm_config=llm_config, human_input_mode="NEVER")
'''


@pytest.mark.parametrize("restarts", [False, True])
def test_before_the_agents_have_the_message(serve: Serve, model: ModelServer, tmp_path: Path, restarts: bool) -> None:
    """Agents know of a message whose turn was stopped before they received it, also those of the next server."""
    options = ("--agents", write_agents(tmp_path, group=SLOW_TO_LISTEN))
    server = serve(*options, model=model)
    with ChatClient(server.websocket) as client:
        session = client.confirmed()["session_id"]
        client.say("My name is Ada.")
        client.until("turn_started")
        stop(client)
    if restarts:
        server.close()
        server = serve(*options, model=model)
    with ChatClient(server.websocket, session=session) as client:
        client.say("Go on")
        client.until("turn_completed", turn=2)

    said = [message["content"] for message in model.requests[-1]["body"]["messages"] if message["role"] != "system"]
    assert said == ["My name is Ada.", "[The person stopped this answer.]", "Go on"]
