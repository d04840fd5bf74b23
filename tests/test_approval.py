"""Tools that need a person's approval."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests.agent_files import write_agents, write_all
from tests.clients import ChatClient, contents, types
from tests.conftest import Serve
from tests.model_server import ModelServer, Reply

SEND = Reply(tools=[("send", {"to": "Ada", "times": 2})])


class Clerk:
    """A conversation with the agent whose tool `send` needs approval; `ran` lists the tools that ran."""

    def __init__(self, client: ChatClient, folder: Path) -> None:
        self.client = client
        self._file = folder / "data" / "ran.txt"

    @property
    def ran(self) -> list[str]:
        return self._file.read_text().splitlines() if self._file.exists() else []

    def request(self, text: str = "Do it") -> Any:
        self.client.say(text)
        return self.client.until("input_request")["content"]


@pytest.fixture
def clerk(serve: Serve, model: ModelServer, tmp_path: Path, request: pytest.FixtureRequest) -> Any:
    server = serve("--agents", write_all(tmp_path), *getattr(request, "param", ()), model=model)
    with ChatClient(server.websocket, agent="tools", name="Ada") as client:
        client.confirmed()
        yield Clerk(client, tmp_path)


def test_a_tool_that_is_approved(clerk: Clerk, model: ModelServer) -> None:
    """People see the tool and its arguments, and it runs only after approval."""
    model.script(SEND, Reply("Sent."))
    request = clerk.request()
    assert request["tool"] == {"name": "send", "arguments": {"to": "Ada", "times": 2}, "call_id": "call_2_0"}
    assert (request["agent"], request["choices"], request["password"]) == ("clerk", ["approve", "deny", "edit"], False)
    assert clerk.ran == []
    clerk.client.command("input_response", request_id=request["request_id"], text="approve")
    clerk.client.until("turn_completed")

    assert clerk.ran == ["send Ada 2"]
    assert contents(clerk.client.log, "input_response")[0]["text"] == "approve"


@pytest.mark.parametrize(
    ("said", "why"),
    [("deny", ""), ("no", ""), ("Deny, too often", ": too often"), ("deny: wrong Ada", ": wrong Ada")],
)
def test_a_tool_that_is_denied(clerk: Clerk, model: ModelServer, said: str, why: str) -> None:
    """A denied tool does not run; the agent is told, with the reason if any, and goes on."""
    model.script(SEND, Reply("Then not."))
    clerk.request()
    clerk.client.say(said)
    completed = clerk.client.until("turn_completed")["content"]

    assert clerk.ran == []
    assert (completed["status"], completed["summary"]) == ("completed", "Then not.")
    told = model.requests[-1]["body"]["messages"][-1]["content"]
    assert f"The person did not allow this call{why}." in told
    assert contents(clerk.client.log, "executed_function")[0]["is_exec_success"] is False


@pytest.mark.parametrize("how", ["command", "plain"])
def test_arguments_that_are_edited(clerk: Clerk, model: ModelServer, how: str) -> None:
    """A tool runs with the arguments a person edited, and the agent knows it."""
    model.script(SEND, Reply("Sent."))
    request = clerk.request()
    if how == "command":
        arguments = {"to": "Bob", "times": 1}
        clerk.client.command("input_response", request_id=request["request_id"], text="edit", arguments=arguments)
    else:
        clerk.client.say('edit {"to": "Bob", "times": 1}')
    clerk.client.until("turn_completed")

    assert clerk.ran == ["send Bob 1"]
    assert contents(clerk.client.log, "input_response")[0]["arguments"] == {"to": "Bob", "times": 1}
    told = model.requests[-1]["body"]["messages"][-1]["content"]
    assert told == '[The person changed the arguments to {"to": "Bob", "times": 1}.]\nSent to Bob'


def test_arguments_that_are_broken_text(clerk: Clerk, model: ModelServer) -> None:
    """Broken text in edited arguments is repaired: a lone surrogate would make all later model calls fail."""
    model.script(SEND, Reply("Sent."))
    request = clerk.request()
    broken = {"to": "\ud800", "times": 1}
    clerk.client.command("input_response", request_id=request["request_id"], text="edit", arguments=broken)

    assert clerk.client.until("turn_completed")["content"]["status"] == "completed"
    assert clerk.ran == ["send \ufffd 1"]


def test_arguments_that_do_not_fit(clerk: Clerk, model: ModelServer) -> None:
    """Edited arguments that don't fit the tool are reported by the tool, as they are to the agent itself."""
    model.script(SEND, Reply("Oh."))
    request = clerk.request()
    clerk.client.command("input_response", request_id=request["request_id"], text="edit", arguments={"who": "Bob"})
    clerk.client.until("turn_completed")

    assert clerk.ran == []
    assert "Error" in contents(clerk.client.log, "executed_function")[0]["content"]


