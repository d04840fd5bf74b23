"""Access: every route and every command, tried as everybody, against the table in docs/security.md."""

from __future__ import annotations

import http.client
import json
import re
import secrets
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any
from urllib.parse import urlencode, urlsplit

import pytest
from websockets.exceptions import InvalidStatus
from websockets.sync.client import ClientConnection, connect

from agentchat.access import Need
from agentchat.auth import passwords
from agentchat.auth.accounts import Accounts, User
from agentchat.http import api
from agentchat.http.routes import EVENT_STREAM, Route, Table
from agentchat.protocol.events import now
from agentchat.ws.commands import COMMANDS
from tests.accounts import PASSWORD, CountingHasher, cheap
from tests.agent_files import write_agents
from tests.clients import PATIENCE
from tests.operators import database
from tests.processes import ROOT
from tests.rest_client import SESSIONS, Answer
from tests.shared_servers import Served, start

API = "/api/agent-chat"
PLAIN = "plain text"
UNLIMITED = (
    "--messages-per-second", "0", "--messages-per-second-in-all", "0", "--new-sessions-per-minute", "0",
    "--new-sessions-per-minute-in-all", "0", "--sessions-per-person", "0",
)  # fmt: skip

REFUSALS = {"login_needed", "login_refused", "not_allowed", "read_only", "session_unknown", "request_foreign"}
"""The codes of those who may not; whatever else comes shows that the check was passed."""

SESSION = "the id of a conversation"

BODIES: Mapping[str, object] = {
    "rename_session": {"title": "Oslo"},
    "post_message": {"text": "hello"},
    "answer_question": {"request_id": "r", "text": "yes"},
    "edit_message": {"seq": 1, "text": "hello"},
    "give_feedback": {"seq": 1, "score": 1},
    "show_typing": {"is_typing": True},
    "tick_task": {"status": "done"},
    "reply_as_operator": {"text": "hello"},
    "chat": {"message": "hello"},
    "stream_chat": {"message": "hello"},
    "write_file": b"words",
    "render": {"texts": ["# Oslo"]},
    "write_note": {"value": "Oslo"},
    "change_profile": {"colour": "#3366cc"},
    "change_password": {"old": PASSWORD, "new": PASSWORD},
    "delete_everything": {"confirm": PASSWORD},
    "make_token": {"name": "ci", "scope": "read"},
    "stop_as_admin": {"session": SESSION},
}
"""The bodies of requests by the names of their handlers; for the others an empty one will do."""

CONTENTS: Mapping[str, Mapping[str, object]] = {
    "message": {"text": "hello"},
    "input_response": {"request_id": "r", "text": "yes"},
    "edit": {"seq": 1, "text": "hello"},
    "rename": {"title": "Oslo"},
    "feedback": {"seq": 1, "score": 1},
    "typing": {"is_typing": True},
    "task": {"id": 1, "status": "done"},
}
"""The contents of commands; for the others an empty one will do."""


@dataclass(frozen=True)
class Caller:
    """Somebody, by what they show."""

    name: str
    shows: Mapping[str, str]
    person: str = ""
    """Their user id."""


HELPFUL = '''
"""Does what the message says."""
import time

def on_message(message, chat):
    if message == "work":
        for step in range(1200):
            chat.progress(step, 1200)
            time.sleep(0.05)
    if message == "human":
        return chat.hand_to_human("is upset")
    if message == "ask":
        return "On " + chat.ask("Which day?")
    if message == "remember":
        return chat.remember("city", "Oslo")
    return "Done."
'''

ACCOUNTS: Mapping[str, tuple[str, tuple[str, ...]]] = {
    "owner": ("ada", ()),
    "member": ("mia", ()),
    "viewer": ("vic", ()),
    "operator": ("olga", ("operator",)),
    "admin": ("adam", ("admin",)),
    "stranger": ("stan", ()),
    "owner of tokens": ("ann", ("operator",)),
}
"""The login name and the roles of each kind of people."""


