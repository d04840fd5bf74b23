"""Access that ends: whatever is open ends with it, at once, and nothing begins that should not."""

from __future__ import annotations

import http.client
import json
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing, contextmanager
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
from websockets.exceptions import InvalidStatus

from agentchat import settings
from agentchat.auth import setup
from agentchat.auth.accounts import Accounts
from agentchat.auth.live import Live
from agentchat.protocol.errors import ChatError, StoreError
from agentchat.protocol.events import time
from agentchat.ws.server import Server
from tests.accounts import PASSWORD, cheap
from tests.agent_files import write_agents
from tests.browsers import close_code
from tests.clients import PATIENCE, ChatClient, wait_until
from tests.operators import database
from tests.rest_client import SESSIONS, EventStream, RestClient
from tests.shared_servers import start
from tests.test_access import API, HELPFUL, Caller, World, listed, running, say, told

DESK = f"{API}/desk"


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    with running(tmp_path_factory.mktemp("ended")) as world:
        yield world


@contextmanager
def stream(world: World, caller: Caller, path: str, body: object = None) -> Iterator[EventStream]:
    """Follow a stream whose first event has come."""
    netloc = urlsplit(world.served.page).netloc
    with EventStream(netloc, path, dict(caller.shows), body) as stream:
        assert stream.response.status == 200
        next(message for message in stream.messages() if message.data)
        yield stream


def rest(stream: EventStream) -> list[Any]:
    """Return what comes until the stream ends."""
    try:
        return [message for message in stream.messages() if message.data]
    except (OSError, http.client.HTTPException):
        return []


@contextmanager
def everything_open(world: World, caller: Caller, id: str) -> Iterator[Callable[[], None]]:
    """Open all that lasts in a conversation. Returns the function that waits until all of it has ended."""
    netloc = urlsplit(world.served.page).netloc
    with ExitStack() as stack:
        client = stack.enter_context(world.connect(caller, session=id))
        assert json.loads(client.recv(PATIENCE))["content"]["session_id"] == id
        streams = [stack.enter_context(stream(world, caller, f"{SESSIONS}/{id}/events"))]
        waiting = [(f"{SESSIONS}/{id}/messages?wait=60", {"text": "work"}), (f"/api/v1/chat/{id}", {"message": "more"})]
        connections = []
        for number, (path, body) in enumerate(waiting):
            connection = stack.enter_context(closing(http.client.HTTPConnection(netloc, timeout=PATIENCE)))
            given = {"Content-Type": "application/json", **caller.shows}
            connection.request("POST", path, json.dumps(body), given)
            connections.append(connection)
            wait_until(lambda number=number: messages(world, id) > number)  # type: ignore[misc]
        streams.append(stack.enter_context(stream(world, caller, f"/api/v1/chat/{id}/stream", {"message": "and more"})))

        def ended() -> None:
            assert close_code(client) == 1008
            for each in streams:
                rest(each)
            for connection in connections:
                with pytest.raises((OSError, http.client.HTTPException)):
                    connection.getresponse()

        yield ended


def messages(world: World, id: str) -> int:
    owner = world.caller("owner")
    return int(world.ask(owner, "GET", f"{SESSIONS}/{id}").json["messages"])


def finish(world: World, id: str) -> None:
    """Let no agent work on."""
    world.ask(world.caller("owner"), "DELETE", f"{SESSIONS}/{id}")


def test_logging_out(world: World) -> None:
    """Logging out ends the WebSocket, the streams and the waits of the login, and no other login's."""
    member, other = world.caller("member"), world.caller("member")
    id = world.session(member)
    with everything_open(world, member, id) as ended, world.connect(other, session=id) as client:
        assert world.ask(member, "POST", f"{API}/logout", {}).status == 204
        ended()
        client.send("still here")
        frames = iter(lambda: json.loads(client.recv(PATIENCE)), None)
        assert any(f["type"] == "user_message" and f["content"]["text"] == "still here" for f in frames)
    assert world.ask(member, "GET", SESSIONS).code == "login_needed"
    finish(world, id)


@pytest.mark.parametrize("way", ["put out", "removed", "given another role", "new password"])
def test_losing_access(world: World, way: str) -> None:
    """Everything ends when a member is put out, or the account is no longer the same."""
    member = world.caller("member")
    id = world.session(member)
    with everything_open(world, member, id) as ended:
        if way == "removed":
            world.accounts.remove(member.person)
        elif way == "given another role":
            world.accounts.set_roles(member.person, ["admin"])
        elif way == "new password":
            world.accounts.set_password(member.person, PASSWORD)
        else:
            with database(world.folder) as db:
                db.execute("DELETE FROM members WHERE session = ? AND user = ?", (id, member.person))
            world.caller("stranger")  # who logs in; the server looks at everybody then
        ended()
    if way == "given another role":
        world.accounts.set_roles(member.person, [])
    finish(world, id)


