"""The server's own TLS: the page and the WebSocket over it, and clients that do it badly, slowly or not at all."""

from __future__ import annotations

import contextlib
import os
import socket
import ssl
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from playwright.sync_api import Browser, expect
from websockets.exceptions import InvalidStatus
from websockets.sync.client import connect

from agentchat import cli
from agentchat.app import Running
from agentchat.net.tls import TlsSocket
from tests import certificates
from tests.certificates import Pair, trust
from tests.clients import PATIENCE, ChatClient, contents, wait_until
from tests.conftest import Serve
from tests.model_server import ModelServer
from tests.pages import say, turn
from tests.receivers import HANDSHAKE, frame, received, receiving
from tests.rest_client import RestClient
from tests.test_sse import request_threads

pytest_plugins = ["tests.browser"]

MIB = 2**20
HEALTH = b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n"
LAST = HEALTH.replace(b"\r\n\r\n", b"\r\nConnection: close\r\n\r\n")

Connect = Callable[..., ssl.SSLSocket]


@pytest.fixture(scope="session")
def pair(tmp_path_factory: pytest.TempPathFactory) -> Pair:
    return certificates.write(tmp_path_factory.mktemp("certificate"))


@pytest.fixture
def secure(serve: Serve, model: ModelServer, pair: Pair) -> Running:
    """Start a server that speaks TLS."""
    return serve(*pair.options, model=model)


@pytest.fixture
def impatient(serve: Serve, model: ModelServer, pair: Pair) -> Running:
    """Start one that waits half a second for a request or a handshake."""
    return serve("--request-timeout", "0.5", "--handshake-timeout", "0.5", *pair.options, model=model)


@pytest.fixture
def raw() -> Iterator[Callable[[str], socket.socket]]:
    """Open TCP connections to an address."""
    with contextlib.ExitStack() as stack:
        yield lambda address: stack.enter_context(tcp(address))


@pytest.fixture
def tls() -> Iterator[Connect]:
    """Open TLS connections to an address."""
    with contextlib.ExitStack() as stack:

        def open_(address: str, context: ssl.SSLContext | None = None) -> ssl.SSLSocket:
            wrap = (context or trust()).wrap_socket
            return stack.enter_context(wrap(tcp(address), server_hostname="127.0.0.1", suppress_ragged_eofs=False))

        yield open_


def tcp(address: str) -> socket.socket:
    return socket.create_connection(("127.0.0.1", urlsplit(address).port or 0), timeout=PATIENCE)


def hello() -> tuple[ssl.SSLObject, ssl.MemoryBIO, bytes]:
    """Return a client that has begun a handshake, what it will read from, and what it says first."""
    there, back = ssl.MemoryBIO(), ssl.MemoryBIO()
    client = trust().wrap_bio(back, there, server_hostname="127.0.0.1")
    with contextlib.suppress(ssl.SSLWantReadError):
        client.do_handshake()
    return client, back, there.read()


def own_port(server: Running) -> str:
    """Return the address of WebSockets on the page's port."""
    return f"{server.page.replace('https:', 'wss:')}ws"


def both(server: Running) -> tuple[str, str]:
    return server.page, server.websocket


# What it is for


def test_a_conversation(secure: Running) -> None:
    """A WebSocket, REST and an event stream are what they are without TLS, at addresses that say https and wss."""
    assert [urlsplit(address).scheme for address in both(secure)] == ["https", "wss"]
    session = RestClient(secure).new_session()
    with contextlib.ExitStack() as stack:
        stream = stack.enter_context(session.stream())
        addresses = (secure.websocket, own_port(secure))
        clients = [stack.enter_context(ChatClient(address, session=session.id)) for address in addresses]
        for client in clients:
            client.confirmed()
            assert contents(client.ask("hello"), "turn_completed")[0]["status"] == "completed"
        stream.until("turn_completed")
        stream.until("turn_completed")
        clients[0].until("turn_completed")
        assert stream.log == clients[0].log
    assert session.ask("hello again")["status"] == "completed"
    assert RestClient(secure).get("/healthz").status == 200


