"""Where our files go in an Apache configuration: last, so that we never become a default virtual host."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from palpo_installer.errors import RefusedPlan
from palpo_installer.proxies import placement
from palpo_installer.proxies.apache.configuration import Apache
from palpo_installer.proxies.base import File, Link
from palpo_installer.proxies.found import IncludeDirectory
from palpo_installer.proxies.placement import available, last_directory

LIMITS = "zz-palpo-installer-limits.conf"
"""What must be read before the virtual hosts of others."""


@dataclass(frozen=True)
class Placement(placement.Placement):
    """Our place among the virtual hosts, and one before them.

    Attributes:
        early: the last directory before it that is not for modules alone, None where there is none.
    """

    early: IncludeDirectory | None = None

    def limits(self, text: str) -> tuple[tuple[File, ...], tuple[Link, ...]]:
        """Return a file that is read before the virtual hosts, nothing where there is no place for it."""
        return ((), ()) if self.early is None else _enabled(self.early.directory / LIMITS, text)

    def installed(self, name: str, text: str) -> tuple[tuple[File, ...], tuple[Link, ...]]:
        """Return a file, with the link that enables it where the distribution has it that way."""
        return _enabled(self.path(name), text)

    def owns(self, path: Path) -> bool:
        """Return whether a path is one of our files, itself or its link."""
        if path.name == LIMITS:
            return self.early is not None and path.parent in {self.early.directory, available(self.early.directory)}
        return super().owns(path)


def place(apache: Apache) -> Placement:
    """Return where our files go.

    Raises:
        RefusedPlan: the configuration includes no directory, or by a pattern that no name of ours fits.
    """
    if not apache.includes:
        directory = apache.configuration.parent / "conf.d"
        raise RefusedPlan(
            "Apache includes no directory of files",
            where=str(apache.configuration),
            next=f"Add as its last line: IncludeOptional {directory}/*.conf and run this again",
        )
    last = last_directory(apache, apache.includes)
    return Placement(last.included, last.suffix, _early(apache))


def _early(apache: Apache) -> IncludeDirectory | None:
    fitting = (each for each in reversed(apache.includes[:-1]) if each.takes(each.directory / LIMITS))
    return next((each for each in fitting if each.directory.name != "mods-enabled"), None)


def _enabled(path: Path, text: str) -> tuple[tuple[File, ...], tuple[Link, ...]]:
    # As a2ensite and a2enconf make them.
    return placement.enabled(path, text, f"../{available(path.parent).name}/{path.name}")
