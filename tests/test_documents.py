"""The `documents` agent, which works on the files of the conversation and nothing else."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.clients import ChatClient, Frame, contents
from tests.conftest import Serve
from tests.model_server import ModelServer, Reply
from tests.rest_client import RestClient

pytestmark = pytest.mark.all_agents


class Writer:
    """A conversation with the agent, and its files."""

    def __init__(self, client: ChatClient, rest: RestClient, folder: Path, model: ModelServer) -> None:
        self.client = client
        self.session = client.confirmed()["session_id"]
        self.rest = rest
        self.folder = folder / "workspaces" / self.session
        self.model = model

    def ask(self, *calls: tuple[str, Any], **context: object) -> list[Frame]:
        """Have the model make these calls in parallel and then answer; return the turn's frames."""
        self.model.script(Reply(tools=calls), Reply("Done."))
        start = len(self.client.frames)
        self.client.command("message", text="Do it", context=context)
        self.client.until("turn_completed")
        return self.client.frames[start:]


@pytest.fixture
def writer(serve: Serve, model: ModelServer, tmp_path: Path) -> Iterator[Writer]:
    server = serve(model=model)
    with ChatClient(server.websocket, agent="documents") as client:
        yield Writer(client, RestClient(server), tmp_path / "data", model)


def results(frames: list[Frame]) -> list[tuple[bool, str]]:
    return [(done["is_exec_success"], done["content"]) for done in contents(frames, "executed_function")]


def test_a_document_is_written_and_revised(writer: Writer) -> None:
    """People see each step and the changes of the turn, and find the file in the workspace."""
    first = writer.ask(("write_document", {"path": "letters/welcome.md", "content": "# Welcome\n"}))
    second = writer.ask(
        ("list_documents", {}),
        ("read_document", {"path": "letters/welcome.md"}),
        ("compare_document", {"path": "letters/welcome.md", "content": "# Hello\n"}),
        ("write_document", {"path": "letters/welcome.md", "content": "# Hello\n"}),
    )

    diff = "--- a/letters/welcome.md\n+++ b/letters/welcome.md\n@@ -1 +1 @@\n-# Welcome\n+# Hello\n"
    assert results(first) == [(True, "letters/welcome.md was created.")]
    assert results(second) == [
        (True, "letters/welcome.md (10 bytes)"),
        (True, "# Welcome\n"),
        (True, diff),
        (True, "letters/welcome.md was modified."),
    ]
    [changed] = [frame for frame in second if frame["type"] == "file_changed"]
    assert changed["turn"] == 2
    assert {name: changed["content"][name] for name in ("path", "kind", "size", "by")} == {
        "path": "letters/welcome.md",
        "kind": "modified",
        "size": 8,
        "by": "writer",
    }
    assert contents(second, "turn_completed")[0]["code_changes"] == [
        {"path": "letters/welcome.md", "kind": "modified", "diff": diff}
    ]
    path = f"/api/agent-chat/sessions/{writer.session}/files/letters%2Fwelcome.md"
    assert writer.rest.get(path).body == b"# Hello\n"


def test_an_uploaded_document_is_read(writer: Writer) -> None:
    """Uploaded documents are read: of a long one the model gets the beginning, and binary files are refused."""
    files = f"/api/agent-chat/sessions/{writer.session}/files"
    for name, content in (("notes.txt", "Größe".encode()), ("photo.png", b"\x89PNG\0"), ("long.txt", b"x" * 60_000)):
        assert writer.rest.ask("PUT", f"{files}/{name}", content).status == 201
    frames = writer.ask(*(("read_document", {"path": name}) for name in ("notes.txt", "photo.png", "long.txt")))

    assert results(frames)[:2] == [
        (True, "Größe"),
        (False, "Error: The path 'photo.png' cannot be used: it is not text."),
    ]
    assert results(frames)[2][1] == "x" * 50_000 + "\n[… 60,000 characters in all]"


def test_nothing_leads_out_of_the_workspace(writer: Writer, tmp_path: Path) -> None:
    """Each path out of the workspace is refused with an explanation to the model, and the turn goes on."""
    secret = tmp_path / "secret.txt"
    secret.write_text("top secret")
    writer.folder.mkdir(parents=True)
    (writer.folder / "link").symlink_to(secret)
    (writer.folder / "out").symlink_to(tmp_path)
    paths = ["../../../secret.txt", str(secret), "link", "out/secret.txt", "out/new.txt", "a\0b", "..\\x", "", "~/x"]
    read = writer.ask(*(("read_document", {"path": path}) for path in paths))
    written = writer.ask(*(("write_document", {"path": path, "content": "mine"}) for path in paths))
    compared = writer.ask(*(("compare_document", {"path": path, "content": "mine"}) for path in paths))

    for frames in (read, written, compared):
        assert [(ok, "cannot be used" in said) for ok, said in results(frames)] == [(False, True)] * len(paths)
        assert contents(frames, "turn_completed")[0]["status"] == "completed"
        assert contents(frames, "file_changed") == []
    assert secret.read_text() == "top secret"
    assert not (tmp_path / "new.txt").exists()
    assert "top secret" not in str(writer.client.frames)


def test_calls_that_make_no_sense(writer: Writer) -> None:
    """Unknown tools and wrong arguments are reported to the model; valid calls are carried out."""
    frames = writer.ask(
        ("erase_disk", {"path": "/"}),
        ("write_document", {"path": "a.md"}),
        ("write_document", '{"path": "a.md", "content": '),
        ("write_document", {"path": 5, "content": {"a": 1}}),
        ("write_document", {"path": "b.md", "content": "fine"}),
    )

    assert [ok for ok, _ in results(frames)] == [False, False, False, False, True]
    assert results(frames)[0][1] == "Error: Function erase_disk not found."
    assert contents(frames, "turn_completed")[0]["status"] == "completed"
    assert [path.name for path in writer.folder.iterdir()] == ["b.md"]


def test_format_and_style_come_with_the_message(writer: Writer) -> None:
    """Format and style come with a message, and apply to that message only."""
    writer.ask(("list_documents", {}), format="html", style="like a {pirate}")
    writer.ask(("list_documents", {}), style=["short", "sharp"])

    prompts = [request["body"]["messages"][0]["content"] for request in writer.model.requests]
    assert ["Format: html. Style: like a {pirate}." in prompt for prompt in prompts] == [True, True, False, False]
    assert all("Format: markdown. Style: ['short', 'sharp']." in prompt for prompt in prompts[2:])


def test_nothing_is_on_disk_before_something_is_written(writer: Writer) -> None:
    """A conversation without documents has no folder on disk."""
    frames = writer.ask(("list_documents", {}), ("read_document", {"path": "a.md"}))

    assert results(frames) == [(True, "There are no documents yet."), (False, "Error: There is no file 'a.md'.")]
    assert not writer.folder.exists()
