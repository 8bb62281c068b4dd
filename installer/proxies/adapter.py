"""What a plan asks of a proxy as it was found on this host."""

from __future__ import annotations

from pathlib import Path
from typing import Protocol

from palpo_installer.proxies.assignment import Assignment
from palpo_installer.proxies.base import Rendering
from palpo_installer.proxies.found import Proxy
from palpo_installer.services import Service


class Adapter(Protocol):
    """One proxy of this host. It turns a site into files of that proxy; no rule of Matrix is known here."""

    @property
    def proxy(self) -> Proxy:
        """The proxy as found."""

    @property
    def service(self) -> Service:
        """The proxy as a service."""

    def render(self, assignment: Assignment) -> Rendering:
        """Return our files, and what every bound address must show once they are live.

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
