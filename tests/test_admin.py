"""The admins' view: who is connected, what runs, what people use; and stopping what runs."""

from __future__ import annotations

import json
import sqlite3
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import pytest
from websockets.sync.client import connect

from agentchat.app import Running
from agentchat.auth.accounts import Accounts
from tests.agent_files import write_agents
from tests.browsers import Browser
from tests.clients import PATIENCE, ChatClient, wait_until
from tests.conftest import Serve
from tests.rest_client import SESSIONS, Answer, EventStream, RestClient

ADMIN = "/api/agent-chat/admin"
HELPFUL = '''
"""Does what the message says."""
import time

def on_message(message, chat):
    if message.startswith("ask"):
        return chat.ask("Which marzipan?")
    if message.startswith("wait"):
        while True:
            chat.progress(0, 1)
            time.sleep(0.02)
    return "Marzipan."
'''

pytestmark = pytest.mark.own_server


class Person(Browser):
    """A user who has logged in, in their browser."""

    def __init__(self, running: Running, accounts: Accounts, login: str, *roles: str) -> None:
        super().__init__(running)
        user = accounts.add(login, None, login.title(), roles)
        self.about = {"id": user.id, "login": login, "name": login.title()}
        self.cookies["agentchat_login"] = accounts.begin_login(user.id, "127.0.0.1", "test")[0]

    def token(self, accounts: Accounts) -> dict[str, str]:
        """Return the header with a token of theirs."""
        return {"Authorization": f"Bearer {accounts.add_token(self.about['id'], 'test', 'operator')[0]}"}

    @property
    def overview(self) -> Any:
        answer = self.ask("GET", ADMIN)
        assert answer.status == 200
        return answer.json

    def begin(self, text: str, title: str = "Marzipan") -> str:
        """Begin a session with a message, and return its id."""
        id = self.ask("POST", SESSIONS, {"agent": "helpful", "title": title}).json["id"]
        assert self.ask("POST", f"{SESSIONS}/{id}/messages", {"text": text}).status == 202
        return str(id)

    def status(self, session: str) -> str:
        return str(self.ask("GET", f"{SESSIONS}/{session}").json["status"])


@pytest.fixture
def agents(tmp_path: Path) -> str:
    return write_agents(tmp_path, helpful=HELPFUL)


@pytest.fixture
def running(serve: Serve, agents: str, accounts: Accounts) -> Running:
    return serve("demo", "--accounts", "--agents", agents)


@pytest.fixture
def ada(running: Running, accounts: Accounts) -> Person:
    return Person(running, accounts, "ada")


@pytest.fixture
def eve(running: Running, accounts: Accounts) -> Person:
    return Person(running, accounts, "eve", "admin")


def test_who_is_connected(ada: Person, eve: Person) -> None:
    """Each connection is there with whoever has it, in which session, until it ends, however it ends."""
    id = ada.begin("hello")
    cookie = f"agentchat_login={ada.cookies['agentchat_login']}"
    with (
        ChatClient(ada.websocket, ada.origin, cookie, session=id) as cut,
        ada.connect(f"session={id}") as closed,
        EventStream(ada.rest.netloc, f"{SESSIONS}/{id}/events", {"Cookie": cookie}) as stream,
    ):
        cut.confirmed(), closed.recv(PATIENCE), stream.until("connection_confirmed")
        seen = eve.overview
        assert sorted(each["kind"] for each in seen["connected"]) == ["stream", "websocket", "websocket"]
        assert all(each["since"] and each["address"] == "127.0.0.1" for each in seen["connected"])
        assert [(each["user"], each["session"]) for each in seen["connected"]] == [(ada.about, id)] * 3
        assert seen["connected_in_all"] == 3

        cut.cut()
        closed.close()
        wait_until(lambda: [each["kind"] for each in eve.overview["connected"]] == ["stream"])
    wait_until(lambda: eve.overview["connected"] == [])


def test_a_request_that_waits(ada: Person, eve: Person) -> None:
    """A request that waits for agents is a connection, too, as long as it does."""
    id = ada.ask("POST", SESSIONS, {"agent": "helpful"}).json["id"]
    with ThreadPoolExecutor() as pool:
        waiting = pool.submit(ada.ask, "POST", f"{SESSIONS}/{id}/messages?wait=60", {"text": "wait"})
        wait_until(lambda: [(each["kind"], each["session"]) for each in eve.overview["connected"]] == [("request", id)])
        wait_until(lambda: eve.ask("POST", f"{ADMIN}/stop", {"session": id}).json["turn"] == 1)
        assert waiting.result(PATIENCE).json["status"] == "stopped"
    wait_until(lambda: eve.overview["connected"] == [])


def test_a_new_session(ada: Person, eve: Person) -> None:
    """A session in which nothing was said is named, too."""
    with ada.connect("agent=helpful") as client:
        new = json.loads(client.recv(PATIENCE))["content"]["session_id"]
        assert [(each["kind"], each["session"]) for each in eve.overview["connected"]] == [("websocket", new)]


