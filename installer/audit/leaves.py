"""The certificates that a configuration names: what stands in the files, and whether the key fits."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.x509.oid import AuthorityInformationAccessOID

from palpo_installer.audit.finding import Unread
from palpo_installer.errors import HostError
from palpo_installer.facts import certificates
from palpo_installer.facts.certificates import Certificate
from palpo_installer.host import Host


@dataclass(frozen=True)
class Leaf:
    """What a certificate file holds.

    Attributes:
        certificate: its leaf; None where there is none, for ``problem``.
        length: how many certificates stand in it.
        intermediate: whether its issuer is a certificate that has to be fetched (RFC 5280, 4.2.2.1, caIssuers).
        fuller: a file beside it that has the same leaf and its chain; None for none.
        problem: why there is no leaf; empty when there is one.
    """

    certificate: Certificate | None
    length: int = 0
    intermediate: bool = False
    fuller: Path | None = None
    problem: str = ""


def placed(host: Host, path: str) -> Path:
    """Return where a file that a configuration names is under the layout."""
    root = host.layout.root
    return Path(path) if Path(path).is_relative_to(root) else host.layout.at(path)


def read(host: Host, chain: str, key: str, note: Callable[[Unread], None]) -> Leaf | None:
    """Return what a certificate file holds; None, and a note, where we may not read it."""
    path = placed(host, chain)
    try:
        data = host.read(path)
    except HostError as error:
        note(Unread(f"the certificate {chain}", error.what, "Run the audit as root"))
        return None
    if data is None:
        return _missing(host, chain, note)
    try:
        private = host.read(placed(host, key)) if key else None
    except HostError as error:
        note(Unread(f"the private key {key}", error.what, "Run the audit as root"))
        private = None
    try:
        found = certificates.parse(data, private, Path(chain), Path(key))
        bundle = x509.load_pem_x509_certificates(data)
    except (ValueError, UnsupportedAlgorithm, x509.DuplicateExtension):
        return Leaf(None, problem="no certificate can be read from it")
    return Leaf(found, len(bundle), _fetched_issuer(bundle[0]), _fuller(host, path, bundle[0]))


def _missing(host: Host, chain: str, note: Callable[[Unread], None]) -> Leaf | None:
    if host.is_root:
        return Leaf(None, problem="the file is missing")
    # Without root a directory that we may not enter looks like one that is not there.
    note(Unread(f"the certificate {chain}", "it is not there, or not for us to see", "Run the audit as root"))
    return None


def _fetched_issuer(leaf: x509.Certificate) -> bool:
    try:
        access = leaf.extensions.get_extension_for_class(x509.AuthorityInformationAccess).value
    except (x509.ExtensionNotFound, x509.DuplicateExtension, ValueError):
        return False
    return any(each.access_method == AuthorityInformationAccessOID.CA_ISSUERS for each in access)


def _fuller(host: Host, path: Path, leaf: x509.Certificate) -> Path | None:
    """Return the ``fullchain.pem`` beside a file, where it begins with the same leaf."""
    beside = path.with_name("fullchain.pem")
    try:
        data = host.read(beside) if beside != path else None
        first = x509.load_pem_x509_certificates(data)[0] if data else None
    except (HostError, ValueError):
        return None
    return beside if first == leaf else None
