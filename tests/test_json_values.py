"""JSON that is nested too deeply, and numbers that nobody else can read, are refused wherever they come from."""

from __future__ import annotations

import logging
from typing import Any

import pytest

from agentchat.protocol import json_values
from agentchat.protocol.json_values import MAX_DEPTH, MAX_NUMBER
from tests.clients import ChatClient
from tests.rest_client import Conversation


def nested(depth: int, inside: str = "1") -> str:
    """JSON of that depth, as lists and objects in turn."""
    opened = "".join("[" if level % 2 else '{"a":' for level in range(depth))
    return opened + inside + "".join("]" if level % 2 else "}" for level in reversed(range(depth)))


MESSAGE = '{"type": "message", "content": {"text": "hello", "context": VALUE}}'
UNUSABLE = [
    "1e400", "-1e400", "1" + "0" * 400 + ".0", "1" * 5000, "-" + "1" * 5000, "1" * 101, "NaN", "Infinity", "-Infinity",
    "[[{}, [1e999]]]", nested(MAX_DEPTH + 1), nested(300), nested(900), nested(990), nested(5000), nested(100_000),
    "[" * 5000, '{"a":' * 100_000,
]  # fmt: skip
USABLE = [
    "-0", "-0.0", "0.1", "1e-400", "1" * 100, "-" + "1" * 99, "9007199254740993", "1.7976931348623157e308",
    "0." + "1" * 90, nested(MAX_DEPTH - 5), '"' + "[" * 5000 + '"', '"1e400"', "[" + "[], " * 5000 + "{}]",
]  # fmt: skip


@pytest.mark.parametrize("value", UNUSABLE, ids=lambda value: value[:12])
def test_unusable_values(
    client: ChatClient, session: Conversation, value: str, caplog: pytest.LogCaptureFixture
) -> None:
    """A frame or a body that holds one is an error, is not taken for text, and leaves the connection open."""
    with caplog.at_level(logging.INFO):
        for part in ("context", "unknown"):
            client.say(MESSAGE.replace("context", part).replace("VALUE", value))
        client.say('{"more": VALUE, "type": "typing", "content": {"is_typing": true}}'.replace("VALUE", value))
        codes = [client.until("error")["content"]["code"] for _ in range(3)]
        body = b'{"text": "hello", "context": {"a": %b}}' % value.encode()
        answer = session.client.ask("POST", f"{session.path}/messages", body, {"Content-Type": "application/json"})
        client.command("typing", is_typing=True)
        client.command("stop", turn=99)
        client.command("nonsense")

    assert codes == ["bad_frame"] * 3
    assert client.until("error")["content"]["code"] == "unsupported"
    assert (answer.status, answer.code) == (400, "bad_request")
    assert len(answer.body) < 300
    assert client.log == session.log == []
    assert caplog.records == []


@pytest.mark.parametrize("value", USABLE, ids=lambda value: value[:12])
def test_usable_values(client: ChatClient, session: Conversation, value: str) -> None:
    """Values within the limits come through a frame and a body alike."""
    client.say(MESSAGE.replace("VALUE", f'{{"a": {value}}}'))
    body = b'{"text": "hello", "context": {"a": %b}}' % value.encode()
    answer = session.client.ask("POST", f"{session.path}/messages", body, {"Content-Type": "application/json"})

    assert client.until("user_message")["content"]["context"] == {"a": json_values.parse(value)}
    client.until("turn_completed")
    assert answer.status == 202
    assert session.log[0]["content"]["context"] == {"a": json_values.parse(value)}


def test_numbers_of_commands(client: ChatClient, session: Conversation) -> None:
    """A number that no event can have is an error in words, not of the store."""
    commands: list[tuple[str, dict[str, Any]]] = [
        ("edit", {"text": "x"}), ("feedback", {"score": 1}), ("stop", {}), ("task", {"status": "done"}),
        ("feedback", {"seq": 1}),
    ]  # fmt: skip
    names = ["seq", "seq", "turn", "id", "score"]
    for number in (10**30, -(10**30), MAX_NUMBER + 1, -MAX_NUMBER - 1, 2**63):
        for (type, content), name in zip(commands, names, strict=True):
            client.command(type, **content, **{name: number})
            error = client.until("error")["content"]
            assert (error["code"], name in error["message"]) == ("bad_frame", True), (type, number)
        assert session.post("edit", {"seq": number, "text": "x"}).code == "bad_request"
        assert session.post("feedback", {"seq": number, "score": 1}).code == "bad_request"
        assert session.post("stop", {"turn": number}).code == "bad_request"
        for query in (f"after={number}", f"limit={number}"):
            assert session.client.get(f"{session.path}/events?{query}").code == "bad_request"
    for number in (MAX_NUMBER, -MAX_NUMBER, -1):
        client.command("edit", seq=number, text="x")
        assert client.until("error")["content"]["code"] == "message_unknown"


def test_text_that_looks_like_json(client: ChatClient) -> None:
    """Plain text stays text, whatever numbers and brackets are in it."""
    for text in ('{"a": 1e400}', '{"a": ' + "1" * 5000 + "}", "{{{{ hello", nested(200), "[" * 5000, "{" * 5000):
        client.say(text)
        assert client.until("user_message")["content"]["text"] == text
        client.until("turn_completed")


def test_the_depth_of_a_value() -> None:
    """Depth counts lists and objects; what is beside each other doesn't add up."""
    assert json_values.problem(json_values.parse(nested(MAX_DEPTH))) is None
    assert json_values.problem(json_values.parse(nested(MAX_DEPTH + 1))) == "it is nested more than 100 levels deep"
    assert json_values.problem([[1]] * 1000) is None
    assert json_values.problem(True) is None