def test_a_stream_in_another_dialect(ada: Person, eve: Person) -> None:
    """A stream that creates its session is in it, too."""
    headers = {"Cookie": f"agentchat_login={ada.cookies['agentchat_login']}", "Origin": ada.origin}
    body = {"message": "wait", "agent": "helpful"}
    with EventStream(ada.rest.netloc, "/api/v1/chat/new/stream", headers, body) as stream:
        id = next(message for message in stream.messages() if message.data).frame["data"]["session_id"]
        assert [(each["kind"], each["session"]) for each in eve.overview["connected"]] == [("stream", id)]
        assert eve.ask("POST", f"{ADMIN}/stop", {"session": id}).json == {"turn": 1}


def test_what_runs(ada: Person, eve: Person) -> None:
    """Turns that run stand in front of those that wait for an answer; their conversations have no titles."""
    asking, waiting = ada.begin("ask me about marzipan"), ada.begin("wait")
    ada.begin("hello")
    wait_until(lambda: [turn["status"] for turn in eve.overview["running"]] == ["running", "waiting"])
    seen = eve.overview
    assert seen["running_in_all"] == 2
    assert all(turn.pop("since") for turn in seen["running"])
    about = {"title": None, "turn": 1, "agent": "helpful", "user": ada.about}
    assert seen["running"] == [
        {"session": waiting, "status": "running", **about},
        {"session": asking, "status": "waiting", **about},
    ]
    assert "marzipan" not in eve.ask("GET", ADMIN).body.decode().lower()
    for id in (asking, waiting):
        assert eve.ask("GET", f"{SESSIONS}/{id}").code == "session_unknown"


def test_a_question_of_an_earlier_server(serve: Serve, agents: str, accounts: Accounts) -> None:
    """A turn that waits since before a restart is there, and can be stopped."""
    first = serve("demo", "--accounts", "--agents", agents)
    ada, eve = Person(first, accounts, "ada"), Person(first, accounts, "eve", "admin")
    id = ada.begin("ask")
    wait_until(lambda: ada.status(id) == "waiting")
    first.close()
    second = serve("demo", "--accounts", "--agents", agents)
    for person in (ada, eve):
        cookies = person.cookies
        Browser.__init__(person, second)
        person.cookies = cookies
    [turn] = eve.overview["running"]
    assert (turn["session"], turn["status"], turn["user"]) == (id, "waiting", ada.about)
    assert eve.ask("POST", f"{ADMIN}/stop", {"session": id}).json == {"turn": 1}
    wait_until(lambda: eve.overview["running"] == [])


def test_stopping_a_turn(ada: Person, eve: Person, tmp_path: Path) -> None:
    """An admin stops whatever runs, once, which is in the audit log; the conversation goes on afterwards."""
    id = ada.begin("wait")
    wait_until(lambda: ada.status(id) == "running" and bool(eve.overview["running"]))
    for _ in range(2):
        stopped = eve.ask("POST", f"{ADMIN}/stop", {"session": id}, **{"Idempotency-Key": "s"})
        assert (stopped.status, stopped.json) == (202, {"turn": 1})
    wait_until(lambda: ada.status(id) == "idle")
    assert eve.ask("POST", f"{ADMIN}/stop", {"session": id}).json == {"turn": None}
    unknown = eve.ask("POST", f"{ADMIN}/stop", {"session": "nothing"})
    assert (unknown.status, unknown.code) == (404, "session_unknown")

    [entry] = eve.ask("GET", f"{ADMIN}/audit?event=turn_stopped").json["entries"]
    who = {"id": eve.about["id"], "login": "eve"}
    assert (entry["who"], entry["session"], entry["turn"]) == (who, id, 1)
    again = ada.ask("POST", f"{SESSIONS}/{id}/messages?wait=60", {"text": "hello"})
    assert (again.status, again.json["status"]) == (200, "completed")


def test_withdrawing_a_message(ada: Person, eve: Person) -> None:
    """An admin can name the turn; one that has not begun is withdrawn."""
    id = ada.begin("wait")
    wait_until(lambda: ada.status(id) == "running")
    assert ada.ask("POST", f"{SESSIONS}/{id}/messages", {"text": "hello"}).status == 202
    assert eve.ask("POST", f"{ADMIN}/stop", {"session": id, "turn": 2}).json == {"turn": 2}
    assert ada.ask("GET", f"{SESSIONS}/{id}").json["queue"] == []


def test_where_admins_read(serve: Serve, agents: str, accounts: Accounts) -> None:
    """With --admins-read, and only then, admins see titles, and can read what others say; never write."""
    running = serve("demo", "--accounts", "--admins-read", "--agents", agents)
    ada, eve = Person(running, accounts, "ada"), Person(running, accounts, "eve", "admin")
    id = ada.begin("ask me", "About marzipan")
    wait_until(lambda: bool(eve.overview["running"]))
    assert [turn["title"] for turn in eve.overview["running"]] == ["About marzipan"]
    assert eve.ask("GET", f"{SESSIONS}/{id}").status == 200
    assert eve.ask("POST", f"{SESSIONS}/{id}/messages", {"text": "hello"}).status == 403


