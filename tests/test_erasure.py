"""Downloading and deleting everything that is somebody's."""

from __future__ import annotations

import io
import json
import signal
import sqlite3
import threading
import zipfile
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from agentchat.access import MEMBER
from agentchat.auth.accounts import Accounts
from agentchat.protocol.events import now
from agentchat.store.sharing import Invitation
from tests.agent_files import write_agents
from tests.browsers import API, PASSWORD, Browser, close_code
from tests.clients import PATIENCE, wait_until
from tests.conftest import Fork, Serve, config_list
from tests.model_server import ModelServer
from tests.rest_client import SESSIONS

ME = f"{API}/me"
WORD = "zanzibarian"  # of Ada, which nobody else says
AGENT = '''
"""Remembers what it is told, and can take its time."""

import os
import time

def on_message(message, chat):
    if message == "wait":
        while True:
            time.sleep(0.01)
            chat.check()
    if message.startswith("/"):
        while not os.path.exists(message):
            time.sleep(0.01)
    chat.remember(message, "said")
    return "Done."
'''

pytestmark = pytest.mark.own_server


@pytest.fixture
def accounts(tmp_path: Path) -> Iterator[Accounts]:
    folder = tmp_path / "data"
    folder.mkdir()
    with closing(Accounts(folder)) as accounts:
        for login in ("ada", "bob"):
            accounts.add(login, PASSWORD, roles=["operator"])
        yield accounts


@pytest.fixture
def ada(accounts: Accounts, serve: Serve, tmp_path: Path) -> Browser:
    return Browser(serve("demo", "--agents", write_agents(tmp_path, helpful=AGENT))).another("ada")


def user_id(browser: Browser) -> str:
    return str(browser.ask("GET", ME).json["id"])


def begin(browser: Browser, *texts: str) -> str:
    """Begin a session, have these messages answered, and return its id."""
    id = str(browser.ask("POST", SESSIONS, {"agent": "helpful"}).json["id"])
    for text in texts:
        say(browser, id, text)
    return id


def say(browser: Browser, id: str, text: str) -> None:
    answer = browser.ask("POST", f"{SESSIONS}/{id}/messages?wait={PATIENCE}", {"text": text})
    assert (answer.status, answer.json["status"]) == (200, "completed")


def put(browser: Browser, id: str, path: str, content: bytes) -> None:
    assert browser.ask("PUT", f"{SESSIONS}/{id}/files/{path}", content).status == 201


def join(folder: Path, session: str, user: str) -> None:
    """Make a user a member of a session, as an accepted invitation does."""
    invitation = Invitation("i-1", session, MEMBER, now())
    with closing(sqlite3.connect(folder / "agentchat.db")) as db, db:
        values = (session, user, invitation.role, invitation.id, invitation.created, "")
        db.execute("INSERT INTO members VALUES (?, ?, ?, ?, ?, ?)", values)


def tables(folder: Path, word: str) -> set[str]:
    """Return the tables of conversations that have a word in them; `search` if it can be found."""
    with closing(sqlite3.connect(folder / "agentchat.db")) as db:
        names = [name for (name,) in db.execute("SELECT name FROM sqlite_master WHERE type = 'table'")]
        rows = {name: db.execute(f'SELECT * FROM "{name}"').fetchall() for name in names}
        hits = db.execute("SELECT 1 FROM words WHERE words MATCH ?", (f'"{word}"',)).fetchall()
    return {name for name in names if word in str(rows[name])} | ({"search"} if hits else set())


def found(folder: Path, word: str) -> set[str]:
    """Return the files of a data folder, the audit log excepted, and the tables that have a word in them.

    Locks of this process on a database are lost: reading a file takes them off.
    """
    files = [path for path in folder.rglob("*") if path.is_file() and path.name != "audit.jsonl"]
    has = {str(path.relative_to(folder)) for path in files if word.encode() in path.read_bytes() or word in path.name}
    return has | tables(folder, word)


# Downloading


def test_an_archive(ada: Browser, tmp_path: Path) -> None:
    """The archive has the profile, notes, logins, tokens, usage, own conversations and files, and nothing of others."""
    mine, other = begin(ada, WORD), begin(ada.another("bob"), "Bob's words")
    put(ada, mine, "notes%2Fa.txt", b"my file")
    token = ada.ask("POST", f"{ME}/tokens", {"name": "ci", "scope": "read"}).json["token"]
    answer = ada.ask("GET", f"{ME}/export")
    assert (answer.status, answer.headers["Content-Type"]) == (200, "application/zip")
    with zipfile.ZipFile(io.BytesIO(answer.body)) as archive:
        assert archive.testzip() is None
        texts = {name: archive.read(name).decode() for name in archive.namelist()}
    assert texts.keys() == {
        "profile.json", "logins.json", "tokens.json", "notes.json", "usage.json",
        f"conversations/{mine}/conversation.json", f"conversations/{mine}/files/notes/a.txt",
    }  # fmt: skip
    parts = {name: json.loads(text) for name, text in texts.items() if name.endswith(".json")}
    assert parts["profile.json"]["login"] == "ada"
    assert [note["key"] for note in parts["notes.json"]] == [WORD]
    assert [(row["agent"], row["turns"]) for row in parts["usage.json"]] == [("helpful", 1)]
    assert [login["current"] for login in parts["logins.json"]] == [True]
    events = parts[f"conversations/{mine}/conversation.json"]["events"]
    assert WORD in [event["content"]["text"] for event in events if event["type"] == "user_message"]
    assert texts[f"conversations/{mine}/files/notes/a.txt"] == "my file"
    everything = "".join(texts.values())
    for secret in (token, ada.cookies["agentchat_login"], other, "Bob's words"):
        assert secret not in everything


