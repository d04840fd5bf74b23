"""The addresses that people use: the public one, those of other pages that may connect, and who can listen in."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Iterator
from urllib.parse import SplitResult, urlsplit

from agentchat.doctor.finding import OK, PROBLEM, WARNING, Finding, Setup, without_credentials
from agentchat.settings import Settings

PUBLIC, ORIGINS, LISTENING = "public-url", "origins", "listening"
PORTS = {"http": 80, "https": 443}

_HOST = re.compile(r"[A-Za-z0-9._-]+|[0-9A-Fa-f:.]+")


def look(setup: Setup) -> Iterator[Finding]:
    """Yield what does not fit."""
    chosen = setup.chosen
    if chosen.public_url.strip():
        yield from _of_public(chosen)
    yield from _of_origins(chosen)
    yield from _of_listening(chosen)


def _of_public(chosen: Settings) -> Iterator[Finding]:
    given = chosen.public_url.strip()
    parts = _parts(given)
    if parts is None:  # which the server does not start with
        return
    if parts.query or parts.fragment:
        message = f"--public-url {_shown(given)} is not the address of a page: it has more than a path."
        yield Finding(PUBLIC, PROBLEM, message, "Give it as https://chat.example.com, with a path if there is one.")
        return
    is_secure = parts.scheme == "https"
    if not is_secure and not _is_here(parts.hostname or ""):
        message = f"--public-url {given} is not https: passwords and conversations can be read on the way."
        yield Finding(PUBLIC, WARNING, message, "Serve it with TLS: a proxy in front, or --tls-cert and --tls-key.")
    elif is_secure and not has_tls(chosen) and not chosen.trusted_proxies.strip():
        message = (
            f"--public-url {given} is https and this server is not, so that a proxy has to be in front, and none is "
            "named: all people seem to come from its address."
        )
        yield Finding(PUBLIC, WARNING, message, "Name the proxy with --trusted-proxies, or use --tls-cert.")
    else:
        yield Finding(PUBLIC, OK, f"Others reach the page at {given}.")


def _of_origins(chosen: Settings) -> Iterator[Finding]:
    given = [each.strip() for each in chosen.origins.split(",") if each.strip()]
    odd = [(origin, problem) for origin in given if (problem := _problem(origin.rstrip("/")))]
    for origin, problem in odd:
        message = f"--origins {_shown(origin)} matches no page: {problem}."
        yield Finding(ORIGINS, PROBLEM, message, "Name each as browsers do, such as https://chat.example.com:8443.")
    if given and not odd:
        yield Finding(ORIGINS, OK, f"Pages from {', '.join(given)} may connect.")


def _problem(origin: str) -> str:
    """Return why no browser sends this as the origin of a page; "" if one may."""
    if "*" in origin:
        return "there are no wildcards"
    parts = _parts(origin)
    if parts is None:
        return "it is no http or https address"
    if parts.path or parts.query or parts.fragment:
        return "an origin has no path"
    if origin != origin.lower():
        return "an origin is in lower case"
    if parts.port == PORTS[parts.scheme]:
        return f"browsers leave out the port {parts.port}"
    return ""


def _of_listening(chosen: Settings) -> Iterator[Finding]:
    if _is_here(chosen.host):
        return
    if chosen.no_auth:
        message = f"Whoever can connect to {chosen.host} may do everything (--no-auth)."
        mend = "Leave --no-auth out and make accounts, unless only those can connect who may."
        yield Finding(LISTENING, WARNING, message, mend)
    if not has_tls(chosen) and not chosen.trusted_proxies.strip():
        message = f"Others connect to {chosen.host} without TLS: passwords and conversations can be read on the way."
        mend = "Use --tls-cert and --tls-key, or a proxy with TLS, named in --trusted-proxies."
        yield Finding(LISTENING, WARNING, message, mend)


def has_tls(chosen: Settings) -> bool:
    """Return True if the server speaks TLS by itself."""
    return bool(getattr(chosen, "tls_cert", ""))


def _parts(address: str) -> SplitResult | None:
    """Return the parts of an http or https address without a user name, None if it is none."""
    try:
        parts = urlsplit(address)
        is_address = parts.scheme in PORTS and bool(_HOST.fullmatch(parts.hostname or "")) and parts.port != 0
    except ValueError:
        return None
    return parts if is_address and "@" not in parts.netloc else None


def _is_here(host: str) -> bool:
    try:
        return ipaddress.ip_address(host.partition("%")[0]).is_loopback
    except ValueError:
        return host == "localhost" or host.endswith(".localhost")


def _shown(given: str) -> str:
    return repr(without_credentials(given)[:200])
