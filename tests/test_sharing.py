"""Sharing conversations: invitations and their ends, members, and being out at once."""

from __future__ import annotations

import contextlib
import json
import secrets
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing
from dataclasses import dataclass
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import pytest
from websockets.sync.client import ClientConnection

from agentchat.app import Running
from agentchat.auth.accounts import Accounts
from agentchat.auth.live import Live
from agentchat.http import responses
from agentchat.http.sharing import MAX_INVITATIONS
from agentchat.protocol import events
from agentchat.protocol.errors import ChatError
from agentchat.store import SessionRecord
from agentchat.store.sharing import Invitation, Sharing
from agentchat.store.sqlite import SqliteStore
from tests.browsers import API, Browser, close_code
from tests.clients import PATIENCE
from tests.conftest import Serve
from tests.operators import database
from tests.rest_client import SESSIONS, Answer, EventStream, RestClient
from tests.shared_servers import start

FOREVER = 0
A_SECOND = 1 / 3600  # hours


class Somebody(Browser):
    """A person with a login of their own."""

    def __init__(self, running: Running, accounts: Accounts, login: str) -> None:
        super().__init__(running)
        user = accounts.add(login, None, login.title())
        self.id, self.name = user.id, user.name
        secret, _ = accounts.begin_login(user.id, "", "")
        self.cookies["agentchat_login"] = secret

    @property
    def headers(self) -> dict[str, str]:
        return {"Cookie": f"agentchat_login={self.cookies['agentchat_login']}", "Origin": self.origin}

    def sessions(self, words: str = "") -> list[str]:
        answer = self.ask("GET", f"{SESSIONS}?q={words}")
        return [entry["id"] for entry in answer.json["sessions"]]

    def accept(self, made: Answer) -> Answer:
        return self.ask("POST", f"{API}/invitations", {"secret": made.json["secret"]})

    def stream(self, session: str) -> EventStream:
        return EventStream(self.rest.netloc, f"{SESSIONS}/{session}/events", self.headers)


@dataclass
class Shared:
    """A conversation of Ada's, and the people around it."""

    id: str
    ada: Somebody
    bob: Somebody
    eve: Somebody

    @property
    def path(self) -> str:
        return f"{SESSIONS}/{self.id}"

    def invite(self, role: str = "member", hours: float = FOREVER) -> Answer:
        answer = self.ada.ask("POST", f"{self.path}/invitations", {"role": role, "hours": hours})
        assert answer.status == 201
        return answer

    def let_in(self, person: Somebody, role: str = "member", hours: float = FOREVER) -> Answer:
        """Invite somebody, who accepts. Returns the invitation."""
        made = self.invite(role, hours)
        assert person.accept(made).json == {"session_id": self.id, "role": role}
        return made


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Running, Accounts, Path]]:
    """Start one server with accounts for all tests of this module: each test makes people of its own."""
    folder = tmp_path_factory.mktemp("sharing")
    (folder / "data").mkdir()
    with closing(Accounts(folder / "data")) as accounts:
        accounts.add("first", "correct horse battery", roles=("admin", "operator"))
        served = start(["--data-dir", str(folder / "data"), "demo"], {})
        with contextlib.closing(served):
            yield served, accounts, folder


@pytest.fixture
def shared(running: tuple[Running, Accounts, Path]) -> Shared:
    served, accounts, _ = running
    number = secrets.token_hex(3)
    ada, bob, eve = (Somebody(served, accounts, f"{name}-{number}") for name in ("ada", "bob", "eve"))
    id = ada.ask("POST", SESSIONS, {}).json["id"]
    return Shared(id, ada, bob, eve)


def first_frame(client: ClientConnection) -> Any:
    return json.loads(client.recv(PATIENCE))["content"]


def refused(answer: Answer) -> tuple[int, str]:
    return answer.status, answer.code


UNKNOWN = (404, "session_unknown")
NO_INVITATION = (404, "invitation_unknown")


# Coming in


def test_a_member_comes_in(shared: Shared) -> None:
    """A member finds the conversation, reads it, takes part, and can neither delete nor share it."""
    assert refused(shared.bob.ask("GET", shared.path)) == UNKNOWN
    shared.let_in(shared.bob)

    assert shared.bob.sessions() == [shared.id]
    roles = [person.ask("GET", SESSIONS).json["sessions"][0]["role"] for person in (shared.ada, shared.bob)]
    assert roles == ["owner", "member"]
    assert shared.bob.ask("POST", f"{shared.path}/messages", {"text": "hello"}).status == 202
    for method, what, body in (("DELETE", "", None), ("POST", "/invitations", {"role": "member"})):
        assert refused(shared.bob.ask(method, shared.path + what, body)) == (403, "not_allowed")
    assert refused(shared.bob.ask("DELETE", f"{shared.path}/members/{shared.eve.id}")) == (403, "not_allowed")
    assert refused(shared.eve.ask("GET", shared.path)) == UNKNOWN


