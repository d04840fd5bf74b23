"""Limits of how fast people may act, and of how many conversations they may have."""

from __future__ import annotations

import contextlib
import http.client
import re
from typing import Any

import pytest

from agentchat.protocol.identity import Caller, network
from agentchat.sessions.rates import Rates
from tests.clients import ChatClient, contents, wait_until
from tests.conftest import Serve
from tests.model_server import ModelServer
from tests.rest_client import SESSIONS, RestClient

ADA, BOB, NOBODY = Caller("ada", "192.0.2.1"), Caller("bob", "192.0.2.1"), Caller("", "192.0.2.2")


class Clock:
    """A clock that goes on when the test says so."""

    def __init__(self) -> None:
        self.time = 1000.0

    def __call__(self) -> float:
        return self.time


def taken(rates: Rates, caller: Caller, tries: int) -> int:
    """Return how often the caller may act, out of so many tries."""
    return sum(not rates.take(caller) for _ in range(tries))


class TestRates:
    """Token buckets, with a clock of the test's own."""

    def test_a_person(self) -> None:
        """A person may act in a burst, then at the rate; who has been quiet may act in a burst again."""
        clock = Clock()
        rates = Rates(2, 0, 10, clock)
        assert taken(rates, ADA, 100) == 20
        assert taken(rates, BOB, 100) == 20
        clock.time += 3
        assert taken(rates, ADA, 100) == 6
        clock.time += 3600
        assert taken(rates, ADA, 100) == 20
        assert rates.take(ADA) == 1
        clock.time += rates.take(ADA)
        assert rates.take(ADA) == 0

    def test_an_address(self) -> None:
        """An address may do ten times as much as a person, also under many names; so may a program without a name."""
        rates = Rates(2, 0, 10, Clock())
        assert sum(not rates.take(Caller(f"name {number}", "192.0.2.1")) for number in range(1000)) == 200
        assert taken(rates, NOBODY, 1000) == 200
        assert taken(rates, Caller(), 1000) == 1000  # the server itself

    def test_all_together(self) -> None:
        """There is a limit for all together; what is refused counts for nobody."""
        clock = Clock()
        rates = Rates(2, 3, 10, clock)
        assert taken(rates, ADA, 25) == 20
        assert taken(rates, Caller("eve", "192.0.2.3"), 25) == 10
        assert taken(rates, NOBODY, 25) == 0
        clock.time += 1
        assert taken(rates, NOBODY, 25) == 3

    def test_a_slow_rate(self) -> None:
        """Also a rate of less than one in a burst lets people act at times."""
        clock = Clock()
        rates = Rates(0.01, 0, 10, clock)
        assert taken(rates, ADA, 5) == 1
        assert rates.take(ADA) == 100
        clock.time += 100
        assert taken(rates, ADA, 5) == 1

    def test_who_is_gone_leaves_memory(self) -> None:
        """Nothing is kept of people who have been quiet, however many there were."""
        clock = Clock()
        rates = Rates(2, 10_000, 10, clock)
        for number in range(500):
            rates.take(Caller(f"name {number}", f"192.0.2.{number % 250}"))
        assert len(rates) == 500 + 250 + 1
        clock.time += 11
        rates.take(ADA)
        assert len(rates) == 3

    def test_no_limit(self) -> None:
        rates = Rates(0, 0, 10, Clock())
        assert taken(rates, ADA, 10_000) == 10_000
        assert len(rates) == 0


@pytest.mark.parametrize(
    ("address", "counted"),
    [("192.0.2.1", "192.0.2.1"), ("::ffff:192.0.2.1", "192.0.2.1"), ("2001:db8::1:2:3:4", "2001:db8::/64"),
     ("2001:db8::5", "2001:db8::/64"), ("fe80::1%eth0", "fe80::/64"), ("::1", "::/64")],
)  # fmt: skip
def test_addresses(address: str, counted: str) -> None:
    assert network(address) == counted


