"""Legal and illegal frames, as in Autobahn's test suite (`make autobahn` runs all of that)."""

from __future__ import annotations

import contextlib
import socket
from collections.abc import Iterator

import pytest

from agentchat.ws.sending import Deliverer
from tests.receivers import Receiving, echo, frame, received, receiving

CONT, TEXT, BINARY, CLOSE, PING, PONG = 0, 1, 2, 8, 9, 10
RSV1, RSV2, RSV3 = 0x40, 0x20, 0x10

CUT = 20  # bytes that are sent one by one

GREEK = "κόσμε".encode()
INVALID = b"\xce\xba\xe1\xbd\xb9\xcf\x83\xce\xbc\xce\xb5\xed\xa0\x80edited"  # a surrogate
BIG = bytes(range(256)) * 1000


def closing(code: int, reason: bytes = b"") -> bytes:
    return frame(CLOSE, code.to_bytes(2, "big") + reason)


def part(opcode: int, payload: bytes) -> bytes:
    return frame(opcode, payload, fin=False)


# The frames that are sent, and those that come back.
LEGAL: dict[str, tuple[bytes, list[tuple[int, bytes]]]] = {
    "empty text": (frame(TEXT, b""), [(TEXT, b"")]),
    "empty binary": (frame(BINARY, b""), [(BINARY, b"")]),
    "125 bytes": (frame(TEXT, b"*" * 125), [(TEXT, b"*" * 125)]),
    "126 bytes": (frame(TEXT, b"*" * 126), [(TEXT, b"*" * 126)]),
    "65,535 bytes": (frame(BINARY, b"\xfe" * 65535), [(BINARY, b"\xfe" * 65535)]),
    "65,536 bytes": (frame(BINARY, b"\xfe" * 65536), [(BINARY, b"\xfe" * 65536)]),
    "binary of all bytes": (frame(BINARY, BIG), [(BINARY, BIG)]),
    "ping": (frame(PING, b""), [(PONG, b"")]),
    "ping with a payload": (frame(PING, b"\x00\xff\xfe\xfd"), [(PONG, b"\x00\xff\xfe\xfd")]),
    "ping of 125 bytes": (frame(PING, b"\xfe" * 125), [(PONG, b"\xfe" * 125)]),
    "pong that nobody asked for": (frame(PONG, b"unsolicited") + frame(PING, b"1"), [(PONG, b"1")]),
    "ten pings": (b"".join(frame(PING, b"%d" % n) for n in range(10)), [(PONG, b"%d" % n) for n in range(10)]),
    "two fragments": (part(TEXT, b"fragment1") + frame(CONT, b"fragment2"), [(TEXT, b"fragment1fragment2")]),
    "ping amid fragments": (part(TEXT, b"a") + frame(PING, b"p") + frame(CONT, b"b"), [(PONG, b"p"), (TEXT, b"ab")]),
    "pong amid fragments": (part(TEXT, b"a") + frame(PONG, b"1") + frame(CONT, b"b"), [(TEXT, b"ab")]),
    "empty fragments": (part(TEXT, b"") + part(CONT, b"") + frame(CONT, b""), [(TEXT, b"")]),
    "an empty last fragment": (part(BINARY, b"a") + part(CONT, b"b") + frame(CONT, b""), [(BINARY, b"ab")]),
    "a fragment per byte": (part(TEXT, b"") + part(CONT, b"x") * 500 + frame(CONT, b"!"), [(TEXT, b"x" * 500 + b"!")]),
    "text beyond ASCII": (frame(TEXT, GREEK), [(TEXT, GREEK)]),
    "a character cut by fragments": (part(TEXT, GREEK[:3]) + frame(CONT, GREEK[3:]), [(TEXT, GREEK)]),
    "the last character": (frame(TEXT, b"\xf4\x8f\xbf\xbf"), [(TEXT, b"\xf4\x8f\xbf\xbf")]),
    "no character": (frame(TEXT, b"\xef\xbf\xbf"), [(TEXT, b"\xef\xbf\xbf")]),
    "bytes that are no text": (frame(BINARY, INVALID), [(BINARY, INVALID)]),
}  # fmt: skip
# The frames that are sent, and the code of the close frame that comes back.
ILLEGAL: dict[str, tuple[bytes, int]] = {
    "ping of 126 bytes": (frame(PING, b"\xfe" * 126), 1002),
    "fragmented ping": (part(PING, b"a") + frame(CONT, b"b"), 1002),
    "fragmented close": (part(CLOSE, b"\x03\xe8"), 1002),
    "first reserved bit": (frame(TEXT | RSV1, b"a"), 1002),
    "second reserved bit": (frame(PING | RSV2, b"a"), 1002),
    "third reserved bit": (frame(CLOSE | RSV3, b""), 1002),
    "reserved opcode 3": (frame(3, b""), 1002),
    "reserved opcode 7": (frame(7, b"a"), 1002),
    "reserved opcode 11": (frame(11, b""), 1002),
    "reserved opcode 15": (frame(15, b"a"), 1002),
    "no mask": (b"\x81\x01a", 1002),
    "continuation of nothing": (frame(CONT, b"a"), 1002),
    "message amid fragments": (part(TEXT, b"a") + frame(TEXT, b"b"), 1002),
    "surrogate": (frame(TEXT, INVALID), 1007),
    "surrogate in a fragment": (part(TEXT, INVALID[:10]) + frame(CONT, INVALID[10:]), 1007),
    "too long a form": (frame(TEXT, b"\xc0\xaf"), 1007),
    "beyond the last character": (frame(TEXT, b"\xf4\x90\x80\x80"), 1007),
    "half a character at the end": (frame(TEXT, GREEK[:-1]), 1007),
    "close of one byte": (frame(CLOSE, b"\x03"), 1002),
    "close of 126 bytes": (closing(1000, b"*" * 124), 1002),
    "close with a reason that is no text": (closing(1000, INVALID), 1007),
    "close code 0": (closing(0), 1002),
    "close code 999": (closing(999), 1002),
    "close code 1004": (closing(1004), 1002),
    "close code 1005": (closing(1005), 1002),
    "close code 1006": (closing(1006), 1002),
    "close code 1016": (closing(1016), 1002),
    "close code 2999": (closing(2999), 1002),
    "close code 65535": (closing(65535), 1002),
    "a length above any limit": (b"\x82\xff" + (2**62).to_bytes(8, "big") + bytes(4), 1009),
}  # fmt: skip


