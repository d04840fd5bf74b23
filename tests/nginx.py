"""A real nginx in front of a server, with TLS and without."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path

from tests.front import Front, front, program, running

WHOLE = """
daemon off;
master_process off;
pid {folder}/nginx.pid;
error_log {folder}/error.log;
events {{ worker_connections 256; }}
http {{
    access_log off;
    client_body_temp_path {folder}/body; proxy_temp_path {folder}/proxy; fastcgi_temp_path {folder}/fastcgi;
    uwsgi_temp_path {folder}/uwsgi; scgi_temp_path {folder}/scgi;
    map $http_upgrade $connection_upgrade {{ default upgrade; "" ""; }}
    server {{
        listen 127.0.0.1:{port};
        listen 127.0.0.1:{tls_port} ssl;
        ssl_certificate {certificate};
        ssl_certificate_key {key};
        {inside}
    }}
}}
"""


@contextlib.contextmanager
def nginx(folder: Path, inside: str) -> Iterator[Front]:
    """Run nginx on free ports while the context lasts. `inside` is what its `server` does."""
    given = front(folder)
    config = WHOLE.format(
        folder=folder, port=given.port, tls_port=given.tls_port, certificate=given.certificate, key=given.key,
        inside=inside,
    )  # fmt: skip
    with running(given, command(folder, config)):
        yield given


def command(folder: Path, config: str) -> list[str]:
    """Write the configuration, and return the command that starts nginx with it."""
    (folder / "nginx.conf").write_text(config)
    return [program("nginx", "nginx-light"), "-p", str(folder), "-c", str(folder / "nginx.conf")]
