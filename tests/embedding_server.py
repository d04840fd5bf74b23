"""An OpenAI-compatible embedding server that knows a few synonyms; real HTTP, deterministic vectors."""

from __future__ import annotations

import json
import re
import threading
import zlib
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

DIMENSIONS = 256
SYNONYMS = {"automobile": "car", "vehicle": "car", "physician": "doctor", "begin": "start", "launch": "start"}


def embedded(text: str) -> list[float]:
    """Return a bag of words as a vector, each word at a position given by its letters."""
    vector = [0.0] * DIMENSIONS
    for word in re.findall(r"\w+", text.lower()):
        vector[zlib.crc32(SYNONYMS.get(word, word).encode()) % DIMENSIONS] += 1
    return vector if any(vector) else [1.0, *vector[1:]]


def completion(message: dict[str, Any]) -> dict[str, Any]:
    choice = {"index": 0, "message": {"role": "assistant", **message}, "finish_reason": "stop"}
    return {"id": "c", "object": "chat.completion", "created": 0, "model": "scripted", "choices": [choice]}


class EmbeddingServer:
    """The server and its thread; `requests` holds the received bodies, and `odd`, if set, replaces the response.

    As a chat model it answers with the messages in `said`, one after another, without streaming.
    """

    def __init__(self) -> None:
        self.requests: list[dict[str, Any]] = []
        self.odd: tuple[int, bytes] | None = None
        self.said: list[dict[str, Any]] = []

    def __enter__(self) -> EmbeddingServer:
        owner = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self) -> None:
                body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
                status, answer = owner.answer(self.path, body)
                self.send_response(status)
                self.send_header("Content-Type", "application/json")
                self.send_header("Content-Length", str(len(answer)))
                self.send_header("Connection", "close")
                self.end_headers()
                self.wfile.write(answer)
                self.close_connection = True

            def log_message(self, *args: object) -> None:
                """Log nothing."""

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.05,), name="embedding-server")
        self._thread.start()
        return self

    def __exit__(self, *exc_info: object) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    @property
    def base_url(self) -> str:
        return f"http://127.0.0.1:{self._server.server_port}/v1"

    @property
    def texts(self) -> list[str]:
        """Return all texts it was asked to embed."""
        return [text for request in self.requests for text in request["input"]]

    def answer(self, path: str, body: dict[str, Any]) -> tuple[int, bytes]:
        if path == "/v1/chat/completions":
            return 200, json.dumps(completion(self.said.pop(0))).encode()
        if path.startswith("/api/"):  # asks for the context window
            return 404, b"{}"
        self.requests.append(body)
        if path != "/v1/embeddings":
            return 404, b"{}"
        if self.odd is not None:
            return self.odd
        data = [
            {"object": "embedding", "index": index, "embedding": embedded(text)}
            for index, text in enumerate(body["input"])
        ]
        usage = {"prompt_tokens": 1, "total_tokens": 1}
        return 200, json.dumps({"object": "list", "model": body["model"], "data": data, "usage": usage}).encode()