@dataclass
class World:
    """A server with accounts."""

    served: Served
    folder: Path
    accounts: Accounts
    routes: tuple[Route, ...]
    hasher: CountingHasher
    """The server's."""

    @property
    def origin(self) -> str:
        return self.served.page.rstrip("/")

    def user(self, kind: str) -> User:
        """Return the account of such a person, which is made again if they have deleted it."""
        login, roles = ACCOUNTS[kind]
        return self.accounts.by_login(login) or self.accounts.add(login, PASSWORD, roles=roles)

    def caller(self, kind: str) -> Caller:
        """Return such a caller, with a new login, which they may end."""
        if kind == "nobody":
            return Caller(kind, {"Origin": self.origin})
        if kind.endswith(" token"):
            user, scope = self.user("owner of tokens"), kind.partition(" ")[0]
            for token in self.accounts.tokens(user.id):
                self.accounts.revoke(token.id)
            secret, _ = self.accounts.add_token(user.id, scope, scope)
            return Caller(kind, {"Authorization": f"Bearer {secret}"}, user.id)
        user = self.user(kind)
        secret, _ = self.accounts.begin_login(user.id, "127.0.0.1", "a browser")
        return Caller(kind, {"Cookie": f"agentchat_login={secret}", "Origin": self.origin}, user.id)

    def session(self, caller: Caller, held: str = "waiting") -> str:
        """Begin the conversation to which the caller stands as their name says. A token is its owner's."""
        owner = self.caller("owner of tokens" if "token" in caller.name else "owner")
        answer = self.ask(owner, "POST", SESSIONS, {"agent": "helpful"})
        assert answer.status == 201, answer.body
        id = str(answer.json["id"])
        self.ask(owner, "PUT", f"{SESSIONS}/{id}/files/a.txt", b"words")
        with database(self.folder) as db:
            db.execute("UPDATE sessions SET held = ? WHERE id = ?", (held, id))
            db.execute("REPLACE INTO notes VALUES (?, 'city', 'Oslo', ?)", (caller.person, now()))
            for role in ("member", "viewer"):
                db.execute("INSERT INTO members VALUES (?, ?, ?, 'i', ?, '')", (id, self.user(role).id, role, now()))
        return id

    def ask(
        self, caller: Caller, method: str, path: str, body: object = None, headers: Mapping[str, str] | None = None
    ) -> Answer:
        """Send a request and return the answer; of a stream, the first event."""
        connection = http.client.HTTPConnection(urlsplit(self.served.page).netloc, timeout=PATIENCE)
        data = body if isinstance(body, bytes) or body is None else json.dumps(body).encode()
        type = {"Content-Type": "application/json"} if body is not None else {}
        with closing(connection):
            connection.request(method, path, data, {**type, **caller.shows, **(headers or {})})
            with closing(connection.getresponse()) as response:
                if response.headers.get_content_type() != EVENT_STREAM:
                    return Answer(response.status, response.headers, response.read())
                line = next((line for line in response if line.startswith(b"data: ")), b"")
                return Answer(response.status, response.headers, line.removeprefix(b"data: "))

    @contextmanager
    def connect(self, caller: Caller, **query: str) -> Iterator[ClientConnection]:
        address = f"{self.served.websocket}?{urlencode(query)}"
        with connect(address, additional_headers=dict(caller.shows), open_timeout=PATIENCE, proxy=None) as client:
            yield client


@contextmanager
def running(folder: Path, *arguments: str) -> Iterator[World]:
    """Run a server with an agent, a document and accounts."""
    data, documents = folder / "data", folder / "documents"
    data.mkdir()
    documents.mkdir()
    (documents / "trains.md").write_text("Trains to Oslo.")
    agents = write_agents(folder, helpful=HELPFUL)
    tables: list[Table] = []
    build = api.table

    def kept(*parts: Any) -> Table:
        tables.append(build(*parts))
        return tables[-1]

    with pytest.MonkeyPatch.context() as patch, closing(Accounts(data, passwords=cheap())) as accounts:
        hasher = CountingHasher()
        patch.setattr(passwords, "PasswordHasher", lambda: hasher)
        patch.setattr(api, "table", kept)
        accounts.add("root", PASSWORD, roles=["admin"])
        places = ["--data-dir", str(data), "--agents", agents, "--knowledge", str(documents)]
        with closing(start(["demo", *places, *UNLIMITED, *arguments], {})) as served:
            yield World(served, folder, accounts, tables[0].routes, hasher)


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    with running(tmp_path_factory.mktemp("access")) as world:
        yield world


COLUMNS = (
    "owner", "member", "viewer", "operator", "admin", "stranger", "read token", "write token", "operator token",
    "nobody",
)  # fmt: skip


