"""The coding team: its work is visible as it happens, stays in its project, and always ends."""

from __future__ import annotations

import contextlib
import itertools
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.clients import ChatClient, Frame, contents, wait_until
from tests.conftest import Serve
from tests.model_server import ModelServer, Reply
from tests.shared_servers import Served

pytestmark = pytest.mark.all_agents

WRITE = ("write_file", {"path": "hello.py", "content": "print('hello')\n"})
DIFF = "--- /dev/null\n+++ b/project/hello.py\n@@ -0,0 +1 @@\n+print('hello')\n"


class Team:
    """A conversation with the team, and its project folder."""

    def __init__(self, server: Served, client: ChatClient, folder: Path, model: ModelServer) -> None:
        self.server = server
        self.client = client
        self.session = client.confirmed()["session_id"]
        self.workspace = folder / "workspaces" / self.session
        self.project = self.workspace / "project"
        self.model = model

    def ask(self, *replies: Reply, text: str = "Build it.", **context: object) -> list[Frame]:
        """Return the frames of a turn in which the model gives these answers."""
        self.model.script(*replies)
        start = len(self.client.frames)
        self.client.command("message", text=text, context=context)
        self.client.until("turn_completed")
        return self.client.frames[start:]

    def offered(self, request: int) -> list[str]:
        """Return the tools that the model was offered."""
        return [tool["function"]["name"] for tool in self.model.requests[request]["body"]["tools"]]

    def wait_for_run(self) -> Any:
        """Wait for the question that asks to run code."""
        return self.client.until("input_request")["content"]

    def answer(self, request: Any, text: str) -> None:
        self.client.command("input_response", request_id=request["request_id"], text=text)


Start = Callable[..., Team]


@pytest.fixture
def start(serve: Serve, model: ModelServer, tmp_path: Path) -> Iterator[Start]:
    """Start a server with these arguments, and a new or existing conversation with the team."""
    with contextlib.ExitStack() as stack:

        def begin(*arguments: str, session: str = "", model: ModelServer = model) -> Team:
            server = serve(*arguments, model=model)
            query = {"session": session} if session else {"agent": "coding_team"}
            client = stack.enter_context(ChatClient(server.websocket, **query))
            return Team(server, client, tmp_path / "data", model)

        yield begin


@pytest.fixture
def team(start: Start) -> Team:
    return start()


def steps(frames: list[Frame]) -> list[tuple[str, str, str]]:
    """Return messages and tool calls with their authors."""
    found = []
    for frame in frames:
        content = frame["content"]
        if frame["type"] == "text":
            found.append(("says", content["sender"], content["content"].strip()))
        elif frame["type"] == "tool_call":
            names = " ".join(call["function"]["name"] for call in content["tool_calls"])
            found.append(("calls", content["sender"], names))
        elif frame["type"] == "executed_function":
            found.append(("ran", content["recipient"], content["content"]))
    return found


def results(frames: list[Frame]) -> list[tuple[bool, str]]:
    return [(done["is_exec_success"], done["content"]) for done in contents(frames, "executed_function")]


