"""Files over REST: round trips, notifications, limits, and paths that lead out of the workspace."""

from __future__ import annotations

import contextlib
import http.client
import os
import sqlite3
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from urllib.parse import quote

import pytest

from agentchat.store import sqlite
from agentchat.workspace import files as workspace
from agentchat.workspace.prepared import digest_of
from tests.clients import PATIENCE, contents
from tests.conftest import Serve
from tests.rest_client import Answer, Conversation, RestClient

ROUNDS = 6  # sessions that are deleted
WRITERS = 6  # people who put a file into each at the same time


@pytest.fixture
def folder(session: Conversation, tmp_path: Path) -> Path:
    """Return the folder that holds the session's files."""
    return tmp_path / "data" / "workspaces" / session.id


def files(session: Conversation) -> dict[str, int]:
    return {file["path"]: file["size"] for file in session.get("/files").json["files"]}


def put(session: Conversation, path: str, content: bytes, type: str = "text/plain", query: str = "") -> Answer:
    return session.client.ask("PUT", f"{session.path}/files/{path}{query}", content, {"Content-Type": type})


def test_round_trip(session: Conversation, folder: Path) -> None:
    """Files survive a round trip byte for byte, as attachments that no browser runs or shows."""
    content = bytes(range(256)) * 1000
    assert files(session) == {}
    assert not folder.exists()
    created = put(session, "notes%2FGr%C3%B6%C3%9Fe%20%231.html", content, "text/html")
    assert (created.status, created.json) == (
        201,
        {"path": "notes/Größe #1.html", "kind": "created", "size": len(content), "sha256": digest_of(content)},
    )
    answer = session.get("/files/notes%2FGr%C3%B6%C3%9Fe%20%231.html")
    assert (answer.status, answer.body) == (200, content)
    assert answer.headers["Content-Type"] == "application/octet-stream"
    assert answer.headers["X-Content-Type-Options"] == "nosniff"
    assert answer.headers["Content-Disposition"] == "attachment; filename*=UTF-8''Gr%C3%B6%C3%9Fe%20%231.html"
    empty = {"path": "empty", "kind": "created", "size": 0, "sha256": digest_of(b"")}
    assert put(session, ".%2Fempty", b"").json == empty
    assert session.get("/files/empty").body == b""
    assert files(session) == {"empty": 0, "notes/Größe #1.html": len(content)}


def test_file_changed_events(session: Conversation) -> None:
    """All participants see who changed which file; such events belong to turn 0."""
    with session.stream(after=0) as stream:
        stream.until("connection_confirmed")
        assert put(session, "a.txt", b"one", query="?name=Ann").status == 201
        assert put(session, "a.txt", b"three", query="?name=Bob%0A").status == 200
        assert session.client.ask("DELETE", f"{session.path}/files/a.txt").status == 204
        told = [stream.until("file_changed") for _ in range(3)]

    contents = [{name: frame["content"][name] for name in ("path", "kind", "size", "by")} for frame in told]
    assert contents == [
        {"path": "a.txt", "kind": "created", "size": 3, "by": "Ann"},
        {"path": "a.txt", "kind": "modified", "size": 5, "by": "Bob"},
        {"path": "a.txt", "kind": "deleted", "size": 0, "by": "user"},
    ]
    assert {frame["turn"] for frame in told} == {0}
    assert files(session) == {}


@pytest.mark.parametrize(
    "path",
    ["..", "..%2Fx", "%2E%2E%2F%2E%2E%2Fagentchat.db", "%2Fetc%2Fpasswd", "a%2F..%2F..%2Fx", "a%5C..%5Cx", "C%3A%5Cx",
     "a%00b", "a%0d%0ax", "%20", "a%2F%2Fb", "a%2F", "x" * 300, quote("ä" * 200), "%ED%A0%80%2F.."],
)  # fmt: skip
def test_paths_out_of_the_workspace_are_refused(session: Conversation, folder: Path, path: str) -> None:
    """Paths that lead out of the workspace can't be read, written or deleted."""
    for method in ("GET", "PUT", "DELETE"):
        answer = session.client.ask(method, f"{session.path}/files/{path}", b"x" if method == "PUT" else None)
        assert (answer.status, answer.code) == (400, "file_refused")
    assert not folder.exists()


def test_symlinks_are_refused(session: Conversation, folder: Path, tmp_path: Path) -> None:
    """Symlinks that a program left in the workspace are not followed."""
    (tmp_path / "secret").write_text("top secret")
    folder.mkdir(parents=True)
    (folder / "link").symlink_to(tmp_path / "secret")
    (folder / "out").symlink_to(tmp_path)
    for path in ("link", "out%2Fsecret", "out%2Fnew"):
        for method in ("GET", "PUT", "DELETE"):
            answer = session.client.ask(method, f"{session.path}/files/{path}", b"x" if method == "PUT" else None)
            assert answer.code == "file_refused"
    assert files(session) == {}
    assert (tmp_path / "secret").read_text() == "top secret"
    assert not (tmp_path / "new").exists()