def promised() -> dict[str, dict[str, str]]:
    """Return the outcomes in the table of docs/security.md, by route or command and by caller."""
    text = (ROOT / "docs" / "security.md").read_text()
    table = text.partition("\n## Who may do what")[2].partition("\n## ")[0]
    rows = [[cell.strip() for cell in line.strip("|").split("|")] for line in table.splitlines() if line[:1] == "|"]
    heads, found = rows[0], {}
    assert tuple(heads[2:]) == COLUMNS
    for _, names, *cells in rows[2:]:
        for name in re.findall(r"`([^`]+)`", names):
            assert name not in found, f"{name} stands in two rows"
            found[name] = dict(zip(COLUMNS, cells, strict=True))
    return found


def shown(route: Route) -> str:
    """Return the route as the table has it."""
    return f"{route.method} {route.path.removeprefix(API)}"


def test_the_table_is_complete(world: World) -> None:
    """Each route and each command of this server has its place in the table, and nothing else has."""
    commands = {f"> {name}" for name in COMMANDS} | {f"> {PLAIN}", "> connect"}
    assert set(promised()) == {shown(route) for route in world.routes} | commands


def test_promises_are_kept_by_tests() -> None:
    """Each promise in docs/security.md names tests, and there are tests of these names."""
    text = (ROOT / "docs" / "security.md").read_text()
    table = text.partition("\n## What is promised")[2].partition("\n## ")[0]
    rows = [line for line in table.splitlines() if line[:1] == "|"][2:]
    assert rows
    for row in rows:
        tried = row.strip("| ").rpartition("|")[2]
        files = re.split(r"(?=`test_\w+\.py`)", tried)[1:]
        assert files, row
        for names in files:
            file, *tests = re.findall(r"`([\w.]+)`", names)
            source = (ROOT / "tests" / file).read_text()
            assert [test for test in tests if f"def {test}(" not in source] == [], file


# Routes


def address(route: Route, session_id: str) -> str:
    """Return an address of the route."""
    values = {"id": session_id, "project_id": session_id, "path": "a.txt", "task": "1", "key": "city",
              "source": "trains.md"}  # fmt: skip
    return re.sub(r"\{(\w+)\}", lambda name: values.get(name[1], "x-1"), route.path)


def is_of_session(route: Route) -> bool:
    return "{id}" in route.path or "{project_id}" in route.path


def names_session(route: Route) -> bool:
    return is_of_session(route) or SESSION in str(BODIES.get(route.handle.__name__))


def outcome(route: Route, answer: Answer, session_id: str) -> str:
    """Return how a request was answered, in a word of the table."""
    about = answer.json if answer.headers.get_content_type() == "application/json" and answer.body else {}
    code = about.get("error", {}).get("code", "") if isinstance(about, dict) else ""
    assert answer.status < 500 or code not in {"", "internal"}, (route.path, answer.body)
    if code == "session_unknown" or (code == "not_found" and route.need in {Need.ADMIN, Need.STATUS}):
        return "unknown"
    is_another = f'"session_id": "{session_id}"'.encode() not in answer.body
    if "{project_id}" in route.path and answer.status == 200 and is_another:
        return "unknown"  # the id is a name for a project of the caller's own
    return code if code in REFUSALS - {"login_refused"} else "yes"


def ask(world: World, caller: Caller, route: Route, session_id: str, accept: str = "") -> Answer:
    body = BODIES.get(route.handle.__name__, {} if route.body is not None else None)
    if isinstance(body, dict):
        body = {name: session_id if value == SESSION else value for name, value in body.items()}
    headers = {"Accept": accept} if accept else {}
    return world.ask(caller, route.method, address(route, session_id), body, headers)


def anonymous(answer: Answer, *ids: str) -> tuple[int, dict[str, str], str]:
    """Return an answer without what tells one id or moment from another."""
    body = answer.body.decode()
    for id in ids:
        body = body.replace(id, "ID")
    headers = {name: value for name, value in answer.headers.items() if name not in {"Date", "Set-Cookie"}}
    return answer.status, headers, body


