"""Where Caddy keeps the certificates that it orders. See caddyserver.com, "Conventions", "Data directory".

Below the directory they lie by authority and name (certmagic, ``KeyBuilder`` and ``issuerKey``):
``certificates/acme-v02.api.letsencrypt.org-directory/example.com/example.com.crt``.
"""

from __future__ import annotations

import pwd
import re
from collections.abc import Iterator, Mapping
from datetime import datetime
from pathlib import Path
from urllib.parse import urlsplit

from cryptography import x509

from palpo_installer.answers import CertificateFiles
from palpo_installer.errors import HostError
from palpo_installer.host import Host
from palpo_installer.proxies.caddy.tree import Segment

UNSAFE = re.compile(r"[^\w@.-]")
CERTIFICATES = "certificates"
LOCAL = "local"
"""The authority that Caddy itself is; nobody else trusts it."""


def directory_of(options: Segment | None, environment: Mapping[str, str], user: str) -> str:
    """Return Caddy's directory, empty where it keeps certificates in something else than files.

    Args:
        options: the block of global options, None where there is none.
        environment: of the running process, empty where it is stopped.
        user: the account that it runs as.
    """
    given = next(iter(options.all("storage")), None) if options else None
    if given is not None:
        if given.arguments[:1] != ("file_system",):
            return ""
        roots = (*given.arguments[1:], *(word for each in given.all("root") for word in each.arguments))
        if roots:
            return roots[0]
    if data := environment.get("XDG_DATA_HOME"):
        return str(Path(data) / "caddy")
    home = environment.get("HOME") or _home(user)
    return str(Path(home) / ".local/share/caddy") if home else ""


def kept(directory: str, authority: str, name: str) -> CertificateFiles:
    """Return the files of a name's certificate.

    Args:
        directory: Caddy's own.
        authority: the URL of the ACME directory that it is ordered from.
        name: a host name.
    """
    return _of(Path(directory) / CERTIFICATES / _safe(_issuer(authority)), name)


def newest(host: Host, directory: str, name: str) -> CertificateFiles | None:
    """Return the files of the certificate that Caddy has for a name, None where it has none of an authority.

    Where it has one of several authorities, it shows the one that was issued last (certmagic,
    ``loadCertResourceAnyIssuer``).

    Args:
        host: for looks at the files.
        directory: Caddy's own.
        name: a host name.
    """
    issued = dict(_issued(host, directory, name))
    return issued[max(issued)] if issued else None


def _issued(host: Host, directory: str, name: str) -> Iterator[tuple[datetime, CertificateFiles]]:
    place = Path(directory) / CERTIFICATES
    for authority in host.names(place):
        files = _of(place / authority, name)
        try:
            data = host.read(files.chain) if authority != LOCAL else None
            if data is not None:
                yield x509.load_pem_x509_certificate(data).not_valid_before_utc, files
        except (HostError, ValueError):
            continue


def holds(directory: str, file: Path) -> bool:
    """Return whether a file is a certificate that Caddy orders and renews itself."""
    return bool(directory) and file.is_relative_to(Path(directory) / CERTIFICATES)


def directory_with(files: CertificateFiles) -> str:
    """Return Caddy's directory with a certificate that it keeps."""
    return str(files.chain.parents[3])


def _of(authority: Path, name: str) -> CertificateFiles:
    place = authority / _safe(name)
    return CertificateFiles(place / f"{place.name}.crt", place / f"{place.name}.key")


def _issuer(authority: str) -> str:
    url = urlsplit(authority)
    path = re.sub(r"[/\\]", "-", url.path).strip("-")
    return f"{url.netloc}-{path}" if path else url.netloc


def _safe(key: str) -> str:
    """Return a key as a file name (certmagic, ``KeyBuilder.Safe``)."""
    words = (" ", "_"), ("+", "_plus_"), ("*", "wildcard_"), (":", "-"), ("..", "")
    text = key.strip().lower()
    for one, other in words:
        text = text.replace(one, other)
    return UNSAFE.sub("", text)


def _home(user: str) -> str:
    try:
        return pwd.getpwnam(user or "root").pw_dir
    except KeyError:
        return ""
