"""What every adapter says alike of a half of its configuration."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from palpo_installer.answers import CertificateFiles
from palpo_installer.errors import RefusedPlan
from palpo_installer.site import VirtualHost


def title(hosts: Iterable[VirtualHost]) -> str:
    """Return what a half is, in words."""
    tls = {host.port: host.tls for host in hosts}
    protocol = "HTTPS" if any(tls.values()) else "plain HTTP"
    return f"{protocol} on port{'s' if len(tls) > 1 else ''} {', '.join(map(str, tls))}"


def certificate(host: VirtualHost, certificates: Mapping[str, CertificateFiles]) -> CertificateFiles | None:
    """Return a virtual host's certificate, None without TLS.

    Raises:
        RefusedPlan: there is none.
    """
    if not host.tls:
        return None
    if host.certificate not in certificates:
        raise RefusedPlan(f"there is no certificate for {host.certificate}")
    return certificates[host.certificate]
