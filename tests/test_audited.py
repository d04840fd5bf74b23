"""The entries of the audit log: one for each thing that is done, with whoever did it, and without anybody's words."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest
from websockets.sync.client import connect

from agentchat.app import Running
from agentchat.audit import FILE
from agentchat.auth.accounts import Accounts
from tests.agent_files import TOOLS, write_agents
from tests.clients import PATIENCE, wait_until
from tests.conftest import Serve
from tests.model_server import ModelServer, Reply
from tests.processes import ROOT
from tests.rest_client import SESSIONS, Answer, RestClient

HELPFUL = '''
"""Does what the message says."""

def on_message(message, chat):
    if message.startswith("ask"):
        return "Done." if chat.approve("Shall I buy the marzipan?", {"price": "four marzipan"}) else "Well, then."
    if message.startswith("human"):
        return chat.hand_to_human("wants marzipan")
    return "Marzipan."
'''
SEND = Reply(tools=[("send", {"to": "Marzipan", "times": 2})])

pytestmark = pytest.mark.own_server


class Person:
    """A user with a token, on one server."""

    def __init__(self, accounts: Accounts, login: str, *roles: str) -> None:
        user = accounts.add(login, None, roles=roles)
        scope = "operator" if roles else "write"
        self.who = {"id": user.id, "login": login}
        self.headers = {"Authorization": f"Bearer {accounts.add_token(user.id, 'test', scope)[0]}"}

    def ask(self, running: Running, method: str, path: str, body: object = None, **headers: str) -> Answer:
        return RestClient(running).ask(method, path, body, {**self.headers, **headers})


@pytest.fixture
def ada(accounts: Accounts) -> Person:
    return Person(accounts, "ada")


@pytest.fixture
def ann(accounts: Accounts) -> Person:
    return Person(accounts, "ann", "operator")


@pytest.fixture
def running(serve: Serve, model: ModelServer, tmp_path: Path, ada: Person, ann: Person) -> Running:
    return serve("--accounts", "--agents", write_agents(tmp_path, helpful=HELPFUL, tools=TOOLS), model=model)


def entries(folder: Path) -> list[dict[str, Any]]:
    """Return what the audit log says, without times. Nobody's words may be in it."""
    file = folder / "data" / FILE
    text = file.read_text() if file.exists() else ""
    assert "marzipan" not in text.lower()
    found: list[dict[str, Any]] = [json.loads(line) for line in text.splitlines()]
    assert all(entry.pop("ts") for entry in found)
    return found


def begin(person: Person, running: Running, agent: str, text: str) -> str:
    """Begin a session with a message, wait for the end of the turn or a question, and return its path."""
    path = f"{SESSIONS}/{person.ask(running, 'POST', SESSIONS, {'agent': agent, 'title': 'Marzipan'}).json['id']}"
    assert person.ask(running, "POST", f"{path}/messages?wait=60", {"text": text}).status in {200, 202}
    return path


def question(person: Person, running: Running, path: str) -> str:
    """Return the id of the open question."""
    return str(person.ask(running, "GET", path).json["open_requests"][0]["request_id"])


def test_taking_over_and_handing_back(running: Running, tmp_path: Path, ada: Person, ann: Person) -> None:
    """Both are written once, also if the command is sent again."""
    path = begin(ada, running, "helpful", "human, please: marzipan!")
    id = path.rpartition("/")[2]
    for _ in range(2):
        assert ann.ask(running, "POST", f"{path}/take", {}, **{"Idempotency-Key": "t"}).status == 200
    assert ada.ask(running, "POST", f"{path}/hand-back", {}).status == 409
    assert ann.ask(running, "POST", f"{path}/reply", {"text": "Marzipan is out."}).status == 200
    assert ann.ask(running, "POST", f"{path}/hand-back", {"note": "No marzipan."}).status == 200

    about = {"who": ann.who, "address": "127.0.0.1", "session": id}
    assert entries(tmp_path) == [
        {"event": "session_taken", **about},
        {"event": "session_handed_back", **about, "was_taken": True},
    ]


def test_taking_over_by_websocket(running: Running, tmp_path: Path, ada: Person, ann: Person) -> None:
    """It makes no difference which way a command comes; a person who calls off the wait is written, too."""
    path = begin(ada, running, "helpful", "human")
    id = path.rpartition("/")[2]
    address = f"{running.websocket}?session={id}&role=operator"
    with connect(address, additional_headers=ann.headers, open_timeout=PATIENCE) as client:
        for command, kind in (("take", "taken"), ("hand_back", "returned")):
            client.send(json.dumps({"type": command, "content": {}}))
            while json.loads(client.recv(PATIENCE))["content"].get("kind") != kind:
                pass
    assert ada.ask(running, "POST", f"{path}/messages?wait=60", {"text": "human"}).status == 200
    assert ada.ask(running, "POST", f"{path}/hand-back", {}).status == 200

    said = [(entry["event"], entry["who"], entry.get("was_taken")) for entry in entries(tmp_path)]
    assert said == [
        ("session_taken", ann.who, None),
        ("session_handed_back", ann.who, True),
        ("session_handed_back", ada.who, False),
    ]


