"""The coding team: its work is visible as it happens, stays in its project, and always ends."""

from __future__ import annotations

import contextlib
import itertools
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from agentchat.testing import Call, ScriptedModel, Talk, Turn, call, talk
from tests import model_server
from tests.clients import ChatClient, contents, wait_until
from tests.conftest import AGENTS, Serve
from tests.model_server import ModelServer
from tests.shared_servers import Served

WRITE = call("write_file", path="hello.py", content="print('hello')\n")
DIFF = "--- /dev/null\n+++ b/project/hello.py\n@@ -0,0 +1 @@\n+print('hello')\n"


def ask(*script: Any, **options: Any) -> Talk:
    """Return a talk with the team, in which the model gives these answers."""
    return talk(AGENTS / "coding_team.py", "Build it.", model=ScriptedModel(*script), **options)


def steps(turn: Talk | Turn) -> list[tuple[str, str, str]]:
    """Return messages and tool calls with their authors."""
    found = []
    for event in turn.events:
        content = event.content
        if event.type == "text":
            found.append(("says", content["sender"], content["content"].strip()))
        elif event.type == "tool_call":
            names = " ".join(call["function"]["name"] for call in content["tool_calls"])
            found.append(("calls", content["sender"], names))
        elif event.type == "executed_function":
            found.append(("ran", content["recipient"], content["content"]))
    return found


def changed_paths(turn: Talk) -> list[str]:
    return [change["path"] for change in turn.contents("turn_completed")[0]["code_changes"]]


def test_a_planner_and_a_coder_at_work() -> None:
    """Thoughts, calls and results are shown in order with their authors, and the turn's end lists the changes."""
    team = ask(
        call("list_files"),
        "Write hello.py.",
        WRITE,
        [call("read_file", path="hello.py"), call("search_files", words="HELLO")],
        "It is written.",
        "You have a program that says hello. TERMINATE",
    )

    assert steps(team) == [
        ("says", "user", "Build it."),
        ("calls", "Planner", "list_files"),
        ("ran", "user", "The project has no files."),
        ("says", "Planner", "Write hello.py."),
        ("calls", "Coder", "write_file"),
        ("ran", "user", "hello.py was created."),
        ("calls", "Coder", "read_file search_files"),
        ("ran", "user", "print('hello')\n"),
        ("ran", "user", "hello.py:1: print('hello')"),
        ("says", "Coder", "It is written."),
        ("says", "Planner", "You have a program that says hello."),
    ]
    assert [sender for sender, _ in itertools.groupby(chunk["sender"] for chunk in team.contents("stream"))] == [
        "Planner",
        "Coder",
        "Planner",
    ]
    [changed] = team.contents("file_changed")
    assert (changed["path"], changed["kind"], changed["by"]) == ("project/hello.py", "created", "Coder")
    assert (team.status, team.answer) == ("completed", "You have a program that says hello.")
    [end] = team.contents("turn_completed")
    assert end["code_changes"] == [{"path": "project/hello.py", "kind": "created", "diff": DIFF}]
    assert len(team.model.requests) == 6  # no model is asked who speaks next


def test_each_has_the_tools_for_its_part() -> None:
    """Each agent has its own tools: the Planner only reads, and code runs only if enabled.

    The language comes with the message.
    """
    team = ask("Do it.", call("run_code", code="1"), "No.", "Then not. TERMINATE", context={"language": "COBOL"})

    first, second, *_ = team.model.requests
    assert first.tools == ["list_files", "read_file", "search_files"]
    assert second.tools == ["list_files", "read_file", "search_files", "write_file"]
    assert "Language: COBOL." in second.system
    assert [(tool.ok, tool.result) for tool in team.tools] == [(False, "Error: Function run_code not found.")]


def test_a_question_is_answered_by_the_planner() -> None:
    """The Planner answers a question alone."""
    team = ask("It is a program. TERMINATE")

    assert steps(team)[1:] == [("says", "Planner", "It is a program.")]
    assert team.answer == "It is a program."


@pytest.mark.parametrize("planner", ["Go.", "", "terminate?"])
def test_it_ends_when_nothing_is_left_to_do(planner: str) -> None:
    """The turn ends when the Coder only reads and talks, even if the Planner never ends it."""
    team = ask(planner, call("list_files"), "Nothing to do.")

    assert steps(team)[-1] == ("says", "Coder", "Nothing to do.")
    assert team.status == "completed"


STUBBORN: dict[str, list[Any]] = {
    "the Coder calls on and on": ["Go.", *[WRITE] * 60],
    "the Planner calls on and on": [call("list_files")] * 60,
    "the Planner is never content": ["Go on.", WRITE, "Written."] * 20,
    "both call what there is not": [[call("nothing"), Call("write_file", "{")]] * 60,
}


@pytest.mark.parametrize("script", STUBBORN.values(), ids=STUBBORN)
def test_a_model_that_never_stops(script: list[Any]) -> None:
    """A model that never stops is stopped before the limit of model calls fails the turn; every call has its result.

    After a restart, the team goes on with all that was said.
    """
    answers = iter(script)
    is_fine: list[bool] = []
    team = ask(lambda request: "Fine. TERMINATE" if is_fine else next(answers))
    assert (team.status, team.error) == ("completed", None)
    assert 10 < len(team.model.requests) <= 30
    team.restart()
    is_fine.append(True)
    assert steps(team.say("And now?"))[1:] == [("says", "Planner", "Fine.")]
    history = team.model.requests[-1].messages

    calls = [call["id"] for message in history for call in message.get("tool_calls") or ()]
    answered = [message["tool_call_id"] for message in history if message["role"] == "tool"]
    assert calls == answered != []
    assert "The person ended" not in str(history)


