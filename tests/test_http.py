"""Pages, requests and bodies of every kind, sent by a program that doesn't behave like a browser."""

from __future__ import annotations

import contextlib
import http.client
import json
import re
import shutil
import socket
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from agentchat.app import Running
from agentchat.protocol.errors import SettingsError
from tests.clients import PATIENCE
from tests.conftest import KEY, Serve
from tests.model_server import ModelServer
from tests.processes import ROOT
from tests.rest_client import SESSIONS, Answer, RestClient

JSON = "application/json"
TRAVERSALS = [
    "/../main.py",
    "/static/../../main.py",
    "/static/..%2f..%2fmain.py",
    "/static/%2e%2e/%2e%2e/main.py",
    "/static/....//....//main.py",
    "//etc/passwd",
    "/static/",
    "/templates/chat.html",
    "/static/js/%00chat.js",
]


def ask(server: Running, path: str, method: str = "GET", **headers: str) -> Answer:
    return RestClient(server).ask(method, path, None, headers)


def speak(server: Running, *pieces: bytes) -> bytes:
    """Send raw bytes, close the sending side and return everything received until the connection ends."""
    port = urlsplit(server.page).port
    assert port is not None
    with socket.create_connection(("127.0.0.1", port), timeout=PATIENCE) as connection:
        for piece in pieces:
            connection.sendall(piece)
        with contextlib.suppress(OSError):  # it was already refused
            connection.shutdown(socket.SHUT_WR)
        answer = b""
        while data := connection.recv(65536):
            answer += data
        return answer


def request(head: str, body: bytes = b"", /, **headers: object) -> bytes:
    """Format a request; underscores in header names stand for hyphens."""
    lines = [head, "Host: localhost", *(f"{name.replace('_', '-')}: {value}" for name, value in headers.items())]
    return "\r\n".join(lines).encode() + b"\r\n\r\n" + body


def test_page_and_assets(server: Running) -> None:
    """Pages and assets have the right types, and everything the page refers to exists."""
    page = ask(server, "/")
    assert (page.status, page.headers["Content-Type"]) == (200, "text/html; charset=utf-8")
    files = re.findall(r'"\./(static/[^"]+)"', page.body.decode())
    assert len(files) > 3
    for path in files:
        assert ask(server, f"/{path}").status == 200, path


def test_config(serve: Serve, model: ModelServer) -> None:
    """`/api/config` gives clients the WebSocket's port, the agents and the model, but no key."""
    server = serve(model=model)
    answer = ask(server, "/api/config")
    config = answer.json

    assert answer.headers["Content-Type"] == "application/json"
    assert config["ws_port"] == urlsplit(server.websocket).port
    assert config["model"] == {"name": "scripted", "demo": False, "vision": None}
    assert config["default_agent"] == "weather"
    [weather] = [agent for agent in config["agents"] if agent["name"] == "weather"]
    assert weather["available"]
    assert "What is the weather in Oslo?" in weather["suggestions"]
    assert config["me"] == ask(server, "/api/agent-chat/me").json
    assert KEY.encode() not in answer.body


def test_health(server: Running) -> None:
    """`/healthz` tells monitors that the server is running."""
    assert ask(server, "/healthz").json == {"status": "ok"}


@pytest.mark.parametrize("path", ["/nothing", "/api", *TRAVERSALS])
def test_unknown_paths(server: Running, path: str) -> None:
    """An unknown path gets the usual error, and no path reaches the disk."""
    answer = ask(server, path)

    assert (answer.status, answer.code) == (404, "not_found")


