"""The proxy through which a model server is reached, chosen from the variables that curl and httpx know as well.

`HTTPS_PROXY` or `HTTP_PROXY` (by the model server's scheme), else `ALL_PROXY`; `NO_PROXY` lists the exceptions. A model
server on this machine is never reached through a proxy.
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Mapping
from dataclasses import dataclass

import httpx

from agentchat.protocol.errors import ChatError

DEFAULT_PORTS = {"http": 80, "https": 443}
SCHEMES = {"http": "http", "https": "https", "socks": "socks5", "socks5": "socks5", "socks5h": "socks5h"}
SOCKS_PACKAGE = "speaks SOCKS, which needs another package: run pip install 'httpx[socks]'"


@dataclass(frozen=True)
class Proxy:
    """A proxy: its URL as httpx takes it, and the environment variable that names it."""

    url: str
    variable: str

    @property
    def address(self) -> str:
        """Host and port, without credentials."""
        return httpx.URL(self.url).netloc.decode()


def choose(url: httpx.URL, proxies: Mapping[str, str]) -> Proxy | None:
    """Return the proxy for `url`. Raises ChatError if the variable that names it makes no sense.

    `proxies` has the form of `urllib.request.getproxies()`: {"https": …, "all": …, "no": …}.
    """
    if is_local(url.host) or is_excepted(url, proxies.get("no", "")):
        return None
    name = url.scheme if proxies.get(url.scheme, "").strip() else "all"
    value = proxies.get(name, "").strip()
    return _parsed(value, f"{name.upper()}_PROXY", url) if value else None


def is_local(host: str) -> bool:
    """Return True for an address of this machine."""
    address = _network(host)
    if address is None:
        return host == "localhost" or host.endswith(".localhost")
    return address.is_loopback or address.is_unspecified


def is_excepted(url: httpx.URL, no_proxy: str) -> bool:
    """Return True if an entry of NO_PROXY covers the host of `url`, and its port if the entry names one.

    An entry is a domain (which covers those below it), an address or a network (`10.0.0.0/8`, `[fd00::]/8`), or `*`.
    """
    host, port = url.host.rstrip("."), url.port or DEFAULT_PORTS.get(url.scheme)
    address = _network(host)
    for entry in re.split(r"[\s,]+", no_proxy.lower()):
        name, entry_port = _split_port(entry.rpartition("://")[2])
        if entry_port not in {"", str(port)}:
            continue
        if name == "*":
            return True
        if address is None:
            domain = name.lstrip("*").strip(".")
            if domain and f".{host}".endswith(f".{domain}"):
                return True
        elif (network := _network(name)) and address.network_address in network:
            return True
    return False


def _split_port(entry: str) -> tuple[str, str]:
    """Return the host or network of an entry, without brackets, and its port or ''."""
    if found := re.fullmatch(r"\[([^]]*)](/\d+)?(?::(\d+))?", entry):
        return found[1] + (found[2] or ""), found[3] or ""
    host, _, port = entry.rpartition(":")
    return (host, port) if host and ":" not in host else (entry, "")


def _network(text: str) -> ipaddress.IPv4Network | ipaddress.IPv6Network | None:
    """Return the network or address that `text` is, None if it is a name."""
    try:
        return ipaddress.ip_network(text, strict=False)
    except ValueError:
        return None


def _parsed(value: str, variable: str, target: httpx.URL) -> Proxy:
    scheme, _, rest = (value if "://" in value else f"http://{value}").partition("://")
    known = SCHEMES.get(scheme.lower())
    try:
        url = httpx.URL(f"{known or 'http'}://{rest}")
        is_usable = bool(known and url.host.encode("idna")) and (url.port is None or 0 < url.port < 65536)
    except (httpx.InvalidURL, UnicodeError):
        is_usable = False
    if not is_usable or " " in rest:  # don't quote it: it may hold a password
        problem = f"{variable} is not the address of a proxy, such as http://proxy.example:3128 or socks5://host:1080"
        raise ChatError("model_network", server=target.host, problem=problem)
    return Proxy(str(url), variable)