def test_nothing_leads_out_of_the_project(tmp_path: Path) -> None:
    """No path leads out of the project, even to the conversation's other files; parallel calls each get a result."""
    secret = tmp_path / "secret.txt"
    secret.write_text("top secret")
    paths = ["../upload.txt", str(secret), "link", "up/upload.txt", "a/../../upload.txt", "..", "C:\\x"]
    team = talk(
        AGENTS / "coding_team.py",
        model=ScriptedModel(
            [call("read_file", path=path) for path in paths],
            "Go.",
            [*(call("write_file", path=path, content="mine") for path in paths), call("nothing")],
            [call("list_files"), call("search_files", words="secret")],
            "I give up.",
            "Then not. TERMINATE",
        ),
        files={"upload.txt": "not of the project"},
    )
    project = team.folder / "project"
    project.mkdir()
    (project / "link").symlink_to(secret)
    (project / "up").symlink_to("..")
    team.say("Build it.")

    results = [(tool.ok, tool.result or "") for tool in team.tools]
    assert all(not ok and "cannot be used" in said for ok, said in results[:14])
    assert results[14:] == [
        (False, "Error: Function nothing not found."),
        (True, "The project has no files."),
        (True, "Nothing was found."),
    ]
    assert changed_paths(team) == []
    assert team.files == {"upload.txt": "not of the project"}
    assert secret.read_text() == "top secret"


RUN = call("run_code", code="print(6 * 7)\nopen('out.txt', 'w').write('x')")


@pytest.mark.parametrize("approve", ["marked", "none"])
def test_code_runs_after_a_yes(approve: str) -> None:
    """Each run of code needs approval, whatever AGENTCHAT_APPROVE says; files it writes are reported as changes."""
    script = ["Run it.", RUN, RUN, "42.", "It is 42. TERMINATE"]
    team = ask(*script, answers=["approve", "deny"], approve=approve, run_code=True)

    first, second = team.questions
    assert (first.agent, first.tool, second.tool) == ("Coder", "run_code", "run_code")
    assert "print(6 * 7)" in first.arguments["code"]
    assert [tool.ok for tool in team.tools] == [True, False]
    assert team.tools[0].result == "Exit status 0.\n42\n"
    types = [event.type for event in team.events]
    assert types.index("input_response") < types.index("file_changed")  # nothing ran before the yes
    [changed] = team.contents("file_changed")
    assert (changed["path"], changed["kind"], changed["by"]) == ("project/out.txt", "created", "Coder")
    assert changed_paths(team) == ["project/out.txt"]


# Over the wire


class Client:
    """A conversation with the team over the wire, and its project folder."""

    def __init__(self, server: Served, client: ChatClient, folder: Path) -> None:
        self.server = server
        self.client = client
        self.session = client.confirmed()["session_id"]
        self.project = folder / "workspaces" / self.session / "project"

    def wait_for_run(self) -> Any:
        """Wait for the question that asks to run code."""
        return self.client.until("input_request")["content"]

    def answer(self, request: Any, text: str) -> None:
        self.client.command("input_response", request_id=request["request_id"], text=text)


Start = Callable[..., Client]


@pytest.fixture
def start(serve: Serve, model: ModelServer, tmp_path: Path) -> Iterator[Start]:
    """Start a server that runs code, and a new or existing conversation with the team."""
    with contextlib.ExitStack() as stack:

        def begin(session: str = "") -> Client:
            server = serve("--run-code", model=model)
            query = {"session": session} if session else {"agent": "coding_team"}
            return Client(server, stack.enter_context(ChatClient(server.websocket, **query)), tmp_path / "data")

        yield begin


def scripted(*answers: str | Call) -> list[model_server.Reply]:
    """Return answers as those of the model server."""
    return [
        model_server.Reply(tools=[(answer.name, answer.arguments)])
        if isinstance(answer, Call)
        else model_server.Reply(answer)
        for answer in answers
    ]


@pytest.mark.all_agents
def test_a_restart_while_the_code_waits_for_its_yes(start: Start, model: ModelServer) -> None:
    """A restart while code waits for approval repeats no earlier writes, which still count as changes of the turn."""
    team = start()
    model.script(*scripted("Write and run it.", WRITE, RUN))
    team.client.say("What is 6 * 7?")
    question = team.wait_for_run()
    team.server.close()
    again = start(session=team.session)
    assert again.project.joinpath("hello.py").exists()
    model.script(*scripted("42.", "It is 42. TERMINATE"))
    again.answer(question, "approve")
    end = again.client.until("turn_completed")["content"]

    assert (end["status"], end["summary"]) == ("completed", "It is 42.")
    assert [change["path"] for change in end["code_changes"]] == ["project/hello.py", "project/out.txt"]
    assert end["code_changes"][0]["diff"] == DIFF
    told = [changed["path"] for changed in contents(again.client.log, "file_changed")]
    assert told == ["project/hello.py", "project/out.txt"]  # each once


@pytest.mark.all_agents
def test_code_ends_with_a_stop(start: Start, model: ModelServer) -> None:
    """A stop ends running code at once; what it had written counts as changes of the turn."""
    team = start()
    code = "import os, time\nopen('pid', 'w').write(str(os.getpid()))\nos.rename('pid', 'there')\ntime.sleep(600)"
    model.script(*scripted("Run it.", call("run_code", code=code)))
    team.client.say("Run it.")
    team.answer(team.wait_for_run(), "approve")
    wait_until((team.project / "there").exists)
    process = Path("/proc") / (team.project / "there").read_text()
    team.client.command("stop")
    end = team.client.until("turn_completed")["content"]

    assert end["status"] == "stopped"
    assert [change["path"] for change in end["code_changes"]] == ["project/there"]
    wait_until(lambda: not process.exists())