@pytest.fixture(scope="module")
def server() -> Iterator[Receiving]:
    """Send clients what they send."""
    with Deliverer() as deliverer, receiving() as server:
        server.receiver.begin = lambda connection: echo(connection, deliverer)
        yield server


@pytest.mark.parametrize("is_cut", [False, True])
@pytest.mark.parametrize("name", LEGAL)
def test_legal_frames(server: Receiving, name: str, is_cut: bool) -> None:
    """Whole messages and pings come back, also if the frames arrive byte by byte; then the connection ends cleanly."""
    sent, expected = LEGAL[name]
    answer = b"".join(frame(opcode, payload, mask=False) for opcode, payload in expected)
    with server.open() as client:
        send(client, sent, is_cut)
        assert client.makefile("rb").read(len(answer)) == answer
        client.sendall(closing(1000))
        assert received(client) == b"\x88\x02\x03\xe8"


@pytest.mark.parametrize("is_cut", [False, True])
@pytest.mark.parametrize("name", ILLEGAL)
def test_illegal_frames(server: Receiving, name: str, is_cut: bool) -> None:
    """The connection is ended with the code for what is wrong."""
    sent, code = ILLEGAL[name]
    with server.open() as client:
        send(client, sent, is_cut)
        answer = received(client)
    assert (answer[0], answer[2:4]) == (0x88, code.to_bytes(2, "big"))


@pytest.mark.parametrize("code", [1000, 1001, 1003, 1007, 1011, 1014, 3000, 4999])
def test_legal_close_codes(server: Receiving, code: int) -> None:
    """A close frame is answered with its own code, and ends the connection."""
    with server.open() as client:
        client.sendall(closing(code, b"*" * 123))
        assert received(client)[2:4] == code.to_bytes(2, "big")


def test_a_close_frame_without_a_code(server: Receiving) -> None:
    """A close frame may be empty; so is the answer."""
    with server.open() as client:
        client.sendall(frame(CLOSE, b"") + frame(PING, b"too late"))
        assert received(client) == b"\x88\x00"


def send(client: socket.socket, data: bytes, is_cut: bool) -> None:
    """Send something, the beginning of it byte by byte if `is_cut`."""
    cut = CUT if is_cut else 0
    with contextlib.suppress(BrokenPipeError, ConnectionResetError):  # closed before all was sent
        for byte in data[:cut]:
            client.sendall(bytes([byte]))
        client.sendall(data[cut:])
