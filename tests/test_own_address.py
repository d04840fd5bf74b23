"""The address under which a client reached the server, by what it and the proxies in front wrote, and what is ours."""

from __future__ import annotations

from email.message import Message

import pytest

from agentchat.auth.proxies import Proxies
from agentchat.net.origins import Origins
from agentchat.net.own_address import OwnAddress, PublicAddress
from agentchat.protocol.errors import ChatError, SettingsError

PROXY, CLIENT = "10.0.0.5", "198.51.100.1"
PROXIES = Proxies([PROXY, "192.168.0.0/24"], public=PublicAddress.of("https://chat.example.com/chat/"))
PLAIN = Proxies([PROXY, "192.168.0.0/24"])
FOR = ("X-Forwarded-For", CLIENT)


def headers(*lines: tuple[str, str], host: str = "127.0.0.1:8001") -> Message:
    message = Message()
    for name, value in (("Host", host), *lines):
        message[name] = value
    return message


@pytest.mark.parametrize(
    ("lines", "client"),
    [
        (["for=198.51.100.1"], CLIENT),
        (['For="198.51.100.1:4711";proto=https;by=10.0.0.5'], CLIENT),
        (["for=198.51.100.1:4711"], CLIENT),
        (["for=1.1.1.1, for=198.51.100.1"], CLIENT),
        (["for=1.1.1.1", "for=198.51.100.1"], CLIENT),
        (["for=198.51.100.1;proto=https , for=192.168.0.7;proto=http"], CLIENT),
        (['for="[2001:db8::1]:80"'], "2001:db8::1"),
        (["for=[2001:db8::1]"], "2001:db8::1"),
        (["for=unknown"], PROXY),
        (["for=_hidden, for=192.168.0.7"], "192.168.0.7"),
        (["proto=https"], PROXY),
        ([""], PROXY),
        ([", ;"], PROXY),
        (['for="198.51.100.1\\\\"'], PROXY),
    ],
)
def test_clients_in_forwarded(lines: list[str], client: str) -> None:
    """`Forwarded` names the client as `X-Forwarded-For` does; from anybody but the proxy it counts nothing."""
    given = headers(*(("Forwarded", line) for line in lines))
    assert PLAIN.address_of(PROXY, given) == client
    assert PLAIN.address_of("203.0.113.9", given) == "203.0.113.9"


@pytest.mark.parametrize(
    "line",
    [
        'for="198.51.100.1',
        'for=", for=198.51.100.1',
        "for",
        "for=1.1.1.1 proto=https",
        "=1",
        'a"b"=c',
        " " * 60_000 + "x",
    ],
)
def test_no_list_of_proxies(line: str) -> None:
    """A header that swallows the proxy's own words behind it is refused."""
    with pytest.raises(ChatError, match="no list of proxies"):
        PLAIN.address_of(PROXY, headers(("Forwarded", line)))
    assert PLAIN.address_of(CLIENT, headers(("Forwarded", line))) == CLIENT


def test_two_clients() -> None:
    """A header of the client's own beside that of the proxy is refused: nobody knows which is which."""
    with pytest.raises(ChatError, match="name different clients"):
        PLAIN.address_of(PROXY, headers(FOR, ("Forwarded", "for=1.1.1.1")))
    assert PLAIN.address_of(PROXY, headers(FOR, ("Forwarded", f"for={CLIENT};proto=https"))) == CLIENT


