"""The server's certificate: files that cannot be used, and files that change."""

from __future__ import annotations

import shutil
import ssl
from collections.abc import Callable
from datetime import datetime, timedelta, timezone
from pathlib import Path

import pytest
import trustme
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    NoEncryption,
    PrivateFormat,
    load_pem_private_key,
)
from cryptography.x509.oid import ExtendedKeyUsageOID

from agentchat import cli
from agentchat.net.certificate import Certificate, configured
from agentchat.protocol.errors import SettingsError
from tests import certificates
from tests.certificates import NAMES, Pair, authority

NOW = datetime.now(timezone.utc)
DAY = timedelta(days=1)


@pytest.fixture
def pair(tmp_path: Path) -> Pair:
    return certificates.write(tmp_path)


def refusal(pair: Pair) -> str:
    with pytest.raises(SettingsError) as error:
        Certificate(pair.certificate, pair.key)
    return str(error.value)


def serial(context: ssl.SSLContext, client: ssl.SSLContext | None = None) -> int:
    """Return the serial number of the certificate that a client is shown."""
    there, back = ssl.MemoryBIO(), ssl.MemoryBIO()
    caller = (client or certificates.trust()).wrap_bio(back, there, server_hostname="localhost")
    called = context.wrap_bio(there, back, server_side=True)
    for side in (caller, called, caller):
        try:
            side.do_handshake()
        except ssl.SSLWantReadError:
            continue
    shown = caller.getpeercert()
    assert shown is not None
    return int(str(shown["serialNumber"]), 16)


def serial_of(leaf: trustme.LeafCert) -> int:
    return x509.load_pem_x509_certificate(leaf.cert_chain_pems[0].bytes()).serial_number


# At start


def lose_certificate(pair: Pair) -> None:
    pair.certificate.unlink()


def lose_key(pair: Pair) -> None:
    pair.key.unlink()


def name_a_folder(pair: Pair) -> None:
    pair.key.unlink()
    pair.key.mkdir()


def name_a_link_to_itself(pair: Pair) -> None:
    pair.key.unlink()
    pair.key.symlink_to(pair.key)


def empty_certificate(pair: Pair) -> None:
    pair.certificate.write_bytes(b"")


def take_one_for_the_other(pair: Pair) -> None:
    shutil.copy(pair.key, pair.certificate)


def take_the_other_for_one(pair: Pair) -> None:
    shutil.copy(pair.certificate, pair.key)


def break_certificate(pair: Pair) -> None:
    pair.certificate.write_bytes(pair.certificate.read_bytes()[:200] + b"-----END CERTIFICATE-----")


def break_key(pair: Pair) -> None:
    pair.key.write_bytes(pair.key.read_bytes().replace(b"M", b"!"))


def encrypt(pair: Pair, format: PrivateFormat = PrivateFormat.PKCS8) -> None:
    key = load_pem_private_key(pair.key.read_bytes(), None)
    pair.key.write_bytes(key.private_bytes(Encoding.PEM, format, BestAvailableEncryption(b"secret")))


def encrypt_as_before(pair: Pair) -> None:
    encrypt(pair, PrivateFormat.TraditionalOpenSSL)


def take_another_key(pair: Pair) -> None:
    authority().issue_cert(*NAMES).private_key_pem.write_to_path(pair.key)


def take_a_key_of_another_kind(pair: Pair) -> None:
    authority().issue_cert(*NAMES, key_type=trustme.KeyType.RSA).private_key_pem.write_to_path(pair.key)


def put_authority_first(pair: Pair) -> None:
    pair.certificate.write_bytes(authority().cert_pem.bytes() + pair.certificate.read_bytes())


def take_an_old_one(pair: Pair) -> None:
    certificates.write(pair.key.parent, authority().issue_cert(*NAMES, not_after=NOW - DAY))


def take_one_of_tomorrow(pair: Pair) -> None:
    certificates.write(pair.key.parent, authority().issue_cert(*NAMES, not_before=NOW + DAY))


def take_one_of_a_client(pair: Pair) -> None:
    """Write a certificate that signs itself, with which only clients may show who they are."""
    key, name = ec.generate_private_key(ec.SECP256R1()), x509.Name([])
    builder = x509.CertificateBuilder(name, name, key.public_key(), 1, NOW - DAY, NOW + DAY)
    usage = x509.ExtendedKeyUsage([ExtendedKeyUsageOID.CLIENT_AUTH])
    signed = builder.add_extension(usage, critical=False).sign(key, SHA256())
    pair.certificate.write_bytes(signed.public_bytes(Encoding.PEM))
    pair.key.write_bytes(key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))


