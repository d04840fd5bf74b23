"""Commands that are sent again because their answer was lost: with the same id, they count once."""

from __future__ import annotations

import signal
import sqlite3
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from agentchat.protocol.validation import ID_CHARS
from agentchat.ws.commands import COMMANDS
from tests.agent_files import write_agents
from tests.clients import PATIENCE, ChatClient, Frame, contents, wait_until
from tests.conftest import Fork, Serve, config_list
from tests.model_server import ModelServer
from tests.rest_client import SESSIONS, Answer, Conversation, RestClient

HELPFUL = '''
"""Does what the message says."""

def on_message(message, chat):
    if message == "ask":
        return "On " + chat.ask("Which day?")
    if message == "ask for a PIN":
        return "Signed with a PIN of %d digits" % len(chat.ask("Your PIN?", password=True))
    if message == "plan":
        chat.plan.create("Bake")
    if message == "remember":
        chat.remember("city", "Oslo")
        chat.remember("colour", "blue")
    return "Done."
'''


@pytest.fixture
def rest(serve: Serve, tmp_path: Path) -> RestClient:
    return RestClient(serve("demo", "--agents", write_agents(tmp_path, helpful=HELPFUL)))


@pytest.fixture
def session(rest: RestClient) -> Conversation:
    return rest.new_session(agent="helpful")


def settle(session: Conversation) -> None:
    """Wait until no turn runs, or the one that does waits for an answer."""
    wait_until(lambda: session.get().status in {404, 410} or session.get().json["status"] != "running")


def state(session: Conversation) -> Any:
    """Return everything that a command can change."""
    settle(session)
    about = session.get()
    sessions = [each["id"] for each in session.client.get(SESSIONS, limit=100).json["sessions"]]
    notes = session.client.get("/api/agent-chat/memory", name="Ada").json["notes"]
    files = session.get("/files").json.get("files")
    return about.body, session.get("/events", limit=1000).json.get("events"), sessions, notes, files


# What is there before a command is sent


def asked(session: Conversation, text: str = "ask") -> str:
    """Let the agent ask something, and return the id of the question."""
    session.post("messages", {"text": text}, wait=PATIENCE)
    return str(contents(session.log, "input_request")[-1]["request_id"])


def answered(session: Conversation) -> dict[str, Frame]:
    """Let the agent answer; return the events of the turn by type."""
    return {frame["type"]: frame for frame in session.ask("hello")["events"]}


# Over REST


@dataclass
class Request:
    """A request, and a different one that is sent with the same key."""

    method: str
    path: str
    body: object = None
    other: object = None
    other_path: str = ""
    key: str = "k1"

    def send(self, rest: RestClient) -> Answer:
        return rest.ask(self.method, self.path, self.body, {"Idempotency-Key": self.key})

    def send_another(self, rest: RestClient) -> Answer:
        """Send the other request with the same key; where no other can be made of this one, a message."""
        if self.other is None and not self.other_path:
            path = f"{self.path.rpartition('/')[0]}/messages"
            return Request("POST", path, {"text": "hi"}).send(rest)
        return Request(self.method, self.other_path or self.path, self.other).send(rest)


def of(session: Conversation, method: str, what: str, body: object = None, **more: Any) -> Request:
    return Request(method, f"{session.path}{what}", body, **more)


def post_message(session: Conversation) -> Request:
    return of(session, "POST", "/messages", {"text": "hello"}, other={"text": "something else"})


def answer_question(session: Conversation) -> Request:
    about = {"request_id": asked(session)}
    return of(session, "POST", "/input", {**about, "text": "Monday"}, other={**about, "text": "Tuesday"})


def stop_turn(session: Conversation) -> Request:
    asked(session)
    return of(session, "POST", "/stop", {}, other={"turn": 1})


def stop_as_admin(session: Conversation) -> Request:
    asked(session)
    about = {"session": session.id}
    return Request("POST", "/api/agent-chat/admin/stop", about, {**about, "turn": 1})


def retry_turn(session: Conversation) -> Request:
    answered(session)
    return of(session, "POST", "/retry", {})


def edit_message(session: Conversation) -> Request:
    about = {"seq": answered(session)["user_message"]["seq"]}
    return of(session, "POST", "/edit", {**about, "text": "Hello!"}, other={**about, "text": "Bye!"})


def give_feedback(session: Conversation) -> Request:
    about = {"seq": answered(session)["text"]["seq"]}
    return of(session, "POST", "/feedback", {**about, "score": 1}, other={**about, "score": -1})


