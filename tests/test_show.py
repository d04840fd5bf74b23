"""The levels of detail a reader can choose, live and afterwards, by WebSocket and event stream."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from agentchat.app import Running
from agentchat.protocol.visibility import SHOWS
from tests.agent_files import write_agents
from tests.clients import ChatClient, Frame, contents, types
from tests.conftest import Serve
from tests.model_server import ModelServer, Reply
from tests.rest_client import Conversation, RestClient
from tests.test_nested import DEEP
from tests.test_nested import TOOL as INNER_TOOL
from tests.test_selection import TEAM

OSLO = ("weather_forecast", {"city": "Oslo"})
PEOPLE = {
    "user_message", "turn_started", "turn_completed", "input_request", "input_response", "rewind", "session_renamed",
    "handoff", "task_created", "task_updated", "file_changed", "feedback", "error",
}  # fmt: skip
TOOLS = {"tool_call", "execute_function", "executed_function", "tool_response"}
ALLOWED = {
    "final": PEOPLE | {"text"},
    "agents": PEOPLE | {"text", "reasoning", "post_carryover_processing", "tool_call"},
    "tools": PEOPLE | TOOLS | {"text", "reasoning", "post_carryover_processing"},
}

WRITER = '''
"""Writes a file, between a first and a last word."""
from autogen import ConversableAgent, UserProxyAgent, register_function

def build(llm_config, chat):
    def write(path: str) -> str:
        return chat.files.write(path, "text")
    agent = ConversableAgent("writer", llm_config=llm_config, human_input_mode="NEVER")
    user = UserProxyAgent("user", human_input_mode="NEVER", code_execution_config=False, default_auto_reply=None)
    register_function(write, caller=agent, executor=user, description="Writes.")
    return user, agent
'''


CURIOUS = '''
"""Asks after each answer."""
from autogen import Agent, ConversableAgent, UserProxyAgent
from autogen.io.base import IOStream

def ask(recipient, messages, sender, config):
    answer = IOStream.get_default().input("And now?")
    return True, None if answer == "exit" else answer

def build(llm_config, chat):
    agent = ConversableAgent("forecaster", llm_config=llm_config, human_input_mode="NEVER")
    user = UserProxyAgent("user", human_input_mode="NEVER", code_execution_config=False)
    user.register_reply([Agent, None], ask)
    return user, agent
'''


class Readers:
    """A client that sends messages, and a reader for each level."""

    def __init__(self, server: Running, agent: str, stack: contextlib.ExitStack) -> None:
        self.client = stack.enter_context(ChatClient(server.websocket, agent=agent))
        self.id = self.client.confirmed()["session_id"]
        self.server, self._stack = server, stack
        self._live = {show: self.read(show) for show in SHOWS}
        self.session = Conversation(RestClient(server), self.id)

    def read(self, show: str, after: int = 0) -> ChatClient:
        return self._stack.enter_context(ChatClient(self.server.websocket, session=self.id, show=show, after=after))

    def seen(self, turns: int = 1) -> dict[str, list[Frame]]:
        """Return what each reader saw of the log, checking that live, later and streamed views agree."""
        found: dict[str, list[Frame]] = {}
        for show, live in self._live.items():
            late = self.read(show)
            for reader in (live, late):
                while len(contents(reader.frames, "turn_completed")) < turns:
                    reader.receive()
            with self.session.stream(show=show) as stream:
                for _ in range(turns):
                    stream.until("turn_completed")
            assert live.log == late.log == stream.log, show
            seqs = [frame["seq"] for frame in live.log]
            assert seqs == sorted(set(seqs)), f"{show} is not in order"
            assert {f["type"] for f in live.log} <= ALLOWED.get(show, {f["type"] for f in live.log}), show
            found[show] = live.log
        assert not contents(self._live["final"].frames, "stream")
        for show in SHOWS[:-1]:
            assert [f for f in found["all"] if f in found[show]] == found[show], f"{show} shows what all does not"
        self._check_the_middle(found)
        return found

    def _check_the_middle(self, found: dict[str, list[Frame]]) -> None:
        """Check that a reader who reconnects gets what came after the last event it saw."""
        for show, log in found.items():
            for place in {1, len(log) // 2, len(log) - 1}:
                late = self.read(show, after=log[place - 1]["seq"])
                while not late.log or late.log[-1] != log[-1]:
                    late.receive()
                assert late.log == log[place:], show


@pytest.fixture
def readers(serve: Serve, model: ModelServer, tmp_path: Path) -> Iterator[Callable[[str], Readers]]:
    write_agents(tmp_path, curious=CURIOUS, team=TEAM, deep=DEEP, inner=INNER_TOOL, writer=WRITER)
    here = Path(__file__).parent.parent / "agents"
    for name in ("weather", "concierge", "travel"):
        (tmp_path / "agents" / f"{name}.py").write_text((here / f"{name}.py").read_text())
    server = serve("--agents", str(tmp_path / "agents"), model=model)
    with contextlib.ExitStack() as stack:
        yield lambda agent: Readers(server, agent, stack)


def answers(log: list[Frame]) -> list[tuple[str, str]]:
    """Return the agents' texts, without the person's as passed on to the agent, which have no id."""
    return [(t["sender"], t["content"]) for t in contents(log, "text") if "message_id" in t]


def test_an_agent_with_tools(readers: Callable[[str], Readers], model: ModelServer) -> None:
    """Calls and results are shown from level `tools` on."""
    these = readers("weather")
    model.script(Reply("Let me see.", tools=[OSLO]), Reply(tokens=[{"reasoning": "Hm."}, "Sunny."]))
    these.client.ask("What is the weather?")
    seen = these.seen()

    assert types(seen["final"]) == ["user_message", "turn_started", "text", "turn_completed"]
    assert types(seen["agents"]) == ["user_message", "turn_started", "tool_call", "reasoning", "text", "turn_completed"]
    assert set(types(seen["tools"])) >= TOOLS


def test_a_team(readers: Callable[[str], Readers], model: ModelServer) -> None:
    """In a team, everybody speaks, and the last one gives the answer."""
    these = readers("team")
    model.script(Reply("planner"), Reply("A plan."), Reply("coder"), Reply("Some code."), Reply("user"))
    these.client.ask("Build it.")
    seen = these.seen()

    assert answers(seen["final"]) == [("coder", "Some code.")]
    assert answers(seen["agents"]) == [("planner", "A plan."), ("coder", "Some code.")]


def test_the_last_word_is_no_word(readers: Callable[[str], Readers], model: ModelServer) -> None:
    """If the last message has no text, the one before it is the answer."""
    these = readers("team")
    model.script(Reply("planner"), Reply("A plan."), Reply("coder"), Reply("TERMINATE"), Reply("user"))
    these.client.ask("Build it.")

    assert answers(these.seen()["final"]) == [("planner", "A plan.")]
    assert contents(these.client.frames, "turn_completed")[0]["summary"] == "A plan."


def test_a_nested_chat(readers: Callable[[str], Readers], model: ModelServer) -> None:
    """A nested chat is shown from level `agents` on."""
    these = readers("deep")
    model.script(Reply("It is right."))
    these.client.ask("Write it.")
    seen = these.seen()

    assert answers(seen["final"]) == [("writer", "It is right.")]
    assert len(answers(seen["agents"])) == 5
    assert "post_carryover_processing" in types(seen["agents"])


def test_a_question_after_each_answer(readers: Callable[[str], Readers], model: ModelServer) -> None:
    """A question after each answer is shown with that answer."""
    these = readers("curious")
    model.script(Reply("Sunny."), Reply("Windy."))
    these.client.say("Oslo?")
    for text in ("And Bergen?", "exit"):
        request = these.client.until("input_request")["content"]["request_id"]
        these.client.command("input_response", request_id=request, text=text)
    these.client.until("turn_completed")
    seen = these.seen()

    assert types(seen["final"]) == [
        "user_message", "turn_started",
        "text", "input_request", "input_response",
        "text", "input_request", "input_response", "turn_completed",
    ]  # fmt: skip


def test_a_turn_that_was_stopped(readers: Callable[[str], Readers], model: ModelServer) -> None:
    """The partial text of a stopped turn is the answer."""
    these = readers("weather")
    model.script(Reply("It is sunny.", gate_after=(2, threading.Event())))
    these.client.say("Oslo?")
    these.client.until("stream", lambda content: "is" in content["content"])
    these.client.command("stop")
    these.client.until("turn_completed")

    assert answers(these.seen()["final"]) == [("forecaster", "It is ")]


def test_files_between_the_words(readers: Callable[[str], Readers], model: ModelServer) -> None:
    """Everything comes in the order of the log, including the messages of people who don't wait for the end."""
    these = readers("writer")
    gate = threading.Event()
    model.script(
        Reply("First.", tools=[("write", {"path": "a.txt"})]),
        Reply("Second.", tools=[("write", {"path": "b.txt"})], gate=gate),
        Reply("Last."),
        Reply("Next."),
    )
    these.client.say("Write it.")
    these.client.until("file_changed")
    these.client.command("message", text="And then?", id="then")
    these.client.until("user_message", lambda content: content["id"] == "then")
    gate.set()
    these.client.until("turn_completed", turn=2)
    seen = these.seen(turns=2)

    assert answers(seen["final"]) == [("writer", "Last."), ("writer", "Next.")]
    assert types(seen["final"]) == [
        "user_message", "turn_started", "file_changed", "user_message", "file_changed", "text", "turn_completed",
        "turn_started", "text", "turn_completed",
    ]  # fmt: skip


