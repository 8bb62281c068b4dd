"""Where our files go in an Apache configuration: last, so that we never become a default virtual host."""

from __future__ import annotations

import fnmatch
from dataclasses import dataclass
from pathlib import Path

from palpo_installer.errors import RefusedPlan
from palpo_installer.proxies.apache.configuration import Apache, IncludeDirectory
from palpo_installer.proxies.base import File, Link
from palpo_installer.proxies.found import ServerBlock

PLAIN = "zz-palpo-installer-http"
SECURE = "zz-palpo-installer-tls"
LIMITS = "zz-palpo-installer-limits"
"""What must be read before the virtual hosts of others."""


@dataclass(frozen=True)
class Placement:
    """The last directory that Apache includes, and file names that sort last there.

    Attributes:
        included: the directory, with the directive that includes it.
        available: where the files themselves are, if that directory holds links to them (Debian); else the same.
        suffix: what the include pattern wants at the end of a name.
        early: the last directory before it that is not for modules alone, None where there is none.
    """

    included: IncludeDirectory
    available: Path
    suffix: str
    early: IncludeDirectory | None = None

    def installed(self, name: str, text: str) -> tuple[tuple[File, ...], tuple[Link, ...]]:
        """Return a file, with the link that enables it where the distribution has it that way."""
        return _enabled(self.included.directory, f"{name}{self.suffix}", text)

    def limits(self, text: str) -> tuple[tuple[File, ...], tuple[Link, ...]]:
        """Return a file that is read before the virtual hosts, nothing where there is no place for it."""
        return ((), ()) if self.early is None else _enabled(self.early.directory, f"{LIMITS}.conf", text)

    def owns(self, path: Path) -> bool:
        """Return whether a path is one of our files, itself or its link."""
        if path.name == f"{LIMITS}.conf":
            return self.early is not None and path.parent in {self.early.directory, _available(self.early.directory)}
        names = {f"{PLAIN}{self.suffix}", f"{SECURE}{self.suffix}"}
        return path.parent in {self.included.directory, self.available} and path.name in names

    def precedes(self, server: ServerBlock) -> bool:
        """Return whether we are read before a virtual host, as far as file names and lines tell."""
        if server.file == self.included.file:
            return server.line > self.included.line
        return server.file.parent == self.included.directory and server.file.name > f"{PLAIN}{self.suffix}"


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
    last = apache.includes[-1]
    for suffix in (".conf", last.pattern.rpartition("*")[2]):
        if all(fnmatch.fnmatchcase(f"{name}{suffix}", last.pattern) for name in (PLAIN, SECURE)):
            return Placement(last, _available(last.directory), suffix, _early(apache))
    raise RefusedPlan(
        f"Apache includes {last.directory} by the pattern {last.pattern}, which no file of ours can match",
        where=f"{last.file}:{last.line}",
        next=f"Let it include {last.directory}/*.conf as well, and run this again",
    )


def _early(apache: Apache) -> IncludeDirectory | None:
    fitting = (each for each in reversed(apache.includes[:-1]) if fnmatch.fnmatchcase(f"{LIMITS}.conf", each.pattern))
    return next((each for each in fitting if each.directory.name != "mods-enabled"), None)


def _available(directory: Path) -> Path:
    """Return where the files are that a directory holds links to (Debian), itself where it holds files."""
    return directory.with_name(directory.name.replace("-enabled", "-available"))


def _enabled(directory: Path, name: str, text: str) -> tuple[tuple[File, ...], tuple[Link, ...]]:
    available = _available(directory)
    file = File(available / name, text)
    if available == directory:
        return (file,), ()
    # As a2ensite and a2enconf make them.
    return (file,), (Link(directory / name, f"../{available.name}/{name}"),)
