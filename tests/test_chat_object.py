"""The `chat` object of an agent's tools: asking, approval and progress, during their own turn only."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from agentchat.app import Running
from agentchat.chat import AgentServices, Chat
from agentchat.protocol.errors import ChatError
from agentchat.sessions.user_notes import UserNotes
from tests.agent_files import write_agents
from tests.clients import ChatClient, contents
from tests.conftest import Serve
from tests.memory_store import MemoryStore
from tests.model_server import ModelServer, Reply

left: dict[str, Any] = {}
"""The actions of tools left running, and the events they wait for."""

CLERK = '''
"""Has tools that reach into the conversation."""
import asyncio, contextvars, threading
from autogen import ConversableAgent, UserProxyAgent, register_function
from agentchat.chat import needs_approval
from tests.test_chat_object import left

def build(llm_config, chat):
    def ask(prompt: str) -> str:
        return chat.ask(prompt)

    def choose(prompt: str) -> str:
        return chat.ask(prompt, choices=["red", "blue"])

    def secret(prompt: str) -> str:
        return str(len(chat.ask(prompt, password=True)))

    async def ask_async(prompt: str) -> str:
        await asyncio.sleep(0)
        return chat.ask(prompt)

    def ask_thread(prompt: str) -> str:
        answers = []
        thread = threading.Thread(target=lambda: answers.append(chat.ask(prompt)))
        thread.start()
        thread.join()
        return answers[0]

    def approve(prompt: str) -> str:
        return str(chat.approve(prompt, {"price": 3}))

    def count(prompt: str) -> str:
        for number in range(10_001):
            chat.progress(number, 10_000, prompt)
        return chat.ask("Counted")

    def endless(prompt: str) -> str:
        chat.progress(1)
        chat.progress(2, text=prompt)
        return chat.ask("Go on?")

    def leave(prompt: str) -> str:
        go, tried = threading.Event(), {}
        left.update(go=go, tried=tried, done=threading.Event())
        chat.progress(1, 2, "waiting")
        go.wait()
        for name, act in {
            "ask": lambda: chat.ask("Still there?"),
            "approve": lambda: chat.approve("That?"),
            "progress": lambda: chat.progress(2, 2),
            "hand": lambda: chat.hand_to_human("Help"),
            "write": lambda: chat.files.write("late.txt", "late"),
            "plan": lambda: chat.plan.create("Late"),
        }.items():
            try:
                act()
                tried[name] = "did"
            except BaseException as error:
                tried[name] = type(error).__name__
        left["done"].set()
        return "late"

    def leave_thread(prompt: str) -> str:
        left["stop"], left["errors"] = threading.Event(), []
        def late():
            left["stop"].wait()
            try:
                chat.progress(1, 2, "too late")
            except BaseException as error:
                left["errors"].append(type(error).__name__)
            left["ended"].set()
        left["ended"] = threading.Event()
        threading.Thread(target=contextvars.copy_context().run, args=(late,), daemon=True).start()
        return "left it"

    @needs_approval(always=True)
    def delete(prompt: str) -> str:
        return "deleted " + prompt

    agent = ConversableAgent("clerk", llm_config=llm_config, human_input_mode="NEVER")
    user = UserProxyAgent("user", human_input_mode="NEVER", code_execution_config=False, default_auto_reply=None)
    tools = (ask, choose, secret, ask_async, ask_thread, approve, count, endless, leave, leave_thread, delete)
    for tool in tools:
        register_function(tool, caller=agent, executor=user, description=tool.__name__)
    return user, agent
'''


@pytest.fixture
def agents(tmp_path: Path) -> str:
    return write_agents(tmp_path, clerk=CLERK)


@pytest.fixture
def server(serve: Serve, agents: str, model: ModelServer) -> Running:
    return serve("--agents", agents, model=model)


@pytest.fixture
def client(server: Running) -> Iterator[ChatClient]:
    with ChatClient(server.websocket) as client:
        client.confirmed()
        yield client


def use(tool: str, prompt: str = "Which?") -> Reply:
    return Reply(tools=[(tool, {"prompt": prompt})])


def answer(client: ChatClient, text: str) -> Any:
    """Answer the next question and return it."""
    request = client.until("input_request")["content"]
    client.command("input_response", request_id=request["request_id"], text=text)
    return request


def result(client: ChatClient) -> str:
    """Return the tool's result at the end of the turn."""
    done = client.until("executed_function")["content"]
    client.until("turn_completed")
    return str(done["content"])


