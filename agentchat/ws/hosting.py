"""Has AG2's `IOWebsockets` run our server, in the place of that of `websockets`, which needs two threads a connection.

Kept of AG2's: `run_server_in_thread`, in whose thread everything is read and which ends it, and the handler that begins
each conversation by calling `on_connect` with an `IOWebsockets`, the default stream meanwhile. The protocol is still
that of `websockets`.
"""

from __future__ import annotations

import contextlib
import logging
from collections.abc import Callable, Iterator
from typing import Any

from autogen.io import websockets as ag2
from autogen.io.websockets import IOWebsockets
from websockets.sync.server import serve as serve_with_threads

from agentchat.ws.receiving import Receiver


@contextlib.contextmanager
def run(receiver: Receiver, on_connect: Callable[[IOWebsockets], None]) -> Iterator[None]:
    """Run `receiver` as AG2's server until the context ends."""
    ag2.ws_serve = _serve
    ag2.logger.setLevel(logging.WARNING)  # it gives itself INFO when it is imported, for a line about each connection
    with IOWebsockets.run_server_in_thread(host=None, port=None, on_connect=on_connect, receiver=receiver):
        yield


def _serve(handler: Callable[[Any], None], *, receiver: Receiver | None = None, **options: Any) -> Any:
    """Return the server that AG2 runs, which begins a conversation with `handler`."""
    if receiver is None:  # an agent file has a server of its own
        return serve_with_threads(handler, **options)
    receiver.begin = handler
    return receiver
