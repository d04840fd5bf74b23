"""Keep a process offline: models are answered by the demo model, the network is closed, and nobody is asked."""

from __future__ import annotations

import contextlib
import functools
import io
import ipaddress
import json
import sys
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import httpx

from agentchat.models import transport
from agentchat.models.demo.rules import answer
from agentchat.models.demo.transport import DemoTransport

ENTRY = {"model": "demo", "api_key": "none", "base_url": "http://demo.invalid/v1", "price": [0, 0]}
"""A model entry for those who have configured none."""


@dataclass
class Seen:
    """Whatever was tried since the last look."""

    model_calls: int = 0
    hosts: set[str] = field(default_factory=set)
    """Hosts that somebody wanted to connect to."""
    asked: bool = False
    """True if somebody called `input()`."""
    printed: str = ""


class Offline:
    """The process while it is offline; `take` says what was tried."""

    def __init__(self) -> None:
        self.seen = Seen()
        self._output = io.StringIO()

    def take(self) -> Seen:
        """Return what was tried since the last call."""
        seen, self.seen = self.seen, Seen()
        seen.printed = self._output.getvalue()
        self._output.seek(0)
        self._output.truncate()
        return seen

    @contextlib.contextmanager
    def __call__(self) -> Iterator[None]:
        """Be offline until the context ends. What is printed meanwhile is kept for `take`."""
        global _now
        _install()
        demo, online, stdin = DemoTransport(token_delay=0), transport.PoolTransport.handle_request, sys.stdin

        def handle(_: transport.PoolTransport, request: httpx.Request) -> httpx.Response:
            path = request.url.path
            if request.method != "POST" or not path.endswith(("/chat/completions", "/responses")):
                return httpx.Response(404, request=request)
            self.seen.model_calls += 1
            return demo.handle_request(request) if path.endswith("/completions") else _responses(request)

        pool: Any = transport.PoolTransport
        pool.handle_request = handle
        sys.stdin, _now = io.StringIO(), self
        try:
            with contextlib.redirect_stdout(self._output):
                yield
        finally:
            sys.stdin, _now = stdin, None
            pool.handle_request = online


_now: Offline | None = None


@functools.cache
def _install() -> None:
    """Add the hook by which Python tells of connections and questions; it cannot be removed again."""
    sys.addaudithook(_hook)


def _hook(event: str, arguments: tuple[Any, ...]) -> None:
    if _now is None:
        return
    if event == "builtins.input":
        _now.seen.asked = True
    elif event in {"socket.getaddrinfo", "socket.connect"}:
        where = arguments[0] if event == "socket.getaddrinfo" else arguments[1]
        host = where[0] if isinstance(where, tuple) else where
        is_file = event == "socket.connect" and not isinstance(where, tuple)  # such as the socket of Docker
        if not is_file and not _is_here(host):
            _now.seen.hosts.add(str(host))
            raise ConnectionRefusedError(f"{host} is not reached while agents are checked")


def _is_here(host: Any) -> bool:
    if isinstance(host, bytes):
        host = host.decode(errors="replace")
    if host in {None, "", "localhost"}:
        return True
    try:
        address = ipaddress.ip_address(str(host))
    except ValueError:
        return False
    return address.is_loopback or address.is_unspecified


def _responses(request: httpx.Request) -> httpx.Response:
    """Answer in OpenAI's Responses API, with text alone."""
    asked = json.loads(request.read()).get("input") or []
    text, _ = answer([message for message in asked if "role" in message], [])
    content = [{"type": "output_text", "text": text, "annotations": []}]
    output = [{"type": "message", "id": "msg_demo", "role": "assistant", "status": "completed", "content": content}]
    return httpx.Response(
        200, json={"id": "demo", "object": "response", "model": "demo", "status": "completed", "output": output}
    )