def test_what_browsers_are_told(secure: Running) -> None:
    """Cookies, policies and origins are those of a server that is reached over TLS only."""
    rest = RestClient(secure)
    answer = rest.get("/")
    assert "Secure" in (answer.headers["Set-Cookie"] or "").split("; ")
    assert answer.headers["Strict-Transport-Security"] == "max-age=31536000"
    assert rest.ask("GET", "/", headers={"Host": "localhost"}).headers["Strict-Transport-Security"] is None
    for address, status in {secure.page: 201, secure.page.replace("https:", "http:"): 403}.items():
        origin = {"Origin": address.rstrip("/")}
        assert rest.ask("POST", "/api/agent-chat/sessions", {}, origin).status == status
    with ChatClient(secure.websocket, origin=secure.page.rstrip("/")) as client:
        client.confirmed()
    foreign = secure.page.replace("https:", "http:").rstrip("/")
    with pytest.raises(InvalidStatus), connect(secure.websocket, ssl=trust(), additional_headers={"Origin": foreign}):
        pass


def test_a_plain_server_promises_nothing(serve: Serve, model: ModelServer) -> None:
    server = serve(model=model)
    answer = RestClient(server).get("/")
    assert answer.headers["Strict-Transport-Security"] is None
    assert "Secure" not in answer.headers["Set-Cookie"].split("; ")


def test_behind_a_proxy_with_tls(serve: Serve, model: ModelServer) -> None:
    """With a public address over TLS, what browsers are told is that of the proxy's TLS."""
    server = serve("--public-url", "https://chat.example.com", "--no-auth", model=model)
    answer = RestClient(server).ask("GET", "/", headers={"Host": "chat.example.com"})
    assert answer.headers["Strict-Transport-Security"] == "max-age=31536000"
    answer = RestClient(server).ask("GET", "/", headers={"Host": "localhost"})
    assert answer.headers["Strict-Transport-Security"] is None


def test_files(secure: Running) -> None:
    """Large uploads and downloads arrive whole."""
    session = RestClient(secure).new_session()
    content = os.urandom(8 * MIB + 1)
    assert session.client.ask("PUT", f"{session.path}/files/large", content).status == 201
    assert session.get("/files/large").body == content


def test_in_a_browser(secure: Running, browser: Browser) -> None:
    """The page works in Chromium, whose sockets are then secure ones."""
    with contextlib.closing(browser.new_context(ignore_https_errors=True)) as context:
        page = context.new_page()
        sockets: list[str] = []
        page.on("websocket", lambda socket: sockets.append(socket.url))
        page.goto(secure.page)
        say(page, "hello")
        expect(turn(page, 1)).to_have_attribute("data-state", "completed", timeout=PATIENCE * 1000)
        assert {urlsplit(address).scheme for address in sockets} == {"wss"}


