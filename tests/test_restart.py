"""A question outlives the server that asked it: the next server takes the answer and resumes the turn."""

from __future__ import annotations

import signal
from pathlib import Path

import pytest

from tests.agent_files import TOOLS, write_agents, write_all
from tests.clients import ChatClient, Frame, contents, types, wait_until
from tests.conftest import Fork, Serve, config_list
from tests.model_server import ModelServer, Reply

QUESTION = "What is the weather in Oslo?"
PORTS = ("--port", "0", "--ws-port", "0")


def asked(client: ChatClient) -> str:
    return str(client.until("input_request")["content"]["request_id"])


def answer_it(client: ChatClient, request: str, text: str) -> None:
    client.command("input_response", request_id=request, text=text)
    client.until("input_response", lambda content: content["request_id"] == request)


def statuses(log: list[Frame]) -> dict[int, str]:
    return {frame["turn"]: frame["content"]["status"] for frame in log if frame["type"] == "turn_completed"}


@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGTERM])
def test_a_question_survives_a_restart(fork: Fork, tmp_path: Path, model: ModelServer, how: signal.Signals) -> None:
    """A question survives two restarts, after a kill or a shutdown.

    No event is written twice, no tool runs twice, and the model is not asked again.
    """
    environment, agents = config_list(model), write_all(tmp_path)
    options = (*PORTS, "--agents", agents)
    model.script(Reply(tools=[("look", {"what": "map"})]), Reply(tools=[("book", {"city": "Oslo"})]), Reply("Booked."))
    with fork(*options, environment=environment) as server:
        with ChatClient(server.websocket, agent="tools", name="Ada") as client:
            session = client.confirmed()["session_id"]
            client.say("Book")
            first = asked(client)
            log = client.log
        server.signal(how)
        server.end()
    with fork(*options, environment=environment) as server:
        with ChatClient(server.websocket, session=session, name="Bob") as client:
            confirmed = client.confirmed()
            assert confirmed["status"] == "waiting"
            assert [request["request_id"] for request in confirmed["open_requests"]] == [first]
            asked(client)
            answer_it(client, first, "Monday")
            second = asked(client)
            assert client.log[: len(log)] == log
        server.signal(how)
        server.end()
    with (
        fork(*options, environment=environment) as server,
        ChatClient(server.websocket, session=session) as client,
    ):
        assert [request["request_id"] for request in client.confirmed()["open_requests"]] == [second]
        client.command("input_response", request_id=second, text="aisle")
        client.until("turn_completed")

    assert types(client.log) == [
        "user_message", "turn_started", "text",
        "tool_call", "execute_function", "executed_function", "tool_response",
        "tool_call", "execute_function", "input_request", "input_response", "input_request", "input_response",
        "executed_function", "tool_response", "text", "turn_completed",
    ]  # fmt: skip
    assert [frame["seq"] for frame in client.log] == list(range(1, 18))
    assert contents(client.log, "executed_function")[1]["content"] == "Booked Oslo on Monday, aisle"
    assert contents(client.log, "turn_completed")[0]["usage"]["completion_tokens"] > 0
    assert len(model.requests) == 3
    assert (tmp_path / "data" / "ran.txt").read_text().split("\n") == ["look", "book", "book", "book", ""]
    messages = model.requests[-1]["body"]["messages"]
    assert [message["role"] for message in messages[1:]] == ["user", "assistant", "tool", "assistant", "tool"]


def test_an_approval_survives_a_restart(serve: Serve, model: ModelServer, tmp_path: Path) -> None:
    """An approval survives a restart; the tool runs once, after it is approved."""
    agents = write_all(tmp_path)
    model.script(Reply(tools=[("send", {"to": "Ada"}), ("look", {"what": "up"})]), Reply("Sent."))
    first = serve("--agents", agents, model=model)
    with ChatClient(first.websocket, agent="tools") as client:
        session = client.confirmed()["session_id"]
        client.say("Send it")
        request = asked(client)
    first.close()
    assert not (tmp_path / "data" / "ran.txt").exists()
    second = serve("--agents", agents, model=model)
    with ChatClient(second.websocket, session=session) as client:
        client.command("input_response", request_id=request, text="approve")
        client.until("turn_completed")

    assert (tmp_path / "data" / "ran.txt").read_text() == "send Ada 1\nlook\n"
    assert statuses(client.log) == {1: "completed"}


