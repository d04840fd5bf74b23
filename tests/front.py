"""A proxy in front of a server, as a process of the tests' own, with a certificate that only they trust."""

from __future__ import annotations

import contextlib
import os
import shutil
import socket
import ssl
import subprocess
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import pytest
import trustme

from tests.clients import PATIENCE, wait_until


@dataclass(frozen=True)
class Front:
    """The files and ports of a proxy."""

    folder: Path
    port: int
    """For clients without TLS."""
    tls_port: int
    trust: ssl.SSLContext
    """The context of a client that trusts it."""

    @property
    def certificate(self) -> Path:
        return self.folder / "certificate.pem"

    @property
    def key(self) -> Path:
        return self.folder / "key.pem"

    @property
    def plain(self) -> str:
        """The address without TLS, and no slash at the end."""
        return f"http://127.0.0.1:{self.port}"

    @property
    def secure(self) -> str:
        """The address with TLS, and no slash at the end."""
        return f"https://127.0.0.1:{self.tls_port}"


def front(folder: Path) -> Front:
    """Return free ports, and a folder with a certificate."""
    with socket.create_server(("127.0.0.1", 0)) as one, socket.create_server(("127.0.0.1", 0)) as other:
        port, tls_port = (each.getsockname()[1] for each in (one, other))
    authority, trust = trustme.CA(), ssl.create_default_context()
    authority.configure_trust(trust)
    trust.maximum_version = ssl.TLSVersion.TLSv1_2  # websockets.sync may hang when a session ticket of TLS 1.3 comes
    issued = authority.issue_cert("127.0.0.1")
    made = Front(folder, port, tls_port, trust)
    made.certificate.write_bytes(b"".join(each.bytes() for each in issued.cert_chain_pems))
    made.key.write_bytes(issued.private_key_pem.bytes())
    return made


def program(name: str, package: str) -> str:
    """Return the path of a program. Where it is missing, the test is skipped, except in CI."""
    path = shutil.which(name) or shutil.which(name, path="/usr/sbin")
    if path is None:
        assert os.environ.get("CI") != "true", f"{name} is missing"
        pytest.skip(f"{name} is missing (Debian: apt-get install {package})")
    return path


@contextlib.contextmanager
def running(given: Front, command: Sequence[str], environment: Mapping[str, str] | None = None) -> Iterator[Front]:
    """Run a proxy while the context lasts."""
    log = given.folder / "output.log"
    with log.open("wb") as output:
        process = subprocess.Popen(
            command, stdout=output, stderr=output, env={**os.environ, **(environment or {})}, cwd=given.folder
        )
    try:
        wait_until(lambda: process.poll() is not None or _listens(given.tls_port))
        assert process.poll() is None, log.read_text()
        yield given
    finally:
        process.terminate()
        process.wait(PATIENCE)


def _listens(port: int) -> bool:
    with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port)):
        return True
    return False