def rename_session(session: Conversation) -> Request:
    return of(session, "PATCH", "", {"title": "Oslo"}, other={"title": "Bergen"})


def take_session(session: Conversation) -> Request:
    return of(session, "POST", "/take", {"name": "Ann"}, other={"name": "Bob"})


def reply_as_operator(session: Conversation) -> Request:
    session.post("take", {"name": "Ann"})
    about = {"name": "Ann"}
    return of(session, "POST", "/reply", {**about, "text": "Hello"}, other={**about, "text": "Bye"})


def hand_session_back(session: Conversation) -> Request:
    session.post("take", {"name": "Ann"})
    about = {"name": "Ann"}
    return of(session, "POST", "/hand-back", {**about, "note": "Be nice"}, other={**about, "note": "Be brief"})


def tick_task(session: Conversation) -> Request:
    session.ask("plan")
    return of(session, "PATCH", "/tasks/1", {"status": "done"}, other={"status": "open"})


def write_file(session: Conversation) -> Request:
    return of(session, "PUT", "/files/a.txt", b"one", other=b"two")


def delete_file(session: Conversation) -> Request:
    for name in ("a.txt", "b.txt"):
        session.client.ask("PUT", f"{session.path}/files/{name}", b"one")
    return of(session, "DELETE", "/files/a.txt", other_path=f"{session.path}/files/b.txt")


def create_session(session: Conversation) -> Request:
    return Request("POST", SESSIONS, {"agent": "helpful", "title": "Oslo"}, {"agent": "helpful"})


def delete_session(session: Conversation) -> Request:
    return of(session, "DELETE", "")


def erase_memory(session: Conversation) -> Request:
    session.ask("remember", name="Ada")
    path = "/api/agent-chat/memory"
    return Request("DELETE", f"{path}?name=Ada", other_path=f"{path}/city?name=Ada")


def erase_note(session: Conversation) -> Request:
    session.ask("remember", name="Ada")
    path = "/api/agent-chat/memory"
    return Request("DELETE", f"{path}/city?name=Ada", other_path=f"{path}/colour?name=Ada")


def chat(session: Conversation) -> Request:
    return Request("POST", f"/api/v1/chat/{session.id}", {"message": "hello"}, {"message": "bye"})


def stream_chat(session: Conversation) -> Request:
    return Request("POST", f"/api/v1/chat/{session.id}/stream", {"message": "hello"}, {"message": "bye"})


REQUESTS: list[Callable[[Conversation], Request]] = [
    post_message, answer_question, stop_turn, retry_turn, edit_message, give_feedback, rename_session, take_session,
    reply_as_operator, hand_session_back, tick_task, write_file, delete_file, create_session, delete_session,
    erase_memory, erase_note, chat, stream_chat, stop_as_admin,
]  # fmt: skip


WITHOUT_KEY = {
    "showTyping": "it is repeated anyway",
    "logIn": "a cookie is never given twice",
    "logOut": "the second time nobody is logged in",
    "makeFirstAccount": "there is only one",
    "makeTicket": "a ticket is never given twice",
    "invite": "a secret is never given twice",
    "acceptInvitation": "accepting again changes nothing",
    "makeToken": "a secret is never given twice",
    "changeProfile": "the second time changes nothing",
    "changePassword": "the second time the old password is wrong",
    "deleteEverything": "the second time nobody is logged in",
    "render": "it changes nothing",
    "writeNote": "the second time changes nothing",
    "endLogin": "the second time there is none",
    "revokeToken": "the second time there is none",
    "revokeInvitation": "the second time there is none",
    "putMemberOut": "the second time there is none",
}
"""Requests that take no key, and why they need none."""


def same(answer: Answer) -> Any:
    """Return what a repetition must be answered with: all but the progress of the turn, and the server's epoch."""
    if answer.headers.get_content_type() != "application/json":
        return answer.status, answer.body
    volatile = {"epoch", "status"} if "turn" in answer.json else {"epoch"}
    return answer.status, {name: value for name, value in answer.json.items() if name not in volatile}