@pytest.mark.parametrize("agent", ["always", "coroutines", "group"])
def test_agents_of_every_kind_find_back(serve: Serve, model: ModelServer, tmp_path: Path, agent: str) -> None:
    """Agents of every kind resume: a restart at each question of a turn changes nothing for people or for the model."""
    agents = write_all(tmp_path)
    answers = {"group": ["2", "3", "Looks good."]}.get(agent, ["Rather there: the weather in Bergen", ""])

    def talk(restarts: bool) -> list[Frame]:
        server = serve("--agents", agents, model=model)
        with ChatClient(server.websocket, agent=agent) as client:
            session = client.confirmed()["session_id"]
            client.command("message", text=QUESTION, id="m")
            request = asked(client)
        for answer in answers:
            if restarts:
                server.close()
                server = serve("--agents", agents, model=model)
            with ChatClient(server.websocket, session=session) as client:
                answer_it(client, request, answer)
                while client.receive()["type"] not in {"input_request", "turn_completed"}:
                    pass
                request = client.frames[-1]["content"].get("request_id")
        server.close()
        return client.log

    straight = talk(restarts=False)
    requests = [request["body"]["messages"] for request in model.requests]
    broken = talk(restarts=True)

    assert types(broken) == types(straight)
    assert types(broken)[-1] == "turn_completed"
    assert contents(broken, "turn_completed")[0]["status"] == "completed"
    assert [request["body"]["messages"] for request in model.requests[len(requests) :]] == requests


def test_the_conversation_goes_on_behind_it(serve: Serve, model: ModelServer, tmp_path: Path) -> None:
    """Messages queued behind the question are answered next, and the agents remember the resumed turn."""
    agents = write_all(tmp_path)
    first = serve("--agents", agents, model=model)
    with ChatClient(first.websocket, agent="tools") as client:
        session = client.confirmed()["session_id"]
        client.ask("My name is Ada.")
        model.script(Reply(tools=[("book", {"city": "Oslo"})]), Reply("Booked."))
        client.say("Book")
        asked(client)
        client.command("message", text="And then?", id="then")
        client.until("user_message", lambda content: content["id"] == "then")
    first.close()
    second = serve("--agents", agents, model=model)
    with ChatClient(second.websocket, session=session) as client:
        confirmed = client.confirmed()
        assert [entry["id"] for entry in confirmed["queue"]] == ["then"]
        for answer in ("Monday", "aisle"):
            client.command("input_response", request_id=asked(client), text=answer)
        client.until("turn_completed", turn=3)

    assert statuses(client.log) == {1: "completed", 2: "completed", 3: "completed"}
    said = [message["content"] for message in model.requests[-1]["body"]["messages"] if message["role"] != "system"]
    assert said == [
        "My name is Ada.", "You said: My name is Ada.",
        "Book", None, "Booked Oslo on Monday, aisle", "Booked.",
        "And then?",
    ]  # fmt: skip


def test_a_stop_reaches_a_turn_that_was_brought_back(serve: Serve, model: ModelServer, tmp_path: Path) -> None:
    """A resumed turn can be stopped: it ends stopped, and its question is closed."""
    agents = write_all(tmp_path)
    first = serve("--agents", agents, model=model)
    with ChatClient(first.websocket, agent="always") as client:
        session = client.confirmed()["session_id"]
        client.say(QUESTION)
        request = asked(client)
    first.close()
    second = serve("--agents", agents, model=model)
    with ChatClient(second.websocket, session=session) as client:
        client.command("stop", turn=1)
        client.until("turn_completed")
        client.command("input_response", request_id=request, text="")
        assert client.until("error")["content"]["code"] == "request_closed"

    assert statuses(client.log) == {1: "stopped"}


