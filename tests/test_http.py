"""The page's server, asked by a program that does not behave like a browser."""

from __future__ import annotations

import http.client
import json
import socket
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest

from agentchat.errors import SettingsError
from main import Running
from tests.clients import PATIENCE
from tests.conftest import KEY, Serve
from tests.model_server import ModelServer

TRAVERSALS = [
    "/../main.py",
    "/static/../../main.py",
    "/static/..%2f..%2fmain.py",
    "/static/%2e%2e/%2e%2e/main.py",
    "/static/....//....//main.py",
    "//etc/passwd",
    "/static/",
    "/templates/chat.html",
    "/static/js/%00main.js",
]


def ask(server: Running, path: str, method: str = "GET", **headers: str) -> tuple[http.client.HTTPResponse, bytes]:
    connection = http.client.HTTPConnection(urlsplit(server.page).netloc, timeout=PATIENCE)
    connection.request(method, path, headers=headers)
    response = connection.getresponse()
    body = response.read()
    connection.close()
    return response, body


def error_of(body: bytes) -> Any:
    """The error of an answer, which must have the one shape."""
    answer = json.loads(body)
    assert set(answer) == {"error"}
    assert set(answer["error"]) == {"code", "message"}
    return answer["error"]["code"]


def test_the_page_and_its_parts(server: Running) -> None:
    """Served with their types; everything the page names is there."""
    response, page = ask(server, "/")
    assert (response.status, response.headers["Content-Type"]) == (200, "text/html; charset=utf-8")
    for path in [part.partition('"')[0] for part in page.decode().split('"/static/')[1:]]:
        part, _ = ask(server, f"/static/{path}")
        assert part.status == 200, path


def test_what_the_page_needs_to_start(serve: Serve, model: ModelServer) -> None:
    """The WebSocket's port, the agents, the model; no key."""
    server = serve(model=model)
    response, body = ask(server, "/api/config")
    config = json.loads(body)

    assert response.headers["Content-Type"] == "application/json"
    assert config["ws_port"] == urlsplit(server.websocket).port
    assert config["model"] == {"name": "scripted", "demo": False}
    assert config["default_agent"] == "weather"
    [weather] = [agent for agent in config["agents"] if agent["name"] == "weather"]
    assert weather["available"]
    assert "What is the weather in Oslo?" in weather["suggestions"]
    assert KEY.encode() not in body


def test_health(server: Running) -> None:
    """For whatever looks after processes."""
    assert json.loads(ask(server, "/healthz")[1]) == {"status": "ok"}


@pytest.mark.parametrize("path", ["/nothing", "/api", *TRAVERSALS])
def test_there_is_nothing_else(server: Running, path: str) -> None:
    """No path reaches the disk; errors have one shape."""
    response, body = ask(server, path)

    assert response.status == 404
    assert error_of(body) == "not_found"


@pytest.mark.parametrize("method", ["POST", "PUT", "PATCH", "DELETE", "OPTIONS"])
def test_only_get(server: Running, method: str) -> None:
    """Anything else is refused in words."""
    response, body = ask(server, "/", method)

    assert response.status == 405
    assert error_of(body) == "method_not_allowed"


def test_unknown_methods_are_refused_in_the_same_shape(server: Running) -> None:
    """By the standard library, in our words."""
    response, body = ask(server, "/", "BREW")

    assert response.status == 501
    assert error_of(body) == "bad_request"


@pytest.mark.parametrize("path", ["/", "/nothing", "/api/config"])
def test_every_answer_carries_the_security_headers(server: Running, path: str) -> None:
    """Nothing foreign runs in the page, and it talks to this server alone."""
    response, _ = ask(server, path)
    policy = response.headers["Content-Security-Policy"]

    assert "default-src 'none'" in policy
    assert "script-src 'self'" in policy
    assert f"connect-src 'self' ws://127.0.0.1:{urlsplit(server.websocket).port};" in policy
    assert "unsafe" not in policy
    assert response.headers["X-Content-Type-Options"] == "nosniff"
    assert response.headers["Referrer-Policy"] == "no-referrer"


@pytest.mark.parametrize("host", ["evil.example", "127.0.0.1.evil.example:80", "", "[::1", "a@127.0.0.1, b"])
def test_a_foreign_host_is_refused(server: Running, host: str) -> None:
    """Or a foreign page could point a name of its own at this machine."""
    response, body = ask(server, "/api/config", Host=host)

    assert response.status == 403
    assert error_of(body) == "host_refused"
    assert "evil" not in response.headers["Content-Security-Policy"]


def test_an_unchanged_file_is_not_sent_again(server: Running) -> None:
    """But asked for each time, so that a new version is seen at once."""
    first, _ = ask(server, "/")
    second, body = ask(server, "/", **{"If-None-Match": first.headers["ETag"]})

    assert (second.status, body) == (304, b"")


@pytest.mark.parametrize(
    "nonsense", [b"\x00\xff\xfe\r\n\r\n", b"GET\r\n\r\n", b"GET / HTTP/9.9\r\n\r\n", b"GET / HTTP/1.1\r\n: x\r\n\r\n"]
)
def test_nonsense_harms_nobody(server: Running, nonsense: bytes) -> None:
    """Whoever speaks something else than HTTP is refused; the next one is served."""
    port = urlsplit(server.page).port
    assert port is not None
    with socket.create_connection(("127.0.0.1", port), timeout=PATIENCE) as connection:
        connection.sendall(nonsense)
        connection.shutdown(socket.SHUT_WR)
        while connection.recv(65536):
            continue

    assert ask(server, "/healthz")[0].status == 200


def test_a_page_that_is_missing(serve: Serve, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """The server does not start without it."""
    monkeypatch.setattr("main.ROOT", tmp_path)
    with pytest.raises(SettingsError, match="The page cannot be read"):
        serve("demo")
