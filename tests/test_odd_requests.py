"""Requests as no browser sends them: each is refused in words, or means exactly one thing."""

from __future__ import annotations

import json
import logging

import pytest

from agentchat.app import Running
from agentchat.http.request_head import MAX_HEAD, MAX_HEADERS
from tests.rest_client import RestClient
from tests.test_http import ask, speak

OK = b"Host: localhost\r\nConnection: close\r\n"


def get(target: bytes, headers: bytes = OK, /, version: bytes = b"HTTP/1.1") -> bytes:
    return b"GET %b %b\r\n%b\r\n" % (target, version, headers)


REFUSED: list[bytes] = [
    # Request lines
    b"GET /healthz\r\n", b"GET /healthz\r\n\r\n", b"GET\r\n\r\n", b"\x00\xff\xfe\r\n\r\n", b"\x16\x03\x01\x02\x00\n",
    b"GET  /healthz HTTP/1.1\r\n" + OK + b"\r\n", b"GET /healthz  HTTP/1.1\r\n" + OK + b"\r\n",
    b"GET\t/healthz\tHTTP/1.1\r\n" + OK + b"\r\n", b" GET /healthz HTTP/1.1\r\n" + OK + b"\r\n",
    b"GET /healthz HTTP/1.1 \r\n" + OK + b"\r\n", b"G\xc3\xa9T /healthz HTTP/1.1\r\n" + OK + b"\r\n",
    get(b"/healthz", version=b"http/1.1"), get(b"/healthz", version=b"HTTP/1.01"),
    get(b"/healthz", version=b"HTTP/2.0"), get(b"/healthz", version=b"HTTP/0.9"), b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
    b"GET /healthz HTTP/1.1\nHost: localhost\n\n", b"GET /healthz HTTP/1.1\r\nHost: localhost\n\n",
    # Addresses
    get(b"/healthz?name=a\rb"), get(b"/healthz?name=a\x00b"), get(b"/healthz?name=a\x1bb"), get(b"/healthz?\x7f"),
    get(b"/healthz?\xc3\xb6"), get(b"/healthz#x"), get(b"healthz"), get(b"*"), get(b"\\healthz"),
    get(b"http://evil.example/healthz"), get(b"http://[/healthz"), get(b"ftp://localhost/healthz"),
    b"CONNECT localhost:80 HTTP/1.1\r\n" + OK + b"\r\n",
    # Headers
    get(b"/healthz", OK + b"X: a\rb\r\n"), get(b"/healthz", OK + b"X: a\x00b\r\n"), get(b"/healthz", OK + b"X : a\r\n"),
    get(b"/healthz", OK + b" X: a\r\n"), get(b"/healthz", OK + b"X\r\n"), get(b"/healthz", OK + b": x\r\n"),
    get(b"/healthz", OK + b"X: a\r\n folded\r\n"), get(b"/healthz", OK + b"X\xc3\xb6: a\r\n"),
    # Hosts
    get(b"/healthz", b""), get(b"/healthz", OK + b"Host: localhost\r\n"), get(b"/healthz", b"Host: a@localhost\r\n"),
    get(b"/healthz", OK + b"host: evil.example\r\n"), get(b"/healthz", b"Host: localhost/evil\r\n"),
    get(b"/healthz", b"Host: localhost:x\r\n"), get(b"/healthz", b"Host: [::1\r\n"),
    get(b"/healthz", b"Host: localhost, localhost\r\n"),
    # Lengths
    *(get(b"/healthz", OK + b"Content-Length: " + length + b"\r\n") for length in (
        b"-1", b"+5", b"5_0", b"", b"0x5", b"5, 5", b"5 5", b"\xb2", b"1e1", b"5.0", b"9" * 5000,
        b"0\r\nContent-Length: 5", b"5\r\nContent-Length: 5",
    )),
    get(b"/healthz", OK + b"Origin: http://localhost\r\nOrigin: http://localhost\r\n"),
]  # fmt: skip

TOO_LARGE = [
    get(b"/healthz", OK + b"X: y\r\n" * (MAX_HEADERS + 1)), get(b"/healthz", OK + b"X: " + b"y" * MAX_HEAD + b"\r\n"),
    b"GET /" + b"x" * MAX_HEAD, b"GET /healthz HTTP/1.1\r\n" + b"X: y\r\n" * MAX_HEAD,
]  # fmt: skip

UNKNOWN = [b"//healthz", b"//evil/healthz", b"/healthz/", b"/./healthz", b"/healthz;x", b"/healthz%00", b"/%68ealthz"]

ANSWERED = [
    get(b"/healthz"), get(b"/healthz", version=b"HTTP/1.0"), get(b"/healthz", version=b"HTTP/1.9"),
    b"\r\n\r\n" + get(b"/healthz"), get(b"http://localhost/healthz?x=1"), get(b"/healthz?x=%0d%00"), get(b"/healthz?"),
    get(b"/healthz", b"hOST: LOCALHOST:80\r\nConnection: x, Close\r\n"), get(b"/healthz", OK + b"X:\ta \xf6\t\r\n"),
    get(b"/healthz", OK + b"Transfer-Encoding: chunked\r\n") + b"0\r\n\r\n", get(b"/healthz", OK + b"Upgrade: x\r\n"),
]  # fmt: skip


def status_of(answer: bytes) -> int:
    return int(answer.split(b" ")[1])


def error_of(answer: bytes) -> str:
    """Return the code of the error in the only response of a connection."""
    assert answer.count(b"HTTP/1.1 ") == 1
    assert b"Connection: close" in answer
    return str(json.loads(answer.partition(b"\r\n\r\n")[2])["error"]["code"])


@pytest.mark.parametrize("request_", REFUSED, ids=range(len(REFUSED)))
def test_requests_with_two_meanings(server: Running, request_: bytes) -> None:
    """They are refused, and nothing that follows on the connection is answered."""
    answer = speak(server, request_, get(b"/healthz"))

    assert (status_of(answer), error_of(answer)) == (400, "bad_request")


@pytest.mark.parametrize("request_", TOO_LARGE, ids=range(len(TOO_LARGE)))
def test_heads_that_are_too_large(server: Running, request_: bytes) -> None:
    answer = speak(server, request_)

    assert (status_of(answer), error_of(answer)) == (431, "head_too_large")


def test_addresses_that_are_almost_right(server: Running) -> None:
    """A path is compared as it is."""
    for target in UNKNOWN:
        assert status_of(speak(server, get(target))) == 404, target


@pytest.mark.parametrize("request_", ANSWERED, ids=range(len(ANSWERED)))
def test_requests_with_one_meaning(server: Running, request_: bytes) -> None:
    assert status_of(speak(server, request_)) == 200


def test_a_head_that_comes_byte_by_byte(server: Running) -> None:
    """Wherever a head is cut into pieces, it is the same request; so are two at once."""
    request = get(b"/healthz?x", b"Host: localhost\r\n")
    assert speak(server, *(request[place : place + 1] for place in range(len(request)))).count(b'"ok"') == 1
    assert speak(server, request * 3).count(b'"ok"') == 3


def test_nothing_is_logged(server: Running, caplog: pytest.LogCaptureFixture) -> None:
    """Mistakes of clients leave nothing in the server's log."""
    with caplog.at_level(logging.INFO):
        for request in (*REFUSED, *TOO_LARGE):
            speak(server, request)
    assert caplog.records == []
    assert ask(server, "/healthz").status == 200
    assert RestClient(server).new_session().get().status == 200