THINKING = """
    def think(messages):
        folder = pathlib.Path(chat.services.folder)
        if (folder / "slow").exists():
            (folder / "thinking").touch()
            cancellation.current.get().sleep(60)
        return messages

    agent.register_hook("process_all_messages_before_reply", think)
    return user, agent"""


def test_a_turn_that_is_stopped_on_its_way_back(serve: Serve, model: ModelServer, tmp_path: Path) -> None:
    """The agents remember all that happened up to the question, however far they were brought back to it."""
    thinking = TOOLS.replace("import pathlib\n", "import pathlib\nfrom agentchat import cancellation\n")
    agents = write_agents(tmp_path, thinking=thinking.replace("\n    return user, agent", THINKING))
    server = serve("--agents", agents, "--live-questions", "0", model=model)
    model.script(Reply(tools=[("look", {"what": "map"})]), Reply(tools=[("book", {"city": "Oslo"})]))
    with ChatClient(server.websocket, agent="thinking") as client:
        client.say("Book")
        request = asked(client)
        (tmp_path / "data" / "slow").touch()
        answer_it(client, request, "Monday")
        wait_until((tmp_path / "data" / "thinking").exists)
        client.command("stop")
        client.until("turn_completed")
        (tmp_path / "data" / "slow").unlink()
        client.ask("And now?")

    assert statuses(client.log) == {1: "stopped", 2: "completed"}
    said = [message["content"] for message in model.requests[-1]["body"]["messages"] if message["role"] != "system"]
    assert said[:3] == ["Book", None, "Looked at map"]
    assert said[-1] == "And now?"


def test_an_agent_that_changed_meanwhile(serve: Serve, model: ModelServer, tmp_path: Path) -> None:
    """An agent that has changed can't resume its question; the turn says so, and the conversation goes on."""
    agents = write_all(tmp_path)
    first = serve("--agents", agents, model=model)
    with ChatClient(first.websocket, agent="always") as client:
        session = client.confirmed()["session_id"]
        client.say(QUESTION)
        request = asked(client)
    first.close()
    text = (tmp_path / "agents" / "always.py").read_text()
    write_agents(tmp_path, always=text.replace('"ALWAYS"', '"NEVER"'))
    second = serve("--agents", agents, model=model)
    with ChatClient(second.websocket, session=session) as client:
        client.command("input_response", request_id=request, text="")
        assert client.until("error")["content"]["code"] == "not_resumed"
        client.until("turn_completed")
        client.ask("hello")

    assert statuses(client.log) == {1: "failed", 2: "completed"}


def test_what_comes_after_a_password_cannot_be_brought_back(serve: Serve, model: ModelServer, tmp_path: Path) -> None:
    """A turn cannot be resumed once a password was given, since passwords are never stored.

    It is interrupted, unless the restart comes while the password is still being asked for.
    """
    agents = write_agents(tmp_path, vault=VAULT)
    first = serve("--agents", agents, model=model)
    model.script(Reply(tools=[("sign", {"text": "letter"})]))
    with ChatClient(first.websocket, agent="vault") as client:
        session = client.confirmed()["session_id"]
        client.say("Sign")
        request = asked(client)
    first.close()
    second = serve("--agents", agents, model=model)
    with ChatClient(second.websocket, session=session) as client:
        client.command("input_response", request_id=request, text="secret")
        client.until("input_request", lambda content: content["prompt"] == "Sure?")
    second.close()
    third = serve("--agents", agents, model=model)
    with ChatClient(third.websocket, session=session) as client:
        assert client.confirmed()["open_requests"] == []
        client.until("turn_completed")

    assert statuses(client.log) == {1: "interrupted"}


def test_a_model_that_is_not_recorded(serve: Serve, model: ModelServer, tmp_path: Path) -> None:
    """A turn is interrupted if its model client is not recorded: asked again, it might answer differently."""
    agents = write_agents(tmp_path, foreign=FOREIGN)
    first = serve("--agents", agents, model=model)
    with ChatClient(first.websocket, agent="foreign") as client:
        session = client.confirmed()["session_id"]
        client.say("hello")
        asked(client)
    first.close()
    second = serve("--agents", agents, model=model)
    with ChatClient(second.websocket, session=session) as client:
        client.until("turn_completed")

    assert contents(client.log, "text")[-1]["content"] == "Something of its own."
    assert statuses(client.log) == {1: "interrupted"}