def test_a_viewer_only_reads(shared: Shared) -> None:
    """A viewer reads everything and writes nowhere, whatever role the address asks for."""
    shared.let_in(shared.bob, "viewer")
    assert shared.bob.ask("GET", f"{shared.path}/events").status == 200
    assert refused(shared.bob.ask("POST", f"{shared.path}/messages", {"text": "hi"})) == (403, "read_only")
    with shared.bob.connect(f"session={shared.id}&role=member") as client:
        assert first_frame(client)["role"] == "viewer"
        client.send("hello")
        while (frame := json.loads(client.recv(PATIENCE)))["type"] != "error":
            pass
        assert frame["content"]["code"] == "read_only"


def test_the_list_of_members(shared: Shared) -> None:
    """Everybody sees who is in; the owner sees the invitations as well, and nobody sees a secret again."""
    made = shared.let_in(shared.bob, "viewer", 2)
    about = {name: made.json[name] for name in ("id", "role", "created", "expires")}
    answer = shared.ada.ask("GET", f"{shared.path}/members")
    [member] = answer.json["members"]

    assert answer.json["owner"] == {"id": shared.ada.id, "name": shared.ada.name, "colour": ""}
    assert answer.json["you"] == shared.ada.id
    assert (member["id"], member["name"], member["role"]) == (shared.bob.id, shared.bob.name, "viewer")
    assert (member["invitation"], member["expires"]) == (made.json["id"], made.json["expires"])
    assert answer.json["invitations"] == [about]
    assert made.json["secret"].encode() not in answer.body
    responses.Members.model_validate(answer.json)
    responses.InvitationMade.model_validate(made.json)

    seen = shared.bob.ask("GET", f"{shared.path}/members").json
    assert (seen["invitations"], seen["members"]) == ([], [{**member, "invitation": ""}])
    assert refused(shared.eve.ask("GET", f"{shared.path}/members")) == UNKNOWN


def test_a_secret_is_kept_as_a_digest(shared: Shared, running: tuple[Running, Accounts, Path]) -> None:
    """A secret has 256 bits, stands in the fragment of its link, and in no file of the server."""
    made = shared.let_in(shared.bob)
    secret = made.json["secret"]
    assert len(secret) == 43
    assert made.json["link"] == f"/#invitation={secret}"
    files = [path for path in running[2].rglob("*") if path.is_file()]
    assert {"agentchat.db", "accounts.db", "audit.jsonl"} <= {path.name for path in files}
    assert not [path for path in files if secret.encode() in path.read_bytes()]


def test_secrets_that_are_no_good(shared: Shared) -> None:
    """A wrong, a revoked and an expired secret are answered alike."""
    revoked, expired = shared.invite(), shared.invite(hours=1e-6)
    shared.ada.ask("DELETE", f"{shared.path}/invitations/{revoked.json['id']}")
    wrong = shared.bob.ask("POST", f"{API}/invitations", {"secret": "x" * 43})
    answers = [wrong, shared.bob.accept(revoked), shared.bob.accept(expired)]

    assert [refused(answer) for answer in answers] == [NO_INVITATION] * 3
    assert len({answer.body for answer in answers}) == 1
    assert shared.bob.sessions() == []


def test_guessing_is_slowed_down(shared: Shared) -> None:
    """Trying one secret after another makes one wait; accepting good ones is no attempt."""
    good = shared.invite()
    for _ in range(8):
        assert shared.bob.accept(good).status == 200
    answers = [shared.bob.ask("POST", f"{API}/invitations", {"secret": f"guess {n}"}) for n in range(8)]
    assert [answer.status for answer in answers[:5]] == [404] * 5
    assert refused(answers[-1]) == (429, "too_many_attempts")
    assert int(answers[-1].headers["Retry-After"]) > 0
    assert shared.eve.accept(good).status == 200


@pytest.mark.parametrize(
    "body",
    [{}, {"role": "owner"}, {"role": "operator"}, {"role": "member", "hours": -1}, {"role": "member", "hours": 1e6},
     {"role": "member", "hours": "1"}, {"role": "member", "forever": True}],
)  # fmt: skip
def test_invitations_that_make_no_sense(shared: Shared, body: object) -> None:
    """An invitation is for members or viewers, and for a number of hours."""
    assert refused(shared.ada.ask("POST", f"{shared.path}/invitations", body)) == (400, "bad_request")