def test_a_planner_and_a_coder_at_work(team: Team) -> None:
    """Thoughts, calls and results are shown in order with their authors, and the turn's end lists the changes."""
    frames = team.ask(
        Reply(tools=[("list_files", {})]),
        Reply("Write hello.py."),
        Reply(tools=[WRITE]),
        Reply(tools=[("read_file", {"path": "hello.py"}), ("search_files", {"words": "HELLO"})]),
        Reply("It is written."),
        Reply("You have a program that says hello. TERMINATE"),
    )

    assert steps(frames) == [
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
    streamed = [(chunk["sender"], chunk["content"]) for chunk in contents(frames, "stream")]
    assert [sender for sender, _ in itertools.groupby(streamed, lambda chunk: chunk[0])] == [
        "Planner",
        "Coder",
        "Planner",
    ]
    [changed] = contents(frames, "file_changed")
    assert (changed["path"], changed["kind"], changed["by"]) == ("project/hello.py", "created", "Coder")
    end = contents(frames, "turn_completed")[0]
    assert (end["status"], end["summary"]) == ("completed", "You have a program that says hello.")
    assert end["code_changes"] == [{"path": "project/hello.py", "kind": "created", "diff": DIFF}]
    assert len(team.model.requests) == 6  # no model is asked who speaks next


def test_each_has_the_tools_for_its_part(team: Team) -> None:
    """Each agent has its own tools: the Planner only reads, and code runs only if enabled.

    The language comes with the message.
    """
    team.ask(Reply("Do it."), Reply(tools=[("run_code", {"code": "1"})]), Reply("No."), language="COBOL")

    assert team.offered(0) == ["list_files", "read_file", "search_files"]
    assert team.offered(1) == ["list_files", "read_file", "search_files", "write_file"]
    assert "Language: COBOL." in team.model.requests[1]["body"]["messages"][0]["content"]
    assert results(team.client.frames) == [(False, "Error: Function run_code not found.")]


def test_a_question_is_answered_by_the_planner(team: Team) -> None:
    """The Planner answers a question alone."""
    frames = team.ask(Reply("It is a program. TERMINATE"))

    assert steps(frames)[1:] == [("says", "Planner", "It is a program.")]
    assert contents(frames, "turn_completed")[0]["summary"] == "It is a program."


@pytest.mark.parametrize("planner", [Reply("Go."), Reply(""), Reply("terminate?")])
def test_it_ends_when_nothing_is_left_to_do(team: Team, planner: Reply) -> None:
    """The turn ends when the Coder only reads and talks, even if the Planner never ends it."""
    frames = team.ask(planner, Reply(tools=[("list_files", {})]), Reply("Nothing to do."))

    assert steps(frames)[-1] == ("says", "Coder", "Nothing to do.")
    assert contents(frames, "turn_completed")[0]["status"] == "completed"


STUBBORN = {
    "the Coder calls on and on": [Reply("Go."), *[Reply(tools=[WRITE])] * 60],
    "the Planner calls on and on": [Reply(tools=[("list_files", {})])] * 60,
    "the Planner is never content": [Reply("Go on."), Reply(tools=[WRITE]), Reply("Written.")] * 20,
    "both call what there is not": [Reply(tools=[("nothing", {}), ("write_file", "{")])] * 60,
}


@pytest.mark.parametrize("replies", STUBBORN.values(), ids=STUBBORN)
def test_a_model_that_never_stops(start: Start, replies: list[Reply]) -> None:
    """A model that never stops is stopped before the limit of model calls fails the turn; every call has its result.

    After a restart, another model goes on with all that was said.
    """
    team = start()
    frames = team.ask(*replies)
    end = contents(frames, "turn_completed")[0]
    assert (end["status"], contents(frames, "error")) == ("completed", [])
    assert 10 < len(team.model.requests) <= 30
    team.server.close()
    with ModelServer() as other:
        again = start(session=team.session, model=other)
        again.client.until("turn_completed")
        assert steps(again.ask(Reply("Fine. TERMINATE")))[1:] == [("says", "Planner", "Fine.")]
        history = other.requests[0]["body"]["messages"]

    calls = [call["id"] for message in history for call in message.get("tool_calls") or ()]
    answered = [message["tool_call_id"] for message in history if message["role"] == "tool"]
    assert calls == answered
    assert "The person ended" not in str(history)


def test_nothing_leads_out_of_the_project(team: Team, tmp_path: Path) -> None:
    """No path leads out of the project, even to the conversation's other files; parallel calls each get a result."""
    (tmp_path / "secret.txt").write_text("top secret")
    team.project.mkdir(parents=True)
    (team.workspace / "upload.txt").write_text("not of the project")
    (team.project / "link").symlink_to(tmp_path / "secret.txt")
    (team.project / "up").symlink_to("..")
    paths = [
        "../upload.txt",
        str(tmp_path / "secret.txt"),
        "link",
        "up/upload.txt",
        "a/../../upload.txt",
        "..",
        "C:\\x",
    ]
    frames = team.ask(
        Reply(tools=[("read_file", {"path": path}) for path in paths]),
        Reply("Go."),
        Reply(tools=[("write_file", {"path": path, "content": "mine"}) for path in paths] + [("nothing", {})]),
        Reply(tools=[("list_files", {}), ("search_files", {"words": "secret"})]),
        Reply("I give up."),
        Reply("Then not. TERMINATE"),
    )

    outcomes = results(frames)
    assert all(not ok and "cannot be used" in said for ok, said in outcomes[:7] + outcomes[7:14])
    assert outcomes[14:] == [
        (False, "Error: Function nothing not found."),
        (True, "The project has no files."),
        (True, "Nothing was found."),
    ]
    assert contents(frames, "turn_completed")[0]["code_changes"] == []
    assert (team.workspace / "upload.txt").read_text() == "not of the project"
    assert (tmp_path / "secret.txt").read_text() == "top secret"


RUN = Reply(tools=[("run_code", {"code": "print(6 * 7)\nopen('out.txt', 'w').write('x')"})])


@pytest.mark.parametrize("approve", ["marked", "none"])
def test_code_runs_after_a_yes(start: Start, approve: str) -> None:
    """Each run of code needs approval, whatever AGENTCHAT_APPROVE says; files it writes are reported as changes."""
    team = start("--run-code", "--approve", approve)
    team.model.script(Reply("Run it."), RUN, RUN, Reply("42."), Reply("It is 42. TERMINATE"))
    team.client.say("What is 6 * 7?")
    first = team.wait_for_run()
    assert (first["agent"], first["tool"]["name"]) == ("Coder", "run_code")
    assert "print(6 * 7)" in first["tool"]["arguments"]["code"]
    assert not team.project.exists()
    team.answer(first, "approve")
    team.answer(team.wait_for_run(), "deny")
    end = team.client.until("turn_completed")["content"]

    assert [ok for ok, _ in results(team.client.frames)] == [True, False]
    assert results(team.client.frames)[0][1] == "Exit status 0.\n42\n"
    [changed] = contents(team.client.frames, "file_changed")
    assert (changed["path"], changed["kind"], changed["by"]) == ("project/out.txt", "created", "Coder")
    assert [change["path"] for change in end["code_changes"]] == ["project/out.txt"]


def test_a_restart_while_the_code_waits_for_its_yes(start: Start) -> None:
    """A restart while code waits for approval repeats no earlier writes, which still count as changes of the turn."""
    team = start("--run-code")
    team.model.script(Reply("Write and run it."), Reply(tools=[WRITE]), RUN)
    team.client.say("What is 6 * 7?")
    question = team.wait_for_run()
    team.server.close()
    again = start("--run-code", session=team.session)
    assert again.project.joinpath("hello.py").exists()
    again.model.script(Reply("42."), Reply("It is 42. TERMINATE"))
    again.answer(question, "approve")
    end = again.client.until("turn_completed")["content"]

    assert (end["status"], end["summary"]) == ("completed", "It is 42.")
    assert [change["path"] for change in end["code_changes"]] == ["project/hello.py", "project/out.txt"]
    assert end["code_changes"][0]["diff"] == DIFF
    told = [changed["path"] for changed in contents(again.client.log, "file_changed")]
    assert told == ["project/hello.py", "project/out.txt"]  # each once


def test_code_ends_with_a_stop(start: Start) -> None:
    """A stop ends running code at once; what it had written counts as changes of the turn."""
    team = start("--run-code")
    code = "import os, time\nopen('pid', 'w').write(str(os.getpid()))\nos.rename('pid', 'there')\ntime.sleep(600)"
    team.model.script(Reply("Run it."), Reply(tools=[("run_code", {"code": code})]))
    team.client.say("Run it.")
    team.answer(team.wait_for_run(), "approve")
    wait_until((team.project / "there").exists)
    process = Path("/proc") / (team.project / "there").read_text()
    team.client.command("stop")
    end = team.client.until("turn_completed")["content"]

    assert end["status"] == "stopped"
    assert [change["path"] for change in end["code_changes"]] == ["project/there"]
    wait_until(lambda: not process.exists())
