"""The headers of proxies, and who is believed about them."""

from __future__ import annotations

from email.message import Message

import pytest
from websockets.datastructures import Headers

from agentchat import settings
from agentchat.auth import proxies
from agentchat.auth.proxies import Proxies
from agentchat.protocol.errors import ChatError, SettingsError

NETWORKS = ["10.0.0.5", "192.168.0.0/24", "fd00::/8", "::1", "::ffff:172.16.0.0/108"]
TRUSTED = Proxies(NETWORKS, "X-Forwarded-User")


def headers(*lines: tuple[str, str]) -> Message:
    """The headers of a request, as the page's port has them."""
    message = Message()
    for name, value in lines:
        message[name] = value
    return message


@pytest.mark.parametrize(
    ("peer", "is_trusted"),
    [
        ("10.0.0.5", True),
        ("10.0.0.6", False),
        ("192.168.0.255", True),
        ("192.168.1.0", False),
        ("::ffff:10.0.0.5", True),
        ("::ffff:10.0.0.6", False),
        ("::FFFF:c0a8:0001", True),
        ("172.16.1.2", True),
        ("::ffff:172.31.255.255", True),
        ("172.32.0.0", False),
        ("fd12::1", True),
        ("fd12::1%eth0", True),
        ("fe80::1%eth0", False),
        ("::1", True),
        ("127.0.0.1", False),
        ("::10.0.0.5", False),
        ("10.0.0.5:80", False),
        ("010.0.0.5", False),
        ("localhost", False),
        ("", False),
    ],
)
def test_who_is_believed(peer: str, is_trusted: bool) -> None:
    """Only a connection from a named address is believed, in whichever way the address is written."""
    assert TRUSTED.is_trusted(peer) is is_trusted
    assert TRUSTED.user_of(peer, headers(("x-forwarded-USER", "maria"))) == ("maria" if is_trusted else None)


@pytest.mark.parametrize(
    ("value", "user"),
    [
        ("maria", "maria"),
        (" maria\t", "maria"),
        ("Maria.S+chat@example.com", "Maria.S+chat@example.com"),
        ("CORP\\maria", "CORP\\maria"),
        ("google-oauth2|1234", "google-oauth2|1234"),
        ("x" * 100, "x" * 100),
        ("", None),
        ("  ", None),
    ],
)
def test_users(value: str, user: str | None) -> None:
    """A proxy names the user, or nobody."""
    assert TRUSTED.user_of("10.0.0.5", headers(("X-Forwarded-User", value))) == user


UNUSABLE = ["a,b", "a, b", "a b", "a\tb", "a\x00", "a\nb", "a\x7f", "mar\xeda", "<b>", "a;b", 'a"', "-a", "a\u202e"]
UNUSABLE += ["x" * 101]


@pytest.mark.parametrize("value", UNUSABLE)
def test_users_that_are_refused(value: str) -> None:
    """A value that is no name, or could be two, is refused from a proxy; from anybody else it is nothing at all."""
    with pytest.raises(ChatError, match="is not a user's name") as error:
        TRUSTED.user_of("10.0.0.5", headers(("X-Forwarded-User", value)))
    assert error.value.code == "bad_request"
    assert TRUSTED.user_of("10.0.0.6", headers(("X-Forwarded-User", value))) is None


def test_a_header_given_twice() -> None:
    """A proxy that adds its header to that of a client is refused, on both ports."""
    twice = [("X-Forwarded-User", "maria"), ("x-forwarded-user", "admin")]
    for given in (headers(*twice), Headers(twice)):
        with pytest.raises(ChatError, match="given twice"):
            TRUSTED.user_of("10.0.0.5", given)
        assert TRUSTED.user_of("10.0.0.6", given) is None


def test_other_headers() -> None:
    """Only the header of the setting counts; names that a gateway would take for the same do not."""
    other = [("X-Remote-User", "maria"), ("X_Forwarded_User", "maria")]
    for given in (headers(*other), Headers(other), Headers()):
        assert TRUSTED.user_of("10.0.0.5", given) is None
    assert Proxies(NETWORKS).user_of("10.0.0.5", headers(("", "maria"), ("X-Forwarded-User", "maria"))) is None