def test_there_is_a_limit(shared: Shared) -> None:
    """A session has a limit of invitations, among which those that have ended don't count."""
    for _ in range(3):
        shared.invite(hours=1e-6)
    made = [shared.invite() for _ in range(MAX_INVITATIONS)]
    full = shared.ada.ask("POST", f"{shared.path}/invitations", {"role": "member"})
    assert refused(full) == (409, "too_many_invitations")
    shared.ada.ask("DELETE", f"{shared.path}/invitations/{made[0].json['id']}")
    shared.invite()


def test_an_invitation_without_hours_ends_after_a_week(shared: Shared) -> None:
    """Unless one says otherwise, an invitation ends after a week."""
    made = shared.ada.ask("POST", f"{shared.path}/invitations", {"role": "member"}).json
    assert events.moment(made["expires"]) - events.moment(made["created"]) == timedelta(days=7)


def test_the_owner_accepts(shared: Shared) -> None:
    """An owner who opens the link of their own stays the owner."""
    assert shared.ada.accept(shared.invite("viewer")).json == {"session_id": shared.id, "role": "owner"}
    assert shared.ada.ask("GET", f"{shared.path}/members").json["members"] == []


def test_a_session_in_which_nothing_was_said(shared: Shared) -> None:
    """A conversation that was only begun can be shared while its owner is connected, and after that."""
    with shared.ada.connect() as client:
        id = first_frame(client)["session_id"]
        made = shared.ada.ask("POST", f"{SESSIONS}/{id}/invitations", {"role": "member"})
        assert made.status == 201
        assert shared.bob.accept(made).status == 200
        with shared.bob.connect(f"session={id}") as other:
            assert first_frame(other)["session_id"] == id
    assert shared.bob.ask("GET", f"{SESSIONS}/{id}").status == 200


def test_a_session_that_was_begun_by_a_message(shared: Shared) -> None:
    """Members get in while the connection is open on which the conversation began."""
    with shared.ada.connect() as client:
        id = first_frame(client)["session_id"]
        client.send("hello")
        while json.loads(client.recv(PATIENCE))["type"] != "turn_completed":
            pass
        made = shared.ada.ask("POST", f"{SESSIONS}/{id}/invitations", {"role": "member"})
        assert shared.bob.accept(made).status == 200
        assert shared.bob.ask("GET", f"{SESSIONS}/{id}").status == 200


# Being out


def put_out(shared: Shared, made: Answer) -> Answer:
    return shared.ada.ask("DELETE", f"{shared.path}/members/{shared.bob.id}")


def revoke(shared: Shared, made: Answer) -> Answer:
    return shared.ada.ask("DELETE", f"{shared.path}/invitations/{made.json['id']}")


def leave(shared: Shared, made: Answer) -> Answer:
    return shared.bob.ask("DELETE", f"{shared.path}/members/{shared.bob.id}")


@pytest.mark.parametrize("role", ["member", "viewer"])
@pytest.mark.parametrize("act", [put_out, revoke, leave])
def test_out_at_once(shared: Shared, act: Callable[[Shared, Answer], Answer], role: str) -> None:
    """People who are put out, whose invitation is revoked, or who leave are out at once, and nobody else is."""
    made = shared.let_in(shared.bob, role)
    shared.let_in(shared.eve)
    with (
        shared.bob.connect(f"session={shared.id}") as client,
        shared.bob.stream(shared.id) as stream,
        shared.eve.connect(f"session={shared.id}") as other,
    ):
        assert first_frame(client)["role"] == role
        stream.until("connection_confirmed")
        assert act(shared, made).status == 204
        assert last_error(client) == ("access_ended", 1008)
        assert rest_of(stream) <= {"presence"}
        assert shared.ada.ask("POST", f"{shared.path}/messages", {"text": "hi"}).status == 202
        while json.loads(other.recv(PATIENCE))["type"] != "user_message":
            pass
    assert refused(act(shared, made))[0] == 404
    assert [member["id"] for member in shared.ada.ask("GET", f"{shared.path}/members").json["members"]] == [
        shared.eve.id
    ]


def rest_of(stream: EventStream) -> set[str]:
    """Return the types of the frames that come before the stream ends."""
    return {message.frame["type"] for message in stream.messages() if message.data}


