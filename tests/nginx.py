"""A real nginx in front of a server, with TLS and without, as a process of the tests' own."""

from __future__ import annotations

import contextlib
import os
import shutil
import socket
import ssl
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
import trustme

from tests.clients import PATIENCE, wait_until

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
        ssl_certificate {folder}/certificate.pem;
        ssl_certificate_key {folder}/key.pem;
        {inside}
    }}
}}
"""


@dataclass(frozen=True)
class Nginx:
    """A running nginx."""

    plain: str
    """Its address without TLS, and no slash at the end."""
    secure: str
    """Its address with TLS."""
    trust: ssl.SSLContext
    """The context of a client that trusts it."""


@contextlib.contextmanager
def nginx(folder: Path, inside: str) -> Iterator[Nginx]:
    """Run nginx on free ports while the context lasts. `inside` is what its `server` does."""
    program = shutil.which("nginx") or shutil.which("nginx", path="/usr/sbin")
    if program is None:
        assert os.environ.get("CI") != "true", "nginx is missing"
        pytest.skip("nginx is missing (Debian: apt-get install nginx-light)")
    with socket.create_server(("127.0.0.1", 0)) as one, socket.create_server(("127.0.0.1", 0)) as other:
        port, tls_port = (each.getsockname()[1] for each in (one, other))
    authority, trust = trustme.CA(), ssl.create_default_context()
    authority.configure_trust(trust)
    certificate = authority.issue_cert("127.0.0.1")
    certificate.cert_chain_pems[0].write_to_path(str(folder / "certificate.pem"))
    certificate.private_key_pem.write_to_path(str(folder / "key.pem"))
    config = folder / "nginx.conf"
    config.write_text(WHOLE.format(folder=folder, port=port, tls_port=tls_port, inside=inside))
    command = [program, "-p", str(folder), "-c", str(config), "-e", str(folder / "error.log")]
    process = subprocess.Popen(command, stderr=subprocess.DEVNULL)
    try:
        wait_until(lambda: process.poll() is not None or _listens(tls_port))
        assert process.poll() is None, (folder / "error.log").read_text()
        yield Nginx(f"http://127.0.0.1:{port}", f"https://127.0.0.1:{tls_port}", trust)
    finally:
        process.terminate()
        process.wait(PATIENCE)


def _listens(port: int) -> bool:
    with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port)):
        return True
    return False
