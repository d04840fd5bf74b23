"""Limits of how many tools run at once."""

from __future__ import annotations

import asyncio
import json
import threading
from collections.abc import Coroutine, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from agentchat import cancellation
from agentchat.ag2 import tool_slots
from agentchat.ag2.tool_slots import ToolSlots
from agentchat.cancellation import Stopped, StopToken
from tests.clients import PATIENCE, ChatClient, contents, wait_until
from tests.conftest import Serve
from tests.model_server import ModelServer, Reply

TOOLS = '''
"""Has tools that wait for a file, that ask, and that hold a chat with a tool of its own."""
import pathlib, time
from autogen import ConversableAgent, UserProxyAgent, register_function
from autogen.io.base import IOStream

def build(llm_config, chat):
    folder = pathlib.Path(FOLDER)

    def sleep(number: int) -> str:
        (folder / f"begun-{number}").touch()
        while not (folder / f"end-{number}").exists():
            time.sleep(0.01)
        return f"slept {number}"

    def ask(what: str) -> str:
        return IOStream.get_default().input(what)

    def inner(text: str) -> str:
        return f"inner {text}"

    def outer(text: str) -> str:
        helper = ConversableAgent("helper", llm_config=llm_config, human_input_mode="NEVER")
        boss = UserProxyAgent("boss", human_input_mode="NEVER", code_execution_config=False, default_auto_reply=None)
        register_function(inner, caller=helper, executor=boss, description="inner")
        return boss.initiate_chat(helper, message=text, max_turns=2).summary

    agent = ConversableAgent("worker", llm_config=llm_config, human_input_mode="NEVER")
    user = UserProxyAgent("user", human_input_mode="NEVER", code_execution_config=False, default_auto_reply=None)
    for tool in (sleep, ask, outer):
        register_function(tool, caller=agent, executor=user, description=tool.__name__)
    return user, agent
'''


class Runs:
    """Calls that run until the test ends them, each in a thread and a turn of its own."""

    def __init__(self, slots: ToolSlots) -> None:
        self._slots = slots
        self._pool = ThreadPoolExecutor(16)
        self._ends: dict[str, threading.Event] = {}
        self._tokens: dict[str, StopToken] = {}
        self.begun: list[str] = []
        self.stopped: list[str] = []

    def start(self, name: str, conversation: str) -> None:
        self._ends[name], self._tokens[name] = threading.Event(), StopToken()
        self._pool.submit(self._run, name, conversation)

    def _run(self, name: str, conversation: str) -> None:
        cancellation.current.set(self._tokens[name])
        try:
            with self._slots.running(conversation):
                self.begun.append(name)
                self._ends[name].wait(PATIENCE)
        except Stopped:
            self.stopped.append(name)

    def end(self, name: str) -> None:
        self._ends[name].set()

    def stop(self, name: str) -> None:
        self._tokens[name].stop("stopped")

    def close(self) -> None:
        for end in self._ends.values():
            end.set()
        self._pool.shutdown()


@pytest.fixture
def runs(slots: ToolSlots) -> Iterator[Runs]:
    runs = Runs(slots)
    yield runs
    runs.close()
    assert slots.counts == (0, 0)


@pytest.fixture
def slots() -> ToolSlots:
    return ToolSlots(2, 3)


def wait_until_counted(slots: ToolSlots, number: int) -> None:
    """Wait until so many calls run or wait."""
    wait_until(lambda: sum(slots.counts) == number)


def test_calls_wait_for_their_turn(slots: ToolSlots, runs: Runs) -> None:
    """Calls run in order, as many as there is room for; those of another conversation pass by a full one."""
    for number, name in enumerate(["a1", "a2", "a3"], 1):
        runs.start(name, "a")
        wait_until_counted(slots, number)
    runs.start("b1", "b")
    wait_until(lambda: slots.counts == (3, 1))
    runs.start("b2", "b")
    wait_until(lambda: slots.counts == (3, 2))
    assert sorted(runs.begun) == ["a1", "a2", "b1"]
    runs.end("b1")
    wait_until(lambda: "b2" in runs.begun)
    assert "a3" not in runs.begun
    runs.end("a2")
    wait_until(lambda: "a3" in runs.begun)


def test_waiting_can_be_stopped(slots: ToolSlots, runs: Runs) -> None:
    """A call that waits ends when its turn is stopped, and takes no place."""
    for number, name in enumerate(["a1", "a2", "a3", "a4"], 1):
        runs.start(name, "a")
        wait_until_counted(slots, number)
    runs.stop("a3")
    wait_until(lambda: runs.stopped == ["a3"])
    assert slots.counts == (2, 1)
    runs.end("a1")
    wait_until(lambda: "a4" in runs.begun)


def test_what_a_tool_calls_runs_in_its_place() -> None:
    slots = ToolSlots(1, 1)
    with slots.running("a"), slots.running("a"):
        assert slots.counts == (1, 0)

    async def both() -> None:
        async with slots.running_async("a"), slots.running_async("a"):
            with slots.running("a"):
                assert slots.counts == (1, 0)

    in_a_loop(both())
    assert slots.counts == (0, 0)


