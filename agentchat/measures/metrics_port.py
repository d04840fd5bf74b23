"""The port of the metrics alone, for a Prometheus that does not log in."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

from agentchat.measures.exposition import Exposition, is_available
from agentchat.protocol.errors import SettingsError


@contextlib.contextmanager
def serving(place: str, exposition: Exposition) -> Iterator[str]:
    """Serve metrics at `HOST:PORT` during the context; yields their address, or "" without a place.

    Raises SettingsError if they cannot be served there.
    """
    if not place:
        yield ""
        return
    host, separator, port = place.rpartition(":")
    host = host.strip("[]")
    if not separator or not host or not port.isascii() or not port.isdigit():
        raise SettingsError(f"--metrics must be HOST:PORT, such as 127.0.0.1:9464, not {place!r}.")
    if not is_available():
        raise SettingsError(
            "--metrics needs the package prometheus-client, which is not installed. Run pip install prometheus-client."
        )
    from prometheus_client import start_http_server

    try:
        server, thread = start_http_server(int(port), host, exposition.registry)
    except (OSError, OverflowError) as error:
        reason = getattr(error, "strerror", None) or error
        raise SettingsError(f"The metrics cannot be served at {place}: {reason}. Choose another --metrics.") from error
    thread.name = "metrics"
    try:
        name = f"[{host}]" if ":" in host else host
        yield f"http://{name}:{server.server_port}/metrics"
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
