"""Apache as a plan uses it."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from pathlib import Path

from palpo_installer.answers import CertificateFiles
from palpo_installer.facts.system import System
from palpo_installer.layout import Layout
from palpo_installer.proxies.apache import process, rendering
from palpo_installer.proxies.apache.configuration import Apache
from palpo_installer.proxies.apache.placement import place
from palpo_installer.proxies.base import Rendering
from palpo_installer.proxies.found import ServerBlock
from palpo_installer.services import Service
from palpo_installer.site import Site


@dataclass(frozen=True)
class ApacheAdapter:
    """Apache as found."""

    proxy: Apache

    @property
    def service(self) -> Service:
        """Its unit, or Apache itself where it has none."""
        return process.service_of(self.proxy)

    def render(
        self,
        site: Site,
        system: System,
        layout: Layout,
        certificates: Mapping[str, CertificateFiles],
        taken: Collection[ServerBlock] = (),
    ) -> Rendering:
        """Return both files.

        Raises:
            RefusedPlan: as ``rendering.render``.
        """
        return rendering.render(site, self.proxy, system, layout, certificates, taken)

    def owns(self, file: Path) -> bool:
        """Return whether a file is one of our two.

        Raises:
            RefusedPlan: Apache includes no directory.
        """
        return place(self.proxy).owns(file)

    def does_without(self, file: Path) -> bool:
        """Return whether a file is included by a pattern: Apache does not load without one that has a name."""
        return any(each.takes(file) for each in self.proxy.includes)

    @property
    def room(self) -> Path:
        """The last directory that Apache includes."""
        return place(self.proxy).included.directory