def test_old_links_are_worth_nothing_to_whoever_was_put_out(shared: Shared) -> None:
    """No earlier link lets back in those who were put out, a later one does; people who left may come again."""
    first, second = shared.let_in(shared.bob, "viewer"), shared.invite()
    leave(shared, first)
    assert shared.bob.accept(first).status == 200
    put_out(shared, first)
    assert [refused(shared.bob.accept(made)) for made in (first, second)] == [NO_INVITATION] * 2
    assert shared.eve.accept(second).status == 200
    shared.let_in(shared.bob)
    assert shared.bob.sessions() == [shared.id]


def last_error(client: ClientConnection) -> tuple[str, int | None]:
    """Receive until an error comes; return its code, and the code with which the connection closes."""
    while (frame := json.loads(client.recv(PATIENCE)))["type"] != "error":
        pass
    return frame["content"]["code"], close_code(client)


def test_time_ends_it(shared: Shared) -> None:
    """When the time of an invitation is over, whom it let in is out, without anybody doing anything."""
    with ExitStack() as stack:
        made = shared.let_in(shared.bob, hours=2 * A_SECOND)
        client = stack.enter_context(shared.bob.connect(f"session={shared.id}"))
        stream = stack.enter_context(shared.bob.stream(shared.id))
        stream.until("connection_confirmed")
        assert last_error(client) == ("access_ended", 1008)
        assert rest_of(stream) <= {"presence"}
    assert events.now() >= made.json["expires"]
    assert refused(shared.bob.ask("GET", shared.path)) == UNKNOWN
    about = shared.ada.ask("GET", f"{shared.path}/members").json
    assert (about["members"], about["invitations"]) == ([], [])


def test_time_ends_a_token(shared: Shared, running: tuple[Running, Accounts, Path]) -> None:
    """A connection ends with the time of the token that it was opened with."""
    end = events.time(datetime.now(timezone.utc) + timedelta(seconds=1))
    secret, _ = running[1].add_token(shared.ada.id, "ci", "write", end)
    shared.ada.cookies.clear()
    with shared.ada.connect(f"session={shared.id}", Authorization=f"Bearer {secret}") as client:
        assert close_code(client) == 1008


def test_nothing_is_found_any_more(shared: Shared) -> None:
    """People who are put out find the conversation in no list, search, file, export or chat."""
    made = shared.let_in(shared.bob)
    word = f"w{secrets.token_hex(8)}"
    shared.bob.ask("POST", f"{shared.path}/messages?wait=60", {"text": word})
    shared.ada.ask("PUT", f"{shared.path}/files/a.txt", b"one")
    places = ("", "/events", "/export", "/files", "/files/a.txt", "/tasks", "/members")
    assert [shared.bob.ask("GET", shared.path + what).status for what in places] == [200] * len(places)
    assert shared.bob.sessions(word) == [shared.id]
    revoke(shared, made)

    assert [refused(shared.bob.ask("GET", shared.path + what)) for what in places] == [UNKNOWN] * len(places)
    assert shared.bob.sessions() == shared.bob.sessions(word) == []
    assert refused(shared.bob.ask("POST", f"{shared.path}/messages", {"text": "hi"})) == UNKNOWN
    with shared.bob.connect(f"session={shared.id}") as client:
        confirmed = first_frame(client)
    assert confirmed["session_id"] != shared.id
    answer = shared.bob.ask("POST", f"/api/v1/chat/{shared.id}", {"message": "hi"}).json
    assert answer["replaced"] == shared.id
    assert answer["session_id"] != shared.id


def test_others_cannot_be_put_out_of_others_sessions(shared: Shared) -> None:
    """An owner's word counts in their own conversation only, and an invitation belongs to one."""
    made = shared.let_in(shared.bob)
    own = shared.eve.ask("POST", SESSIONS, {}).json["id"]
    for what in (f"invitations/{made.json['id']}", f"members/{shared.bob.id}"):
        assert shared.eve.ask("DELETE", f"{SESSIONS}/{own}/{what}").status == 404
        assert refused(shared.eve.ask("DELETE", f"{shared.path}/{what}")) == UNKNOWN
    assert shared.bob.sessions() == [shared.id]


def test_deleting_takes_members_along(shared: Shared, running: tuple[Running, Accounts, Path]) -> None:
    """With a conversation its members and invitations are deleted, and its links are worth nothing."""
    made = shared.let_in(shared.bob)
    assert shared.ada.ask("DELETE", shared.path).status == 204
    assert refused(shared.eve.accept(made)) == NO_INVITATION
    assert shared.bob.sessions() == []
    with database(running[2]) as db:
        for table in ("members", "invitations"):
            assert db.execute(f"SELECT * FROM {table} WHERE session = ?", (shared.id,)).fetchall() == []


