"""Limits of the bytes that files take on disk: in a conversation, of a person, and in all."""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from agentchat.protocol.errors import ChatError
from agentchat.workspace.changes import MAX_DIFF, Changes
from agentchat.workspace.files import Workspace
from agentchat.workspace.folders import ORIGINALS, WORKSPACES, Folders
from agentchat.workspace.storage import BLOCK, MIB, StorageLimits
from tests.agent_files import write_agents
from tests.clients import ChatClient, contents
from tests.conftest import Serve
from tests.model_server import ModelServer, Reply
from tests.rest_client import Answer, Conversation, RestClient

LIMITS = ("--storage-per-session", "1", "--storage-per-person", "2", "--storage-in-all", "3")

WRITER = '''
"""Writes files."""
from autogen import ConversableAgent, UserProxyAgent, register_function

def build(llm_config, chat):
    def write(path: str, size: int) -> str:
        return chat.files.write(path, "x" * size)

    def write_directly(path: str, size: int) -> str:
        (chat.workspace / path).write_bytes(b"x" * size)
        return "written"

    agent = ConversableAgent("writer", llm_config=llm_config, human_input_mode="NEVER")
    user = UserProxyAgent("user", human_input_mode="NEVER", code_execution_config=False, default_auto_reply=None)
    for tool in (write, write_directly):
        register_function(tool, caller=agent, executor=user, description=tool.__name__)
    return user, agent
'''


def put(session: Conversation, path: str, size: int) -> Answer:
    return session.client.ask("PUT", f"{session.path}/files/{path}", b"x" * size)


def delete(session: Conversation, what: str = "") -> None:
    assert session.client.ask("DELETE", session.path + what).status == 204


def refused(answer: Answer) -> str:
    """Assert that there was no room, and return the error's sentence."""
    assert (answer.status, answer.code) == (409, "files_full")
    return str(answer.json["error"]["message"])


class TestOverRest:
    """Uploads by people."""

    def test_a_conversation(self, serve: Serve, model: ModelServer) -> None:
        """A full conversation takes no more until something is deleted or made smaller; another has its own room."""
        rest = RestClient(serve(*LIMITS, model=model))
        full, other = rest.new_session(), rest.new_session()
        assert put(full, "a", MIB).status == 201
        told = refused(put(full, "b", 1))
        assert "this conversation" in told
        assert "the limit is 1 MiB" in told
        assert put(other, "b", 1).status == 201
        assert put(full, "a", MIB - BLOCK).status == 200
        assert put(full, "b", 1).status == 201
        assert refused(put(full, "b", BLOCK + 1))
        delete(full, "/files/a")
        assert put(full, "b", MIB).status == 200

    def test_a_person(self, serve: Serve, model: ModelServer) -> None:
        """The files of all conversations that one address began have a limit; another person has their own."""
        server = serve(*LIMITS, model=model)
        rest = RestClient(server)
        mine = [rest.new_session() for _ in range(3)]
        assert [put(session, "a", MIB).status for session in mine] == [201, 201, 409]
        told = refused(put(mine[2], "a", 1))
        assert "began" in told
        assert "the limit is 2 MiB" in told
        with ChatClient(server.websocket, agent="weather", name="Ada") as client:
            hers = Conversation(rest, client.confirmed()["session_id"])
            assert put(hers, "a", BLOCK).status == 201  # the first thing that happens in it
        delete(mine[0])
        assert put(mine[2], "a", MIB).status == 201

    def test_all(self, serve: Serve, model: ModelServer) -> None:
        """All files together have a limit; when everything was deleted, all of the room is there again."""
        server = serve(*LIMITS, model=model)
        rest = RestClient(server)
        for _ in range(2):
            theirs = []
            for name in ("Ada", "Bob", "Cy", "Di"):
                with ChatClient(server.websocket, agent="weather", name=name) as client:
                    theirs.append(Conversation(rest, client.confirmed()["session_id"]))
                    answer = put(theirs[-1], "a", MIB)
            assert "all conversations" in refused(answer)
            for session in theirs[:3]:
                delete(session)

    def test_many_at_once(self, serve: Serve, model: ModelServer) -> None:
        """Uploads at the same time cannot go beyond the limit together."""
        rest = RestClient(serve(*LIMITS, model=model))
        sessions = [rest.new_session() for _ in range(8)]
        answers: list[Answer] = []
        threads = [threading.Thread(target=lambda s=s: answers.append(put(s, "a", MIB))) for s in sessions]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert sorted(answer.status for answer in answers) == [201] * 2 + [409] * 6

    def test_after_a_restart(self, serve: Serve, model: ModelServer) -> None:
        """Files on the disk count from the start, each by the blocks that it takes."""
        first = serve(*LIMITS, model=model)
        session = RestClient(first).new_session()
        assert put(session, "a", MIB).status == 201
        first.close()
        rest = RestClient(serve(*LIMITS, model=model))
        others = [rest.new_session() for _ in range(2)]
        assert [put(other, "a", MIB).status for other in others] == [201, 409]

    def test_without_limits(self, serve: Serve, model: ModelServer) -> None:
        arguments = [text if text.startswith("--") else "0" for text in LIMITS]
        rest = RestClient(serve(*arguments, model=model))
        assert [put(rest.new_session(), "a", 2 * MIB).status for _ in range(3)] == [201] * 3


