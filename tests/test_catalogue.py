"""Agent files are found and built, their failures explained, and their changes noticed."""

from __future__ import annotations

import os
import threading
from pathlib import Path

import pytest

from agentchat.ag2.catalogue import Catalogue
from agentchat.app import Running
from agentchat.chat import AgentServices, Chat
from agentchat.protocol.errors import ChatError, SettingsError
from tests.clients import ChatClient, contents, wait_until
from tests.conftest import Serve
from tests.model_server import ModelServer, Reply
from tests.processes import ROOT
from tests.shared_servers import Served

pytestmark = pytest.mark.own_server  # tests change the agent files of a running server

GOOD = '''
"""Repeats what you say.

And more."""
from autogen import ConversableAgent, UserProxyAgent
SUGGESTIONS = ["Say it."]
def build(llm_config, chat):
    agent = ConversableAgent("parrot", llm_config=llm_config, human_input_mode="NEVER")
    return UserProxyAgent("user", human_input_mode="NEVER", code_execution_config=False), agent
'''


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    folder = tmp_path / "agents"
    folder.mkdir()
    (folder / "parrot.py").write_text(GOOD)
    return folder


@pytest.fixture
def demo(serve: Serve, folder: Path) -> Served:
    return serve("demo", "--agents", str(folder))


def test_a_file_with_a_build_is_an_agent(demo: Running) -> None:
    """A file with a build function is an agent, whose name, description and suggestions come from the file."""
    [parrot] = demo.catalogue.agents()

    assert (parrot.name, parrot.description, parrot.suggestions) == ("parrot", "Repeats what you say.", ["Say it."])
    assert (parrot.available, parrot.reason) == (True, None)


def test_a_file_without_a_build_is_not(demo: Running, folder: Path) -> None:
    """A file without a build function is not an agent; agent files may share modules."""
    (folder / "shared.py").write_text("WORD = 'hello'")
    (folder / "_private.py").write_text("def build(): ...")
    (folder / "my-agent.py").write_text(GOOD)
    (folder / "polite.py").write_text("from shared import WORD\n" + GOOD)

    assert [info.name for info in demo.catalogue.agents()] == ["my-agent", "parrot", "polite"]


@pytest.mark.parametrize(
    ("source", "reason"),
    [
        ("def build(:", "SyntaxError: invalid syntax (line 1)"),
        ("\nimport no_such_module", "ModuleNotFoundError: No module named 'no_such_module' (line 2)"),
        ("def build(llm_config, chat):\n    return 1 / 0", "ZeroDivisionError: division by zero (line 2)"),
        (
            "def build(llm_config, chat): return 5",
            "build returned a value of the type int: return an agent, a pair (user, agent), one of AG2's patterns or a "
            "GroupChatManager.",
        ),
        ("import sys\nsys.exit('no')", "SystemExit: no (line 2)"),
    ],
)
def test_one_that_does_not_work_is_listed_with_the_reason(
    demo: Running, folder: Path, source: str, reason: str
) -> None:
    """A broken agent is listed with the reason, and the others work."""
    (folder / "broken.py").write_text(source)

    parrot, broken = demo.catalogue.agents()
    assert (parrot.name, parrot.available) == ("parrot", True)
    assert (broken.name, broken.available, broken.reason) == ("broken", False, reason)
    with ChatClient(demo.websocket, agent="broken") as client:
        client.confirmed()
        frames = client.ask("hello")
    [error] = contents(frames, "error")
    assert error["code"] == "agent_unavailable"
    assert reason in error["message"]


def test_a_new_file_is_seen_while_the_server_runs(demo: Running, folder: Path) -> None:
    """An agent dropped in while the server runs can be used."""
    (folder / "second.py").write_text(GOOD.replace("Repeats", "Also repeats"))

    assert [info.name for info in demo.catalogue.agents()] == ["parrot", "second"]
    with ChatClient(demo.websocket, agent="second") as client:
        assert client.confirmed()["agent"] == "second"
        assert contents(client.ask("hello"), "turn_completed")[0]["status"] == "completed"


def test_a_changed_file_counts_from_the_next_conversation_on(demo: Running, folder: Path) -> None:
    """A changed agent file takes effect in the next conversation: repaired agents appear, removed ones disappear."""
    path = folder / "second.py"
    path.write_text("def build(:")
    assert not demo.catalogue.agents()[1].available
    path.write_text(GOOD)
    assert demo.catalogue.agents()[1].available
    path.unlink()
    assert [info.name for info in demo.catalogue.agents()] == ["parrot"]


def test_an_unchanged_file_is_imported_once(serve: Serve, folder: Path) -> None:
    """An unchanged file is imported once per process, however many servers it starts; a failed one is tried again."""
    count = "import pathlib\nwith open(pathlib.Path(__file__).with_suffix('.txt'), 'a') as file: file.write('x')\n"
    (folder / "counted.py").write_text(GOOD + count)
    (folder / "broken.py").write_text(count + "1 / 0")
    for _ in range(2):
        serve("demo", "--agents", str(folder)).close()

    assert (folder / "counted.txt").read_text() == "x"
    assert (folder / "broken.txt").read_text() == "xx"


def test_a_session_whose_agent_is_gone_can_still_be_read(serve: Serve, demo: Served, folder: Path) -> None:
    """A session whose agent is gone is still replayed; a message gets an error that names the missing agent."""
    with ChatClient(demo.websocket, agent="parrot") as client:
        session = client.confirmed()["session_id"]
        client.ask("hello")
    demo.close()  # otherwise its agents might still be in memory
    os.remove(folder / "parrot.py")
    server = serve("demo", "--agents", str(folder))
    with ChatClient(server.websocket, session=session) as client:
        assert client.confirmed()["last_seq"] > 0
        client.say("still there?")
        client.until("turn_completed", turn=2)
        [error] = contents(client.log, "error")
        assert "parrot" in error["message"]


