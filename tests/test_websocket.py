"""The frames a client may and may not send, and who may connect at all."""

from __future__ import annotations

import contextlib
import json
import os
import socket
import threading
from pathlib import Path
from typing import Any

import pytest
from websockets.exceptions import ConnectionClosed, InvalidStatus

from agentchat.app import Running
from agentchat.ws import sending
from agentchat.ws.connection import ClientConnection
from tests.clients import PATIENCE, ChatClient, contents, wait_until
from tests.conftest import Serve
from tests.model_server import ModelServer, Reply
from tests.rest_client import RestClient


def test_connection_confirmed_comes_first(server: Running) -> None:
    """The first frame, connection_confirmed, has all that a client needs to begin."""
    with ChatClient(server.websocket, agent="weather") as client:
        confirmed = client.confirmed()

    assert set(confirmed) >= {
        "session_id", "agent", "last_seq", "status", "recovered", "replaced",
        "open_requests", "queue", "participants", "model", "server",
    }  # fmt: skip
    assert confirmed["model"] == {"name": "scripted", "demo": False, "vision": None}
    assert (confirmed["agent"], confirmed["status"], confirmed["last_seq"]) == ("weather", "idle", 0)


def test_a_handshake_stores_nothing(server: Running, rest: RestClient) -> None:
    """A session is stored and listed once something is said in it; until then it can be left and come back to."""
    listed = rest.get("/api/agent-chat/sessions").json["sessions"]
    with ChatClient(server.websocket) as client:
        id = client.confirmed()["session_id"]
    with ChatClient(server.websocket, session=id) as client:
        confirmed = client.confirmed()
        assert (confirmed["session_id"], confirmed["replaced"]) == (id, None)
        assert rest.get(f"/api/agent-chat/sessions/{id}").json["last_seq"] == 0
        assert rest.get("/api/agent-chat/sessions").json["sessions"] == listed
        client.ask("hello")
        assert rest.get("/api/agent-chat/sessions").json["sessions"][0]["id"] == id
    with ChatClient(server.websocket, session="unknown") as client:
        confirmed = client.confirmed()
        assert confirmed["replaced"] == "unknown"
        assert len(rest.get("/api/agent-chat/sessions").json["sessions"]) == len(listed) + 1
        id = confirmed["session_id"]
        assert rest.ask("DELETE", f"/api/agent-chat/sessions/{id}").status == 204
        assert client.close_code() == 1008


def test_a_message_frame_and_a_plain_one_say_the_same(client: ChatClient) -> None:
    """A message frame and a plain one are equivalent: the envelope is for programs, plain text for people."""
    client.ask("hello")
    client.command("message", text="hello")
    client.until("turn_completed", turn=2)

    first, second = contents(client.log, "user_message")
    assert first["text"] == second["text"] == "hello"


@pytest.mark.parametrize(
    "text",
    ["{}", '{"kind": "stop"}', '{"type": 5}', '[{"type": "stop"}]', '{"type": "stop"', '"quoted"', "  spaced  "],
)
def test_a_text_frame_that_is_no_command_is_a_message(client: ChatClient, text: str) -> None:
    """A text frame that isn't a command is a verbatim message, since people paste JSON, too."""
    client.say(text)

    assert client.until("user_message")["content"]["text"] == text


