"""Is the certificate that an address shows valid for its name, fresh, and the one on disk?"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import NameOID

from palpo_installer.answers import Answers, Method
from palpo_installer.certificates.store import paths
from palpo_installer.errors import HostError
from palpo_installer.host import Host
from palpo_installer.layout import Layout
from palpo_installer.site import Site
from palpo_installer.verify.report import Check, failed, passed
from palpo_installer.verify.trust import INCOMPLETE
from palpo_installer.verify.view import Contact, Endpoint, View

NAME = "certificate"


def installed_chains(answers: Answers, site: Site, layout: Layout) -> Mapping[str, Path]:
    """Return the PEM file of each name's certificate; none for those that the proxy itself orders and keeps."""
    certificates = answers.certificates
    known = (
        name
        for name in site.certificates
        if name not in site.managed and (certificates.method is not Method.FILES or name in certificates.files)
    )
    return {name: paths(certificates, layout, name).chain for name in known}


def check_certificates(view: View, contacts: Mapping[Endpoint, Contact]) -> tuple[Check, ...]:
    """Return a check for each address that leads here; one that leads elsewhere is a failed connection already."""
    return tuple(
        _check(view, contact, address)
        for contact in contacts.values()
        if contact.endpoint.tls
        for address in contact.doors
    )


def _check(view: View, contact: Contact, address: str) -> Check:
    endpoint = contact.endpoint
    objection = view.objection(endpoint, address)
    there = view.chains.get(endpoint.name) if endpoint.ours and view.is_own(address) else None
    disk = leaf_on_disk(view.host, there) if there else None
    local = endpoint.name in view.site.certificates and view.answers.certificates.method is Method.SELF_SIGNED
    shown = contact.leaf(address)
    cure = _cure(view, endpoint)
    return judge(endpoint, address, shown, objection, disk, now=datetime.now(UTC), local=local, cure=cure)


RENEW = "Put the certificate of {name} with its whole chain in place (`palpo-installer renew`)"
"""What helps where the certificate is one that we order or make."""

UNKNOWN = (
    "It is the one that was ordered, with its whole chain: its authority is not trusted on this host. For one of your "
    "own, look again with `palpo-installer verify --trust FILE`, FILE with its root. One for trying out is trusted by "
    "nobody: order from another, certificates.directory"
)
"""What helps where another order at the same authority would change nothing."""

THEIRS = "Put a certificate of {name} with its whole chain in place where this site has it, and reload what serves it"
"""What helps where somebody else keeps the certificate."""


def _cure(view: View, endpoint: Endpoint) -> str:
    certificates = view.answers.certificates
    ordered = endpoint.name in view.site.certificates and certificates.method not in {Method.FILES, Method.PROXY}
    return RENEW if ordered else THEIRS


def leaf_on_disk(host: Host, chain: Path) -> bytes | None:
    """Return the first certificate of a PEM file in DER form, None where it cannot be read."""
    try:
        return x509.load_pem_x509_certificates(host.read(chain) or b"")[0].public_bytes(Encoding.DER)
    except (HostError, ValueError):
        return None


def judge(
    endpoint: Endpoint,
    address: str,
    shown: bytes,
    objection: str,
    disk: bytes | None,
    *,
    now: datetime,
    local: bool,
    cure: str = RENEW,
) -> Check:
    """Return what the certificate ``shown`` is worth: a leaf in DER form, empty where none came.

    ``objection`` says why a client would not trust it, ``disk`` is the leaf that should be shown (None where that
    is not known), and ``local`` says that the local authority issued it, which nobody else trusts. ``cure`` is what
    to do about a certificate that nobody accepts.
    """
    subject = f"{endpoint} at {address}"
    leaf = _leaf(shown)
    if objection or leaf is None:
        described = f" It is for {_names(leaf)}, from {_issuer(leaf)}, until {_end(leaf)}." if leaf else ""
        said = f"Nobody would accept its certificate: {objection or 'it cannot be read'}.{described}"
        cure = UNKNOWN if cure == RENEW and objection == INCOMPLETE and disk == shown else cure
        elsewhere = "" if disk == shown else ", and look whether another site of the proxy takes this name"
        return failed(NAME, subject, said, f"{cure.format(name=endpoint.name)}{elsewhere}.")
    if disk is not None and disk != shown:
        return failed(
            NAME,
            subject,
            f"The certificate shown (until {_end(leaf)}) is not the one on disk ({_both(disk)}).",
            "Reload the proxy: it still serves the certificate from before the last renewal.",
        )
    left = leaf.not_valid_after_utc - now
    if left < due(leaf):
        return failed(
            NAME,
            subject,
            f"Its certificate ends in {left.days} days and was not renewed.",
            "Run `palpo-installer renew` and read what it says.",
        )
    words = f"Valid for {endpoint.name}, {left.days} days left, from {_issuer(leaf)}"
    if local:
        words += "; for trying out only: the local authority issued it, which no other server or client trusts"
    return passed(NAME, subject, f"{words}{'; the one on disk' if disk else ''}.")


def due(leaf: x509.Certificate) -> timedelta:
    """Return the rest of its life at which renewal has failed for long: a tenth of it, two weeks at most."""
    return min((leaf.not_valid_after_utc - leaf.not_valid_before_utc) / 10, timedelta(days=14))


def _leaf(der: bytes) -> x509.Certificate | None:
    try:
        return x509.load_der_x509_certificate(der)
    except ValueError:
        return None


def _both(disk: bytes) -> str:
    leaf = _leaf(disk)
    return f"until {_end(leaf)}" if leaf else "which cannot be read"


def _end(leaf: x509.Certificate) -> str:
    return f"{leaf.not_valid_after_utc:%Y-%m-%d}"


def _issuer(leaf: x509.Certificate) -> str:
    for oid in (NameOID.COMMON_NAME, NameOID.ORGANIZATION_NAME):
        for attribute in leaf.issuer.get_attributes_for_oid(oid):
            return str(attribute.value)
    return "an authority without a name"


def _names(leaf: x509.Certificate) -> str:
    try:
        found = leaf.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    except (x509.ExtensionNotFound, ValueError):
        return "no name"
    return ", ".join(str(name.value) for name in list(found)[:4]) or "no name"