def test_usage(ada: Person, eve: Person, tmp_path: Path) -> None:
    """Usage is told for each person and agent, some days together, the most expensive first."""
    now = datetime.now(timezone.utc)
    day, past = now.strftime("%Y-%m-%d"), (now - timedelta(days=20)).strftime("%Y-%m-%d")
    rows = [
        (day, ada.about["id"], "poet", 1, 10, 0.25), (past, ada.about["id"], "poet", 2, 20, 0.5),
        (day, "u-gone", "poet", 1, 5, 2.0), (day, eve.about["id"], "clerk", 1, 0, 0.0),
    ]  # fmt: skip
    with closing(sqlite3.connect(tmp_path / "data" / "agentchat.db")) as db, db:
        db.executemany("REPLACE INTO usage VALUES (?, ?, ?, ?, ?, ?)", rows)
    gone = {"id": "u-gone", "login": "", "name": ""}
    assert eve.overview["usage"] == [
        {"user": gone, "agent": "poet", "turns": 1, "tokens": 5, "cost": 2.0},
        {"user": ada.about, "agent": "poet", "turns": 3, "tokens": 30, "cost": 0.75},
        {"user": eve.about, "agent": "clerk", "turns": 1, "tokens": 0, "cost": 0.0},
    ]
    today = eve.ask("GET", f"{ADMIN}?days=1").json
    assert [(each["user"]["login"], each["turns"]) for each in today["usage"]] == [("", 1), ("ada", 1), ("eve", 1)]
    assert today["usage_since"] == day


def test_the_audit_log(ada: Person, eve: Person) -> None:
    """The newest entries come first, and can be those of a person or an event."""
    first, second, third = (person.begin("hello") for person in (ada, eve, ada))
    for person, id in ((ada, first), (eve, second), (ada, third)):
        assert person.ask("DELETE", f"{SESSIONS}/{id}").status == 204
    assert ada.ask("POST", "/api/agent-chat/logout", {}).status == 204

    def entries(query: str) -> list[str]:
        found = eve.ask("GET", f"{ADMIN}/audit?{query}").json["entries"]
        assert found == eve.ask("GET", f"{ADMIN}?audit={100 if 'limit' not in query else 1}&{query}").json["audit"]
        return [str(entry.get("session", entry["event"])) for entry in found]

    assert entries("") == ["logout", third, second, first]
    assert entries("limit=1") == ["logout"]
    assert entries("person=ADA") == entries(f"person={ada.about['id']}") == ["logout", third, first]
    assert entries("person=ada&event=session_deleted") == [third, first]
    assert entries("event=login") == entries("person=nobody") == []
    assert eve.overview["audit"] == []


def test_nobody_else(ada: Person, eve: Person, running: Running, accounts: Accounts) -> None:
    """For anybody but admins who have logged in there is nothing here; the page neither."""
    ann = Person(running, accounts, "ann", "operator")

    def ask(person: Person | None, method: str, path: str, **headers: str) -> Answer:
        body = {"session": "x"} if method == "POST" else None
        client = RestClient(running)
        return person.ask(method, path, body, **headers) if person else client.ask(method, path, body, headers)

    for method, path in (("GET", ADMIN), ("GET", f"{ADMIN}/audit"), ("POST", f"{ADMIN}/stop")):
        for person in (ada, ann):
            refused = ask(person, method, path)
            assert (refused.status, refused.code) == (404, "not_found")
        assert ask(None, method, path, **eve.token(accounts)).status == 403
        assert ask(None, method, path).status == 401
    for somebody, status in ((ada, 404), (ann, 404), (eve, 200), (None, 303)):
        assert ask(somebody, "GET", "/admin").status == status


def test_where_nobody_logs_in(serve: Serve, agents: str) -> None:
    """Everybody is `you`, sees all titles, and may stop what runs."""
    running = serve("demo", "--agents", agents)
    rest = RestClient(running)
    session = rest.new_session(agent="helpful", title="About marzipan")
    with connect(f"{running.websocket}?session={session.id}&name=Ann", open_timeout=PATIENCE) as client:
        client.recv(PATIENCE)
        client.send("wait")
        wait_until(lambda: bool(rest.get(ADMIN).json["running"]))
        seen = rest.get(ADMIN, audit=10).json
        [connection], [turn] = seen["connected"], seen["running"]
        assert connection["user"] == {"id": "you", "login": "", "name": "Ann"}
        assert (turn["title"], turn["user"]["name"]) == ("About marzipan", "Ann")
        assert rest.post(f"{ADMIN}/stop", {"session": session.id}).json == {"turn": 1}
    wait_until(lambda: rest.get(ADMIN).json["running"] == [])
    [entry] = rest.get(f"{ADMIN}/audit").json["entries"]
    assert (entry["event"], entry["who"]) == ("turn_stopped", {"id": "you", "login": "you"})
    assert rest.get("/admin").status == 200
