"""The certificate and the key of the server's own TLS: whether they exist, fit, and will do for a while."""

from __future__ import annotations

import contextlib
import os
import ssl
import stat
import time
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

from agentchat.doctor.finding import OK, PROBLEM, WARNING, Finding, Setup

TLS = "tls"
SOON = 14 * 86_400  # seconds before its end at which a certificate should have been renewed
EXPIRED, NOT_YET_VALID, OTHER_NAME, OTHER_ADDRESS = 10, 9, 62, 64  # OpenSSL's X509_V_ERR_…


def look(setup: Setup) -> Iterator[Finding]:
    """Yield what there is to say, if the server is to speak TLS."""
    certificate, key = (str(getattr(setup.chosen, name, "") or "") for name in ("tls_cert", "tls_key"))
    if certificate and key:
        yield from of(Path(certificate), Path(key), urlsplit(setup.chosen.public_url).hostname or "")
    elif certificate or key:
        given, missing = ("--tls-cert", "--tls-key") if certificate else ("--tls-key", "--tls-cert")
        yield Finding(TLS, PROBLEM, f"{given} is set, and {missing} is not.", "Set both, or neither.", True)


def of(certificate: Path, key: Path, host: str) -> Iterator[Finding]:
    """Yield how this pair of files is, used under that name; "" if the name is not known."""
    for file, option in ((certificate, "--tls-cert"), (key, "--tls-key")):
        if not file.is_file() or not os.access(file, os.R_OK):
            problem = "cannot be read" if file.exists() else "does not exist"
            yield Finding(TLS, PROBLEM, f"{file} ({option}) {problem}.", "Name a file that the server can read.", True)
            return
    try:
        server = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        server.load_cert_chain(certificate, key, password="")  # nobody is asked for one at the start
        until = _valid_until(server, certificate, "")
    except ssl.SSLCertVerificationError as error:
        words = {EXPIRED: ("has expired", "Renew it."), NOT_YET_VALID: ("is not valid yet", "Look at the clock.")}
        problem, mend = words.get(error.verify_code, (f"is refused: {error.verify_message}", "Get another one."))
        yield Finding(TLS, PROBLEM, f"The certificate {certificate} {problem}.", mend, True)
        return
    except (OSError, ValueError) as error:
        yield Finding(TLS, PROBLEM, *_unusable(certificate, key, error), True)
        return
    if until - time.time() < SOON:
        ends = time.strftime("%Y-%m-%d", time.gmtime(until))
        message = f"The certificate {certificate} ends on {ends}."
        yield Finding(TLS, WARNING, message, "Renew it; the new file is used without a restart.")
    else:
        yield Finding(TLS, OK, f"The certificate {certificate} and its key can be used.")
    try:
        if host:
            _valid_until(server, certificate, host)
    except ssl.SSLCertVerificationError:
        message = f"The certificate {certificate} is not for {host} (--public-url)."
        yield Finding(TLS, PROBLEM, message, "Get one for that name, or change --public-url.")
    if key.stat().st_mode & (stat.S_IROTH | stat.S_IWOTH):
        yield Finding(TLS, WARNING, f"Everybody on this machine can read {key} (--tls-key).", f"chmod o= {key}")


def _unusable(certificate: Path, key: Path, error: Exception) -> tuple[str, str]:
    reason = str(getattr(error, "reason", "") or "")
    if "MISMATCH" in reason:
        return (
            f"{key} (--tls-key) is not the key of {certificate} (--tls-cert).",
            "Name two that belong together.",
        )
    if "PASSWORD" in reason or "BAD_DECRYPT" in reason or "bad decrypt" in str(error).lower():
        return f"{key} (--tls-key) is encrypted.", "Decrypt it with openssl pkey, for the server's user alone."
    said = reason.lower().replace("_", " ") or getattr(error, "strerror", None) or type(error).__name__
    return f"{certificate} and {key} are no certificate and key: {said}.", "Name files in PEM form."


def _valid_until(server: ssl.SSLContext, certificate: Path, host: str) -> float:
    """Return when the certificate ends. Raises SSLError if a client that trusts it does not accept it for `host`."""
    client = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    client.check_hostname = bool(host)
    client.verify_flags |= ssl.VERIFY_X509_PARTIAL_CHAIN
    client.load_verify_locations(certificate)
    there, back = ssl.MemoryBIO(), ssl.MemoryBIO()
    caller = client.wrap_bio(back, there, server_hostname=host or None)
    called = server.wrap_bio(there, back, server_side=True)
    for side in (caller, called, caller):
        with contextlib.suppress(ssl.SSLWantReadError):
            side.do_handshake()
    shown = caller.getpeercert() or {}
    return float(ssl.cert_time_to_seconds(str(shown["notAfter"])))
