"""nginx as a plan uses it."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from palpo_installer.proxies.assignment import Assignment
from palpo_installer.proxies.base import Rendering
from palpo_installer.proxies.nginx import process, rendering
from palpo_installer.proxies.nginx.configuration import Nginx
from palpo_installer.proxies.nginx.placement import place
from palpo_installer.services import Service


@dataclass(frozen=True)
class NginxAdapter:
    """nginx as found."""

    proxy: Nginx

    @property
    def service(self) -> Service:
        """Its unit, or nginx itself where it has none."""
        return process.service_of(self.proxy)

    def render(self, assignment: Assignment) -> Rendering:
        """Return both files.

        Raises:
            RefusedPlan: as ``rendering.render``.
        """
        return rendering.render(self.proxy, assignment)

    def owns(self, file: Path) -> bool:
        """Return whether a file is one of our two.

        Raises:
            RefusedPlan: ``http`` includes no directory.
        """
        return place(self.proxy).owns(file)

    def does_without(self, file: Path) -> bool:
        """Return whether a file is included by a pattern: nginx does not load without one that has a name."""
        return any(each.takes(file) for each in self.proxy.includes)

    @property
    def room(self) -> Path:
        """The last directory that ``http`` includes."""
        return place(self.proxy).included.directory
