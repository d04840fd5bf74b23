"""The WebSocket on the page's port, and the limits of clients behind a proxy, on both ports."""

from __future__ import annotations

import contextlib
import http.client
import json
import socket
from collections.abc import Callable, Iterator
from urllib.parse import urlsplit

import pytest
import websocket  # the package websocket-client
from websockets.exceptions import InvalidStatus
from websockets.sync.client import connect as connect_socket

from agentchat.app import Running
from agentchat.auth.accounts import Accounts
from tests.clients import PATIENCE, ChatClient, contents, wait_until
from tests.conftest import Serve
from tests.mapped_port import mapped
from tests.model_server import ModelServer
from tests.rest_client import SESSIONS, RestClient

MASK = b"\x00\x00\x00\x00"
KEY = "dGhlIHNhbXBsZSBub25jZQ=="
UPGRADE = {"Connection": "Upgrade", "Upgrade": "websocket", "Sec-WebSocket-Version": "13", "Sec-WebSocket-Key": KEY}
PASSWORD = "correct horse battery"

Raw = Callable[..., socket.socket]


def beside_page(server: Running) -> str:
    """Return the address of the WebSocket on the page's port."""
    return server.page.replace("http:", "ws:") + "ws"


def port_of(address: str) -> int:
    port = urlsplit(address).port
    assert port is not None
    return port


@pytest.fixture
def raw() -> Iterator[Raw]:
    """Open connections to a port of this machine, which close at the end."""
    with contextlib.ExitStack() as stack:
        yield lambda port: stack.enter_context(socket.create_connection(("127.0.0.1", port), PATIENCE))


def head(path: str = "/ws", method: str = "GET", version: str = "1.1", **headers: str) -> bytes:
    """Return the head of a request for a WebSocket, with these headers instead of the usual ones, or without."""
    given = {"Host": "localhost", **UPGRADE, **{name.replace("_", "-"): value for name, value in headers.items()}}
    lines = [f"{name}: {value}" for name, value in given.items() if value]
    return "\r\n".join([f"{method} {path} HTTP/{version}", *lines, "", ""]).encode()


def frame(text: str) -> bytes:
    """Return a short text frame of a client."""
    return bytes([0x81, 0x80 | len(text)]) + MASK + text.encode()


def read(connection: socket.socket, end: bytes) -> bytes:
    """Receive up to some bytes."""
    received = b""
    while end not in received:
        data = connection.recv(4096)
        assert data, received
        received += data
    return received


def response(connection: socket.socket) -> tuple[int, bytes]:
    """Receive a whole response."""
    answer = http.client.HTTPResponse(connection)
    answer.begin()
    return answer.status, answer.read()


def test_a_conversation(server: Running) -> None:
    """Both addresses lead into the same conversation."""
    with ChatClient(beside_page(server), agent="weather") as one:
        session = one.confirmed()["session_id"]
        assert contents(one.ask("Oslo?"), "turn_completed")[0]["status"] == "completed"
        with ChatClient(server.websocket, session=session) as other:
            assert other.confirmed()["last_seq"] == one.frames[-1]["seq"]
            other.until("turn_completed")
            one.ask("And Bergen?")
            other.until("turn_completed", turn=2)


def test_nothing_is_lost(server: Running, raw: Raw) -> None:
    """Frames that come with the handshake, in one piece or byte by byte, are carried out."""
    for pieces in (1, 0):
        connection = raw(port_of(server.page))
        data = head("/ws?agent=weather") + frame("first") + frame("second")
        for piece in [data] if pieces else [data[at : at + 1] for at in range(len(data))]:
            connection.sendall(piece)
        received = read(connection, b'"second"')
        assert received.startswith(b"HTTP/1.1 101 ")
        assert received.index(b'"first"') < received.index(b'"second"')


def test_after_other_requests(server: Running, raw: Raw) -> None:
    """A kept connection can become a WebSocket, also when the client doesn't wait for the answers before."""
    connection = raw(port_of(server.page))
    connection.sendall(b"GET /readyz HTTP/1.1\r\nHost: localhost\r\n\r\n" * 2 + head() + frame("hello"))
    received = read(connection, b'"hello"')
    assert received.count(b"HTTP/1.1 200 ") == 2
    assert received.index(b"HTTP/1.1 101 ") > received.rindex(b"HTTP/1.1 200 ")


