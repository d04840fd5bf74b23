"""The model server as a process, and requests to it without the chat server between."""

from __future__ import annotations

import http.client
import json
import subprocess
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from tests.processes import ENDS_WITHIN
from tests.real_model.agents import INSTRUCTIONS

WINDOW = 2048  # tokens of a prompt and its answer
LONGEST = 600  # tokens of an answer; a model as small as this one may repeat itself without end


@dataclass(frozen=True)
class DirectAnswer:
    text: str
    tokens: int
    first_after: float
    """Seconds until its first word."""
    seconds: float


class RealModel:
    """SmolLM2 behind llama.cpp's server, killed at the end of the context; can be killed and started again before."""

    def __init__(self, python: Path) -> None:
        self._python = python
        self._process: subprocess.Popen[str] | None = None
        self.address = ""

    def __enter__(self) -> RealModel:
        self.start()
        return self

    def __exit__(self, *exception: object) -> None:
        self.kill()

    def start(self) -> None:
        """Start the server, from the second time on at the same port, and wait until it listens."""
        port = urlsplit(self.address).port or 0
        program = str(Path(__file__).with_name("llama_server.py"))
        limits = ["--window", str(WINDOW), "--longest", str(LONGEST)]
        self._process = subprocess.Popen(
            [str(self._python), program, "--port", str(port), *limits],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        assert self._process.stdout is not None
        self.address = next((line.strip() for line in self._process.stdout if line.startswith("http://")), "")
        if not self.address:
            raise RuntimeError(f"llama.cpp's server ended with {self._process.wait(ENDS_WITHIN)}")

    def kill(self) -> None:
        """End the server at once, in the middle of whatever it sends."""
        if self._process is not None:
            self._process.kill()
            self._process.communicate(timeout=ENDS_WITHIN)
            self._process = None

    @property
    def config_list(self) -> str:
        """The value of OAI_CONFIG_LIST that names this server."""
        return json.dumps([{"model": "smollm2", "base_url": f"{self.address}/v1", "api_key": "none"}])

    @property
    def is_generating(self) -> bool:
        with self._request("GET", "/slots") as response:
            return any(slot["is_processing"] for slot in json.load(response))

    def ask(self, text: str) -> DirectAnswer:
        """Send the message as the agent `talker` would, and stream the answer."""
        messages = [{"role": "system", "content": INSTRUCTIONS}, {"role": "user", "content": text}]
        body = {"model": "smollm2", "messages": messages, "stream": True, "stream_options": {"include_usage": True}}
        began = time.monotonic()
        words: list[str] = []
        first_after = tokens = 0.0
        with self._request("POST", "/v1/chat/completions", body) as response:
            for chunk in _chunks(response):
                for choice in chunk["choices"]:
                    if choice["delta"].get("content"):
                        first_after = first_after or time.monotonic() - began
                        words.append(choice["delta"]["content"])
                tokens = chunk.get("usage", {}).get("completion_tokens", tokens)
        return DirectAnswer("".join(words), int(tokens), first_after, time.monotonic() - began)

    def _request(self, method: str, path: str, body: object = None) -> http.client.HTTPResponse:
        place = urlsplit(self.address)
        connection = http.client.HTTPConnection(str(place.hostname), place.port, timeout=ENDS_WITHIN)
        data = None if body is None else json.dumps(body)
        connection.request(method, path, data, {"Content-Type": "application/json", "Connection": "close"})
        return connection.getresponse()


def _chunks(response: http.client.HTTPResponse) -> Iterator[Any]:
    for line in response:
        if line.startswith(b"data: {"):
            yield json.loads(line.removeprefix(b"data: "))
