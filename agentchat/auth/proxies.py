"""The proxies in front of the server that are believed: who somebody is, where they come from, what they asked for.

Anybody can send a header. What one says counts only if the connection comes from an address that a setting names.
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

from agentchat.auth import forwarded
from agentchat.auth.forwarded import FORWARDED, FORWARDED_FOR, Headers, Hop
from agentchat.net.own_address import OwnAddress, PublicAddress, is_prefix, with_port
from agentchat.protocol.errors import ChatError, SettingsError

if TYPE_CHECKING:
    from agentchat.settings import Settings

SECURE = {"https": True, "wss": True, "http": False, "ws": False}
OF_PROXIES = (FORWARDED_FOR, FORWARDED, "X-Forwarded-Host", "X-Real-IP", "Via")
"""The headers by which a proxy can be noticed that nobody trusts."""

Address = ipaddress.IPv4Address | ipaddress.IPv6Address
Network = ipaddress.IPv4Network | ipaddress.IPv6Network

_HEADER = re.compile(r"[A-Za-z0-9-]{1,100}")
# No comma, which is how two headers become one, no space, and nothing that is code in a page or a terminal.
_USER = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.@+|\\/:=~$-]{0,99}")
_WITH_PORT = re.compile(r"\[(?P<v6>[^\]]*)\](:\d{1,5})?|(?P<v4>[\d.]+):\d{1,5}", re.ASCII)


class Proxies:
    """The addresses of trusted proxies, the header in which they name the user, and the server's public address."""

    def __init__(
        self,
        networks: Iterable[str] = (),
        header: str = "",
        public: PublicAddress | None = None,
        *,
        has_tls: bool = False,
    ) -> None:
        """`has_tls` is true for a server that speaks TLS itself.

        Raises SettingsError if an address or the header cannot be used.
        """
        self.header = header.strip()
        self.public = public or PublicAddress()
        self._has_tls = has_tls
        self._networks = tuple(_network(each.strip()) for each in networks if each.strip())
        if self.header and not _HEADER.fullmatch(self.header):
            raise SettingsError(f"--auth-header must name a header, such as X-Forwarded-User, not {header!r}.")
        if self.header and not self._networks:
            raise SettingsError(
                f"--auth-header {self.header} says who somebody is, so it must not be believed from everybody. "
                "Name the proxy that sets it in --trusted-proxies."
            )

    def __bool__(self) -> bool:
        return bool(self._networks)

    @property
    def promises_tls(self) -> bool:
        """True if the settings say that people come over TLS, to the server itself or to its public address."""
        return self._has_tls or self.public.is_secure

    def is_trusted(self, peer: str) -> bool:
        """Return True if a connection from that address comes from a proxy that a setting names."""
        address = _address(peer)
        return address is not None and self._has(address)

    def user_of(self, peer: str, headers: Headers) -> str | None:
        """Return the user that a trusted proxy names; None without a name, or from any other address.

        Raises ChatError if the proxy names several users, or something that cannot be a name.
        """
        if not self.header or not self.is_trusted(peer):
            return None
        values = list(headers.get_all(self.header) or [])
        if len(values) > 1:
            raise ChatError("bad_request", problem=f"its {self.header} is given twice")
        user = values[0].strip(" \t") if values else ""
        if user and not _USER.fullmatch(user):
            raise ChatError(
                "bad_request",
                problem=f"its {self.header} is not a user's name of at most 100 letters, digits and ._@+-|\\/:=~$",
            )
        return user or None

    def address_of(self, peer: str, headers: Headers) -> str:
        """Return the address that a request comes from: behind trusted proxies, the one they forwarded it for.

        Each proxy appends the address it was called from, so the last one that isn't a trusted proxy is the client;
        what stands before it is the client's own invention. Raises ChatError if it is named in two ways that differ.
        """
        client = self._seen(peer, headers)[0]
        return peer if client is None else str(client)

    def holder_of(self, peer: str) -> str:
        """Return the address that a connection counts for until it has sent a request.

        That is "" for a trusted proxy, who holds connections for others.
        """
        return "" if self.is_trusted(peer) else peer

    def own_address(self, peer: str, headers: Headers, prefix: str = "") -> OwnAddress:
        """Return the address under which the client of a request reached this server.

        `prefix` is the beginning of the path that it asked for, if that is not the server's own. Raises ChatError for
        headers of a proxy that cannot be understood, or name different clients.
        """
        seen = self._seen(peer, headers)[1]
        hosts = headers.get_all("Host") or [""]
        host = with_port((seen.host or hosts[0]).lower(), seen.port)
        is_secure = SECURE.get(seen.scheme, self._has_tls)
        if not is_prefix(seen.prefix.rstrip("/")):
            raise ChatError("bad_request", problem="its X-Forwarded-Prefix is no path")
        is_public = self.public.is_meant_by(host)
        prefix = prefix or seen.prefix.rstrip("/")
        if not prefix and (is_public or seen != Hop()):
            prefix = self.public.prefix
        is_secure = is_secure or (is_public and self.public.is_secure)
        return OwnAddress(host, is_secure, prefix, has_secure_cookies=is_secure or self.public.is_secure)

    def _seen(self, peer: str, headers: Headers) -> tuple[Address | None, Hop]:
        """Return the client behind trusted proxies, if the peer is one, and the request as the first of them got it."""
        client = _address(peer)
        if client is None or not self._has(client):
            return None, Hop()
        told = [hops for hops in (forwarded.customary(headers), forwarded.standard(headers)) if hops]
        found = [self._walk(client, hops) for hops in told]
        clients = {found[at][0] for at, hops in enumerate(told) if any(hop.client for hop in hops)}
        if len(clients) > 1:
            raise ChatError(
                "bad_request",
                problem=f"its {FORWARDED} and {FORWARDED_FOR} name different clients: "
                "let the proxy set one of them and remove the other",
            )
        return next(iter(clients), client), forwarded.merged(hop for _, hop in found)

    def _walk(self, peer: Address, hops: Sequence[Hop]) -> tuple[Address, Hop]:
        client, seen = peer, hops[-1]
        for hop in reversed(hops):
            address = _address(_without_port(hop.client))
            if address is None:
                break
            client, seen = address, hop
            if not self._has(client):
                break
        return client, seen

    def is_local(self, peer: str, headers: Headers) -> bool:
        """Return True if a request comes from this machine, and not through a proxy on it for somebody else."""
        addresses = [_address(peer), _address(self.address_of(peer, headers))]
        if not all(address is not None and address.is_loopback for address in addresses):
            return False
        if self.is_trusted(peer):
            return any(headers.get_all(name) for name in (FORWARDED_FOR, FORWARDED))
        return not any(headers.get_all(name) for name in OF_PROXIES)

    def _has(self, address: Address) -> bool:
        return any(address in network for network in self._networks)