def test_a_message_behind_what_may_be_the_last_word(readers: Callable[[str], Readers], model: ModelServer) -> None:
    """A message after a possible last answer is held back until that is known, to keep the order."""
    these = readers("team")
    gate = threading.Event()
    model.script(
        Reply("planner"), Reply("A plan."), Reply("user", gate=gate), Reply("planner"), Reply("Fine."), Reply("user")
    )
    these.client.say("Build it.")
    these.client.until("text", lambda content: content["sender"] == "planner")
    these.client.command("message", text="Hurry", id="hurry")
    these.client.until("user_message", lambda content: content["id"] == "hurry")
    gate.set()
    these.client.until("turn_completed", turn=2)
    seen = these.seen(turns=2)

    assert types(seen["final"])[:6] == [
        "user_message", "turn_started", "text", "user_message", "turn_completed", "turn_started",
    ]  # fmt: skip


def test_hand_offs_and_operators(readers: Callable[[str], Readers], model: ModelServer) -> None:
    """Hand-offs of both kinds, and operators' messages, are shown at every level."""
    these = readers("concierge")
    forecast = Reply(tools=[("weather_forecast", {"city": "Oslo"})])
    hand_over = Reply(tools=[("hand_over", {"to": "weather", "reason": "asks"})])
    model.script(hand_over, forecast, Reply("Sunny."))
    these.client.ask("Oslo?")
    with ChatClient(these.server.websocket, session=these.id, role="operator", name="Ann") as ann:
        ann.command("take")
        ann.until("handoff", lambda content: content["kind"] == "taken")
        ann.say("Ann here.")
        ann.until("text", lambda content: content.get("operator"))
        ann.command("hand_back", note="Be kind.")
        ann.until("handoff", lambda content: content["kind"] == "returned")
    model.script(Reply("Welcome back."))
    these.client.ask("Thanks")
    seen = these.seen(turns=2)

    assert [h["kind"] for h in contents(seen["final"], "handoff")] == ["agents", "taken", "returned"]
    assert [text for _, text in answers(seen["final"])] == ["Sunny.", "Ann here.", "Welcome back."]


def test_a_question_within(readers: Callable[[str], Readers], model: ModelServer) -> None:
    """A nested question is shown at every level, although the chat around it isn't."""
    these = readers("inner")
    model.script(Reply(tools=[("send", {"to": "Ada"})]), Reply("It is sent."))
    these.client.say("Send it.")
    request = these.client.until("input_request")["content"]["request_id"]
    these.client.command("input_response", request_id=request, text="approve")
    these.client.until("turn_completed")
    seen = these.seen()

    assert types(seen["final"]) == [
        "user_message", "turn_started", "input_request", "input_response", "text", "turn_completed",
    ]  # fmt: skip


@pytest.mark.parametrize("show", ["everything", "FINAL", "final,all", "0"])
def test_a_level_that_there_is_not(server: Running, show: str) -> None:
    """An unknown level is refused with a sentence that names the known ones."""
    session = RestClient(server).new_session()
    with ChatClient(server.websocket, session=session.id, show=show) as client:
        assert client.close_code() == 1008
        [error] = contents(client.frames, "error")
    refused = session.get("/events", show=show)

    assert error["code"] == "bad_query"
    assert "final, agents, tools, all" in error["message"]
    assert (refused.status, refused.code) == (400, "bad_request")
