"""Projects: sessions that share a folder, found again by their names, and nobody else's."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from agentchat.auth.accounts import Accounts
from agentchat.sessions.projects import folder_of
from tests.browsers import PASSWORD, Browser
from tests.conftest import Serve
from tests.model_server import ModelServer
from tests.rest_client import SESSIONS, Answer, Conversation, RestClient

CHAT = "/api/v1/chat"


def chat(rest: RestClient, project: str, **body: object) -> Any:
    answer = rest.post(f"{CHAT}/{project}", {"message": "hello", **body})
    assert answer.status == 200, answer.body
    return answer.json


def put(rest: RestClient, session_id: str, path: str, text: str) -> Answer:
    return rest.ask("PUT", f"{SESSIONS}/{session_id}/files/{path}", text.encode())


def files(rest: RestClient, session_id: str) -> list[str]:
    return [file["path"] for file in rest.get(f"{SESSIONS}/{session_id}/files").json["files"]]


def folders(data: Path) -> list[str]:
    return sorted(path.name for path in (data / "workspaces").iterdir())


def test_posting_twice_continues(rest: RestClient) -> None:
    """The first message to a project begins a session, and all further ones continue it."""
    first, second = chat(rest, "1"), chat(rest, "1")
    assert (first["replaced"], "replaced" in second) == ("1", False)
    assert first["session_id"] == second["session_id"]
    assert Conversation(rest, first["session_id"]).get().json["messages"] == 2
    assert chat(rest, "2")["session_id"] != first["session_id"]
    assert chat(rest, "new")["session_id"] != chat(rest, "new")["session_id"]


def test_many_at_once_begin_one_session(rest: RestClient) -> None:
    """One of several first messages at once begins the session."""
    with ThreadPoolExecutor(4) as pool:
        found = list(pool.map(lambda _: chat(rest, "1")["session_id"], range(4)))
    assert len(set(found)) == 1
    assert Conversation(rest, found[0]).get().json["messages"] == 4


def test_a_session_is_named_in_the_body(rest: RestClient) -> None:
    """The body names a session by its id, or by a name of the client's own within the project."""
    other = rest.new_session()
    assert chat(rest, "1", session_id=other.id)["session_id"] == other.id

    mine, yours = chat(rest, "1", session_id="mine"), chat(rest, "1", session_id="yours")
    assert (mine["replaced"], yours["replaced"]) == ("mine", "yours")
    assert len({mine["session_id"], yours["session_id"], other.id}) == 3
    assert chat(rest, "1", session_id="mine")["session_id"] == mine["session_id"]
    assert chat(rest, "2", session_id="mine")["session_id"] != mine["session_id"]
    assert chat(rest, "1")["session_id"] == mine["session_id"]  # the oldest
    assert rest.post(f"{CHAT}/1", {"message": "hello", "session_id": 7}).code == "bad_request"
    assert rest.post(f"{CHAT}/1", {"message": "hello", "session_id": "x" * 101}).code == "bad_request"


def test_the_same_key_counts_once(rest: RestClient) -> None:
    """A message that is repeated with its key is answered by the same session, once, whatever began since."""
    body, headers = {"message": "hello"}, {"Idempotency-Key": "key-1"}
    first = rest.ask("POST", f"{CHAT}/1", body, headers).json
    chat(rest, "1", session_id="another")
    again = rest.ask("POST", f"{CHAT}/1", body, headers).json
    assert again["session_id"] == first["session_id"]
    assert again["message"]["id"] == first["message"]["id"]
    assert Conversation(rest, first["session_id"]).get().json["messages"] == 1


def test_sessions_of_a_project_share_its_files(rest: RestClient) -> None:
    """A file that one session writes is there in the others, and in no session of another project."""
    one = rest.post(SESSIONS, {"project_id": 1}).json["id"]
    two = chat(rest, "1", session_id="second")["session_id"]
    elsewhere = rest.post(SESSIONS, {"project_id": "2"}).json["id"]
    assert chat(rest, "1")["session_id"] == one

    assert put(rest, one, "plan.md", "first").json["kind"] == "created"
    assert files(rest, two) == ["plan.md"]
    assert put(rest, two, "plan.md", "second").json["kind"] == "modified"
    assert rest.get(f"{SESSIONS}/{one}/files/plan.md").body == b"second"
    assert files(rest, elsewhere) == []


def test_a_project_with_a_message(rest: RestClient) -> None:
    """With a message, `project_id` has to be the session's own."""
    session = Conversation(rest, rest.post(SESSIONS, {"project_id": "1"}).json["id"])
    assert session.post("messages", {"message": "hello", "project_id": 1}).status == 202
    refused = session.post("messages", {"message": "hello", "project_id": 2})
    assert (refused.code, "not the project" in refused.json["error"]["message"]) == ("bad_request", True)
    wrongs: list[object] = ["", "x" * 101, True, 1.5, []]
    for wrong in wrongs:
        assert rest.post(SESSIONS, {"project_id": wrong}).code == "bad_request"


