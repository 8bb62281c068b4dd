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


@dataclass(frozen=True)
class Placement:
    """The last directory that Apache includes, and file names that sort last there.

    Attributes:
        included: the directory, with the directive that includes it.
        available: where the files themselves are, if that directory holds links to them (Debian); else the same.
        suffix: what the include pattern wants at the end of a name.
    """

    included: IncludeDirectory
    available: Path
    suffix: str

    def installed(self, name: str, text: str) -> tuple[tuple[File, ...], tuple[Link, ...]]:
        """Return a file, with the link that enables it where the distribution has it that way."""
        file = File(self.available / f"{name}{self.suffix}", text)
        if self.available == self.included.directory:
            return (file,), ()
        # As a2ensite makes them.
        target = f"../{self.available.name}/{file.path.name}"
        return (file,), (Link(self.included.directory / file.path.name, target),)

    def owns(self, path: Path) -> bool:
        """Return whether a path is one of our two files, itself or its link."""
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
            enabled = last.directory.name == "sites-enabled"
            available = last.directory.with_name("sites-available") if enabled else last.directory
            return Placement(last, available, suffix)
    raise RefusedPlan(
        f"Apache includes {last.directory} by the pattern {last.pattern}, which no file of ours can match",
        where=f"{last.file}:{last.line}",
        next=f"Let it include {last.directory}/*.conf as well, and run this again",
    )
