"""Programs that are called with each message, as AG2's users write them for a terminal."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from tests.agent_files import write_agents
from tests.clients import ChatClient, Frame, contents
from tests.conftest import Serve
from tests.model_server import ModelServer, Reply

HEAD = '''
"""A program."""
import asyncio
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from autogen import ConversableAgent, GroupChat, GroupChatManager, UserProxyAgent, initiate_chats
from autogen.agentchat import a_run_group_chat, initiate_group_chat, run_group_chat
from autogen.agentchat.group.patterns import RoundRobinPattern

def agent(chat, name, **more):
    return ConversableAgent(name, system_message=f"You are {name}.", llm_config=chat.llm_config,
                            human_input_mode="NEVER", **more)

def team(chat):
    one, two = agent(chat, "one"), agent(chat, "two")
    return RoundRobinPattern(initial_agent=one, agents=[one, two])
'''

PROGRAMS = {
    "text": 'def on_message(message, chat):\n    return f"You said {message}."',
    "nothing": "def on_message(message, chat):\n    return None",
    "pieces": 'def on_message(message, chat):\n    yield "One, "\n    yield "two."',
    "async_pieces": 'async def on_message(message, chat):\n    yield "One, "\n    yield "two."',
    "pair": """def on_message(message, chat):
    user = UserProxyAgent("user", code_execution_config=False)
    return user.initiate_chat(agent(chat, "helper"), message=message)""",
    "students": """def on_message(message, chat):
    return agent(chat, "student").initiate_chat(agent(chat, "teacher"), message=message, max_turns=2)""",
    "sequence": """def on_message(message, chat):
    boss, one, two = agent(chat, "boss"), agent(chat, "one"), agent(chat, "two")
    return boss.initiate_chats([
        {"recipient": one, "message": f"Topic: {message}", "max_turns": 1, "summary_method": "last_msg"},
        {"recipient": two, "message": "Go on.", "max_turns": 1, "summary_method": "reflection_with_llm"},
    ])""",
    "run": 'def on_message(message, chat):\n    return agent(chat, "helper").run(message=message, max_turns=1)',
    "events": """def on_message(message, chat):
    response = agent(chat, "helper").run(message=message, max_turns=1)
    for event in response.events:
        if event.type == "text":
            event.print()
    return response.summary""",
    "a_run": """async def on_message(message, chat):
    return await agent(chat, "helper").a_run(message=message, max_turns=1)""",
    "stepped": """def on_message(message, chat):
    return agent(chat, "helper").run_iter(message=message, max_turns=1)""",
    "group": "def on_message(message, chat):\n    return run_group_chat(team(chat), messages=message, max_rounds=3)",
    "initiated": """def on_message(message, chat):
    result, variables, last = initiate_group_chat(team(chat), messages=message, max_rounds=3)
    return result, variables, last""",
    "a_group": """async def on_message(message, chat):
    response = await a_run_group_chat(team(chat), messages=message, max_rounds=3)
    await response.process()
    return await response.summary""",
    "reply": """def on_message(message, chat):
    return agent(chat, "helper").generate_reply([*chat.history, {"role": "user", "content": message}])""",
    "memory": """def on_message(message, chat):
    chat.state["count"] = chat.state.get("count", 0) + 1
    said = [m["content"] for m in chat.history if m["role"] == "user"]
    return f"{chat.state['count']}: {said}" """,
    "console": """def on_message(message, chat):
    print("Working on", message)
    name = input("Your name? ")
    print("Done.", flush=True)
    return f"Hello {name}" """,
    "asks_after": """def on_message(message, chat):
    said = agent(chat, "helper").generate_reply([{"role": "user", "content": message}])
    if chat.approve("Go on?", {"said": said}):
        return f"{input('Your name? ')}: {said}"
    return "No." """,
    "threads": """def on_message(message, chat):
    with ThreadPoolExecutor() as pool:
        replies = list(pool.map(lambda name: agent(chat, name).generate_reply(
            [{"role": "user", "content": message}]), ["one"]))
    return f"FINAL {replies[0]}" """,
    "asleep": "def on_message(message, chat):\n    time.sleep(60)",
    "coroutine": "async def on_message(message, chat):\n    await asyncio.sleep(60)",
    "greedy": """def on_message(message, chat):
    def ask():
        while True:
            agent(chat, "helper").generate_reply([{"role": "user", "content": message}])
    with ThreadPoolExecutor() as pool:
        pool.submit(ask).result()""",
    "own_tools": """def weekday(date: str) -> str:
    "Return the weekday of a date."
    return "Thursday"