@pytest.mark.parametrize(
    ("lines", "host", "own"),
    [
        ([], "127.0.0.1:8001", OwnAddress("127.0.0.1:8001")),
        ([("X-Forwarded-Proto", "https")], "127.0.0.1:8001", OwnAddress("127.0.0.1:8001", True)),
        ([("X-Forwarded-Proto", "WSS")], "example.org", OwnAddress("example.org", True)),
        ([("X-Forwarded-Host", "Example.org:9443")], "backend:8001", OwnAddress("example.org:9443")),
        ([("X-Forwarded-Host", "h"), ("X-Forwarded-Port", "9443")], "backend", OwnAddress("h:9443")),
        ([("X-Forwarded-Host", "h:9000"), ("X-Forwarded-Port", "443")], "backend", OwnAddress("h:9000")),
        ([("X-Forwarded-Port", "9443")], "h", OwnAddress("h:9443")),
        ([("X-Forwarded-Port", "9443")], "[::1]", OwnAddress("[::1]:9443")),
        ([("X-Forwarded-Port", "443")], "h", OwnAddress("h")),
        ([("X-Forwarded-Port", "x")], "h", OwnAddress("h")),
        ([("X-Forwarded-Prefix", "/chat/")], "h", OwnAddress("h", False, "/chat")),
        ([("X-Forwarded-Prefix", "/")], "h", OwnAddress("h")),
        ([("Forwarded", 'for=1.1.1.1;host="h:9443";proto=https')], "backend", OwnAddress("h:9443", True)),
        ([("Forwarded", "proto=https"), ("X-Forwarded-Host", "h")], "backend", OwnAddress("h", True)),
        # the client's own words stand further left, those of proxies further in further right
        ([FOR, ("X-Forwarded-Host", "evil.example, h")], "backend", OwnAddress("h")),
        ([FOR, ("X-Forwarded-Proto", "http, https")], "h", OwnAddress("h", True)),
    ],
)
def test_own_addresses(lines: list[tuple[str, str]], host: str, own: OwnAddress) -> None:
    """A trusted proxy tells the address that the client wrote; from anybody else the Host header does."""
    expected = OwnAddress(own.host, own.is_secure, own.prefix, own.is_secure)
    assert PLAIN.own_address(PROXY, headers(*lines, host=host)) == expected
    assert PLAIN.own_address(CLIENT, headers(*lines, host=host)) == OwnAddress(host.lower())


def test_several_proxies() -> None:
    """The first of several trusted proxies saw what the client wrote."""
    given = [("X-Forwarded-For", f"{CLIENT}, 192.168.0.7"), ("X-Forwarded-Proto", "https, http")]
    assert PROXIES.own_address(PROXY, headers(*given, ("X-Forwarded-Host", "a.example, inner"))).host == "a.example"
    assert PROXIES.own_address(PROXY, headers(*given)).is_secure
    standard = ("Forwarded", f"for={CLIENT};host=h, for=192.168.0.7;host=i")
    assert PROXIES.own_address(PROXY, headers(standard)).host == "h"


@pytest.mark.parametrize("prefix", ["chat", "//evil.example", "/a//b", "/..", "/a/../b", "/a;b", "/a b", "/é", "/a, b"])
def test_prefixes_that_are_refused(prefix: str) -> None:
    """A prefix that is not a path, or does not fit into a cookie, is refused."""
    with pytest.raises(ChatError, match="X-Forwarded-Prefix"):
        PLAIN.own_address(PROXY, headers(("X-Forwarded-Prefix", prefix)))


def test_the_public_address() -> None:
    """The public address is where its name is used, and where a trusted proxy forwards from; not on this machine."""
    public = OwnAddress("chat.example.com", True, "/chat", True)
    assert PROXIES.own_address(CLIENT, headers(host="Chat.example.com")) == public
    assert PROXIES.own_address(CLIENT, headers(host="chat.example.com:443")).prefix == "/chat"
    assert PROXIES.own_address(PROXY, headers(FOR)) == OwnAddress("127.0.0.1:8001", False, "/chat", True)
    assert PROXIES.own_address(PROXY, headers()) == OwnAddress("127.0.0.1:8001", False, "", True)
    assert PROXIES.own_address(CLIENT, headers(), "/chat").prefix == "/chat"


