"""The certificate of a site that answers for a name already, which our own port may show as well."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from pathlib import Path

from palpo_installer.certificates import store
from palpo_installer.facts.certificates import Certificate
from palpo_installer.proxies.answering import By
from palpo_installer.proxies.found import Proxy
from palpo_installer.proxies.who_answers import answering


def of_site(
    proxy: Proxy, certificates: Sequence[Certificate], name: str, port: int, now: datetime
) -> tuple[Certificate | None, str]:
    """Return the certificate that the site with a name shows on a port, and why it cannot be used, empty where it can.

    Args:
        proxy: as found.
        certificates: those on this host, of which a site's own ones are among them.
        name: a host name.
        port: where the site answers with TLS.
        now: the time, with its zone.
    """
    blocks = [found.block for found in answering(proxy, name, port) if found.by in {By.NAME, By.ANY}]
    if not blocks:
        return None, f"no site of {proxy.title} has the name {name} on port {port}"
    pairs = [pair for block in blocks for pair in zip(block.certificates, block.keys, strict=False)]
    known = [
        each for each in certificates for chain, key in pairs if (each.chain, each.key) == (Path(chain), Path(key))
    ]
    if not pairs:
        return None, f"{blocks[0].file}:{blocks[0].line} names no file of one, and {proxy.title} keeps none for it"
    if not known:
        return None, f"the certificate of {blocks[0].file}:{blocks[0].line} cannot be read"
    judged = [(each, store.usable(each, name, now, remaining=0) or _kept(proxy, each, name)) for each in known]
    # A site may have one for each kind of key: any that can be used will do.
    return next((pair for pair in judged if not pair[1]), judged[0])


def _kept(proxy: Proxy, certificate: Certificate, name: str) -> str:
    """Return why a certificate that the proxy renews itself stays with its site, empty where it may leave it."""
    return proxy.keeps_to_site(name) if proxy.renews(certificate.chain) else ""
