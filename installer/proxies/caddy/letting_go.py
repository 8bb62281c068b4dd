"""Letting Caddy forget a certificate that it has in memory, and go on showing it, so that it orders another one.

Caddy forgets what a configuration that it takes up has no use for (caddytls, ``TLS.Cleanup``). So for a moment it has
one in which the name is managed by nobody, and the certificate is one of files.
"""

from __future__ import annotations

import json
from collections.abc import Iterator

from palpo_installer.answers import CertificateFiles
from palpo_installer.proxies.caddy.documents import at, listed, section

HTTP_PORT = 80


def is_managed(document: dict[str, object], name: str) -> bool:
    """Return whether a site with TLS has a name, so that Caddy may have a certificate for it."""
    return any(name in _hosts(each) for each in _with_tls(document))


def without(document: dict[str, object], name: str, shown: CertificateFiles | None) -> dict[str, object]:
    """Return a configuration in which nobody manages a name's certificate; the given one stays.

    Args:
        document: what Caddy runs with.
        name: a host name.
        shown: what it shows for the name meanwhile, None for nothing.
    """
    copy: dict[str, object] = json.loads(json.dumps(document))
    for server in _with_tls(copy):
        listed(section(server, "automatic_https"), "skip_certificates").append(name)
    if shown is not None:
        certificates = section(section(section(copy, "apps"), "tls"), "certificates")
        listed(certificates, "load_files").append({"certificate": str(shown.chain), "key": str(shown.key)})
    return copy


def _with_tls(document: dict[str, object]) -> Iterator[dict[str, object]]:
    http = at(at(document, "apps"), "http")
    plain = f":{http.get('http_port', HTTP_PORT)}"
    for server in at(http, "servers").values():
        if isinstance(server, dict) and not all(str(each).endswith(plain) for each in server.get("listen", ())):
            yield server


def _hosts(value: object) -> Iterator[object]:
    """Yield every name that a matcher in a part of a configuration asks for."""
    if isinstance(value, list):
        for each in value:
            yield from _hosts(each)
    if isinstance(value, dict):
        for key, each in value.items():
            if key == "host" and isinstance(each, list):
                yield from each
            else:
                yield from _hosts(each)
