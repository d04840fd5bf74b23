"""The rights of operators and people while a human has the conversation."""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from tests.clients import ChatClient, types
from tests.model_server import ModelServer, Reply
from tests.operators import (
    asked,
    code,
    hand_back,
    held,
    reply,
    said,
    take,
    wanted,
)
from tests.rest_client import Conversation

pytestmark = pytest.mark.all_agents


def test_a_second_operator(concierge: Conversation, operator: ChatClient, connect: Callable[..., ChatClient]) -> None:
    """A second operator learns by WebSocket and REST who has the conversation, and can neither speak nor hand back."""
    operator.command("take")
    operator.until("handoff")
    bob = connect(session=concierge.id, name="Bob", role="operator")
    assert bob.confirmed()["held"]["operator"] == "Ann"
    bob.command("take")
    error = bob.until("error")["content"]
    assert (error["code"], error["message"]) == ("taken", "Ann has this conversation already.")
    for command in ({"type": "hand_back"}, {"type": "message", "text": "Me, too", "id": "b"}):
        bob.command(**command)
        assert code(bob) == "taken"
    bob.say("Me, too")
    assert code(bob) == "taken"
    for what in ("take", "reply", "hand-back"):
        body = {"name": "Bob", **({"text": "Me, too"} if what == "reply" else {})}
        answer = concierge.post(what, body)
        assert (answer.status, answer.code) == (409, "taken")
    assert concierge.post("take", {"name": "Ann"}).code == "taken"
    assert types(concierge.log) == ["handoff"]


def test_who_has_not_taken_it(
    concierge: Conversation, operator: ChatClient, person: ChatClient, model: ModelServer
) -> None:
    """An operator can't speak without having taken the conversation.

    That includes waiting conversations and those already handed back.
    """
    for prepare in (
        list,
        lambda: wanted(concierge, model),
        lambda: (take(concierge), hand_back(concierge)),
    ):
        prepare()
        before = len(concierge.log)
        operator.say("Hello")
        assert code(operator) == "not_held"
        operator.command("message", text="Hello", id="m")
        error = operator.until("error")["content"]
        assert (error["code"], error["id"]) == ("not_held", "m")
        answer = concierge.post("reply", {"text": "Hello", "name": "Ann"})
        assert (answer.status, answer.code) == (409, "not_held")
        assert len(concierge.log) == before
    person.command("hand_back")
    assert code(person) == "not_held"
    assert concierge.post("hand-back", {"name": "Ann"}).code == "not_held"


def test_who_only_reads(concierge: Conversation, connect: Callable[..., ChatClient], model: ModelServer) -> None:
    """A viewer sees everything but can't ask for a human, take or hand back."""
    wanted(concierge, model)
    viewer = connect(session=concierge.id, role="viewer", name="Ann")
    assert viewer.confirmed()["held"]["state"] == "waiting"
    for command in ("take", "hand_back"):
        viewer.command(command)
        assert code(viewer) == "read_only"
    take(concierge)
    viewer.say("I am Ann as well")
    assert code(viewer) == "read_only"
    reply(concierge, "Hello")
    viewer.until("text", lambda content: content.get("operator"))
    assert held(concierge) == ("taken", "Ann")


def test_only_an_operator_takes(concierge: Conversation, person: ChatClient, operator: ChatClient) -> None:
    """Only an operator can take a conversation.

    A person's connection can neither take it nor hand it back, and its messages stay a person's.
    """
    person.command("take")
    assert code(person) == "bad_frame"
    operator.command("take")
    person.until("handoff")
    person.command("hand_back", note="I want the machine")
    assert code(person) == "taken"
    person.ask("I am here")

    assert held(concierge) == ("taken", "Ann")
    assert said(concierge) == [("Ada", "I am here")]


def test_what_operators_cannot_send(concierge: Conversation, operator: ChatClient) -> None:
    """Invalid input is refused from operators as from anybody else; nothing is written."""
    operator.command("take")
    operator.until("handoff")
    for content in ({"text": " "}, {"text": "x" * 200_001}, {"text": 5}, {}, {"text": "x", "id": ""}):
        operator.command("message", **content)
    assert [code(operator) for _ in range(5)] == [
        "message_empty", "message_too_long", "bad_frame", "bad_frame", "bad_frame",
    ]  # fmt: skip
    operator.command("hand_back", note=["no text"])
    operator.command("hand_back", note="x" * 200_001)
    assert [code(operator) for _ in range(2)] == ["bad_frame", "message_too_long"]
    for what, body in (("take", {"name": 5}), ("reply", {}), ("reply", {"text": ""}), ("hand-back", {"why": "x"}),
                       ("take", [])):  # fmt: skip
        assert concierge.post(what, body).code in {"bad_request", "message_empty"}
    nobody = Conversation(concierge.client, "nobody")
    assert [nobody.post(what, {"text": "x"} if what == "reply" else {}).code for what in ("take", "reply")] == [
        "session_unknown", "session_unknown",
    ]  # fmt: skip
    assert types(concierge.log) == ["handoff"]


def test_what_a_person_cannot_do_meanwhile(concierge: Conversation, person: ChatClient, model: ModelServer) -> None:
    """Retries and edits have to wait until the agents have the conversation again."""
    seq = wanted(concierge, model)["seq"]
    for is_taken in (False, True):
        if is_taken:
            take(concierge)
        person.command("retry")
        assert code(person) == "held"
        person.command("edit", seq=seq, text="No human")
        assert code(person) == "held"
        answer = concierge.post("retry", {})
        assert (answer.status, answer.code) == (409, "held")
        assert concierge.post("edit", {"seq": seq, "text": "No human"}).code == "held"
    hand_back(concierge)
    model.script(Reply("As you wish."))
    person.command("edit", seq=seq, text="No human")
    person.until("turn_completed", lambda content: content["summary"] == "As you wish.")
    assert asked(model) == ["No human"]
    assert held(concierge) is None


def test_the_ids_of_people_and_operators(concierge: Conversation, person: ChatClient, operator: ChatClient) -> None:
    """An operator's words are not taken for a person's message with the same id: the operator is told of it."""
    operator.command("take")
    person.until("handoff")
    person.command("message", text="one", id="1")
    person.until("turn_completed")
    operator.command("message", text="two", id="1")
    assert operator.until("error")["content"]["code"] == "id_reused"
    operator.command("message", text="two", id="2")
    person.until("text", lambda content: content.get("operator"))

    assert said(concierge) == [("Ada", "one"), ("Ann", "two")]


def test_one_of_many_wins(concierge: Conversation) -> None:
    """One of twenty operators at once gets the conversation, and all others learn who."""
    start = threading.Barrier(20)

    def try_it(number: int) -> Any:
        start.wait()
        return concierge.post("take", {"name": f"Operator {number}"})

    with ThreadPoolExecutor(20) as pool:
        answers = list(pool.map(try_it, range(20)))

    [winner] = [number for number, answer in enumerate(answers) if answer.status == 200]
    refused = {answer.json["error"]["message"] for answer in answers if answer.status != 200}
    assert refused == {f"Operator {winner} has this conversation already."}
    assert len(concierge.log) == 1
    assert held(concierge) == ("taken", f"Operator {winner}")