@pytest.mark.parametrize(
    ("peer", "forwarded", "address"),
    [
        ("203.0.113.9", ["198.51.100.1"], "203.0.113.9"),
        ("10.0.0.5", [], "10.0.0.5"),
        ("10.0.0.5", ["198.51.100.1"], "198.51.100.1"),
        ("::ffff:10.0.0.5", ["198.51.100.1"], "198.51.100.1"),
        ("10.0.0.5", ["1.1.1.1, 198.51.100.1"], "198.51.100.1"),
        ("10.0.0.5", ["1.1.1.1", "198.51.100.1"], "198.51.100.1"),
        ("10.0.0.5", ["1.1.1.1,198.51.100.1, 192.168.0.7 , fd00::1"], "198.51.100.1"),
        ("10.0.0.5", ["192.168.0.7, 192.168.0.8"], "192.168.0.7"),
        ("10.0.0.5", ["198.51.100.1, ::ffff:192.168.0.8"], "198.51.100.1"),
        ("10.0.0.5", ["::ffff:198.51.100.1"], "198.51.100.1"),
        ("10.0.0.5", ["2001:db8::1"], "2001:db8::1"),
        ("10.0.0.5", ["[2001:db8::1]:4711"], "2001:db8::1"),
        ("10.0.0.5", ["[2001:db8::1]"], "2001:db8::1"),
        ("10.0.0.5", ["198.51.100.1:4711"], "198.51.100.1"),
        ("10.0.0.5", ["unknown"], "10.0.0.5"),
        ("10.0.0.5", [""], "10.0.0.5"),
        ("10.0.0.5", ["1.1.1.1, _hidden, 192.168.0.7"], "192.168.0.7"),
        ("10.0.0.5", ["1.1.1.1, 192.168.0.7,"], "10.0.0.5"),
        ("10.0.0.5", ["<b>"], "10.0.0.5"),
        ("10.0.0.5", [",".join(["1.1.1.1"] + ["192.168.0.7"] * 9999)], "192.168.0.7"),
        ("", ["198.51.100.1"], ""),
        ("fe80::1%eth0", ["198.51.100.1"], "fe80::1%eth0"),
    ],
)
def test_addresses(peer: str, forwarded: list[str], address: str) -> None:
    """Behind proxies, the client is the last address that is no proxy's; what a client itself claims counts nothing."""
    lines = [("X-Forwarded-For", value) for value in forwarded]
    assert TRUSTED.address_of(peer, headers(*lines)) == address
    assert TRUSTED.address_of(peer, Headers(lines)) == address
    assert Proxies().address_of(peer, headers(*lines)) == peer


@pytest.mark.parametrize(
    ("networks", "header", "sentence"),
    [
        ("proxy.example", "", "must be addresses and networks"),
        ("10.0.0.5/8", "", "has host bits set"),
        ("10.0.0.5;10.0.0.6", "", "must be addresses and networks"),
        ("0.0.0.0/0", "", "is every address there is"),
        ("::/0", "", "is every address there is"),
        ("::ffff:0:0/96", "", "is every address there is"),
        ("", "X-Forwarded-User", "Name the proxy that sets it in --trusted-proxies"),
        ("10.0.0.5", "X Forwarded", "must name a header"),
        ("10.0.0.5", "X-User: maria", "must name a header"),
    ],
)
def test_settings_that_cannot_be_used(networks: str, header: str, sentence: str) -> None:
    """Settings that are wrong, or would let anybody be anybody, are refused at start."""
    given = settings.load(["--trusted-proxies", networks, "--auth-header", header], {})
    with pytest.raises(SettingsError, match=sentence):
        proxies.configured(given)


def test_settings() -> None:
    """The settings name proxies and a header; without them there are none."""
    assert not proxies.configured(settings.load([], {}))
    given = {"AGENTCHAT_TRUSTED_PROXIES": "10.0.0.5, fd00::/8", "AGENTCHAT_AUTH_HEADER": "Remote-User"}
    configured = proxies.configured(settings.load([], given))
    assert configured
    assert configured.user_of("fd00::1", headers(("Remote-User", "maria"))) == "maria"
