"""`python -m tests.autobahn WSTEST`: let Autobahn test an echo server, and exit with 1 if it found anything wrong."""

from __future__ import annotations

import argparse
import contextlib
import json
import socket
import subprocess
import sys
import tempfile
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

from agentchat.auth.proxies import Proxies
from agentchat.net.listener import listening
from agentchat.net.resources import Room
from agentchat.ws import connection as connections
from agentchat.ws import hosting
from agentchat.ws.receiving import Limits, Receiver
from agentchat.ws.sending import Deliverer
from agentchat.ws.workers import Workers
from tests.receivers import echo

MAX_MESSAGE = 16 * 2**20  # bytes of Autobahn's largest messages
FINE = {"OK", "NON-STRICT", "INFORMATIONAL"}
UNIMPLEMENTED = ("12.", "13.")  # the cases of compression, which is never agreed to
EXPECTED = {"7.1.5"}  # a close frame amid fragments is answered with 1002, as `websockets` does


@contextlib.contextmanager
def echoing(listener: socket.socket) -> Iterator[None]:
    """Send clients what they send while the context lasts."""
    limits = Limits.within(Room(), (0, 0), (0, 0), handshake_timeout=10, memory=0)
    with Deliverer() as deliverer, Workers(limits.workers) as workers:
        receiver = Receiver(listener, limits, workers, lambda connection, request: None, Proxies())
        with hosting.run(receiver, lambda stream: echo(stream.websocket, deliverer)):
            yield


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.autobahn", description=__doc__)
    parser.add_argument("wstest", help="Autobahn's program")
    parser.add_argument("--cases", default="*", help="separated by commas, such as 1.*,6.2.1 (default: all)")
    options = parser.parse_args()
    connections.MAX_MESSAGE = MAX_MESSAGE
    listener = listening("127.0.0.1", 0)
    url = f"ws://127.0.0.1:{listener.getsockname()[1]}"
    with tempfile.TemporaryDirectory() as folder, echoing(listener):
        spec = Path(folder, "spec.json")
        servers = [{"agent": "agentchat", "url": url}]
        spec.write_text(json.dumps({"outdir": folder, "servers": servers, "cases": options.cases.split(",")}))
        subprocess.run([options.wstest, "--mode", "fuzzingclient", "--spec", spec], check=True)
        cases = json.loads(Path(folder, "index.json").read_text())["agentchat"]
    verdicts = Counter(case["behavior"] for case in cases.values())
    print(f"{len(cases)} cases: " + ", ".join(f"{count} {verdict}" for verdict, count in verdicts.most_common()))
    wrong = {name: case["behavior"] for name, case in cases.items() if not _is_right(name, case["behavior"])}
    for name, verdict in wrong.items():
        print(f"{name}: {verdict}")
    return 1 if wrong or not cases else 0


def _is_right(name: str, verdict: str) -> bool:
    is_refused = verdict == "UNIMPLEMENTED" and name.startswith(UNIMPLEMENTED)
    return verdict in FINE or name in EXPECTED or is_refused


if __name__ == "__main__":
    sys.exit(main())