@pytest.mark.parametrize(
    ("given", "status", "words"),
    [
        (head(Connection="", Upgrade=""), 426, b"does not ask for one"),
        (head(Connection="keep-alive"), 426, b"must pass the headers Upgrade and Connection on"),
        (head(Upgrade="h2c"), 426, b"upgrade_needed"),
        (head(version="1.0"), 426, b"over HTTP/1.1"),
        (head(method="POST"), 405, b"method_not_allowed"),
        (head("/ws/"), 404, b"not_found"),
        (head("/"), 200, b"<title>"),
        (head("/api/config"), 200, b"ws_port"),
        (head(Host="evil.example"), 403, b"not known as evil.example"),
        (head(Origin="http://evil.example"), 403, b"Pages from http://evil.example"),
        (head(Sec_WebSocket_Version="8"), 426, b"speaks version 13"),
        (head(Sec_WebSocket_Key=""), 400, b"Sec-WebSocket-Key"),
        (head(X_Long="x" * 9000), 431, b"expected no more than 8192 bytes"),
        (head(X_Long="x" * 70_000), 431, b"head_too_large"),
        (head().replace(b"\r\n", b"\n"), 400, b"bad_request"),
    ],
)
def test_what_is_refused(server: Running, raw: Raw, given: bytes, status: int, words: bytes) -> None:
    """Whatever is no handshake is answered in words, and a handshake that is refused, as on the other port."""
    connection = raw(port_of(server.page))
    connection.sendall(given)
    answered, body = response(connection)
    assert (answered, words in body) == (status, True), body


def test_a_plain_request_learns_what_to_do(rest: RestClient) -> None:
    """The refusal names the protocol, as RFC 9110 wants it."""
    answer = rest.get("/ws")
    assert (answer.status, answer.code, answer.headers["Upgrade"]) == (426, "upgrade_needed", "websocket")


def test_admission(serve: Serve, model: ModelServer) -> None:
    """WebSockets on the page's port count with those of the other port, and not as connections to the page."""
    limits = ("--ws-connections-per-address", "3", "--http-connections-per-address", "2")
    server = serve(*limits, model=model)
    with contextlib.ExitStack() as stack:
        clients = [stack.enter_context(ChatClient(beside_page(server))) for _ in range(2)]
        clients.append(stack.enter_context(ChatClient(server.websocket)))
        for client in clients:
            client.confirmed()
        for address in (beside_page(server), server.websocket):
            with pytest.raises(InvalidStatus) as refused:
                ChatClient(address)
            assert refused.value.response.status_code == 429
            assert b"too many connections at once; the limit is 3" in refused.value.response.body
        assert RestClient(server).get("/readyz").status == 200
        assert clients[0].ask("hello")


def client_of_pypi(address: str) -> None:
    """Talk through the most used WebSocket client of Python, with its defaults."""
    client = websocket.create_connection(address, timeout=PATIENCE)
    assert json.loads(client.recv())["type"] == "connection_confirmed"
    client.send("hello")
    while json.loads(client.recv())["type"] != "turn_completed":
        continue
    client.close()


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost"])
def test_websocket_client(server: Running, host: str) -> None:
    """`websocket-client` names the address that it connects to as its origin: on both ports, and on mapped ones."""
    for path, port in (("ws", port_of(server.page)), ("", port_of(server.websocket))):
        client_of_pypi(f"ws://{host}:{port}/{path}")
        with mapped(port) as outer:
            client_of_pypi(f"ws://{host}:{outer}/{path}")


# Behind a proxy


@pytest.fixture
def behind(serve: Serve, model: ModelServer) -> Running:
    """Start a server that believes the proxies on this machine, with low limits for each client."""
    limits = {
        "ws-connections-per-address": 2, "ws-handshakes-per-address": 2, "http-connections-per-address": 2,
        "http-streams-per-address": 2, "request-timeout": PATIENCE, "handshake-timeout": PATIENCE,
    }  # fmt: skip
    options = [text for name, limit in limits.items() for text in (f"--{name}", str(limit))]
    return serve("--no-auth", "--trusted-proxies", "127.0.0.1", *options, model=model)


def test_websockets_behind_a_proxy(behind: Running, raw: Raw) -> None:
    """The proxy may open as many as it likes; each client behind it has its own limit, whatever it writes itself."""
    for address in (beside_page(behind), behind.websocket):
        waiting = [raw(port_of(address)) for _ in range(10)]
        with contextlib.ExitStack() as stack:

            def open_for(client: str, address: str = address, stack: contextlib.ExitStack = stack) -> None:
                headers = {"X-Forwarded-For": f"1.1.1.1, {client}"}
                stack.enter_context(connect_socket(address, additional_headers=headers, open_timeout=PATIENCE))

            for client in ("198.51.100.1", "198.51.100.2", "2001:db8::1", "198.51.100.1"):
                open_for(client)
            with pytest.raises(InvalidStatus) as refused:
                open_for("198.51.100.1")
            assert refused.value.response.status_code == 429
            open_for("198.51.100.3")
        for connection in waiting:
            connection.close()


