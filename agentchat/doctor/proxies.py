"""The proxies around the server: those on the way to the model, and those that people come through."""

from __future__ import annotations

import ipaddress
import urllib.request
from collections.abc import Iterator

import httpx

from agentchat.auth import proxies as trusted
from agentchat.doctor.finding import OK, PROBLEM, WARNING, Finding, Setup, sentences
from agentchat.models import proxies
from agentchat.protocol.errors import ChatError, SettingsError

PROXIES, TRUSTED = "proxies", "trusted-proxies"
WIDE = {4: 8, 6: 7}  # the shortest prefixes of private networks, by the version of IP
WIDE_PUBLIC = {4: 24, 6: 48}
OPENAI = "https://api.openai.com/v1"
NEAR = (".local", ".lan", ".internal", ".home.arpa")  # ends of names that only a network of one's own knows


def look(setup: Setup) -> Iterator[Finding]:
    """Yield what there is to say about either kind."""
    if setup.models is not None and not setup.models.is_demo:
        for address in dict.fromkeys(str(entry.base_url or OPENAI) for entry in setup.models.llm_config.config_list):
            yield from _of_model(httpx.URL(address))
    if setup.chosen.trusted_proxies.strip():
        yield from _of_people(setup)


def _of_model(url: httpx.URL) -> Iterator[Finding]:
    """Yield how a model server is reached."""
    try:
        proxy = proxies.choose(url, urllib.request.getproxies())
    except ChatError as error:
        message, *rest = sentences(error.message)
        mend = " ".join(rest) or "Correct or unset the variable, or add the model server to NO_PROXY."
        yield Finding(PROXIES, PROBLEM, message, mend)
        return
    if proxy is None:
        yield Finding(PROXIES, OK, f"The model server {url.host} is reached without a proxy.")
        return
    way = f"is reached through the proxy {proxy.address} ({proxy.variable})."
    if _is_near(url.host):
        mend = f"Add {url.host} to NO_PROXY, unless the proxy is wanted."
        yield Finding(PROXIES, WARNING, f"The model server {url.host}, which is near, {way}", mend)
    else:
        yield Finding(PROXIES, OK, f"The model server {url.host} {way}")


def _is_near(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_private
    except ValueError:
        return "." not in host or host.endswith(NEAR)


def _of_people(setup: Setup) -> Iterator[Finding]:
    chosen = setup.chosen
    try:
        trusted.configured(chosen)
    except SettingsError:  # the ways to log in are looked at elsewhere
        return
    networks = [ipaddress.ip_network(each.strip()) for each in chosen.trusted_proxies.split(",") if each.strip()]
    wide = [each for each in networks if each.prefixlen < (WIDE if each.is_private else WIDE_PUBLIC)[each.version]]
    for network in wide:
        message = f"--trusted-proxies {network} is {network.num_addresses:,} addresses, all of which are believed."
        yield Finding(TRUSTED, WARNING, message, "Name those of the proxies only.")
    cannot = [each for each in networks if not _can_come(each, chosen.host)]
    if len(cannot) == len(networks):
        named = ", ".join(map(str, cannot))
        message = f"No connection to {chosen.host} (--host) can come from {named} (--trusted-proxies)."
        yield Finding(TRUSTED, WARNING, message, "Name the address from which the proxy connects, or change --host.")
    elif not wide:
        yield Finding(TRUSTED, OK, f"The proxies at {chosen.trusted_proxies} are believed.")


def _can_come(network: ipaddress.IPv4Network | ipaddress.IPv6Network, host: str) -> bool:
    """Return False if a server at `host` cannot have clients in that network."""
    try:
        address = ipaddress.ip_address("127.0.0.1" if host == "localhost" else host)
    except ValueError:
        return True
    if network.version != address.version:
        return str(address) == "::"  # perhaps of both versions
    return not address.is_loopback or network.network_address.is_loopback
