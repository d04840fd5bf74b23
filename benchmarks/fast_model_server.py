"""A model server that is never the bottleneck: its answers are built once, and written as fast as sockets take them.

An answer has as many tokens as the directive in the last user message says, each an event and a chunk of its own as
from `tests/model_server.py`, whose directives these are. Answers whose tokens are stamped begin together, once all
conversations have asked.
"""

from __future__ import annotations

import argparse
import functools
import json
import sys
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

ASKED_WITHIN = 60.0  # seconds from the first question to the last
HEAD: dict[str, Any] = {"id": "chatcmpl-bench", "object": "chat.completion.chunk", "created": 1, "model": "bench"}


def chunk(delta: dict[str, str], finish_reason: str | None = None) -> dict[str, Any]:
    return HEAD | {"choices": [{"index": 0, "delta": delta, "finish_reason": finish_reason}]}


@functools.cache
def answer(tokens: int, stamp: str) -> bytes:
    """Return the body of an answer in HTTP's chunked coding."""
    texts = [f"{stamp}:{place} " if stamp else f"{place} " for place in range(tokens)]
    chunks = [chunk({"role": "assistant", "content": ""}), *(chunk({"content": text}) for text in texts)]
    usage = {"prompt_tokens": 1, "completion_tokens": tokens, "total_tokens": tokens + 1}
    chunks += [chunk({}, "stop"), HEAD | {"choices": [], "usage": usage}]
    events = [*(json.dumps(each, separators=(",", ":")) for each in chunks), "[DONE]"]
    body = "".join(f"{len(event) + 8:x}\r\ndata: {event}\n\n\r\n" for event in events)
    return body.encode() + b"0\r\n\r\n"


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    all_asked: threading.Barrier

    def do_POST(self) -> None:
        asked: dict[str, Any] = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        said = next(message["content"] for message in reversed(asked["messages"]) if message["role"] == "user")
        directive = json.loads(said.strip("@"))
        stamp = directive.get("stamp", "")
        body = answer(directive["n"], stamp)
        if stamp:
            self.all_asked.wait(ASKED_WITHIN)
        self.send_response(200)
        self.send_header("Content-Type", "text/event-stream")
        self.send_header("Transfer-Encoding", "chunked")
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *args: object) -> None:
        """Log nothing."""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--conversations", type=int, required=True)
    Handler.all_asked = threading.Barrier(parser.parse_args().conversations)
    ThreadingHTTPServer.request_queue_size = 1024
    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        print(f"http://127.0.0.1:{server.server_port}/v1", flush=True)
        sys.stdin.read()


if __name__ == "__main__":
    main()