@pytest.mark.parametrize("tool", ["ask", "ask_async", "ask_thread", "choose"])
def test_a_question(client: ChatClient, model: ModelServer, tool: str) -> None:
    """A tool's question reaches people from any thread or task; choices are offered, and other answers allowed."""
    model.script(use(tool))
    client.say("Do it")
    request = answer(client, "green")

    assert (request["agent"], request["prompt"], request["password"]) == ("clerk", "Which?", False)
    assert request["choices"] == (["red", "blue"] if tool == "choose" else None)
    assert result(client) == "green"


def test_a_password(client: ChatClient, model: ModelServer) -> None:
    """A password reaches the tool, but is never stored or sent anywhere."""
    model.script(use("secret"))
    client.say("Do it")
    request = answer(client, "hunter22")

    assert request["password"] is True
    assert result(client) == "8"
    assert "hunter22" not in str(client.frames) + str(model.requests)


@pytest.mark.parametrize(
    ("text", "allowed"),
    [("approve", True), ("yes", True), ("Ok!", True), ("y", True)]
    + [(text, False) for text in ("deny", "no", "", "ok, but wait", "yesterday", "aye", "approve not", "yes?", "1")],
)
def test_a_yes(client: ChatClient, model: ModelServer, text: str, allowed: bool) -> None:
    """A confirmation asks for yes or no, and shows its details."""
    model.script(use("approve", "Buy it"))
    client.say("Do it")
    request = answer(client, text)

    assert (request["prompt"], request["choices"]) == ("Buy it\nprice: 3", ["approve", "deny"])
    assert result(client) == str(allowed)


@pytest.mark.parametrize("approve", ["none", "marked", "all"])
def test_a_tool_that_never_runs_without_a_yes(serve: Serve, agents: str, model: ModelServer, approve: str) -> None:
    """A tool that always needs approval asks whatever AGENTCHAT_APPROVE says."""
    with ChatClient(serve("--agents", agents, "--approve", approve, model=model).websocket) as client:
        client.confirmed()
        for text, expected in (("deny", False), ("approve", True)):
            model.script(use("delete", "it"))
            client.say("Do it")
            assert answer(client, text)["tool"]["name"] == "delete"
            assert (result(client) == "deleted it") is expected


def test_progress(server: Running, client: ChatClient, model: ModelServer) -> None:
    """Thousands of progress steps become a few frames in order, including the last.

    A client that joins later gets the current state, which disappears with the tool.
    """
    model.script(use("count", "Counting"))
    client.say("Do it")
    client.until("progress", lambda content: content["done"] == 10_000)
    session = client.frames[0]["content"]["session_id"]
    with (
        ChatClient(server.websocket, session=session) as late,
        ChatClient(server.websocket, session=session, show="agents") as other,
    ):
        [bar] = late.confirmed()["progress"]
        request = late.until("input_request")["content"]["request_id"]
        client.command("input_response", request_id=request, text="yes")
        for reader in (client, late, other):
            reader.until("turn_completed")
    with ChatClient(server.websocket, session=session) as last:
        assert last.confirmed()["progress"] == []

    seen = [content["done"] for content in contents(client.frames, "progress")]
    assert seen == sorted(seen)
    assert (seen[-1], len(seen) <= 200) == (10_000, True)
    call = contents(client.frames, "execute_function")[0]["call_id"]
    assert {k: v for k, v in bar.items() if k != "uuid"} == {
        "turn": 1, "id": call, "tool": "count", "done": 10_000, "total": 10_000, "text": "Counting",
    }  # fmt: skip
    assert contents(other.frames, "progress") == []