def test_every_request_that_changes_something_takes_a_key(rest: RestClient) -> None:
    """All requests that change something take a key, are described and tested, except for those that need none."""
    paths = rest.get("/api/openapi.json").json["paths"]
    changing = [
        operation
        for path in paths.values()
        for method, operation in path.items()
        if method != "get" and operation["operationId"] not in WITHOUT_KEY
    ]
    names = {"".join(word.title() for word in case.__name__.split("_")) for case in REQUESTS}

    assert {name[0].upper() + name[1:] for name in (operation["operationId"] for operation in changing)} == names
    for operation in changing:
        assert "Idempotency-Key" in {parameter["name"] for parameter in operation["parameters"]}
        assert "id_reused" in operation["responses"]["409"]["description"]


@pytest.mark.parametrize("case", REQUESTS, ids=lambda case: str(case.__name__))
def test_a_repeated_request(session: Conversation, case: Callable[[Conversation], Request]) -> None:
    """A request that is repeated changes nothing and is answered as the first time; another one is refused."""
    request = case(session)
    first = request.send(session.client)
    assert first.status < 300
    if case in {stop_turn, stop_as_admin}:  # it waits at its question until the stop reaches it
        wait_until(lambda: bool(contents(session.log, "turn_completed")))
    before = state(session)

    assert same(request.send(session.client)) == same(first)
    if case is not delete_session:
        refused = request.send_another(session.client)
        assert (refused.status, refused.code) == (409, "id_reused")
    assert same(request.send(session.client)) == same(first)
    assert state(session) == before


@pytest.mark.parametrize("case", [retry_turn, edit_message, answer_question, write_file, create_session, chat])
def test_repetitions_that_overtake_each_other(session: Conversation, case: Callable[[Conversation], Request]) -> None:
    """The same request sent eight times at once counts once, and all get the same answer."""
    request = case(session)
    with ThreadPoolExecutor(8) as pool:
        first, *others = pool.map(lambda _: same(request.send(session.client)), range(8))
    assert others == [first] * 7
    before = state(session)
    request.send(session.client)
    assert state(session) == before


def test_a_stop_that_is_repeated_late(session: Conversation) -> None:
    """A stop that arrives again while a later turn runs stops nothing."""
    stop = stop_turn(session)
    assert stop.send(session.client).json == {"turn": 1}
    request = asked(session)

    assert stop.send(session.client).json == {"turn": 1}
    assert session.post("input", {"request_id": request, "text": "Monday"}).status == 200
    settle(session)
    assert contents(session.log, "text")[-1]["content"] == "On Monday"


def test_the_same_key_in_another_session(rest: RestClient, session: Conversation) -> None:
    """A key counts in its own session only."""
    other = rest.new_session(agent="helpful")
    for each in (session, other):
        assert post_message(each).send(rest).json["id"] == "k1"
        settle(each)
        assert len(contents(each.log, "user_message")) == 1


def test_keys_that_cannot_be_used(session: Conversation) -> None:
    """A key has a limited length."""
    for key in ("x" * (ID_CHARS + 1), ""):
        assert of(session, "POST", "/retry", {}, key=key).send(session.client).status == 400


def test_a_refused_command_does_not_count(session: Conversation) -> None:
    """A command that was refused may be sent again, and then counts."""
    retry = of(session, "POST", "/retry", {})
    assert retry.send(session.client).code == "nothing_to_retry"
    session.ask("hello")

    assert retry.send(session.client).status == 202


def test_nothing_is_kept_of_a_password(session: Conversation) -> None:
    """Not even a digest is kept of an answer that is a password, which could be guessed from it."""
    about = {"request_id": asked(session, "ask for a PIN")}
    answer = of(session, "POST", "/input", {**about, "text": "1234"})
    first = answer.send(session.client).json
    settle(session)
    answer.body = {**about, "text": "9999"}

    assert answer.send(session.client).json == first


# Over the WebSocket

Content = dict[str, Any]
Commands = tuple[Content, Content | None, str]  # the content, another one for the same id, and the event of its effect


def with_request(session: Conversation, operation: Callable[[Conversation], Request]) -> tuple[Content, Any]:
    request = operation(session)
    assert isinstance(request.body, dict)
    return request.body, request.other


MESSAGES: dict[str, Callable[[Conversation], Commands]] = {
    "message": lambda session: (*with_request(session, post_message), "user_message"),
    "input_response": lambda session: (*with_request(session, answer_question), "input_response"),
    "stop": lambda session: (*with_request(session, stop_turn), "turn_completed"),
    "retry": lambda session: (*with_request(session, retry_turn), "rewind"),
    "edit": lambda session: (*with_request(session, edit_message), "rewind"),
    "rename": lambda session: (*with_request(session, rename_session), "session_renamed"),
    "feedback": lambda session: (*with_request(session, give_feedback), "feedback"),
    "task": lambda session: (
        {"id": 1, **with_request(session, tick_task)[0]},
        {"id": 1, "status": "open"},
        "task_updated",
    ),
    "take": lambda session: ({}, None, "handoff"),
    "hand_back": lambda session: (*with_request(session, hand_session_back), "handoff"),
}


