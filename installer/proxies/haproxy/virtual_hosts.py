"""The frontends of HAProxy that are somebody else's, and how a guest gets into them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from palpo_installer.host import Host
from palpo_installer.operations.lines import AddedLine, directive
from palpo_installer.proxies.found import ServerBlock
from palpo_installer.proxies.haproxy import guests, insertion
from palpo_installer.proxies.haproxy.configuration import HAProxy, Section
from palpo_installer.proxies.haproxy.conflicts import conflicts
from palpo_installer.proxies.virtual_hosts import Conflict, Impossible, Inclusion, Leaflet
from palpo_installer.site import Guest

DIRECTORY = "palpo-installer"


@dataclass(frozen=True)
class HAProxyVirtualHosts:
    """The frontends of HAProxy.

    Attributes:
        proxy: as found.
        host: for looks at its files.
    """

    proxy: HAProxy
    host: Host

    @property
    def word(self) -> str:
        """What HAProxy calls a site."""
        return "frontend"

    @property
    def tells_names_apart(self) -> bool:
        """Whether a line answers for the guest's name alone: it asks for it."""
        return True

    @property
    def _directory(self) -> Path:
        main = self.proxy.configuration
        return (main if main in self.proxy.directories else main.parent) / DIRECTORY

    def leaflet(self, guest: Guest) -> Leaflet:
        """Return the file of a guest, and the line that reads it.

        Raises:
            RefusedPlan: HAProxy cannot answer what it has.
        """
        return guests.leaflet(guest, self._directory)

    def keeps(self, path: Path) -> bool:
        """Return whether a path is one where files of guests may lie."""
        return path.suffix == ".map" and path.parent == self._directory

    def leads_to(self, directive: str, path: Path) -> bool:
        """Return whether a directive is a rule that answers what a file has."""
        return guests.reads(directive, path)

    def inclusions(self, leaflet: Leaflet, block: ServerBlock) -> tuple[Inclusion, ...]:
        """Return the rules of a frontend that are as ours are now, where all are; others give way to them."""
        section = self._section(block)
        text = (self.host.read(section.heading.file) or b"").decode(errors="replace").split("\n")
        rules = (each for each in section.all("http-request", "return") if each.file == section.heading.file)
        found = (Inclusion(each.file, each.line, directive(text[each.line - 1])) for each in rules)
        wanted = {directive(line) for line in leaflet.line.split("\n")}
        standing = tuple(each for each in found if each.directive in wanted)
        return standing if {each.directive for each in standing} == wanted else ()

    def place(self, leaflet: Leaflet, block: ServerBlock) -> AddedLine | Impossible:
        """Return our lines, and where they go: before the first rule on requests, checked by reading the file again."""
        section = self._section(block)
        return insertion.place(self.host.read(section.heading.file) or b"", section, leaflet.line)

    def conflicts(self, leaflet: Leaflet, block: ServerBlock) -> tuple[Conflict, ...]:
        """Return what about a frontend keeps our answers out."""
        section, guest = self._section(block), leaflet.guest
        paths = tuple(path for path, _ in guests.documents(guest))
        return conflicts(guest, section, tuple(self._defaults(section)), paths)

    def own_block(self, leaflet: Leaflet, block: ServerBlock) -> str:
        """Return our lines alone: a frontend has every name of its port."""
        return f"{leaflet.words} in {block.file}:{block.line}"

    def _section(self, block: ServerBlock) -> Section:
        return next(
            each for each in self.proxy.sections if (each.heading.file, each.heading.line) == (block.file, block.line)
        )

    def _defaults(self, section: Section) -> Iterator[Section]:
        """Yield the defaults of a section: those it names, else the last before it."""
        sections = self.proxy.sections
        before = [each for each in sections[: sections.index(section)] if each.kind == "defaults"]
        named = [each for each in before if each.name == section.base] if section.base else before
        yield from named[-1:]