@pytest.mark.parametrize(
    ("text", "arguments", "decision"),
    [("approve", None, "approve"), ("no, marzipan is bad", None, "deny"), ("edit", {"to": "Marzipan II"}, "edit")],
)
def test_the_approval_of_a_tool(
    running: Running,
    model: ModelServer,
    tmp_path: Path,
    ada: Person,
    text: str,
    arguments: object,
    decision: str,
) -> None:
    """The log says which tool, and what was decided; not why, and nothing of the arguments."""
    model.script(SEND, Reply("Marzipan was sent."))
    path = begin(ada, running, "tools", "Send marzipan")
    body = {"request_id": question(ada, running, path), "text": text, "arguments": arguments}
    for status in (200, 409):
        assert ada.ask(running, "POST", f"{path}/input", body).status == status

    about = {"session": path.rpartition("/")[2], "agent": "clerk", "tool": "send", "decision": decision}
    assert entries(tmp_path) == [{"event": "approval", "who": ada.who, "address": "127.0.0.1", **about}]


def test_an_approval_in_words(running: Running, tmp_path: Path, ada: Person) -> None:
    """An agent's own question for a yes counts, too; without its words, and also if it is answered in plain text."""
    path = begin(ada, running, "helpful", "ask me")
    id = path.rpartition("/")[2]
    with connect(f"{running.websocket}?session={id}", additional_headers=ada.headers, open_timeout=PATIENCE) as client:
        while json.loads(client.recv(PATIENCE))["type"] != "input_request":
            pass
        client.send("ok, but only marzipan")  # which is no yes
        while json.loads(client.recv(PATIENCE))["type"] != "turn_completed":
            pass

    [entry] = entries(tmp_path)
    assert (entry["event"], entry["who"], entry["tool"], entry["decision"]) == ("approval", ada.who, None, "deny")


def test_a_deletion(running: Running, tmp_path: Path, ada: Person, ann: Person) -> None:
    """A conversation that was deleted is named by its id only; attempts that fail are not written."""
    path = begin(ada, running, "helpful", "marzipan")
    assert ann.ask(running, "DELETE", path).status == 404
    for status in (204, 404):
        assert ada.ask(running, "DELETE", path).status == status

    about = {"who": ada.who, "address": "127.0.0.1", "session": path.rpartition("/")[2]}
    assert entries(tmp_path) == [{"event": "session_deleted", **about}]


def test_a_conversation_that_expires(serve: Serve, tmp_path: Path) -> None:
    """Nobody deletes it."""
    rest = RestClient(serve("demo", "--session-ttl-hours", "0.0001"))
    session = rest.new_session()
    session.ask("Marzipan")
    wait_until(lambda: bool(entries(tmp_path)))
    about = {"who": None, "address": "", "session": session.id, "way": "expired"}
    assert entries(tmp_path) == [{"event": "session_deleted", **about}]


def test_logging_in_and_out(running: Running, accounts: Accounts, tmp_path: Path) -> None:
    """The log says who got in and with which roles, who did not, and how many logins ended."""
    eve = accounts.add("eve", "marzipan for all", roles=("admin",))
    browser = RestClient(running)
    origin = {"Origin": running.page.rstrip("/")}
    wrong = {"login": "eve", "password": "no marzipan"}
    assert browser.ask("POST", "/api/agent-chat/login", wrong, origin).status == 401
    entered = browser.ask("POST", "/api/agent-chat/login", {**wrong, "password": "marzipan for all"}, origin)
    cookie = {"Cookie": str(entered.headers["Set-Cookie"]).partition(";")[0]}
    assert browser.ask("POST", "/api/agent-chat/logout", {}, {**origin, **cookie}).status == 204

    failed, began, ended = entries(tmp_path)
    about = {"who": {"id": eve.id, "login": "eve"}, "address": "127.0.0.1"}
    assert failed == {"event": "login_failed", "who": None, "address": "127.0.0.1", "login": "eve"}
    assert began.pop("login_id")
    assert began == {"event": "login", **about, "way": "password", "roles": ["admin"]}
    assert ended == {"event": "logout", **about, "logins": 1}


def test_where_nobody_logs_in(serve: Serve, tmp_path: Path) -> None:
    """Everybody is `you`, with the name that they gave."""
    rest = RestClient(serve("demo", "--agents", write_agents(tmp_path, helpful=HELPFUL)))
    session = rest.new_session(agent="helpful")
    session.post("take", {"name": "Ann"})
    assert rest.ask("DELETE", session.path).status == 204
    assert [(entry["event"], entry["who"]) for entry in entries(tmp_path)] == [
        ("session_taken", {"id": "you", "login": "Ann"}),
        ("session_deleted", {"id": "you", "login": "you"}),
    ]


def test_an_audit_log_that_fails(running: Running, tmp_path: Path, ada: Person, ann: Person) -> None:
    """A log that cannot be written stops nothing."""
    (tmp_path / "data" / FILE).mkdir()
    path = begin(ada, running, "helpful", "ask for marzipan")
    body = {"request_id": question(ada, running, path), "text": "approve"}
    assert ada.ask(running, "POST", f"{path}/input", body).status == 200
    assert ada.ask(running, "POST", f"{path}/messages?wait=60", {"text": "human"}).status == 200
    for what in ("take", "hand-back"):
        assert ann.ask(running, "POST", f"{path}/{what}", {}).status == 200
    assert ada.ask(running, "DELETE", path).status == 204


def test_all_events_are_documented() -> None:
    """The table in docs/security.md names every event that is written anywhere."""
    written = re.compile(
        r"""(?:audit\.write|self\._(?:note|write)|folder\.note)\(\s*"(\w+)"(?: if \w+ else "(\w+)")?"""
    )
    sources = [path.read_text() for path in (ROOT / "agentchat").rglob("*.py")]
    events = {event for source in sources for found in written.findall(source) for event in found if event}
    table = (ROOT / "docs" / "security.md").read_text().partition("## The audit log")[2].partition("\n## ")[0]
    assert {"login", "approval", "member_left", "turn_stopped", "roles_changed"} <= events
    assert events - set(re.findall(r"`(\w+)`", table)) == set()
