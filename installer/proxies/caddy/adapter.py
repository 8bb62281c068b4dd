"""What a plan asks of Caddy."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from palpo_installer.answers import CertificateFiles
from palpo_installer.errors import RefusedPlan
from palpo_installer.proxies.assignment import Assignment
from palpo_installer.proxies.base import Rendering
from palpo_installer.proxies.caddy import managing, process, rendering, storage
from palpo_installer.proxies.caddy.configuration import Caddy
from palpo_installer.proxies.caddy.placement import OWN, place
from palpo_installer.services import Service
from palpo_installer.site import Issuer


@dataclass(frozen=True)
class CaddyAdapter:
    """Caddy as found."""

    proxy: Caddy

    @property
    def service(self) -> Service:
        """Its unit, or Caddy itself where it has none."""
        return process.service_of(self.proxy)

    def render(self, assignment: Assignment) -> Rendering:
        """Return both files.

        Raises:
            RefusedPlan: as ``rendering.render``.
        """
        return rendering.render(self.proxy, assignment)

    def kept(self, name: str, issuer: Issuer) -> CertificateFiles:
        """Return where Caddy keeps the certificate of a name that it orders.

        Raises:
            RefusedPlan: it is told not to order, may not read what it needs, keeps certificates in no files, or has one
                that it takes for this name.
        """
        managing.refuse(self.proxy, issuer, name)
        return storage.kept(self.proxy.storage, issuer.directory, name)

    def owns(self, file: Path) -> bool:
        """Return whether a file is one of our two.

        Raises:
            RefusedPlan: there is no place for them.
        """
        return place(self.proxy).owns(file)

    def does_without(self, file: Path) -> bool:
        """Return whether a file is imported by a pattern: Caddy does not load without one that has a name."""
        return any(each.takes(file) for each in self.proxy.imports)

    @property
    def room(self) -> Path:
        """The last directory that is imported, but for our own.

        Raises:
            RefusedPlan: there is none.
        """
        found = [each for each in self.proxy.imports if each.directory.name != OWN]
        if not found:
            raise RefusedPlan(
                "a site for one of our names stands in the Caddyfile itself, and no directory of sites is imported",
                where=str(self.proxy.configuration),
                next="Move the site into a file of its own, such as sites/matrix.caddy, and write import sites/*.caddy "
                "in its place, or remove it by hand; then plan again",
            )
        return found[-1].directory
