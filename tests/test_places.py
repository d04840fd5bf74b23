"""Naming what to serve: a file, a folder, or an object of a module."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from agentchat import settings
from agentchat.ag2.shapes import Program, Team
from agentchat.chat import Chat
from agentchat.protocol.errors import ChatError, SettingsError
from tests.clients import ChatClient, contents
from tests.shared_servers import Served, start

SOURCE = """
from autogen import ConversableAgent
from words import WORD

def make(llm_config):
    return ConversableAgent(WORD, llm_config=llm_config, human_input_mode="NEVER")

def build(llm_config, chat):
    return make(llm_config)

def main(message):
    return message.upper()

def kept():
    return shared

shared = ConversableAgent("shared", llm_config=False)
number = 5
"""

Start = Callable[..., Served]


@pytest.fixture
def begin(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest) -> Start:
    """Start a server in a folder with a file `mine.py` and the module `words` that it shares with others."""
    (tmp_path / "own").mkdir()
    (tmp_path / "own" / "mine.py").write_text(SOURCE)
    (tmp_path / "own" / "words.py").write_text("WORD = 'hello'")
    (tmp_path / "own" / "other.py").write_text(SOURCE)
    others = str(tmp_path.parent)  # folders of other tests, which may have modules of the same names
    monkeypatch.setattr(sys, "path", [path for path in sys.path if not path.startswith(others)])
    for name in ("words", "mine"):
        monkeypatch.delitem(sys.modules, name, raising=False)

    def begin(*arguments: str) -> Served:
        served = start(["demo", "--data-dir", str(tmp_path / "data"), *arguments], {})
        request.addfinalizer(served.close)
        return served

    return begin


def agent_of(served: Served, session: str = "s") -> Team | Program:
    [info] = served.catalogue.agents()
    assert info.available, info.reason
    return served.catalogue.build(info.name, Chat(session))


@pytest.mark.parametrize("arguments", [("own/mine.py",), ("--log-level", "INFO", "own/mine.py")])
def test_a_file(begin: Start, arguments: tuple[str, ...]) -> None:
    """One file is served alone, by its name, and answers; what is beside it can be imported."""
    served = begin(*arguments)

    assert [info.name for info in served.catalogue.agents()] == ["mine"]
    with ChatClient(served.websocket) as client:
        assert client.confirmed()["agent"] == "mine"
        assert contents(client.ask("hello"), "turn_completed")[0]["status"] == "completed"


def test_a_folder(begin: Start) -> None:
    """A folder is served like that of the setting."""
    assert [info.name for info in begin("own").catalogue.agents()] == ["mine", "other"]


def test_the_file_agent_py(begin: Start, tmp_path: Path) -> None:
    """Without a name, a file agent.py beside the server is served, unless a folder is chosen."""
    (tmp_path / "agent.py").write_text(SOURCE.replace("from words import WORD", "WORD = 'x'"))

    assert settings.load([], {}).served == "agent.py"
    assert settings.load(["demo"], {}).served == "agent.py"
    assert settings.load(["--agents", "own"], {}).served == ""
    assert settings.load([], {"AGENTCHAT_AGENTS": "own"}).served == ""
    assert [info.name for info in begin().catalogue.agents()] == ["agent"]


@pytest.mark.parametrize(
    ("object", "name", "agent"),
    [
        ("mine:build", "mine", "hello"),
        ("mine:make", "make", "hello"),
        ("mine:kept", "kept", "shared"),
        ("mine:shared", "shared", "shared"),
    ],
)
def test_an_object_that_gives_agents(
    begin: Start, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, object: str, name: str, agent: str
) -> None:
    """An object of a module is served: a function that builds, or an agent, of which each conversation has its own."""
    monkeypatch.chdir(tmp_path / "own")
    served = begin(object)

    made, other = agent_of(served), agent_of(served, "t")
    assert isinstance(made, Team)
    assert isinstance(other, Team)
    assert (served.catalogue.default, made.agent.name) == (name, agent)
    assert made.agent is not other.agent


def test_a_function_that_answers(begin: Start, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A function of a message is a program."""
    monkeypatch.chdir(tmp_path / "own")
    program = agent_of(begin("mine:main"))

    assert isinstance(program, Program)
    assert program.on_message("hello", Chat("s")) == "HELLO"


@pytest.mark.parametrize(
    ("object", "reason"),
    [
        ("mine:nothing", "mine.py has no nothing."),
        ("mine:number", "number is a value of the type int: return an agent"),
        ("own/words.py", "words.py has neither build nor on_message. "),
    ],
)
def test_what_is_no_agent(
    begin: Start, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, object: str, reason: str
) -> None:
    """A named file without an agent is listed as unavailable, with the reason, until it is repaired."""
    monkeypatch.chdir(tmp_path if "/" in object else tmp_path / "own")
    served = begin(object)

    [info] = served.catalogue.agents()
    assert info.reason is not None
    assert info.reason.startswith(reason)
    with pytest.raises(ChatError, match="cannot start"):
        served.catalogue.build(info.name, Chat("s"))


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (("demmo",), "There is no demmo. Name a file, such as agent.py, a folder of them, or module:object."),
        (("own/absent.py",), "There is no own/absent.py."),
        (("own/notes.txt",), "own/notes.txt is not a Python file."),
        (("own", "own/mine.py"), "Only one of own and own/mine.py can be served."),
        (("absent_module:build",), "There is no module absent_module that can be imported from"),
        (("absent.module:build",), "The module absent.module cannot be imported: No module named 'absent'."),
        (("sys:path",), "The module sys is not a Python file."),
    ],
)
def test_what_cannot_be_served(begin: Start, tmp_path: Path, arguments: tuple[str, ...], sentence: str) -> None:
    """Names of missing files, and of files that aren't Python, are refused in words."""
    (tmp_path / "own" / "notes.txt").write_text("notes")
    with pytest.raises(SettingsError) as error:
        begin(*arguments)
    assert str(error.value).startswith(sentence)