@pytest.mark.parametrize("column", COLUMNS)
def test_every_route(world: World, column: str) -> None:
    """Each route answers each caller as the table says; what they may not see, like what does not exist."""
    table, found = promised(), {}
    for route in world.routes:
        for accept in route.types if EVENT_STREAM in route.types else ("",):
            caller = world.caller(column)
            id = world.session(caller) if names_session(route) else "x-1"
            answer = ask(world, caller, route, id, accept)
            found[shown(route)] = given = outcome(route, answer, id)
            assert given == table[shown(route)][column], (shown(route), accept, answer.body)
            if is_of_session(route) and given in {"unknown", "login_needed"} and "replaced" not in str(answer.body):
                other = secrets.token_urlsafe(12)
                assert anonymous(answer, id) == anonymous(ask(world, caller, route, other, accept), other)
    assert len(found) == len(world.routes)


# Commands


def told(world: World, caller: Caller, session_id: str, name: str, role: str) -> str:
    """Give a command in a conversation, and return how it was answered, in a word of the table."""
    try:
        with world.connect(caller, session=session_id, role=role) as client:
            return answered(client, session_id, name)
    except InvalidStatus as refused:
        return "login_needed" if refused.response.status_code == 401 else str(refused)


def answered(client: ClientConnection, session_id: str, name: str) -> str:
    first = json.loads(client.recv(PATIENCE))
    if first["type"] == "error":
        return str(first["content"]["code"])
    if first["content"]["replaced"] == session_id:
        return "unknown"
    assert first["content"]["session_id"] == session_id
    if name == PLAIN:
        client.send("hello")
    elif name != "connect":
        client.send(json.dumps({"type": name, "content": CONTENTS.get(name, {})}))
    if name == "connect":
        return "yes"
    client.send(json.dumps({"type": "nonsense", "content": {"id": "last"}}))  # which is refused behind it
    while True:
        frame = json.loads(client.recv(PATIENCE))
        if is_refusal(frame):
            return str(frame["content"]["code"])
        if frame["type"] == "error" and frame["content"].get("id") == "last":
            return "yes"


def is_refusal(frame: Any) -> bool:
    return frame["type"] == "error" and frame["content"]["code"] in REFUSALS


@pytest.mark.parametrize("column", COLUMNS)
def test_every_command(world: World, column: str) -> None:
    """Each command is carried out for each caller as the table says."""
    table = promised()
    for name in ("connect", PLAIN, *COMMANDS):
        caller = world.caller(column)
        role = "operator" if column == "operator" else "member"
        given = told(world, caller, world.session(caller), name, role)
        assert given == table[f"> {name}"][column], name


# What the table says in words


@pytest.mark.parametrize("held", ["", "taken"])
@pytest.mark.parametrize("kind", ["operator", "admin", "operator token"])
def test_conversations_of_others(world: World, held: str, kind: str) -> None:
    """Sessions that do not wait at the desk, or that others have taken, do not exist for operators and admins."""
    caller = replace(world.caller(kind), name="somebody")
    id = world.session(caller, held)
    if held:
        with database(world.folder) as db:
            db.execute("UPDATE sessions SET holder = ? WHERE id = ?", (world.user("stranger").id, id))
    for route in world.routes:
        if is_of_session(route):
            answer = ask(world, caller, route, id)
            assert outcome(route, answer, id) == "unknown", shown(route)
    for role in ("member", "viewer"):
        assert told(world, caller, id, "connect", role) == "unknown"
    assert told(world, caller, id, "connect", "operator") == told(world, caller, "x-1", "connect", "operator")


def test_admins_who_read(tmp_path: Path) -> None:
    """With --admins-read admins see what viewers do, and change as little."""
    with running(tmp_path, "--admins-read") as world:
        for route in world.routes:
            if is_of_session(route):
                caller = world.caller("admin")
                id = world.session(caller, "")
                given = outcome(route, ask(world, caller, route, id), id)
                assert given == promised()[shown(route)]["viewer"], shown(route)
        caller = world.caller("admin")
        assert told(world, caller, world.session(caller, ""), "message", "member") == "read_only"


def test_invitations_that_have_ended(world: World) -> None:
    """A member whose invitation has ended is a stranger, also to lists."""
    caller = world.caller("member")
    id = world.session(caller)
    assert id in listed(world, caller)
    with database(world.folder) as db:
        db.execute("UPDATE members SET expires = '2001-01-01T00:00:00.000Z' WHERE session = ?", (id,))
    assert world.ask(caller, "GET", f"{SESSIONS}/{id}").code == "session_unknown"
    assert id not in listed(world, caller)


