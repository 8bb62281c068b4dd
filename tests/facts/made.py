"""Certificates made for a test."""

from __future__ import annotations

import ipaddress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    NoEncryption,
    PrivateFormat,
)
from cryptography.x509.oid import NameOID

START = datetime(2026, 1, 1, tzinfo=UTC)


@dataclass(frozen=True)
class Made:
    """A chain and its key in PEM form, and the key locked by a password."""

    chain: bytes
    key: bytes
    locked: bytes

    def write(self, chain: Path, key: Path) -> None:
        """Write both files."""
        for path, data in ((chain, self.chain), (key, self.key)):
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(data)


def certificate(*names: str, issuer: str = "Test CA", days: int = 90) -> Made:
    """Return a certificate for DNS names and IP addresses, valid from ``START``."""
    key = ec.generate_private_key(ec.SECP256R1())
    issued_by = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, issuer)])
    leaf = (
        x509.CertificateBuilder()
        .subject_name(x509.Name([]))
        .issuer_name(issued_by)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(START)
        .not_valid_after(START + timedelta(days=days))
        .add_extension(x509.SubjectAlternativeName([_general(name) for name in names]), critical=False)
        .sign(key, hashes.SHA256())
    )

    def pem(password: bytes) -> bytes:
        encryption = BestAvailableEncryption(password) if password else NoEncryption()
        return key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, encryption)

    return Made(leaf.public_bytes(Encoding.PEM), pem(b""), pem(b"password"))


def _general(name: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ipaddress.ip_address(name))
    except ValueError:
        return x509.DNSName(name)