def test_files_end_with_the_last_session(rest: RestClient, tmp_path: Path) -> None:
    """Deleting a session leaves the files of its project, until it is the last one."""
    one, two = (rest.post(SESSIONS, {"project_id": "../1"}).json["id"] for _ in range(2))
    put(rest, one, "plan.md", "first")
    assert folders(tmp_path / "data") == [folder_of("", "../1")]

    assert rest.ask("DELETE", f"{SESSIONS}/{one}").status == 204
    assert files(rest, two) == ["plan.md"]
    assert rest.ask("DELETE", f"{SESSIONS}/{two}").status == 204
    assert folders(tmp_path / "data") == []


@pytest.mark.own_server
def test_projects_outlive_the_server(serve: Serve, model: ModelServer, tmp_path: Path) -> None:
    """After a restart the project has its sessions and its files, and what a killed server left is finished."""
    first = serve(model=model)
    rest = RestClient(first)
    one, two = chat(rest, "1")["session_id"], chat(rest, "1", session_id="second")["session_id"]
    put(rest, one, "plan.md", "first")
    written = put(rest, one, "notes.md", "kept")
    assert written.status == 201
    first.close()
    folder = tmp_path / "data" / "workspaces" / folder_of("", "1")
    draft(folder, "notes.md")

    rest = RestClient(serve(model=model))
    assert files(rest, two) == ["notes.md", "plan.md"]  # opened first, although the other one was told of the change
    assert rest.get(f"{SESSIONS}/{two}/files/notes.md").body == b"kept"
    assert chat(rest, "1")["session_id"] == one
    assert chat(rest, "1", session_id="second")["session_id"] == two


def draft(folder: Path, path: str) -> None:
    """Leave a change of a file as a server does that is killed after it has told of it, and before it makes it."""
    from agentchat.workspace.paths import DRAFT
    from agentchat.workspace.prepared import digest_of

    content = (folder / path).read_bytes()
    (folder / path).unlink()
    (folder / DRAFT).mkdir()
    (folder / DRAFT / f"{digest_of(path.encode())}.{digest_of(content)}").write_bytes(content)


class TestWithLogins:
    """Everybody's projects are their own."""

    @pytest.fixture
    def ada(self, serve: Serve, model: ModelServer, accounts: Accounts) -> Browser:
        for name in ("ada", "bob"):
            accounts.add(name, PASSWORD)
        return Browser(serve(model=model)).another("ada")

    def test_a_project_is_whose_it_is(self, ada: Browser) -> None:
        """Two people who use the same name have two projects, and neither finds anything of the other's."""
        bob = ada.another("bob")
        hers = self.said(ada, "1")
        assert ada.ask("PUT", f"{SESSIONS}/{hers}/files/plan.md", b"secret").status == 201
        his = self.said(bob, "1")
        assert his != hers
        assert bob.ask("GET", f"{SESSIONS}/{his}/files").json == {"files": []}
        assert self.said(ada, "1") == hers

        # The id of her session is for him a name like any other.
        named = bob.ask("POST", f"{CHAT}/1", {"message": "hello", "session_id": hers}).json
        assert named["session_id"] not in {his, hers}
        assert self.said(bob, hers) not in {hers}
        assert bob.ask("GET", f"{SESSIONS}/{named['session_id']}/files").json == {"files": []}
        assert len(ada.ask("GET", f"{SESSIONS}/{hers}/events").json["events"]) == self.turns(ada, hers, 2)

    def said(self, browser: Browser, project: str) -> str:
        answer = browser.ask("POST", f"{CHAT}/{project}", {"message": "hello"})
        assert answer.status == 200, answer.body
        return str(answer.json["session_id"])

    def turns(self, browser: Browser, session_id: str, count: int) -> int:
        about = browser.ask("GET", f"{SESSIONS}/{session_id}").json
        assert about["messages"] == count
        return int(about["last_seq"])

    def test_somebody_who_was_put_out_is_out(self, ada: Browser) -> None:
        """A member of a session sees its project's files as long as they are one, and the other sessions never."""
        bob = ada.another("bob")
        one = self.said(ada, "1")
        two = ada.ask("POST", f"{CHAT}/1", {"message": "hello", "session_id": "two"}).json["session_id"]
        ada.ask("PUT", f"{SESSIONS}/{two}/files/plan.md", b"x")
        made = ada.ask("POST", f"{SESSIONS}/{one}/invitations", {"role": "member"}).json
        assert bob.ask("POST", "/api/agent-chat/invitations", {"secret": made["secret"]}).status == 200
        assert [file["path"] for file in bob.ask("GET", f"{SESSIONS}/{one}/files").json["files"]] == ["plan.md"]
        assert bob.ask("GET", f"{SESSIONS}/{two}/files").status == 404
        assert bob.ask("POST", f"{CHAT}/1", {"message": "hi", "session_id": one}).json["session_id"] == one

        assert ada.ask("DELETE", f"{SESSIONS}/{one}/invitations/{made['id']}").status == 204
        assert bob.ask("GET", f"{SESSIONS}/{one}/files").status == 404
        assert bob.ask("POST", f"{CHAT}/1", {"message": "hi", "session_id": one}).json["session_id"] != one