def on_message(message, chat):
    user = UserProxyAgent("user", human_input_mode="NEVER", code_execution_config=False)
    return user.initiate_chat(agent(chat, "clerk", functions=[weekday]), message=message)""",
    "own_tools_group": """def weekday(date: str) -> str:
    "Return the weekday of a date."
    return "Thursday"

def on_message(message, chat):
    user = UserProxyAgent("user", human_input_mode="NEVER", code_execution_config=False)
    members = [user, agent(chat, "clerk", functions=[weekday])]
    group = GroupChat(members, [], max_round=4, speaker_selection_method="round_robin")
    return user.initiate_chat(GroupChatManager(group), message=message)""",
    "drafts": """def on_message(message, chat):
    asked = [{"role": "user", "content": message}]
    first = agent(chat, "planner").generate_reply(asked)
    agent(chat, "boss").initiate_chat(agent(chat, "helper"), message=f"Do it: {first}", max_turns=1)
    return agent(chat, "judge").generate_reply(asked)""",
    "exits": """def on_message(message, chat):
    import sys
    if message == "quit":
        sys.exit(0)
    return "Go on." """,
    "loop": """async def answer():
    return "From a coroutine."

def on_message(message, chat):
    return asyncio.get_event_loop().run_until_complete(answer())""",
    "values": """import datetime, decimal, dataclasses

@dataclasses.dataclass
class Point:
    x: int

def on_message(message, chat):
    return {"point": Point(1), "day": datetime.date(2026, 1, 2), "tuple": ("a", 1),
            "number": decimal.Decimal("1.5")}[message]""",
    "last_value": 'def on_message(message, chat):\n    yield "Working."\n    return "The end."',
    "lines": """import sys

def on_message(message, chat):
    print("Name?", flush=True)
    return sys.stdin.readline()""",
    "own_answers": """def on_message(message, chat):
    user = UserProxyAgent("user", human_input_mode="ALWAYS", code_execution_config=False)
    answers = ["And then?", "exit"]
    response = user.run(agent(chat, "helper"), message=message)
    for event in response.events:
        if event.type == "input_request":
            event.content.respond(answers.pop(0))
    return response.summary""",
    "shared": """AGENTS = {}

def on_message(message, chat):
    if "helper" not in AGENTS:
        AGENTS["helper"] = agent(chat, "helper")
        AGENTS["user"] = UserProxyAgent("user", human_input_mode="NEVER", code_execution_config=False)
    return AGENTS["user"].initiate_chat(AGENTS["helper"], message=message, clear_history=False)""",
    "beside": """from _memory import SAID

