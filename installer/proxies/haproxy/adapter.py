"""What a plan asks of HAProxy."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from palpo_installer.layout import Layout
from palpo_installer.proxies.assignment import Assignment
from palpo_installer.proxies.base import Rendering
from palpo_installer.proxies.haproxy import process, rendering
from palpo_installer.proxies.haproxy.configuration import HAProxy
from palpo_installer.proxies.haproxy.placement import OWN, PLAIN, SECURE, place
from palpo_installer.services import Service


@dataclass(frozen=True)
class HAProxyAdapter:
    """HAProxy as found."""

    proxy: HAProxy

    @property
    def service(self) -> Service:
        """Its unit, or HAProxy itself where it has none; with all that it will load."""
        own = (OWN,) if not self.proxy.directories and self.proxy.options is not None else ()
        return process.service_of(self.proxy, own)

    def render(self, assignment: Assignment) -> Rendering:
        """Return both files.

        Raises:
            RefusedPlan: as ``rendering.render``.
        """
        return rendering.render(self.proxy, assignment)

    def owns(self, file: Path) -> bool:
        """Return whether a file is one of our two."""
        return file.name in {PLAIN, SECURE}

    def does_without(self, file: Path) -> bool:
        """Return whether a file is in a directory that is loaded: HAProxy does not start without one it names."""
        return file.parent in self.proxy.directories

    @property
    def room(self) -> Path:
        """The last directory that is loaded.

        Raises:
            RefusedPlan: there is none.
        """
        return place(self.proxy, Layout()).directory