def test_coroutines_wait_without_threads() -> None:
    """Coroutines take turns in one event loop; more of them than asyncio has threads hold up nobody."""
    slots, most = ToolSlots(3), 0

    async def tool() -> None:
        nonlocal most
        async with slots.running_async("a"):
            most = max(most, slots.counts[0])
            await asyncio.to_thread(lambda: None)

    async def all_of_them() -> None:
        await asyncio.gather(*(tool() for _ in range(200)))

    in_a_loop(all_of_them())
    assert most == 3
    assert slots.counts == (0, 0)


def test_coroutines_that_wait_are_stopped() -> None:
    slots, token = ToolSlots(1), StopToken()

    async def tool() -> None:
        async with slots.running_async("a"):
            raise AssertionError("there is no room")

    async def stopped() -> None:
        cancellation.current.set(token)
        waiting = asyncio.create_task(tool())
        cancelled = asyncio.create_task(tool())
        while slots.counts[1] < 2:
            await asyncio.sleep(0)
        cancelled.cancel()
        token.stop("stopped")
        with pytest.raises(Stopped):
            await waiting
        with pytest.raises((Stopped, asyncio.CancelledError)):
            await cancelled

    with slots.running("a"):
        in_a_loop(stopped())
    assert slots.counts == (0, 0)


def test_asking_holds_up_no_other_tool() -> None:
    """While people are asked, another tool may run; afterwards the one that asked waits for its place."""
    slots = ToolSlots(1)
    with slots.running("a"):
        with tool_slots.asking(), tool_slots.asking():
            assert slots.counts == (0, 0)
        assert slots.counts == (1, 0)
    assert slots.counts == (0, 0)
    with tool_slots.asking():
        assert slots.counts == (0, 0)


@pytest.fixture
def agents(tmp_path: Path) -> Path:
    folder = tmp_path / "agents"
    folder.mkdir()
    (folder / "work.py").write_text(TOOLS.replace("FOLDER", json.dumps(str(tmp_path))))
    return folder


def test_tools_of_conversations(serve: Serve, model: ModelServer, tmp_path: Path, agents: Path) -> None:
    """A tool waits while too many run, can be stopped meanwhile, and runs when another has ended."""
    server = serve("--agents", str(agents), "--tools-at-once", "1", "--tools-at-once-in-all", "2", model=model)
    clients = [ChatClient(server.websocket, agent="work") for _ in range(3)]
    for number, client in enumerate(clients):
        model.script(Reply(tools=[("sleep", {"number": number})]))
        client.confirmed()
        client.say(f"go {number}")
        client.until("execute_function")
        if number < 2:
            wait_until((tmp_path / f"begun-{number}").exists)
    clients[2].command("stop")
    assert clients[2].until("turn_completed")["content"]["status"] == "stopped"
    assert not (tmp_path / "begun-2").exists()
    model.script(Reply(tools=[("sleep", {"number": 3})]))
    clients[2].say("again")
    clients[2].until("execute_function")
    (tmp_path / "end-0").touch()
    wait_until((tmp_path / "begun-3").exists)
    for number in (1, 3):
        (tmp_path / f"end-{number}").touch()
    for client in clients:
        with client:
            client.until("turn_completed")


def test_tools_within_tools(serve: Serve, model: ModelServer, agents: Path) -> None:
    """A tool that holds a chat with tools does not wait for itself, nor does one that asks hold up others."""
    server = serve("--agents", str(agents), "--tools-at-once", "1", "--tools-at-once-in-all", "1", model=model)
    with (
        ChatClient(server.websocket, agent="work") as asking,
        ChatClient(server.websocket, agent="work") as client,
    ):
        asking.confirmed()
        model.script(Reply(tools=[("ask", {"what": "Which day?"})]))
        asking.say("Ask me.")
        request = asking.until("input_request")["content"]["request_id"]
        client.confirmed()
        model.script(
            Reply(tools=[("outer", {"text": "hi"})]),
            Reply(tools=[("inner", {"text": "hi"})]),
            Reply("In."),
            Reply("Out."),
        )
        frames = client.ask("Go.")
        results = [content["content"] for content in contents(frames, "executed_function")]
        assert results[0] == "inner hi"
        assert contents(frames, "turn_completed")[0]["status"] == "completed"
        model.script(Reply("Monday it is."))
        asking.command("input_response", request_id=request, text="Monday")
        assert asking.until("turn_completed")["content"]["status"] == "completed"
        assert contents(asking.frames, "executed_function")[0]["content"] == "Monday"


def in_a_loop(coroutine: Coroutine[Any, Any, None]) -> None:
    """Run a coroutine in a thread of its own: Playwright's loop may be running in this one."""
    with ThreadPoolExecutor(1) as pool:
        pool.submit(asyncio.run, coroutine).result(PATIENCE)
