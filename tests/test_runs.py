"""The options of `Run`: rounds, memory, and the words that become the answer."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest

from tests.agent_files import write_agents
from tests.clients import ChatClient, contents
from tests.conftest import Serve
from tests.model_server import ModelServer, Reply

HEAD = '''
"""Two who talk."""
from autogen import ConversableAgent, GroupChat, GroupChatManager, UserProxyAgent
from agentchat.chat import Run

def build(llm_config, chat):
    def agent(name):
        return ConversableAgent(name, llm_config=llm_config, human_input_mode="NEVER")
    student, teacher = agent("student"), agent("teacher")
    user = UserProxyAgent("user", human_input_mode="NEVER", code_execution_config=False)
'''

AGENTS = {
    "two": "    return student, teacher",
    "once": "    return Run((student, teacher), max_turns=1)",
    "fresh": "    return Run((user, teacher), fresh=True)",
    "fresh_group": """
    group = GroupChat([user, student, teacher], [], max_round=3, speaker_selection_method="round_robin")
    return Run((user, GroupChatManager(group)), fresh=True)""",
    "reflected": '    return Run((user, teacher), summary_method="reflection_with_llm")',
}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> str:
    sources = {name: f"{HEAD}\n{source}" for name, source in AGENTS.items()}
    return write_agents(tmp_path_factory.mktemp("runs"), **sources)


@pytest.fixture
def talk(serve: Serve, folder: str, model: ModelServer) -> Iterator[Callable[[str], ChatClient]]:
    clients: list[ChatClient] = []

    def begin(agent: str) -> ChatClient:
        clients.append(ChatClient(serve("--agents", folder, model=model).websocket, agent=agent))
        clients[-1].confirmed()
        return clients[-1]

    yield begin
    for client in clients:
        client.socket.close()


def said(client: ChatClient) -> list[tuple[str, str]]:
    return [(t["sender"], t["content"]) for t in contents(client.log, "text") if "message_id" in t]


def asked(model: ModelServer) -> list[tuple[str, str]]:
    """Return the last request's messages without the system's."""
    return [(m["role"], m["content"]) for m in model.requests[-1]["body"]["messages"] if m["role"] != "system"]


@pytest.mark.parametrize(("agent", "rounds"), [("two", 2), ("once", 1)])
def test_rounds(talk: Callable[[str], ChatClient], model: ModelServer, agent: str, rounds: int) -> None:
    """Two models talk for so many rounds, two by default, in each turn; they remember the turns before."""
    client = talk(agent)
    for turn in (1, 2):
        model.script(*(Reply(f"{turn}.{n}") for n in range(2 * rounds - 1)))
        client.ask(f"Question {turn}")

    speakers = ["teacher", "student", "teacher"][: 2 * rounds - 1]
    assert said(client) == [(name, f"{turn}.{n}") for turn in (1, 2) for n, name in enumerate(speakers)]
    assert ("user", "Question 1") in asked(model)
    assert len(model.requests) == 2 * (2 * rounds - 1)


@pytest.mark.parametrize(("agent", "calls"), [("fresh", 1), ("fresh_group", 2)])
def test_fresh(talk: Callable[[str], ChatClient], model: ModelServer, agent: str, calls: int) -> None:
    """Fresh agents know nothing of the turns before, as in a program that runs once."""
    client = talk(agent)
    for question in ("First?", "Second?"):
        model.script(*(Reply(f"Answer {n}") for n in range(calls)))
        client.ask(question)

    assert asked(model)[0] == ("user", "Second?")
    assert len(said(client)) == len(model.requests) == 2 * calls


def test_a_summary_of_its_own(talk: Callable[[str], ChatClient], model: ModelServer) -> None:
    """The summary that a method of AG2's makes is the turn's answer."""
    model.script(Reply("A long story."), Reply("In short."))
    client = talk("reflected")
    frames = client.ask("Tell me")

    assert said(client) == [("teacher", "A long story."), ("teacher", "In short.")]
    assert contents(frames, "turn_completed")[0]["summary"] == "In short."
