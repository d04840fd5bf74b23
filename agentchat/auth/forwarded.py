"""The words of proxies about the requests that they forward: `Forwarded` (RFC 7239) and `X-Forwarded-*`.

Nothing here decides whether they are believed.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Any, Protocol

from agentchat.protocol.errors import ChatError

FORWARDED = "Forwarded"
FORWARDED_FOR = "X-Forwarded-For"
MAX_HOPS = 50

_NAME = r"[!#$%&'*+.^_`|~0-9A-Za-z-]+"
# Addresses with a port should be quoted, and often are not.
_PAIR = re.compile(rf'[ \t]*(?:({_NAME})=(?:([^\s",;]+)|"((?:[^"\\]|\\.)*)")[ \t]*)?([,;]|\Z)')


class Headers(Protocol):
    """The headers of a request: those of `email.message` on the page's port, of `websockets` on the other."""

    def get_all(self, name: str, /) -> Any:
        """Return the values of each header of that name; None or [] without one."""


@dataclass(frozen=True)
class Hop:
    """The request as one proxy got it; "" for what it does not tell."""

    client: str = ""
    """The address that the proxy was called from, perhaps with a port."""
    scheme: str = ""
    host: str = ""
    port: str = ""
    prefix: str = ""
    """The beginning of the path that the proxy took away."""


def standard(headers: Headers) -> list[Hop]:
    """Return the hops that `Forwarded` lists, the nearest proxy's last. Raises ChatError for what is no such list."""
    return [
        Hop(pairs.get("for", ""), pairs.get("proto", "").lower(), pairs.get("host", ""))
        for line in headers.get_all(FORWARDED) or []
        for pairs in _elements(line)
    ][-MAX_HOPS:]


def customary(headers: Headers) -> list[Hop]:
    """Return the hops that `X-Forwarded-*` list, the nearest proxy's last.

    Proxies append to these lists, replace them, or leave them alone; a list that is shorter than that of the clients
    begins with what the first proxy said.
    """
    names = (FORWARDED_FOR, "X-Forwarded-Proto", "X-Forwarded-Host", "X-Forwarded-Port", "X-Forwarded-Prefix")
    clients, schemes, hosts, ports, prefixes = (_listed(headers, name) for name in names)
    count = min(max(map(len, (clients, schemes, hosts, ports, prefixes))), MAX_HOPS)
    return [
        Hop(
            clients[-back] if back <= len(clients) else "",
            _at(schemes, back).lower(),
            _at(hosts, back),
            _at(ports, back),
            _at(prefixes, back),
        )
        for back in range(count, 0, -1)
    ]


def merged(hops: Iterable[Hop]) -> Hop:
    """Return all that is told about one hop; what is told first counts."""
    told = Hop()
    for hop in hops:
        told = replace(told, **{name: value for name, value in vars(hop).items() if not getattr(told, name)})
    return told


def _at(values: list[str], back: int) -> str:
    return values[-min(back, len(values))] if values else ""


def _listed(headers: Headers, name: str) -> list[str]:
    values = headers.get_all(name) or []
    return [each.strip(" \t") for each in ",".join(values).split(",")] if values else []


def _elements(line: str) -> list[dict[str, str]]:
    """Return the pairs of each element of a `Forwarded` header. Raises ChatError."""
    elements: list[dict[str, str]] = [{}]
    place, is_over = 0, False
    while not is_over:
        pair = _PAIR.match(line, place)
        if pair is None:
            raise ChatError("bad_request", problem=f"its {FORWARDED} is no list of proxies (RFC 7239)")
        name, plain, quoted, separator = pair.groups()
        if name:
            value = plain if plain is not None else re.sub(r"\\(.)", r"\1", quoted)
            elements[-1].setdefault(name.lower(), value)
        if separator == ",":
            elements.append({})
        place, is_over = pair.end(), separator == ""
    return [element for element in elements if element]
