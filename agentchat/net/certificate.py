"""The certificate and the key of the server's own TLS: tried before they are used, and read again when they change."""

from __future__ import annotations

import contextlib
import logging
import os
import ssl
import threading
from collections.abc import Sequence
from pathlib import Path

from agentchat.protocol.errors import SettingsError

log = logging.getLogger(__name__)

CIPHERS = "ECDHE+AESGCM:ECDHE+CHACHA20"  # of TLS 1.2: what is recorded today cannot be read with a key stolen later
MISMATCH = frozenset({"KEY_VALUES_MISMATCH", "KEY_TYPE_MISMATCH", "NO_CERTIFICATE_ASSIGNED"})  # of OpenSSL's reasons
EXPIRED, NOT_YET_VALID = 10, 9  # OpenSSL's X509_V_ERR_…, which the module `ssl` does not name


class Certificate:
    """A certificate and its key, and the context that shows them to clients."""

    def __init__(self, certificate: Path, key: Path) -> None:
        """Raises SettingsError if they cannot be used."""
        self._files = (certificate, key)
        self._lock = threading.Lock()  # guards what follows
        self._seen = self._look()  # before they are read, so that no change is missed
        self._context = _loaded(*self._files)

    def context(self) -> ssl.SSLContext:
        """Return the context for a new connection, with the newest pair of files that can be used."""
        with self._lock:
            seen = self._look()
            if seen != self._seen:
                self._seen = seen
                try:
                    self._context = _loaded(*self._files)
                    log.info("The TLS certificate %s has changed; the new one is used from now on", self._files[0])
                except SettingsError as error:
                    log.warning("The TLS certificate that was read before stays in use: %s", error)
            return self._context

    def _look(self) -> Sequence[tuple[int, ...] | None]:
        """Return what changes whenever one of the files does, or another takes its place."""
        return [_state(file) for file in self._files]


def configured(certificate: str, key: str) -> Certificate | None:
    """Return the certificate that the settings name, or None without one. Raises SettingsError."""
    if bool(certificate) != bool(key):
        given, missing, what = (
            ("--tls-cert", "--tls-key", "the file with its private key")
            if certificate
            else ("--tls-key", "--tls-cert", "the file with the certificate that it belongs to")
        )
        raise SettingsError(f"{given} needs {missing} as well, {what}.")
    return Certificate(Path(certificate).absolute(), Path(key).absolute()) if certificate else None


def client_context(certificate: Path) -> ssl.SSLContext:
    """Return the context of a client that knows the server by this certificate, whatever its name and its authority.

    Raises OSError, of which SSLError is a kind.
    """
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_flags |= ssl.VERIFY_X509_PARTIAL_CHAIN
    context.load_verify_locations(certificate)
    return context


def _state(file: Path) -> tuple[int, ...] | None:
    with contextlib.suppress(OSError):
        stat = os.stat(file)
        return (stat.st_dev, stat.st_ino, stat.st_size, stat.st_mtime_ns, stat.st_ctime_ns)
    return None


def _loaded(certificate: Path, key: Path) -> ssl.SSLContext:
    """Return a context with these. Raises SettingsError."""
    _check(certificate, "CERTIFICATE", "--tls-cert")
    _check(key, "PRIVATE KEY", "--tls-key")
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.set_ciphers(CIPHERS)
    context.set_alpn_protocols(["http/1.1"])
    context.options |= ssl.OP_NO_RENEGOTIATION
    context.num_tickets = 0  # Python's clients before 3.13 can hang when they send while a ticket of TLS 1.3 arrives
    try:
        client = client_context(certificate)
    except OSError as error:
        raise SettingsError(f"{certificate} (--tls-cert) holds a broken certificate: {_said(error)}.") from error
    try:
        context.load_cert_chain(certificate, key, password=_refuse_to_ask)
    except _EncryptedError as error:
        raise SettingsError(
            f"{key} (--tls-key) is encrypted, and nobody is asked for its password when the server starts. Decrypt it "
            f"(openssl pkey -in {key.name} -out …), and let nobody else read the file."
        ) from error
    except OSError as error:
        if getattr(error, "reason", "") in MISMATCH:
            raise SettingsError(
                f"{key} (--tls-key) is not the key of {certificate} (--tls-cert), whose first certificate must be "
                "that of the server."
            ) from error
        raise SettingsError(f"{key} (--tls-key) cannot be used with {certificate}: {_said(error)}.") from error
    try:
        _visit(client, context)
    except ssl.SSLCertVerificationError as error:
        words = {EXPIRED: "has expired. Renew it", NOT_YET_VALID: "is not valid yet. Look at this machine's clock"}
        problem = words.get(error.verify_code, f"is not one that clients accept: {error.verify_message}")
        raise SettingsError(f"The certificate {certificate} (--tls-cert) {problem}.") from error
    except ssl.SSLError as error:
        raise SettingsError(f"No client could use {certificate} (--tls-cert): {_said(error)}.") from error
    return context


def _check(file: Path, content: str, option: str) -> None:
    try:
        if file.exists() and not file.is_file():
            raise SettingsError(f"{file} ({option}) is not a file.")
        text = file.read_bytes()
    except OSError as error:
        raise SettingsError(f"{file} ({option}) cannot be read: {error.strerror or error}.") from error
    if f"{content}-----".encode() not in text:
        raise SettingsError(f"{file} ({option}) holds no {content.lower()} in PEM format (-----BEGIN {content}-----).")


class _EncryptedError(Exception):
    """A key can only be read with a password."""


def _refuse_to_ask() -> str:
    raise _EncryptedError


def _visit(client: ssl.SSLContext, server: ssl.SSLContext) -> None:
    """Let a client shake hands with a server, in memory. Raises SSLError if one of them refuses."""
    there, back = ssl.MemoryBIO(), ssl.MemoryBIO()
    caller, called = client.wrap_bio(back, there), server.wrap_bio(there, back, server_side=True)
    for side in (caller, called, caller):
        with contextlib.suppress(ssl.SSLWantReadError):
            side.do_handshake()


def _said(error: OSError) -> str:
    """Return OpenSSL's words, or those of the system."""
    reason = getattr(error, "reason", None)
    return str(reason).lower().replace("_", " ") if reason else error.strerror or str(error)
