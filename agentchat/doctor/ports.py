"""The ports: whether they can be had, or else who has them; if that is a server of ours, how it is."""

from __future__ import annotations

import errno
import json
from collections.abc import Iterator
from http import HTTPStatus
from pathlib import Path

import httpx

from agentchat.doctor.addresses import has_tls
from agentchat.doctor.finding import OK, PROBLEM, Finding, Setup, of_error
from agentchat.net import listener
from agentchat.protocol.errors import SettingsError

PAGE, WEBSOCKET, METRICS = "port", "ws-port", "metrics"  # as the options are called
TIMEOUT = 3.0  # seconds for an answer
PROC = Path("/proc")  # Linux has it
LISTENING = "0A"  # the state of a socket in /proc/net/tcp

_WILDCARDS = {"0.0.0.0": "127.0.0.1", "::": "::1"}  # noqa: S104 - where a socket that is bound to it can be reached


def look(setup: Setup) -> Iterator[Finding]:
    """Yield how each port is."""
    chosen = setup.chosen
    ours: httpx.Response | None = None
    places = [(PAGE, chosen.host, chosen.port), (WEBSOCKET, chosen.host, chosen.ws_port)]
    host, _, metrics = str(getattr(chosen, "metrics", "")).rpartition(":")
    if host and metrics.isdecimal():
        places.append((METRICS, host.strip("[]"), int(metrics)))
    for name, host, port in places:
        if not port:
            yield Finding(name, OK, "A free port is picked at the start.")
            continue
        error = _taken(host, port)
        if error is None:
            yield Finding(name, OK, f"Port {port} is free.")
        elif not _is_in_use(error):
            yield of_error(name, error, is_refusal=not 0 < port < 65536)
        elif name == PAGE and (ours := _health(host, port, has_tls(chosen))) is not None:
            yield _of_ours(port, ours)
        elif name != PAGE and ours is not None and _same_holder(chosen.port, port):
            yield Finding(name, OK, f"Port {port} belongs to the same server.")
        else:
            holder = _holder(port)
            by = f" by {holder[1]} (process {holder[0]})" if holder else ""
            mend = f"Stop what uses it, or choose another port with --{name} (0 picks a free one)."
            yield Finding(name, PROBLEM, f"Port {port} is taken{by}.", mend)


def _taken(host: str, port: int) -> SettingsError | None:
    """Return why the port cannot be had, None if it can."""
    try:
        listener.listening(host, port).close()
    except SettingsError as error:
        return error
    return None


def _is_in_use(error: SettingsError) -> bool:
    return isinstance(error.__cause__, OSError) and error.__cause__.errno == errno.EADDRINUSE


def _health(host: str, port: int, is_tls: bool) -> httpx.Response | None:
    """Return the answer of a server of ours at that port; None if it is something else."""
    host = _WILDCARDS.get(host, host)
    host = f"[{host}]" if ":" in host else host
    for scheme in ("https", "http") if is_tls else ("http", "https"):
        try:
            # Nothing secret is sent, and it is this machine, by an address that is in no certificate.
            answer = httpx.get(f"{scheme}://{host}:{port}/healthz", timeout=TIMEOUT, verify=False, trust_env=False)  # noqa: S501
        except httpx.RemoteProtocolError:  # it may speak the other one
            continue
        except (httpx.HTTPError, httpx.InvalidURL):
            return None
        if answer.headers.get("server") == "agentchat":
            return answer
        if answer.status_code != HTTPStatus.BAD_REQUEST:  # as of a server that is spoken to without TLS
            return None
    return None


def _of_ours(port: int, answer: httpx.Response) -> Finding:
    if answer.is_success:
        return Finding(PAGE, OK, f"Port {port} belongs to a server of agentchat that is running, and well.")
    try:
        said = str(answer.json()["error"]["message"])
    except (json.JSONDecodeError, LookupError, TypeError):
        said = f"HTTP {answer.status_code}"
    message = f"Port {port} belongs to a server of agentchat that is running, and not well: {said.rstrip('.')}."
    return Finding(PAGE, PROBLEM, message, "Look at its log; start it again if it does not recover.")


def _same_holder(page: int, port: int) -> bool:
    """Return True unless it is known that another process has this port than that of the page."""
    holders = _holder(page), _holder(port)
    return None in holders or holders[0] == holders[1]


def _holder(port: int) -> tuple[int, str] | None:
    """Return the process that listens at that port and the name of its program, if this user may know."""
    sockets = {f"socket:[{inode}]" for inode in _inodes(port)}
    try:
        for process in PROC.iterdir():
            if process.name.isdigit() and sockets and _has_one(process, sockets):
                name = (process / "comm").read_text(errors="replace").strip()
                return int(process.name), "".join(filter(str.isprintable, name))
    except OSError:
        return None
    return None


def _inodes(port: int) -> Iterator[str]:
    for table in ("tcp", "tcp6"):
        try:
            lines = (PROC / "net" / table).read_text().splitlines()[1:]
        except OSError:
            continue
        for fields in map(str.split, lines):
            if fields[3] == LISTENING and int(fields[1].rpartition(":")[2], 16) == port:
                yield fields[9]


def _has_one(process: Path, sockets: set[str]) -> bool:
    try:
        return any(str(each.readlink()) in sockets for each in (process / "fd").iterdir())
    except OSError:  # it has ended, or is somebody else's
        return False