FOREIGN = '''
"""Speaks through a client of its own."""
from types import SimpleNamespace
from autogen import Agent, ConversableAgent, UserProxyAgent
from autogen.io.base import IOStream

class Client:
    def __init__(self, config, **kwargs):
        pass
    def create(self, params):
        message = SimpleNamespace(content="Something of its own.", function_call=None, tool_calls=None)
        return SimpleNamespace(choices=[SimpleNamespace(message=message)], model="own", id="1", usage=None)
    def message_retrieval(self, response):
        return [choice.message.content for choice in response.choices]
    def cost(self, response):
        return 0
    @staticmethod
    def get_usage(response):
        return {}

def build(llm_config, chat):
    own = {"config_list": [{"model": "own", "model_client_cls": "Client"}]}
    agent = ConversableAgent("stranger", llm_config=own, human_input_mode="NEVER")
    agent.register_model_client(Client)
    user = UserProxyAgent("user", human_input_mode="NEVER", code_execution_config=False, default_auto_reply=None)
    user.register_reply([Agent, None], lambda *_, **__: (False, IOStream.get_default().input("Go on?")))
    return user, agent
'''

VAULT = '''
"""Signs."""
from autogen import ConversableAgent, UserProxyAgent, register_function
from autogen.io.base import IOStream

def sign(text: str) -> str:
    IOStream.get_default().input("Your PIN?", password=True)
    return IOStream.get_default().input("Sure?")

def build(llm_config, chat):
    agent = ConversableAgent("clerk", llm_config=llm_config, human_input_mode="NEVER")
    user = UserProxyAgent("user", human_input_mode="NEVER", code_execution_config=False, default_auto_reply=None)
    register_function(sign, caller=agent, executor=user, description="Signs a text.")
    return user, agent
'''


SLOW = '''
"""Is built slowly while there is a file `slow`."""
import pathlib
from autogen import ConversableAgent, UserProxyAgent
from agentchat import cancellation

def build(llm_config, chat):
    while pathlib.Path(chat.services.folder / "slow").exists():
        cancellation.current.get().sleep(0.01)
    agent = ConversableAgent("clerk", llm_config=llm_config, human_input_mode="NEVER")
    user = UserProxyAgent("user", human_input_mode="NEVER", code_execution_config=False, default_auto_reply=None)
    return user, agent
'''


def test_a_message_is_remembered_from_the_start_of_its_turn(fork: Fork, tmp_path: Path, model: ModelServer) -> None:
    """Agents know the message of a turn that was killed, or stopped, before they had said anything."""
    environment = config_list(model)
    options = (*PORTS, "--agents", write_agents(tmp_path, slow=SLOW))
    slow = tmp_path / "data" / "slow"
    with fork(*options, environment=environment) as server:
        slow.touch()
        with ChatClient(server.websocket) as client:
            session = client.confirmed()["session_id"]
            client.say("My name is Ada.")
            client.until("turn_started")
            client.command("stop")
            client.until("turn_completed")
            client.say("I live in Oslo.")
            client.until("turn_started", turn=2)
        server.signal(signal.SIGKILL)
        server.end()
    slow.unlink()
    with (
        fork(*options, environment=environment) as server,
        ChatClient(server.websocket, session=session) as client,
    ):
        client.say("Go on")
        client.until("turn_completed", turn=3)

    assert statuses(client.log) == {1: "stopped", 2: "interrupted", 3: "completed"}
    said = [message["content"] for message in model.requests[-1]["body"]["messages"] if message["role"] != "system"]
    assert said == [
        "My name is Ada.", "[The person stopped this answer.]",
        "I live in Oslo.", "[This answer was interrupted: the server went down.]",
        "Go on",
    ]  # fmt: skip
