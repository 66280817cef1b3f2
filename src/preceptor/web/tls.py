"""TLS certificates for servers that other machines can reach."""

import ipaddress
import ssl
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING

from preceptor.errors import InputError, Problem
from preceptor.extras import install_command
from preceptor.files import private_folder, write_atomic

if TYPE_CHECKING:
    from cryptography.x509 import GeneralName

DAYS = 90
"""Validity of a self-signed certificate: longer than a labelling round, and short if it is forgotten."""


@dataclass(frozen=True, slots=True)
class Tls:
    """The files of a certificate and its key, both PEM."""

    certificate: Path
    key: Path

    def check(self) -> None:
        """Raises `InputError` when a file is missing or no PEM file, or the key does not match the certificate."""
        missing = [path for path in (self.certificate, self.key) if not path.is_file()]
        if missing:
            fix = "Name the PEM files of a certificate and its key"
            raise InputError([Problem(str(path), "there is no such file", fix) for path in missing])
        try:
            ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER).load_cert_chain(self.certificate, self.key, password="")
        except (ssl.SSLError, OSError, ValueError) as error:
            what = f"certificate and key `{self.key.name}` cannot be used together ({type(error).__name__})"
            fix = "Both must be PEM files of one certificate, the key without a passphrase"
            raise InputError(Problem(str(self.certificate), what, fix)) from error

    def fingerprint(self) -> str:
        """SHA-256 of the certificate as browsers show it: hex bytes separated by colons."""
        first = self.certificate.read_text().split("-----END CERTIFICATE-----")[0] + "-----END CERTIFICATE-----\n"
        return sha256(ssl.PEM_cert_to_DER_cert(first[first.index("-----BEGIN") :])).digest().hex(":").upper()


def self_signed(host: str, folder: Path) -> Tls:
    """A self-signed certificate for `host`, cached in `folder` and renewed on its last day.

    Raises `InputError` when the package `cryptography` is missing.
    """
    try:
        from cryptography import x509
    except ImportError as error:
        fix = f"Install it ({install_command('label')}), or give --certificate and --key"
        raise InputError(Problem("--self-signed", "needs the package `cryptography`", fix)) from error
    tls = Tls(folder / "certificate.pem", folder / "key.pem")
    if tls.certificate.is_file() and tls.key.is_file():
        cached = x509.load_pem_x509_certificate(tls.certificate.read_bytes())
        names = cached.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
        if cached.not_valid_after_utc > datetime.now(UTC) + timedelta(days=1) and _name(host) in names:
            return tls
    _make(host, private_folder(folder), tls)
    return tls


def _make(host: str, folder: Path, tls: Tls) -> None:
    from cryptography import x509
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.hazmat.primitives.asymmetric import ec

    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "Preceptor labelling")])
    now = datetime.now(UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(hours=1))
        .not_valid_after(now + timedelta(days=DAYS))
        .add_extension(x509.SubjectAlternativeName([_name(host)]), critical=False)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    private = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    write_atomic(tls.key, private)
    write_atomic(tls.certificate, certificate.public_bytes(serialization.Encoding.PEM))


def _name(host: str) -> "GeneralName":
    from cryptography import x509

    try:
        return x509.IPAddress(ipaddress.ip_address(host))
    except ValueError:
        return x509.DNSName(host)
