"""A stand-in for Ollama, LM Studio and the like: answers GET requests with fixed bytes."""

from __future__ import annotations

import json
import socketserver
import threading
import time
from collections.abc import Mapping
from typing import Any


def ok(answer: Any) -> bytes:
    """Return a whole HTTP response with that JSON."""
    body = json.dumps(answer).encode()
    return b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n%b" % (len(body), body)


def listing(*names: str) -> bytes:
    """Return the list of models that OpenAI-compatible servers send."""
    return ok({"object": "list", "data": [{"id": name, "object": "model"} for name in names]})


NOT_FOUND = b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n"


class LocalModelServer:
    """The server and its thread. `asked` holds the paths requested; `answers` are given by path.

    `pause` is in seconds, between two bytes of an answer; the connection stays open until the client closes it.
    """

    def __init__(self, answers: Mapping[str, bytes], pause: float = 0) -> None:
        self.asked: list[str] = []
        self.answers = answers
        self.pause = pause
        self._server = _Server(("127.0.0.1", 0), _Connection)
        self._server.owner = self
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.05,), name="local", daemon=True)

    def __enter__(self) -> LocalModelServer:
        self._thread.start()
        return self

    def __exit__(self, *exception: object) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    @property
    def port(self) -> int:
        return int(self._server.server_address[1])


class _Server(socketserver.ThreadingTCPServer):
    owner: LocalModelServer
    daemon_threads = True
    block_on_close = False


class _Connection(socketserver.StreamRequestHandler):
    server: _Server

    def handle(self) -> None:
        owner = self.server.owner
        path = self.rfile.readline().split()[1].decode()
        owner.asked.append(path)
        answer = owner.answers.get(path, NOT_FOUND)
        try:
            for place in range(0, len(answer), size := 1 if owner.pause else 1 << 20):
                self.wfile.write(answer[place : place + size])
                time.sleep(owner.pause)
            while self.rfile.readline():  # until the client closes
                continue
        except OSError:
            return