def listed(world: World, caller: Caller, words: str = "") -> list[str]:
    answer = world.ask(caller, "GET", f"{SESSIONS}?q={words}&limit=200")
    return [session["id"] for session in answer.json["sessions"]]


def say(world: World, caller: Caller, id: str, text: str, **more: object) -> Answer:
    return world.ask(caller, "POST", f"{SESSIONS}/{id}/messages?wait=60", {"text": text, **more})


def test_search(world: World) -> None:
    """Searching finds the words of conversations one may read: not those of others, nor those at the desk."""
    owner = world.caller("owner")
    id = world.session(owner)
    word = secrets.token_hex(8)
    assert say(world, owner, id, f"the word is {word}").status == 200
    for kind, sees in {"owner": True, "member": True, "viewer": True, "operator": False, "admin": False,
                       "stranger": False, "read token": False}.items():  # fmt: skip
        assert (id in listed(world, world.caller(kind), word)) == (id in listed(world, world.caller(kind))) == sees, (
            kind
        )


def test_names_in_requests(world: World) -> None:
    """The login says who somebody is, whatever name a body or an address gives."""
    owner = world.caller("owner")
    id = world.session(owner, "")
    say(world, owner, id, "hello", name="Eve")
    said = world.ask(owner, "GET", f"{SESSIONS}/{id}/events?name=Eve").json["events"]
    assert [event["content"]["name"] for event in said if event["type"] == "user_message"] == ["ada"]
    with world.connect(owner, session=id, name="Eve") as client:
        assert json.loads(client.recv(PATIENCE))["content"]["name"] == "ada"
        answer = world.ask(owner, "GET", f"{SESSIONS}/{id}/events?name=Eve", headers={"Accept": EVENT_STREAM})
        people = answer.json["content"]["participants"]
        assert {person["name"] for person in people} == {"ada"}


def test_notes(world: World) -> None:
    """Agents remember a person by who they are; nobody reads or erases what is remembered of another."""
    owner, stranger = world.caller("owner"), world.caller("stranger")
    world.ask(stranger, "DELETE", f"{API}/memory")
    say(world, owner, world.session(owner, ""), "remember")
    for path in (f"{API}/memory", f"{API}/memory?name=ada"):
        assert world.ask(stranger, "GET", path).json["notes"] == []
        world.ask(stranger, "DELETE", path)
    assert world.ask(stranger, "DELETE", f"{API}/memory/city?name=ada").code == "not_found"
    assert [note["value"] for note in world.ask(owner, "GET", f"{API}/memory?name=stan").json["notes"]] == ["Oslo"]


@pytest.mark.parametrize("kind", ["owner", "member", "admin", "stranger", "write token"])
def test_the_role_in_an_address(world: World, kind: str) -> None:
    """Nobody becomes an operator by saying so."""
    caller = world.caller(kind)
    for held in ("", "waiting"):
        assert told(world, caller, world.session(caller, held), "connect", "operator") == "bad_query"
    assert told(world, caller, "", "connect", "operator") == "bad_query"


def test_conversations_without_words(world: World) -> None:
    """A conversation in which nothing was said yet is there for whoever began it, and for nobody else."""
    owner = world.caller("owner")
    with world.connect(owner) as client:
        id = json.loads(client.recv(PATIENCE))["content"]["session_id"]
        assert world.ask(owner, "GET", f"{SESSIONS}/{id}").status == 200
        for kind in ("stranger", "member", "operator", "admin"):
            caller = world.caller(kind)
            other = secrets.token_urlsafe(12)
            answers = [anonymous(world.ask(caller, "GET", f"{SESSIONS}/{each}"), each) for each in (id, other)]
            assert answers[0] == answers[1]
            assert answers[0][0] == 404


def test_a_conversation_of_somebody_else_in_v1(world: World) -> None:
    """/api/v1/chat answers the id of somebody else's conversation like an unknown one: with a new conversation."""
    stranger = world.caller("stranger")
    id = world.session(stranger)
    answers = []
    for each in (id, "nothing"):
        answer = world.ask(stranger, "POST", f"/api/v1/chat/{each}", {"message": "hello"})
        answers.append({name: value for name, value in answer.json.items() if name not in {"session_id", "message"}})
        assert answer.json["session_id"] != each
        assert answers[-1].pop("replaced") == each
    assert answers[0] == answers[1]
    assert world.ask(world.caller("owner"), "GET", f"{SESSIONS}/{id}").json["messages"] == 0