@pytest.mark.parametrize(
    ("frame", "code"),
    [
        ({"type": "message"}, "bad_frame"),
        ({"type": "message", "content": "hello"}, "bad_frame"),
        ({"type": "message", "content": {"text": 5}}, "bad_frame"),
        ({"type": "message", "content": {"text": "hello", "id": 5}}, "bad_frame"),
        ({"type": "message", "content": {"text": "hello", "id": ""}}, "bad_frame"),
        ({"type": "message", "content": {"text": "hello", "id": "x" * 101}}, "bad_frame"),
        ({"type": "message", "content": {"text": "hello", "id": "\ud800"}}, "bad_frame"),
        ({"type": "message", "content": {"text": "hello", "context": []}}, "bad_frame"),
        ({"type": "message", "content": {"text": "  "}}, "message_empty"),
        ({"type": "message", "content": {"text": "x" * 200_001}}, "message_too_long"),
        ({"type": "stop", "content": {"turn": "now"}}, "bad_frame"),
        ({"type": "feedback", "content": {}}, "bad_frame"),
        ({"type": "feedback", "content": {"seq": 1, "score": True}}, "bad_frame"),
        ({"type": "feedback", "content": {"seq": 1, "score": 2}}, "bad_frame"),
        ({"type": "feedback", "content": {"seq": 1, "score": 1, "comment": 5}}, "bad_frame"),
        ({"type": "feedback", "content": {"seq": 1, "score": 1}}, "answer_unknown"),
        ({"type": "retry", "content": {}}, "nothing_to_retry"),
        ({"type": "edit", "content": {"seq": 1, "text": "hello"}}, "message_unknown"),
        ({"type": "edit", "content": {"seq": -7, "text": "hello"}}, "message_unknown"),
        ({"type": "input_response", "content": {"request_id": "x", "text": ""}}, "request_unknown"),
        ({"type": "message", "content": {"text": "hello", "busy": "maybe"}}, "bad_frame"),
        ({"type": "message", "content": {"text": "hello", "context": {"n": float("nan")}}}, "bad_frame"),
        ({"type": "typing", "content": {"is_typing": 1}}, "bad_frame"),
        ({"type": "rename", "content": {"title": " "}}, "bad_frame"),
        ({"type": "rename", "content": {"title": "x" * 201}}, "bad_frame"),
        ("", "message_empty"),
        ("x" * 1_000_000, "message_too_long"),
        (b"\xff\xfe", "bad_frame"),
    ],
)
def test_a_bad_frame_gets_an_error_and_harms_nothing(client: ChatClient, frame: Any, code: str) -> None:
    """A bad frame gets an error on its own connection, not in the log; the next message is answered."""
    client.socket.send(json.dumps(frame) if isinstance(frame, dict) else frame)
    error = client.until("error")

    assert error["content"]["code"] == code
    assert "seq" not in error
    assert client.ask("still there?")[0]["seq"] == 1


@pytest.mark.parametrize(
    "frame",
    [
        '{"type": "cancel", "turn": 3}',
        '{"type": "", "content": {}}',
        ' {"type": "object", "content": "text"}',
        '{"type": "connection_confirmed", "content": {}}',
    ],
)
def test_an_unknown_command_is_refused(client: ChatClient, model: ModelServer, frame: str) -> None:
    """A command that doesn't exist costs no model call; its sender learns which there are."""
    client.say(frame)
    error = client.until("error")["content"]

    assert error["code"] == "unsupported"
    assert f"'{json.loads(frame)['type']}'" in error["message"]
    assert "message, input_response, stop," in error["message"]
    assert client.ask("still there?")[0]["seq"] == 1
    assert len(model.requests) == 1


def test_an_unknown_command_is_told_within_limits(client: ChatClient) -> None:
    """An error about an unknown command names the message that it was for, and repeats only a line of its type."""
    client.command("mesage\n\u202e" + "x" * 1_000_000, id="q1", text="hello")
    error = client.until("error")["content"]

    assert error["id"] == "q1"
    assert "'mesage x" in error["message"]
    assert len(error["message"]) < 500


def test_the_longest_message_is_answered(client: ChatClient) -> None:
    """The longest message is answered: 200,000 characters of four bytes each."""
    client.command("message", text="🌦" * 200_000)

    assert len(client.until("user_message")["content"]["text"]) == 200_000
    assert client.until("turn_completed")["content"]["status"] == "completed"