def test_fewer_rights(world: World) -> None:
    """The connection of a member who may only read from now on ends; the next one is a viewer's."""
    member = world.caller("member")
    id = world.session(member)
    with world.connect(member, session=id) as client:
        assert json.loads(client.recv(PATIENCE))["content"]["role"] == "member"
        with database(world.folder) as db:
            db.execute("UPDATE members SET role = 'viewer' WHERE session = ? AND user = ?", (id, member.person))
        world.caller("stranger")
        assert close_code(client) == 1008
    with world.connect(member, session=id) as client:
        assert json.loads(client.recv(PATIENCE))["content"]["role"] == "viewer"


def test_a_token_that_is_revoked(world: World) -> None:
    """A token's connections end with it."""
    token = world.caller("operator token")
    id = world.session(token)
    with world.connect(token, session=id) as client, stream(world, token, DESK) as desk:
        client.recv(PATIENCE)
        [known] = world.accounts.tokens(token.person)
        world.accounts.revoke(known.id)
        assert close_code(client) == 1008
        rest(desk)


def test_what_ends_by_itself(tmp_path: Path) -> None:
    """The connections of a member whose time has come end, although nothing else happens."""
    with running(tmp_path) as world:
        member = world.caller("member")
        id = world.session(member)
        with world.connect(member, session=id) as client:
            client.recv(PATIENCE)
            with database(world.folder) as db:
                db.execute(
                    "UPDATE members SET expires = ? WHERE session = ?",
                    (time(datetime.now(timezone.utc) + timedelta(seconds=1)), id),
                )
            assert close_code(client) == 1008


def test_a_ticket_of_somebody_who_has_left(world: World) -> None:
    """A ticket is worth no more than the login or the token that it stands for."""
    for kind in ("member", "write token"):
        caller = world.caller(kind)
        ticket = world.ask(caller, "POST", f"{API}/ticket").json["ticket"]
        if kind == "member":
            world.ask(caller, "POST", f"{API}/logout", {})
        else:
            world.accounts.revoke(world.accounts.tokens(caller.person)[0].id)
        nobody = world.caller("nobody")
        with pytest.raises(InvalidStatus), world.connect(nobody, ticket=ticket):
            pass
        ticket = "x" * len(ticket)
        assert world.ask(nobody, "GET", f"{SESSIONS}?ticket={ticket}").code == "login_needed"


