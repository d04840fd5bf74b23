"""The `documents` agent, which works on the files of the conversation and nothing else."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from agentchat.testing import Call, Request, ScriptedModel, Talk, Turn, call, talk
from tests.clients import ChatClient
from tests.conftest import AGENTS, Serve
from tests.model_server import ModelServer, Reply
from tests.rest_client import RestClient


class Writer:
    """A conversation with the agent, whose model makes the calls that it is given, and then answers."""

    def __init__(self, files: Mapping[str, str | bytes] | None = None) -> None:
        self._calls: list[Call] = []
        self.model = ScriptedModel(self._answer)
        self.chat = talk(AGENTS / "documents.py", model=self.model, files=files)

    def _answer(self, request: Request) -> list[Call] | str:
        return self._calls if request.messages[-1]["role"] == "user" else "Done."

    def ask(self, *calls: Call, **context: object) -> Turn:
        """Have the model make these calls in parallel and then answer; return the turn."""
        self._calls = list(calls)
        return self.chat.say("Do it", context=context)


@pytest.fixture
def writer() -> Writer:
    return Writer()


def results(turn: Turn | Talk) -> list[tuple[bool, str | None]]:
    return [(tool.ok, tool.result) for tool in turn.tools]


def test_a_document_is_written_and_revised(writer: Writer) -> None:
    """People see each step and the changes of the turn, and find the file in the workspace."""
    first = writer.ask(call("write_document", path="letters/welcome.md", content="# Welcome\n"))
    second = writer.ask(
        call("list_documents"),
        call("read_document", path="letters/welcome.md"),
        call("compare_document", path="letters/welcome.md", content="# Hello\n"),
        call("write_document", path="letters/welcome.md", content="# Hello\n"),
    )

    diff = "--- a/letters/welcome.md\n+++ b/letters/welcome.md\n@@ -1 +1 @@\n-# Welcome\n+# Hello\n"
    assert results(first) == [(True, "letters/welcome.md was created.")]
    assert results(second) == [
        (True, "letters/welcome.md (10 bytes)"),
        (True, "# Welcome\n"),
        (True, diff),
        (True, "letters/welcome.md was modified."),
    ]
    [changed] = [event for event in second.events if event.type == "file_changed"]
    assert changed.turn == 2
    assert {name: changed.content[name] for name in ("path", "kind", "size", "by")} == {
        "path": "letters/welcome.md",
        "kind": "modified",
        "size": 8,
        "by": "writer",
    }
    assert second.contents("turn_completed")[0]["code_changes"] == [
        {"path": "letters/welcome.md", "kind": "modified", "diff": diff}
    ]
    assert writer.chat.files == {"letters/welcome.md": "# Hello\n"}


def test_an_uploaded_document_is_read() -> None:
    """Uploaded documents are read: of a long one the model gets the beginning, and binary files are refused."""
    writer = Writer({"notes.txt": "Größe", "photo.png": b"\x89PNG\0", "long.txt": "x" * 60_000})
    turn = writer.ask(*(call("read_document", path=name) for name in ("notes.txt", "photo.png", "long.txt")))

    assert results(turn)[:2] == [
        (True, "Größe"),
        (False, "Error: The path 'photo.png' cannot be used: it is not text."),
    ]
    assert results(turn)[2][1] == "x" * 50_000 + "\n[… 60,000 characters in all]"


def test_nothing_leads_out_of_the_workspace(writer: Writer, tmp_path: Path) -> None:
    """Each path out of the workspace is refused with an explanation to the model, and the turn goes on."""
    secret = tmp_path / "secret.txt"
    secret.write_text("top secret")
    folder = writer.chat.folder
    folder.mkdir(parents=True)
    folder.parent.parent.joinpath("secret.txt").write_text("top secret")
    (folder / "link").symlink_to(secret)
    (folder / "out").symlink_to(tmp_path)
    paths = ["../../secret.txt", str(secret), "link", "out/secret.txt", "out/new.txt", "a\0b", "..\\x", "", "~/x"]
    read = writer.ask(*(call("read_document", path=path) for path in paths))
    written = writer.ask(*(call("write_document", path=path, content="mine") for path in paths))
    compared = writer.ask(*(call("compare_document", path=path, content="mine") for path in paths))

    for turn in (read, written, compared):
        assert [(ok, "cannot be used" in (said or "")) for ok, said in results(turn)] == [(False, True)] * len(paths)
        assert turn.status == "completed"
        assert turn.contents("file_changed") == []
    assert secret.read_text() == folder.parent.parent.joinpath("secret.txt").read_text() == "top secret"
    assert not (tmp_path / "new.txt").exists()
    assert "top secret" not in str(writer.chat.events)


def test_calls_that_make_no_sense(writer: Writer) -> None:
    """Unknown tools and wrong arguments are reported to the model; valid calls are carried out."""
    turn = writer.ask(
        call("erase_disk", path="/"),
        call("write_document", path="a.md"),
        Call("write_document", '{"path": "a.md", "content": '),
        call("write_document", path=5, content={"a": 1}),
        call("write_document", path="b.md", content="fine"),
    )

    assert [ok for ok, _ in results(turn)] == [False, False, False, False, True]
    assert results(turn)[0][1] == "Error: Function erase_disk not found."
    assert turn.status == "completed"
    assert [path.name for path in writer.chat.folder.iterdir()] == ["b.md"]


def test_format_and_style_come_with_the_message(writer: Writer) -> None:
    """Format and style come with a message, and apply to that message only."""
    writer.ask(call("list_documents"), format="html", style="like a {pirate}")
    writer.ask(call("list_documents"), style=["short", "sharp"])

    prompts = [request.system for request in writer.model.requests]
    assert ["Format: html. Style: like a {pirate}." in prompt for prompt in prompts] == [True, True, False, False]
    assert all("Format: markdown. Style: ['short', 'sharp']." in prompt for prompt in prompts[2:])


def test_nothing_is_on_disk_before_something_is_written(writer: Writer) -> None:
    """A conversation without documents has no folder on disk."""
    turn = writer.ask(call("list_documents"), call("read_document", path="a.md"))

    assert results(turn) == [(True, "There are no documents yet."), (False, "Error: There is no file 'a.md'.")]
    assert not writer.chat.folder.exists()


@pytest.mark.all_agents
def test_documents_over_the_wire(serve: Serve, model: ModelServer) -> None:
    """People upload a document that the agent reads, and download what it has written."""
    server = serve(model=model)
    rest = RestClient(server)
    with ChatClient(server.websocket, agent="documents") as client:
        files = f"/api/agent-chat/sessions/{client.confirmed()['session_id']}/files"
        assert rest.ask("PUT", f"{files}/notes.txt", "Größe".encode()).status == 201
        write: tuple[str, Any] = ("write_document", {"path": "letters/welcome.md", "content": "# Hello\n"})
        model.script(Reply(tools=[("read_document", {"path": "notes.txt"}), write]), Reply("Done."))
        read, _ = [frame for frame in client.ask("Do it") if frame["type"] == "executed_function"]
    assert read["content"]["content"] == "Größe"
    assert rest.get(f"{files}/letters%2Fwelcome.md").body == b"# Hello\n"