@pytest.mark.own_server
def test_messages_that_come_too_fast(serve: Serve, model: ModelServer) -> None:
    """A person who is too fast is told how long to wait; others are not held up, and stopping is never too fast."""
    server = serve("--messages-per-second", "0.04", model=model)  # one in 25 seconds; 4 in 10 for an address
    rest = RestClient(server)
    session = rest.new_session()
    with (
        ChatClient(server.websocket, session=session.id, name="Ada") as ada,
        ChatClient(server.websocket, session=session.id, name="Bob") as bob,
    ):
        ada.command("rename", title="one")
        tries: dict[str, dict[str, Any]] = {
            "message": {"text": "x", "id": "m"}, "retry": {}, "edit": {"seq": 1, "text": "x"}, "rename": {"title": "x"},
            "feedback": {"seq": 1, "score": 1}, "task": {"id": 1, "status": "done"}, "typing": {"is_typing": True},
            "input_response": {"request_id": "r", "text": "x"}, "take": {}, "hand_back": {}, "nonsense": {},
        }  # fmt: skip
        for type, content in tries.items():
            ada.command(type, **content)
            error = ada.until("error")["content"]
            assert (error["code"], error["retryable"]) == ("too_fast", True)
            assert re.search(r"Wait \d+ seconds", error["message"])
        ada.command("stop")
        bob.ask("Hello")
        for method, path, body in [
            ("POST", f"{session.path}/messages", {"text": "x", "name": "Ada"}),
            ("PATCH", session.path, {"title": "x", "name": "Ada"}),
            ("PUT", f"{session.path}/files/a.txt?name=Ada", b"x"),
            ("DELETE", "/api/agent-chat/memory?name=Ada", None),
        ]:
            answer = rest.ask(method, path, body)
            assert (answer.status, answer.code) == (429, "too_fast")
            assert 0 < int(answer.headers["Retry-After"]) <= 100
        assert session.post("stop", {}).status == 202
        assert session.get().status == 200
    assert [content["code"] for content in contents(ada.frames, "error")] == ["too_fast"] * 11
    assert len(contents(bob.log, "user_message")) == 1


@pytest.mark.own_server
def test_a_program_without_a_name(serve: Serve, model: ModelServer) -> None:
    """Programs that give no name are limited together by their address, over REST and the WebSocket."""
    server = serve("--messages-per-second", "0.001", model=model)  # one in 100 seconds for an address
    session = RestClient(server).new_session()
    answer = session.client.post(f"/api/v1/chat/{session.id}/stream", {"message": "x"})
    assert (answer.status, answer.code) == (429, "too_fast")
    assert session.client.post(SESSIONS, {}).code == "too_fast"
    assert session.post("messages", {"text": "x", "name": "another"}).code == "too_fast"
    with ChatClient(server.websocket, session=session.id) as client:
        client.say("x")
        assert client.until("error")["content"]["code"] == "too_fast"


def test_a_burst_is_welcome(serve: Serve, model: ModelServer) -> None:
    """As many messages as honest programs send at once are no problem with the defaults."""
    session = RestClient(serve(model=model)).new_session()
    connection = http.client.HTTPConnection(session.client.netloc)
    with contextlib.closing(connection):
        for _ in range(600):
            connection.request(
                "POST", f"{session.path}/typing", b'{"is_typing": true}', {"Content-Type": "application/json"}
            )
            response = connection.getresponse()
            response.read()
            assert response.status == 204


@pytest.mark.own_server
def test_too_many_conversations(serve: Serve, model: ModelServer) -> None:
    """People can have so many conversations, and all together; whoever deletes one can begin another."""
    server = serve("--sessions-per-person", "2", "--sessions-in-all", "4", model=model)
    rest = RestClient(server)
    with contextlib.ExitStack() as stack:
        for _ in range(2):
            stack.enter_context(ChatClient(server.websocket, name="Ada")).ask("hello")
        refused = stack.enter_context(ChatClient(server.websocket, name="Ada"))
        refused.say("hello")
        assert "2 are yours" in refused.until("error")["content"]["message"]
        known = stack.enter_context(ChatClient(server.websocket, name="Ada", cookie="agentchat_browser=b"))
        mine = known.confirmed()["session_id"]  # not the same Ada
        known.ask("hello")
    rest.new_session()
    answer = rest.post(SESSIONS, {})
    assert (answer.status, answer.code) == (429, "too_many_sessions")
    assert rest.post("/api/v1/chat/new", {"message": "x"}).code == "too_many_sessions"
    assert "there are 4" in answer.json["error"]["message"]
    assert rest.ask("DELETE", f"{SESSIONS}/{mine}").status == 204
    rest.new_session()


@pytest.mark.own_server
def test_conversations_that_begin_too_fast(serve: Serve, model: ModelServer) -> None:
    """A program can begin so many conversations at once, and is then told when to go on."""
    rest = RestClient(serve("--new-sessions-per-minute", "0.2", model=model))  # 2 in ten minutes; 20 for an address
    answers = [rest.post(SESSIONS, {}) for _ in range(25)]
    assert [answer.status for answer in answers] == [201] * 20 + [429] * 5
    assert answers[-1].code == "too_many_sessions"
    assert 0 < int(answers[-1].headers["Retry-After"]) <= 30
    assert len(rest.get(SESSIONS).json["sessions"]) == 20


def test_owners_outlive_the_server(serve: Serve, model: ModelServer) -> None:
    """Conversations count after a restart, too."""
    first = serve("--sessions-per-person", "1", model=model)
    with ChatClient(first.websocket, name="Ada") as client:
        client.ask("hello")
    first.close()
    second = serve("--sessions-per-person", "1", model=model)
    with ChatClient(second.websocket, name="Ada") as client:
        client.say("hello")
        assert client.until("error")["content"]["code"] == "too_many_sessions"
    wait_until(lambda: len(RestClient(second).get(SESSIONS).json["sessions"]) == 1)
