"""Certificates for the tests, of an authority that only they know."""

from __future__ import annotations

import atexit
import functools
import ssl
import tempfile
from dataclasses import dataclass
from pathlib import Path

import trustme

from agentchat.net.certificate import Certificate

NAMES = ("127.0.0.1", "::1", "localhost")


@dataclass(frozen=True)
class Pair:
    """The files of a certificate and its key."""

    certificate: Path
    key: Path

    @property
    def options(self) -> list[str]:
        """The options that make a server use them."""
        return ["--tls-cert", str(self.certificate), "--tls-key", str(self.key)]


@functools.cache
def authority() -> trustme.CA:
    return trustme.CA()


@functools.cache
def trust() -> ssl.SSLContext:
    """Return the context of clients that trust the authority."""
    context = ssl.create_default_context()
    authority().configure_trust(context)
    return context


def write(folder: Path, leaf: trustme.LeafCert | None = None) -> Pair:
    """Write a certificate and its key into a folder, over what is there: a new one for this machine, or `leaf`."""
    leaf = leaf or authority().issue_cert(*NAMES)
    pair = Pair(folder / "cert.pem", folder / "key.pem")
    pair.certificate.write_bytes(b"".join(part.bytes() for part in leaf.cert_chain_pems))
    leaf.private_key_pem.write_to_path(pair.key)
    return pair


@functools.cache
def certificate() -> Certificate:
    """Return a certificate for this machine, whose files stay until the tests end."""
    folder = tempfile.TemporaryDirectory()
    atexit.register(folder.cleanup)
    pair = write(Path(folder.name))
    return Certificate(pair.certificate, pair.key)