@pytest.mark.parametrize(
    "answer",
    [
        {"text": "perhaps"},
        {"text": ""},
        {"text": "ok, but wait"},
        {"text": "approve", "arguments": {}},
        {"text": "edit"},
        {"text": "edit [1]"},
        {"text": "edit {"},
        {"text": "edit", "arguments": "x"},
    ],
)
def test_what_is_neither_yes_nor_no(clerk: Clerk, model: ModelServer, answer: dict[str, Any]) -> None:
    """An answer that neither approves nor denies is refused; the question stays open."""
    model.script(SEND, Reply("Sent."))
    request = clerk.request()["request_id"]
    clerk.client.command("input_response", request_id=request, **answer)
    error = clerk.client.until("error")["content"]
    assert (error["code"], error["request_id"]) in {("answer_unusable", request), ("bad_frame", request)}
    assert clerk.ran == []
    clerk.client.say("yes")
    clerk.client.until("turn_completed")

    assert clerk.ran == ["send Ada 2"]


def test_several_calls_at_once(clerk: Clerk, model: ModelServer) -> None:
    """Each call that needs approval is asked about separately, also when several come at once."""
    model.script(
        Reply(tools=[("send", {"to": "Ada"}), ("look", {"what": "up"}), ("send", {"to": "Bob"})]), Reply("Ok.")
    )
    first = clerk.request()
    clerk.client.command("input_response", request_id=first["request_id"], text="deny")
    second = clerk.client.until("input_request")["content"]
    clerk.client.command("input_response", request_id=second["request_id"], text="approve")
    clerk.client.until("turn_completed")

    assert [request["tool"]["arguments"] for request in (first, second)] == [{"to": "Ada"}, {"to": "Bob"}]
    assert clerk.ran == ["look", "send Bob 1"]


@pytest.mark.parametrize("clerk", [("--approve", "none")], indirect=True)
def test_nothing_waits_when_nothing_needs_a_yes(clerk: Clerk, model: ModelServer) -> None:
    """With AGENTCHAT_APPROVE=none, even a marked tool runs without approval."""
    model.script(SEND, Reply("Sent."))

    assert "input_request" not in types(clerk.client.ask("Do it"))
    assert clerk.ran == ["send Ada 2"]


@pytest.mark.parametrize("clerk", [("--approve", "all")], indirect=True)
def test_every_tool_needs_a_yes(clerk: Clerk, model: ModelServer) -> None:
    """With AGENTCHAT_APPROVE=all, every tool needs approval."""
    model.script(Reply(tools=[("look", {"what": "up"})]), Reply("Seen."))

    assert clerk.request()["tool"]["name"] == "look"


def test_stopped_while_it_waits(clerk: Clerk, model: ModelServer) -> None:
    """A tool stopped while waiting for approval does not run, now or later."""
    model.script(SEND)
    request = clerk.request()["request_id"]
    clerk.client.command("stop")
    assert clerk.client.until("turn_completed")["content"]["status"] == "stopped"
    clerk.client.command("input_response", request_id=request, text="approve")

    assert clerk.client.until("error")["content"]["code"] == "request_closed"
    assert clerk.ran == []


def test_the_mark_survives_other_decorators(serve: Serve, model: ModelServer, tmp_path: Path) -> None:
    """The mark works above or below other decorators that keep `__wrapped__`."""
    agents = write_agents(tmp_path, wrapped=WRAPPED)
    server = serve("--agents", agents, model=model)
    model.script(Reply(tools=[("above", {"n": 1}), ("below", {"n": 2}), ("coroutine", {"n": 3})]), Reply("Done."))
    with ChatClient(server.websocket, agent="wrapped") as client:
        client.say("Go")
        for name in ("above", "below", "coroutine"):
            assert client.until("input_request")["content"]["tool"]["name"] == name
            client.say("yes")
        client.until("turn_completed")

    assert [c["content"] for c in contents(client.log, "executed_function")] == ["1", "2", "3"]


WRAPPED = '''
"""Marked tools, wrapped."""
import functools
from autogen import ConversableAgent, UserProxyAgent, register_function
from agentchat.chat import needs_approval

def plain(function):
    @functools.wraps(function)
    def wrapped(*args, **kwargs):
        return function(*args, **kwargs)
    return wrapped

@needs_approval
@plain
def above(n: int) -> int:
    return n

@plain
@needs_approval
def below(n: int) -> int:
    return n

@needs_approval
async def coroutine(n: int) -> int:
    return n

def build(llm_config, chat):
    agent = ConversableAgent("clerk", llm_config=llm_config, human_input_mode="NEVER")
    user = UserProxyAgent("user", human_input_mode="NEVER", code_execution_config=False, default_auto_reply=None)
    for tool in (above, below, coroutine):
        register_function(tool, caller=agent, executor=user, description=tool.__name__)
    return user, agent
'''
