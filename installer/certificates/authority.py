"""A local authority for trying things out: certificates that nobody trusts, marked as such everywhere.

The keys stay when a certificate is made anew: each file is replaced in one step and always fits the other.
"""

from __future__ import annotations

import os
import stat
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID

from palpo_installer import naming
from palpo_installer.answers import CertificateFiles
from palpo_installer.certificates import store
from palpo_installer.errors import HostError
from palpo_installer.host import Host
from palpo_installer.layout import Layout
from palpo_installer.operations.paths import fsync_directory

AUTHORITY_NAME = "palpo-installer local authority, for trying out only"
LEAF_NAME = "palpo-installer certificate, for trying out only"
AUTHORITY_LIFETIME = timedelta(days=3650)
LEAF_LIFETIME = timedelta(days=90)
BACKDATED = timedelta(hours=1)
"""Clocks differ; a certificate that begins now is refused by a client that is a minute behind."""


def authority_files(layout: Layout) -> CertificateFiles:
    """Return the authority's own certificate and key."""
    return CertificateFiles(layout.authority / "authority.pem", layout.authority / "authority.key")


def issue(name: str, layout: Layout) -> CertificateFiles:
    """Make a certificate for a name, and what is missing of the authority, and return where it is.

    Args:
        name: a host name or IP literal.
        layout: where the authority lies.

    Raises:
        HostError: a file cannot be written, or a key that is there cannot be read.
    """
    files = store.self_signed(layout, name)
    try:
        for directory in (layout.authority, files.chain.parent):
            directory.parent.mkdir(mode=0o755, parents=True, exist_ok=True)
            directory.mkdir(mode=0o700, exist_ok=True)
        issuer_key, issuer = _authority(authority_files(layout))
        key = _key(files.key)
        leaf = _leaf(name, key.public_key(), issuer).sign(issuer_key, hashes.SHA256())
        _write(files.chain, _pem(leaf) + _pem(issuer))
    except OSError as error:
        raise HostError(f"cannot be written: {error.strerror}", where=str(error.filename or files.chain)) from error
    return files


def problem(host: Host, name: str, now: datetime) -> str:
    """Return why a name needs a new certificate of the authority, empty when it needs none.

    Raises:
        HostError: the files are there and cannot be read.
    """
    return store.usable(store.read(host, store.self_signed(host.layout, name)), name, now)


def _authority(files: CertificateFiles) -> tuple[ec.EllipticCurvePrivateKey, x509.Certificate]:
    key = _key(files.key)
    now = datetime.now(UTC)
    if files.chain.exists():
        certificate = x509.load_pem_x509_certificate(files.chain.read_bytes())
        fits = certificate.public_key() == key.public_key()
        if fits and certificate.not_valid_after_utc > now + LEAF_LIFETIME:
            return key, certificate
    subject = _subject(AUTHORITY_NAME)
    usage = _usage(key_cert_sign=True, crl_sign=True)
    certificate = (
        _builder(subject, subject, key.public_key(), now + AUTHORITY_LIFETIME)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(usage, critical=True)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
        .sign(key, hashes.SHA256())
    )
    _write(files.chain, _pem(certificate))
    return key, certificate


def _leaf(name: str, key: ec.EllipticCurvePublicKey, issuer: x509.Certificate) -> x509.CertificateBuilder:
    """Return a server certificate (RFC 5280; the name stands in subjectAltName alone, RFC 9525)."""
    bare = store.bare(name)
    identity: x509.GeneralName = x509.IPAddress(ip_address(bare)) if naming.is_literal(name) else x509.DNSName(bare)
    vouches = issuer.extensions.get_extension_for_class(x509.SubjectKeyIdentifier).value
    return (
        _builder(_subject(LEAF_NAME), issuer.subject, key, datetime.now(UTC) + LEAF_LIFETIME)
        .add_extension(x509.SubjectAlternativeName([identity]), critical=False)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(_usage(digital_signature=True), critical=True)
        .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), critical=False)
        .add_extension(x509.AuthorityKeyIdentifier.from_issuer_subject_key_identifier(vouches), critical=False)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key), critical=False)
    )


def _builder(
    subject: x509.Name, issuer: x509.Name, key: ec.EllipticCurvePublicKey, end: datetime
) -> x509.CertificateBuilder:
    begin = datetime.now(UTC) - BACKDATED
    return x509.CertificateBuilder(issuer, subject, key, x509.random_serial_number(), begin, end)


def _subject(common_name: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, common_name)])


def _usage(*, digital_signature: bool = False, key_cert_sign: bool = False, crl_sign: bool = False) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=digital_signature,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        key_cert_sign=key_cert_sign,
        crl_sign=crl_sign,
        encipher_only=False,
        decipher_only=False,
    )


def _key(path: Path) -> ec.EllipticCurvePrivateKey:
    """Return the key in a file, made where there is none."""
    if path.exists():
        try:
            key = serialization.load_pem_private_key(path.read_bytes(), password=None)
        except (ValueError, TypeError) as error:
            raise HostError("is no private key", where=str(path), next="Remove the file, then try again") from error
        if isinstance(key, ec.EllipticCurvePrivateKey):
            return key
        raise HostError("is no key of ours", where=str(path), next="Remove the file, then try again")
    new = ec.generate_private_key(ec.SECP256R1())
    form = (serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    _write(path, new.private_bytes(*form))
    return new


def _pem(certificate: x509.Certificate) -> bytes:
    return certificate.public_bytes(serialization.Encoding.PEM)


def _write(path: Path, data: bytes) -> None:
    """Write a file for root alone, or for the group that may read the one before it, in one step."""
    former = path.stat() if path.exists() else None
    temporary = path.with_name(f".{path.name}.new")
    temporary.unlink(missing_ok=True)
    descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    with os.fdopen(descriptor, "wb") as file:
        file.write(data)
        file.flush()
        if former is not None:
            os.fchown(descriptor, -1, former.st_gid)
            os.fchmod(descriptor, stat.S_IMODE(former.st_mode) & 0o640)
        os.fsync(descriptor)
    temporary.rename(path)
    fsync_directory(path.parent)