def test_logging_out_during_a_handshake(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """A login that ends while a connection begins leaves none open."""
    caller = world.caller("owner")
    enter = Server._enter

    def slowly(self: Server, *arguments: Any) -> Any:
        session = enter(self, *arguments)
        assert world.ask(caller, "POST", f"{API}/logout", {}).status == 204
        return session

    monkeypatch.setattr(Server, "_enter", slowly)
    with world.connect(caller) as client:
        assert json.loads(client.recv(PATIENCE))["content"]["code"] == "access_ended"
        assert close_code(client) == 1008


def test_connections_that_may_not_begin() -> None:
    """Nobody is held whose access has ended already, and nothing is kept of them."""
    live = Live()
    ended: list[ChatError] = []

    def check() -> None:
        raise ChatError("session_unknown", id="x")

    with pytest.raises(ChatError) as refused:
        live.hold(check, ended.append)
    live.recheck()
    assert (refused.value.code, ended) == ("access_ended", [])


def test_a_check_that_fails() -> None:
    """A check that cannot be made now keeps nobody else in, and is made again."""
    live = Live()
    ended: list[str] = []
    problems: dict[str, ChatError] = {}

    def held(name: str) -> None:
        def check() -> None:
            if name in problems:
                raise problems[name]

        live.hold(check, lambda error: ended.append(name))

    for name in ("ada", "bob"):
        held(name)
    problems |= {"ada": StoreError(), "bob": ChatError("session_unknown", id="x")}
    with pytest.raises(StoreError):
        live.recheck()
    assert ended == ["bob"]
    problems["ada"] = ChatError("login_needed")
    live.recheck()
    assert "ada" in ended


# The desk


def desk(world: World, caller: Caller) -> list[str]:
    return [entry["id"] for entry in world.ask(caller, "GET", DESK).json["conversations"]]


@pytest.fixture
def colleague(world: World) -> Iterator[Caller]:
    """A second operator, with the same name as the first."""
    first = world.user("operator")
    second = world.accounts.add("olga2", PASSWORD, first.name, ["operator"])
    secret, _ = world.accounts.begin_login(second.id, "", "")
    yield Caller("operator", {"Cookie": f"agentchat_login={secret}", "Origin": world.origin}, second.id)
    world.accounts.remove(second.id)


def test_the_desk(world: World, colleague: Caller) -> None:
    """Operators see what waits and what they took; what another has, or was handed back, they do not."""
    owner, operator = world.caller("owner"), world.caller("operator")
    id = world.session(owner, "")
    assert desk(world, operator) == []
    say(world, owner, id, "human")
    assert desk(world, operator) == desk(world, colleague) == [id]
    assert [entry["last"] for entry in world.ask(operator, "GET", DESK).json["conversations"]] == ["human"]
    path = f"{SESSIONS}/{id}"

    with (
        world.connect(operator, session=id, role="operator") as client,
        world.connect(colleague, session=id, role="operator") as other,
        stream(world, operator, f"{path}/events") as events,
    ):
        for each in (client, other):
            assert json.loads(each.recv(PATIENCE))["content"]["role"] == "operator"
        assert world.ask(operator, "POST", f"{path}/take", {}).status == 200
        assert close_code(other) == 1008
        assert desk(world, operator) == [id]
        assert desk(world, colleague) == []
        for what, body in {"reply": {"text": "hi"}, "hand-back": {}, "take": {}}.items():
            assert world.ask(colleague, "POST", f"{path}/{what}", body).code == "session_unknown"
        assert told(world, colleague, id, "connect", "operator") == "bad_query"
        assert world.ask(colleague, "GET", path).code == "session_unknown"
        assert world.ask(owner, "POST", f"{path}/hand-back", {}).code == "taken"
        assert world.ask(operator, "POST", f"{path}/reply", {"text": "hi"}).status == 200
        assert world.ask(operator, "POST", f"{path}/hand-back", {}).status == 200
        assert close_code(client) == 1008
        rest(events)
    assert desk(world, operator) == []
    assert world.ask(operator, "GET", path).code == "session_unknown"
    assert id not in listed(world, operator)


def test_calling_off_the_wait(world: World) -> None:
    """Operators no longer see a conversation whose owner does not want a human any more."""
    owner, operator = world.caller("owner"), world.caller("operator")
    id = world.session(owner, "")
    say(world, owner, id, "human")
    with world.connect(operator, session=id, role="operator") as client:
        client.recv(PATIENCE)
        assert world.ask(owner, "POST", f"{SESSIONS}/{id}/hand-back", {}).status == 200
        assert close_code(client) == 1008


def test_a_role_that_is_taken_away(world: World) -> None:
    """Somebody who is no operator any more leaves the desk at once, and the agents get back what they had."""
    owner, operator = world.caller("owner"), world.caller("operator")
    id = world.session(owner, "")
    say(world, owner, id, "human")
    assert world.ask(operator, "POST", f"{SESSIONS}/{id}/take", {}).status == 200
    with stream(world, operator, DESK) as seat:
        world.accounts.set_roles(operator.person, [])
        rest(seat)
    assert world.ask(operator, "GET", DESK).code == "not_allowed"
    wait_until(lambda: world.ask(owner, "GET", f"{SESSIONS}/{id}").json["held"] is None)
    world.accounts.set_roles(operator.person, ["operator"])


def test_an_operator_who_was_known_by_name(tmp_path: Path) -> None:
    """A conversation that was taken before people had to log in can be handed back afterwards, by any operator."""
    data = tmp_path / "data"
    places = ["demo", "--data-dir", str(data), "--agents", write_agents(tmp_path, helpful=HELPFUL)]
    with closing(start(places, {})) as served:
        client = RestClient(served)
        session = client.new_session(agent="helpful")
        session.post("messages", {"text": "human"}, wait=PATIENCE)
        assert session.post("take", {"name": "Ann"}).status == 200
        with closing(Accounts(data, passwords=cheap())) as accounts:
            ann = accounts.add("ann", PASSWORD, roles=["operator"])
            secret, _ = accounts.begin_login(ann.id, "", "")
        shows = {"Cookie": f"agentchat_login={secret}", "Origin": served.page.rstrip("/")}
        assert client.ask("POST", f"{session.path}/hand-back", {}, shows).status == 200


# Open, and no longer


def add_user(data: Path, *arguments: str) -> None:
    """Change the accounts as the command line does."""
    with closing(Accounts(data, passwords=cheap())) as accounts:
        accounts.add(*arguments)


def test_the_first_account(tmp_path: Path) -> None:
    """When the first account is made on a running server, everybody has to log in, also those who are there."""
    data = tmp_path / "data"
    with closing(
        start(["demo", "--data-dir", str(data), "--agents", write_agents(tmp_path, helpful=HELPFUL)], {})
    ) as served:
        client = RestClient(served)
        session = client.new_session(agent="helpful")
        with (
            ChatClient(served.websocket, session=session.id, name="Ada") as socket,
            ChatClient(served.websocket) as unsaid,
            session.stream() as events,
            EventStream(client.netloc, DESK) as seat,
        ):
            unsaid.confirmed()
            socket.confirmed()
            events.receive()
            add_user(data, "ada", PASSWORD)
            assert socket.close_code() == unsaid.close_code() == 1008
            rest(events)
            rest(seat)
        assert session.get().code == "login_needed"


def test_the_last_account(tmp_path: Path) -> None:
    """A server that others can reach does not open when its last account is removed."""
    data = tmp_path / "data"
    data.mkdir()
    add_user(data, "ada", PASSWORD)
    chosen = settings.load(["--host", "0.0.0.0", "--data-dir", str(data)], {})
    with closing(Accounts(data, passwords=cheap())) as accounts:
        known = setup.identification(chosen, accounts)
        ada = accounts.by_login("ada")
        assert ada is not None
        accounts.remove(ada.id)
        assert not known.is_open


def test_notes_and_conversations_move(tmp_path: Path) -> None:
    """The first account takes over what was kept, of two names in one browser too; of too much, the newest."""
    data = tmp_path / "data"
    places = ["demo", "--data-dir", str(data), "--agents", write_agents(tmp_path, helpful=HELPFUL)]
    with closing(start(places, {})) as served:
        client = RestClient(served)
        cookie = {"Cookie": "agentchat_browser=abc"}
        ids = []
        for name in ("Ada", "Bob"):
            made = client.ask("POST", SESSIONS, {"agent": "helpful"}, cookie)
            ids.append(made.json["id"])
            path = f"{SESSIONS}/{ids[-1]}/messages?wait=60"
            assert client.ask("POST", path, {"text": "remember", "name": name}, cookie).status == 200
        with database(tmp_path) as db:
            [(bob,)] = db.execute("SELECT user FROM notes ORDER BY updated DESC LIMIT 1")
            for number in range(150):
                moment = f"2020-01-01T00:00:{number % 60:02}.{number:03}Z"
                db.execute("INSERT INTO notes VALUES (?, ?, 'old', ?)", (bob, f"key {number}", moment))
    with closing(Accounts(data, passwords=cheap())) as accounts:
        ada = accounts.add("ada", PASSWORD)
        secret, _ = accounts.begin_login(ada.id, "", "")
    with closing(start([*places, "--no-auth"], {})) as served:
        known = RestClient(served).ask("GET", f"{API}/memory?name=Ada", None, cookie)
        assert [note["value"] for note in known.json["notes"]] == ["Oslo"]  # where nobody logs in, nobody takes over
    with closing(start(places, {})) as served:
        shows = {"Cookie": f"agentchat_login={secret}"}
        notes = RestClient(served).ask("GET", f"{API}/memory", None, shows).json["notes"]
        sessions = RestClient(served).ask("GET", SESSIONS, None, shows).json["sessions"]
        assert {session["id"] for session in sessions} == set(ids)
        assert len(notes) == 100
        assert {note["key"]: note["value"] for note in notes}["city"] == "Oslo"
        newest = sorted((note["updated"] for note in notes if note["value"] == "old"), reverse=True)
        assert len(newest) == 99
    with database(tmp_path) as db:
        assert db.execute("SELECT count(DISTINCT user) FROM notes").fetchone() == (1,)


def test_a_command_that_ended_access_is_repeated(world: World) -> None:
    """Deleting a conversation, and handing one back, may be repeated with the same key, by the same person alone."""
    owner, operator = world.caller("owner"), world.caller("operator")
    key = {"Idempotency-Key": "again"}

    id = world.session(owner)
    assert world.ask(operator, "POST", f"{SESSIONS}/{id}/take", {}).status == 200
    path, note = f"{SESSIONS}/{id}/hand-back", {"note": "All is well."}
    first = world.ask(operator, "POST", path, note, key)
    assert first.status == 200
    assert world.ask(operator, "POST", path, note, key).json == first.json
    assert world.ask(operator, "POST", path, {"note": "Another."}, key).code == "id_reused"
    assert world.ask(operator, "POST", path, note).code == "session_unknown"
    assert world.ask(world.caller("stranger"), "POST", path, note, key).code == "session_unknown"
    assert world.ask(operator, "GET", f"{SESSIONS}/{id}").code == "session_unknown"

    gone = {"Idempotency-Key": "gone"}
    id = world.session(owner)
    assert [world.ask(owner, "DELETE", f"{SESSIONS}/{id}", headers=gone).status for _ in range(2)] == [204, 204]
    for other in ("stranger", "member", "nobody"):
        assert world.ask(world.caller(other), "DELETE", f"{SESSIONS}/{id}", headers=gone).status in {401, 404}
    assert world.ask(owner, "DELETE", f"{SESSIONS}/{id}").code == "session_unknown"