def test_files_of_agents(serve: Serve, model: ModelServer, tmp_path: Path) -> None:
    """The agent is told that there is no room; what it writes by other means counts from the end of its turn."""
    server = serve("--agents", write_agents(tmp_path, writer=WRITER), *LIMITS, model=model)
    rest = RestClient(server)
    session, other, third = (rest.new_session(agent="writer") for _ in range(3))
    model.script(Reply(tools=[("write", {"path": "a", "size": MIB + 1})]), Reply("No room."))
    session.ask("Write.")
    assert "the limit is 1 MiB" in contents(session.log, "tool_response")[0]["content"]
    model.script(Reply(tools=[("write_directly", {"path": "b", "size": 2 * MIB})]), Reply("Done."))
    session.ask("Write directly.")
    assert "began" in refused(put(other, "a", 1))
    assert "this conversation" in refused(put(session, "a", 1))
    delete(session, "/files/b")
    assert [put(each, "a", MIB).status for each in (other, third)] == [201, 201]


@pytest.fixture
def folders(tmp_path: Path) -> Iterator[Folders]:
    """Return folders of conversations, all of one person, which take nothing at the end."""
    folders = Folders(tmp_path, StorageLimits(10 * BLOCK, 12 * BLOCK, 0))
    folders.storage.owner_of = lambda session_id: "ada"
    yield folders
    for session_id in ("one", "two"):
        folders.clear(session_id)
    assert len(folders.storage) == 0


@pytest.fixture
def one(folders: Folders, tmp_path: Path) -> Workspace:
    return Workspace(tmp_path / WORKSPACES / "one", room=folders.storage.room("one"))


@pytest.fixture
def two(folders: Folders, tmp_path: Path) -> Workspace:
    return Workspace(tmp_path / WORKSPACES / "two", room=folders.storage.room("two"))


def test_originals_count(one: Workspace, two: Workspace, tmp_path: Path) -> None:
    """The originals of changed files count until the turn ends; without room for one, its change gets no diff."""
    one.write("a", "x" * 3 * BLOCK)
    one.write("b", "x" * 4 * BLOCK)
    turn = Changes(one, tmp_path / ORIGINALS / "one")
    turn.begin(is_resumed=False)
    one.write("a", "y")  # its original takes three blocks
    with pytest.raises(ChatError, match="began would take"):
        two.write("c", "x" * 6 * BLOCK)
    one.write("b", "y")
    assert [(change["path"], bool(change["diff"])) for change in turn.take()] == [("a", True), ("b", False)]
    two.write("c", "x" * 10 * BLOCK)


def test_changes_that_fail(one: Workspace) -> None:
    """A change that is not made takes no room."""

    def refuse(*change: object) -> None:
        raise ChatError("closing")

    one.changed = refuse
    for path in ("a", "b", "c/d"):
        with pytest.raises(ChatError, match="going away"):
            one.write(path, "x" * 9 * BLOCK)
    one.changed = lambda *change: None
    one.write("a", "x" * 10 * BLOCK)


@pytest.mark.parametrize("path", ["{}", "a/{}/c/{}"])
def test_small_files_take_room(one: Workspace, path: str) -> None:
    """Empty files, and folders, have a place on the disk, too."""

    number = 10 // (path.count("/") + 1)
    for place in range(number):
        one.write(path.format(place, place), "")
    for _ in range(2):
        with pytest.raises(ChatError, match="the limit"):
            one.write(path.format("one", "more"), "")
        one.measure()


def test_programs_in_the_folder(one: Workspace) -> None:
    """Files that a program writes or deletes in a watched folder count once the watch ends."""
    with one.watched() as folder:
        (folder / "large").write_bytes(b"x" * MAX_DIFF)
        (folder / "link").symlink_to("/")
    with pytest.raises(ChatError, match="the limit"):
        one.write("a", "x")
    with one.watched() as folder:
        (folder / "large").unlink()
    one.write("a", "x")


def test_a_file_that_is_written_while_its_folder_goes(
    folders: Folders, tmp_path: Path, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A deleted conversation's folder goes, although a file is written into it just before it would be empty."""
    folder = tmp_path / WORKSPACES / "one"
    folder.mkdir(parents=True)
    late = iter([folder / "late.txt"])
    rmdir = os.rmdir

    def remove(path: str, **options: int) -> None:
        for file in late:
            file.write_text("x")
        rmdir(path, **options)

    monkeypatch.setattr(os, "rmdir", remove)
    folders.clear("one")
    assert not folder.exists()
    assert caplog.messages == []
