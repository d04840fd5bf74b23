"""A bare relay from a model server to WebSockets, for comparison: a thread per connection, and nothing but tokens.

Each text frame is asked of the model as a conversation of its own. Each token comes back as a text frame as soon as it
is read, and an empty frame ends the answer. There is no agent, no log and no second reader.
"""

from __future__ import annotations

import http.client
import json
import os
import sys
import threading
from urllib.parse import urlsplit

from websockets.sync.server import ServerConnection, serve

MODEL = urlsplit(json.loads(os.environ["OAI_CONFIG_LIST"])[0]["base_url"])
HEADERS = {"Content-Type": "application/json"}


def relay(client: ServerConnection) -> None:
    model = http.client.HTTPConnection(MODEL.netloc)
    for message in client:
        asked = {"model": "bench", "stream": True, "messages": [{"role": "user", "content": message}]}
        model.request("POST", f"{MODEL.path}/chat/completions", json.dumps(asked), HEADERS)
        answer, rest = model.getresponse(), b""
        while data := answer.read1():
            *lines, rest = (rest + data).split(b"\n")
            for line in lines:
                if line.startswith(b"data: {"):
                    for choice in json.loads(line[6:])["choices"]:
                        if text := choice["delta"].get("content"):
                            client.send(text)
        client.send("")


def main() -> None:
    with serve(relay, "127.0.0.1", 0) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        print(f"ws://127.0.0.1:{server.socket.getsockname()[1]}", flush=True)
        sys.stdin.read()


if __name__ == "__main__":
    main()