def test_an_archive_is_sent_while_it_is_made(ada: Browser, tmp_path: Path) -> None:
    """A large file, which a program has made, arrives whole, and is never in memory as a whole."""
    id = begin(ada, WORD)
    size = 300 * 2**20
    folder = tmp_path / "data" / "workspaces" / id
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / "large.bin").open("wb") as file:
        file.truncate(size)
    before = peak()
    answer = ada.ask("GET", f"{ME}/export")
    with zipfile.ZipFile(io.BytesIO(answer.body)) as archive:
        assert archive.getinfo(f"conversations/{id}/files/large.bin").file_size == size
    assert peak() - before < size / 4


def peak() -> int:
    """Return the most memory that this process, which has the server, has had so far."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) * 1024 for line in lines if line.startswith("VmHWM"))


# Deleting


def test_deleting_everything(ada: Browser, accounts: Accounts, tmp_path: Path) -> None:
    """Everything of a person is gone, from the files as well; what they said elsewhere stays without their id."""
    folder, bob = tmp_path / "data", ada.another("bob")
    id, mine, theirs = user_id(ada), begin(ada, WORD), begin(bob, "Hello")
    put(ada, mine, "a.txt", WORD.encode())
    join(folder, theirs, id)
    say(ada, theirs, "I was here")
    token = ada.ask("POST", f"{ME}/tokens", {"name": "ci", "scope": "write"}).json["token"]
    assert {"events", "notes", "words_content", "search"} <= found(folder, WORD)
    assert {"events", "notes", "sessions", "members", "usage"} <= found(folder, id)

    with ada.connect() as client, bob.connect(f"session={theirs}") as other:
        client.recv(PATIENCE)
        other.recv(PATIENCE)
        assert ada.ask("DELETE", ME, {"confirm": "not my password"}).status == 401
        assert ada.ask("DELETE", ME, {"confirm": PASSWORD}).status == 204
        assert close_code(client) == 1008

    assert not ada.cookies["agentchat_login"]
    assert accounts.user(id) is None
    assert ada.rest.ask("GET", ME, None, {"Authorization": f"Bearer {token}"}).status == 401
    assert ada.log_in("ada").status == 401
    assert found(folder, WORD) == set()
    assert found(folder, id) == set()
    events = bob.ask("GET", f"{SESSIONS}/{theirs}/events").json["events"]
    said = [event["content"] for event in events if event["type"] == "user_message"]
    assert [(each["text"], each["name"]) for each in said] == [("Hello", "bob"), ("I was here", "ada")]
    assert (said[0]["user"], said[1]["user"]) == (user_id(bob), "")
    say(bob, theirs, "Hello again")
    entries = map(json.loads, (folder / "audit.jsonl").read_text().splitlines())
    assert [each["who"]["login"] for each in entries if each["event"] == "account_deleted"] == ["ada"]


def test_running_turns_are_stopped(ada: Browser, tmp_path: Path) -> None:
    """A turn that runs is stopped with its session, and a session in which nothing was said is gone as well."""
    id = begin(ada)
    assert ada.ask("POST", f"{SESSIONS}/{id}/messages", {"text": "wait"}).status == 202
    wait_until(lambda: ada.ask("GET", f"{SESSIONS}/{id}").json["status"] == "running")
    with ada.connect("agent=helpful") as client:
        unsaid = json.loads(client.recv(PATIENCE))["content"]["session_id"]
        assert ada.ask("DELETE", ME, {"confirm": PASSWORD}).status == 204
    bob = ada.another("bob")
    assert [bob.ask("GET", f"{SESSIONS}/{each}").status for each in (id, unsaid)] == [404, 404]
    wait_until(lambda: not [t for t in threading.enumerate() if t.name == f"turn-{id}"])


def test_turns_in_the_conversations_of_others(ada: Browser, tmp_path: Path) -> None:
    """A turn that answers a person elsewhere goes on when they are deleted, and leaves nothing about them."""
    folder, bob, gate = tmp_path / "data", ada.another("bob"), tmp_path / "gate"
    id, theirs = user_id(ada), begin(bob, "Hello")
    join(folder, theirs, id)
    assert ada.ask("POST", f"{SESSIONS}/{theirs}/messages", {"text": str(gate)}).status == 202
    assert ada.ask("POST", f"{SESSIONS}/{theirs}/messages", {"text": WORD}).status == 202
    wait_until(lambda: bob.ask("GET", f"{SESSIONS}/{theirs}").json["status"] == "running")
    assert ada.ask("DELETE", ME, {"confirm": PASSWORD}).status == 204
    gate.touch()
    wait_until(lambda: bob.ask("GET", f"{SESSIONS}/{theirs}").json["status"] == "idle")
    assert found(folder, id) == set()
    say(bob, theirs, "Hello again")


def test_the_last_account(serve: Serve, tmp_path: Path) -> None:
    """A server that others can reach lets nobody in when its last account is gone."""
    folder = tmp_path / "data"
    folder.mkdir()
    with closing(Accounts(folder)) as accounts:
        accounts.add("ada", PASSWORD)
    ada = Browser(serve("demo", "--public-url", "http://chat.example.com")).another("ada")
    assert ada.ask("DELETE", ME, {"confirm": PASSWORD}).status == 204
    assert ada.ask("GET", SESSIONS).status == 401


def test_a_session_that_an_operator_had(ada: Browser, accounts: Accounts, tmp_path: Path) -> None:
    """A conversation that a deleted operator had taken goes back to its agents."""
    bob = ada.another("bob")
    id = begin(bob, "Hello")
    with closing(sqlite3.connect(tmp_path / "data" / "agentchat.db")) as db, db:
        db.execute("UPDATE sessions SET held = 'waiting' WHERE id = ?", (id,))
    assert ada.ask("POST", f"{SESSIONS}/{id}/take", {}).status == 200
    operator = user_id(ada)
    assert ada.ask("DELETE", ME, {"confirm": PASSWORD}).status == 204
    assert bob.ask("GET", f"{SESSIONS}/{id}").json["held"] is None
    assert operator not in bob.ask("GET", f"{SESSIONS}/{id}/events").body.decode()
    say(bob, id, "Hello again")


def test_somebody_without_a_password(serve: Serve, accounts: Accounts) -> None:
    """Whom a proxy names, or a provider knows, confirms with the login name."""
    running = serve("demo", "--trusted-proxies", "127.0.0.1", "--auth-header", "X-Forwarded-User")
    proxied, eve = Browser(running), {"X-Forwarded-User": "eve"}
    assert proxied.ask("POST", f"{ME}/password", {"old": "", "new": PASSWORD}, **eve).code == "not_allowed"
    assert proxied.ask("DELETE", ME, {"confirm": "ada"}, **eve).code == "not_allowed"
    you = proxied.ask("GET", ME, None, **eve).json
    id = you["id"]
    assert not you["can_log_out"]  # the proxy would bring her straight back
    assert proxied.ask("DELETE", ME, {"confirm": "Eve"}, **eve).status == 204
    assert accounts.user(id) is None


@pytest.mark.parametrize("locked", ["agentchat.db", "accounts.db"])
def test_a_deletion_that_is_killed(
    fork: Fork, model: ModelServer, accounts: Accounts, tmp_path: Path, locked: str
) -> None:
    """A deletion that ends with the server, wherever it is, is completed by a second try."""
    folder = tmp_path / "data"
    options = ("--port", "0", "--ws-port", "0", "--agents", write_agents(tmp_path, helpful=AGENT))
    with fork(*options, environment=config_list(model)) as server:
        ada, bob = Browser(server).another("ada"), Browser(server).another("bob")
        id, theirs = user_id(ada), begin(bob, "Hello")
        for number in range(12):
            put(ada, begin(ada, f"{WORD} {number}"), "a.txt", WORD.encode())
        join(folder, theirs, id)
        say(ada, theirs, "I was here")

        def left() -> int:
            with closing(sqlite3.connect(folder / "agentchat.db")) as db:
                return int(db.execute("SELECT count(*) FROM sessions WHERE owner = ?", (id,)).fetchone()[0])

        def delete() -> None:
            with pytest.raises(OSError):
                ada.ask("DELETE", ME, {"confirm": PASSWORD})

        thread = threading.Thread(target=delete)
        with closing(sqlite3.connect(folder / locked, isolation_level=None, timeout=PATIENCE)) as db:
            if locked == "accounts.db":  # the deletion gets as far as the account
                db.execute("BEGIN IMMEDIATE")
                thread.start()
                wait_until(lambda: left() == 0)
                wait_until(lambda: not {"events", "members", "notes"}.intersection(tables(folder, id)))
            else:
                thread.start()
                wait_until(lambda: left() < 12)
                db.execute("BEGIN IMMEDIATE")
                assert 0 < left() < 12
            server.signal(signal.SIGKILL)
            server.end()
            thread.join()
            db.execute("ROLLBACK")
    assert accounts.user(id) is not None
    with fork(*options, environment=config_list(model)) as server:
        ada = Browser(server).another("ada")
        assert ada.ask("DELETE", ME, {"confirm": PASSWORD}).status == 204
        assert accounts.user(id) is None
        assert found(folder, WORD) == set()
        assert found(folder, id) == set()
        assert "I was here" in Browser(server).another("bob").ask("GET", f"{SESSIONS}/{theirs}/events").body.decode()
