"""What a plan asks of a proxy as it was found on this host."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Protocol

from palpo_installer.answers import CertificateFiles
from palpo_installer.facts.system import System
from palpo_installer.layout import Layout
from palpo_installer.proxies.base import Rendering
from palpo_installer.proxies.found import Proxy, ServerBlock
from palpo_installer.services import Service
from palpo_installer.site import Site


class Adapter(Protocol):
    """One proxy of this host. It turns a site into files of that proxy; no rule of Matrix is known here."""

    @property
    def proxy(self) -> Proxy:
        """The proxy as found."""

    @property
    def service(self) -> Service:
        """The proxy as a service."""

    def render(
        self,
        site: Site,
        system: System,
        layout: Layout,
        certificates: Mapping[str, CertificateFiles],
        taken: Collection[ServerBlock] = (),
    ) -> Rendering:
        """Return our files, and what every bound address must show once they are live.

        Args:
            site: what must be served.
            system: for the addresses of this host.
            layout: for the addresses of sockets that are new, and for directories of ours.
            certificates: for each name of ``site.certificates`` and ``site.borrowed`` the files that will hold it.
            taken: what of others the same change removes; its sockets stay open, as ours.

        Raises:
            RefusedPlan: there is no place for our files, somebody else has a name or a port, or a word of the site
                cannot be written in the proxy's language.
        """

    def owns(self, file: Path) -> bool:
        """Return whether a file of the configuration is ours as a whole, itself or its link, by its name.

        Raises:
            RefusedPlan: there is no place for our files.
        """

    def does_without(self, file: Path) -> bool:
        """Return whether the proxy loads its configuration also where a file of it is gone."""

    @property
    def room(self) -> Path:
        """Where somebody would put a file with a site of their own.

        Raises:
            RefusedPlan: there is no such place.
        """
