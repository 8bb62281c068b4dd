"""Where Caddy keeps the certificates that it orders. See caddyserver.com, "Conventions", "Data directory".

Below the directory they lie by authority and name (certmagic, ``KeyBuilder`` and ``issuerKey``):
``certificates/acme-v02.api.letsencrypt.org-directory/example.com/example.com.crt``.
"""

from __future__ import annotations

import pwd
import re
from collections.abc import Mapping
from pathlib import Path
from urllib.parse import urlsplit

from palpo_installer.answers import CertificateFiles
from palpo_installer.proxies.caddy.tree import Segment

UNSAFE = re.compile(r"[^\w@.-]")


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
    place = Path(directory) / "certificates" / _safe(_issuer(authority)) / _safe(name)
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
