"""What a plan asks of a proxy about sites of somebody else's, which take routes of ours in as guests.

Each proxy has its own word for such a site (server block, virtual host, site block, frontend), its own rules for who
answers, and its own way to let a file of ours answer a few paths there: one line that leads to it.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from palpo_installer.operations.lines import AddedLine
from palpo_installer.proxies.base import File
from palpo_installer.proxies.found import Proxy, ServerBlock
from palpo_installer.site import Guest


@dataclass(frozen=True)
class Leaflet:
    """The file of a guest, and the line in the site that leads to it.

    Attributes:
        guest: what it answers, and for whom.
        file: where it goes, where nothing of the proxy's configuration but that line leads to it.
        marker: what its own marker shows.
        line: the line for the site, without indentation; a comment in it tells whoever finds it. A proxy that needs
            several has a line feed between them.
    """

    guest: Guest
    file: File
    marker: str
    line: str

    @property
    def title(self) -> str:
        """What it is for, in a few words."""
        return title(self.guest)

    @property
    def words(self) -> str:
        """The line as a part of a sentence."""
        return self.line.replace("\n", " and below it ")


def title(guest: Guest) -> str:
    """Return what a guest is for, in a few words."""
    return "Matrix discovery" if guest.tls else "certificate challenges"


def line_with_comment(guest: Guest, directive: str) -> str:
    """Return a line for a site whose comment tells whoever finds it, for proxies with comments after a directive."""
    return f"{directive} # {title(guest)}; added by palpo-installer, removed by its rollback"


@dataclass(frozen=True)
class Inclusion:
    """A line that leads to the file of a guest.

    Attributes:
        file: where it stands.
        line: its number in that file, from 1.
        directive: what stands there, with single spaces and without its comment.
    """

    file: Path
    line: int
    directive: str


@dataclass(frozen=True)
class Impossible:
    """Why there is no place for a line; the person puts it in by hand."""

    reason: str


@dataclass(frozen=True)
class Conflict:
    """Something that keeps answers of ours out, or from being given.

    Attributes:
        what: what it is, one sentence without a trailing full stop.
        where: file and line.
        next: what to change there.
        paths: which of our paths it is about.
        certain: whether it surely does; else only the answer itself can tell.
        redirect: where a request for these paths is sent, as written; empty where it is sent nowhere.
    """

    what: str
    where: str
    next: str
    paths: tuple[str, ...]
    certain: bool = True
    redirect: str = ""


class VirtualHosts(Protocol):
    """The sites of one proxy on this host, and how a guest gets into them."""

    @property
    def proxy(self) -> Proxy:
        """The proxy as found."""

    @property
    def word(self) -> str:
        """What the proxy calls a site, e.g. ``server block``."""

    @property
    def tells_names_apart(self) -> bool:
        """Whether a line of ours answers for the guest's name alone, whatever other names the site has."""

    def leaflet(self, guest: Guest) -> Leaflet:
        """Return the file of a guest and its line.

        Raises:
            RefusedPlan: there is no place for it, or a word of it cannot be written in the proxy's language.
        """

    def keeps(self, path: Path) -> bool:
        """Return whether a path is one where files of guests may lie."""

    def leads_to(self, directive: str, path: Path) -> bool:
        """Return whether a directive, as we write it, leads to the file of a guest at a path."""

    def inclusions(self, leaflet: Leaflet, block: ServerBlock) -> tuple[Inclusion, ...]:
        """Return the lines of a site that lead to a file, however they are spelled."""

    def place(self, leaflet: Leaflet, block: ServerBlock) -> AddedLine | Impossible:
        """Return the line for a site, and where in the site's file it goes."""

    def conflicts(self, leaflet: Leaflet, block: ServerBlock) -> tuple[Conflict, ...]:
        """Return what in a site keeps our answers out, what we brought there ourselves left out."""

    def own_block(self, leaflet: Leaflet, block: ServerBlock) -> str:
        """Return the words of a site for the guest's name alone, beside one that has many names."""
