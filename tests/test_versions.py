"""Old versions of files: kept when they are replaced, within a limit, until the conversation is deleted."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest

from agentchat.workspace.files import Workspace
from agentchat.workspace.folders import VERSIONS, Folders
from agentchat.workspace.prepared import digest_of
from agentchat.workspace.storage import BLOCK, StorageLimits
from agentchat.workspace.versions import Versions
from tests.agent_files import WRITER, write_agents
from tests.conftest import Serve
from tests.model_server import ModelServer, Reply
from tests.rest_client import Answer, Conversation, RestClient


def digests(*texts: str) -> set[str]:
    return {digest_of(text.encode()) for text in texts}


class TestWorkspace:
    """Versions that are kept of changed files."""

    @pytest.fixture
    def versions(self, tmp_path: Path) -> Versions:
        return Versions(tmp_path / "versions", 4 * BLOCK)

    @pytest.fixture
    def files(self, tmp_path: Path, versions: Versions) -> Workspace:
        return Workspace(tmp_path / "files", versions=versions)

    def test_what_is_replaced_or_deleted(self, files: Workspace, versions: Versions) -> None:
        files.write("a.txt", "one")
        assert versions.kept() == set()
        files.write("a.txt", "two")
        files.delete("a.txt")
        assert versions.kept() == digests("one", "two")
        with versions.open(digest_of(b"one")) or pytest.fail("not kept") as file:
            assert file.read() == b"one"

    def test_a_change_that_was_not_told(self, files: Workspace, versions: Versions) -> None:
        """The event comes first: a change that could not be told leaves no version."""
        files.write("a.txt", "one")

        def refuse(*about: object) -> None:
            assert versions.kept() == set()
            raise RuntimeError("refused")

        files.changed = refuse
        with pytest.raises(RuntimeError):
            files.write("a.txt", "two")
        assert versions.kept() == set()

    def test_the_oldest_go(self, files: Workspace, versions: Versions) -> None:
        """Beyond the limit the oldest go; what is kept again is new again; what is larger than the limit is not."""
        for text in ("one", "two", "three", "four", "one", "five", "six"):
            files.write("a.txt", text)
        assert versions.kept() == digests("three", "four", "one", "five")
        files.write("a.txt", "x" * 5 * BLOCK)
        files.write("a.txt", "seven")
        assert versions.kept() == digests("four", "one", "five", "six")

    def test_a_program(self, files: Workspace, versions: Versions) -> None:
        """A program's changes and deletions keep the versions that it found."""
        for name in ("changed", "gone", "same"):
            files.write(name, name)
        with files.watched() as folder:
            (folder / "changed").write_text("other")
            (folder / "gone").unlink()
            (folder / "new").write_text("new")
        assert versions.kept() == digests("changed", "gone")

    def test_a_program_among_many_files(self, files: Workspace, versions: Versions) -> None:
        """A file that a program leaves as it is drives no older version out."""
        files.write("a.txt", "one")
        files.write("a.txt", "two")
        for number in range(5):
            files.write(f"{number}", f"{number}")
        with files.watched() as folder:
            (folder / "0").write_text("other")
        assert versions.kept() == digests("one", "0")


class TestRoom:
    """Old versions count as files."""

    def test_files_come_first(self, tmp_path: Path) -> None:
        """Versions go where a file needs their room."""
        folders = Folders(tmp_path, StorageLimits(session=4 * BLOCK, versions=4 * BLOCK))
        versions = folders.versions("one")
        files = Workspace(tmp_path / "workspaces" / "one", room=folders.storage.room("one"), versions=versions)
        for text in ("one", "two", "three"):
            files.write("a", text)
        assert versions.kept() == digests("one", "two")
        files.write("b", "x" * 2 * BLOCK)
        assert versions.kept() == digests("two")
        files.write("b", "x" * 3 * BLOCK)
        assert versions.kept() == set()

    def test_none(self, tmp_path: Path) -> None:
        versions = Folders(tmp_path, StorageLimits(versions=0)).versions("one")
        versions.keep(b"one")
        assert versions.kept() == set()
        assert not (tmp_path / VERSIONS).exists()


def put(session: Conversation, path: str, content: str, name: str = "Ann") -> None:
    answer = session.client.ask("PUT", f"{session.path}/files/{path}?name={name}", content.encode())
    assert answer.status in {200, 201}