def test_an_agent_that_fails_in_a_turn(serve: Serve, folder: Path, model: ModelServer) -> None:
    """When an agent fails, the person gets the error in short, the log has the details, and the session goes on."""
    failing = GOOD.replace(
        "    return User",
        "    agent.register_reply([object], lambda *a, **k: 1 / 0, position=0)\n    return User",
    )
    (folder / "failing.py").write_text(failing)
    server = serve("--agents", str(folder), model=model)
    with ChatClient(server.websocket, agent="failing") as client:
        client.confirmed()
        for _ in range(2):
            [error] = contents(client.ask("hello"), "error")
            assert error["code"] == "agent_failed"
            assert "ZeroDivisionError" in error["message"]


def test_a_folder_that_is_not_there(serve: Serve, tmp_path: Path) -> None:
    """The server doesn't start if the agents folder is missing."""
    with pytest.raises(SettingsError, match="does not exist"):
        serve("demo", "--agents", str(tmp_path / "nowhere"))


def test_a_folder_without_agents(serve: Serve, tmp_path: Path) -> None:
    """The server starts with an empty agents folder, since files can be dropped in later; clients are told."""
    (tmp_path / "empty").mkdir()
    server = serve("demo", "--agents", str(tmp_path / "empty"))
    with ChatClient(server.websocket) as client:
        assert client.receive()["content"]["code"] == "agent_unknown"


def test_the_readme_example_works(serve: Serve, tmp_path: Path) -> None:
    """The agent in the README has at most fifteen lines and works as printed."""
    source = (ROOT / "README.md").read_text().split("```python\n# agents/", 1)[1]
    name, _, code = source.partition("\n")
    code = code.partition("```")[0].strip()
    (tmp_path / "agents").mkdir()
    (tmp_path / "agents" / name).write_text(code)
    server = serve("demo", "--agents", str(tmp_path / "agents"))

    assert len([line for line in code.splitlines() if line.strip()]) <= 16
    [info] = server.catalogue.agents()
    assert info.available, info.reason
    with ChatClient(server.websocket) as client:
        frames = client.ask(info.suggestions[0])
    assert contents(frames, "executed_function")[0]["is_exec_success"]
    assert contents(frames, "turn_completed")[0]["status"] == "completed"


def test_the_workspace_is_a_folder_of_its_own(tmp_path: Path) -> None:
    """The workspace is a folder of its own, created on first use."""
    chat = Chat("abc", services=AgentServices(tmp_path))

    assert not (tmp_path / "workspaces").exists()
    assert chat.workspace == tmp_path / "workspaces" / "abc"
    assert chat.workspace.is_dir()


def test_building_an_unknown_agent(demo: Running) -> None:
    """Building an unknown agent fails with the names of the known ones."""
    catalogue: Catalogue = demo.catalogue
    with pytest.raises(ChatError, match="There are: parrot"):
        catalogue.build("perrot", Chat("s"))


def test_dropping_a_file_in_does_not_change_the_default(serve: Serve, folder: Path) -> None:
    """A new file doesn't change the default agent.

    It is the one a setting names, or the first by name while that is missing.
    """
    server = serve("demo", "--agents", str(folder), "--default-agent", "zebra")
    assert server.catalogue.default == "parrot"
    (folder / "zebra.py").write_text(GOOD)
    (folder / "ant.py").write_text(GOOD)
    assert server.catalogue.default == "zebra"


def test_a_file_that_is_slow_to_import_holds_up_nobody_else(demo: Running, folder: Path, tmp_path: Path) -> None:
    """A slow import delays nobody else, who get the agents known so far."""
    (folder / "slow.py").write_text(
        f"import pathlib, time\npathlib.Path({str(tmp_path / 'begun')!r}).touch()\n"
        f"while not pathlib.Path({str(tmp_path / 'go')!r}).exists(): time.sleep(0.01)\n" + GOOD
    )
    asking = threading.Thread(target=demo.catalogue.agents)
    asking.start()
    wait_until((tmp_path / "begun").exists)
    with ChatClient(demo.websocket, agent="parrot") as client:
        client.confirmed()
        assert contents(client.ask("hello"), "turn_completed")[0]["status"] == "completed"
    (tmp_path / "go").touch()
    asking.join()
    assert [info.name for info in demo.catalogue.agents()] == ["parrot", "slow"]


@pytest.mark.parametrize(
    "failure", ["sys.exit('bye')", "raise asyncio.CancelledError", "raise KeyboardInterrupt", "1 / 0"]
)
def test_a_tool_may_raise_anything(serve: Serve, folder: Path, model: ModelServer, failure: str) -> None:
    """Whatever a tool raises becomes its result; the model is told, and the turn goes on."""
    tool = f"import asyncio, sys\nfrom autogen import register_function\ndef leave() -> str:\n    {failure}\n"
    registered = (
        GOOD.replace("    return User", "    user = User")
        + "    register_function(leave, caller=agent, executor=user[0], description='Leaves.')\n    return user\n"
    )
    (folder / "leaver.py").write_text(tool + registered)
    server = serve("--agents", str(folder), model=model)
    model.script(Reply(tools=[("leave", {})]), Reply("It did not work."))
    with ChatClient(server.websocket, agent="leaver") as client:
        client.confirmed()
        frames = client.ask("leave")
    assert not contents(frames, "executed_function")[0]["is_exec_success"]
    assert contents(frames, "turn_completed")[0]["summary"] == "It did not work."