def test_streams_behind_a_proxy(behind: Running, raw: Raw) -> None:
    """Connections, and streams, count for the client for as long as its request is answered."""
    session = RestClient(behind).new_session()
    waiting = [raw(port_of(behind.page)) for _ in range(10)]

    def follow(client: str) -> socket.socket:
        connection = raw(port_of(behind.page))
        lines = f"Host: localhost\r\nAccept: text/event-stream\r\nForwarded: for={client}\r\n\r\n"
        connection.sendall(f"GET {session.path}/events HTTP/1.1\r\n{lines}".encode())
        return connection

    for client in ("198.51.100.1", "198.51.100.2", "198.51.100.1", "198.51.100.2"):
        assert b" 200 OK" in read(follow(client), b"connection_confirmed")
    assert response(follow("198.51.100.1"))[0] == 429
    assert b" 200 OK" in read(follow("198.51.100.3"), b"connection_confirmed")
    for connection in waiting:  # those of the proxy were dropped for nobody
        for number in range(3):  # and one after another they serve more clients than one may have connections
            connection.sendall(f"GET /readyz HTTP/1.1\r\nHost: h\r\nX-Forwarded-Host: localhost\r\n"
                               f"X-Forwarded-For: 203.0.113.{number}\r\n\r\n".encode())  # fmt: skip
            assert read(connection, b'"ready"}').startswith(b"HTTP/1.1 200 ")


def test_what_others_write(behind: Running) -> None:
    """Headers of proxies that cannot be understood are refused on both ports; of others they count nothing."""
    two = {"X-Forwarded-For": "198.51.100.1", "Forwarded": "for=198.51.100.2"}
    assert RestClient(behind).ask("GET", "/readyz", headers=two).code == "bad_request"
    for address in (beside_page(behind), behind.websocket):
        with pytest.raises(InvalidStatus) as refused, connect_socket(address, additional_headers=two):
            pass
        assert refused.value.response.status_code == 400
    with pytest.raises(InvalidStatus) as refused:
        connect_socket(behind.websocket, additional_headers={"X-Forwarded-Host": "evil.example"})
    assert refused.value.response.status_code == 403


# Below a path


@pytest.mark.own_server
def test_below_a_path(serve: Serve, accounts: Accounts) -> None:
    """With a public address that has a path, all is there as well, and cookies belong to it."""
    accounts.add("ada", PASSWORD, "Ada")
    server = serve("demo", "--public-url", "https://chat.example.com/a/b/")
    rest = RestClient(server)
    public = {"Host": "chat.example.com", "Origin": "https://chat.example.com"}

    def answer(method: str, path: str, body: object = None, **headers: str) -> tuple[int, str, str]:
        given = rest.ask(method, path, body, headers)
        cookie = given.headers.get("Set-Cookie") or ""
        attributes = "; ".join(part for part in cookie.split("; ") if part.startswith(("Path", "Secure")))
        return given.status, given.headers.get("Location") or "", attributes

    secure = "Path=/a/b/; Secure"
    assert answer("GET", "/a/b", Host="chat.example.com") == (308, "./b/", "")
    assert answer("GET", "/a/b?session=x", Host="chat.example.com") == (308, "./b/?session=x", "")
    assert answer("GET", "/a/b/", Host="chat.example.com") == (303, "login?back=", "")
    assert answer("GET", "/a/b/desk", Host="chat.example.com") == (303, "login?back=desk", "")
    assert answer("GET", "/a/b/login", Host="chat.example.com") == (200, "", secure)
    assert answer("GET", "/a/b/login", Host="127.0.0.1") == (200, "", secure)
    assert answer("GET", "/login", Host="chat.example.com") == (200, "", secure)  # a proxy has cut it off
    assert answer("GET", "/login", Host="127.0.0.1") == (200, "", "Path=/; Secure")
    assert answer("GET", "/a/b/static/js/chat.js") == (200, "", "")
    for path in ("/a/b/a/b/", "/a/bb/", "/a/b//", "/a", "/b/", "/a/b/nothing"):
        assert answer("GET", path)[0] == 404
    login = {"login": "ada", "password": PASSWORD}
    entered = rest.ask("POST", "/a/b/api/agent-chat/login", login, public)
    cookie, _, attributes = str(entered.headers["Set-Cookie"]).partition("; ")
    assert attributes.startswith("Path=/a/b/; ")
    for cookies in (f"agentchat_login=other; {cookie}", f"{cookie}; agentchat_login=other"):
        assert answer("GET", SESSIONS, Cookie=cookies)[0] == 200  # the other is of a server below another path
    assert answer("POST", "/a/b/api/agent-chat/logout", {}, **public) == (204, "", secure)
    assert answer("GET", f"/a/b{SESSIONS}", **public)[0] == 401

    token = accounts.add_token(accounts.by_login("ada").id, "ci", "write")[0]  # type: ignore[union-attr]
    address = beside_page(server).replace("/ws", "/a/b/ws")
    with connect_socket(address, additional_headers={"Authorization": f"Bearer {token}"}) as client:
        assert json.loads(client.recv(PATIENCE))["type"] == "connection_confirmed"


def test_closing(serve: Serve, model: ModelServer) -> None:
    """Clients on the page's port are told that the server goes away, too."""
    server = serve("--model-calls", "29", model=model)  # one of its own
    with ChatClient(beside_page(server)) as client:
        client.confirmed()
        server.close()
        assert client.close_code() == 1001
    wait_until(lambda: not client.socket.recv_events_thread.is_alive())