def versions_of(session: Conversation, path: str) -> list[Any]:
    return list(session.get(f"/files/{path}/versions").json["versions"])


def read(session: Conversation, path: str, version: str) -> Answer:
    return session.get(f"/files/{path}", version=version)


def test_over_rest(serve: Serve, model: ModelServer, tmp_path: Path) -> None:
    """Versions by agents and people are listed, read and compared, across turns and a restart; deletion leaves none."""
    arguments = ("--agents", write_agents(tmp_path, writer=WRITER))
    first = serve(*arguments, model=model)
    session = RestClient(first).new_session(agent="writer")
    for text in ("one\n", "two\n"):
        model.script(Reply(tools=[("write", {"path": "notes/a.txt", "text": text})]), Reply("Done."))
        session.ask("Write.")
    first.close()
    session = Conversation(RestClient(serve(*arguments, model=model)), session.id)
    path = "notes%2Fa.txt"
    put(session, path, "three\n")
    found = versions_of(session, path)
    assert [(each["by"], each["kind"], each["turn"], each["is_kept"]) for each in found] == [
        ("Ann", "modified", 0, True),
        ("writer", "modified", 2, True),
        ("writer", "created", 1, True),
    ]
    assert [read(session, path, each["version"]).body for each in found] == [b"three\n", b"two\n", b"one\n"]

    newest, middle, oldest = (each["version"] for each in found)
    lines = session.get(f"/files/{path}/diff", old=oldest, new=middle).json["diff"].splitlines()
    assert lines[2:] == ["@@ -1 +1 @@", "-one", "+two"]
    assert session.get(f"/files/{path}/diff", old=oldest).json["diff"].splitlines()[-1] == "+three"
    assert session.get(f"/files/{path}/diff", new=oldest).json["diff"].splitlines()[0] == "--- /dev/null"
    assert session.get(f"/files/{path}/diff", old=newest).json["diff"] == ""

    assert session.client.ask("DELETE", f"{session.path}/files/{path}").status == 204
    assert read(session, path, newest).body == b"three\n"
    assert versions_of(session, path)[0] | {"ts": ""} == {
        "version": "", "kind": "deleted", "size": 0, "ts": "", "by": "user", "turn": 0, "is_kept": False,
    }  # fmt: skip

    assert (tmp_path / "data" / VERSIONS / session.id).is_dir()
    assert session.client.ask("DELETE", session.path).status == 204
    assert not (tmp_path / "data" / VERSIONS / session.id).exists()


def test_limit(serve: Serve, model: ModelServer) -> None:
    """A version that is not kept any more is told as such."""
    session = RestClient(serve("--storage-of-versions", "1", model=model)).new_session()
    for letter in "abc":
        put(session, "a.txt", letter * 2**20)
    found = versions_of(session, "a.txt")
    assert [each["is_kept"] for each in found] == [True, True, False]
    answer = read(session, "a.txt", found[2]["version"])
    assert (answer.status, answer.code) == (404, "version_unknown")


@pytest.mark.parametrize("version", ["x", "A" * 64, "..%2F..%2Fagentchat.db"])
def test_names_that_are_no_digest(session: Conversation, version: str) -> None:
    put(session, "a.txt", "one")
    assert session.client.ask("GET", f"{session.path}/files/a.txt?version={version}").code == "bad_request"


def test_of_another_conversation(rest: RestClient) -> None:
    """A version is read in the conversation that had it, and in no other."""
    mine, other = rest.new_session(), rest.new_session()
    for text in ("one", "two"):
        put(mine, "a.txt", text)
    put(other, "a.txt", "three")
    assert read(mine, "a.txt", digest_of(b"one")).body == b"one"
    assert read(other, "a.txt", digest_of(b"one")).code == "version_unknown"


def test_gone_conversations(tmp_path: Path) -> None:
    """Versions of conversations that are gone are deleted at the start; the others count."""
    folders = Folders(tmp_path)
    for name in ("kept", "gone"):
        folders.versions(name).keep(b"one")
    again = Folders(tmp_path)
    again.sweep(lambda name: name == "kept")
    assert os.listdir(tmp_path / VERSIONS) == ["kept"]
    assert len(again.storage) == 1
