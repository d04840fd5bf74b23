"""`python main.py check` tries agents offline and says in words what will not work."""

from __future__ import annotations

import json
import os
import socket
from collections.abc import Callable
from pathlib import Path

import pytest

from agentchat.cli import main
from agentchat.cli.new import TEMPLATES
from tests.conftest import KEY

HEAD = """
import json, os, socket
from autogen import ConversableAgent, GroupChat, GroupChatManager, LLMConfig, UserProxyAgent
from autogen.coding import LocalCommandLineCodeExecutor
from agentchat.chat import Run

def agent(name, config, **more):
    return ConversableAgent(name, llm_config=config, human_input_mode="NEVER", **more)

def look(place) -> str:
    return place
look.__annotations__["place"] = object

own = {"model": "own-1", "api_key": "sk-own-key-123456789", "base_url": "https://models.example.com/v1"}
user = dict(name="user", human_input_mode="NEVER", code_execution_config=False)
"""

Check = Callable[..., tuple[int, list[str]]]


@pytest.fixture
def check(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Check:
    """Check agents of these sources; return the exit status and the lines."""

    def check(*arguments: str, **sources: str) -> tuple[int, list[str]]:
        folder = tmp_path / "agents"
        folder.mkdir(exist_ok=True)
        for name, source in sources.items():
            (folder / f"{name}.py").write_text(HEAD + source)
        status = main(["check", str(folder), *arguments])
        return status, capsys.readouterr().out.splitlines()

    return check


def test_agents_that_work(capsys: pytest.CaptureFixture[str]) -> None:
    """Agents that work get one line each, and the status is 0."""
    assert main(["check", str(TEMPLATES)]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines == [f"{path.stem}: works" for path in sorted(TEMPLATES.glob("*.py"))]


def test_what_keeps_agents_from_working(check: Check) -> None:
    """Each error is one line that says what to do, the agent does not work, and the status is 1."""
    status, lines = check(
        fine="def build(c): return agent('a', c)",
        shared="WORD = 'not an agent'",
        nothing="def build(c): agent('a', c)",
        module="import cv2",
        ag2="raise ImportError(\"A module is missing:\\n - 'PIL' is not installed.\")",
        key="def build(c): return agent('a', {'model': 'gpt-x'})",
        where="def build(c): return agent('a', c.where(model='gpt-x'))",
        chooser="def build(c): return GroupChatManager(GroupChat([agent('a', c), agent('b', c)], []))",
        never="def build(c):\n    user['max_consecutive_auto_reply'] = 0\n"
        "    return UserProxyAgent(**user), agent('a', c, functions=[look])",
        early="agent('a', {**own}).generate_reply([{'role': 'user', 'content': 'hello'}])\ndef build(): ...",
        asks="input('Your name? ')\ndef build(c): return agent('a', c)",
        fails="def on_message(message): return 1 / 0",
        silent_crash="def build(c):\n    a = agent('a', c)\n"
        "    a.register_reply([object, None], lambda *x, **y: {}['x'], position=0)\n    return a",
    )

    assert status == 1
    assert "fine: works" in lines
    assert not [line for line in lines if line.startswith("shared")]
    errors = {line.partition(":")[0]: line for line in lines if ": error: " in line}
    assert {line.partition(":")[0] for line in lines if line.endswith("does not work")} == set(errors)
    for name, words in {
        "nothing": "build returned None: did you forget `return`?",
        "module": "the package cv2 is missing: pip install opencv-python",
        "ag2": "the package PIL is missing: pip install pillow",
        "key": "api_key",
        "where": "No configured model is like that: take llm_config as it is",
        "chooser": "the group has no model to choose who speaks",
        "never": "user never runs the tool look: it has max_consecutive_auto_reply=0",
        "early": "build returned None",
        "asks": "EOFError",
        "fails": "its turn failed: ZeroDivisionError: division by zero (fails.py, line",
        "silent_crash": "its turn failed: KeyError: 'x' (silent_crash.py, line",
    }.items():
        assert words in errors[name], name
    assert any(line.startswith("early: error: it talks to a model when it is imported") for line in lines)
    assert any(line.startswith("asks: error: it calls input() when it is imported") for line in lines)


def test_what_is_good_to_know(check: Check, tmp_path: Path) -> None:
    """Notes say what an agent does that a person may not expect; it works all the same."""
    local = f"LocalCommandLineCodeExecutor(work_dir={str(tmp_path)!r})"
    status, lines = check(
        code=f"def build(c): return UserProxyAgent('u', human_input_mode='NEVER', "
        f"code_execution_config={{'executor': {local}}}), agent('a', c)",
        two="def build(c): return agent('student', c), agent('teacher', c)",
        mine="def build(c): return agent('a', LLMConfig({**own}))",
        vague="def build(c): return agent('a', c, functions=[look])",
        prints="print('hello')\ndef build(c): return agent('a', c)",
        reaches="socket_made = socket.getaddrinfo\n"
        "def on_message(message): return socket.create_connection(('models.example.com', 443))",
        asks="def on_message(message): return input('Which city?')",
        words="def on_message(message, chat):\n    return json.loads('no JSON')",
        silent="def on_message(message): return None",
    )

    assert status == 0, lines
    notes = {line.partition(":")[0]: line.partition(": note: ")[2] for line in lines if ": note: " in line}
    for name, words in {
        "code": "u runs code that models write, on this machine, with what this user may do, after a yes",
        "two": "student and teacher both have a model: they talk for 2 rounds a message",
        "mine": "a has a model of its own, own-1, whatever the server is given",
        "vague": "the tool look does not say what type place has",
        "prints": "it prints when it is imported or built",
        "reaches": "it connects to models.example.com, which was not tried",
        "asks": "it asks the person: Which city?",
        "words": "the demo model's words were not what it expects: JSONDecodeError",
        "silent": "it said nothing to the first message",
    }.items():
        assert words in notes[name], name
    assert not [line for line in lines if "does not work" in line]


def test_code_that_runs_unasked(check: Check, tmp_path: Path) -> None:
    """With --approve none, code runs unasked, and the check says so."""
    local = f"LocalCommandLineCodeExecutor(work_dir={str(tmp_path)!r})"
    source = f"def build(c): return agent('u', False, code_execution_config={{'executor': {local}}}), agent('a', c)"
    _, lines = check("--approve", "none", code=source)
    assert any("unasked, because of --approve none" in line for line in lines)


def test_tools_are_not_run(check: Check, tmp_path: Path) -> None:
    """Tools might do something to the world outside, so each call is denied."""
    source = (
        f"def weather_forecast(city: str) -> str:\n    'Weather forecast.'\n    open({str(tmp_path / 'ran')!r}, 'w')\n"
        "    return ''\nSUGGESTIONS = ['What is the weather in Oslo?']\n"
        "def build(c): return agent('a', c, functions=[weather_forecast])"
    )
    status, lines = check(tool=source)
    assert (status, lines) == (0, ["tool: works"])
    assert not (tmp_path / "ran").exists()


def test_code_is_not_run(check: Check, tmp_path: Path) -> None:
    """Code that an agent writes is denied as well, whatever --approve says."""
    code = f"```sh\\ntouch {tmp_path / 'ran'}\\n```"
    status, lines = check(
        "--approve",
        "none",
        code="def build(c):\n    a = ConversableAgent('a', llm_config=False, human_input_mode='NEVER', "
        f"max_consecutive_auto_reply=1, default_auto_reply={code!r}.replace(chr(92) + 'n', chr(10)))\n"
        f"    executor = LocalCommandLineCodeExecutor(work_dir={str(tmp_path)!r})\n"
        "    return UserProxyAgent('u', human_input_mode='NEVER', code_execution_config={'executor': executor}), a",
    )
    assert status == 0, lines
    assert not (tmp_path / "ran").exists()


def test_configured_models_keep_their_names(check: Check, monkeypatch: pytest.MonkeyPatch) -> None:
    """An agent file may ask for a configured model by its name; the demo model answers in its place."""
    monkeypatch.setenv("OAI_CONFIG_LIST", json.dumps([{"model": "gpt-x", "api_key": KEY}]))
    assert check(where="def build(c): return agent('a', c.where(model='gpt-x'))") == (0, ["where: works"])


def test_one_file(check: Check, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """One file is checked alone; what cannot be found is status 2."""
    check(one="def build(c): return agent('a', c)", two="1 / 0")
    assert main(["check", str(tmp_path / "agents" / "one.py")]) == 0
    assert capsys.readouterr().out == "one: works\n"
    assert main(["check", "absent.py"]) == 2
    assert "There is no absent.py." in capsys.readouterr().err


def test_nothing_is_left_behind(check: Check, tmp_path: Path) -> None:
    """Conversations of a check are not kept, and afterwards the network is open again."""
    check(one="def build(c): return agent('a', c)")
    assert os.listdir(tmp_path) == ["agents"]
    with socket.create_server(("127.0.0.1", 0)) as server:
        socket.create_connection(server.getsockname()).close()
    socket.getaddrinfo("127.0.0.1", 80)
