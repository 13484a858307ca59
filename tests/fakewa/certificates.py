"""A throw-away certificate authority and a certificate for web.whatsapp.com, for the TLS leg on loopback."""

from __future__ import annotations

import datetime as dt
import ssl
from pathlib import Path
from typing import NamedTuple

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

HOSTS = ("web.whatsapp.com", "mmg.whatsapp.net", "pps.whatsapp.net", "localhost")


class TlsIdentity(NamedTuple):
    authority: Path
    """PEM file of the authority, for ``SSL_CERT_FILE``."""
    context: ssl.SSLContext
    """The server's side."""


def _builder(
    subject: str, issuer: str, key: ec.EllipticCurvePublicKey, extension: x509.ExtensionType
) -> x509.CertificateBuilder:
    now = dt.datetime.now(dt.UTC)
    return (
        x509.CertificateBuilder()
        .subject_name(x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, subject)]))
        .issuer_name(x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, issuer)]))
        .public_key(key)
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - dt.timedelta(hours=1))
        .not_valid_after(now + dt.timedelta(days=2))
        .add_extension(extension, critical=isinstance(extension, x509.BasicConstraints))
    )


def make(folder: Path) -> TlsIdentity:
    """Write ``ca.pem``, ``server.pem`` and ``server.key`` into ``folder`` (created when absent)."""
    folder.mkdir(parents=True, exist_ok=True)
    name = "Atende test authority"
    ca_key, key = (ec.generate_private_key(ec.SECP256R1()) for _ in range(2))
    authority = _builder(name, name, ca_key.public_key(), x509.BasicConstraints(ca=True, path_length=None))
    names = x509.SubjectAlternativeName([x509.DNSName(host) for host in HOSTS])
    certificate = _builder(HOSTS[0], name, key.public_key(), names)

    pem = serialization.Encoding.PEM
    ca_file, certificate_file, key_file = folder / "ca.pem", folder / "server.pem", folder / "server.key"
    ca_file.write_bytes(authority.sign(ca_key, hashes.SHA256()).public_bytes(pem))
    certificate_file.write_bytes(certificate.sign(ca_key, hashes.SHA256()).public_bytes(pem))
    key_file.write_bytes(key.private_bytes(pem, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate_file, key_file)
    return TlsIdentity(ca_file, context)