def test_every_command_is_tested() -> None:
    """All commands take an id, except for typing, which is repeated anyway."""
    assert {*MESSAGES, "typing"} == set(COMMANDS)


@pytest.mark.parametrize("name", MESSAGES)
def test_a_repeated_command(rest: RestClient, session: Conversation, name: str) -> None:
    """A command that is repeated over another connection changes nothing; another one with its id is refused."""
    content, other, effect = MESSAGES[name](session)
    id = {"command_id" if name == "task" else "id": "k1"}
    role = "operator" if name in {"take", "hand_back"} else "member"
    address = f"ws://127.0.0.1:{rest.get('/api/config').json['ws_port']}/"

    def connect() -> ChatClient:
        last_seq = session.get().json["last_seq"]
        client = ChatClient(address, session=session.id, name="Ann", role=role, after=last_seq)
        client.confirmed()
        return client

    with connect() as client:
        client.command(name, **content, **id)
        client.until(effect)
    before = state(session)
    with connect() as client:
        client.command(name, **content, **id)
        if other is None:
            client.command("rename", title="Other", id="k1")
        else:
            client.command(name, **other, **id)
        refused = client.until("error")["content"]
    assert refused["code"] == "id_reused"
    assert refused.get("id", refused.get("command_id")) == "k1"
    assert before[1] == state(session)[1]


@pytest.mark.parametrize(
    ("first", "second"),
    [("message", "rename"), ("rename", "message"), ("message", "reply")],
)
def test_an_id_is_for_one_command(session: Conversation, first: str, second: str) -> None:
    """An id that is in use for one command is refused for any other, on either side."""
    session.post("take", {"name": "Ann"})
    requests = {
        "message": of(session, "POST", "/messages", {"text": "hello"}),
        "rename": of(session, "PATCH", "", {"title": "hello"}),
        "reply": of(session, "POST", "/reply", {"text": "hello", "name": "Ann"}),
    }
    assert requests[first].send(session.client).status < 300

    assert requests[second].send(session.client).code == "id_reused"


# Across restarts


def test_commands_are_known_after_a_kill(fork: Fork, tmp_path: Path, model: ModelServer) -> None:
    """A command that was carried out before the server was killed isn't carried out again by the next one."""
    options = ("--port", "0", "--ws-port", "0", "--agents", write_agents(tmp_path, helpful=HELPFUL))
    cases = [case for case in REQUESTS if case not in {stream_chat}]
    sent: list[tuple[str, Request, Any]] = []
    with fork(*options, environment=config_list(model)) as server:
        rest = RestClient(server)  # all that is needed of it
        for case in cases:
            session = rest.new_session(agent="helpful")
            request = case(session)
            request.key = case.__name__
            answer = request.send(rest)
            assert answer.status < 300, case.__name__
            settle(session)
            sent.append((session.id, request, same(answer)))
        logs = {id: Conversation(rest, id).get("/events", limit=1000).json.get("events") for id, *_ in sent}
        server.signal(signal.SIGKILL)
        server.end()
    with fork(*options, environment=config_list(model)) as server:
        rest = RestClient(server)
        for id, request, first in sent:
            assert same(request.send(rest)) == first, request
            settle(Conversation(rest, id))
        assert {id: Conversation(rest, id).get("/events", limit=1000).json.get("events") for id, *_ in sent} == logs


def test_messages_of_older_logs_are_recognized(rest: RestClient, session: Conversation, tmp_path: Path) -> None:
    """A log of an older version has the ids of messages, and nothing else of commands; these count."""
    session.ask("hello", id="m1")
    with sqlite3.connect(tmp_path / "data" / "agentchat.db") as db:
        db.execute("DELETE FROM commands")
    db.close()
    before = state(session)

    assert session.ask("hello", id="m1")["turn"] == 1
    assert session.post("messages", {"text": "something else", "id": "m1"}).code == "id_reused"
    assert of(session, "POST", "/retry", {}, key="m1").send(rest).code == "id_reused"
    assert state(session) == before
    assert before[1][0]["content"]["id"] == "m1"
