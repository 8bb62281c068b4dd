"""The sites of Caddy that are somebody else's, and how a guest gets into them."""

from __future__ import annotations

from dataclasses import dataclass, replace
from fnmatch import fnmatchcase
from functools import cached_property
from pathlib import Path

from palpo_installer.errors import RefusedPlan
from palpo_installer.host import Host
from palpo_installer.operations.lines import AddedLine
from palpo_installer.proxies.caddy import addresses, guest_lines, guests
from palpo_installer.proxies.caddy.addresses import Ports
from palpo_installer.proxies.caddy.configuration import Caddy
from palpo_installer.proxies.caddy.conflicts import conflicts
from palpo_installer.proxies.caddy.tree import Segment, Tree, load
from palpo_installer.proxies.found import ServerBlock
from palpo_installer.proxies.virtual_hosts import Conflict, Impossible, Inclusion, Leaflet
from palpo_installer.site import Guest

DIRECTORY = "palpo-installer-guests"


@dataclass(frozen=True)
class CaddyVirtualHosts:
    """The sites of Caddy.

    Attributes:
        proxy: as found.
        host: for looks at its files.
    """

    proxy: Caddy
    host: Host

    @property
    def word(self) -> str:
        """What Caddy calls a site."""
        return "site block"

    @property
    def tells_names_apart(self) -> bool:
        """Whether a line answers for the guest's name alone: it answers for all names of the site."""
        return False

    @cached_property
    def tree(self) -> Tree:
        """The whole configuration; what Caddy's environment has in it decides over no line of ours."""
        return load(self.host, self.proxy.configuration, {})

    @property
    def _directories(self) -> tuple[Path, Path]:
        return self.proxy.configuration.parent / DIRECTORY, self.host.layout.etc / "caddy"

    def leaflet(self, guest: Guest) -> Leaflet:
        """Return the file of a guest, in a directory that no import loads by itself, and the line that does.

        Raises:
            RefusedPlan: there is none, or a word of it cannot be written in a Caddyfile.
        """
        for directory in self._directories:
            loads = (
                each.directory == directory and fnmatchcase("x.caddy", each.pattern) for each in self.proxy.imports
            )
            if not any(loads):
                return guests.leaflet(guest, directory)
        raise RefusedPlan(
            "the Caddyfile imports every directory that a file of ours could lie in",
            where=str(self.proxy.configuration),
            next=f"Let no import load {self._directories[0]}/*",
        )

    def keeps(self, path: Path) -> bool:
        """Return whether a path is one where files of guests may lie."""
        return path.suffix == ".caddy" and path.parent in self._directories

    def leads_to(self, directive: str, path: Path) -> bool:
        """Return whether a directive is the one that imports a file by our pattern."""
        return path.suffix == ".caddy" and directive == guests.line(path)

    def inclusions(self, leaflet: Leaflet, block: ServerBlock) -> tuple[Inclusion, ...]:
        """Return the imports directly in a site that load a file."""
        data = self.host.read(block.file) or b""
        return tuple(
            Inclusion(block.file, line[0].line, " ".join(token.text for token in line))
            for line in guest_lines.directives(data, block.line)
            if line[0].text == "import" and leaflet.file.path.match(str(block.file.parent / line[-1].text))
        )

    def place(self, leaflet: Leaflet, block: ServerBlock) -> AddedLine | Impossible:
        """Return the line, and where it goes: first in the site, checked by reading the file again."""
        return guest_lines.place(self.host.read(block.file) or b"", block.line, leaflet.line)

    def conflicts(self, leaflet: Leaflet, block: ServerBlock) -> tuple[Conflict, ...]:
        """Return what in a site keeps our answers out."""
        segments = self.tree.segments
        here = (each for each in segments if each.words and (each.file, each.line) == (block.file, block.line))
        site = next(here, Segment((), block.file, block.line))
        theirs = replace(site, block=tuple(each for each in site.block if each.file != leaflet.file.path))
        options = next((each for each in segments if not each.words), None)
        return (*self._own_redirect(leaflet.guest, site), *conflicts(leaflet.guest, theirs, options))

    def _own_redirect(self, guest: Guest, site: Segment) -> tuple[Conflict, ...]:
        """Return that a site has no address with the guest's port: Caddy redirects from there by itself."""
        usual = Ports(self.proxy.options.http_port, self.proxy.options.https_port)
        found = (addresses.parse(word, usual) for word in addresses.words(site.words))
        if guest.port in {each.port for each in found if each is not None}:
            return ()
        return (
            Conflict(
                f"Caddy itself leads plain HTTP of {guest.name} to HTTPS, and no site of the Caddyfile answers there",
                f"{site.file}:{site.line}",
                f"Write a site http://{guest.name} that redirects, or choose certificates.base_domain = site",
                tuple(dict.fromkeys(answer.path for answer in guests.written(guest))),
            ),
        )

    def own_block(self, leaflet: Leaflet, block: ServerBlock) -> str:
        """Return a site for the one name, beside one that has many: the longer name answers."""
        scheme = "https" if leaflet.guest.tls else "http"
        return (
            f"{scheme}://{leaflet.guest.name}:{leaflet.guest.port} {{ {guests.line(leaflet.file.path)} … and the rest "
            f"of {block.file}:{block.line} }}, one line for each part"
        )
