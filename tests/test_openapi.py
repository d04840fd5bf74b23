"""The OpenAPI document describes every route, and responses match it."""

from __future__ import annotations

import re
from typing import Any

import jsonschema
import pytest

from agentchat.protocol.errors import ERRORS
from tests.clients import PATIENCE
from tests.processes import ROOT
from tests.rest_client import SESSIONS, Answer, RestClient

ADDRESS = "/api/openapi.json"
ADMIN = "/api/agent-chat/admin"


@pytest.fixture
def description(rest: RestClient) -> Any:
    return rest.get(ADDRESS).json


def documented(page: str) -> set[tuple[str, str]]:
    """Return the requests in the tables of a page, with full paths."""
    found = set()
    for line in (ROOT / "docs" / page).read_text().splitlines():
        for method, path in re.findall(r"`(GET|POST|PUT|PATCH|DELETE) ([^\s`?]+)", line):
            found.add((method, path.replace("…/", f"{SESSIONS}/", 1)))
    return found


def test_docs_and_description_agree(description: Any) -> None:
    """The pages for people and the OpenAPI document list the same requests."""
    there = {(method.upper(), path) for path, methods in description["paths"].items() for method in methods}
    in_pages = documented("rest.md") | ({("GET", "/api/config")} & documented("protocol.md"))

    assert in_pages == there


def test_operations(description: Any) -> None:
    """Each operation has a unique id, and responses for the errors of its routes."""
    operations = [operation for methods in description["paths"].values() for operation in methods.values()]
    names = [operation["operationId"] for operation in operations]

    assert description["openapi"].startswith("3.1")
    assert len(set(names)) == len(names)
    for operation in operations:
        statuses = {int(status) for status in operation["responses"]}
        assert {400, 403, 500, 503} <= statuses
        assert statuses <= {row.status for row in ERRORS.values()} | {101, 200, 201, 202, 204, 303}
        assert ("requestBody" in operation) == ({411, 413, 415} <= statuses)


def test_responses_match_their_schemas(rest: RestClient, description: Any) -> None:
    """Real responses of every kind match their schemas."""
    session = rest.new_session(title="Weather")
    one, chat = session.path, "/api/v1/chat/{project_id}"
    turn = f"{one}/messages?wait={PATIENCE}"
    asked = {"text": "What is the weather in Oslo?"}

    def check(method: str, path: str, template: str, body: object = None) -> Answer:
        answer = rest.ask(method, path, body)
        response = description["paths"][template][method.lower()]["responses"][str(answer.status)]
        if answer.body:
            schema = response["content"][answer.headers["Content-Type"]]["schema"]
            jsonschema.Draft202012Validator({**schema, "components": description["components"]}).validate(answer.json)
        else:
            assert "content" not in response
        return answer

    template = f"{SESSIONS}/{{id}}"
    answers = [
        check("GET", "/api/config", "/api/config"),
        check("GET", "/healthz", "/healthz"),
        check("GET", "/readyz", "/readyz"),
        check("GET", ADDRESS, ADDRESS),
        check("POST", SESSIONS, SESSIONS, {"agent": "weather"}),
        check("POST", turn, f"{template}/messages", asked),
        check("POST", f"{one}/messages", f"{template}/messages", asked),
        check("GET", f"{SESSIONS}?limit=1", SESSIONS),
        check("GET", f"{SESSIONS}?q=oslo", SESSIONS),
        check("GET", one, template),
        check("GET", f"{ADMIN}?audit=1", ADMIN),
        check("GET", f"{ADMIN}/audit", f"{ADMIN}/audit"),
        check("POST", f"{ADMIN}/stop", f"{ADMIN}/stop", {"session": session.id}),
        check("PATCH", one, template, {"title": "Oslo"}),
        check("POST", f"{one}/stop", f"{template}/stop"),
        check("POST", f"{one}/typing", f"{template}/typing", {"is_typing": False}),
        check("POST", turn, f"{template}/messages", asked),
        check("POST", f"{one}/retry", f"{template}/retry"),
        check("POST", turn, f"{template}/messages", asked),
        check("POST", f"{one}/edit", f"{template}/edit", {"seq": 1, "text": "x"}),
        check("POST", f"{one}/input", f"{template}/input", {"request_id": "x", "text": "x"}),
        check("POST", f"{one}/feedback", f"{template}/feedback", {"seq": 99, "score": 1}),
        check("GET", f"{one}/events", f"{template}/events"),
        check("GET", f"{one}/export", f"{template}/export"),
        check("PUT", f"{one}/files/a%2Fb.txt", f"{template}/files/{{path}}", b"x"),
        check("PUT", f"{one}/files/a%2Fb.txt", f"{template}/files/{{path}}", b"y"),
        check("GET", f"{one}/files", f"{template}/files"),
        check("GET", f"{one}/files/..", f"{template}/files/{{path}}"),
        check("DELETE", f"{one}/files/a%2Fb.txt", f"{template}/files/{{path}}"),
        check("POST", f"/api/v1/chat/{session.id}", chat, {"message": "hello"}),
        check("POST", "/api/v1/chat/gone", chat, {"message": "hello"}),
        check("DELETE", one, template),
        check("GET", one, template),
        check("POST", one + "/messages", f"{template}/messages", {}),
        check("GET", f"{SESSIONS}?limit=x", SESSIONS),
    ]

    assert [answer.status for answer in answers] == [
        200, 200, 200, 200, 201, 200, 202, 200, 200, 200, 200, 200, 202, 200, 202, 204, 200, 202, 200, 409, 409, 404,
        200, 200, 201, 200, 200, 400, 204, 200, 200, 204, 404, 400, 400,
    ]  # fmt: skip
