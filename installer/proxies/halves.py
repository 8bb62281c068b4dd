"""What every adapter says alike of a half of its configuration."""

from __future__ import annotations

import ipaddress
from collections.abc import Iterable, Mapping

from palpo_installer.answers import Address, CertificateFiles
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


def literal(upstream: Address) -> ipaddress.IPv4Address | ipaddress.IPv6Address:
    """Return the IP address of an upstream.

    Raises:
        RefusedPlan: it has a name: that can stand for several addresses, of which only one answers.
    """
    try:
        return ipaddress.ip_address(upstream.host.strip("[]"))
    except ValueError as error:
        where = str(upstream)
        raise RefusedPlan("not an IP address", where=where, next="Give an address such as 127.0.0.1") from error