def test_progress_without_an_end(client: ChatClient, model: ModelServer) -> None:
    """Progress without a total shows the newest report, even one that came too soon and was the last."""
    model.script(use("endless", "Still at it"))
    client.say("Do it")
    bar = client.until("progress", lambda content: content["done"] == 2)["content"]
    assert (bar["total"], bar["text"]) == (None, "Still at it")
    if not contents(client.frames, "input_request"):
        client.until("input_request")
    client.command("stop")
    client.until("turn_completed")


def test_a_tool_that_was_left_behind(server: Running, client: ChatClient, model: ModelServer) -> None:
    """A tool left running can do nothing any more, neither in its own turn nor in the next one."""
    model.script(use("leave"))
    client.say("Do it")
    client.until("progress")
    client.command("stop")
    client.until("turn_completed")
    model.script(use("ask"))
    client.say("Next")
    request = client.until("input_request")["content"]["request_id"]
    left["go"].set()
    left["done"].wait(20)
    client.command("input_response", request_id=request, text="blue")
    client.until("turn_completed")

    assert left["tried"] == dict.fromkeys(["ask", "approve", "progress", "hand", "write", "plan"], "Stopped")
    assert [r["prompt"] for r in contents(client.frames, "input_request")] == ["Which?"]
    assert not {"handoff", "file_changed", "task_created"} & {frame["type"] for frame in client.frames}
    with ChatClient(server.websocket, session=client.frames[0]["content"]["session_id"]) as late:
        assert late.confirmed()["progress"] == []


def test_a_thread_that_outlives_its_turn(client: ChatClient, model: ModelServer) -> None:
    """A thread that outlives its turn shows no progress after the end, even without a stop."""
    model.script(use("leave_thread"))
    client.ask("Do it")
    left["stop"].set()
    left["ended"].wait(20)
    frames = client.ask("Next")

    assert left["errors"] == ["Stopped"]
    assert contents(frames, "progress") == []


@pytest.mark.parametrize(("tool", "text"), [("ask", "blue"), ("choose", "red"), ("approve", "yes"), ("ask_async", "x")])
def test_questions_survive_a_restart(serve: Serve, agents: str, model: ModelServer, tool: str, text: str) -> None:
    """A tool's question survives a restart: the next server takes the answer, and the turn goes on."""
    first = serve("--agents", agents, model=model)
    model.script(use(tool), Reply("Done."))
    with ChatClient(first.websocket) as client:
        session = client.confirmed()["session_id"]
        client.say("Do it")
        request = client.until("input_request")["content"]["request_id"]
    first.close()
    with ChatClient(serve("--agents", agents, model=model).websocket, session=session) as client:
        assert [r["request_id"] for r in client.confirmed()["open_requests"]] == [request]
        client.command("input_response", request_id=request, text=text)
        assert result(client) == ("True" if tool == "approve" else text)

    assert contents(client.log, "turn_completed")[0]["summary"] == "Done."
    assert len(contents(client.log, "input_request")) == 1
    assert len(model.requests) == 2


@pytest.mark.parametrize("use_it", [
    lambda chat: chat.ask("What?"),
    lambda chat: chat.approve("That?"),
    lambda chat: chat.progress(1),
    lambda chat: chat.hand_to_human("Help"),
    lambda chat: chat.plan.create("Do it"),
    lambda chat: chat.remember("likes", "tea"),
    lambda chat: chat.recall(),
    lambda chat: chat.forget("likes"),
    lambda chat: chat.files.write("note.md", "tea"),
])  # fmt: skip
def test_outside_a_turn(use_it: Any, tmp_path: Path) -> None:
    """Outside a turn, using `chat` raises an error that explains why."""
    with pytest.raises(ChatError, match="only while it answers a message"):
        use_it(Chat("none", AgentServices(tmp_path / "data", UserNotes(MemoryStore()))))
    assert not list(tmp_path.rglob("note.md"))


def test_a_chat_without_services() -> None:
    """A chat that was built without a server's parts says which one is missing."""
    with pytest.raises(RuntimeError, match="without documents"):
        _ = Chat("none").knowledge
    with pytest.raises(RuntimeError, match="without a memory"):
        Chat("none").recall()