def test_a_frame_beyond_all_limits_closes_with_1009(client: ChatClient) -> None:
    """A frame beyond all limits closes the connection with 1009; the session remains."""
    with contextlib.suppress(ConnectionClosed):  # perhaps before all of it is sent
        client.say("x" * 5_000_000)

    assert client.close_code() == 1009


def test_limits_are_settings(serve: Serve) -> None:
    """Connections above the limit of an address are refused in words; when one has gone there is room again."""
    server = serve("demo", "--ws-connections-per-address", "2")
    with ChatClient(server.websocket) as first, ChatClient(server.websocket) as second:
        first.confirmed()
        with pytest.raises(InvalidStatus) as refused:
            ChatClient(server.websocket)
        assert refused.value.response.status_code == 429
        assert b"too many connections at once; the limit is 2" in (refused.value.response.body or b"")
        second.socket.close()
        wait_until(lambda: connects(server))


def connects(server: Running) -> bool:
    """Return True if the server lets another client in."""
    try:
        with ChatClient(server.websocket) as client:
            return bool(client.confirmed())
    except InvalidStatus:
        return False


def test_an_unknown_agent_is_an_error_and_1008(server: Running) -> None:
    """An unknown agent is refused with 1008 and an error that lists the agents."""
    with ChatClient(server.websocket, agent="wether") as client:
        error = client.receive()
        assert (error["type"], error["content"]["code"]) == ("error", "agent_unknown")
        assert "weather" in error["content"]["message"]

        assert client.close_code() == 1008


class TestOrigin:
    """Checks of Origin, without which any web site could talk to a server on localhost."""

    @pytest.mark.parametrize(
        "origin",
        [
            "https://evil.example",
            "http://evil.example:{page}",
            "http://127.0.0.1.evil.example:{page}",
            "http://127.0.0.1:1",
            "https://127.0.0.1:{page}",
            "null",
            "",
            "http://[::1",
            "http://evil@127.0.0.1:{page}",
            "http://evil:x@127.0.0.1:{page}",
            "http://127.0.0.1:{page}/",
            "http://127.0.0.1:{page}/evil",
            "http://127.0.0.1:{page}?evil",
            "http://127.0.0.1:{page}#evil",
            "http://evil.example\\@127.0.0.1:{page}",
            "http://127.0.0.1:{page} http://evil.example",
            "http://127.0.0.1:0{page}",
            "127.0.0.1:{page}",
        ],
    )
    def test_a_foreign_page_is_refused(self, server: Running, origin: str) -> None:
        """A foreign page gets a 403 in the handshake."""
        with pytest.raises(InvalidStatus) as refused:
            ChatClient(server.websocket, origin=origin.format(page=page_port(server)))

        assert refused.value.response.status_code == 403

    @pytest.mark.parametrize("host", ["127.0.0.1", "localhost"])
    def test_our_own_page_is_welcome(self, server: Running, host: str) -> None:
        """Our own page may connect, by either name of this machine."""
        with ChatClient(server.websocket, origin=f"http://{host}:{page_port(server)}") as client:
            assert client.confirmed()

    def test_the_socket_as_origin_is_welcome(self, server: Running) -> None:
        """Some programs (Python's websocket-client) name the address that they connect to, where no pages are."""
        port = socket_port(server)
        with ChatClient(server.websocket, origin=f"http://127.0.0.1:{port}") as client:
            assert client.confirmed()
        assert handshake(port, f"Host: evil.example:{port}", f"Origin: http://evil.example:{port}")[9:12] == b"403"
        assert handshake(port, f"Host: 127.0.0.1:{port}", f"Origin: http://evil.example:{port}")[9:12] == b"403"

    def test_a_page_that_a_setting_names_is_welcome(self, serve: Serve, model: ModelServer) -> None:
        """A page named in the settings may connect, for example behind a proxy."""
        server = serve("--origins", "https://chat.example.com/, https://other.example", model=model)
        for origin in ("https://chat.example.com", "https://other.example"):
            with ChatClient(server.websocket, origin=origin) as client:
                assert client.confirmed()

    def test_a_rebound_name_is_refused(self, server: Running) -> None:
        """DNS rebinding is refused: a foreign name for this machine, in both Host and Origin."""
        page, port = page_port(server), socket_port(server)
        answer = handshake(port, f"Host: evil.example:{port}", f"Origin: http://evil.example:{page}")

        assert answer.startswith(b"HTTP/1.1 403")

    @pytest.mark.parametrize(
        "host",
        [
            "evil@127.0.0.1",
            "127.0.0.1/evil",
            "127.0.0.1, evil.example",
            "127.0.0.1:8080:1",
            "[127.0.0.1]",
            "[::1]x",
            "",
        ],
    )
    def test_a_host_that_is_none_is_refused(self, server: Running, host: str) -> None:
        """A Host header that is more than a host and its port is refused."""
        assert handshake(socket_port(server), f"Host: {host}").startswith(b"HTTP/1.1 403")

    def test_two_origins_are_refused(self, server: Running) -> None:
        """A handshake with two Origin headers is refused, whichever one would be accepted."""
        page, port = page_port(server), socket_port(server)
        answer = handshake(port, f"Host: 127.0.0.1:{port}", f"Origin: http://127.0.0.1:{page}", "Origin: http://x.y")

        assert answer.startswith(b"HTTP/1.1 400")


