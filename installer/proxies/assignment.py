"""What a proxy adapter is given to render."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass

from palpo_installer.answers import CertificateFiles
from palpo_installer.facts.system import System
from palpo_installer.layout import Layout
from palpo_installer.proxies.found import ServerBlock
from palpo_installer.site import Site


@dataclass(frozen=True)
class Assignment:
    """What a proxy is to serve, and what of the host it serves with.

    Attributes:
        site: what must be served.
        system: for the addresses of this host.
        layout: for the addresses of sockets that are new, and for directories of ours.
        certificates: for each name of ``site.certificates`` and ``site.borrowed`` the files that will hold it.
        taken: what of others the same change removes; its sockets stay open, as ours.
    """

    site: Site
    system: System
    layout: Layout
    certificates: Mapping[str, CertificateFiles]
    taken: Collection[ServerBlock] = ()