def on_message(message, chat):
    SAID.append(message)
    return " ".join(SAID)""",
    "object": "def on_message(message, chat):\n    return object()",
    "broken": 'def on_message(message, chat):\n    raise ValueError("no")',
}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> str:
    """Return one folder with all programs: a process imports an unchanged file once."""
    sources = {name: HEAD + "\n" + source for name, source in PROGRAMS.items()}
    return write_agents(tmp_path_factory.mktemp("programs"), **sources, _memory="SAID = []\n")


@pytest.fixture
def talk(serve: Serve, folder: str, model: ModelServer) -> Iterator[Callable[..., ChatClient]]:
    clients: list[ChatClient] = []

    def begin(agent: str = "", **query: str) -> ChatClient:
        where = {"agent": agent} if agent else {}
        clients.append(ChatClient(serve("--agents", folder, model=model).websocket, **where, **query))
        clients[-1].confirmed()
        return clients[-1]

    yield begin
    for client in clients:
        client.socket.close()


def said(frames: list[Frame]) -> list[tuple[str, str, str | None]]:
    """Return what agents said: their names, texts, and the agents within whose chats they spoke."""
    return [(t["sender"], t["content"], t.get("within")) for t in contents(frames, "text") if "message_id" in t]


def ended(frames: list[Frame]) -> tuple[str, str]:
    [end] = contents(frames, "turn_completed")
    return end["status"], end["summary"]


def streamed(frames: list[Frame]) -> dict[str, str]:
    """Return the streamed texts by their message ids, without output."""
    texts: dict[str, str] = {}
    for chunk in contents(frames, "stream"):
        if "kind" not in chunk:
            texts[chunk["message_id"]] = texts.get(chunk["message_id"], "") + chunk["content"]
    return texts


@pytest.mark.parametrize(
    ("program", "replies", "expected"),
    [
        ("text", [], [("text", "You said Hi.", None)]),
        ("nothing", [], []),
        ("pieces", [], [("pieces", "One, two.", None)]),
        ("async_pieces", [], [("async_pieces", "One, two.", None)]),
        ("pair", ["Hello."], [("helper", "Hello.", None)]),
        (
            "students",
            ["It is 4.", "And 3+3?", "It is 6."],
            [("teacher", "It is 4.", None), ("student", "And 3+3?", None), ("teacher", "It is 6.", None)],
        ),
        (
            "sequence",
            ["First.", "Second.", "In short."],
            [
                ("boss", "Topic: Hi", None),
                ("one", "First.", None),
                ("boss", "Go on.\nContext: \nFirst.", None),
                ("two", "Second.", None),
                ("sequence", "In short.", None),
            ],
        ),
        ("run", ["Hello."], [("helper", "Hello.", None)]),
        ("events", ["Hello."], [("helper", "Hello.", None)]),
        ("a_run", ["Hello."], [("helper", "Hello.", None)]),
        ("stepped", ["Hello."], [("helper", "Hello.", None)]),
        ("group", ["First.", "Second."], [("one", "First.", None), ("two", "Second.", None)]),
        ("initiated", ["First.", "Second."], [("one", "First.", None), ("two", "Second.", None)]),
        ("a_group", ["First.", "Second."], [("one", "First.", None), ("two", "Second.", None)]),
        ("reply", ["Hello."], [("helper", "Hello.", None)]),
        (
            "drafts",
            ["A plan.", "Done.", "Good."],
            [
                ("planner", "A plan.", None),
                ("boss", "Do it: A plan.", None),
                ("helper", "Done.", None),
                ("judge", "Good.", None),
            ],
        ),
        (
            "own_answers",
            ["One.", "Two."],
            [("helper", "One.", None), ("user", "And then?", None), ("helper", "Two.", None)],
        ),
        ("loop", [], [("loop", "From a coroutine.", None)]),
        ("last_value", [], [("last_value", "Working.", None), ("last_value", "The end.", None)]),
        ("threads", ["Hello."], [("one", "Hello.", None), ("threads", "FINAL Hello.", None)]),
    ],
)
def test_a_program(
    talk: Callable[..., ChatClient],
    model: ModelServer,
    program: str,
    replies: list[str],
    expected: list[tuple[str, str, str | None]],
) -> None:
    """Everything that is said is shown with its author, streamed, and once; the last word is what is returned."""
    model.script(*(Reply(text) for text in replies))
    frames = talk(program).ask("Hi")

    assert said(frames) == expected
    assert ended(frames) == ("completed", expected[-1][1] if expected else "")
    assert len(model.requests) == len(replies)
    texts = {t["message_id"]: t["content"] for t in contents(frames, "text") if "message_id" in t}
    assert all(texts[id] == text for id, text in streamed(frames).items())
    assert not contents(frames, "error")
    output = [chunk for chunk in contents(frames, "stream") if chunk.get("kind") == "output"]
    assert not output


def test_the_turns_before(serve: Serve, folder: str, model: ModelServer) -> None:
    """History and state are kept with the conversation, through a restart; a retry takes both back."""
    first = serve("--agents", folder, "--data-dir", "kept", model=model)
    with ChatClient(first.websocket, agent="memory") as client:
        session = client.confirmed()["session_id"]
        summaries = [ended(client.ask(text))[1] for text in ("a", "b")]
    first.close()
    second = serve("--agents", folder, "--data-dir", "kept", model=model)
    with ChatClient(second.websocket, session=session) as client:
        client.confirmed()
        client.until("turn_completed", turn=2)
        summaries.append(ended(client.ask("c"))[1])
        client.command("retry")
        summaries.append(client.until("turn_completed", turn=4)["content"]["summary"])

    assert summaries == ["1: []", "2: ['a']", "3: ['a', 'b']", "3: ['a', 'b']"]


def test_the_console_is_the_conversation(talk: Callable[..., ChatClient], capfd: pytest.CaptureFixture[str]) -> None:
    """Printed text is shown live and isn't in the log; `input` asks the person."""
    client = talk("console")
    client.say("it")
    request = client.until("input_request")["content"]
    client.command("input_response", request_id=request["request_id"], text="Ada")
    client.until("turn_completed")

    output = [chunk for chunk in contents(client.frames, "stream") if chunk.get("kind") == "output"]
    assert "".join(chunk["content"] for chunk in output) == "Working on it\nDone.\n"
    assert request["prompt"] == "Your name? "
    assert ended(client.frames) == ("completed", "Hello Ada")
    assert not contents(client.log, "print")
    assert capfd.readouterr().out == ""


