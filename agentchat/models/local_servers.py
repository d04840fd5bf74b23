"""Model servers on this machine: Ollama, LM Studio, llama.cpp and vLLM at their usual ports.

While no model is configured, those that answer are offered to people, and never used unasked.
"""

from __future__ import annotations

import contextlib
import http.client
import io
import json
import socket
import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from agentchat import installation
from agentchat.protocol.errors import SettingsError
from agentchat.settings import Settings

TITLES = {"ollama": "Ollama", "lmstudio": "LM Studio", "llamacpp": "llama.cpp", "vllm": "vLLM"}
CONNECT_TIMEOUT = 0.3  # seconds
ANSWER_TIMEOUT = 1.0  # seconds for a whole answer, connecting included
MAX_ANSWER = 1 << 20  # bytes
MAX_MODELS = 20  # of one server
MAX_NAME = 100  # characters


def ports(text: str) -> dict[str, int]:
    """Return the ports that a setting like "ollama:11434,vllm:8000" gives by name. Raises SettingsError."""
    given = [part.strip().partition(":") for part in text.split(",") if part.strip() not in {"", "none"}]
    for name, _, port in given:
        if name not in TITLES or not port.isdecimal() or not 0 < int(port) < 65536:
            raise SettingsError(f"--local-servers takes {', '.join(TITLES)} with a port each, such as {USUAL}.")
    return {name: int(port) for name, _, port in given}


USUAL = str(Settings.local_servers)
USUAL_PORTS = ports(USUAL)


@dataclass(frozen=True)
class LocalServer:
    """A model server that answered, and the models that it has, at least one."""

    name: str
    port: int
    models: tuple[str, ...]

    @property
    def title(self) -> str:
        return TITLES[self.name]

    @property
    def command(self) -> str:
        """The command that starts the chat server with the first of the models."""
        model = self.name if self.name == "llamacpp" else f"{self.name}:{self.models[0]}"
        options = ["--model", model]
        if self.port != USUAL_PORTS[self.name]:
            options += ["--local-servers", f"{self.name}:{self.port}"]
        if self.port == Settings.ws_port:
            options += ["--ws-port", "0"]  # its usual port is taken
        return installation.command(*options)


class Search:
    """Looks for model servers, each in a thread of its own."""

    def __init__(self, ports: Mapping[str, int]) -> None:
        self._deadline = time.monotonic() + ANSWER_TIMEOUT
        self._models: dict[str, tuple[str, ...]] = {}
        self._ports = ports
        self._threads = [
            threading.Thread(target=self._ask, args=(name,), name=f"look-for-{name}", daemon=True) for name in ports
        ]
        for thread in self._threads:
            thread.start()

    def wait(self) -> list[LocalServer]:
        """Return the servers found, after waiting for answers that are still to come."""
        for thread in self._threads:
            thread.join(max(self._deadline - time.monotonic(), 0))
        return self.found()

    def found(self) -> list[LocalServer]:
        """Return the servers found until now."""
        found = dict(self._models)
        return [LocalServer(name, port, found[name]) for name, port in self._ports.items() if found.get(name)]

    def _ask(self, name: str) -> None:
        self._models[name] = models_of(name, self._ports[name])


def models_of(name: str, port: int) -> tuple[str, ...]:
    """Return the names of a server's models; none if there is no such server, or its answer makes no sense."""
    for path in ("/v1/models", "/api/tags")[: 2 if name == "ollama" else 1]:
        with contextlib.suppress(OSError, http.client.HTTPException, ValueError, RecursionError):
            if names := _names(json.loads(_get(port, path))):
                return tuple(each.removesuffix(":latest") for each in names) if name == "ollama" else names
    return ()


def _get(port: int, path: str) -> bytes:
    """Return the body of an answer with status 200. Raises OSError or HTTPException."""
    deadline = time.monotonic() + ANSWER_TIMEOUT
    request = f"GET {path} HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nAccept: application/json\r\nConnection: close\r\n\r\n"
    with socket.create_connection(("127.0.0.1", port), CONNECT_TIMEOUT) as connection:
        connection.sendall(request.encode())
        response = http.client.HTTPResponse(_Source(connection, deadline))  # type: ignore[arg-type]
        response.begin()
        if response.status != 200:
            raise http.client.HTTPException(response.status)
        return response.read(MAX_ANSWER)


class _Source(io.RawIOBase):
    """The file from which `http.client` reads a socket. Raises TimeoutError at the deadline."""

    def __init__(self, connection: socket.socket, deadline: float) -> None:
        self._connection = connection
        self._deadline = deadline

    def makefile(self, mode: str) -> io.BufferedReader:
        return io.BufferedReader(self)

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        left = self._deadline - time.monotonic()
        if left <= 0:
            raise TimeoutError
        self._connection.settimeout(left)
        return self._connection.recv_into(buffer)


def _names(answer: Any) -> tuple[str, ...]:
    """Return the names of the models that can chat, from OpenAI's list or Ollama's."""
    models = (answer.get("data") or answer.get("models")) if isinstance(answer, dict) else None
    if not isinstance(models, list):
        return ()
    names = [model.get("id") or model.get("name") for model in models if isinstance(model, dict)]
    usable = [name for name in names if isinstance(name, str) and _is_usable(name)]
    return tuple(dict.fromkeys(usable))[:MAX_MODELS]


def _is_usable(name: str) -> bool:
    return 0 < len(name) <= MAX_NAME and name.isprintable() and "embed" not in name.lower()