@pytest.mark.parametrize("name", ["a\rb", "a\x00b", "a\tb", "a\x7fb", "a\x0bb", "\x1b[31m", "né"])
def test_control_characters_in_an_address_are_refused(server: Running, name: str) -> None:
    """An address can only have printable characters; others could forge lines in logs."""
    port = socket_port(server)
    answer = handshake(port, f"Host: 127.0.0.1:{port}", path=f"/?name={name}")
    assert answer.startswith(b"HTTP/1.1 400")


def page_port(server: Running) -> str:
    return server.page.rstrip("/").rpartition(":")[2]


def socket_port(server: Running) -> int:
    return int(server.websocket.rstrip("/").rpartition(":")[2])


def handshake(port: int, *headers: str, path: str = "/") -> bytes:
    """Return the response to a raw handshake with these headers."""
    lines = [
        f"GET {path} HTTP/1.1", "Connection: Upgrade", "Upgrade: websocket", "Sec-WebSocket-Version: 13",
        "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==", *headers, "", "",
    ]  # fmt: skip
    with socket.create_connection(("127.0.0.1", port), timeout=PATIENCE) as connection:
        connection.sendall("\r\n".join(lines).encode())
        return connection.recv(4096)


@pytest.fixture
def small_buffers(monkeypatch: pytest.MonkeyPatch) -> None:
    """Give the server sockets small buffers that fill up soon."""
    original = ClientConnection.__init__

    def narrow(self: ClientConnection, sock: socket.socket, *args: Any) -> None:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 8192)
        original(self, sock, *args)

    monkeypatch.setattr(ClientConnection, "__init__", narrow)


def write_much(reader: ChatClient, model: ModelServer) -> None:
    """Write far more than the buffers of a socket hold."""
    model.script(*[Reply("short")] * 10)
    for number in range(10):
        reader.command("message", text="x" * 100_000, id=str(number))
    reader.until("turn_completed", turn=10)


@pytest.mark.usefixtures("small_buffers")
def test_a_slow_reader_delays_nobody(server: Running, model: ModelServer) -> None:
    """A slow reader delays nobody: others on the session see everything at once, and the slow one later."""
    with ChatClient(server.websocket) as reader:
        session = reader.confirmed()["session_id"]
        with stubborn_client(server, session) as stubborn:
            write_much(reader, model)

            received = b""
            while b'"turn":10,"type":"turn_completed"' not in received[-2000:]:
                received += stubborn.recv(1 << 20)
    assert received.count(b'"type":"user_message"') == 10