def test_questions_through_restarts(serve: Serve, folder: str, model: ModelServer) -> None:
    """A program that asks is run again after a restart, up to its question, without asking the model again."""
    model.script(Reply("Hello."))
    server = serve("--agents", folder, "--data-dir", "kept", model=model)
    with ChatClient(server.websocket, agent="asks_after") as client:
        session = client.confirmed()["session_id"]
        client.say("Hi")
        client.until("input_request")
    for answer in ("approve", "Ada"):
        server.close()
        server = serve("--agents", folder, "--data-dir", "kept", model=model)
        with ChatClient(server.websocket, session=session) as client:
            [request] = client.confirmed()["open_requests"]
            client.command("input_response", request_id=request["request_id"], text=answer)
            while client.until("input_response")["content"]["request_id"] != request["request_id"]:
                continue
            last = client.until("turn_completed" if answer == "Ada" else "input_request")

    assert last["content"]["summary"] == "Ada: Hello."
    assert said(client.log) == [("helper", "Hello.", None), ("asks_after", "Ada: Hello.", None)]
    assert len(model.requests) == 1


@pytest.mark.parametrize("program", ["asleep", "coroutine"])
def test_a_stop_ends_what_waits(talk: Callable[..., ChatClient], program: str) -> None:
    """A stop ends the turn whatever the program does; the next one is stopped as well."""
    client = talk(program)
    for turn in (1, 2):
        client.say("Hi")
        client.until("turn_started", turn=turn)
        client.command("stop")
        assert client.until("turn_completed", turn=turn)["content"]["status"] == "stopped"


