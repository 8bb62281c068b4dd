"""Whether Caddy, as it is configured, can order certificates for us."""

from __future__ import annotations

from palpo_installer.certificates.access import barrier
from palpo_installer.errors import RefusedPlan
from palpo_installer.proxies.caddy.configuration import Caddy
from palpo_installer.proxies.caddy.keys import ROOT
from palpo_installer.site import Issuer

OURS = "choose certificates.method = http-01"


def refuse(caddy: Caddy, issuer: Issuer, name: str) -> None:
    """Check that Caddy can order a certificate for a name.

    Raises:
        RefusedPlan: its options forbid it, it may not read the authority to trust, nobody can see what it has, or it
            has another one that it takes for the name.
    """
    where = str(caddy.configuration)
    if caddy.options.auto_https in {"off", "disable_certs"}:
        raise RefusedPlan(
            f"Caddy is told to order no certificates (auto_https {caddy.options.auto_https})",
            where=where,
            next=f"Remove this option and reload Caddy, or {OURS}",
        )
    if not caddy.storage:
        raise RefusedPlan(
            "Caddy keeps its certificates in no files (global option storage), so that nobody can see whether one came",
            where=where,
            next=f"Let it keep them in files, or {OURS}",
        )
    closed = barrier(issuer.ca_file, caddy.user) if issuer.ca_file and caddy.user not in ROOT else None
    if closed is not None:
        raise RefusedPlan(
            f"Caddy runs as {caddy.user}, which may not read the authority to trust, {issuer.ca_file}",
            where=str(closed),
            next=f"Put that file where {caddy.user} may read it (it holds no secret), or {OURS}",
        )
    wildcard = f"*.{name.partition('.')[2]}"
    covering = next((each for each in caddy.servers if wildcard in each.names and not each.implied), None)
    if covering is not None:
        # Loaded or ordered, 2.6 to 2.10 showed this one, and from 2.7 on ordered no other.
        raise RefusedPlan(
            f"Caddy shows the certificate for {wildcard} wherever somebody asks for {name}, and keeps to it",
            where=f"{covering.file}:{covering.line}",
            next=OURS[0].upper() + OURS[1:] + ": files that a site names come first",
        )
