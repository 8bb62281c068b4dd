"""Where our files go in a proxy that includes directories: into the last one, so that we never become a default."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from palpo_installer.errors import RefusedPlan
from palpo_installer.proxies.base import File, Link
from palpo_installer.proxies.found import IncludeDirectory, Proxy, ServerBlock

PLAIN = "zz-palpo-installer-http"
SECURE = "zz-palpo-installer-tls"
ENABLED = "-enabled"
"""How the name of a directory ends that holds links to files in another one (Debian)."""


@dataclass(frozen=True)
class Placement:
    """The last directory that a proxy includes, and file names that sort last there.

    Attributes:
        included: the directory, with the directive that includes it.
        suffix: what the include pattern wants at the end of a name.
    """

    included: IncludeDirectory
    suffix: str

    def path(self, name: str) -> Path:
        """Return the path at which the proxy reads one of our files."""
        return self.included.directory / f"{name}{self.suffix}"

    def owns(self, path: Path) -> bool:
        """Return whether a path is one of our two files, itself or its link."""
        ours = (self.path(PLAIN), self.path(SECURE))
        return path in {*ours, *(available(each.parent) / each.name for each in ours)}

    def precedes(self, server: ServerBlock) -> bool:
        """Return whether we are read before a server block, as far as file names and lines tell."""
        if server.file == self.included.file:
            return server.line > self.included.line
        return server.file.parent == self.included.directory and server.file.name > f"{PLAIN}{self.suffix}"


def last_directory(proxy: Proxy, includes: Sequence[IncludeDirectory]) -> Placement:
    """Return our place in the last of these directories.

    Raises:
        RefusedPlan: it is included by a pattern that no name of ours fits.
    """
    last = includes[-1]
    for suffix in (".conf", last.pattern.rpartition("*")[2]):
        if all(last.takes(last.directory / f"{name}{suffix}") for name in (PLAIN, SECURE)):
            return Placement(last, suffix)
    raise RefusedPlan(
        f"{proxy.title} includes {last.directory} by the pattern {last.pattern}, which no file of ours can match",
        where=f"{last.file}:{last.line}",
        next=f"Let it include {last.directory}/*.conf as well, and run this again",
    )


def available(directory: Path) -> Path:
    """Return where the files are that a directory holds links to (Debian), itself where it holds files."""
    name = directory.name
    return directory.with_name(f"{name.removesuffix(ENABLED)}-available") if name.endswith(ENABLED) else directory


def enabled(path: Path, text: str, target: str) -> tuple[tuple[File, ...], tuple[Link, ...]]:
    """Return a file of an included directory, as a link with this target where the distribution has it that way."""
    directory = available(path.parent)
    if directory == path.parent:
        return (File(path, text),), ()
    return (File(directory / path.name, text),), (Link(path, target),)
