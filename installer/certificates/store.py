"""Where the certificate of each name lies, and whether it can be used."""

from __future__ import annotations

import re
from datetime import datetime
from pathlib import Path
from urllib.parse import urlsplit

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm

from palpo_installer.answers import CertificateFiles, Certificates, Method
from palpo_installer.errors import AnswersError
from palpo_installer.facts.certificates import Certificate, parse
from palpo_installer.host import Host
from palpo_installer.layout import Layout

REMAINING = 1 / 3
"""The share of its lifetime below which a certificate is due; certbot renews at the same point."""


def bare(name: str) -> str:
    """Return a name as certificates carry it: in lower case, an IPv6 literal without its brackets."""
    return name.strip("[]").lower()


def lineage(name: str) -> str:
    """Return certbot's name for the certificate of one name; each has its own, so that none keeps another back."""
    return f"palpo-{bare(name).replace(':', '-')}"


def paths(certificates: Certificates, layout: Layout, name: str) -> CertificateFiles:
    """Return where the certificate of a name is, or will be once it is ordered.

    Raises:
        AnswersError: the answers have no files for this name, or the proxy keeps its certificates itself.
    """
    match certificates.method:
        case Method.HTTP_01 | Method.DNS_01:
            return ordered(layout, name)
        case Method.SELF_SIGNED:
            return self_signed(layout, name)
        case Method.FILES | Method.PROXY if name in certificates.files:
            return certificates.files[name]
        case Method.FILES:
            key = f'certificates.files."{name}"'
            raise AnswersError("this name has no certificate", where=key, next="Add the paths of its chain and its key")
        case Method.PROXY:
            raise AnswersError("the proxy keeps its certificates itself", where="certificates.method")


def ordered(layout: Layout, name: str) -> CertificateFiles:
    """Return the files that certbot keeps; stable by its promise (certbot, "Backwards Compatibility")."""
    return _pair(layout.acme / "live" / lineage(name))


def self_signed(layout: Layout, name: str) -> CertificateFiles:
    """Return the files that the local authority keeps."""
    return _pair(layout.authority / bare(name).replace(":", "-"))


def read(host: Host, files: CertificateFiles) -> Certificate | None:
    """Return the certificate in these files, None where there is none, or a broken one.

    Raises:
        HostError: the chain or the key is there and cannot be read.
    """
    chain = host.read(files.chain)
    if chain is None:
        return None
    try:
        return parse(chain, host.read(files.key), files.chain, files.key)
    except (ValueError, UnsupportedAlgorithm, x509.DuplicateExtension):
        return None


def usable(certificate: Certificate | None, name: str, now: datetime, remaining: float = REMAINING) -> str:
    """Return why a certificate cannot be shown for a name, empty when it can.

    Args:
        certificate: None where there is none.
        name: a host name or IP literal.
        now: the time, with its zone.
        remaining: the share of its lifetime that must be left; 0 for "not expired".
    """
    if certificate is None:
        return "there is no certificate"
    lifetime = certificate.not_after - certificate.not_before
    end = f"{certificate.not_after:%Y-%m-%d %H:%M} UTC"
    problems = (
        (not certificate.covers(bare(name)), f"it is for {', '.join(certificate.names)} and not for {bare(name)}"),
        (not certificate.matches_key, f"the key in {certificate.key} is missing or not its own"),
        (now < certificate.not_before, f"it is not valid before {certificate.not_before:%Y-%m-%d %H:%M} UTC"),
        (now >= certificate.not_after, f"it expired at {end}"),
        (certificate.not_after - now < lifetime * remaining, f"it is due for renewal: it expires at {end}"),
    )
    return next((why for holds, why in problems if holds), "")


def issued_by(host: Host, layout: Layout, name: str) -> str:
    """Return the URL of the directory that a name's lineage was ordered from, empty where it is not known.

    Certbot does not promise the form of this file, so nothing may rest on an answer being there.
    """
    text = host.text(layout.acme / "renewal" / f"{lineage(name)}.conf") or ""
    found = re.search(r"^server\s*=\s*(\S+)\s*$", text, re.MULTILINE)
    return found[1] if found else ""


def account(host: Host, layout: Layout, directory: str) -> str:
    """Return the URL of the account that orders from a directory, empty where there is none or it is not known.

    As with ``issued_by``, nothing may rest on an answer being there.
    """
    url = urlsplit(directory)
    base = layout.acme / "accounts" / url.netloc / url.path.strip("/")
    found = (re.search(r'"uri":\s*"([^"]+)"', host.text(base / each / "regr.json") or "") for each in host.names(base))
    urls = {match[1] for match in found if match}
    return urls.pop() if len(urls) == 1 else ""


def _pair(directory: Path) -> CertificateFiles:
    return CertificateFiles(directory / "fullchain.pem", directory / "privkey.pem")
