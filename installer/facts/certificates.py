"""Certificates on disk."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat, load_pem_private_key
from cryptography.x509.oid import NameOID

from palpo_installer.errors import HostError
from palpo_installer.host import Host
from palpo_installer.proxies.found import Proxy


@dataclass(frozen=True)
class Certificate:
    """A certificate chain on disk whose private key was found beside it.

    Attributes:
        chain: the PEM file with the leaf first.
        key: the PEM file of its private key.
        names: DNS names and IP addresses of the leaf's subjectAltName, lower case.
        issuer: common name, or organisation, of the leaf's issuer.
        sha256: fingerprint of the leaf's DER form, lower-case hex.
        not_before: start of validity, UTC.
        not_after: end of validity, UTC.
        matches_key: whether the key belongs to the leaf; None where the key could not be read.
    """

    chain: Path
    key: Path
    names: tuple[str, ...]
    issuer: str
    sha256: str
    not_before: datetime
    not_after: datetime
    matches_key: bool | None

    def covers(self, name: str) -> bool:
        """Return whether the leaf is valid for a name (RFC 6125: one label for a leading ``*``)."""
        parent = name.partition(".")[2]
        return name.lower() in self.names or f"*.{parent.lower()}" in self.names


def read(host: Host, proxies: Sequence[Proxy], note: Callable[[str], None]) -> tuple[Certificate, ...]:
    """Return the certificates that are there, by place; ``note`` takes a sentence for each that cannot be read.

    Looked at are our own lineages, the local authority's certificates, those of a certbot of the system, and
    what the proxies name.
    """
    found = []
    for chain, key in dict.fromkeys((*_lineages(host, note), *_of_proxies(proxies, note))):
        try:
            data = host.read(chain)
            if data is None:
                note(f"{chain}: the certificate is missing.")
            elif host.status(key) is None and host.is_root:
                note(f"{key}: the private key of {chain} is missing.")
            else:
                found.append(parse(data, _key(host, key, note), chain, key))
        except HostError as error:
            note(f"{error}.")
        except (ValueError, UnsupportedAlgorithm, x509.DuplicateExtension) as error:
            note(f"{chain}: no certificate can be read from it ({error}).")
    return tuple(found)


def _key(host: Host, path: Path, note: Callable[[str], None]) -> bytes | None:
    try:
        return host.read(path)
    except HostError as error:
        note(f"{error}.")
        return None


def _lineages(host: Host, note: Callable[[str], None]) -> Iterator[tuple[Path, Path]]:
    layout = host.layout
    for directory in (layout.acme / "live", layout.authority, layout.at("/etc/letsencrypt/live")):
        names = host.names(directory)
        if not names and not host.is_root and host.status(directory.parent) is not None:
            note(f"{directory}: only root can look for certificates there.")
        for name in names:
            chain, key = directory / name / "fullchain.pem", directory / name / "privkey.pem"
            if host.status(chain) is not None:
                yield chain, key


def _of_proxies(proxies: Sequence[Proxy], note: Callable[[str], None]) -> Iterator[tuple[Path, Path]]:
    for server in (server for proxy in proxies for server in proxy.servers):
        for chain, key in zip(server.certificates, server.keys, strict=False):
            if chain.startswith("/") and key.startswith("/") and "$" not in chain + key:
                yield Path(chain), Path(key)
            else:
                note(f"{server.file}:{server.line}: the certificate {chain[:40]} is none of a fixed file.")


def parse(chain: bytes, key: bytes | None, chain_path: Path, key_path: Path) -> Certificate:
    """Return the certificate of a PEM chain and its key, None for a key that could not be read.

    Raises:
        ValueError: there is no certificate in the chain, or a broken one.
        UnsupportedAlgorithm: of a kind we do not know.
        x509.DuplicateExtension: it breaks RFC 5280.
    """
    leaf = x509.load_pem_x509_certificates(chain)[0]
    return Certificate(
        chain=chain_path,
        key=key_path,
        names=_names(leaf),
        issuer=_issuer(leaf.issuer),
        sha256=leaf.fingerprint(hashes.SHA256()).hex(),
        not_before=leaf.not_valid_before_utc,
        not_after=leaf.not_valid_after_utc,
        matches_key=None if key is None else _matches(leaf, key),
    )


def _names(leaf: x509.Certificate) -> tuple[str, ...]:
    try:
        names = leaf.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    except x509.ExtensionNotFound:
        return ()
    addresses = [str(address) for address in names.get_values_for_type(x509.IPAddress)]
    return tuple(name.lower() for name in (*names.get_values_for_type(x509.DNSName), *addresses))


def _issuer(name: x509.Name) -> str:
    for kind in (NameOID.COMMON_NAME, NameOID.ORGANIZATION_NAME):
        for attribute in name.get_attributes_for_oid(kind):
            return str(attribute.value)
    return name.rfc4514_string()


def _matches(leaf: x509.Certificate, key: bytes) -> bool | None:
    """Return whether a key is the leaf's, None where it is locked by a password; a broken key is not."""
    try:
        private = load_pem_private_key(key, password=None)
    except TypeError:
        return None
    except (ValueError, UnsupportedAlgorithm):
        return False
    form = (Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    return private.public_key().public_bytes(*form) == leaf.public_key().public_bytes(*form)
