"""Listening sockets: ports that cannot be had."""

from __future__ import annotations

import socket

import pytest

from agentchat.net.listener import Ports, listening
from agentchat.protocol.errors import SettingsError


@pytest.mark.parametrize(
    ("host", "port", "sentence"),
    [
        ("192.0.2.1", 0, r"Cannot listen on 192\.0\.2\.1:0: Cannot assign requested address\."),
        ("127.0.0.1", 65536, "65536 is not a port: ports go from 0 to 65535."),
        ("127.0.0.1", -1, "-1 is not a port: ports go from 0 to 65535."),
    ],
)
def test_addresses_that_cannot_be_had(host: str, port: int, sentence: str) -> None:
    """An address that cannot be bound is an error of one sentence."""
    with pytest.raises(SettingsError, match=sentence):
        listening(host, port)


def test_a_port_in_use() -> None:
    """A port in use is an error that says what to do."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(SettingsError, match=f"Port {port} is in use. Stop what uses it, or choose another port"):
            listening("127.0.0.1", port)


def test_ports_are_given_back() -> None:
    """If the second port is taken, the first is released."""
    with socket.create_server(("127.0.0.1", 0)) as taken, socket.create_server(("127.0.0.1", 0)) as chosen:
        free, port = chosen.getsockname()[1], taken.getsockname()[1]
        chosen.close()
        with pytest.raises(SettingsError, match=f"Port {port} is in use"):
            Ports("127.0.0.1", free, port)
        socket.create_server(("127.0.0.1", free)).close()


@pytest.mark.parametrize(
    ("page", "websocket", "host"),
    [
        ("127.0.0.1", "127.0.0.1", "127.0.0.1"),
        ("127.0.0.1", "0.0.0.0", "0.0.0.0"),
        ("::", "127.0.0.1", "::"),
        ("127.0.0.1", "", "127.0.0.1"),
        ("0.0.0.0", "", "0.0.0.0"),
    ],
)
def test_the_address_of_sockets_that_are_passed(page: str, websocket: str, host: str) -> None:
    """The widest address of the sockets that are passed counts: people have to log in if others can reach one."""
    passed = {
        name: socket.create_server((address, 0), family=socket.AF_INET6 if ":" in address else socket.AF_INET)
        for name, address in (("page", page), ("websocket", websocket))
        if address
    }
    with Ports("localhost", 0, 0, passed) as ports:
        assert ports.host == host
        assert ports.page is passed["page"]
