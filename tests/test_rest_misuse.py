"""Invalid REST requests are refused with an explanation and change nothing."""

from __future__ import annotations

from tests.rest_client import SESSIONS, Conversation, RestClient

REQUESTS: list[tuple[str, str, object]] = [
    ("GET", "", None), ("PATCH", "", {"title": "x"}), ("DELETE", "", None), ("POST", "/messages", {"text": "x"}),
    ("POST", "/input", {"request_id": "x", "text": "x"}), ("POST", "/stop", {}), ("POST", "/retry", {}),
    ("POST", "/edit", {"seq": 1, "text": "x"}), ("POST", "/typing", {"is_typing": True}), ("GET", "/events", None),
    ("GET", "/export", None),
]  # fmt: skip


def test_unknown_session(rest: RestClient) -> None:
    """Every route answers 404 for an unknown session; ids are never interpreted as paths."""
    for method, what, body in REQUESTS:
        for id in ("long-gone", "%2e%2e", "a%2Fb", "%00", "%ff", "x" * 1000):
            answer = rest.ask(method, f"{SESSIONS}/{id}{what}", body)
            assert (answer.status, answer.code) == (404, "session_unknown"), (method, id, what)


BODIES: list[tuple[object, str]] = [
    (b"{", "JSON"), (b"\xff", "JSON"), (b'{"text": "x"} {}', "JSON"), (b'{"text": "\\ud800"}', "JSON"),
    (b'{"text": "x", "context": {"a": NaN}}', "JSON"),
    (b'{"context":' + b"[" * 100_000, "JSON"), (b"", "text is missing"), ([], "object"), ("hello", "object"),
    ({}, "text is missing"), ({"text": 1}, "text"), ({"text": None}, "text"), ({"text": ["x"]}, "text"),
    ({"text": "x", "id": ""}, "id"), ({"text": "x", "id": "x" * 101}, "100 characters"), ({"text": "x", "id": 1}, "id"),
    ({"text": "x", "name": "x" * 101}, "name"), ({"text": "x", "context": []}, "context"),
    ({"text": "x", "busy": "never"}, "busy"), ({"text": "x", "sk-secret": "sk-secret"}, "nothing else"),
]  # fmt: skip


def test_invalid_body(session: Conversation) -> None:
    """An invalid body is an error that names the field but never repeats its value."""
    for body, word in BODIES:
        answer = session.client.ask("POST", f"{session.path}/messages", body, {"Content-Type": "application/json"})
        sentence = answer.json["error"]["message"]

        assert (answer.status, answer.code) == (400, "bad_request"), body
        assert word in sentence, body
        assert "secret" not in sentence
        assert len(sentence) < 300
    assert session.log == []


def test_invalid_message(session: Conversation) -> None:
    """Messages that are empty or too long are refused, as over WebSocket."""
    empty, long = session.post("messages", {"text": "  \n"}), session.post("messages", {"text": "x" * 200_001})

    assert (empty.status, empty.code) == (400, "message_empty")
    assert (long.status, long.code) == (413, "message_too_long")


QUERIES = [
    "limit=0", "limit=201", "limit=x", "limit=", "limit=1&limit=2", "limit=%D9%A3", "limit=1.0", "before=x",
    "before=2026_", "limit=" + "9" * 5000,
]  # fmt: skip


def test_invalid_query(rest: RestClient) -> None:
    """Numbers in a query must be digits within their limits, given once."""
    for query in QUERIES:
        answer = rest.get(f"{SESSIONS}?{query}")
        assert (answer.status, answer.code) == (400, "bad_request"), query


def test_whole_numbers(session: Conversation) -> None:
    """1.0 is accepted as a number in JSON; true and 1.5 are not."""
    session.ask("hello")

    assert session.post("edit", {"seq": 1.0, "text": "again"}).status == 202
    for wrong in (1.5, True, "1", -1, 10**16):
        assert session.post("edit", {"seq": wrong, "text": "again"}).code == "bad_request"