def test_other_methods_are_refused(server: Running) -> None:
    """Other methods are refused; the error and the Allow header name the allowed ones."""
    session = RestClient(server).new_session().path
    for path, allowed in {
        "/": "GET, HEAD", "/api/config": "GET, HEAD", SESSIONS: "POST, GET, HEAD",
        session: "GET, PATCH, DELETE, HEAD", f"{session}/messages": "POST",
    }.items():  # fmt: skip
        for method in {"POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "BREW"} - set(allowed.split(", ")):
            answer = ask(server, path, method)
            assert (answer.status, answer.code) == (405, "method_not_allowed"), (method, path)
            assert answer.headers["Allow"] == allowed


def test_head(server: Running) -> None:
    """HEAD returns the headers of GET without the body, and keeps the connection."""
    for path in ("/", "/api/config", SESSIONS, "/nothing"):
        whole, head = ask(server, path), ask(server, path, "HEAD")
        assert (head.status, head.body) == (whole.status, b"")
        assert head.headers["Content-Length"] == str(len(whole.body))


@pytest.mark.parametrize("path", ["/", "/nothing", "/api/config"])
def test_security_headers(server: Running, path: str) -> None:
    """Every response forbids foreign scripts and connections to other servers."""
    response = ask(server, path)
    policy = response.headers["Content-Security-Policy"]

    assert "default-src 'none'" in policy
    assert "script-src 'self'" in policy
    assert "connect-src 'self';" in policy  # the page's own WebSocket, wherever a proxy has put it
    assert "ws:" not in policy
    assert "unsafe" not in policy
    assert response.headers["X-Content-Type-Options"] == "nosniff"
    assert response.headers["Referrer-Policy"] == "no-referrer"


@pytest.mark.parametrize("host", ["evil.example", "127.0.0.1.evil.example:80", "", "localhost.evil.example"])
def test_unknown_hosts_are_refused(server: Running, host: str) -> None:
    """Unknown Host headers are refused, so that other sites can't point their own domain at this machine."""
    answer = ask(server, "/api/config", Host=host)

    assert (answer.status, answer.code) == (403, "host_refused")
    assert "evil" not in answer.headers["Content-Security-Policy"]


def test_etags(server: Running) -> None:
    """Unchanged files are revalidated on each request and not sent again."""
    first = ask(server, "/")
    second = ask(server, "/", **{"If-None-Match": first.headers["ETag"]})

    assert (second.status, second.body) == (304, b"")


def test_server_survives_nonsense(server: Running) -> None:
    """After garbage that isn't HTTP, the next client is served."""
    for nonsense in (
        b"\x00\xff\xfe\r\n\r\n", b"GET\r\n\r\n", b"GET / HTTP/9.9\r\n\r\n", b"GET / HTTP/1.1\r\n: x\r\n\r\n", b"\r\n",
        b"GET //[/ HTTP/1.1\r\nHost: localhost\r\n\r\n", b"GET /" + b"x" * 70_000, b"do_GET / HTTP/1.1\r\n\r\n",
    ):  # fmt: skip
        speak(server, nonsense)

    assert ask(server, "/healthz").status == 200


# Bodies


UNREAD: list[tuple[dict[str, object], int, str]] = [
    ({}, 411, "length_required"),
    ({"Transfer_Encoding": "chunked"}, 411, "length_required"),
    ({"Transfer_Encoding": "chunked", "Content_Length": 14}, 411, "length_required"),
    ({"Content_Length": "14\r\nContent-Length: 14"}, 400, "bad_request"),
    ({"Content_Length": "14, 14"}, 400, "bad_request"),
    ({"Content_Length": "-1"}, 400, "bad_request"),
    ({"Content_Length": "+14"}, 400, "bad_request"),
    ({"Content_Length": "9" * 5000}, 400, "bad_request"),
    ({"Content_Length": 5 * 2**20}, 413, "body_too_large"),
    ({"Content_Length": 14, "Content_Type": "text/plain"}, 415, "type_unsupported"),
    ({"Content_Length": 14, "Content_Type": "application/json; charset=utf-16"}, 415, "type_unsupported"),
    ({"Content_Length": 14, "Content_Encoding": "gzip"}, 415, "type_unsupported"),
]


def test_refused_bodies_are_never_taken_for_requests(server: Running) -> None:
    """A request whose body is refused is the last one on its connection."""
    session = RestClient(server).new_session()
    smuggled = request(f"DELETE {session.path} HTTP/1.1")
    for headers, status, code in UNREAD:
        head = request(f"POST {session.path}/messages HTTP/1.1", b"", **{"Content_Type": JSON, **headers})
        answer = speak(server, head, smuggled)

        assert answer.startswith(f"HTTP/1.1 {status} ".encode()), headers
        assert answer.count(b"HTTP/1.1") == 1, headers
        assert b"Connection: close" in answer
        assert json.loads(answer.partition(b"\r\n\r\n")[2])["error"]["code"] == code
    assert session.get().status == 200


def test_unexpected_bodies_are_never_taken_for_requests(server: Running) -> None:
    """Bodies of requests that take none, or that fail, are not taken for requests either."""
    session = RestClient(server).new_session()
    smuggled = request(f"DELETE {session.path} HTTP/1.1")
    for head in ("GET /healthz HTTP/1.1", "POST / HTTP/1.1", "POST /nothing HTTP/1.1", f"GET {session.path} HTTP/1.1"):
        answer = speak(server, request(head, smuggled, Content_Length=len(smuggled)))
        assert answer.count(b"HTTP/1.1") == 1
    assert session.get().status == 200


def test_response_to_a_body_that_is_too_large(server: Running) -> None:
    """A client still sending a body that is too large gets the error."""
    path = f"{SESSIONS}/x/messages"
    body = b" " * 9 * 2**20
    answer = speak(server, request(f"POST {path} HTTP/1.1", body, Content_Type=JSON, Content_Length=len(body)))

    assert b"body_too_large" in answer


def test_truncated_body(server: Running) -> None:
    """A request whose body ends early is dropped without an answer."""
    session = RestClient(server).new_session()
    head = request(f"POST {session.path}/messages HTTP/1.1", Content_Type=JSON, Content_Length=100)

    assert speak(server, head, b'{"text": "hello"}') == b""
    assert session.log == []


def test_expect_100_continue(server: Running) -> None:
    """Clients that wait for 100 Continue, as curl does, need not send a body that is refused."""
    session = RestClient(server).new_session()
    body = b'{"text": "hello"}'
    about = {"Content_Type": JSON, "Expect": "100-continue", "Connection": "close"}
    path = f"POST {session.path}/messages HTTP/1.1"
    taken = speak(server, request(path, body, Content_Length=len(body), **about))
    refused = speak(server, request(path, b"", Content_Length=5 * 2**20, **about))

    assert taken.startswith(b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 202 ")
    assert refused.startswith(b"HTTP/1.1 413 ")


def test_keep_alive(server: Running) -> None:
    """A connection survives errors as long as the end of each request is clear."""
    session = RestClient(server).new_session()
    connection = http.client.HTTPConnection(urlsplit(server.page).netloc, timeout=PATIENCE)
    connection.connect()
    socket = connection.sock
    statuses = []
    for method, path, body in [
        ("POST", f"{session.path}/typing", b'{"is_typing": true}'), ("POST", f"{session.path}/typing", b"{}"),
        ("GET", session.path, None), ("HEAD", session.path, None), ("GET", "/nothing", None), ("POST", "/", None),
        ("GET", f"{session.path}/export", None), ("GET", "/", None),
    ]:  # fmt: skip
        connection.request(method, path, body, {"Content-Type": JSON})
        with connection.getresponse() as response:
            response.read()
            statuses.append(response.status)
        assert connection.sock is socket
    connection.close()

    assert statuses == [204, 400, 200, 200, 404, 405, 200, 200]


# Other origins


def test_other_origins_are_refused(server: Running) -> None:
    """Pages of other origins can neither read nor write anything below /api/."""
    for origin in ("http://evil.example", "null", "", "http://localhost:1", "https://127.0.0.1"):
        for method, path in [("GET", "/api/config"), ("GET", SESSIONS), ("POST", SESSIONS), ("OPTIONS", SESSIONS)]:
            answer = ask(server, path, method, Origin=origin, **{"Access-Control-Request-Method": "POST"})
            assert (answer.status, answer.code) == (403, "origin_refused"), (origin, path)
            assert "Access-Control-Allow-Origin" not in answer.headers
    assert ask(server, SESSIONS).json["sessions"] == []


def test_folded_origin(server: Running) -> None:
    """An Origin header with a line break is never repeated in the response."""
    origin = server.page.rstrip("/") + "\r\n\tx"
    answer = speak(server, request(f"GET {SESSIONS} HTTP/1.1", b"", Origin=origin))

    assert answer.startswith(b"HTTP/1.1 400 ")
    assert b"Access-Control" not in answer


def test_allowed_origins(serve: Serve, model: ModelServer) -> None:
    """Allowed pages can send preflight requests and read all responses, and learn only their own origin."""
    friend = "https://chat.example.com"
    server = serve("--origins", f"{friend},https://other.example", model=model)
    asked = {"Access-Control-Request-Method": "PATCH", "Access-Control-Request-Headers": "content-type"}
    session = RestClient(server).new_session().path
    preflight = ask(server, session, "OPTIONS", Origin=friend, **asked)

    assert (preflight.status, preflight.body) == (204, b"")
    assert "PATCH" in preflight.headers["Access-Control-Allow-Methods"]
    assert "Content-Type" in preflight.headers["Access-Control-Allow-Headers"]
    for path in (session, f"{session}/events", f"{SESSIONS}/x", "/api/nothing"):
        answer = ask(server, path, Origin=friend)
        assert (answer.headers["Access-Control-Allow-Origin"], answer.headers["Vary"]) == (friend, "Origin")
    assert "Access-Control-Allow-Origin" not in ask(server, session).headers
    assert ask(server, session).headers["Vary"] == "Origin"


def test_own_origin(server: Running) -> None:
    """Our own page may write; browsers send its origin too."""
    body = {"agent": "weather"}
    answer = RestClient(server).ask("POST", SESSIONS, body, {"Origin": server.page.rstrip("/")})

    assert answer.status == 201


@pytest.mark.own_server
def test_missing_page(serve: Serve, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """The server doesn't start if a page cannot be read."""
    monkeypatch.setattr("agentchat.installation.PAGE", tmp_path)
    with pytest.raises(SettingsError, match="The page cannot be read"):
        serve("demo")


def test_the_pages_share_their_head(server: Running) -> None:
    """The pages share their head, which is included when the server starts, leaving nothing of the directive."""
    start, style, _ = (ROOT / "website_files" / "templates" / "head.html").read_bytes().partition(b"    <link")
    assert style
    for path in ("/", "/desk"):
        page = ask(server, path).body
        assert page.startswith(b'<!doctype html>\n<html lang="en" dir="ltr"')
        assert b">\n  <head>\n" + start in page
        assert b"include:" not in page
    assert ask(server, "/templates/head.html").status == 404


@pytest.mark.own_server
def test_a_part_of_a_page_that_is_missing(serve: Serve, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """The server doesn't start if a part of a page is missing, and says which one."""
    shutil.copytree(ROOT / "website_files", tmp_path / "website_files")
    (tmp_path / "website_files" / "templates" / "head.html").unlink()
    monkeypatch.setattr("agentchat.installation.PAGE", tmp_path / "website_files")
    with pytest.raises(SettingsError, match=r"^The page cannot be read: .*head\.html.*\.$"):
        serve("demo")


def test_kept_connections_end_with_the_server(serve: Serve) -> None:
    """Idle connections are closed, so that clients reconnect to the next server."""
    server = serve("demo")
    port = urlsplit(server.page).port
    assert port is not None
    with socket.create_connection(("127.0.0.1", port), timeout=PATIENCE) as connection:
        connection.sendall(request("GET /healthz HTTP/1.1"))
        answer = b""
        while not answer.endswith(b'{"status": "ok"}'):
            answer += connection.recv(65536)
        server.close()
        connection.settimeout(PATIENCE)

        assert connection.recv(65536) == b""
