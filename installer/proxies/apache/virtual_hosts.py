"""The virtual hosts of Apache that are somebody else's, and how a guest gets into them."""

from __future__ import annotations

from dataclasses import dataclass, replace
from fnmatch import fnmatchcase
from functools import cached_property
from pathlib import Path

from palpo_installer.errors import RefusedPlan
from palpo_installer.host import Host
from palpo_installer.operations.lines import AddedLine
from palpo_installer.proxies.apache import guests, insertion, reading, tree
from palpo_installer.proxies.apache.configuration import Apache
from palpo_installer.proxies.apache.conflicts import conflicts
from palpo_installer.proxies.apache.directive import Directive
from palpo_installer.proxies.apache.lines import environment
from palpo_installer.proxies.apache.tree import Surroundings
from palpo_installer.proxies.found import ServerBlock
from palpo_installer.proxies.virtual_hosts import Conflict, Impossible, Inclusion, Leaflet
from palpo_installer.site import Guest

DIRECTORY = "palpo-installer"

WRITTEN = {"include": "Include", "includeoptional": "IncludeOptional"}
"""The directives that include files, as they are written."""


@dataclass(frozen=True)
class ApacheVirtualHosts:
    """The virtual hosts of Apache.

    Attributes:
        proxy: as found.
        host: for looks at its files.
    """

    proxy: Apache
    host: Host

    @property
    def word(self) -> str:
        """What Apache calls a site."""
        return "virtual host"

    @property
    def tells_names_apart(self) -> bool:
        """Whether a line answers for the guest's name alone: it answers for all names of the site."""
        return False

    @cached_property
    def top(self) -> Directive:
        """The whole configuration."""
        apache = self.proxy
        variables = environment(self.host.text(apache.configuration.parent / "envvars") or "")
        surroundings = Surroundings(apache.server_root, apache.version, variables, assumed=apache.modules)
        return tree.load(self.host, apache.configuration, surroundings).top

    @property
    def _directories(self) -> tuple[Path, Path]:
        return self.proxy.configuration.parent / DIRECTORY, self.host.layout.etc / "apache"

    def leaflet(self, guest: Guest) -> Leaflet:
        """Return the file of a guest, in a directory that no include loads by itself, and the line that does.

        Raises:
            RefusedPlan: there is none, or a word of it cannot be written in Apache's language.
        """
        included = self.proxy.includes
        for directory in self._directories:
            taken = any(each.directory == directory and fnmatchcase("any-443.conf", each.pattern) for each in included)
            if not taken:
                return guests.leaflet(guest, directory)
        raise RefusedPlan(
            "Apache includes every directory that a file of ours could lie in",
            where=str(self.proxy.configuration),
            next=f"Let no include of Apache load {self._directories[0]}/*.conf",
        )

    def keeps(self, path: Path) -> bool:
        """Return whether a path is one where files of guests may lie."""
        return path.suffix == ".conf" and path.parent in self._directories

    def leads_to(self, directive: str, path: Path) -> bool:
        """Return whether a directive is the one that includes a file by our pattern."""
        return path.suffix == ".conf" and directive == guests.line(path)

    def inclusions(self, leaflet: Leaflet, block: ServerBlock) -> tuple[Inclusion, ...]:
        """Return the directives directly in a virtual host that include a file."""
        return tuple(
            Inclusion(each.file, each.line, f"{WRITTEN[each.name]} {' '.join(each.arguments)}")
            for each in self._section(block).block
            if each.name in WRITTEN
            and leaflet.file.path.match(str(self.proxy.server_root / "".join(each.arguments[:1])))
        )

    def place(self, leaflet: Leaflet, block: ServerBlock) -> AddedLine | Impossible:
        """Return the line, and where it goes: first in the virtual host, checked by reading the file again."""
        return insertion.place(self.host.read(block.file) or b"", block.line, leaflet.line)

    def conflicts(self, leaflet: Leaflet, block: ServerBlock) -> tuple[Conflict, ...]:
        """Return what in a virtual host keeps our answers out."""
        section = self._section(block)
        theirs = replace(section, block=tuple(e for e in section.block if e.file != leaflet.file.path))
        return conflicts(leaflet.guest, theirs, self.top, self.proxy.modules)

    def own_block(self, leaflet: Leaflet, block: ServerBlock) -> str:
        """Return a virtual host for the one name, in front of one that has many: the first that fits answers."""
        addresses = " ".join(self._section(block).arguments) or f"*:{leaflet.guest.port}"
        lines = [
            f"<VirtualHost {addresses}>",
            leaflet.line,
            f"ServerName {leaflet.guest.name}",
            *(("SSLEngine on",) if leaflet.guest.tls else ()),
            *(f"SSLCertificateFile {path}" for path in block.certificates),
            *(f"SSLCertificateKeyFile {path}" for path in block.keys),
        ]
        return (
            f"{'; '.join(lines)}; … and the rest of {block.file}:{block.line}; in front of that, one line for each part"
        )

    def _section(self, block: ServerBlock) -> Directive:
        """Return the section of a virtual host; the main server is the whole configuration."""
        found = reading.virtual_hosts(self.top)
        return next((each for each in found if (each.file, each.line) == (block.file, block.line)), self.top)