@pytest.mark.parametrize(
    "url",
    [
        "chat.example.com", "https://", "ftp://chat.example.com", "https://a:b", "https://a@b", "https://h/a b",
        "https://h/..", "https://h/;Secure", "https://h//a", "/chat",
    ],
)  # fmt: skip
def test_public_addresses_that_cannot_be_used(url: str) -> None:
    """A public URL that is no address of a page is refused at start."""
    with pytest.raises(SettingsError, match="--public-url must be the address of the page"):
        PublicAddress.of(url)


def test_public_addresses() -> None:
    """The usual port goes without saying, and so does a slash at the end."""
    assert PublicAddress.of("HTTPS://Chat.example.com:443/") == PublicAddress("chat.example.com", True)
    assert PublicAddress.of("http://h:8001/a/b").origin == "http://h:8001"
    assert PublicAddress.of(" ") == PublicAddress()


ORIGINS = Origins(
    8001, "127.0.0.1", frozenset({"https://friend.example"}), 8080, PublicAddress.of("https://chat.example/c")
)


@pytest.mark.parametrize(
    ("own", "origin"),
    [
        ("127.0.0.1:8001", "http://127.0.0.1:8001"),
        ("localhost:8001", "http://127.0.0.1:8001"),
        ("127.0.0.1:8080", "http://127.0.0.1:8001"),
        ("127.0.0.1:18001", "http://127.0.0.1:18001"),  # a mapped port
        ("127.0.0.1:18001", "https://127.0.0.1:18001"),  # behind TLS of somebody who says nothing
        ("192.168.0.9", "http://192.168.0.9"),
        ("192.168.0.9", "https://192.168.0.9"),
        ("[fd00::1]:9000", "http://[fd00::1]:9000"),
        ("chat.example", "https://chat.example"),
        ("chat.example:9443", "https://chat.example:9443"),
        ("chat.example:443", "https://chat.example"),
        ("127.0.0.1:8001", "https://chat.example"),
        ("127.0.0.1:8001", "https://friend.example"),
    ],
)
def test_origins_that_are_ours(own: str, origin: str) -> None:
    """The origin of the address that the client wrote is ours, whatever port is mapped to us."""
    ORIGINS.check(OwnAddress(own), origin)


@pytest.mark.parametrize(
    ("own", "origin"),
    [
        ("127.0.0.1:18001", "http://127.0.0.1:18002"),
        ("127.0.0.1:8001", "https://127.0.0.1:8001"),
        ("127.0.0.1:18001", "ftp://127.0.0.1:18001"),
        ("127.0.0.1:18001", "http://127.0.0.1:18001/"),
        ("127.0.0.1:18001", "//127.0.0.1:18001"),
        ("127.0.0.1:18001", ""),
        ("127.0.0.1:18001", "null"),
        ("127.0.0.1:80", "http://127.0.0.1:443"),
        ("chat.example", "http://evil.example"),
    ],
)
def test_origins_that_are_not(own: str, origin: str) -> None:
    """Another port, or anything that is no origin, is a foreign page."""
    with pytest.raises(ChatError, match="may not talk"):
        ORIGINS.check(OwnAddress(own), origin)


def test_plain_pages_of_an_address_with_tls() -> None:
    """Where people come over TLS, a page without it is somebody else's."""
    ORIGINS.check(OwnAddress("chat.example", True), "https://chat.example")
    with pytest.raises(ChatError, match="may not talk"):
        ORIGINS.check(OwnAddress("chat.example", True), "http://chat.example")


@pytest.mark.parametrize("host", ["evil.example:8001", "", "127.0.0.1.evil.example", "chat.example.evil"])
def test_names_that_are_not_ours(host: str) -> None:
    """A name that nobody has given to this server is refused, even by a page of that name: it may be rebound."""
    for origin in (None, f"http://{host}"):
        with pytest.raises(ChatError, match="not known as"):
            ORIGINS.check(OwnAddress(host), origin)