def test_a_stop_ends_the_calls_of_other_threads(talk: Callable[..., ChatClient], model: ModelServer) -> None:
    """After a stop no thread that the program has started calls a model, and the conversation goes on."""
    gate = threading.Event()
    model.script(Reply("One."), Reply("Two.", gate=gate))
    client = talk("greedy")
    client.say("Hi")
    model.wait_for(lambda counts: counts.requests == 2)
    client.command("stop")
    assert client.until("turn_completed")["content"]["status"] == "stopped"
    gate.set()
    client.say("Hi")
    error = client.until("error", turn=2)["content"]
    client.until("turn_completed", turn=2)

    assert error["code"] == "model_calls"
    assert model.counts.requests == 2 + 30


@pytest.mark.parametrize("program", ["object", "broken"])
def test_a_program_that_fails(talk: Callable[..., ChatClient], program: str) -> None:
    """A program that fails, or returns something unusable, ends its turn; the next one begins."""
    client = talk(program)
    frames = client.ask("Hi")
    again = client.ask("Hi")

    assert [ended(frames)[0], ended(again)[0]] == ["failed", "failed"]
    assert contents(frames, "error")[0]["code"] == "agent_failed"


@pytest.mark.parametrize("program", ["own_tools", "own_tools_group"])
def test_tools_of_agents_alone(talk: Callable[..., ChatClient], model: ModelServer, program: str) -> None:
    """Tools that agents only have for their models are carried out in pairs and in groups that a program makes."""
    model.script(Reply(tools=[("weekday", {"date": "today"})]), Reply("It is Thursday."))
    frames = talk(program).ask("Which day?")

    assert contents(frames, "executed_function")[0]["content"] == "Thursday"
    assert ended(frames) == ("completed", "It is Thursday.")


@pytest.mark.parametrize(
    ("message", "answer"),
    [
        ("point", '{\n  "x": 1\n}'),
        ("day", "2026-01-02"),
        ("tuple", '[\n  "a",\n  1\n]'),
        ("number", "1.5"),
    ],
)
def test_what_a_program_returns(talk: Callable[..., ChatClient], message: str, answer: str) -> None:
    """Values are said as JSON, or as their own text."""
    assert ended(talk("values").ask(message)) == ("completed", answer)


def test_a_program_that_exits(talk: Callable[..., ChatClient]) -> None:
    """A program that exits ends its turn, as in a terminal; the next message begins it again."""
    client = talk("exits")

    assert [ended(client.ask(text)) for text in ("quit", "hello")] == [("completed", ""), ("completed", "Go on.")]


def test_lines_that_are_read(talk: Callable[..., ChatClient]) -> None:
    """Reading a line from `sys.stdin` asks the person."""
    client = talk("lines")
    client.say("Hi")
    request = client.until("input_request")["content"]["request_id"]
    client.command("input_response", request_id=request, text="Ada")
    client.until("turn_completed")

    assert ended(client.frames)[1] == "Ada"


@pytest.mark.parametrize("program", ["shared", "beside"])
def test_conversations_share_nothing(
    serve: Serve, folder: str, model: ModelServer, connect_to: Callable[..., ChatClient], program: str
) -> None:
    """Variables of a program's module, or of one beside it, belong to one conversation."""
    server = serve("--agents", folder, model=model)
    first, second = connect_to(server, program), connect_to(server, program)
    first.ask("A secret")
    first.ask("And more")
    frames = second.ask("Hello")

    assert "secret" not in str(model.requests[-1:])
    assert "secret" not in str(contents(frames, "text"))
    if program == "shared":
        assert [len(request["body"]["messages"]) for request in model.requests] == [2, 4, 2]
    else:
        assert contents(first.log, "turn_completed")[1]["summary"] == "A secret And more"


@pytest.fixture
def connect_to() -> Iterator[Callable[..., ChatClient]]:
    clients: list[ChatClient] = []

    def connect(server: Any, agent: str) -> ChatClient:
        clients.append(ChatClient(server.websocket, agent=agent))
        clients[-1].confirmed()
        return clients[-1]

    yield connect
    for client in clients:
        client.socket.close()