@pytest.mark.usefixtures("small_buffers")
def test_a_client_that_never_reads_is_dropped(
    server: Running, model: ModelServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A client that never reads is dropped after a while; its session goes on."""
    monkeypatch.setattr(sending, "STALL_TIMEOUT", 0.2)
    with ChatClient(server.websocket) as reader:
        session = reader.confirmed()["session_id"]
        with stubborn_client(server, session) as stubborn:
            write_much(reader, model)
            while "Stubborn" in [each["name"] for each in contents(reader.frames, "presence")[-1]["participants"]]:
                reader.receive()
            assert is_ended(stubborn)


@contextlib.contextmanager
def stubborn_client(server: Running, session: str) -> Any:
    """Return a client that completes the handshake and then doesn't read, with small buffers."""
    port = socket_port(server)
    with socket.socket() as connection:
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        connection.settimeout(PATIENCE)
        connection.connect(("127.0.0.1", port))
        connection.sendall(
            f"GET /?session={session}&name=Stubborn HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nConnection: Upgrade\r\n"
            "Upgrade: websocket\r\nSec-WebSocket-Version: 13\r\n"
            "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n".encode()
        )
        assert connection.recv(12) == b"HTTP/1.1 101"
        yield connection


def test_a_silent_client_is_asked_and_dropped(serve: Serve, model: ModelServer) -> None:
    """A silent client is pinged: it stays if it answers, and is dropped if its network is gone."""
    server = serve("--ping-interval", "0.1", "--ping-timeout", "1.5", model=model)
    with ChatClient(server.websocket) as alive:
        session = alive.confirmed()["session_id"]
        with stubborn_client(server, session) as silent:
            while silent.recv(65536):  # until the server gives it up
                continue
        assert contents(alive.ask("still here"), "turn_completed")[0]["status"] == "completed"


def is_ended(connection: socket.socket) -> bool:
    """Read what was sent. Returns True once the connection has ended, in whichever way."""
    with contextlib.suppress(ConnectionResetError):
        while connection.recv(1 << 20):
            continue
    return True


def test_the_end_waits_for_no_handshake(serve: Serve) -> None:
    """Clients that connect and say nothing have a while for it, but not when the server ends."""
    server = serve("demo", "--handshake-timeout", str(10 * PATIENCE))
    with socket.create_connection(("127.0.0.1", socket_port(server)), timeout=PATIENCE) as silent:
        silent.sendall(b"GET / HTTP/1.1\r\n")
        closing = threading.Thread(target=server.close, daemon=True)
        closing.start()
        closing.join(PATIENCE)
        assert not closing.is_alive()
        assert is_ended(silent)


def test_everything_is_given_back(server: Running, tmp_path: Path) -> None:
    """Clients that come, ask and go, politely or not, leave no threads or descriptors behind."""

    def visit(rude: bool) -> None:
        with ChatClient(server.websocket) as client:
            client.confirmed()
            client.ask("What is the weather in Oslo?")
            if rude:
                client.cut()

    others = turn_threads() | connection_threads()  # of other tests, such as tools that a stop has left behind
    for _ in range(3):
        visit(rude=False)
    wait_until(lambda: turn_threads() | connection_threads() <= others)
    descriptors = open_descriptors()
    for number in range(40):
        visit(rude=number % 2 == 0)

    wait_until(lambda: turn_threads() | connection_threads() <= others)
    wait_until(lambda: open_descriptors() <= descriptors + 2)  # connections to the model that are kept


def turn_threads() -> set[threading.Thread]:
    """Return the threads of turns, of their tools, and of connections being made to model servers."""
    return {thread for thread in threading.enumerate() if thread.name.startswith(("turn-", "tool-", "connect-"))}


def connection_threads() -> set[threading.Thread]:
    """Return the threads of WebSocket connections in clients; at the server they have none."""
    return {thread for thread in threading.enumerate() if thread.name.endswith(("(recv_events)", "(keepalive)"))}


def open_descriptors() -> int:
    return len(os.listdir("/proc/self/fd"))