def test_size_limit(session: Conversation, folder: Path) -> None:
    """Files above the size limit are refused before they are sent; one of exactly the limit fits."""
    connection = http.client.HTTPConnection(session.client.netloc, timeout=PATIENCE)
    for headers, status, code in (
        ({"Content-Length": str(workspace.MAX_FILE + 1)}, 413, b"body_too_large"),
        ({"Transfer-Encoding": "chunked"}, 411, b"length_required"),
        ({}, 411, b"length_required"),
        ({"Content-Length": "1", "Content-Encoding": "gzip"}, 415, b"type_unsupported"),
    ):
        connection.putrequest("PUT", f"{session.path}/files/a")
        for name, value in headers.items():
            connection.putheader(name, value)
        connection.endheaders()
        response = connection.getresponse()
        assert response.status == status
        assert code in response.read()
        connection.close()
    assert not folder.exists()
    largest = os.urandom(workspace.MAX_FILE)
    assert put(session, "a", largest).status == 201
    assert session.get("/files/a").body == largest


def test_full_workspace(session: Conversation, monkeypatch: pytest.MonkeyPatch) -> None:
    """A full workspace refuses files with an error that says what to do, and keeps existing ones."""
    monkeypatch.setattr(workspace, "MAX_FILES", 1)
    assert put(session, "a", b"x").status == 201
    answer = put(session, "b", b"x")

    assert (answer.status, answer.code) == (409, "files_full")
    assert "Delete what is no longer needed" in answer.json["error"]["message"]
    assert files(session) == {"a": 1}


def test_not_found(session: Conversation) -> None:
    """Unknown files, sessions and methods have different errors."""
    for method in ("GET", "DELETE"):
        assert session.client.ask(method, f"{session.path}/files/a").code == "file_unknown"
    assert session.client.ask("PUT", "/api/agent-chat/sessions/gone/files/a", b"x").code == "session_unknown"
    answer = session.client.ask("POST", f"{session.path}/files/a", b"x")
    assert (answer.code, answer.headers["Allow"]) == ("method_not_allowed", "GET, PUT, DELETE, HEAD")


def test_only_changes_can_fail_with_closing(session: Conversation) -> None:
    """Files can be read even while the server shuts down; only changes are refused."""
    paths = session.client.get("/api/openapi.json").json["paths"]
    told = {
        (method, "closing" in str(about["responses"]))
        for path, methods in paths.items()
        if "/{id}/files" in path
        for method, about in methods.items()
        if method != "parameters"
    }
    assert told == {("get", False), ("put", True), ("delete", True)}


def test_files_are_deleted_with_their_session(session: Conversation, folder: Path) -> None:
    """Deleting a session deletes its workspace."""
    put(session, "a", b"x")
    assert folder.exists()
    assert session.client.ask("DELETE", session.path).status == 204

    assert not folder.exists()
    assert session.get("/files").code == "session_unknown"


def test_files_are_put_while_their_session_is_deleted(rest: RestClient, tmp_path: Path) -> None:
    """An upload into a session that is being deleted is told that it is gone, and nothing of it is left."""
    content = b"x" * 2**20
    for _ in range(ROUNDS):
        session = rest.new_session()
        put(session, "first", b"x")
        with ThreadPoolExecutor(WRITERS) as pool:
            answers = [pool.submit(put, session, f"file{number}", content) for number in range(WRITERS)]
            answers[0].result(PATIENCE)
            assert session.client.ask("DELETE", session.path).status == 204
            put_last = [answer.result(PATIENCE) for answer in answers]
        assert {answer.code for answer in put_last if answer.status != 201} <= {"session_unknown", "session_deleted"}
        assert not (tmp_path / "data" / "workspaces" / session.id).exists()


@pytest.mark.own_server
def test_changes_that_the_store_refuses(serve: Serve, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A change that is answered with 503 has not happened, and can be made once the store is well again."""
    monkeypatch.setattr(sqlite, "BUSY_TIMEOUT", 10)  # ms
    session = RestClient(serve("demo")).new_session()
    path = f"{session.path}/files/a.txt"
    assert session.client.ask("PUT", path, b"old").status == 201
    with contextlib.closing(sqlite3.connect(tmp_path / "data" / "agentchat.db")) as db:
        db.execute("BEGIN IMMEDIATE")
        refused = [session.client.ask(*change) for change in (("PUT", path, b"new"), ("DELETE", path))]
        assert [answer.code for answer in refused] == ["store_locked"] * 2
        assert session.client.get(path).body == b"old"
    assert session.client.ask("PUT", path, b"new").status == 200
    [created, modified] = contents(session.log, "file_changed")

    assert (created["sha256"], modified["sha256"]) == (digest_of(b"old"), digest_of(b"new"))
    assert session.client.get(path).body == b"new"