@pytest.mark.parametrize(
    ("spoil", "sentence"),
    [
        (lose_certificate, "cert.pem (--tls-cert) cannot be read: No such file or directory."),
        (lose_key, "key.pem (--tls-key) cannot be read: No such file or directory."),
        (name_a_folder, "key.pem (--tls-key) is not a file."),
        (name_a_link_to_itself, "key.pem (--tls-key) cannot be read: Too many levels of symbolic links."),
        (empty_certificate, "cert.pem (--tls-cert) holds no certificate in PEM format"),
        (take_one_for_the_other, "cert.pem (--tls-cert) holds no certificate in PEM format"),
        (take_the_other_for_one, "key.pem (--tls-key) holds no private key in PEM format"),
        (break_certificate, "cert.pem (--tls-cert) holds a broken certificate"),
        (break_key, "key.pem (--tls-key) cannot be used"),
        (encrypt, "key.pem (--tls-key) is encrypted"),
        (encrypt_as_before, "key.pem (--tls-key) is encrypted"),
        (take_another_key, "key.pem (--tls-key) is not the key of"),
        (take_a_key_of_another_kind, "key.pem (--tls-key) is not the key of"),
        (put_authority_first, "key.pem (--tls-key) is not the key of"),
        (take_an_old_one, "cert.pem (--tls-cert) has expired. Renew it."),
        (take_one_of_tomorrow, "cert.pem (--tls-cert) is not valid yet. Look at this machine's clock."),
        (take_one_of_a_client, "cert.pem (--tls-cert) is not one that clients accept"),
    ],
)
def test_files_that_cannot_be_used(pair: Pair, spoil: Callable[[Pair], None], sentence: str) -> None:
    """Each is an error of one line that names the file and the option."""
    spoil(pair)
    said = refusal(pair)
    assert sentence in said
    assert "\n" not in said


@pytest.mark.parametrize("missing", ["--tls-key", "--tls-cert"])
def test_both_or_neither(pair: Pair, missing: str, capsys: pytest.CaptureFixture[str]) -> None:
    """One without the other, like everything else that cannot be used, ends the command with status 2."""
    given = [word for word in pair.options if word.startswith("--") and word != missing]
    assert cli.main(["demo", "--port", "0", *given, str(pair.certificate)]) == 2
    assert f"{given[0]} needs {missing} as well" in capsys.readouterr().err
    assert configured("", "") is None


def test_the_exit_status(pair: Pair, capsys: pytest.CaptureFixture[str]) -> None:
    pair.key.unlink()
    assert cli.main(["demo", "--port", "0", "--ws-port", "0", *pair.options]) == 2
    said = capsys.readouterr().err
    assert said.startswith("agentchat: ")
    assert said.count("\n") == 1


def test_certificates_that_can_be_used(tmp_path: Path) -> None:
    """It may sign itself, come with intermediate ones, and share a file with its key."""
    between = authority().create_child_ca()
    for authority_ in (between, trustme.CA()):
        pair = certificates.write(tmp_path, authority_.issue_cert(*NAMES))
        Certificate(pair.certificate, pair.key)
    both = tmp_path / "both.pem"
    both.write_bytes(pair.key.read_bytes() + pair.certificate.read_bytes())
    Certificate(both, both)


# While it runs


def test_files_that_are_replaced(pair: Pair, caplog: pytest.LogCaptureFixture) -> None:
    """A new pair is used as soon as it can be; one that cannot is noted once, and the old one goes on."""
    caplog.set_level("INFO")
    certificate = Certificate(pair.certificate, pair.key)
    first = certificate.context()
    assert certificate.context() is first

    leaf = authority().issue_cert(*NAMES)
    pair.certificate.write_bytes(b"".join(part.bytes() for part in leaf.cert_chain_pems))
    for _ in range(3):
        assert certificate.context() is first
    assert [record.levelname for record in caplog.records] == ["WARNING"]
    assert "is not the key of" in caplog.text

    leaf.private_key_pem.write_to_path(pair.key)
    assert serial(certificate.context()) == serial_of(leaf)
    assert [record.levelname for record in caplog.records] == ["WARNING", "INFO"]

    pair.key.unlink()
    for _ in range(3):
        assert serial(certificate.context()) == serial_of(leaf)
    assert [record.levelname for record in caplog.records] == ["WARNING", "INFO", "WARNING"]


def test_links_that_are_turned(tmp_path: Path) -> None:
    """Certbot keeps old pairs, and turns symbolic links to the newest; so does a mounted Kubernetes secret."""
    folders = [tmp_path / "1", tmp_path / "2"]
    leaves = [authority().issue_cert(*NAMES) for _ in folders]
    for folder, leaf in zip(folders, leaves, strict=True):
        folder.mkdir()
        certificates.write(folder, leaf)
    link = tmp_path / "live"
    link.symlink_to(folders[0])
    certificate = Certificate(link / "cert.pem", link / "key.pem")
    assert serial(certificate.context()) == serial_of(leaves[0])
    link.unlink()
    link.symlink_to(folders[1])
    assert serial(certificate.context()) == serial_of(leaves[1])