def test_a_new_agent(secure: Running, pair: Pair, capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    """The command `new` finds a server of this machine by its certificate, whatever name that is for."""
    (tmp_path / "others").mkdir()
    options = ["--port", str(urlsplit(secure.page).port), "--agents", str(tmp_path / "others"), *pair.options]
    assert cli.main(["new", "mine", *options]) == 0
    assert f"The server at {secure.page} has another agents folder" in capsys.readouterr().out


# Versions and protocols


@pytest.mark.filterwarnings("ignore:ssl.TLSVersion")
def test_versions(secure: Running, tls: Connect) -> None:
    """TLS 1.2 and 1.3 are spoken, and nothing older."""
    for version in (ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3):
        context = ssl.create_default_context()
        certificates.authority().configure_trust(context)
        context.minimum_version = context.maximum_version = version
        for address in both(secure):
            assert tls(address, context).version() == version.name.replace("_", ".")
    old = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    old.check_hostname, old.verify_mode = False, ssl.CERT_NONE
    old.set_ciphers("ALL:@SECLEVEL=0")
    old.minimum_version, old.maximum_version = ssl.TLSVersion.TLSv1, ssl.TLSVersion.TLSv1_1
    for address in both(secure):
        with pytest.raises(ssl.SSLError, match="ALERT_PROTOCOL_VERSION"):
            tls(address, old)


def test_http_to_a_port_with_tls(secure: Running, raw: Callable[[str], socket.socket]) -> None:
    """Clients that forget the s of https or wss are told so, and nothing that they sent is read as a request."""
    for address in both(secure):
        for request in (HEALTH, b"POST / HTTP/1.1\r\nContent-Length: 3\r\n\r\nabc", b"hello"):
            connection = raw(address)
            connection.sendall(request)
            head, _, body = received(connection).partition(b"\r\n\r\n")
            assert head.startswith(b"HTTP/1.1 400 Bad Request\r\n")
            assert b"speaks https" in body
    with pytest.raises(InvalidStatus) as refused, connect(secure.websocket.replace("wss:", "ws:")):
        pass
    assert refused.value.response.status_code == 400


def test_tls_to_a_port_without(server: Running, tls: Connect, caplog: pytest.LogCaptureFixture) -> None:
    """Clients that say https to a server without TLS are refused at once."""
    for address in both(server):
        with pytest.raises(ssl.SSLError):
            tls(address)
        connection = tcp(address)
        connection.sendall(hello()[2])
        assert b"400 Bad Request" in received(connection).partition(b"\r\n")[0]
    assert caplog.records == []


def test_nonsense(secure: Running, raw: Callable[[str], socket.socket], caplog: pytest.LogCaptureFixture) -> None:
    """Whatever isn't TLS ends a connection, without a word in the log."""
    almost = hello()[2][:50] + bytes(900)
    for address in both(secure):
        for nonsense in (b"\x80\x2e\x01", bytes(100), b"\x16\x03\x01\xff\xff" + bytes(70_000), almost):
            connection = raw(address)
            with contextlib.suppress(OSError):  # ended already
                connection.sendall(nonsense)
                connection.shutdown(socket.SHUT_WR)
            assert received(connection)[:1] in {b"", b"\x15"}  # an alert
    assert [record for record in caplog.records if record.levelname != "INFO"] == []


# Records and requests do not begin and end together


def test_requests_in_one_record(secure: Running, tls: Connect) -> None:
    """Requests that are decrypted together are answered one after another, also behind a body."""
    session = RestClient(secure).new_session()
    put = f"PUT {session.path}/files/a HTTP/1.1\r\nHost: localhost\r\nContent-Length: 5\r\n\r\nhello".encode()
    connection = tls(secure.page)
    connection.sendall(HEALTH + put + HEALTH + put + LAST)
    answer = until_the_end(connection)
    assert [answer.count(part) for part in (b"HTTP/1.1 20", b'"ok"')] == [5, 3]
    connection = tls(secure.page)
    connection.sendall(put[:-2])
    time.sleep(0.05)  # so that the body is waited for, and the rest comes in a record with the next request
    connection.sendall(put[-2:] + LAST)
    assert until_the_end(connection).count(b"HTTP/1.1 20") == 2


def test_a_request_during_another(secure: Running, tls: Connect) -> None:
    """A request that comes while another one waits for agents is answered behind it."""
    session = RestClient(secure).new_session()
    body = b'{"text": "hello"}'
    post = f"POST {session.path}/messages?wait=60 HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
    connection = tls(secure.page)
    connection.sendall(post.encode() + b"Content-Length: %d\r\n\r\n%b" % (len(body), body))
    connection.sendall(LAST)
    answer = until_the_end(connection)
    assert answer.count(b"HTTP/1.1 200 ") == 2
    assert answer.endswith(b'{"status": "ok"}')


def test_long_heads_and_many_records(secure: Running, tls: Connect) -> None:
    """A head larger than what is read at once, and one in many records, are understood at once."""
    filler = b"".join(b"X-%d: %b\r\n" % (number, b"x" * 300) for number in range(40))
    for address, head in ((secure.page, LAST), (secure.websocket, HANDSHAKE.replace(b": test", b": localhost"))):
        connection = tls(address)
        connection.sendall(head[:-2] + filler + b"\r\n")
        assert connection.recv(9) == b"HTTP/1.1 "
        connection = tls(address)
        for place in range(len(head)):
            connection.sendall(head[place : place + 1])
        assert connection.recv(9) == b"HTTP/1.1 "


def test_the_end_of_a_response(secure: Running, tls: Connect) -> None:
    """The end is said in TLS (close_notify), so that nobody can cut a response short."""
    connection = tls(secure.page)
    connection.sendall(LAST)
    assert b"200 OK" in until_the_end(connection)
    client = tls(secure.websocket)
    client.sendall(HANDSHAKE.replace(b": test", b": localhost") + frame(8, b"\x03\xe8"))
    assert until_the_end(client).endswith(b"\x88\x02\x03\xe8")


def test_a_connection_that_is_cut_off() -> None:
    """A client that is cut off is not told that this is the regular end."""
    with receiving("tls") as server, server.open() as client:
        server.opened.get(timeout=PATIENCE).abort()
        with pytest.raises(ssl.SSLEOFError):
            until_the_end(client)


def until_the_end(connection: socket.socket) -> bytes:
    """Return everything up to close_notify; an end without it is an error."""
    data = b""
    while piece := connection.recv(65536):
        data += piece
    return data


@pytest.mark.parametrize("begun", [b"", HEALTH[:-2], HEALTH])
def test_clients_that_say_goodbye(secure: Running, raw: Callable[[str], socket.socket], begun: bytes) -> None:
    """A client that ends TLS, but not the connection below, is let go."""
    for address in both(secure):
        connection = raw(address)
        client, _, there = shaken(connection)
        client.write(begun) if begun else None
        with contextlib.suppress(ssl.SSLWantReadError):
            client.unwrap()
        connection.sendall(there.read())
        while connection.recv(65536):
            continue


def shaken(connection: socket.socket) -> tuple[ssl.SSLObject, ssl.MemoryBIO, ssl.MemoryBIO]:
    """Shake hands over a connection, and return the client with what it reads and writes."""
    there, back = ssl.MemoryBIO(), ssl.MemoryBIO()
    client = trust().wrap_bio(back, there, server_hostname="127.0.0.1")
    while True:
        try:
            client.do_handshake()
            connection.sendall(there.read())
            return client, back, there
        except ssl.SSLWantReadError:
            connection.sendall(there.read())
            back.write(connection.recv(65536))


# Limits


@pytest.mark.parametrize("begins", [False, True])
def test_slow_handshakes(impatient: Running, raw: Callable[[str], socket.socket], begins: bool) -> None:
    """A handshake that does not come, or comes a byte at a time, is ended in time, and costs no thread."""
    first = hello()[2] if begins else b""
    before = threading.active_count()
    connections = [raw(address) for address in both(impatient) * 10]
    start = time.monotonic()
    for byte in first:
        for connection in connections:
            with contextlib.suppress(OSError):  # ended
                connection.sendall(bytes([byte]))
        if time.monotonic() - start > 2:
            break
        time.sleep(0.02)
    assert threading.active_count() - before <= 2
    for connection in connections:
        received(connection)
    assert time.monotonic() - start < PATIENCE / 2


def test_a_slow_record(impatient: Running, raw: Callable[[str], socket.socket]) -> None:
    """A body whose record comes a byte at a time has no more time than one that doesn't come."""
    session = RestClient(impatient).new_session()
    connection = raw(impatient.page)
    client, back, there = shaken(connection)
    client.write(f"PUT {session.path}/files/a HTTP/1.1\r\nHost: localhost\r\nContent-Length: 9999\r\n\r\n".encode())
    connection.sendall(there.read())
    client.write(bytes(9999))
    start = time.monotonic()
    connection.settimeout(0.02)
    for byte in there.read():
        with contextlib.suppress(TimeoutError):
            back.write(connection.recv(65536))
            break
        connection.sendall(bytes([byte]))
    assert time.monotonic() - start < PATIENCE / 2
    assert client.read(65536).startswith(b"HTTP/1.1 408 ")


def test_who_does_not_read(impatient: Running, tls: Connect) -> None:
    """A client that does not read a file is dropped, though its thread waits for it to take a whole record."""
    session = RestClient(impatient).new_session()
    assert session.client.ask("PUT", f"{session.path}/files/a", bytes(16 * MIB)).status == 201
    lazy = tls(impatient.page)
    lazy.sendall(f"GET {session.path}/files/a HTTP/1.1\r\nHost: localhost\r\n\r\n".encode())
    assert lazy.recv(9) == b"HTTP/1.1 "
    wait_until(lambda: request_threads() == 0)
    assert len(received(lazy)) < 16 * MIB


def test_handshakes_that_are_left_in_the_middle(impatient: Running, raw: Callable[[str], socket.socket]) -> None:
    """A client that says hello and no more, or is silent behind the handshake, is let go."""
    half, silent = ([raw(address) for address in both(impatient)] for _ in range(2))
    for connection in half:
        connection.sendall(hello()[2])
    for connection in silent:
        shaken(connection)
    for connection in (*half, *silent):
        received(connection)


def test_idle_connections(secure: Running) -> None:
    """Two hundred idle connections cost no threads, and a few MiB."""
    with contextlib.ExitStack() as stack:
        before = threading.active_count(), resident()
        for number in range(200):
            connection = tcp(both(secure)[number % 2])
            client = stack.enter_context(trust().wrap_socket(connection, server_hostname="127.0.0.1"))
            client.sendall(HEALTH if number % 2 == 0 else HANDSHAKE.replace(b": test", b": localhost"))
            assert client.recv(9) == b"HTTP/1.1 "
        wait_until(lambda: threading.active_count() - before[0] <= 8)
        assert resident() - before[1] < 200 * 2 * 128 * 1024  # with both ends in this process
        assert RestClient(secure).get("/healthz").status == 200


def resident() -> int:
    """Return the bytes of memory that this process uses."""
    return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGESIZE")


def test_hang_up_during_a_stream(secure: Running) -> None:
    """The thread of a stream ends as soon as its client hangs up."""
    session = RestClient(secure).new_session()
    with session.stream() as stream:
        stream.receive()
        wait_until(lambda: request_threads() == 1)
        stream.cut()
        wait_until(lambda: request_threads() == 0)


def test_renegotiation(secure: Running) -> None:
    """Nobody can make the server begin TLS 1.2 again and again, which costs it more than its client."""
    with s_client(secure, "-tls1_2", b"R\n") as client:
        assert b"no renegotiation" in client.communicate(timeout=PATIENCE)[0]


def test_new_keys(secure: Running) -> None:
    """A client of TLS 1.3 may change its keys and have ours changed, and goes on."""
    with s_client(secure, "-tls1_3", b"K\n") as client:
        assert client.stdin is not None
        assert client.stdout is not None
        while b"KEYUPDATE" not in client.stdout.readline():
            continue
        client.stdin.write(LAST)
        client.stdin.flush()
        assert b"200 OK" in client.stdout.read()


@contextlib.contextmanager
def s_client(server: Running, version: str, typed: bytes) -> Iterator[subprocess.Popen[bytes]]:
    """Run OpenSSL's own client, for which some letters are commands."""
    command = ["openssl", "s_client", "-connect", urlsplit(server.page).netloc, version, "-quiet", "-no_ign_eof"]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.STDOUT) as client:
        assert client.stdin is not None
        client.stdin.write(typed)
        client.stdin.flush()
        yield client
        client.kill()


# Files that change


@pytest.mark.own_server
def test_a_new_certificate(serve: Serve, model: ModelServer, tmp_path: Path, tls: Connect) -> None:
    """New connections are shown the new certificate, and those that are open go on."""
    pair = certificates.write(tmp_path)
    server = serve(*pair.options, model=model)
    with ChatClient(server.websocket) as client:
        client.confirmed()
        shown = [tls(address).getpeercert() for address in both(server)]
        certificates.write(tmp_path)
        for address, old in zip(both(server), shown, strict=True):
            assert tls(address).getpeercert() != old
        assert contents(client.ask("hello"), "turn_completed")[0]["status"] == "completed"


# The socket


def test_nothing_goes_around_tls() -> None:
    """Every method of a socket that moves bytes is ours."""
    moving = {name for name in dir(socket.socket) if name.startswith(("recv", "send", "makefile", "dup"))}
    assert moving - set(vars(TlsSocket)) == set()