def _address(text: str) -> Address | None:
    """Return an address without its zone; one of IPv4 that is written as IPv6 is of IPv4."""
    try:
        address = ipaddress.ip_address(text.partition("%")[0])
    except ValueError:
        return None
    return getattr(address, "ipv4_mapped", None) or address


def _network(text: str) -> Network:
    try:
        network = ipaddress.ip_network(text)
    except ValueError as error:
        raise SettingsError(
            f"--trusted-proxies must be addresses and networks, such as 10.0.0.5,fd00::/8, not {text!r} ({error})."
        ) from error
    mapped = getattr(network.network_address, "ipv4_mapped", None)
    if mapped is not None and network.prefixlen >= 96:
        network = ipaddress.ip_network((mapped, network.prefixlen - 96))
    if network.prefixlen == 0:
        raise SettingsError(f"--trusted-proxies {text} is every address there is. Name those of the proxies only.")
    return network


def _without_port(hop: str) -> str:
    found = _WITH_PORT.fullmatch(hop)
    return (found["v6"] or found["v4"] or "") if found else hop


def configured(settings: Settings) -> Proxies:
    """Return the proxies that the settings name. Raises SettingsError."""
    public = PublicAddress.of(settings.public_url)
    networks, has_tls = settings.trusted_proxies.split(","), settings.scheme == "https"
    return Proxies(networks, settings.auth_header, public, has_tls=has_tls)