def test_the_audit_log(shared: Shared, running: tuple[Running, Accounts, Path]) -> None:
    """Invitations, and who comes, goes and is put out, are in the audit log, without a secret."""
    first, second = shared.let_in(shared.bob), shared.let_in(shared.eve, "viewer")
    put_out(shared, first)
    revoke(shared, second)
    shared.let_in(shared.bob)
    leave(shared, first)
    lines = [json.loads(line) for line in (running[2] / "data" / "audit.jsonl").read_text().splitlines()]
    found = [(line["event"], line["who"]["id"]) for line in lines if line.get("session") == shared.id]

    ada, bob, eve = (person.id for person in (shared.ada, shared.bob, shared.eve))
    assert found == [
        ("invitation_made", ada), ("invitation_accepted", bob), ("invitation_made", ada), ("invitation_accepted", eve),
        ("member_put_out", ada), ("invitation_revoked", ada),
        ("invitation_made", ada), ("invitation_accepted", bob), ("member_left", bob),
    ]  # fmt: skip


def test_nobody_to_invite(serve: Serve) -> None:
    """Where nobody logs in there is nobody to invite, and the answer says so."""
    rest = RestClient(serve("demo"))
    session = rest.new_session()
    answers = [
        session.get("/members"),
        session.post("invitations", {"role": "member"}),
        rest.ask("DELETE", f"{session.path}/invitations/i-1"),
        rest.ask("DELETE", f"{session.path}/members/u-1"),
        rest.post(f"{API}/invitations", {"secret": "x"}),
    ]
    assert {refused(answer) for answer in answers} == {(409, "nobody_to_invite")}
    assert rest.get("/api/config").json["login"] is False


# The store


@pytest.fixture
def store(tmp_path: Path) -> Iterator[SqliteStore]:
    with closing(SqliteStore(tmp_path)) as store:
        store.create(SessionRecord("s", "weather", events.now()), "u-owner")
        yield store


def invited(sharing: Sharing, digest: str, role: str, expires: str = "") -> None:
    assert sharing.invite(Invitation(f"i-{digest}", "s", role, events.now(), expires), digest, 100)


@pytest.mark.parametrize(
    ("first", "second", "kept"),
    [
        (("member", ""), ("viewer", ""), 0),
        (("viewer", ""), ("member", "2100"), 1),
        (("member", "2100"), ("member", ""), 1),
        (("member", ""), ("member", "2100"), 0),
        (("member", "2100"), ("viewer", ""), 0),
        (("viewer", "2100"), ("viewer", "2101"), 1),
    ],
)
def test_the_better_of_two_invitations_counts(
    store: SqliteStore, first: tuple[str, str], second: tuple[str, str], kept: int
) -> None:
    """A second invitation may give more, and never takes anything away."""
    for number, about in enumerate((first, second)):
        invited(store.sharing, f"d{number}", *about)
        assert store.sharing.accept(f"d{number}", "u-bob") is not None
    [member] = store.sharing.members("s")
    assert (member.role, member.expires, member.invitation) == (*(first, second)[kept], f"i-d{kept}")


def test_empty_sessions_are_discarded_with_their_members(store: SqliteStore, tmp_path: Path) -> None:
    """A session in which nothing was said leaves no members and invitations behind."""
    invited(store.sharing, "d", "member")
    store.sharing.accept("d", "u-bob")
    store.discard_empty("2100")
    assert (store.sharing.members("s"), store.sharing.invitations("s")) == ([], [])


def test_what_has_ended(store: SqliteStore) -> None:
    """The store knows whether somebody's time has ended between two looks."""
    end = events.time(datetime.now(timezone.utc) + timedelta(hours=1))
    invited(store.sharing, "d", "member", end)
    store.sharing.accept("d", "u-bob")
    now, later = events.now(), "2100"
    assert not store.sharing.has_ended(now, now)
    assert store.sharing.has_ended(now, end)
    assert not store.sharing.has_ended(end, later)


def test_somebody_is_put_out_while_they_come_in() -> None:
    """A connection that is no longer allowed when it begins to be watched does not begin."""
    live = Live()

    def check() -> None:
        raise ChatError("session_unknown", id="s")

    with pytest.raises(ChatError):
        live.hold(check, lambda error: None)
    live.recheck()
